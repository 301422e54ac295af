//! The shape of a service: its fields, and the records in them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::kind::Kind::*;
use super::kind::{Kind, Record, field, inert, kept, record, refused};

const BUILDKIT: &str = "it needs BuildKit; images are built with the classic builder";
const SWARM: &str = "it has no effect outside Swarm, in Docker Compose either";
const WINDOWS: &str = "it works on Windows only";
const HOOK: &str = "commands around a container's life are not run";
const MODELS: &str = "models are not run";
const ENGINE: &str = "it needs a newer Docker Engine than this version speaks to";

/// One service.
pub(super) static SERVICE: Record = record(&[
    field("annotations", KeyValues(false)),
    kept("attach", Flag),
    field("blkio_config", Fields(&BLKIO)),
    field("build", Either(&[Text, Fields(&BUILD)])),
    field("cap_add", Texts),
    field("cap_drop", Texts),
    field("cgroup", Choice(&["host", "private"])),
    field("cgroup_parent", Text),
    field("command", Words),
    field("configs", List(&FILE_MOUNT)),
    field("container_name", Text),
    refused("cpu_count", WINDOWS),
    refused("cpu_percent", WINDOWS),
    field("cpu_period", Integer),
    field("cpu_quota", Integer),
    field("cpu_rt_period", Integer),
    field("cpu_rt_runtime", Integer),
    field("cpu_shares", Integer),
    field("cpus", Float),
    field("cpuset", Text),
    refused("credential_spec", WINDOWS),
    field("depends_on", Either(&[Texts, Named(&Fields(&DEPENDENCY))])),
    field("deploy", Nullable(&Fields(&DEPLOY))),
    refused("develop", "it watches a developer's files; deploy what is committed"),
    field("device_cgroup_rules", Texts),
    field("devices", List(&Either(&[Text, Fields(&DEVICE)]))),
    field("dns", TextOrTexts),
    field("dns_opt", Texts),
    field("dns_search", TextOrTexts),
    field("domainname", Text),
    field("entrypoint", Words),
    field("env_file", Either(&[Text, List(&Either(&[Text, Fields(&ENV_FILE)]))])),
    field("environment", KeyValues(true)),
    field("expose", Scalars),
    field("extends", Either(&[Text, Fields(&EXTENDS)])),
    field("external_links", Texts),
    field("extra_hosts", Hosts),
    field("gpus", Either(&[Choice(&["all"]), List(&Fields(&GPU))])),
    field("group_add", Scalars),
    field("healthcheck", Fields(&HEALTHCHECK)),
    field("hostname", Text),
    field("image", Text),
    kept("init", Flag),
    field("ipc", Text),
    field("isolation", Text),
    field("label_file", TextOrTexts),
    field("labels", KeyValues(false)),
    field("links", Texts),
    field("logging", Fields(&LOGGING)),
    field("mac_address", Text),
    field("mem_limit", Bytes),
    field("mem_reservation", Bytes),
    field("mem_swappiness", Bytes),
    field("memswap_limit", Bytes),
    refused("models", MODELS),
    field("network_mode", Text),
    field("networks", Either(&[Texts, Named(&Nullable(&Fields(&SERVICE_NETWORK)))])),
    field("oom_kill_disable", Flag),
    field("oom_score_adj", Integer),
    field("pid", Nullable(&Text)),
    field("pids_limit", Integer),
    field("platform", Text),
    field("ports", List(&Either(&[Scalar, Fields(&PORT)]))),
    refused("post_start", HOOK),
    refused("pre_stop", HOOK),
    field("privileged", Flag),
    field("profiles", Texts),
    refused("provider", "services that another program provides are not run"),
    field("pull_policy", Text),
    refused("pull_refresh_after", "images are not fetched again after a time"),
    field("read_only", Flag),
    field("restart", Text),
    field("runtime", Text),
    kept("scale", Integer),
    field("secrets", List(&FILE_MOUNT)),
    field("security_opt", Texts),
    field("shm_size", Bytes),
    field("stdin_open", Flag),
    kept("stop_grace_period", Duration),
    field("stop_signal", Text),
    field("storage_opt", Options),
    field("sysctls", KeyValues(false)),
    field("tmpfs", TextOrTexts),
    field("tty", Flag),
    field("ulimits", Named(&Either(&[Integer, Fields(&ULIMIT)]))),
    refused("use_api_socket", "a container is not given the engine's socket and credentials"),
    field("user", Text),
    field("userns_mode", Text),
    field("uts", Text),
    field("volumes", List(&Either(&[Text, Fields(&MOUNT)]))),
    field("volumes_from", Texts),
    field("working_dir", Text),
]);

