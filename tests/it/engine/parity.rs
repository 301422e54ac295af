//! What we make is what Compose makes, and what was made differs in no field.

use std::collections::{BTreeMap, BTreeSet};

use ipaictl::engine::fields::{Fields, container_wanted, network_wanted, overlay, volume_wanted};
use ipaictl::engine::observe::EngineFacts;
use ipaictl::engine::request::{aliases_wanted, container_name};
use ipaictl::engine::spec::ProjectSpec;
use serde_json::{Value, json};

use super::lab::{self, Lab, observe, render_json};

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

/// One service with much in it, in canonical form.
fn rich_service() -> Value {
    json!({
        "image": "ipaictl/web:2",
        "command": ["web", "8080"],
        "working_dir": "/tmp",
        "user": "0",
        "hostname": "rich",
        "environment": {"KEEP": "1", "CHANGE": "old"},
        "labels": {"keep": "1", "change": "old"},
        "expose": ["8080"],
        "ports": [{"target": 8080, "host_ip": "127.0.0.1", "protocol": "tcp"}],
        "volumes": [{"type": "bind", "source": "/etc/hostname", "target": "/mnt/name", "read_only": true}],
        "tmpfs": ["/scratch:size=1m"],
        "healthcheck": {"test": ["CMD", "true"], "interval": "10s", "retries": 2},
        "restart": "always",
        "mem_limit": "67108864",
        "cpus": 0.5,
        "pids_limit": 50,
        "shm_size": "33554432",
        "ulimits": {"nofile": 1024},
        "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
        "cap_add": ["NET_ADMIN"],
        "sysctls": {"net.core.somaxconn": "512"},
        "extra_hosts": ["one=10.0.0.1"],
        "dns": ["10.0.0.2"],
        "stop_grace_period": "5s",
        "init": true
    })
}

