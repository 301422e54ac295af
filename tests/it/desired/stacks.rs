//! Stacks from their repositories: where their files are, what their digest depends on, what is unknown.

use ipaictl::clients::secrets::{SecretResolver, SecretSettings};
use ipaictl::desired::state::DesiredState;
use ipaictl::desired::{At, LoadOptions, Loaded, Source, SourceSettings, load};
use secrecy::SecretString;

use super::{Lab, host, load_at, rules};

const COMPOSE: &str = "services:
  web:
    image: busybox:1
    command: [httpd, -f]
    volumes: ['./site.conf:/etc/site.conf:ro', 'data:/data']
    environment: {TOKEN: '${TOKEN:-none}', PASSWORD: '${DB_PASSWORD:-none}'}
volumes:
  data: {}
";

fn stack(extra: &str) -> String {
    format!(
        "{}---\napiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: web}}\nspec:\n  host: local\n  compose: {{files: [web/compose.yaml]}}\n{extra}",
        host("local")
    )
}

fn lab(extra: &str) -> Lab {
    let lab = Lab::with_repository();
    lab.write("desired-state/web.yaml", &stack(extra));
    lab.write("web/compose.yaml", COMPOSE);
    lab.write("web/site.conf", "one\n");
    lab.commit("one");
    lab
}

async fn load_with(lab: &Lab, environment: &[(&str, &str)]) -> Loaded {
    let source = lab.source();
    let at = At::Revision(source.resolve(None).unwrap());
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect();
    let secrets = SecretResolver::new(SecretSettings { environment, age_identity: None });
    load(&source, &at, &secrets, &LoadOptions { now: super::now(), fetch: true }).await.unwrap()
}

fn digest(state: &DesiredState) -> String {
    state.stacks["web"].resource.digest.clone()
}

#[tokio::test]
async fn files_of_the_state_repository_come_from_its_checkout_with_their_digest() {
    let lab = lab("");
    let state = lab.load_head().await.state.unwrap();
    let web = &state.stacks["web"];
    let checkout = web.checkout.as_ref().expect("the bind needs the checkout");
    assert!(checkout.path.ends_with("state/checkouts/_state"), "{}", checkout.path);
    assert_eq!(checkout.commit, state.revision.commit.clone().unwrap());
    let project = web.project.as_ref().unwrap();
    let file = &project.services[0].files[0];
    assert_eq!(file.host_path, format!("{}/web/site.conf", checkout.path));
    assert_eq!(
        file.digest.as_deref(),
        Some("sha256:2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"),
        "the digest of `one` and a line end"
    );
    lab.write("README.md", "unrelated");
    lab.write("web/compose.yaml", &format!("# why\n{}", COMPOSE.replace("'data:/data'", "\"data:/data\"")));
    lab.commit("nothing that matters");
    let same = lab.load_head().await.state.unwrap();
    assert_eq!(digest(&same), digest(&state));
    assert_ne!(same.stacks["web"].checkout, web.checkout, "the checkout follows the commit");
    lab.write("web/site.conf", "two\n");
    lab.commit("another file");
    assert_ne!(digest(&lab.load_head().await.state.unwrap()), digest(&state));
}

#[tokio::test]
async fn a_working_tree_is_its_own_checkout() {
    let lab = lab("");
    let state = load_at(&lab.source(), &At::WorkingTree).await.state.unwrap();
    let web = &state.stacks["web"];
    assert!(web.checkout.is_none());
    let file = &web.project.as_ref().unwrap().services[0].files[0];
    assert_eq!(file.host_path, lab.repo().join("web/site.conf").display().to_string());
    assert!(file.digest.is_some());
}

#[tokio::test]
async fn a_repository_without_a_host_is_checked_out_where_a_stack_needs_its_files() {
    let code = lab("");
    let lab = Lab::with_repository();
    let repository = format!(
        "---\napiVersion: ipai.dev/v1alpha1\nkind: Repository\nmetadata: {{name: code}}\nspec: {{url: 'file://{}'}}\n",
        code.repo().display()
    );
    lab.write("desired-state/web.yaml", &format!("{}{repository}", stack("  repository: code\n")));
    lab.commit("one");
    let source = Source::open(&SourceSettings { allow: vec!["file".into()], ..lab.settings() }).unwrap();
    let at = At::Revision(source.resolve(None).unwrap());
    let state = load_at(&source, &at).await.state.unwrap();
    let checkout = state.repositories["code"].checkout.as_ref().unwrap();
    assert_eq!(checkout.host, "local");
    assert!(state.stacks["web"].checkout.is_none());
    let file = &state.stacks["web"].project.as_ref().unwrap().services[0].files[0];
    assert_eq!(file.host_path, format!("{}/web/site.conf", checkout.path));
    // Nothing is forgotten, and nothing is invalid, when the repository can't be reached.
    std::fs::rename(code.repo(), code.folder.path().join("gone")).unwrap();
    let state = load_at(&source, &at).await.state.unwrap();
    let why = state.stacks["web"].project.as_ref().unwrap_err();
    assert!(!why.secret_missing && why.why.contains("can't be read"), "{why:?}");
}

