//! Doing an operation twice is doing it once; what fails says what, of which thing, and why.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::StreamExt as _;
use ipaictl::clients::docker::Docker;
use ipaictl::engine::apply::{EngineError, OperationContext, run_operation};
use ipaictl::engine::observe::{ObserveRequest, observe_engine};
use ipaictl::engine::operation::{EngineOperation, Target, WaitCondition};
use ipaictl::engine::request::{container_name, network_request, volume_request};
use ipaictl::model::problem::error_chain;
use tokio_util::sync::CancellationToken;

use super::lab::{Lab, docker, observe, run};

/// A container outside of every project.
struct Stranger(String);

impl Drop for Stranger {
    fn drop(&mut self) {
        run("docker", &["rm", "-f", &self.0]);
    }
}

fn container(name: &str) -> Target {
    Target::Name(name.to_owned())
}

fn wait(name: &str, condition: WaitCondition, seconds: u64) -> EngineOperation {
    EngineOperation::Wait { container: name.to_owned(), condition, timeout: Duration::from_secs(seconds) }
}

#[tokio::test]
async fn every_operation_can_be_repeated() {
    let file = "
services:
  one: {image: ipaictl/busybox:1, command: /bin/pause, volumes: ['/anonymous', 'data:/data'], networks: [a, b]}
networks: {a: , b: }
volumes: {data: }
";
    let lab = Lab::new("twice", file).await;
    let project = lab.project();
    lab.create(&project).await;
    let service = &project.services[0];
    let name = container_name(&project, service, 1);
    let id = lab.engine.container(&name).await.unwrap().unwrap().id.unwrap();

    let again = lab.create_container(&project, service, 1).await.unwrap();
    assert!(again.already && again.id == Some(id.clone()), "a lost answer's container is taken");
    for network in &project.networks {
        let request = Box::new(network_request(&project, network, &lab.resource, "op"));
        let made = EngineOperation::CreateNetwork { request, name: network.name.clone() };
        assert!(lab.run(made).await.unwrap().already);
    }
    let volume = &project.volumes[0];
    let request = Box::new(volume_request(&project, volume, &lab.resource, "op"));
    let made = EngineOperation::CreateVolume { request, name: volume.name.clone() };
    assert!(lab.run(made).await.unwrap().already);

    let repeated = |operation: EngineOperation| async {
        lab.run(operation.clone()).await.unwrap();
        lab.run(operation).await.unwrap()
    };
    repeated(EngineOperation::StartContainer { container: container(&name) }).await;
    docker(&["pause", &name]);
    assert!(repeated(EngineOperation::UnpauseContainer { container: container(&name) }).await.already);
    let network = format!("{}_b", lab.name);
    let detach = EngineOperation::DisconnectNetwork { network: network.clone(), container: container(&name) };
    assert!(repeated(detach).await.already);
    let endpoint = Box::new(service.attachments[1].endpoint.clone());
    let attach = EngineOperation::ConnectNetwork { network, container: container(&name), endpoint };
    assert!(repeated(attach).await.already);
    let grace = Duration::from_secs(1);
    repeated(EngineOperation::RestartContainer { container: container(&name), grace }).await;
    repeated(EngineOperation::StopContainer { container: Target::Id(id.clone()), grace }).await;
    let other = format!("{name}-renamed");
    assert!(
        repeated(EngineOperation::RenameContainer { container: Target::Id(id.clone()), name: other })
            .await
            .already
    );
    let anonymous = lab.inspect().values().next().unwrap()["Mounts"].clone();
    assert!(repeated(EngineOperation::RemoveContainer { container: Target::Id(id.clone()) }).await.already);
    for mount in anonymous.as_array().unwrap() {
        let volume = mount["Name"].as_str().unwrap();
        docker(&["volume", "inspect", volume]);
        run("docker", &["volume", "rm", volume]);
    }
    for network in &project.networks {
        let id = network.name.clone();
        assert!(repeated(EngineOperation::RemoveNetwork { id, name: network.name.clone() }).await.already);
    }
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_never_taken() {
    let file = "
services: {one: {image: ipaictl/busybox:1, command: /bin/pause}}
volumes: {data: }
";
    let lab = Lab::new("names", &file.replace("command", "volumes: ['data:/data'], command")).await;
    let project = lab.project();
    let name = container_name(&project, &project.services[0], 1);
    let label = format!("com.docker.compose.project={}", lab.name);
    let volume = &project.volumes[0];
    docker(&["volume", "create", "--label", &label, &volume.name]);
    docker(&["network", "create", "--label", &label, &project.networks[0].name]);
    docker(&["create", "--name", &name, "--label", &label, "ipaictl/busybox:1"]);
    let err = lab.create_container(&project, &project.services[0], 1).await.unwrap_err();
    assert!(matches!(&err, EngineError::NameTaken { kind: "container", .. }), "{err}");
    assert!(err.to_string().contains(&format!("the Compose project `{}`", lab.name)), "{err}");
    let request = Box::new(volume_request(&project, volume, &lab.resource, "op"));
    let err =
        lab.run(EngineOperation::CreateVolume { request, name: volume.name.clone() }).await.unwrap_err();
    assert!(matches!(err, EngineError::NameTaken { kind: "volume", .. }), "{err}");
    let network = &project.networks[0];
    let request = Box::new(network_request(&project, network, &lab.resource, "op"));
    let err =
        lab.run(EngineOperation::CreateNetwork { request, name: network.name.clone() }).await.unwrap_err();
    assert!(matches!(err, EngineError::NameTaken { kind: "network", .. }) && err.hint().is_some(), "{err}");
}

#[tokio::test]
async fn a_taken_port_names_its_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = format!(
        "services:\n  one: &one {{image: ipaictl/busybox:1, command: /bin/pause, ports: ['127.0.0.1:{port}:80']}}\n  two: *one\n"
    );
    let lab = Lab::new("ports", &file).await;
    let project = lab.project();
    lab.create(&project).await;
    let start = |service: usize| EngineOperation::StartContainer {
        container: container(&container_name(&project, &project.services[service], 1)),
    };
    let err = lab.run(start(0)).await.unwrap_err();
    assert!(err.to_string().contains(&format!(":{port}` is taken by a program outside of Docker")), "{err}");
    drop(listener);
    lab.run(start(0)).await.unwrap();
    let err = lab.run(start(1)).await.unwrap_err();
    let holder = container_name(&project, &project.services[0], 1);
    assert!(err.to_string().contains(&format!("is taken by container `{holder}`")), "{err}");
}

