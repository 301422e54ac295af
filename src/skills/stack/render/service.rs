//! One service: what its container is made from.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use bollard::models::{ContainerCreateBody, HealthConfig};
use serde_json::Value;

use super::host::host_config;
use super::mounts::mounts;
use super::networks::attachments;
use super::value::{Node, Problems, entries};
use super::{Canonical, RenderContext, build, location};
use crate::engine::spec::{
    DependencyCondition, DependencySpec, PullPolicy, ServiceSpec, ShareKind, ShareSpec,
};

/// How long the engine waits for a process to end when nobody says.
const STOP_GRACE_PERIOD: Duration = Duration::from_secs(10);
/// The most containers of one service: beyond it, it is a slip of the pen.
const REPLICAS_MAX: i64 = 100;

/// Fields that become part of the container, or say how it is run.
const RENDERED: &[&str] = &[
    "annotations",
    "blkio_config",
    "build",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "command",
    "configs",
    "container_name",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "depends_on",
    "deploy",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "entrypoint",
    "environment",
    "expose",
    "external_links",
    "extra_hosts",
    "gpus",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "ipc",
    "isolation",
    "labels",
    "links",
    "logging",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "network_mode",
    "networks",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "ports",
    "privileged",
    "pull_policy",
    "read_only",
    "restart",
    "runtime",
    "scale",
    "secrets",
    "security_opt",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
    "userns_mode",
    "uts",
    "volumes",
    "volumes_from",
    "working_dir",
];
/// Fields that are about people's terminals, or are used up before: nothing of a container depends on them.
const WITHOUT_EFFECT: &[&str] =
    &["attach", "develop", "env_file", "extends", "label_file", "name", "profiles"];

/// Renders a service; `None` when it can't be.
pub(super) fn service(
    project: &Canonical,
    context: &RenderContext,
    problems: &Problems,
    name: &str,
    value: &Value,
) -> Option<ServiceSpec> {
    let pointer = format!("/services/{}", name.replace('~', "~0").replace('/', "~1"));
    let node = Node { value, pointer: &pointer, problems };
    for (field, value) in value.as_object()? {
        let known = RENDERED.contains(&field.as_str()) || WITHOUT_EFFECT.contains(&field.as_str());
        if !known && !field.starts_with("x-") && !value.is_null() {
            problems.unsupported(&node.at(field), &format!("`{field}`"));
        }
    }
    let mut shares = Vec::new();
    let mounts = mounts(project, context, &node);
    let mut host = host_config(project, &node, &mut shares);
    host.binds = mounts.binds;
    host.mounts = mounts.mounts;
    let attachments = attachments(project, &node);
    if attachments.is_empty() && node.get("network_mode").is_none() {
        host.network_mode = Some("none".to_owned());
    }
    shares.extend(volumes_from(&node, &mut host.volumes_from));
    shares.sort();
    let build = build::build(context, &node);
    let pull = pull_policy(&node, build.is_some());
    let container = ContainerCreateBody {
        host_config: Some(host),
        ..container(&node, &node.text("image").unwrap_or_else(|| format!("{}-{name}", project.name)))
    };
    Some(ServiceSpec {
        name: name.to_owned(),
        replicas: replicas(&node),
        container_name: node.text("container_name"),
        image: container.image.clone().unwrap_or_default(),
        platform: node.text("platform"),
        build,
        pull,
        container: Box::new(container),
        attachments,
        shares,
        depends_on: depends_on(&node),
        files: mounts.files,
        injected: mounts.injected,
        secret_environment: project.secret_environment.get(name).cloned().unwrap_or_default(),
        stop_grace_period: node
            .nanoseconds("stop_grace_period")
            .map_or(STOP_GRACE_PERIOD, |nanos| Duration::from_nanos(nanos.unsigned_abs())),
        health_timeout: context.health_timeout,
        location: location(project, &pointer),
    })
}

fn container(node: &Node, image: &str) -> ContainerCreateBody {
    let exposed = exposed_ports(node);
    ContainerCreateBody {
        hostname: node.text("hostname"),
        domainname: node.text("domainname"),
        user: node.text("user"),
        attach_stdin: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        exposed_ports: (!exposed.is_empty()).then_some(exposed),
        tty: Some(node.flag("tty").unwrap_or_default()),
        open_stdin: Some(node.flag("stdin_open").unwrap_or_default()),
        stdin_once: Some(false),
        env: environment(node),
        cmd: node.list("command"),
        entrypoint: node.list("entrypoint"),
        healthcheck: healthcheck(node),
        image: Some(image.to_owned()),
        working_dir: node.text("working_dir"),
        labels: Some(node.map("labels").unwrap_or_default()),
        stop_signal: node.text("stop_signal"),
        // The engine counts whole seconds; Compose cuts the rest off.
        stop_timeout: node.nanoseconds("stop_grace_period").map(|nanos| nanos / 1_000_000_000),
        ..ContainerCreateBody::default()
    }
}

