//! A service's host configuration: limits, namespaces, ports, devices, rights.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use bollard::models::{
    DeviceMapping, DeviceRequest, HostConfig, HostConfigCgroupnsModeEnum, HostConfigIsolationEnum,
    HostConfigLogConfig, PortBinding, PortMap, ResourcesBlkioWeightDevice, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum, ThrottleDevice,
};
use serde_json::Value;

use super::Canonical;
use super::networks::links;
use super::value::{Node, entries, plain};
use crate::engine::spec::{ShareKind, ShareSpec};

/// Renders what is neither a mount nor a network. Namespaces of other services become shares.
pub(super) fn host_config(project: &Canonical, node: &Node, shares: &mut Vec<ShareSpec>) -> HostConfig {
    let mut host = HostConfig {
        annotations: node.map("annotations"),
        cap_add: capabilities(node, "cap_add"),
        cap_drop: capabilities(node, "cap_drop"),
        cgroupns_mode: cgroup(node),
        network_mode: shared(node, "network_mode", ShareKind::Network, shares),
        ipc_mode: shared(node, "ipc", ShareKind::Ipc, shares),
        pid_mode: shared(node, "pid", ShareKind::Pid, shares),
        init: node.flag("init"),
        readonly_rootfs: Some(node.flag("read_only").unwrap_or_default()),
        restart_policy: restart(node),
        shm_size: node.bytes("shm_size"),
        sysctls: node.map("sysctls"),
        port_bindings: Some(ports(node)),
        dns: node.list("dns"),
        dns_search: node.list("dns_search"),
        dns_options: node.list("dns_opt"),
        extra_hosts: Some(extra_hosts(node)),
        storage_opt: node.map("storage_opt"),
        userns_mode: node.text("userns_mode"),
        uts_mode: node.text("uts"),
        privileged: Some(node.flag("privileged").unwrap_or_default()),
        tmpfs: tmpfs(node),
        isolation: isolation(node),
        runtime: node.text("runtime"),
        log_config: logging(node),
        group_add: node.list("group_add"),
        links: links(project, node),
        oom_score_adj: node.integer("oom_score_adj"),
        ..HostConfig::default()
    };
    limits(node, &mut host);
    block_io(node, &mut host);
    devices(node, &mut host);
    security(node, &mut host);
    host
}

/// A namespace: another service's becomes a share, everything else is the engine's own word.
fn shared(node: &Node, field: &str, kind: ShareKind, shares: &mut Vec<ShareSpec>) -> Option<String> {
    let mode = node.text(field)?;
    match mode.strip_prefix("service:") {
        Some(service) => {
            shares.push(ShareSpec { kind, service: service.to_owned(), access: None });
            None
        }
        None => Some(mode),
    }
}

/// Capabilities as Docker's own client sends them: sorted, in full; `ALL` makes the others needless.
fn capabilities(node: &Node, field: &str) -> Option<Vec<String>> {
    let full = |name: String| match name.to_ascii_uppercase() {
        name if name == "ALL" || name.starts_with("CAP_") => name,
        name => format!("CAP_{name}"),
    };
    let mut names: Vec<String> = node.list(field)?.into_iter().map(full).collect();
    if names.iter().any(|name| name == "ALL") {
        names = vec!["ALL".to_owned()];
    }
    names.sort_unstable();
    names.dedup();
    Some(names)
}

