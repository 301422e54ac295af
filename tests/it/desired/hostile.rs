//! Input that wants to hurt: each a clear error within a second, in bounded memory, and nothing read from elsewhere.

use std::time::{Duration, Instant};

use ipaictl::desired::{At, Loaded};

use super::{Lab, host, load_at, rules};

/// What is promised for a release build is one second; debug builds are ten times slower.
const TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

async fn load(lab: &Lab) -> Loaded {
    lab.commit("hostile");
    let source = lab.source();
    let mut last = None;
    for at in [At::Revision(source.resolve(None).unwrap()), At::WorkingTree] {
        let start = Instant::now();
        let loaded = load_at(&source, &at).await;
        assert!(start.elapsed() < TIME_MAX, "{:?} for {at:?}", start.elapsed());
        assert!(loaded.state.is_none());
        for problem in &loaded.problems {
            assert!(problem.location.is_some(), "without a place: {problem}");
            assert!(problem.to_string().len() < 2_000, "too long: {}", problem.to_string().len());
        }
        last = Some(loaded);
    }
    last.unwrap()
}

async fn rules_of(text: &[u8]) -> Vec<String> {
    let lab = Lab::with_repository();
    lab.write("desired-state/good.yaml", &host("good"));
    std::fs::write(lab.repo().join("desired-state/hostile.yaml"), text).unwrap();
    let loaded = load(&lab).await;
    rules(&loaded).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn hostile_files_are_refused_by_name() {
    let bomb: String = (0..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, index| {
        let aliases = vec![format!("*a{index}"); 9].join(",");
        format!("{text}a{0}: &a{0} [{aliases}]\n", index + 1)
    });
    let spaced: String = (0..400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("alias-bomb", bomb.into_bytes()),
        ("too-deep", "[".repeat(60_000).into_bytes()),
        ("too-deep", "{a: ".repeat(60_000).into_bytes()),
        ("too-deep", spaced.into_bytes()),
        ("file-too-large", vec![b'a'; 10 << 20]),
        ("too-many-documents", "---\na: 1\n".repeat(100_000).into_bytes()),
        ("invalid-utf8", b"a: \xff\xfe\n".to_vec()),
        ("nul-byte", b"a: \0\n".to_vec()),
        ("duplicate-key", b"a: 1\na: 2\n".to_vec()),
        ("too-many-nodes", format!("[{}]", "1,".repeat(1_100_000)).into_bytes()),
        ("not-a-document", format!("- {}", "x".repeat(1_000_000)).into_bytes()),
        (
            "unknown-kind",
            format!("apiVersion: ipai.dev/v1alpha1\nkind: {}\n", "x".repeat(1_000)).into_bytes(),
        ),
    ];
    for (rule, text) in cases {
        let found = rules_of(&text).await;
        let start = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
        assert!(found.iter().any(|found| found == rule), "{rule} is not in {found:?} for {start}");
    }
}

#[tokio::test]
async fn many_keys_in_one_map_are_read_in_time() {
    let keys: String = (0..100_000).map(|index| format!("  k{index}: 1\n")).collect();
    let text = format!("apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: a}}\nspec:\n{keys}");
    assert_eq!(rules_of(text.as_bytes()).await[0], "unknown-field");
}

#[tokio::test]
async fn a_byte_order_mark_is_no_problem() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &format!("\u{feff}{}", host("one")));
    lab.commit("bom");
    assert!(lab.load_head().await.is_valid());
}

#[tokio::test]
async fn links_submodules_and_devices_in_the_folder_are_named_and_not_followed() {
    let lab = Lab::with_repository();
    let other = Lab::with_repository();
    other.write("x.yaml", "a: 1\n");
    other.commit("one");
    lab.write("desired-state/good.yaml", &host("good"));
    let folder = lab.repo().join("desired-state");
    std::os::unix::fs::symlink("/etc/passwd", folder.join("passwd.yaml")).unwrap();
    std::os::unix::fs::symlink("../../../..", folder.join("up")).unwrap();
    std::os::unix::fs::symlink("loop.yaml", folder.join("loop.yaml")).unwrap();
    lab.git(&["submodule", "--quiet", "add", other.repo().to_str().unwrap(), "desired-state/module"]);
    lab.commit("links");
    let source = lab.source();
    let loaded = load_at(&source, &At::Revision(source.resolve(None).unwrap())).await;
    let text: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    for part in [
        "`desired-state/passwd.yaml` is a symbolic link to `/etc/passwd`",
        "`desired-state/up` is a symbolic link",
        "`desired-state/loop.yaml` is a symbolic link",
        "`desired-state/module` is a submodule",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("root:"), "the content of /etc/passwd was read");
    let written = load_at(&source, &At::WorkingTree).await;
    assert!(written.state.is_none());
}