#[tokio::test]
async fn waits_end_with_what_was_waited_for_or_with_the_last_words() {
    let file = "
services:
  web: {image: 'ipaictl/web:2', healthcheck: {interval: 500ms}}
  sick:
    image: ipaictl/busybox:1
    command: /bin/pause
    healthcheck: {test: 'echo it hurts; exit 1', interval: 300ms, retries: 1}
  task: {image: 'ipaictl/busybox:1', command: ['true']}
  crash: {image: 'ipaictl/busybox:1', command: [sh, -c, 'echo last words; exit 3']}
";
    let lab = Lab::new("waits", file).await;
    let project = lab.project();
    lab.create(&project).await;
    lab.start(&project).await;
    let name = |service: &str| format!("{}-{service}-1", lab.name);
    lab.run(wait(&name("web"), WaitCondition::Healthy, 30)).await.unwrap();
    lab.run(wait(&name("task"), WaitCondition::CompletedSuccessfully, 10)).await.unwrap();
    let err = lab.run(wait(&name("crash"), WaitCondition::Started, 10)).await.unwrap_err();
    assert_eq!(
        err.to_string(),
        format!("container `{}` ended with exit code 3; it last said: last words", name("crash"))
    );
    let err = lab.run(wait(&name("sick"), WaitCondition::Healthy, 2)).await.unwrap_err();
    assert!(matches!(&err, EngineError::TimedOut { output, .. } if output == "it hurts"), "{err}");
    let err = lab.run(wait("ipaieng-nobody", WaitCondition::Started, 2)).await.unwrap_err();
    assert!(matches!(err, EngineError::Vanished { .. }), "{err}");

    let cancel = CancellationToken::new();
    cancel.cancel();
    let context = OperationContext { cancel: &cancel, progress: &|_| {} };
    let err = run_operation(&lab.engine, &wait(&name("sick"), WaitCondition::Healthy, 60), &context)
        .await
        .unwrap_err();
    assert!(err.is_cancelled(), "{err}");
}