/// `NAME=value`, sorted; a variable without a value takes the image's away.
fn environment(node: &Node) -> Option<Vec<String>> {
    let variables = node.get("environment")?.as_object()?;
    let mut lines: Vec<String> = variables
        .iter()
        .map(|(name, value)| match value {
            Value::Null => name.clone(),
            value => format!("{name}={}", super::value::plain(value)),
        })
        .collect();
    lines.sort_unstable();
    (!lines.is_empty()).then_some(lines)
}

fn exposed_ports(node: &Node) -> Vec<String> {
    let mut ports: Vec<String> = Vec::new();
    for port in node.items("ports") {
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("tcp");
        ports.extend(port.get("target").map(|target| format!("{}/{protocol}", super::value::plain(target))));
    }
    // As they are written, ranges too: so does Compose, and so does the engine answer.
    ports.extend(node.list("expose").unwrap_or_default());
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn healthcheck(node: &Node) -> Option<HealthConfig> {
    let pointer = node.at("healthcheck");
    let check = Node { value: node.get("healthcheck")?, pointer: &pointer, ..*node };
    let test =
        if check.flag("disable") == Some(true) { Some(vec!["NONE".to_owned()]) } else { check.list("test") };
    if check.get("start_interval").is_some() && check.get("start_period").is_none() {
        node.problems.invalid(&pointer, "`start_interval` needs a `start_period`");
    }
    Some(HealthConfig {
        test,
        interval: check.nanoseconds("interval"),
        timeout: check.nanoseconds("timeout"),
        retries: check.integer("retries"),
        start_period: check.nanoseconds("start_period"),
        start_interval: check.nanoseconds("start_interval"),
    })
}

fn depends_on(node: &Node) -> Vec<DependencySpec> {
    let mut all: Vec<DependencySpec> = entries(node.value, "depends_on")
        .filter_map(|(service, value)| {
            let pointer = node.at("depends_on");
            let dependency = Node { value, pointer: &pointer, ..*node };
            let condition = match dependency.text("condition").as_deref().unwrap_or("service_started") {
                "service_started" => DependencyCondition::Started,
                "service_healthy" => DependencyCondition::Healthy,
                "service_completed_successfully" => DependencyCondition::CompletedSuccessfully,
                other => {
                    node.problems.invalid(&pointer, format!("`{other}` is no condition to depend on"));
                    return None;
                }
            };
            Some(DependencySpec {
                service: service.clone(),
                condition,
                restart: dependency.flag("restart").unwrap_or(false),
                required: dependency.flag("required").unwrap_or(true),
            })
        })
        .collect();
    all.sort_by(|a, b| a.service.cmp(&b.service));
    all
}

/// Splits the volumes of other services from those of containers outside of the project.
fn volumes_from(node: &Node, outside: &mut Option<Vec<String>>) -> Vec<ShareSpec> {
    let mut shares = Vec::new();
    for entry in node.list("volumes_from").unwrap_or_default() {
        if let Some(container) = entry.strip_prefix("container:") {
            outside.get_or_insert_default().push(container.to_owned());
            continue;
        }
        let (service, access) = match entry.split_once(':') {
            Some((service, access)) => (service, Some(access.to_owned())),
            None => (entry.as_str(), None),
        };
        shares.push(ShareSpec { kind: ShareKind::Volumes, service: service.to_owned(), access });
    }
    shares
}

fn replicas(node: &Node) -> u32 {
    let pointer = node.at("deploy");
    let of_deploy =
        node.get("deploy").and_then(|value| Node { value, pointer: &pointer, ..*node }.integer("replicas"));
    let count = node.integer("scale").or(of_deploy).unwrap_or(1);
    if !(0..=REPLICAS_MAX).contains(&count) {
        node.problems
            .invalid(&pointer, format!("`{count}` containers of one service: at most {REPLICAS_MAX}"));
    }
    if count > 1 && node.get("container_name").is_some() {
        let what = "several containers of a service can't have one `container_name`";
        node.problems.invalid(&node.at("container_name"), what);
    }
    u32::try_from(count.clamp(0, REPLICAS_MAX)).unwrap_or_default()
}

fn pull_policy(node: &Node, is_built: bool) -> PullPolicy {
    match node.text("pull_policy").as_deref() {
        None | Some("") if is_built => PullPolicy::Build,
        None | Some("" | "missing" | "if_not_present") => PullPolicy::Missing,
        Some("always") => PullPolicy::Always,
        Some("never") => PullPolicy::Never,
        Some("build") => PullPolicy::Build,
        Some(other) => {
            node.problems.unsupported(&node.at("pull_policy"), &format!("`pull_policy: {other}`"));
            PullPolicy::Missing
        }
    }
}
