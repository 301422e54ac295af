//! What a container inherits from its image, by the engine's rules.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use bollard::models::{ContainerConfig, ImageConfig};
use serde_json::Value;

use super::Fields;
use super::container::{add_config, add_exposed};
use super::mounts::Mounted;

/// The fields that a container inherits from an image: `environment.*`, `command`, `entrypoint`, `working_dir`,
/// `user`, `labels.*`, `expose`, `volumes`, `healthcheck.*`, `stop_signal`.
pub fn image_fields(config: &ImageConfig) -> Fields {
    let mut fields = Fields::default();
    add_config(
        &mut fields,
        &ContainerConfig {
            user: config.user.clone(),
            env: config.env.clone(),
            cmd: config.cmd.clone(),
            healthcheck: config.healthcheck.clone(),
            working_dir: config.working_dir.clone(),
            entrypoint: config.entrypoint.clone(),
            labels: config.labels.clone(),
            stop_signal: config.stop_signal.clone(),
            ..ContainerConfig::default()
        },
    );
    add_exposed(&mut fields, config.exposed_ports.as_deref());
    let mut mounted = Mounted::default();
    mounted.declare(config.volumes.iter().flatten());
    fields.set("volumes", mounted.volumes.into_values());
    fields.0.retain(|_, value| !is_empty_list(value));
    fields
}

/// The fields of a container that is made as `wanted` from an image: what the engine will answer.
///
/// Environment and labels merge by name, ports and volumes are united, a set entrypoint drops the image's command,
/// each part of a health check is inherited by itself, everything else only when it is not set.
pub fn overlay(image: &Fields, wanted: &Fields) -> Fields {
    let mut fields = wanted.clone();
    let sets_entrypoint = !wanted.get_list("entrypoint").is_empty();
    let resets_entrypoint = wanted.0.get("entrypoint").is_some_and(is_empty_list);
    let sets_command = !wanted.get_list("command").is_empty();
    for (name, value) in &image.0 {
        match name.as_str() {
            "command" => {
                if !sets_command && !sets_entrypoint {
                    fields.0.insert(name.clone(), value.clone());
                }
            }
            "entrypoint" => {
                if !sets_entrypoint && !resets_entrypoint {
                    fields.0.insert(name.clone(), value.clone());
                }
            }
            "expose" => fields.set("expose", wanted.get_list(name).into_iter().chain(image.get_list(name))),
            "volumes" => {
                let taken = targets(wanted);
                let inherited = image.get_list(name).into_iter().filter(|target| !taken.contains(target));
                fields.set("volumes", wanted.get_list(name).into_iter().chain(inherited));
            }
            _ => {
                fields.0.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    fields.0.retain(|_, value| !is_empty_list(value));
    fields
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// The paths at which a container mounts something.
fn targets(fields: &Fields) -> Vec<String> {
    let volume_target = |text: String| {
        let mut parts = text.split(':');
        let first = parts.next().unwrap_or_default().to_owned();
        // `target[:options]` for an anonymous volume, else `source:target[:options]`.
        parts.next().filter(|second| second.starts_with('/')).map_or(first, str::to_owned)
    };
    let tmpfs_target = |text: String| text.split(':').next().unwrap_or_default().to_owned();
    let volumes = fields.get_list("volumes").into_iter().map(volume_target);
    volumes.chain(fields.get_list("tmpfs").into_iter().map(tmpfs_target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        serde_json::from_value(value).expect("a map")
    }

    #[test]
    fn a_set_entrypoint_drops_the_images_command() {
        let image = fields(json!({"entrypoint": ["/e"], "command": ["c"]}));
        let is = |wanted: Value, result: Value| assert_eq!(overlay(&image, &fields(wanted)), fields(result));
        is(json!({}), json!({"entrypoint": ["/e"], "command": ["c"]}));
        is(json!({"entrypoint": ["/f"]}), json!({"entrypoint": ["/f"]}));
        is(json!({"entrypoint": []}), json!({"command": ["c"]}));
        is(json!({"command": ["d"]}), json!({"entrypoint": ["/e"], "command": ["d"]}));
    }

    #[test]
    fn environment_merges_by_name_and_volumes_by_target() {
        let image = fields(json!({
            "environment.PATH": "/bin", "environment.TZ": "UTC", "volumes": ["/data", "/logs", "/run"],
            "healthcheck.test": ["CMD", "x"], "healthcheck.interval": "5s", "expose": ["80/tcp"]
        }));
        let wanted = fields(json!({
            "environment.TZ": "Asia/Manila", "environment.PATH": null, "volumes": ["db:/data", "/logs:ro"], "tmpfs": ["/run:size=1MiB"],
            "healthcheck.interval": "9s", "expose": ["90/tcp"]
        }));
        let result = json!({
            "environment.PATH": null, "environment.TZ": "Asia/Manila", "volumes": ["/logs:ro", "db:/data"],
            "tmpfs": ["/run:size=1MiB"], "healthcheck.test": ["CMD", "x"], "healthcheck.interval": "9s", "expose": ["80/tcp", "90/tcp"]
        });
        assert_eq!(overlay(&image, &wanted), fields(result));
    }
}
