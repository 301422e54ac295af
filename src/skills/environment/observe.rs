//! Reads what an Environment is beside its containers: its database by SQL, its modules from git, its files' owners,
//! its probes by HTTP. Changes nothing.

mod database;
mod modules;
mod probes;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use git2::{Oid, Repository, Tree};
use secrecy::ExposeSecret as _;
use sqlx::postgres::PgConnection;

use super::conf::{FINGERPRINT, shown};
use super::facts::{EnvironmentFacts, FolderFacts, ProbeFacts};
use super::loading::half_loaded;
use super::operation::{DatabaseServer, DatabaseTarget, ProbeTarget};
use super::render::{CONF_TARGET, GEVENT_PORT, HTTP_PORT, root_path};
use super::spec::EnvironmentSpec;
use crate::clients::docker::Docker;
use crate::clients::postgres::{self, PostgresError, PostgresTarget};
use crate::engine::observe::{ContainerFacts, ContainerStatus};
use crate::model::known::Known;
use crate::model::secret::HmacKey;

pub use database::{MODULES_CHECKSUMS, STAMP, read_database};
pub use modules::ModulesRequest;
pub use probes::{of_database, probe};

/// The port of a managed server in its own network.
const DATABASE_PORT: u16 = 5432;
/// The name of the probe that looks for modules that were left out.
pub const REGISTRY: &str = "registry";
/// What the logs of starts said whose time is over, by container and start: a log may be long, and is read from its beginning.
static REGISTRIES: Mutex<BTreeMap<(String, String), Option<String>>> = Mutex::new(BTreeMap::new());
/// How long after its start a server's log is read: the first probes make it load its modules.
const LOADING_SECONDS: i64 = 600;
/// Files of one addons root whose owners are counted.
const OWNED_MAX: u64 = 500_000;

/// What to read.
#[derive(Clone, Copy)]
pub struct ObserveRequest<'a> {
    /// The engine, for the log of its application.
    pub docker: Option<&'a Docker>,
    /// The document.
    pub spec: &'a EnvironmentSpec,
    /// Its database.
    pub database: &'a DatabaseTarget,
    /// The containers of its engine.
    pub containers: &'a [ContainerFacts],
    /// The name of its application's container.
    pub application: &'a str,
    /// The commit that has to run, in the git directory `objects`; without it, `objects` is a folder.
    pub commit: Option<&'a str>,
    /// See `commit`.
    pub objects: &'a str,
    /// The absolute folder of its code on the Host.
    pub code: &'a str,
    /// The key of fingerprints of secrets.
    pub key: &'a HmacKey,
    /// Whether there are workers, so that websockets are at the evented port.
    pub is_evented: bool,
}

/// Reads one Environment. What can't be read is recorded.
pub async fn observe_environment(request: &ObserveRequest<'_>) -> EnvironmentFacts {
    let address = address_of(&request.database.server, |name| {
        let container = request.containers.iter().find(|container| container.name == name)?;
        if container.state.status != ContainerStatus::Running {
            return None;
        }
        container.networks.values().find_map(|network| network.address.clone())
    });
    let wanted = request.database;
    let read = async {
        match &address {
            None => Known::Known(Default::default()),
            Some(address) => read_database(wanted, address).await,
        }
    };
    let application = request.containers.iter().find(|container| container.name == request.application);
    let conf = application.and_then(|container| container.mounts.get(CONF_TARGET));
    // Who may not read it sees that it is another one, and not what is other.
    let conf = conf.and_then(|mount| shown(&std::fs::read_to_string(&mount.source).ok()?, request.key));
    // What runs has the workers and the database of its own file, whatever is wanted by now.
    let running = Running::of(conf.as_ref(), request);
    let conf = conf.unwrap_or_default();
    let request = &ObserveRequest { is_evented: running.is_evented, database: &running.database, ..*request };
    let (database, mut probes) = tokio::join!(read, probe_running(request));
    let about = database.known().map(|facts| (facts.exclude.clone(), facts.languages.clone()));
    let (exclude, languages) = about.unwrap_or_default();
    let modules = ModulesRequest {
        roots: request.spec.odoo.addons.iter().map(|root| root.source.clone()).collect(),
        commit: request.commit.map(str::to_owned),
        objects: request.objects.to_owned(),
        series: request.spec.odoo.version.clone(),
        exclude,
        languages,
    };
    let folders: Vec<String> = request
        .spec
        .odoo
        .addons
        .iter()
        .filter(|root| root.owner.is_some())
        .map(|root| root_path(request.code, root))
        .collect();
    let code = request.code.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let folders: BTreeMap<String, Known<FolderFacts>> =
            folders.into_iter().map(|path| (path.clone(), owners(&path))).collect();
        // What can't be compared may be other: a server that starts anew once too often loses nothing.
        let moved = moved_roots(&modules, &code).unwrap_or_else(|_| match Path::new(&code).exists() {
            true => modules.roots.iter().filter(|root| !root.starts_with('/')).cloned().collect(),
            false => Vec::new(),
        });
        (modules.read(), folders, moved)
    });
    let (modules, folders, moved_roots) = match read.await {
        Ok(read) => read,
        Err(err) => (Known::Unknown(err.to_string()), BTreeMap::new(), Vec::new()),
    };
    let database = database.map(|reading| reading.facts);
    // Of another database than the one that is read, nothing is known here.
    if !probes.is_empty() && running.is_in_wanted {
        probes.push(of_database(&database, &request.spec.odoo.version));
    }
    EnvironmentFacts { database, modules, folders, conf, moved_roots, probes }
}