static BLKIO: Record = Record {
    fields: &[
        field("weight", Integer),
        field("weight_device", List(&Fields(&BLKIO_WEIGHT))),
        field("device_read_bps", List(&Fields(&BLKIO_RATE))),
        field("device_read_iops", List(&Fields(&BLKIO_RATE))),
        field("device_write_bps", List(&Fields(&BLKIO_RATE))),
        field("device_write_iops", List(&Fields(&BLKIO_RATE))),
    ],
    extensions: false,
    required: &[],
};
static BLKIO_WEIGHT: Record = Record {
    fields: &[kept("path", Text), kept("weight", Integer)],
    extensions: false,
    required: &["path", "weight"],
};
/// A device's rate; printed with capital letters, as Compose does.
pub(super) static BLKIO_RATE: Record = Record {
    fields: &[kept("path", Text), kept("rate", Bytes)],
    extensions: false,
    required: &["path", "rate"],
};

static BUILD: Record = record(&[
    refused("additional_contexts", BUILDKIT),
    field("args", KeyValues(true)),
    field("cache_from", Texts),
    refused("cache_to", BUILDKIT),
    field("context", Text),
    field("dockerfile", Text),
    field("dockerfile_inline", Text),
    refused("entitlements", BUILDKIT),
    field("extra_hosts", Hosts),
    field("isolation", Text),
    field("labels", KeyValues(false)),
    field("network", Text),
    field("no_cache", Flag),
    refused("platforms", BUILDKIT),
    refused("privileged", BUILDKIT),
    refused("provenance", BUILDKIT),
    field("pull", Flag),
    refused("sbom", BUILDKIT),
    refused("secrets", BUILDKIT),
    field("shm_size", Bytes),
    refused("ssh", BUILDKIT),
    field("tags", Texts),
    field("target", Text),
    field("ulimits", Named(&Either(&[Integer, Fields(&ULIMIT)]))),
]);

static FILE_MOUNT: Kind = Either(&[
    Text,
    Fields(&Record {
        fields: &[
            field("source", Text),
            field("target", Text),
            field("uid", Text),
            field("gid", Text),
            kept("mode", Mode),
        ],
        extensions: true,
        required: &["source"],
    }),
]);

static DEPENDENCY: Record = Record {
    fields: &[
        field("condition", Choice(&["service_started", "service_healthy", "service_completed_successfully"])),
        field("restart", Flag),
        kept("required", StrictFlag),
    ],
    extensions: true,
    required: &["condition"],
};

static DEPLOY: Record = record(&[
    field("mode", Text),
    inert("endpoint_mode", Text, SWARM),
    kept("replicas", Integer),
    inert("labels", KeyValues(false), SWARM),
    inert("rollback_config", Fields(&UPDATE), SWARM),
    inert("update_config", Fields(&UPDATE), SWARM),
    field("resources", Fields(&RESOURCES)),
    field("restart_policy", Fields(&RESTART)),
    inert("placement", Fields(&PLACEMENT), SWARM),
]);
static UPDATE: Record = record(&[
    kept("parallelism", Integer),
    field("delay", Duration),
    field("failure_action", Text),
    field("monitor", Duration),
    field("max_failure_ratio", Float),
    field("order", Choice(&["start-first", "stop-first"])),
]);
static RESOURCES: Record =
    record(&[field("limits", Fields(&LIMITS)), field("reservations", Fields(&RESERVATIONS))]);
