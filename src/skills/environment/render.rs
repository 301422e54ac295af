//! An Environment → the containers, networks and volumes that it is, and the files that they mount.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, Mount, MountBindOptions, MountType,
    NetworkCreateRequest, PortBinding, RestartPolicy, RestartPolicyNameEnum, VolumeCreateRequest,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::conf::{DATA_DIR, Options, Secrets};
use super::spec::{AddonsSpec, EnvironmentSpec, ManagedDatabase, PullWhen};
use crate::engine::spec::{
    AttachmentSpec, BuildSpec, DependencyCondition, DependencySpec, FileSpec, NetworkSpec, ProjectSpec,
    PullPolicy, ServiceSpec, VolumeSpec,
};
use crate::model::hash::sha256_hex;
use crate::model::problem::Location;
use crate::model::time::{parse_bytes, parse_duration};

/// The service of the application.
pub const APPLICATION_SERVICE: &str = "odoo";
/// The service of a managed database, and its name in the network.
pub const DATABASE_SERVICE: &str = "db";
/// The server's ordinary port.
pub const HTTP_PORT: u16 = 8069;
/// The server's evented port.
pub const GEVENT_PORT: u16 = 8072;
/// Where the server finds its configuration.
pub const CONF_TARGET: &str = "/etc/odoo/odoo.conf";
/// Where a database server finds the password of its role.
const PASSWORD_TARGET: &str = "/run/secrets/postgres_password";
/// How long a start may take when the document doesn't say.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a run of `-i` or `-u` may take when the document doesn't say: Odoo itself sets no limit.
const UPDATE_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a server may take to end: a request is given its time.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// How long a database server may take to end: it writes what it holds.
const DATABASE_STOP_GRACE: Duration = Duration::from_secs(60);
/// Digits of the hash that tells one odoo.conf from the next.
const DIGEST_DIGITS: usize = 16;
/// PostgreSQL's own limit.
pub const MAX_CONNECTIONS: u32 = 100;

/// What rendering needs beside the document.
#[derive(Debug, Clone, Copy)]
pub struct RenderContext<'a> {
    /// The Environment's name.
    pub name: &'a str,
    /// The absolute folder of its code on the Host.
    pub code: &'a str,
    /// The folder of its own files on the Host.
    pub files: &'a str,
    /// The image, or the tag of the one that is built.
    pub image: &'a str,
    /// How the image is built.
    pub build: Option<&'a BuildSpec>,
    /// The values of its secrets.
    pub secrets: &'a Secrets,
    /// Where it is described.
    pub location: &'a Location,
}

/// What an Environment is.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Its containers, networks and volumes.
    pub project: ProjectSpec,
    /// The files that they mount and that have to be written before.
    pub files: Vec<RenderedFile>,
    /// Its configuration.
    pub options: Options,
}

/// A file of an Environment on its Host. Not serializable: it holds secrets.
#[derive(Debug, Clone)]
pub struct RenderedFile {
    /// The service that mounts it.
    pub service: &'static str,
    /// Its absolute path on the Host.
    pub path: String,
    /// The whole content.
    pub content: SecretString,
    /// The numbers of user and group that it belongs to; `None` for the controller's own.
    pub owner: Option<(u32, u32)>,
    /// The permission bits.
    pub mode: u32,
}

/// Renders an Environment. The error is the name of an option whose value a configuration file can't hold.
pub fn render(spec: &EnvironmentSpec, context: &RenderContext<'_>) -> Result<Rendered, String> {
    let options = Options::of(spec, context.secrets);
    let conf = RenderedFile {
        service: APPLICATION_SERVICE,
        path: format!(
            "{}/{}/odoo.conf",
            context.files,
            &sha256_hex(options.masked()?.as_bytes())[..DIGEST_DIGITS]
        ),
        content: options.text()?,
        owner: owner(&spec.odoo.user),
        mode: 0o400,
    };
    let mut files = vec![conf];
    let mut services = Vec::new();
    let mut volumes = vec![volume(context, "filestore", &spec.filestore.volume)];
    if let Some(managed) = &spec.database.managed {
        let password = RenderedFile {
            service: DATABASE_SERVICE,
            path: format!("{}/postgres_password", context.files),
            content: context.secrets.database.clone(),
            // Images know the server by different numbers; the folder above is closed to everybody else.
            owner: None,
            mode: 0o444,
        };
        services.push(database(spec, managed, context, &password));
        volumes.insert(0, volume(context, "database", &managed.volume));
        files.push(password);
    }
    services.push(application(spec, context, &files[0]));
    let project = ProjectSpec {
        name: context.name.to_owned(),
        working_dir: context.code.to_owned(),
        config_files: Vec::new(),
        services,
        disabled_services: BTreeSet::new(),
        networks: vec![NetworkSpec {
            key: "default".to_owned(),
            name: network_name(context.name),
            external: false,
            request: Box::new(NetworkCreateRequest {
                name: network_name(context.name),
                driver: Some("bridge".to_owned()),
                ..NetworkCreateRequest::default()
            }),
            location: context.location.clone(),
        }],
        volumes,
    };
    Ok(Rendered { project, files, options })
}

