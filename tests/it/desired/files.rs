//! What a stack may read and mount: its repository, and what the host has by absolute path. Nothing by a way round.

use std::os::unix::fs::symlink;

use ipaictl::desired::Loaded;

use super::{Lab, host, rules};

fn stack(compose: &str) -> String {
    format!(
        "{}---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: s}}\nspec:\n  host: local\n  compose: {compose}\n",
        host("local")
    )
}

async fn load(lab: &Lab) -> Loaded {
    lab.commit("files");
    lab.load_head().await
}

/// The error of a Compose file in a repository that has links, folders and files of every sort.
async fn errors(compose: &str) -> Vec<(&'static str, String)> {
    let lab = Lab::with_repository();
    std::fs::create_dir_all(lab.folder.path().join("outside")).unwrap();
    std::fs::write(lab.folder.path().join("outside/Dockerfile"), "FROM x\n").unwrap();
    std::fs::write(lab.folder.path().join("outside/secret"), "canary-7f3a\n").unwrap();
    lab.write("desired-state/s.yaml", &stack("{files: [c.yaml]}"));
    lab.write("c.yaml", compose);
    lab.write("app/Dockerfile", "FROM x\n");
    lab.write("app/conf", "a\n");
    let repo = lab.repo();
    symlink("../outside", repo.join("out")).unwrap();
    symlink("/etc", repo.join("etc")).unwrap();
    symlink("app", repo.join("in")).unwrap();
    symlink("../../outside/Dockerfile", repo.join("app/Linked")).unwrap();
    let loaded = load(&lab).await;
    let text = format!("{:?}", loaded.problems);
    assert!(!text.contains("canary-7f3a"), "{text}");
    let place = |problem: &ipaictl::model::problem::Problem| problem.location.as_ref().unwrap().to_string();
    let errors = loaded.problems.iter().filter(|problem| problem.is_error());
    errors.map(|problem| (problem.rule, place(problem))).collect()
}

#[tokio::test]
async fn what_runs_never_leads_out_of_the_repository() {
    let service = |fields: &str, rest: &str| format!("services:\n  a:\n    image: x\n    {fields}\n{rest}");
    for (fields, rest, rule) in [
        ("build: ./out", "", "outside-repository"),
        ("build: out/deeper", "", "outside-repository"),
        ("build: {context: app, dockerfile: Linked}", "", "outside-repository"),
        ("build: {context: app, dockerfile: None}", "", "missing-file"),
        ("build: app/conf", "", "not-a-folder"),
        ("build: nothing", "", "missing-file"),
        ("build: ../outside", "", "outside-repository"),
        ("volumes: [./out:/x]", "", "outside-repository"),
        ("volumes: [./etc/passwd:/x]", "", "outside-repository"),
        ("volumes: [./.git:/x]", "", "file-not-allowed"),
        ("volumes: [../outside/secret:/x]", "", "outside-repository"),
        ("configs: [c]", "configs: {c: {file: ./etc/passwd}}\n", "outside-repository"),
        ("secrets: [c]", "secrets: {c: {file: ./out/secret}}\n", "outside-repository"),
        ("secrets: [c]", "secrets: {c: {file: ../outside/secret}}\n", "outside-repository"),
        ("secrets: [c]", "secrets: {c: {file: /dev/zero}}\n", "not-a-file"),
        ("secrets: [c]", "secrets: {c: {file: ./none}}\n", "missing-file"),
        ("env_file: ./etc/passwd", "", "outside-repository"),
        ("env_file: /proc/self/environ", "", "file-not-allowed"),
        ("label_file: /proc/self/environ", "", "file-not-allowed"),
    ] {
        let found = errors(&service(fields, rest)).await;
        assert_eq!(found.len(), 1, "{fields} {rest}: {found:?}");
        assert_eq!(found[0].0, rule, "{fields} {rest}: {found:?}");
        assert!(found[0].1.starts_with("c.yaml:"), "{found:?}");
    }
    for (fields, rest) in [
        ("build: ./in", ""),
        ("build: app", ""),
        ("volumes: [./in/conf:/x, ./made-by-the-engine:/y, /etc/localtime:/z, /opt/none:/w]", ""),
        ("configs: [c]", "configs: {c: {file: /opt/none}}\n"),
        ("configs: [c]", "configs: {c: {file: ./in/conf}}\n"),
        ("profiles: [off]\n    build: ../elsewhere", ""),
    ] {
        assert_eq!(errors(&service(fields, rest)).await, [], "{fields} {rest}");
    }
}