static LIMITS: Record = record(&[field("cpus", Float), field("memory", BytesText), field("pids", Integer)]);
static RESERVATIONS: Record = record(&[
    inert("cpus", Float, SWARM),
    field("memory", BytesText),
    refused("generic_resources", SWARM),
    field("devices", List(&Fields(&DEVICE_REQUEST))),
]);
static DEVICE_REQUEST: Record = Record {
    fields: &[
        field("capabilities", Texts),
        field("driver", Text),
        field("count", Count),
        field("device_ids", Texts),
        field("options", KeyValues(false)),
    ],
    extensions: true,
    required: &["capabilities"],
};
static GPU: Record = Record {
    fields: &[
        field("capabilities", Texts),
        field("driver", Text),
        field("count", Count),
        field("device_ids", Texts),
        field("options", KeyValues(false)),
    ],
    extensions: true,
    required: &[],
};
static RESTART: Record = record(&[
    field("condition", Text),
    kept("delay", Duration),
    kept("max_attempts", Integer),
    kept("window", Duration),
]);
static PLACEMENT: Record = record(&[
    field("constraints", Texts),
    field("preferences", List(&Fields(&PREFERENCE))),
    field("max_replicas_per_node", Integer),
]);
static PREFERENCE: Record = record(&[field("spread", Text)]);

static DEVICE: Record = Record {
    fields: &[field("source", Text), field("target", Text), field("permissions", Text)],
    extensions: true,
    required: &["source"],
};
static ENV_FILE: Record = Record {
    fields: &[field("path", Text), field("format", Text), kept("required", Flag)],
    extensions: false,
    required: &["path"],
};
static EXTENDS: Record = Record {
    fields: &[field("service", Text), field("file", Text)],
    extensions: false,
    required: &["service"],
};
static HEALTHCHECK: Record = record(&[
    field("disable", Flag),
    kept("interval", Duration),
    kept("retries", Integer),
    field("test", Test),
    kept("timeout", Duration),
    kept("start_period", Duration),
    kept("start_interval", Duration),
]);
static LOGGING: Record = record(&[field("driver", Text), field("options", Options)]);
static SERVICE_NETWORK: Record = record(&[
    field("aliases", Texts),
    field("driver_opts", Options),
    refused("gw_priority", ENGINE),
    refused("interface_name", ENGINE),
    field("ipv4_address", Text),
    field("ipv6_address", Text),
    field("link_local_ips", Texts),
    field("mac_address", Text),
    field("priority", Integer),
]);
static PORT: Record = record(&[
    field("name", Text),
    field("mode", Text),
    field("host_ip", Text),
    field("target", Integer),
    field("published", Scalar),
    field("protocol", Text),
    field("app_protocol", Text),
]);
static ULIMIT: Record = Record {
    fields: &[field("soft", Integer), field("hard", Integer)],
    extensions: true,
    required: &["soft", "hard"],
};
static MOUNT: Record = Record {
    fields: &[
        field("type", Choice(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"])),
        field("source", Text),
        field("target", Text),
        field("read_only", Flag),
        field("consistency", Text),
        field(
            "bind",
            Fields(&Record {
                fields: &[
                    field("propagation", Text),
                    field("create_host_path", Flag),
                    field("recursive", Choice(&["enabled", "disabled", "writable", "readonly"])),
                    field("selinux", Choice(&["z", "Z"])),
                ],
                extensions: true,
                required: &[],
            }),
        ),
        field(
            "volume",
            Fields(&Record {
                fields: &[
                    field("labels", KeyValues(false)),
                    field("nocopy", Flag),
                    refused("subpath", ENGINE),
                ],
                extensions: true,
                required: &[],
            }),
        ),
        field(
            "tmpfs",
            Fields(&Record {
                fields: &[field("size", Bytes), field("mode", Integer)],
                extensions: true,
                required: &[],
            }),
        ),
        refused("image", ENGINE),
    ],
    extensions: true,
    required: &["type"],
};
