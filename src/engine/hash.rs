//! Hashes of what a container is made from, for its labels: what the engine can't answer is compared by these.
//!
//! No hash but the keyed one of the secrets depends on a secret's value.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::fields::{Fields, container_wanted, network_wanted, volume_wanted};
use super::observe::FileFacts;
use super::spec::{AttachmentSpec, FileSpec, NetworkSpec, ServiceSpec, VolumeSpec};
use crate::model::hash::{canonical_hash, canonical_json, sha256_hex};
use crate::model::known::Known;
use crate::model::secret::HmacKey;

/// What was read of files, by path on the host.
pub type FileDigests = BTreeMap<String, Known<Option<FileFacts>>>;

/// The canonical hash of the container that a service asks for: fields, networks, where files are mounted.
///
/// The values of secret variables are left out, so that the hash says nothing about them.
pub fn spec_hash(service: &ServiceSpec) -> String {
    let mut fields = container_wanted(service);
    for name in &service.secret_environment {
        if let Some(value) = fields.0.get_mut(&format!("environment.{name}")) {
            *value = Value::Null;
        }
    }
    let files: Vec<Value> =
        service.files.iter().map(|file| json!([file.host_path, file.target, file.secret])).collect();
    let injected: Vec<Value> = service
        .injected
        .iter()
        .map(|file| json!([file.target, file.mode, file.uid, file.gid, file.secret]))
        .collect();
    canonical_hash(&json!({
        "fields": fields,
        "networks": service.attachments.iter().map(attachment).collect::<Vec<_>>(),
        "files": files,
        "injected": injected,
    }))
}

/// The canonical hash of a network.
pub fn network_hash(network: &NetworkSpec) -> String {
    resource_hash(&network.name, &network_wanted(&network.request))
}

/// The canonical hash of a volume.
pub fn volume_hash(volume: &VolumeSpec) -> String {
    resource_hash(&volume.name, &volume_wanted(&volume.request))
}

/// The keyed hash `<key id>:<hmac>` over a service's secret variables and the content of its secret files;
/// `None` when it has none, unknown when a file could not be read.
pub fn secret_hash(service: &ServiceSpec, files: &FileDigests, key: &HmacKey) -> Known<Option<String>> {
    let fields = container_wanted(service);
    let mut secrets = Map::new();
    for name in &service.secret_environment {
        if let Some(value) = fields.0.get(&format!("environment.{name}")) {
            secrets.insert(format!("environment {name}"), value.clone());
        }
    }
    for file in service.files.iter().filter(|file| file.secret) {
        let digest = match (&file.digest, observed_digest(file, files)) {
            (Some(digest), _) => secret_digest(key, digest),
            (None, Known::Known(digest)) => digest,
            (None, Known::Unknown(why)) => return Known::Unknown(why),
        };
        secrets.insert(format!("file {}", file.target), Value::from(digest));
    }
    for file in service.injected.iter().filter(|file| file.secret) {
        secrets.insert(format!("injected {}", file.target), Value::from(file.content.expose_secret()));
    }
    if secrets.is_empty() {
        return Known::Known(None);
    }
    let fingerprint = key.fingerprint(canonical_json(&Value::Object(secrets)).as_bytes());
    Known::Known(Some(format!("{}:{fingerprint}", key.id())))
}

/// The canonical hash over the content of a service's files that are no secrets; `None` when it has none,
/// unknown when one could not be read.
pub fn content_hash(service: &ServiceSpec, files: &FileDigests) -> Known<Option<String>> {
    let mut contents = Map::new();
    for file in service.files.iter().filter(|file| !file.secret) {
        let digest = match (&file.digest, observed_digest(file, files)) {
            (Some(digest), _) => digest.clone(),
            (None, Known::Known(digest)) => digest,
            (None, Known::Unknown(why)) => return Known::Unknown(why),
        };
        contents.insert(file.target.clone(), Value::from(digest));
    }
    for file in service.injected.iter().filter(|file| !file.secret) {
        let digest = format!("sha256:{}", sha256_hex(file.content.expose_secret().as_bytes()));
        contents.insert(file.target.clone(), Value::from(digest));
    }
    Known::Known((!contents.is_empty()).then(|| canonical_hash(&Value::Object(contents))))
}

/// The digest under which a secret file's content may be kept: keyed, so that it can't be guessed.
pub fn secret_digest(key: &HmacKey, digest: &str) -> String {
    format!("hmac:{}:{}", key.id(), key.fingerprint(digest.as_bytes()))
}

/// What was read of a file. A missing one counts as a directory, because that is what the engine makes of it.
fn observed_digest(file: &FileSpec, files: &FileDigests) -> Known<String> {
    match files.get(&file.host_path) {
        None => Known::Unknown(format!("`{}` was not read", file.host_path)),
        Some(Known::Unknown(why)) => Known::Unknown(why.clone()),
        Some(Known::Known(None)) => Known::Known("directory".to_owned()),
        Some(Known::Known(Some(facts))) => Known::Known(facts.digest.clone()),
    }
}

fn attachment(attachment: &AttachmentSpec) -> Value {
    let endpoint = &attachment.endpoint;
    let mut aliases = endpoint.aliases.clone().unwrap_or_default();
    aliases.sort_unstable();
    json!({
        "network": attachment.network,
        "aliases": aliases,
        "addresses": endpoint.ipam_config,
        "mac": endpoint.mac_address,
        "links": endpoint.links,
        "options": endpoint.driver_opts.iter().flatten().collect::<BTreeMap<_, _>>(),
    })
}

fn resource_hash(name: &str, fields: &Fields) -> String {
    canonical_hash(&json!({"name": name, "fields": fields}))
}