#[tokio::test]
async fn the_controllers_own_environment_and_state_are_never_read() {
    let lab = Lab::with_repository();
    let state = lab.settings().state_dir;
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("hmac.key"), "KEY=canary-7f3a\n").unwrap();
    let link = lab.folder.path().join("link.env");
    symlink("/proc/self/environ", &link).unwrap();
    lab.write("c.yaml", "services: {a: {image: \"x:${PATH:-none}${KEY:-none}\"}}\n");
    let key = state.join("hmac.key").display().to_string();
    for file in ["/proc/self/environ", "/proc/../proc/self/environ", link.to_str().unwrap(), &key] {
        lab.write("desired-state/s.yaml", &stack(&format!("{{files: [c.yaml], envFiles: [{file}]}}")));
        let loaded = load(&lab).await;
        // A path with `..` is refused as such.
        let rule = if file.contains("..") { "invalid-path" } else { "file-not-allowed" };
        assert_eq!(rules(&loaded), [rule], "{file}: {:?}", loaded.problems);
        let location = loaded.problems[0].location.as_ref().unwrap();
        assert_eq!((location.file.as_str(), location.line), ("desired-state/s.yaml", 11));
        assert!(!format!("{:?}", loaded.problems).contains("canary-7f3a"));
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_named_where_the_stack_names_it() {
    let lab = Lab::with_repository();
    lab.write("compose.yaml", "services: {a: {image: x}}\n");
    lab.write("prod.env", "A=1\n");
    std::fs::write(lab.repo().join("nul.env"), "A=1\nB=\0\n").unwrap();
    std::fs::File::create(lab.repo().join("huge.yaml")).unwrap().set_len(6 << 20).unwrap();
    symlink("/etc/passwd", lab.repo().join("out.yaml")).unwrap();
    for (compose, rule, column, hint) in [
        ("{files: [compse.yaml]}", "missing-file", 21, "`compose.yaml`"),
        ("{files: [compose.yaml], envFiles: [prd.env]}", "missing-file", 47, "`prod.env`"),
        ("{files: [huge.yaml]}", "file-too-large", 21, ""),
        ("{files: [desired-state]}", "not-a-file", 21, ""),
        ("{files: [out.yaml]}", "outside-repository", 21, ""),
    ] {
        lab.write("desired-state/s.yaml", &stack(compose));
        let loaded = load(&lab).await;
        assert_eq!(rules(&loaded), [rule], "{compose}: {:?}", loaded.problems);
        let problem = &loaded.problems[0];
        assert_eq!(
            problem.location.as_ref().unwrap().to_string(),
            format!("desired-state/s.yaml:11:{column}"),
            "{compose}"
        );
        assert!(problem.snippet.is_some() && problem.to_string().contains(hint), "{problem}");
    }
    lab.write("desired-state/s.yaml", &stack("{files: [compose.yaml], envFiles: [nul.env]}"));
    let loaded = load(&lab).await;
    assert_eq!(rules(&loaded), ["nul-byte"]);
    assert_eq!(loaded.problems[0].location.as_ref().unwrap().to_string(), "nul.env:2:1");
}

#[tokio::test]
async fn a_name_that_is_no_text_and_a_bare_repository_are_called_so() {
    use std::os::unix::ffi::OsStrExt as _;
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("a"));
    let name = std::ffi::OsStr::from_bytes(b"b\xff.yaml");
    std::fs::write(lab.repo().join("desired-state").join(name), host("b")).unwrap();
    lab.commit("names");
    let source = lab.source();
    for at in
        [ipaictl::desired::At::WorkingTree, ipaictl::desired::At::Revision(source.resolve(None).unwrap())]
    {
        let loaded = super::load_at(&source, &at).await;
        assert_eq!(rules(&loaded), ["not-a-file"]);
        assert!(loaded.problems[0].message.contains("is not UTF-8"), "{}", loaded.problems[0]);
    }
    let bare = lab.folder.path().join("bare.git");
    super::git(
        lab.folder.path(),
        &["clone", "--quiet", "--bare", lab.repo().to_str().unwrap(), bare.to_str().unwrap()],
    );
    let settings = ipaictl::desired::SourceSettings { repo: bare.display().to_string(), ..lab.settings() };
    let source = ipaictl::desired::Source::open(&settings).unwrap();
    let err = source.tree(&ipaictl::desired::At::WorkingTree).err().expect("there is none");
    assert!(
        err.to_string().contains("bare repository") || format!("{err:?}").contains("bare repository"),
        "{err:?}"
    );
}