/// The name of an Environment's own network.
pub fn network_name(environment: &str) -> String {
    format!("{environment}_default")
}

/// The absolute path of an addons root on the Host.
pub fn root_path(code: &str, root: &AddonsSpec) -> String {
    match root.source.as_str() {
        "." => code.to_owned(),
        source if source.starts_with('/') => source.trim_end_matches('/').to_owned(),
        source => format!("{code}/{}", source.trim_start_matches("./").trim_end_matches('/')),
    }
}

/// Reads `user:group`.
pub fn owner(text: &str) -> Option<(u32, u32)> {
    let (user, group) = text.split_once(':')?;
    Some((user.parse().ok()?, group.parse().ok()?))
}

/// How long the application may take to be healthy.
pub fn health_timeout(spec: &EnvironmentSpec) -> Duration {
    spec.health.timeout.as_deref().and_then(parse_duration).unwrap_or(HEALTH_TIMEOUT)
}

/// How long a run of `-i` or `-u` may take.
pub fn update_timeout(spec: &EnvironmentSpec) -> Duration {
    spec.health.update_timeout.as_deref().and_then(parse_duration).unwrap_or(UPDATE_TIMEOUT)
}

fn volume(context: &RenderContext<'_>, key: &str, name: &str) -> VolumeSpec {
    VolumeSpec {
        key: key.to_owned(),
        name: name.to_owned(),
        external: false,
        request: Box::new(VolumeCreateRequest {
            name: Some(name.to_owned()),
            ..VolumeCreateRequest::default()
        }),
        location: context.location.clone(),
    }
}

/// A file or folder of the Host in a container, which is never made when it is missing.
fn bind(source: &str, target: &str) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(true),
        bind_options: Some(MountBindOptions::default()),
        ..Mount::default()
    }
}

fn mounted(file: &RenderedFile, target: &str) -> FileSpec {
    FileSpec {
        host_path: file.path.clone(),
        target: target.to_owned(),
        digest: Some(digest(&file.content)),
        secret: true,
        // The database's server has nothing to do with the code, which waits for the database.
        follows_code: file.service == APPLICATION_SERVICE,
    }
}

/// The digest of a file's content; keyed before it is written anywhere.
pub fn digest(content: &SecretString) -> String {
    format!("sha256:{}", sha256_hex(content.expose_secret().as_bytes()))
}

fn attachment(context: &RenderContext<'_>, service: &str) -> AttachmentSpec {
    let endpoint =
        EndpointSettings { aliases: Some(vec![service.to_owned()]), ..EndpointSettings::default() };
    AttachmentSpec { network: network_name(context.name), endpoint }
}

/// What all containers of an Environment share.
fn service(context: &RenderContext<'_>, name: &str, container: ContainerCreateBody) -> ServiceSpec {
    ServiceSpec {
        name: name.to_owned(),
        replicas: 1,
        container_name: None,
        image: container.image.clone().unwrap_or_default(),
        platform: None,
        build: None,
        pull: PullPolicy::Missing,
        container: Box::new(container),
        attachments: vec![attachment(context, name)],
        shares: Vec::new(),
        depends_on: Vec::new(),
        files: Vec::new(),
        injected: Vec::new(),
        secret_environment: BTreeSet::new(),
        stop_grace_period: STOP_GRACE,
        health_timeout: HEALTH_TIMEOUT,
        location: context.location.clone(),
    }
}

fn body(image: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        attach_stdin: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(false),
        open_stdin: Some(false),
        stdin_once: Some(false),
        labels: Some(HashMap::new()),
        ..ContainerCreateBody::default()
    }
}

fn host() -> HostConfig {
    HostConfig {
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        ..HostConfig::default()
    }
}