#[tokio::test]
async fn a_secret_is_in_no_digest_and_in_no_message() {
    let lab = lab("  variables:\n    TOKEN: {env: CANARY}\n    DB_PASSWORD: {env: CANARY}\n");
    let one = load_with(&lab, &[("CANARY", "c4n4ry-one")]).await.state.unwrap();
    let two = load_with(&lab, &[("CANARY", "c4n4ry-two")]).await.state.unwrap();
    assert_eq!(digest(&one), digest(&two));
    assert_eq!(one.redactor.redact("x c4n4ry-one y"), "x (secret) y");
    let service = &one.stacks["web"].project.as_ref().unwrap().services[0];
    assert!(service.secret_environment.contains("TOKEN") && service.secret_environment.contains("PASSWORD"));
    assert!(!format!("{:?}", one.warnings).contains("c4n4ry"));
    assert_eq!(lab.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_stack_without_its_secret_is_unknown_but_still_checked() {
    let lab = lab("  variables: {TOKEN: {env: CANARY}}\n");
    let loaded = load_with(&lab, &[]).await;
    assert!(loaded.problems.iter().any(|problem| problem.rule == "secret-without-value"));
    let state = loaded.state.unwrap();
    assert!(state.stacks["web"].project.as_ref().unwrap_err().secret_missing);
    lab.write("web/compose.yaml", &COMPOSE.replace("image:", "imgae:"));
    lab.commit("broken");
    let broken = load_with(&lab, &[]).await;
    assert!(broken.state.is_none() && !rules(&broken).is_empty(), "{:?}", broken.problems);
}

#[tokio::test]
async fn an_env_file_of_the_machine_that_is_not_there_is_unknown() {
    let lab = Lab::with_repository();
    let text = stack("").replace("compose: {", "compose: {envFiles: [/nonexistent/ipaictl/n8n.env], ");
    lab.write("desired-state/web.yaml", &text);
    lab.write("web/compose.yaml", COMPOSE);
    lab.commit("one");
    let loaded = lab.load_head().await;
    let state = loaded.state.unwrap_or_else(|| panic!("{:#?}", loaded.problems));
    assert!(!state.stacks["web"].project.as_ref().unwrap_err().secret_missing);
}

#[tokio::test]
async fn an_env_file_that_git_ignores_is_read_from_the_checkout() {
    let lab = lab("");
    lab.write("web/compose.yaml", &COMPOSE.replace("    image:", "    env_file: [.env.local]\n    image:"));
    lab.commit("env file");
    assert!(lab.load_head().await.state.is_none(), "it is nowhere");
    let checkout = lab.folder.path().canonicalize().unwrap().join("state/checkouts/_state/web");
    std::fs::create_dir_all(&checkout).unwrap();
    std::fs::write(checkout.join(".env.local"), "COLOR=green\n").unwrap();
    let source = Source::open(&SourceSettings {
        state_dir: lab.folder.path().canonicalize().unwrap().join("state"),
        ..lab.settings()
    })
    .unwrap();
    let loaded = load_at(&source, &At::Revision(source.resolve(None).unwrap())).await;
    let state = loaded.state.unwrap_or_else(|| panic!("{:#?}", loaded.problems));
    let environment = state.stacks["web"].project.as_ref().unwrap().services[0].container.env.clone();
    assert!(environment.unwrap().contains(&"COLOR=green".to_owned()));
}

#[tokio::test]
async fn files_on_a_machine_that_is_reached_by_ssh_are_refused() {
    let lab = lab("");
    let text = stack("").replace("spec: {}", "spec: {engine: {endpoint: 'ssh://root@machine'}}");
    lab.write("desired-state/web.yaml", &text);
    lab.commit("ssh");
    assert_eq!(rules(&lab.load_head().await), ["remote-files"]);
}