/// The roots of the source that a move of the code changes; none when there is no code yet.
fn moved_roots(modules: &ModulesRequest, code: &str) -> Result<Vec<String>, git2::Error> {
    let Some(commit) = &modules.commit else { return Ok(Vec::new()) };
    let (here, objects) = (Repository::open(code)?, Repository::open(&modules.objects)?);
    let old = here.head()?.peel_to_tree()?;
    let new = objects.find_commit(Oid::from_str(commit)?)?.tree()?;
    let id = |tree: &Tree<'_>, root: &str| match root.trim_start_matches("./").trim_end_matches('/') {
        "" | "." => Some(tree.id()),
        folder => tree.get_path(Path::new(folder)).ok().map(|entry| entry.id()),
    };
    let of_source = modules.roots.iter().filter(|root| !root.starts_with('/'));
    Ok(of_source.filter(|root| id(&old, root) != id(&new, root)).cloned().collect())
}

/// What the file says that the application runs with.
struct Running {
    is_evented: bool,
    database: DatabaseTarget,
    /// Whether its database, and how it gets in, are those of the document.
    is_in_wanted: bool,
}

impl Running {
    fn of(conf: Option<&BTreeMap<String, String>>, request: &ObserveRequest<'_>) -> Self {
        let mut database = request.database.clone();
        let Some(conf) = conf else {
            return Running { is_evented: request.is_evented, database, is_in_wanted: true };
        };
        let workers = conf.get("workers").and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0);
        let password =
            format!("{FINGERPRINT}{}", request.key.short(database.password.expose_secret().as_bytes()));
        let is = |option: &str, wanted: &str| conf.get(option).is_none_or(|found| found == wanted);
        let is_server = match &database.server {
            DatabaseServer::Container(_) => true,
            DatabaseServer::Address { host, port, .. } => {
                is("db_host", host) && is("db_port", &port.to_string())
            }
        };
        let is_in_wanted = is_server
            && is("db_name", &database.name)
            && is("db_user", &database.user)
            && is("db_password", &password);
        if let Some(name) = conf.get("db_name") {
            database.name.clone_from(name);
        }
        Running { is_evented: workers > 0, database, is_in_wanted }
    }
}

/// Probes the application when it runs.
async fn probe_running(request: &ObserveRequest<'_>) -> Vec<ProbeFacts> {
    let running = request.containers.iter().find(|container| {
        container.name == request.application && container.state.status == ContainerStatus::Running
    });
    let Some(container) = running else { return Vec::new() };
    let address = container.networks.values().find_map(|network| network.address.clone());
    let Some(address) = address else { return Vec::new() };
    let target = ProbeTarget {
        container: request.application.to_owned(),
        database: request.database.clone(),
        series: request.spec.odoo.version.clone(),
        is_evented: request.is_evented,
    };
    let (http, gevent) = (format!("{address}:{HTTP_PORT}"), format!("{address}:{GEVENT_PORT}"));
    let registry = async {
        match request.docker {
            Some(docker) => registry(docker, &container.name, &container.state.started_at).await,
            None => None,
        }
    };
    let (mut probes, registry) = tokio::join!(probe(&target, &http, &gevent), registry);
    probes.extend(registry);
    probes
}