#[tokio::test]
async fn compose_files_never_come_from_outside_the_repository() {
    let lab = Lab::with_repository();
    std::fs::write(lab.folder.path().join("secret.yaml"), "services: {canary-7f3a: {image: x}}\n").unwrap();
    let stack = |file: &str| {
        format!(
            "{}---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: s}}\nspec:\n  host: local\n  compose: {{files: [{file}]}}\n",
            host("local")
        )
    };
    std::os::unix::fs::symlink("../secret.yaml", lab.repo().join("out.yaml")).unwrap();
    std::os::unix::fs::symlink(lab.folder.path(), lab.repo().join("dir")).unwrap();
    std::os::unix::fs::symlink("b.yaml", lab.repo().join("a.yaml")).unwrap();
    std::os::unix::fs::symlink("a.yaml", lab.repo().join("b.yaml")).unwrap();
    for file in ["out.yaml", "dir/secret.yaml", "a.yaml", ".git/config", "x/../../secret.yaml"] {
        lab.write("desired-state/s.yaml", &stack(file));
        let loaded = load(&lab).await;
        let text = format!("{:?}", loaded.problems);
        assert!(!text.contains("canary-7f3a"), "{file}: {text}");
    }
}

#[tokio::test]
async fn a_huge_blob_is_refused_without_being_read() {
    let lab = Lab::with_repository();
    lab.write("desired-state/good.yaml", &host("good"));
    let file = std::fs::File::create(lab.repo().join("desired-state/huge.yaml")).unwrap();
    file.set_len(300 << 20).unwrap();
    assert_eq!(rules(&load(&lab).await), ["file-too-large"]);
}

/// A Compose file of a stack; which rules it breaks, within the time.
async fn compose_rules(compose: &str) -> Vec<String> {
    let lab = Lab::with_repository();
    lab.write(
        "desired-state/s.yaml",
        &format!(
            "{}---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: s}}\nspec: {{host: local, compose: {{files: [c.yaml]}}}}\n",
            host("local")
        ),
    );
    lab.write("c.yaml", compose);
    rules(&load(&lab).await).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn copies_of_long_text_are_refused_before_they_fill_the_memory() {
    let (long, megabyte) = ("y".repeat(100_000), "y".repeat(1_000_000));
    let aliases = |count: usize| (0..count).map(|i| format!("A{i}: *a")).collect::<Vec<_>>().join(", ");
    for (text, count) in [(&megabyte, 3_000), (&long, 1_000)] {
        let file = format!(
            "x-a: &a \"{text}\"\nservices: {{a: {{image: x, environment: {{{}}}}}}}\n",
            aliases(count)
        );
        assert_eq!(compose_rules(&file).await, ["alias-bomb"]);
        let document = format!("x: &a \"{text}\"\ny: {{{}}}\n", aliases(count));
        assert_eq!(rules_of(document.as_bytes()).await, ["alias-bomb"]);
    }
    let extending: String = (1..1_000).map(|i| format!("  s{i}: {{extends: s0}}\n")).collect();
    let file = format!("services:\n  s0: {{image: x, environment: {{A: \"{megabyte}\"}}}}\n{extending}");
    assert!(compose_rules(&file).await.contains(&"extends-too-large".to_owned()));
    let passed: String = (0..200).map(|i| format!("  s{i}: {{image: x, environment: [A]}}\n")).collect();
    let lab = Lab::with_repository();
    lab.write("desired-state/s.yaml", &stack_of("s", "c.yaml"));
    lab.write(".env", &format!("A={megabyte}\n"));
    lab.write("c.yaml", &format!("services:\n{passed}"));
    assert_eq!(rules(&load(&lab).await)[0], "file-too-large");
}

fn stack_of(name: &str, file: &str) -> String {
    format!(
        "{}---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: {name}}}\nspec: {{host: local, compose: {{files: [{file}]}}}}\n",
        host("local")
    )
}

#[tokio::test]
async fn many_unset_variables_in_one_text_are_read_in_time() {
    // The image is wrong on purpose, so that loading ends with an error.
    let same = format!("services: {{a: {{image: [x], command: [\"{}\"]}}}}\n", "${A}".repeat(200_000));
    assert_eq!(compose_rules(&same).await, ["wrong-type"]);
    let distinct: String = (0..100_000).map(|i| format!("${{A{i}}}")).collect();
    let distinct = format!("services: {{a: {{image: [x], command: [\"{distinct}\"]}}}}\n");
    assert_eq!(compose_rules(&distinct).await, ["wrong-type"]);
}

#[tokio::test]
async fn a_revision_holds_so_many_values_and_no_more() {
    let lab = Lab::with_repository();
    lab.write("desired-state/good.yaml", &host("good"));
    let values: String = (0..50_000).map(|i| format!("a{i}: [1,2,3,4,5,6,7,8]\n")).collect();
    for i in 0..20 {
        lab.write(&format!("desired-state/d{i}.yaml"), &values);
    }
    assert!(rules(&load(&lab).await).contains(&"too-many-nodes"));

    let lab = Lab::with_repository();
    let stacks: String = (0..1_000)
        .map(|i| {
            format!("---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: s{i}}}\nspec: {{host: good, compose: {{files: [c.yaml]}}}}\n")
        })
        .collect();
    lab.write("desired-state/s.yaml", &format!("{}{stacks}", host("good")));
    let values = (0..8_000).map(|i| format!("A{i}: b")).collect::<Vec<_>>().join(", ");
    lab.write("c.yaml", &format!("services: {{a: {{image: x, environment: {{{values}}}}}}}\n"));
    assert_eq!(rules(&load(&lab).await), ["too-many-values"]);
}