fn limits(node: &Node, host: &mut HostConfig) {
    host.cgroup_parent = node.text("cgroup_parent");
    host.memory = node.bytes("mem_limit");
    host.memory_swap = node.bytes("memswap_limit");
    host.memory_swappiness = node.integer("mem_swappiness").filter(|value| *value != 0);
    host.memory_reservation = node.bytes("mem_reservation");
    host.oom_kill_disable = Some(node.flag("oom_kill_disable").unwrap_or_default());
    host.cpu_count = node.integer("cpu_count");
    host.cpu_period = node.integer("cpu_period");
    host.cpu_quota = node.integer("cpu_quota");
    host.cpu_realtime_period = node.integer("cpu_rt_period");
    host.cpu_realtime_runtime = node.integer("cpu_rt_runtime");
    host.cpu_shares = node.integer("cpu_shares");
    host.nano_cpus = node.float("cpus").map(nano_cpus);
    host.cpu_percent = node.float("cpu_percent").map(|percent| (percent * 100.0) as i64);
    host.cpuset_cpus = node.text("cpuset");
    host.device_cgroup_rules = node.list("device_cgroup_rules");
    host.pids_limit = node.integer("pids_limit").filter(|limit| *limit != 0);
    let pointer = node.at("deploy");
    let resources = node.get("deploy").and_then(|deploy| deploy.get("resources"));
    if let Some(value) = resources.and_then(|resources| resources.get("limits")) {
        let limits = Node { value, pointer: &pointer, ..*node };
        host.memory = limits.bytes("memory").filter(|size| *size != 0).or(host.memory);
        host.nano_cpus = limits.float("cpus").filter(|cpus| *cpus != 0.0).map(nano_cpus).or(host.nano_cpus);
        host.pids_limit = limits.integer("pids").filter(|limit| *limit > 0).or(host.pids_limit);
    }
    if let Some(value) = resources.and_then(|resources| resources.get("reservations")) {
        let reservations = Node { value, pointer: &pointer, ..*node };
        host.memory_reservation =
            reservations.bytes("memory").filter(|size| *size != 0).or(host.memory_reservation);
        for device in reservations.items("devices") {
            let request = device_request(&Node { value: device, pointer: &pointer, ..*node }, &[]);
            host.device_requests.get_or_insert_default().push(request);
        }
    }
    let mut ulimits: Vec<ResourcesUlimits> = entries(node.value, "ulimits")
        .map(|(name, value)| {
            let part = |part: &str| value.get(part).or(Some(value)).and_then(number);
            ResourcesUlimits { name: Some(name.clone()), soft: part("soft"), hard: part("hard") }
        })
        .collect();
    ulimits.sort_by(|a, b| a.name.cmp(&b.name));
    host.ulimits = (!ulimits.is_empty()).then_some(ulimits);
}

fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 1e9) as i64
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn block_io(node: &Node, host: &mut HostConfig) {
    let pointer = node.at("blkio_config");
    let Some(value) = node.get("blkio_config") else { return };
    let config = Node { value, pointer: &pointer, ..*node };
    host.blkio_weight = config.integer("weight").and_then(|weight| u16::try_from(weight).ok());
    let weights: Vec<_> = config
        .items("weight_device")
        .iter()
        .map(|value| {
            let device = Node { value, pointer: &pointer, ..*node };
            let weight = device.integer("weight").and_then(|weight| usize::try_from(weight).ok());
            ResourcesBlkioWeightDevice { path: device.text("path"), weight }
        })
        .collect();
    host.blkio_weight_device = (!weights.is_empty()).then_some(weights);
    let rates = |name: &str| {
        let devices: Vec<ThrottleDevice> = config
            .items(name)
            .iter()
            .map(|value| {
                let device = Node { value, pointer: &pointer, ..*node };
                ThrottleDevice { path: device.text("path"), rate: device.bytes("rate") }
            })
            .collect();
        (!devices.is_empty()).then_some(devices)
    };
    host.blkio_device_read_bps = rates("device_read_bps");
    host.blkio_device_write_bps = rates("device_write_bps");
    host.blkio_device_read_iops = rates("device_read_iops");
    host.blkio_device_write_iops = rates("device_write_iops");
}

fn devices(node: &Node, host: &mut HostConfig) {
    let pointer = node.at("devices");
    let mut interfaces = Vec::new();
    for value in node.items("devices") {
        let device = Node { value, pointer: &pointer, ..*node };
        let (source, target) = (device.text("source"), device.text("target"));
        // `vendor.example/class=name` is a name of the Container Device Interface, not a path.
        if source == target
            && source.as_deref().is_some_and(|name| name.contains('=') && !name.starts_with('/'))
        {
            interfaces.extend(source);
            continue;
        }
        host.devices.get_or_insert_default().push(DeviceMapping {
            path_on_host: source,
            path_in_container: target,
            cgroup_permissions: device.text("permissions"),
        });
    }
    if !interfaces.is_empty() {
        host.device_requests.get_or_insert_default().push(DeviceRequest {
            driver: Some("cdi".to_owned()),
            device_ids: Some(interfaces),
            ..DeviceRequest::default()
        });
    }
    for value in node.items("gpus") {
        let request = device_request(&Node { value, pointer: &node.at("gpus"), ..*node }, &["gpu"]);
        host.device_requests.get_or_insert_default().push(request);
    }
}

fn device_request(device: &Node, capabilities: &[&str]) -> DeviceRequest {
    let mut all = device.list("capabilities").unwrap_or_default();
    all.extend(capabilities.iter().map(|&name| name.to_owned()));
    DeviceRequest {
        driver: device.text("driver"),
        count: match device.text("count").as_deref() {
            Some("all") => Some(-1),
            _ => device.integer("count"),
        },
        device_ids: device.list("device_ids"),
        capabilities: Some(vec![all]),
        options: device.map("options"),
    }
}

