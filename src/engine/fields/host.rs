//! The fields of a container's host configuration.
//!
//! Some values the engine's own configuration fills in when nobody asks (`ENGINE_FILLED`): of our own
//! containers a label says which of them were asked for, so that a log option of the daemon is not a difference.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use bollard::models::{HostConfig, PortMap, RestartPolicy, RestartPolicyNameEnum};

use super::Fields;
use super::text::{normal_capability, normal_extra_host, normal_port, normal_security_option};
use crate::model::time::render_bytes;

/// Fields, and groups of fields, that the engine's configuration fills in when nobody asks for them.
pub(super) const ENGINE_FILLED: &[&str] =
    &["cgroup", "hostname", "ipc", "logging.driver", "logging.options.", "runtime", "shm_size", "ulimits."];

/// Limits that an engine drops, with no more than a warning, when its kernel can't keep them.
const DROPPED_LIMITS: &[&str] = &[
    "blkio_config.device_read_bps",
    "blkio_config.device_read_iops",
    "blkio_config.device_write_bps",
    "blkio_config.device_write_iops",
    "blkio_config.weight",
    "blkio_config.weight_device",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "oom_kill_disable",
    "pids_limit",
];

/// Whether an engine may drop a limit that its kernel can't keep.
pub(super) fn can_be_dropped(name: &str) -> bool {
    DROPPED_LIMITS.contains(&name)
}

/// What an engine without configuration of its own fills in; asking for these is asking for nothing.
const WELL_KNOWN: &[(&str, &str)] =
    &[("ipc", "private"), ("logging.driver", "json-file"), ("runtime", "runc"), ("shm_size", "64MiB")];

/// Whether a field can be filled in by the engine's configuration.
pub(super) fn is_engine_filled(name: &str) -> bool {
    ENGINE_FILLED.iter().any(|known| name == *known || (known.ends_with('.') && name.starts_with(known)))
}

/// Adds the fields of a host configuration, mounts and the network mode left out.
pub(super) fn add_host(fields: &mut Fields, host: &HostConfig) {
    add_limits(fields, host);
    add_block_io(fields, host);
    add_namespaces(fields, host);
    add_security(fields, host);
    fields.set("ports", ports(host.port_bindings.as_ref()));
    fields.flag("publish_all_ports", host.publish_all_ports);
    fields.text("restart", restart(host.restart_policy.as_ref()).as_deref());
    fields.list("dns", host.dns.as_deref());
    fields.list("dns_opt", host.dns_options.as_deref());
    fields.list("dns_search", host.dns_search.as_deref());
    fields.set("extra_hosts", host.extra_hosts.iter().flatten().map(|entry| normal_extra_host(entry)));
    fields.set("links", host.links.iter().flatten().map(|link| normal_link(link)));
    fields.text("volume_driver", host.volume_driver.as_deref());
    fields.flag("auto_remove", host.auto_remove);
    if let Some(init) = host.init {
        fields.0.insert("init".to_owned(), init.into());
    }
    if let Some(log) = &host.log_config {
        fields.text("logging.driver", log.typ.as_deref());
        fields.map("logging.options", log.config.iter().flatten());
    }
    fields.map("storage_opt", host.storage_opt.iter().flatten());
    fields.map("sysctls", host.sysctls.iter().flatten());
    fields.map("annotations", host.annotations.iter().flatten());
    for (name, value) in WELL_KNOWN {
        if fields.get_text(name) == Some(value) {
            fields.0.remove(*name);
        }
    }
}

fn add_limits(fields: &mut Fields, host: &HostConfig) {
    let memory = host.memory.unwrap_or_default();
    fields.bytes("mem_limit", host.memory.filter(|limit| *limit > 0));
    fields.bytes("mem_reservation", host.memory_reservation);
    // Without a wish the engine allows as much swap as memory.
    fields.bytes("memswap_limit", host.memory_swap.filter(|swap| *swap != 2 * memory));
    if let Some(swappiness) = host.memory_swappiness.filter(|value| *value >= 0) {
        fields.0.insert("mem_swappiness".to_owned(), swappiness.into());
    }
    fields.bytes("shm_size", host.shm_size);
    if let Some(nanos) = host.nano_cpus.filter(|nanos| *nanos > 0) {
        fields.text("cpus", Some(&(nanos as f64 / 1e9).to_string()));
    }
    fields.number("cpu_shares", host.cpu_shares);
    fields.number("cpu_period", host.cpu_period);
    fields.number("cpu_quota", host.cpu_quota);
    fields.number("cpu_rt_period", host.cpu_realtime_period);
    fields.number("cpu_rt_runtime", host.cpu_realtime_runtime);
    fields.number("cpu_count", host.cpu_count);
    fields.number("cpu_percent", host.cpu_percent);
    fields.text("cpuset", host.cpuset_cpus.as_deref());
    fields.text("cpuset_mems", host.cpuset_mems.as_deref());
    match host.pids_limit {
        Some(limit) if limit < 0 => fields.text("pids_limit", Some("unlimited")),
        limit => fields.number("pids_limit", limit),
    }
    fields.flag("oom_kill_disable", host.oom_kill_disable);
    fields.number("oom_score_adj", host.oom_score_adj);
    for limit in host.ulimits.iter().flatten() {
        let (soft, hard) = (limit.soft.unwrap_or_default(), limit.hard.unwrap_or_default());
        let text = if soft == hard { soft.to_string() } else { format!("{soft}:{hard}") };
        fields.text(&format!("ulimits.{}", limit.name.as_deref().unwrap_or_default()), Some(&text));
    }
}