/// The application. The official entrypoint is passed by: it reads the file in its own way, and puts the password on a command line.
fn application(spec: &EnvironmentSpec, context: &RenderContext<'_>, conf: &RenderedFile) -> ServiceSpec {
    let mut mounts = vec![bind(&conf.path, CONF_TARGET)];
    mounts.extend(spec.odoo.addons.iter().map(|root| bind(&root_path(context.code, root), &root.mount_path)));
    let limits = spec.resources.clone().unwrap_or_default();
    let published = spec.publish.clone().unwrap_or_default();
    let mut bindings = HashMap::new();
    for (port, address) in [(HTTP_PORT, published.http), (GEVENT_PORT, published.gevent)] {
        if let Some(address) = address {
            bindings.insert(format!("{port}/tcp"), Some(vec![binding(&address)]));
        }
    }
    let exposed: Vec<String> = bindings.keys().cloned().collect();
    let container = ContainerCreateBody {
        entrypoint: Some(vec!["odoo".to_owned()]),
        cmd: Some(vec!["--config".to_owned(), CONF_TARGET.to_owned()]),
        exposed_ports: (!exposed.is_empty()).then(|| sorted(exposed)),
        host_config: Some(HostConfig {
            binds: Some(vec![format!("{}:{DATA_DIR}:rw", spec.filestore.volume)]),
            mounts: Some(mounts),
            port_bindings: Some(bindings),
            memory: limits
                .memory
                .as_deref()
                .and_then(parse_bytes)
                .and_then(|bytes| i64::try_from(bytes).ok()),
            nano_cpus: limits.cpus.map(|cpus| (cpus * 1e9).round() as i64),
            pids_limit: limits.pids.map(i64::from),
            ..host()
        }),
        ..body(context.image)
    };
    let depends_on = spec.database.managed.iter().map(|_| DependencySpec {
        service: DATABASE_SERVICE.to_owned(),
        condition: DependencyCondition::Healthy,
        restart: false,
        required: true,
    });
    ServiceSpec {
        build: context.build.cloned(),
        pull: match (context.build, spec.odoo.pull) {
            (Some(_), _) => PullPolicy::Build,
            (None, PullWhen::Missing) => PullPolicy::Missing,
            (None, PullWhen::Always) => PullPolicy::Always,
            (None, PullWhen::Never) => PullPolicy::Never,
        },
        depends_on: depends_on.collect(),
        files: vec![mounted(conf, CONF_TARGET)],
        health_timeout: health_timeout(spec),
        ..service(context, APPLICATION_SERVICE, container)
    }
}

fn sorted(mut items: Vec<String>) -> Vec<String> {
    items.sort_unstable();
    items
}

/// `address:port`, `[address]:port` or a port alone.
fn binding(text: &str) -> PortBinding {
    let (address, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
    PortBinding {
        host_ip: Some(address.trim_start_matches('[').trim_end_matches(']').to_owned()),
        host_port: Some(port.to_owned()),
    }
}

fn database(
    spec: &EnvironmentSpec,
    managed: &ManagedDatabase,
    context: &RenderContext<'_>,
    password: &RenderedFile,
) -> ServiceSpec {
    let mut command = vec!["postgres".to_owned()];
    for (name, value) in &managed.settings {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    let test = ["CMD", "pg_isready", "--quiet", "--host", "127.0.0.1", "--username", &managed.user];
    let container = ContainerCreateBody {
        env: Some(vec![
            "POSTGRES_DB=postgres".to_owned(),
            format!("POSTGRES_PASSWORD_FILE={PASSWORD_TARGET}"),
            format!("POSTGRES_USER={}", managed.user),
        ]),
        cmd: Some(command),
        // By TCP: while the image prepares the data, its server listens on a socket only.
        healthcheck: Some(HealthConfig {
            test: Some(test.iter().map(|word| (*word).to_owned()).collect()),
            interval: Some(2_000_000_000),
            timeout: Some(5_000_000_000),
            retries: Some(5),
            start_period: Some(120_000_000_000),
            start_interval: None,
        }),
        host_config: Some(HostConfig {
            binds: Some(vec![format!("{}:{}:rw", managed.volume, data_folder(&managed.image))]),
            mounts: Some(vec![bind(&password.path, PASSWORD_TARGET)]),
            port_bindings: Some(HashMap::new()),
            // The engine's own 64 MiB are too few for parallel queries.
            shm_size: Some(256 << 20),
            ..host()
        }),
        ..body(&managed.image)
    };
    ServiceSpec {
        files: vec![mounted(password, PASSWORD_TARGET)],
        stop_grace_period: DATABASE_STOP_GRACE,
        health_timeout: health_timeout(spec),
        ..service(context, DATABASE_SERVICE, container)
    }
}

/// Where the image of a PostgreSQL server keeps its data; from 18 on the folder above, with one folder for each version.
fn data_folder(image: &str) -> &'static str {
    match image_major(image) {
        Some(version) if version >= 18 => "/var/lib/postgresql",
        _ => "/var/lib/postgresql/data",
    }
}

/// The number that the tag of an image begins with, such as 16 for `postgres:16-alpine`.
pub fn image_major(image: &str) -> Option<u32> {
    let named = image.split('@').next().unwrap_or(image);
    let tag = named.rsplit('/').next()?.split_once(':')?.1;
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_published_on_this_machine_only() {
        let of = |text: &str| {
            let binding = binding(text);
            (binding.host_ip.unwrap(), binding.host_port.unwrap())
        };
        assert_eq!(of("8069"), ("127.0.0.1".to_owned(), "8069".to_owned()));
        assert_eq!(of("0.0.0.0:80"), ("0.0.0.0".to_owned(), "80".to_owned()));
        assert_eq!(of("[::1]:80"), ("::1".to_owned(), "80".to_owned()));
    }

    #[test]
    fn data_lies_where_the_image_has_it() {
        assert_eq!(data_folder("postgres:16-alpine@sha256:aa"), "/var/lib/postgresql/data");
        assert_eq!(data_folder("registry:5000/postgres:18.1"), "/var/lib/postgresql");
        assert_eq!(data_folder("postgres"), "/var/lib/postgresql/data");
    }
}
