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
    spec_hash_of(service, &container_wanted(service))
}

/// The same, for one who has the service's own fields already.
pub fn spec_hash_of(service: &ServiceSpec, own: &Fields) -> String {
    let mut fields = own.clone();
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
    let mut parts = json!({
        "fields": fields,
        "networks": service.attachments.iter().map(attachment).collect::<Vec<_>>(),
        "files": files,
        "injected": injected,
    });
    // Added only when it is set: what was hashed before it existed keeps its hash.
    if let Some(platform) = &service.platform {
        parts["platform"] = Value::from(platform.as_str());
    }
    canonical_hash(&parts)
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
    let mut secrets = Map::new();
    let fields = match service.secret_environment.is_empty() {
        true => Fields::default(),
        false => container_wanted(service),
    };
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use bollard::models::ContainerCreateBody;
    use secrecy::SecretString;

    use super::*;
    use crate::engine::spec::{InjectedFile, PullPolicy};
    use crate::model::problem::Location;

    fn service(password: &str) -> ServiceSpec {
        let env = vec!["TZ=UTC".to_owned(), format!("PASSWORD={password}")];
        ServiceSpec {
            name: "one".to_owned(),
            replicas: 1,
            container_name: None,
            image: "one:1".to_owned(),
            platform: None,
            build: None,
            pull: PullPolicy::Missing,
            container: Box::new(ContainerCreateBody { env: Some(env), ..ContainerCreateBody::default() }),
            attachments: Vec::new(),
            shares: Vec::new(),
            depends_on: Vec::new(),
            files: Vec::new(),
            injected: Vec::new(),
            secret_environment: BTreeSet::from(["PASSWORD".to_owned()]),
            stop_grace_period: Duration::from_secs(10),
            health_timeout: Duration::from_secs(60),
            location: Location::of_file("compose.yaml"),
        }
    }

    fn file(path: &str, secret: bool) -> FileSpec {
        FileSpec {
            host_path: path.to_owned(),
            target: path.to_owned(),
            digest: None,
            secret,
            follows_code: false,
        }
    }

    #[test]
    fn a_secrets_value_changes_the_keyed_hash_and_no_other() {
        let (one, two) = (service("swordfish"), service("marlin"));
        assert_eq!(spec_hash(&one), spec_hash(&two));
        let files = FileDigests::new();
        let (key, other) = (HmacKey::new("aa"), HmacKey::new("bb"));
        let hash =
            |service: &ServiceSpec, key: &HmacKey| secret_hash(service, &files, key).known().unwrap().clone();
        assert_eq!(hash(&one, &key), hash(&service("swordfish"), &key));
        assert_ne!(hash(&one, &key), hash(&two, &key));
        assert_ne!(hash(&one, &key), hash(&one, &other));
        assert!(hash(&one, &key).unwrap().starts_with(&format!("{}:", key.id())));
        let mut public = service("x");
        public.secret_environment.clear();
        assert_eq!(hash(&public, &key), None);
        assert_ne!(spec_hash(&public), spec_hash(&one));
    }

    #[test]
    fn a_file_that_cannot_be_read_makes_the_hash_unknown_and_a_missing_one_is_a_directory() {
        let mut one = service("x");
        one.files = vec![file("/plain", false), file("/secret", true)];
        let key = HmacKey::new("aa");
        let known = |digest: &str| Known::Known(Some(FileFacts { digest: digest.to_owned(), access: None }));
        let mut files = FileDigests::from([
            ("/plain".to_owned(), known("sha256:1")),
            ("/secret".to_owned(), known("hmac:2")),
        ]);
        let content = |files: &FileDigests| content_hash(&one, files);
        let before = content(&files);
        files.insert("/secret".to_owned(), known("hmac:3"));
        assert_eq!(content(&files), before, "a secret is no part of the content hash");
        assert_ne!(secret_hash(&one, &files, &key), secret_hash(&one, &FileDigests::new(), &key));
        files.insert("/plain".to_owned(), Known::Known(None));
        let missing = content(&files);
        files.insert("/plain".to_owned(), known("directory"));
        assert_eq!(content(&files), missing);
        files.insert("/plain".to_owned(), Known::Unknown("no".to_owned()));
        assert_eq!(content(&files), Known::Unknown("no".to_owned()));
        assert!(content(&FileDigests::new()).unknown().is_some());
    }

    #[test]
    fn what_the_revision_says_of_a_file_counts_more_than_what_is_on_the_host() {
        let mut one = service("x");
        one.files = vec![FileSpec { digest: Some("sha256:9".to_owned()), ..file("/plain", false) }];
        let found = Known::Known(Some(FileFacts { digest: "sha256:1".to_owned(), access: None }));
        let files = FileDigests::from([("/plain".to_owned(), found)]);
        assert_eq!(content_hash(&one, &files), content_hash(&one, &FileDigests::new()));
    }

    #[test]
    fn the_content_of_a_copied_file_counts_by_its_kind() {
        let copied = |content: &str, secret| {
            let content = SecretString::from(content.to_owned());
            let mut one = service("x");
            one.injected =
                vec![InjectedFile { target: "/a".into(), content, mode: 0o444, uid: 0, gid: 0, secret }];
            one
        };
        let (files, key) = (FileDigests::new(), HmacKey::new("aa"));
        assert_ne!(content_hash(&copied("1", false), &files), content_hash(&copied("2", false), &files));
        assert_eq!(content_hash(&copied("1", true), &files), Known::Known(None));
        assert_ne!(
            secret_hash(&copied("1", true), &files, &key),
            secret_hash(&copied("2", true), &files, &key)
        );
        assert_eq!(spec_hash(&copied("1", true)), spec_hash(&copied("2", true)));
    }
}
