//! A service's volumes, configs and secrets: as binds where that does, as mount objects where options need them,
//! as files to copy in when their content is given by value.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType,
    MountVolumeOptions,
};
use secrecy::SecretString;
use serde_json::Value;

use super::value::Node;
use super::{Canonical, RenderContext};
use crate::engine::spec::{FileSpec, InjectedFile};

/// Where secrets go that don't say where.
const SECRETS_DIRECTORY: &str = "/run/secrets/";
/// The permission bits of a copied file that doesn't say.
const FILE_MODE: u32 = 0o444;

/// What a service mounts.
pub(super) struct Mounts {
    pub binds: Option<Vec<String>>,
    pub mounts: Option<Vec<Mount>>,
    pub files: Vec<FileSpec>,
    pub injected: Vec<InjectedFile>,
}

/// Renders volumes first: a config or secret gives way to a volume at the same place.
pub(super) fn mounts(project: &Canonical, context: &RenderContext, node: &Node) -> Mounts {
    let mut all = Mounts { binds: None, mounts: None, files: Vec::new(), injected: Vec::new() };
    let mut by_target: BTreeMap<String, &Value> = BTreeMap::new();
    for volume in node.items("volumes") {
        by_target.insert(text(volume, "target").unwrap_or_default().to_owned(), volume);
    }
    let pointer = node.at("volumes");
    for value in by_target.values() {
        add_volume(project, context, &Node { value, pointer: &pointer, ..*node }, &mut all);
    }
    let mut taken: BTreeSet<String> = by_target.into_keys().collect();
    for (field, secret) in [("secrets", true), ("configs", false)] {
        let pointer = node.at(field);
        for value in node.items(field) {
            add_file(
                project,
                context,
                &Node { value, pointer: &pointer, ..*node },
                secret,
                &mut taken,
                &mut all,
            );
        }
    }
    if !all.injected.is_empty() && node.flag("read_only") == Some(true) {
        let what =
            "configs and secrets by value can't be copied into a read-only container: give them as files";
        node.problems.invalid(&node.at("read_only"), what);
    }
    all.files.sort_by(|a, b| a.target.cmp(&b.target));
    all
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn add_volume(project: &Canonical, context: &RenderContext, node: &Node, all: &mut Mounts) {
    let target = node.text("target").unwrap_or_default();
    let source = node.text("source").unwrap_or_default();
    let read_only = node.flag("read_only").unwrap_or_default();
    let kind = node.text("type").unwrap_or_else(|| "volume".to_owned());
    let mut mount = Mount {
        target: Some(target.clone()),
        source: Some(source.clone()).filter(|source| !source.is_empty()),
        read_only: read_only.then_some(true),
        consistency: node.text("consistency").filter(|text| !text.is_empty()),
        ..Mount::default()
    };
    match kind.as_str() {
        "bind" => {
            let digest = (context.digest)(&source);
            if digest.is_some() || read_only {
                all.files.push(FileSpec {
                    host_path: source.clone(),
                    target: target.clone(),
                    follows_code: digest.is_some(),
                    digest,
                    secret: false,
                });
            }
            let (options, is_plain) = bind_options(node);
            if is_plain {
                let selinux =
                    node.get("bind").and_then(|bind| text(bind, "selinux")).filter(|mode| !mode.is_empty());
                all.binds.get_or_insert_default().push(bind_text(&source, &target, read_only, selinux));
                return;
            }
            mount.typ = Some(MountType::BIND);
            mount.bind_options = options;
        }
        "volume" => {
            let named = project.json.get("volumes").and_then(|volumes| volumes.get(&source));
            let name = named.map(|volume| text(volume, "name").unwrap_or(&source).to_owned());
            let (options, is_plain) = volume_options(node);
            if let Some(name) = &name
                && is_plain
            {
                all.binds.get_or_insert_default().push(bind_text(name, &target, read_only, None));
                return;
            }
            mount.source = name.or(mount.source);
            mount.typ = Some(MountType::VOLUME);
            mount.volume_options = options;
        }
        "tmpfs" => {
            mount.typ = Some(MountType::TMPFS);
            let pointer = node.at("tmpfs");
            mount.tmpfs_options = node.get("tmpfs").map(|value| {
                let tmpfs = Node { value, pointer: &pointer, ..*node };
                let set = |number: &i64| *number != 0;
                MountTmpfsOptions {
                    size_bytes: tmpfs.bytes("size").filter(set),
                    mode: tmpfs.integer("mode").filter(set),
                    options: None,
                }
            });
        }
        other => return node.problems.unsupported(node.pointer, &format!("a volume of type `{other}`")),
    }
    all.mounts.get_or_insert_default().push(mount);
}

fn bind_text(source: &str, target: &str, read_only: bool, selinux: Option<&str>) -> String {
    let access = if read_only { "ro" } else { "rw" };
    let selinux = selinux.map(|mode| format!(",{mode}")).unwrap_or_default();
    format!("{source}:{target}:{access}{selinux}")
}

/// A bind's options, and whether the plain spelling can say them. Only the plain one creates a missing host path.
fn bind_options(node: &Node) -> (Option<MountBindOptions>, bool) {
    let Some(value) = node.get("bind") else { return (None, true) };
    let pointer = node.at("bind");
    let bind = Node { value, pointer: &pointer, ..*node };
    let creates = bind.flag("create_host_path").unwrap_or_default();
    let propagation = bind.text("propagation").filter(|text| !text.is_empty());
    let recursive = bind.text("recursive").filter(|text| !text.is_empty());
    let is_plain = creates && propagation.is_none() && recursive.is_none();
    let propagation = propagation.and_then(|name| {
        let known = name.parse::<MountBindOptionsPropagationEnum>();
        known
            .map_err(|_| bind.problems.invalid(&pointer, format!("`{name}` is no propagation of a bind")))
            .ok()
    });
    let is = |word: &str| (recursive.as_deref() == Some(word)).then_some(true);
    let options = MountBindOptions {
        propagation,
        // Engines of API 1.42 on can create the missing path for a mount object too.
        create_mountpoint: creates.then_some(true),
        non_recursive: is("disabled"),
        read_only_non_recursive: is("writable"),
        read_only_force_recursive: is("readonly"),
    };
    (Some(options), is_plain)
}

fn volume_options(node: &Node) -> (Option<MountVolumeOptions>, bool) {
    let Some(value) = node.get("volume") else { return (None, true) };
    let pointer = node.at("volume");
    let volume = Node { value, pointer: &pointer, ..*node };
    let options = MountVolumeOptions {
        no_copy: volume.flag("nocopy").filter(|flag| *flag),
        labels: volume.map("labels"),
        driver_config: None,
        subpath: volume.text("subpath").filter(|path| !path.is_empty()),
    };
    let is_plain = options == MountVolumeOptions::default();
    (Some(options), is_plain)
}

/// Adds a config or secret of a service.
fn add_file(
    project: &Canonical,
    context: &RenderContext,
    node: &Node,
    secret: bool,
    taken: &mut BTreeSet<String>,
    all: &mut Mounts,
) {
    let (kind, directory) = if secret { ("secrets", SECRETS_DIRECTORY) } else { ("configs", "/") };
    let source = node.text("source").unwrap_or_default();
    let target = match node.text("target") {
        None => format!("{directory}{source}"),
        Some(target) if target.starts_with('/') => target,
        Some(target) => format!("{directory}{target}"),
    };
    let Some(defined) = project.json.get(kind).and_then(|all| all.get(&source)) else {
        return node
            .problems
            .invalid(node.pointer, format!("`{source}` is not among the `{kind}` of the project"));
    };
    let pointer = format!("/{kind}/{source}");
    let defined = Node { value: defined, pointer: &pointer, ..*node };
    for field in ["external", "driver", "template_driver"] {
        if defined.get(field).is_some_and(|value| value != &Value::Bool(false)) {
            defined.problems.unsupported(&defined.at(field), &format!("`{field}` of one of the `{kind}`"));
        }
    }
    if defined.get("content").is_some() || defined.get("environment").is_some() {
        let variable = defined.text("environment");
        let content = defined.text("content").or_else(|| (context.variable)(variable.as_deref()?));
        return match content {
            Some(content) => all.injected.push(injected(node, target, content, secret || variable.is_some())),
            None => {
                let name = variable.unwrap_or_default();
                node.problems.invalid(&pointer, format!("the variable `{name}` of `{source}` has no value"));
            }
        };
    }
    let Some(file) = defined.text("file") else { return };
    if !taken.insert(target.clone()) {
        return;
    }
    let digest = (context.digest)(&file);
    let follows_code = digest.is_some();
    all.files.push(FileSpec {
        host_path: file.clone(),
        target: target.clone(),
        digest,
        secret,
        follows_code,
    });
    all.mounts.get_or_insert_default().push(Mount {
        typ: Some(MountType::BIND),
        source: Some(file),
        target: Some(target),
        read_only: Some(true),
        bind_options: secret.then(MountBindOptions::default),
        ..Mount::default()
    });
}

fn injected(node: &Node, target: String, content: String, secret: bool) -> InjectedFile {
    let mode = node.text("mode").map(|text| {
        // Canonical form writes octal text; a number is already what it means.
        let is_number = node.get("mode").is_some_and(Value::is_number);
        let mode = if is_number { text.parse().ok() } else { u32::from_str_radix(&text, 8).ok() };
        mode.filter(|mode| *mode <= 0o7777).unwrap_or_else(|| {
            node.problems.invalid(&node.at("mode"), format!("`{text}` is no file mode"));
            FILE_MODE
        })
    });
    let id = |field: &str| {
        let text = node.text(field).unwrap_or_else(|| "0".to_owned());
        text.parse().unwrap_or_else(|_| {
            node.problems.invalid(&node.at(field), format!("`{text}` is no number of a user or group"));
            0
        })
    };
    let content = SecretString::from(content);
    InjectedFile { target, content, mode: mode.unwrap_or(FILE_MODE), uid: id("uid"), gid: id("gid"), secret }
}