#[tokio::test]
async fn configs_and_secrets_by_value_are_in_the_container_and_nowhere_else() {
    let file = "
services:
  one:
    image: ipaictl/busybox:1
    command: /bin/pause
    configs: [{source: inline, target: /etc/deep/app.conf, mode: 0400, uid: '7'}, inline]
    secrets: [token]
configs: {inline: {content: 'a = 1'}}
secrets: {token: {environment: LAB_SECRET}}
";
    let lab = Lab::new("copies", file).await;
    let json = serde_json::json!({
        "services": {"one": {
            "image": "ipaictl/busybox:1", "command": ["/bin/pause"],
            "configs": [{"source": "inline", "target": "/etc/deep/app.conf", "mode": "0400", "uid": "7"}, {"source": "inline"}],
            "secrets": [{"source": "token", "target": "/run/secrets/token"}]
        }},
        "networks": {"default": {"name": format!("{}_default", lab.name)}},
        "configs": {"inline": {"content": "a = 1"}},
        "secrets": {"token": {"environment": "LAB_SECRET"}}
    });
    let project = super::lab::render_json(&lab.name, &lab.file, &json).unwrap();
    assert!(!format!("{project:?}").contains("from a variable"), "a secret is printed");
    lab.create(&project).await;
    lab.start(&project).await;
    let name = format!("{}-one-1", lab.name);
    let sh = |text: &str| docker(&["exec", &name, "sh", "-c", text]);
    assert_eq!(sh("cat /etc/deep/app.conf /inline /run/secrets/token"), "a = 1a = 1from a variable");
    assert_eq!(sh("stat -c '%a %u' /etc/deep/app.conf /run/secrets/token"), "400 7\n444 0");
    assert!(!docker(&["inspect", &name]).contains("from a variable"));
}

#[tokio::test]
async fn what_cannot_be_read_is_unknown_and_what_is_not_ours_is_only_listed() {
    let lab = Lab::new("unknown", "services: {one: {image: 'ipaictl/busybox:1', command: /bin/pause}}").await;
    let stranger = format!("{}-stranger", lab.name);
    let removed_in_the_end = Stranger(stranger.clone());
    let label = format!("com.docker.compose.project={}", lab.name);
    docker(&[
        "run",
        "-d",
        "--name",
        &stranger,
        "--label",
        "x=y",
        "-p",
        "127.0.0.1::80",
        "ipaictl/busybox:1",
        "/bin/pause",
    ]);
    let project = lab.project();
    lab.create(&project).await;
    let mut elsewhere = project.clone();
    elsewhere.name = "ipaieng-no-such-project".to_owned();
    let facts = observe(&lab, &elsewhere).await;
    let found = |name: &str| facts.containers.iter().find(|one| one.name == name).unwrap().clone();
    let other = found(&stranger);
    drop(removed_in_the_end);
    assert!(other.fields.is_none() && other.published[0].starts_with("127.0.0.1:"), "{other:?}");
    assert!(
        found(&container_name(&project, &project.services[0], 1)).fields.is_some(),
        "ours by its label, {label}"
    );

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).unwrap();
    let engine = Docker::connect(&format!("unix://{}", socket.display()), None).await.unwrap();
    let request = ObserveRequest::default();
    assert!(observe_engine(&engine, &request).await.known().is_some());
    std::fs::remove_file(&socket).unwrap();
    // A connection that is open serves on until nobody used it for two seconds.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let facts = observe_engine(&engine, &request).await;
    assert!(facts.unknown().unwrap().contains("does not answer"), "{:?}", facts.unknown());
}

#[tokio::test]
async fn logs_commands_and_events_are_read_with_bounds() {
    let file =
        "services: {one: {image: 'ipaictl/busybox:1', command: [sh, -c, 'seq 5000; exec /bin/pause']}}";
    let lab = Lab::new("streams", file).await;
    let project = lab.project();
    let before = chrono::Utc::now();
    lab.create(&project).await;
    lab.start(&project).await;
    let name = container_name(&project, &project.services[0], 1);
    lab.run(wait(&name, WaitCondition::Started, 10)).await.unwrap();
    let output = lab
        .engine
        .exec(
            &name,
            &["sh", "-c", "echo out; echo err >&2; exit 4"].map(str::to_owned),
            Duration::from_secs(10),
        )
        .await;
    let output = output.unwrap();
    assert_eq!((output.exit_code, output.text.len()), (4, "out\nerr\n".len()));
    let long =
        lab.engine.exec(&name, &["seq", "100000"].map(str::to_owned), Duration::from_secs(20)).await.unwrap();
    assert!(long.cut && long.text.len() <= 64 << 10 && long.text.ends_with("100000\n"));
    let slow = lab
        .engine
        .exec(&name, &["sleep", "5"].map(str::to_owned), Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(slow.is_transient() && slow.to_string().contains("within 0 s"), "{}", error_chain(&slow));
    let tail = lab.engine.log_tail(&name, 2).await.unwrap();
    assert_eq!(tail.text, "4999\n5000\n");

    let mut events = std::pin::pin!(lab.engine.events(Some(before), &["start"]));
    let started = async {
        while let Some(event) = events.next().await {
            let event = event.unwrap();
            let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
            if event.action.as_deref() == Some("start") && attributes.get("name") == Some(&name) {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), started).await.unwrap());
}