#[tokio::test]
async fn one_changed_field_is_one_difference() {
    let changes: &[(&str, Value, &[&str])] = &[
        (
            "image",
            json!("ipaictl/web:1"),
            &["environment.WEB_VERSION", "image", "labels.org.opencontainers.image.version"],
        ),
        ("command", json!(["web", "9090"]), &["command"]),
        ("entrypoint", json!(["/bin/sh"]), &["entrypoint"]),
        ("working_dir", json!("/"), &["working_dir"]),
        ("user", json!("1000"), &["user"]),
        ("hostname", json!("poor"), &["hostname"]),
        ("hostname", Value::Null, &["hostname"]),
        ("environment", json!({"KEEP": "1", "CHANGE": "new"}), &["environment.CHANGE"]),
        ("environment", json!({"KEEP": "1"}), &["environment.CHANGE"]),
        ("environment", json!({"KEEP": "1", "CHANGE": "old", "PATH": "/elsewhere"}), &["environment.PATH"]),
        ("labels", json!({"keep": "1", "change": "old", "more": ""}), &["labels.more"]),
        ("labels", json!({"keep": "1"}), &["labels.change"]),
        ("expose", json!(["8080", "8081/udp"]), &["expose"]),
        (
            "ports",
            json!([{"target": 8080, "host_ip": "127.0.0.1", "published": "18089", "protocol": "tcp"}]),
            &["ports"],
        ),
        (
            "volumes",
            json!([{"type": "bind", "source": "/etc/hostname", "target": "/mnt/name"}]),
            &["volumes"],
        ),
        ("volumes", json!([]), &["volumes"]),
        ("tmpfs", json!(["/scratch:size=2m"]), &["tmpfs"]),
        (
            "healthcheck",
            json!({"test": ["CMD", "true"], "interval": "11s", "retries": 2}),
            &["healthcheck.interval"],
        ),
        (
            "healthcheck",
            json!({"test": ["CMD", "false"], "interval": "10s", "retries": 2}),
            &["healthcheck.test"],
        ),
        ("restart", json!("unless-stopped"), &["restart"]),
        ("restart", json!("no"), &["restart"]),
        ("mem_limit", json!("134217728"), &["mem_limit"]),
        ("mem_limit", Value::Null, &["mem_limit"]),
        ("memswap_limit", json!("100663296"), &["memswap_limit"]),
        ("cpus", json!(0.75), &["cpus"]),
        ("pids_limit", json!(60), &["pids_limit"]),
        ("shm_size", Value::Null, &["shm_size"]),
        ("ulimits", json!({"nofile": {"soft": 1024, "hard": 2048}}), &["ulimits.nofile"]),
        ("ulimits", json!({"nofile": 1024, "nproc": 9}), &["ulimits.nproc"]),
        (
            "logging",
            json!({"driver": "json-file", "options": {"max-size": "2m"}}),
            &["logging.options.max-size"],
        ),
        ("logging", Value::Null, &["logging.options.max-size"]),
        ("cap_add", json!(["NET_ADMIN", "SYS_PTRACE"]), &["cap_add"]),
        ("cap_drop", json!(["ALL"]), &["cap_drop"]),
        ("sysctls", json!({"net.core.somaxconn": "1024"}), &["sysctls.net.core.somaxconn"]),
        ("extra_hosts", json!(["one=10.0.0.9"]), &["extra_hosts"]),
        ("dns", json!(["10.0.0.3"]), &["dns"]),
        ("stop_grace_period", json!("6s"), &["stop_grace_period"]),
        ("init", json!(false), &["init"]),
        ("privileged", json!(true), &["privileged"]),
        ("read_only", json!(true), &["read_only"]),
        ("tty", json!(true), &["tty"]),
        ("security_opt", json!(["no-new-privileges:true"]), &["security_opt"]),
        ("devices", json!([{"source": "/dev/null", "target": "/dev/n", "permissions": "r"}]), &["devices"]),
        ("group_add", json!(["10"]), &["group_add"]),
        ("ipc", json!("host"), &["ipc"]),
        ("pid", json!("host"), &["pid"]),
        ("network_mode", json!("none"), &["network_mode"]),
        ("stop_signal", json!("SIGINT"), &["stop_signal"]),
        ("oom_score_adj", json!(5), &["oom_score_adj"]),
        ("memswap_limit", json!("134217728"), &[]),
        ("ipc", json!("private"), &[]),
        ("runtime", json!("runc"), &[]),
        ("cap_add", json!(["CAP_NET_ADMIN"]), &[]),
        ("tmpfs", json!(["/scratch/:size=1024k"]), &[]),
        ("privileged", json!(false), &[]),
    ];
    let lab = Lab::new("fields", "services: {rich: {image: none}}").await;
    let render = |service: &Value| {
        let json = json!({"services": {"rich": service}, "networks": {"default": {"name": format!("{}_default", lab.name)}}});
        render_json(&lab.name, &lab.file, &json).unwrap()
    };
    let project = render(&rich_service());
    lab.create(&project).await;
    lab.start(&project).await;
    let mut wished = project.clone();
    wished.services.push(render(&json!({"image": "ipaictl/web:1"})).services[0].clone());
    let facts = observe(&lab, &wished).await;
    let container =
        facts.containers.iter().find(|one| one.name == container_name(&project, &project.services[0], 1));
    let is = container.unwrap().fields.as_ref().unwrap().known().unwrap();
    let mut wrong = Vec::new();
    for (field, value, expected) in changes {
        let mut service = rich_service();
        service[*field] = value.clone();
        let service = &render(&service).services[0];
        let image = facts.images[&service.image].known().unwrap().as_ref().unwrap();
        let wanted = overlay(&image.config, &container_wanted(service));
        let differing: Vec<&str> = is
            .differing(&wanted)
            .into_iter()
            .filter(|name| {
                // Another image brings another health check interval, which is a difference of its own.
                *field != "image" || !name.starts_with("healthcheck.")
            })
            .collect();
        if differing != *expected {
            wrong.push(format!("{field} = {value}: {differing:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
