//! A secret in every place where one can be: none of its bytes in anything that is kept.

use std::path::Path;

use base64::Engine as _;

use super::{World, apply, service};

const CANARY: &str = "c4n4ry-7f/Qz+value\"quoted";
const FORMER: &str = "f0rmer-s3cret-Ab9";

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_anything_that_is_kept() {
    let compose = |environment: &str| {
        let says = r#"["sh", "-c", "echo starting with $$DB_PASSWORD; exec /bin/pause"]"#;
        let test = r#"{test: ["CMD-SHELL", "echo health says $$DB_PASSWORD"], interval: 1s}"#;
        format!(
            "services:\n  web:\n    image: ipaictl/busybox:1\n    command: {says}\n    healthcheck: {test}\n    \
             stop_grace_period: 1s\n    environment: {{{environment}}}\n"
        )
    };
    // A former password stood in the file itself; the present one comes from a file of variables.
    let world = World::new(&compose(&format!("DB_PASSWORD: {FORMER}")));
    let context = world.context().await;
    apply(&context).await.unwrap();
    let folder = world.lab.folder.path();
    std::fs::write(folder.join("db.env"), format!("DB_PASSWORD='{CANARY}'\n")).unwrap();
    let stack = format!(
        "apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {{name: local}}\nspec: {{}}\n---\n\
         apiVersion: ipai.dev/v1alpha1\nkind: Stack\nmetadata: {{name: {}}}\n\
         spec: {{host: local, compose: {{files: [compose.yaml], envFiles: [{}]}}}}\n",
        world.name,
        folder.join("db.env").display()
    );
    world.lab.write("desired-state/world.yaml", &stack);
    world.change(&compose("DB_PASSWORD: \"${DB_PASSWORD}\""));
    let report = apply(&context).await.unwrap();
    assert!(report.evidence.is_some() && !report.plan.steps.is_empty());
    let container = format!("{}-web-1", world.name);
    let inspected = super::docker(&["inspect", "--format", "{{json .Config.Env}}", &container]);
    assert!(inspected.contains("c4n4ry"), "the container does have it: {inspected}");
    // A failure speaks of it too.
    let bad = service("bad", ", entrypoint: [\"/no/${DB_PASSWORD}\"]");
    world.change(&format!("services:\n{bad}"));
    apply(&context).await.unwrap();

    let mut kept = Vec::new();
    files(&world.state(), &mut kept);
    let name = |end: &str| kept.iter().any(|path| path.display().to_string().ends_with(end));
    assert!(name("ipaictl.db") && name("plan.json") && name("before.json") && name(".txt"), "{kept:?}");
    assert!(name("ipaictl.db-wal"));
    let encoded = base64::engine::general_purpose::STANDARD.encode(CANARY);
    let parts = [CANARY, FORMER, "c4n4ry-7f", "f0rmer-s3cret", &encoded];
    for path in &kept {
        let bytes = std::fs::read(path).unwrap();
        for part in parts {
            let found = bytes.windows(part.len()).any(|window| window == part.as_bytes());
            assert!(!found, "`{part}` is in {}", path.display());
        }
    }
}