fn security(node: &Node, host: &mut HostConfig) {
    let mut options = Vec::new();
    for option in node.list("security_opt").unwrap_or_default() {
        let profile = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:"));
        if option == "systempaths=unconfined" {
            host.masked_paths = Some(Vec::new());
            host.readonly_paths = Some(Vec::new());
            continue;
        }
        if profile.is_some_and(|profile| profile != "unconfined" && profile != "builtin") {
            node.problems.unsupported(&node.at("security_opt"), "a seccomp profile in a file");
        }
        options.push(option);
    }
    host.security_opt = (!options.is_empty()).then_some(options);
}

fn restart(node: &Node) -> Option<RestartPolicy> {
    let pointer = node.at("deploy");
    let of_deploy =
        node.get("deploy").and_then(|deploy| deploy.get("restart_policy")).filter(|value| !value.is_null());
    let (name, attempts) = match of_deploy {
        Some(value) => {
            let policy = Node { value, pointer: &pointer, ..*node };
            (policy.text("condition").unwrap_or_default(), policy.integer("max_attempts").unwrap_or_default())
        }
        None => {
            let text = node.text("restart")?;
            let (name, attempts) = text.split_once(':').unwrap_or((text.as_str(), "0"));
            (name.to_owned(), attempts.parse().unwrap_or_default())
        }
    };
    let name = match name.as_str() {
        "none" | "no" => RestartPolicyNameEnum::NO,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        "any" | "always" => RestartPolicyNameEnum::ALWAYS,
        "" => RestartPolicyNameEnum::EMPTY,
        other => {
            node.problems.invalid(&node.at("restart"), format!("`{other}` is no restart policy"));
            return None;
        }
    };
    Some(RestartPolicy { name: Some(name), maximum_retry_count: Some(attempts) })
}

fn ports(node: &Node) -> PortMap {
    let pointer = node.at("ports");
    let mut ports = PortMap::new();
    for value in node.items("ports") {
        let port = Node { value, pointer: &pointer, ..*node };
        let Some(target) = port.text("target") else { continue };
        let protocol = port.text("protocol").unwrap_or_else(|| "tcp".to_owned());
        let binding = PortBinding {
            host_ip: Some(port.text("host_ip").unwrap_or_default()),
            host_port: Some(port.text("published").unwrap_or_default()),
        };
        let bindings = ports.entry(format!("{target}/{protocol}")).or_insert_with(|| Some(Vec::new()));
        bindings.get_or_insert_default().push(binding);
    }
    ports
}

/// `name:address` per address; canonical form separates with `=`, and lists several with `,`.
fn extra_hosts(node: &Node) -> Vec<String> {
    let mut hosts = Vec::new();
    for entry in node.list("extra_hosts").unwrap_or_default() {
        let (name, addresses) =
            entry.split_once('=').or_else(|| entry.split_once(':')).unwrap_or((&entry, ""));
        for address in addresses.split(',') {
            hosts.push(format!("{name}:{}", address.trim_start_matches('[').trim_end_matches(']')));
        }
    }
    hosts
}

fn tmpfs(node: &Node) -> Option<std::collections::HashMap<String, String>> {
    let entries = node.list("tmpfs").filter(|entries| !entries.is_empty())?;
    let split = |entry: &String| {
        let (target, options) = entry.split_once(':').unwrap_or((entry, ""));
        (target.to_owned(), options.to_owned())
    };
    Some(entries.iter().map(split).collect())
}

fn logging(node: &Node) -> Option<HostConfigLogConfig> {
    let pointer = node.at("logging");
    let logging = Node { value: node.get("logging")?, pointer: &pointer, ..*node };
    let driver = logging.text("driver").unwrap_or_default();
    let options = entries(logging.value, "options").map(|(name, value)| (name.clone(), plain(value)));
    let options: std::collections::HashMap<String, String> = options.collect();
    Some(HostConfigLogConfig { typ: Some(driver), config: (!options.is_empty()).then_some(options) })
}

fn cgroup(node: &Node) -> Option<HostConfigCgroupnsModeEnum> {
    match node.text("cgroup")?.as_str() {
        "host" => Some(HostConfigCgroupnsModeEnum::HOST),
        "private" => Some(HostConfigCgroupnsModeEnum::PRIVATE),
        "" => None,
        other => {
            node.problems.invalid(&node.at("cgroup"), format!("`{other}` is neither `host` nor `private`"));
            None
        }
    }
}

fn isolation(node: &Node) -> Option<HostConfigIsolationEnum> {
    match node.text("isolation")?.as_str() {
        "" | "default" => Some(HostConfigIsolationEnum::DEFAULT),
        other => {
            node.problems.unsupported(&node.at("isolation"), &format!("`isolation: {other}`"));
            None
        }
    }
}
