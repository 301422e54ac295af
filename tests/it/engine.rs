//! The engine's side against a real engine and the real Compose.

mod lab;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipaictl::engine::fields::{
    Fields, container_observed, container_wanted, network_wanted, overlay, volume_wanted,
};
use ipaictl::engine::observe::{ContainerStatus, EngineFacts, HealthStatus, ObserveRequest, observe_engine};
use ipaictl::engine::operation::{EngineOperation, Target, WaitCondition};
use ipaictl::engine::request::{aliases_wanted, container_name};
use ipaictl::engine::spec::ProjectSpec;
use ipaictl::model::known::Known;
use lab::{Lab, SOCKET, docker};
use serde_json::Value;

const FIXTURES: &[&str] = &[
    "command.yaml",
    "environment.yaml",
    "health.yaml",
    "limits.yaml",
    "mounts.yaml",
    "network.yaml",
    "rights.yaml",
];

/// What can't be the same in two containers: ids, times, paths of the engine; and the labels of the tools.
fn normal(containers: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let ids: Vec<(String, String)> =
        containers.iter().map(|(name, one)| (one["Id"].as_str().unwrap().to_owned(), name.clone())).collect();
    let normal = |(name, one): (String, Value)| {
        let mut text = one.to_string();
        for (id, name) in &ids {
            text = text
                .replace(id, &format!("<id of {name}>"))
                .replace(&id[..12], &format!("<short id of {name}>"));
        }
        let mut one: Value = serde_json::from_str(&text).unwrap();
        for field in ["Created", "LogPath", "ResolvConfPath", "HostnamePath", "HostsPath", "GraphDriver"] {
            one.as_object_mut().unwrap().remove(field);
        }
        let labels = one["Config"]["Labels"].as_object_mut().unwrap();
        labels.retain(|name, _| !name.starts_with("com.docker.compose.") && !name.starts_with("dev.ipai."));
        for pointer in [
            "/Config/Env",
            "/HostConfig/Binds",
            "/HostConfig/ExtraHosts",
            "/HostConfig/Mounts",
            "/HostConfig/Ulimits",
            "/Mounts",
        ] {
            let Some(list) = one.pointer_mut(pointer).and_then(Value::as_array_mut) else { continue };
            for item in list.iter_mut().filter(|item| item["Type"] == "volume" && item["Name"].is_string()) {
                if item["Name"].as_str().unwrap().len() == 64 {
                    item["Name"] = "<anonymous>".into();
                    item["Source"] = "<anonymous>".into();
                }
            }
            list.sort_by_key(Value::to_string);
        }
        (name, one)
    };
    containers.into_iter().map(normal).collect()
}

fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (a.get(key), b.get(key));
                match (a, b) {
                    (Some(a), Some(b)) => differences(&format!("{path}/{key}"), a, b, found),
                    (a, b) => found.push(format!("{path}/{key}: ours {a:?}, Compose's {b:?}")),
                }
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: ours {a}, Compose's {b}")),
    }
}

#[tokio::test]
async fn our_containers_are_those_that_compose_makes() {
    let _turn = lab::FIXTURES.lock().await;
    let (mut services, mut found) = (0, Vec::new());
    for fixture in FIXTURES {
        let lab = Lab::of_fixture(fixture).await;
        lab.compose(&["create"]);
        let theirs = normal(lab.inspect());
        lab.compose(&["down", "-v"]);
        let project = lab.project();
        lab.create(&project).await;
        let ours = normal(lab.inspect());
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{fixture}");
        services += project.services.len();
        for (name, ours) in &ours {
            differences(name, ours, &theirs[name], &mut found);
        }
    }
    println!("{services} services compared");
    assert!(services >= 25, "{services}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

async fn observe(lab: &Lab, project: &ProjectSpec) -> EngineFacts {
    let request = ObserveRequest {
        references: project.services.iter().map(|service| service.image.clone()).collect(),
        projects: [project.name.clone()].into(),
        ..ObserveRequest::default()
    };
    match observe_engine(&lab.engine, &request).await {
        Known::Known(facts) => facts,
        Known::Unknown(why) => panic!("{why}"),
    }
}

/// Every field of every container, network and volume of a project that is not as wanted.
fn differing(project: &ProjectSpec, facts: &EngineFacts) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, is: &Fields, wanted: &Fields| {
        for field in is.differing(wanted) {
            found.push(format!("{name} {field}: is {:?}, wanted {:?}", is.0.get(field), wanted.0.get(field)));
        }
    };
    for service in &project.services {
        let image = facts.images[&service.image].known().unwrap().as_ref().unwrap();
        let wanted = overlay(&image.config, &container_wanted(service));
        for number in 1..=service.replicas {
            let name = container_name(project, service, number);
            let container = facts.containers.iter().find(|container| container.name == name).unwrap();
            compare(&name, container.fields.as_ref().unwrap().known().unwrap(), &wanted);
            assert_eq!(container.image_id, image.id, "{name}");
            for attachment in &service.attachments {
                let aliases = aliases_wanted(project, service, number, attachment);
                assert_eq!(container.networks[&attachment.network].aliases, aliases, "{name}");
            }
        }
    }
    for network in &project.networks {
        let is = facts.networks.iter().find(|other| other.name == network.name).unwrap();
        compare(&network.name, &is.fields, &network_wanted(&network.request));
    }
    for volume in &project.volumes {
        let is = facts.volumes.iter().find(|other| other.name == volume.name).unwrap();
        compare(&volume.name, &is.fields, &volume_wanted(&volume.request));
    }
    found
}

#[tokio::test]
async fn what_was_just_made_differs_in_no_field_before_and_after_its_start() {
    let _turn = lab::FIXTURES.lock().await;
    let mut found = Vec::new();
    for fixture in FIXTURES {
        let lab = Lab::of_fixture(fixture).await;
        let project = lab.project();
        lab.create(&project).await;
        found.extend(differing(&project, &observe(&lab, &project).await));
        lab.start(&project).await;
        found.extend(differing(&project, &observe(&lab, &project).await));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn what_compose_made_differs_in_no_field_that_the_engine_can_tell() {
    let _turn = lab::FIXTURES.lock().await;
    for fixture in FIXTURES {
        let lab = Lab::of_fixture(fixture).await;
        lab.compose(&["create"]);
        let project = lab.project();
        let found = differing(&project, &observe(&lab, &project).await);
        // Nothing tells whether Compose or the engine chose the cgroup namespace, nor what a kernel made the engine drop.
        let can_tell = |text: &&String| !text.contains(" cgroup:") && !text.contains(" blkio_config.weight:");
        let found: Vec<&String> = found.iter().filter(can_tell).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}