fn add_block_io(fields: &mut Fields, host: &HostConfig) {
    fields.number("blkio_config.weight", host.blkio_weight.map(i64::from));
    let weights = host.blkio_weight_device.iter().flatten().map(|device| {
        format!("{}:{}", device.path.as_deref().unwrap_or_default(), device.weight.unwrap_or_default())
    });
    fields.set("blkio_config.weight_device", weights);
    for (name, devices, is_size) in [
        ("blkio_config.device_read_bps", &host.blkio_device_read_bps, true),
        ("blkio_config.device_write_bps", &host.blkio_device_write_bps, true),
        ("blkio_config.device_read_iops", &host.blkio_device_read_iops, false),
        ("blkio_config.device_write_iops", &host.blkio_device_write_iops, false),
    ] {
        let rates = devices.iter().flatten().map(|device| {
            let rate = device.rate.unwrap_or_default().unsigned_abs();
            let rate = if is_size { render_bytes(rate) } else { rate.to_string() };
            format!("{}:{rate}", device.path.as_deref().unwrap_or_default())
        });
        fields.set(name, rates);
    }
}

fn add_namespaces(fields: &mut Fields, host: &HostConfig) {
    fields.text("ipc", host.ipc_mode.as_deref());
    fields.text("pid", host.pid_mode.as_deref());
    fields.text("uts", host.uts_mode.as_deref());
    fields.text("userns_mode", host.userns_mode.as_deref());
    fields.text("cgroup", host.cgroupns_mode.map(|mode| mode.to_string()).as_deref());
    fields.text("cgroup_parent", host.cgroup_parent.as_deref());
    fields.text("runtime", host.runtime.as_deref());
    fields.text(
        "isolation",
        host.isolation.map(|kind| kind.to_string()).as_deref().filter(|kind| *kind != "default"),
    );
}

fn add_security(fields: &mut Fields, host: &HostConfig) {
    fields.flag("privileged", host.privileged);
    fields.flag("read_only", host.readonly_rootfs);
    fields.set("cap_add", host.cap_add.iter().flatten().map(|name| normal_capability(name)));
    fields.set("cap_drop", host.cap_drop.iter().flatten().map(|name| normal_capability(name)));
    fields.set("group_add", host.group_add.iter().flatten().cloned());
    fields.set("device_cgroup_rules", host.device_cgroup_rules.iter().flatten().cloned());
    let devices = host.devices.iter().flatten().map(|device| {
        let source = device.path_on_host.as_deref().unwrap_or_default();
        let target =
            device.path_in_container.as_deref().filter(|target| !target.is_empty()).unwrap_or(source);
        let rights =
            device.cgroup_permissions.as_deref().filter(|rights| !rights.is_empty()).unwrap_or("rwm");
        format!("{source}:{target}:{rights}")
    });
    fields.set("devices", devices);
    let requests = host.device_requests.iter().flatten();
    fields.set("gpus", requests.map(|request| serde_json::json!(request).to_string()));

    let privileged = host.privileged == Some(true);
    let unlabelled =
        privileged || host.ipc_mode.as_deref() == Some("host") || host.pid_mode.as_deref() == Some("host");
    let mut options: Vec<String> =
        host.security_opt.iter().flatten().map(|option| normal_security_option(option)).collect();
    // The engine adds it by itself to containers that share the host's processes or memory.
    options.retain(|option| !(unlabelled && option == "label=disable"));
    let is_open = |paths: &Option<Vec<String>>| paths.as_ref().is_some_and(Vec::is_empty);
    if !privileged && is_open(&host.masked_paths) && is_open(&host.readonly_paths) {
        options.push("systempaths=unconfined".to_owned());
    }
    fields.set("security_opt", options);
}

/// Published ports as `[address:]port:target/protocol`; a port that the engine chooses has no number.
fn ports(bindings: Option<&PortMap>) -> Vec<String> {
    let mut ports = Vec::new();
    for (target, bindings) in bindings.into_iter().flatten() {
        for binding in bindings.iter().flatten() {
            let port = binding.host_port.as_deref().filter(|port| *port != "0").unwrap_or_default();
            let address = match binding.host_ip.as_deref().unwrap_or_default() {
                "" => String::new(),
                address if address.contains(':') => format!("[{address}]:"),
                address => format!("{address}:"),
            };
            ports.push(format!("{address}{port}:{}", normal_port(target)));
        }
    }
    ports
}

fn restart(policy: Option<&RestartPolicy>) -> Option<String> {
    let policy = policy?;
    let name = policy.name.unwrap_or(RestartPolicyNameEnum::EMPTY).to_string();
    match (name.as_str(), policy.maximum_retry_count.unwrap_or_default()) {
        ("" | "no", _) => None,
        ("on-failure", attempts) if attempts > 0 => Some(format!("on-failure:{attempts}")),
        _ => Some(name),
    }
}

/// A link as `container:alias`; the engine answers `/container:/self/alias`.
pub(super) fn normal_link(link: &str) -> String {
    let (container, alias) = link.split_once(':').unwrap_or((link, link));
    let alias = alias.rsplit('/').next().unwrap_or(alias);
    format!("{}:{alias}", container.trim_start_matches('/'))
}
