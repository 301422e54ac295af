//! Images: built, fetched from a registry, moved to another content.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use ipaictl::engine::apply::{EngineError, OperationContext, run_operation};
use ipaictl::engine::operation::EngineOperation;
use ipaictl::engine::spec::BuildSpec;
use ipaictl::model::known::Known;
use tokio_util::sync::CancellationToken;

use super::lab::{Lab, docker, observe, run};

/// A tag that goes away in the end.
struct Tag(String);

impl Drop for Tag {
    fn drop(&mut self) {
        run("docker", &["rmi", "-f", &self.0]);
        // What a second build took the tag from.
        let (own, resource) = ("label=com.example.own=1", "label=dev.ipai.resource=Stack/lab");
        run("docker", &["image", "prune", "-f", "--filter", own, "--filter", resource]);
    }
}

fn build_spec(context: &Path) -> BuildSpec {
    BuildSpec {
        context: context.display().to_string(),
        dockerfile: "Dockerfile".to_owned(),
        dockerfile_inline: None,
        args: BTreeMap::from([("WORD".to_owned(), Some("built".to_owned())), ("UNSET".to_owned(), None)]),
        target: Some("second".to_owned()),
        labels: BTreeMap::from([("com.example.own".to_owned(), "1".to_owned())]),
        options: BTreeMap::new(),
        digest: Known::Known("tree:0".to_owned()),
        is_own_name: false,
    }
}

fn build(reference: &str, spec: BuildSpec) -> EngineOperation {
    let labels = BTreeMap::from([("dev.ipai.resource".to_owned(), "Stack/lab".to_owned())]);
    EngineOperation::BuildImage { reference: reference.to_owned(), build: Box::new(spec), labels }
}

#[tokio::test]
async fn an_image_is_built_from_its_context_and_a_failure_says_what_the_builder_said() {
    let lab = Lab::new("build", "services: {one: {image: x}}").await;
    let tag = Tag(format!("{}:1", lab.name));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "Dockerfile",
        "FROM ipaictl/busybox:1 AS first\nFROM first AS second\nARG WORD\nCOPY . /context/\nRUN echo $WORD > /word\n",
    );
    write(".dockerignore", "secret\n");
    write("secret", "x");
    write("kept", "x");
    lab.run(build(&tag.0, build_spec(folder.path()))).await.unwrap();
    let listed = docker(&["run", "--rm", &tag.0, "sh", "-c", "ls -A /context; cat /word"]);
    assert_eq!(listed, ".dockerignore\nDockerfile\nkept\nbuilt");
    let labels = docker(&["inspect", "--format", "{{json .Config.Labels}}", &tag.0]);
    assert!(labels.contains(r#""com.example.own":"1""#) && labels.contains("dev.ipai.resource"), "{labels}");

    write("Dockerfile", "FROM ipaictl/busybox:1 AS second\nRUN echo about to fail; exit 7\n");
    let err = lab.run(build(&tag.0, build_spec(folder.path()))).await.unwrap_err().to_string();
    assert!(err.contains("returned a non-zero code: 7") && err.contains("about to fail"), "{err}");
    let inline = BuildSpec {
        dockerfile_inline: Some("FROM ipaictl/busybox:1 AS second".to_owned()),
        ..build_spec(folder.path())
    };
    lab.run(build(&tag.0, inline)).await.unwrap();
    let err = lab.run(build(&tag.0, build_spec(Path::new("/nowhere/at/all")))).await.unwrap_err().to_string();
    assert!(err.contains("No such file"), "{err}");
}

#[tokio::test]
async fn a_moved_tag_is_another_image_than_the_container_runs() {
    let lab = Lab::new("retag", "services: {one: {image: x}}").await;
    let tag = Tag(format!("{}:1", lab.name));
    docker(&["tag", "ipaictl/web:1", &tag.0]);
    std::fs::write(&lab.file, format!("services: {{one: {{image: '{}'}}}}", tag.0)).unwrap();
    let project = lab.project();
    lab.create(&project).await;
    let ids = |facts: &ipaictl::engine::observe::EngineFacts| {
        let own = facts.containers.iter().find(|one| one.name.starts_with(&lab.name)).unwrap();
        assert_eq!(own.image, tag.0, "the reference, not what the list shows");
        (own.image_id.clone(), facts.images[&tag.0].known().unwrap().clone().map(|image| image.id))
    };
    let facts = observe(&lab, &project).await;
    let (runs, means) = ids(&facts);
    assert_eq!(Some(runs.clone()), means);
    docker(&["tag", "ipaictl/web:2", &tag.0]);
    let facts = observe(&lab, &project).await;
    let (still_runs, now_means) = ids(&facts);
    assert_eq!(still_runs, runs);
    assert_ne!(now_means, means);
    assert!(facts.images.contains_key(&runs), "what runs is known too");
    docker(&["rmi", &tag.0]);
    assert_eq!(ids(&observe(&lab, &project).await), (runs, None));
}

struct Registry {
    port: u16,
    folder: tempfile::TempDir,
}

impl Registry {
    fn script() -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib/registry").display().to_string()
    }

    fn start() -> Registry {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let output = run(&Registry::script(), &[&port.to_string(), folder.path().to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Registry { port, folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        run(&Registry::script(), &["--stop", &self.port.to_string(), self.folder.path().to_str().unwrap()]);
    }
}

#[tokio::test]
async fn an_image_is_fetched_from_a_registry_and_a_missing_one_is_an_error() {
    let lab = Lab::new("pull", "services: {one: {image: x}}").await;
    let registry = Registry::start();
    let tag = Tag(format!("127.0.0.1:{}/ipaieng/one:latest", registry.port));
    docker(&["tag", "ipaictl/busybox:1", &tag.0]);
    docker(&["push", &tag.0]);
    docker(&["rmi", &tag.0]);
    let untagged = tag.0.trim_end_matches(":latest").to_owned();
    assert!(lab.engine.image(&untagged).await.unwrap().is_none());
    let said = Mutex::new(Vec::new());
    let progress = |text: &str| said.lock().unwrap().push(text.to_owned());
    let cancel = CancellationToken::new();
    let context = OperationContext { cancel: &cancel, progress: &progress };
    run_operation(
        &lab.engine,
        &EngineOperation::PullImage { reference: untagged.clone(), platform: None },
        &context,
    )
    .await
    .unwrap();
    let said = said.lock().unwrap().join("\n");
    assert!(said.contains("Downloaded newer image"), "{said}");
    let image = lab.engine.image(&untagged).await.unwrap().unwrap();
    assert!(
        image.repo_digests.unwrap().iter().any(|digest| digest.starts_with(&format!("{untagged}@sha256:")))
    );

    let missing = format!("127.0.0.1:{}/ipaieng/none:1", registry.port);
    let err = lab.run(EngineOperation::PullImage { reference: missing, platform: None }).await.unwrap_err();
    assert!(matches!(err, EngineError::Docker(_)) && err.to_string().contains("none:1"), "{err}");
    let err = lab
        .run(EngineOperation::PullImage { reference: "../containers/json".to_owned(), platform: None })
        .await
        .unwrap_err();
    assert!(err.to_string().contains("not a name"), "{err}");
}