/// Whether a server has all modules that its database says: one that left some out answers all the same, and says so in its log
/// when it loads them, which is with the first question. `None` when the log can't be read.
pub async fn registry(docker: &Docker, container: &str, started: &str) -> Option<ProbeFacts> {
    let start = started.parse::<DateTime<Utc>>().ok()?;
    let key = (container.to_owned(), started.to_owned());
    let known = REGISTRIES.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    let left_out = match known {
        Some(left_out) => left_out,
        None => {
            let left_out = half_loaded(&docker.log_after(container, start, LOADING_SECONDS).await.ok()?.text);
            if Utc::now() > start + TimeDelta::seconds(LOADING_SECONDS) {
                let mut known = REGISTRIES.lock().unwrap_or_else(PoisonError::into_inner);
                known.retain(|(name, _), _| name != container);
                known.insert(key, left_out.clone());
            }
            left_out
        }
    };
    let answer = left_out.map_or_else(|| Ok("its log tells of no module that was left out".to_owned()), Err);
    Some(probes::fact(REGISTRY, answer))
}

/// The name or address of a database's server: a container is asked by its address in its network.
fn address_of(server: &DatabaseServer, container: impl Fn(&str) -> Option<String>) -> Option<String> {
    match server {
        DatabaseServer::Container(name) => container(name),
        DatabaseServer::Address { host, .. } => Some(host.clone()),
    }
}

/// The address of a running container in its first network, asked of the engine.
pub async fn container_address(docker: &Docker, name: &str) -> Result<String, String> {
    let inspected = docker.container(name).await.map_err(|err| err.to_string())?;
    let inspected = inspected.ok_or_else(|| format!("there is no container `{name}`"))?;
    let state = crate::engine::observe::state(&inspected);
    if state.status != ContainerStatus::Running {
        return Err(format!("container `{name}` does not run (exit code {})", state.exit_code));
    }
    let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let address =
        networks.into_values().find_map(|network| network.ip_address.filter(|text| !text.is_empty()));
    address.ok_or_else(|| format!("container `{name}` has no address"))
}

/// The address of a database's server, asked of the engine where it is a container.
pub async fn database_address(docker: &Docker, server: &DatabaseServer) -> Result<String, String> {
    match server {
        DatabaseServer::Container(name) => container_address(docker, name).await,
        DatabaseServer::Address { host, .. } => Ok(host.clone()),
    }
}

/// Opens a database of the same server.
pub async fn connect(
    target: &DatabaseTarget,
    address: &str,
    database: &str,
) -> Result<PgConnection, PostgresError> {
    let (port, sslmode) = match &target.server {
        DatabaseServer::Container(_) => (DATABASE_PORT, "prefer"),
        DatabaseServer::Address { port, sslmode, .. } => (*port, sslmode.as_str()),
    };
    let password = target.password.expose_secret();
    let target = PostgresTarget { host: address, port, sslmode, database, user: &target.user, password };
    postgres::connect(&target).await
}

/// Counts whose the files below a folder are; blocks.
fn owners(path: &str) -> Known<FolderFacts> {
    let mut facts = FolderFacts::default();
    let mut waiting = vec![PathBuf::from(path)];
    let mut count = 0;
    match std::fs::symlink_metadata(path) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Known::Known(facts),
        Err(err) => return Known::Unknown(format!("`{path}` can't be read: {err}")),
        Ok(_) => facts.exists = true,
    }
    while let Some(path) = waiting.pop() {
        if let Err(err) = add_owner(&path, &mut facts, &mut waiting) {
            return Known::Unknown(format!("`{}` can't be read: {err}", path.display()));
        }
        count += 1;
        if count > OWNED_MAX {
            return Known::Unknown(format!("`{}` has more than {OWNED_MAX} files", path.display()));
        }
    }
    Known::Known(facts)
}

fn add_owner(path: &Path, facts: &mut FolderFacts, waiting: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    *facts.owners.entry(format!("{}:{}", metadata.uid(), metadata.gid())).or_default() += 1;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name() != ".git" {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}
