//! Binds, mount objects, anonymous volumes and tmpfs as two fields: `volumes` and `tmpfs`.
//!
//! The engine takes the same mount in two spellings (`Binds` and `Mounts`); both become `source:target[:options]`,
//! and an anonymous volume its target alone, whatever name the engine gave it. Whether a missing host path is
//! created is not compared: it says how a container comes to be, not what it is.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Mount, MountType};

use super::text::{normal_path, normal_tmpfs_options};
use crate::model::time::render_bytes;

/// Mounts by kind, keyed by target.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// Binds and volumes: target → whole text.
    pub volumes: BTreeMap<String, String>,
    /// In memory: target → options.
    pub tmpfs: BTreeMap<String, String>,
}

impl Mounted {
    /// Adds anonymous volumes for those targets at which nothing else is mounted, as the engine does.
    pub fn declare<'a>(&mut self, targets: impl IntoIterator<Item = &'a String>) {
        for target in targets {
            let target = normal_path(target);
            if !self.tmpfs.contains_key(&target) {
                self.volumes.entry(target.clone()).or_insert(target);
            }
        }
    }

    /// The tmpfs mounts as `target[:options]`.
    pub fn tmpfs_list(&self) -> Vec<String> {
        let join = |(target, options): (&String, &String)| match options.as_str() {
            "" => target.clone(),
            options => format!("{target}:{options}"),
        };
        self.tmpfs.iter().map(join).collect()
    }
}

/// Whether a volume's name is one that the engine makes up: 64 hexadecimal digits.
pub fn is_anonymous_volume(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads all spellings of mounts.
pub(super) fn mounted(
    binds: Option<&[String]>,
    mounts: Option<&[Mount]>,
    tmpfs: Option<&HashMap<String, String>>,
) -> Mounted {
    let mut all = Mounted::default();
    for bind in binds.unwrap_or_default() {
        let (source, target, options) = split_bind(bind);
        let target = normal_path(target);
        all.volumes
            .insert(target.clone(), volume_text(source, &target, options.split(',').map(str::to_owned)));
    }
    for (target, options) in tmpfs.into_iter().flatten() {
        all.tmpfs.insert(normal_path(target), normal_tmpfs_options(options));
    }
    for mount in mounts.unwrap_or_default() {
        let target = normal_path(mount.target.as_deref().unwrap_or_default());
        match mount.typ {
            Some(MountType::TMPFS) => {
                all.tmpfs.insert(target, tmpfs_options(mount));
            }
            _ => {
                let text =
                    volume_text(mount.source.as_deref().unwrap_or_default(), &target, mount_options(mount));
                all.volumes.insert(target, text);
            }
        }
    }
    all
}

/// Splits `source:target[:options]`, or a target alone.
fn split_bind(bind: &str) -> (&str, &str, &str) {
    let mut parts = bind.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(source), Some(target), options) => (source, target, options.unwrap_or_default()),
        _ => ("", bind, ""),
    }
}

/// Options that say what is so without them.
const DEFAULT_OPTIONS: &[&str] = &["", "rw", "rprivate", "copy"];

fn volume_text(source: &str, target: &str, options: impl Iterator<Item = String>) -> String {
    let mut options: Vec<String> =
        options.filter(|option| !DEFAULT_OPTIONS.contains(&option.as_str())).collect();
    options.sort_unstable();
    let source = if source.starts_with('/') { normal_path(source) } else { source.to_owned() };
    let mut text = match source.as_str() {
        "" => target.to_owned(),
        name if is_anonymous_volume(name) => target.to_owned(),
        source => format!("{source}:{target}"),
    };
    if !options.is_empty() {
        text.push(':');
        text.push_str(&options.join(","));
    }
    text
}

fn mount_options(mount: &Mount) -> impl Iterator<Item = String> {
    let mut options = Vec::new();
    if mount.read_only == Some(true) {
        options.push("ro".to_owned());
    }
    match mount.typ {
        None | Some(MountType::BIND | MountType::VOLUME) => {}
        Some(other) => options.push(format!("type={other}")),
    }
    if let Some(bind) = &mount.bind_options {
        options.extend(bind.propagation.map(|propagation| propagation.to_string()));
        for (flag, name) in [
            (bind.non_recursive, "non-recursive"),
            (bind.read_only_non_recursive, "read-only-non-recursive"),
            (bind.read_only_force_recursive, "read-only-force-recursive"),
        ] {
            options.extend((flag == Some(true)).then(|| name.to_owned()));
        }
    }
    if let Some(volume) = &mount.volume_options {
        options.extend((volume.no_copy == Some(true)).then(|| "nocopy".to_owned()));
        options.extend(
            volume.subpath.iter().filter(|path| !path.is_empty()).map(|path| format!("subpath={path}")),
        );
        for (name, value) in volume.labels.iter().flatten() {
            options.push(format!("label={name}={value}"));
        }
        if let Some(driver) = &volume.driver_config {
            options.extend(
                driver.name.iter().filter(|name| !name.is_empty()).map(|name| format!("driver={name}")),
            );
            for (name, value) in driver.options.iter().flatten() {
                options.push(format!("driver-option={name}={value}"));
            }
        }
    }
    options.into_iter()
}

fn tmpfs_options(mount: &Mount) -> String {
    let mut options: Vec<String> = mount_options(mount).filter(|option| option != "type=tmpfs").collect();
    if let Some(tmpfs) = &mount.tmpfs_options {
        if let Some(size) = tmpfs.size_bytes.filter(|size| *size > 0) {
            options.push(format!("size={}", render_bytes(size.unsigned_abs())));
        }
        options.extend(tmpfs.mode.filter(|mode| *mode != 0).map(|mode| format!("mode={mode:o}")));
    }
    options.sort_unstable();
    options.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_and_a_mount_object_of_the_same_directory_are_equal() {
        let binds = ["/srv/a/:/data:rw".to_owned(), "db:/var/lib/db:nocopy,ro".to_owned()];
        let object = |source: &str, target: &str, typ| Mount {
            source: Some(source.into()),
            target: Some(target.into()),
            typ: Some(typ),
            ..Default::default()
        };
        let mut volume = object("db", "/var/lib/db", MountType::VOLUME);
        volume.read_only = Some(true);
        volume.volume_options =
            Some(bollard::models::MountVolumeOptions { no_copy: Some(true), ..Default::default() });
        let mounts = [object("/srv/a", "/data", MountType::BIND), volume];
        assert_eq!(mounted(Some(&binds), None, None).volumes, mounted(None, Some(&mounts), None).volumes);
    }

    #[test]
    fn an_anonymous_volume_is_its_target_whatever_the_engine_named_it() {
        let inherited = Mount {
            source: Some("ab".repeat(32)),
            target: Some("/data".into()),
            typ: Some(MountType::VOLUME),
            ..Default::default()
        };
        let mut wanted = mounted(None, None, None);
        wanted.declare(&["/data".to_owned()]);
        assert_eq!(mounted(None, Some(&[inherited]), None).volumes, wanted.volumes);
    }
}
