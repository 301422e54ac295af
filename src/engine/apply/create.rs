//! Creations: what a lost answer left behind is taken, what somebody else made is not.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, Network, NetworkCreateRequest, VolumeCreateRequest,
};
use secrecy::ExposeSecret as _;

use super::{Done, EngineError};
use crate::clients::docker::Docker;
use crate::engine::labels;
use crate::engine::spec::{InjectedFile, ShareKind};

/// Makes a container, or takes the one that the same operation made before.
pub(super) async fn container(
    docker: &Docker,
    name: &str,
    body: &ContainerCreateBody,
    shares: &[(ShareKind, String)],
    platform: Option<&str>,
    operation_id: &str,
) -> Result<Done, EngineError> {
    check_features(docker, body)?;
    let mut body = body.clone();
    resolve_shares(docker, &mut body, shares).await?;
    let reference = body.image.clone().unwrap_or_default();
    match docker.create_container(name, platform, body).await {
        Ok(created) => Ok(Done { id: Some(created.id), warnings: created.warnings, ..Done::default() }),
        Err(err) if err.is_conflict() => {
            let Some(holder) = docker.container(name).await? else { return Err(err.into()) };
            let config = holder.config.unwrap_or_default();
            let id = holder.id.unwrap_or_default();
            if label(config.labels.as_ref(), labels::OPERATION) == Some(operation_id) {
                return Ok(Done { id: Some(id), ..Done::already() });
            }
            let holder = holder_of("container", &id, config.labels.as_ref());
            Err(EngineError::NameTaken { kind: "container", name: name.to_owned(), holder })
        }
        Err(err) if err.is_not_found() && super::says(&err, "No such image") => {
            Err(EngineError::ImageMissing { reference })
        }
        Err(err) => Err(err.into()),
    }
}

/// Makes a network, or takes the one that the same operation made before.
///
/// The engine makes a second network of the same name without a word, so the name is looked up first.
pub(super) async fn network(
    docker: &Docker,
    name: &str,
    request: &NetworkCreateRequest,
) -> Result<Done, EngineError> {
    let networks = docker.networks().await?;
    if let Some(holder) = networks.iter().find(|network| network.name.as_deref() == Some(name)) {
        let id = holder.id.clone().unwrap_or_default();
        return taken("network", name, id, holder.labels.as_ref(), request.labels.as_ref());
    }
    let id = docker.create_network(request.clone()).await?;
    let networks = docker.networks().await?;
    let operation = label(request.labels.as_ref(), labels::OPERATION);
    let is_twin = |network: &&Network| {
        network.name.as_deref() == Some(name)
            && network.id.as_deref() != Some(&id)
            && label(network.labels.as_ref(), labels::OPERATION) == operation
    };
    // The same operation, asked by a process that died, was answered into nothing after the look above.
    match networks.iter().find(is_twin).and_then(|twin| twin.id.clone()) {
        Some(twin) => {
            docker.remove_network(&id).await?;
            Ok(Done { id: Some(twin), ..Done::already() })
        }
        None => Ok(Done { id: Some(id), ..Done::default() }),
    }
}

/// Makes a volume, or takes the one that the same operation made before.
pub(super) async fn volume(
    docker: &Docker,
    name: &str,
    request: &VolumeCreateRequest,
) -> Result<Done, EngineError> {
    if let Some(holder) = docker.volume(name).await? {
        return taken("volume", name, name.to_owned(), Some(&holder.labels), request.labels.as_ref());
    }
    let volume = docker.create_volume(request.clone()).await?;
    Ok(Done { id: Some(volume.name), ..Done::default() })
}

/// Gives a container a name, unless it has it already.
pub(super) async fn rename(docker: &Docker, id: &str, name: &str) -> Result<Done, EngineError> {
    let current = docker.container(id).await?.and_then(|container| container.name).unwrap_or_default();
    if current.trim_start_matches('/') == name {
        return Ok(Done::already());
    }
    match docker.rename_container(id, name).await {
        // The first of two equal renames by an old name may have been answered into nothing.
        Err(err) if err.is_not_found() => match docker.container(name).await? {
            Some(_) => Ok(Done::already()),
            None => Err(err.into()),
        },
        Err(err) if err.is_conflict() => {
            let holder = docker.container(name).await?.unwrap_or_default();
            let labels = holder.config.unwrap_or_default().labels;
            let holder = holder_of("container", &holder.id.unwrap_or_default(), labels.as_ref());
            Err(EngineError::NameTaken { kind: "container", name: name.to_owned(), holder })
        }
        answer => super::finished(answer),
    }
}

/// Packs files as the engine unpacks them: at their absolute paths, with mode and owner.
pub(super) fn archive(files: &[InjectedFile]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let content = file.content.expose_secret().as_bytes();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        archive.append_data(&mut header, file.target.trim_start_matches('/'), content)?;
    }
    archive.into_inner()
}

fn taken(
    kind: &'static str,
    name: &str,
    id: String,
    found: Option<&HashMap<String, String>>,
    wanted: Option<&HashMap<String, String>>,
) -> Result<Done, EngineError> {
    let operation = label(wanted, labels::OPERATION);
    if operation.is_some() && label(found, labels::OPERATION) == operation {
        return Ok(Done { id: Some(id), ..Done::already() });
    }
    let holder = holder_of(kind, &id, found);
    Err(EngineError::NameTaken { kind, name: name.to_owned(), holder })
}

fn label<'a>(labels: Option<&'a HashMap<String, String>>, name: &str) -> Option<&'a str> {
    labels?.get(name).map(String::as_str)
}

/// Who a thing belongs to, in words.
fn holder_of(kind: &str, id: &str, found: Option<&HashMap<String, String>>) -> String {
    let short = id.get(..12).unwrap_or(id);
    if let Some(resource) = label(found, labels::RESOURCE) {
        format!("a {kind} of {resource} ({short})")
    } else if let Some(project) = label(found, labels::COMPOSE_PROJECT) {
        format!("a {kind} of the Compose project `{project}` ({short})")
    } else {
        format!("a {kind} that is not ours ({short})")
    }
}

/// Puts the ids of other containers where the body needs them. An entry is a container's name; for volumes, an
/// access may follow: `name:ro`.
async fn resolve_shares(
    docker: &Docker,
    body: &mut ContainerCreateBody,
    shares: &[(ShareKind, String)],
) -> Result<(), EngineError> {
    for (kind, entry) in shares {
        let (name, access) = entry.split_once(':').unwrap_or((entry, ""));
        let missing = || EngineError::ShareMissing { kind: *kind, container: name.to_owned() };
        let id = docker.container(name).await?.and_then(|container| container.id).ok_or_else(missing)?;
        let host = body.host_config.get_or_insert_with(HostConfig::default);
        match kind {
            ShareKind::Network => host.network_mode = Some(format!("container:{id}")),
            ShareKind::Ipc => host.ipc_mode = Some(format!("container:{id}")),
            ShareKind::Pid => host.pid_mode = Some(format!("container:{id}")),
            ShareKind::Volumes => {
                let entry = if access.is_empty() { id } else { format!("{id}:{access}") };
                host.volumes_from.get_or_insert_default().push(entry);
            }
        }
    }
    Ok(())
}

/// Refuses what an older engine would drop without a word.
fn check_features(docker: &Docker, body: &ContainerCreateBody) -> Result<(), EngineError> {
    let host = body.host_config.as_ref();
    let mounts: &[Mount] = host.and_then(|host| host.mounts.as_deref()).unwrap_or_default();
    let endpoints = body.networking_config.as_ref().and_then(|config| config.endpoints_config.as_ref());
    let endpoints = || endpoints.into_iter().flatten().map(|(_, endpoint)| endpoint);
    let has_mac = |mac: &Option<String>| mac.as_ref().is_some_and(|mac| !mac.is_empty());
    let features = [
        (
            "annotations",
            43,
            host.and_then(|host| host.annotations.as_ref())
                .is_some_and(|annotations| !annotations.is_empty()),
        ),
        (
            "healthcheck.start_interval",
            44,
            body.healthcheck
                .as_ref()
                .is_some_and(|check| check.start_interval.is_some_and(|nanos| nanos > 0)),
        ),
        ("mac_address", 44, endpoints().any(|endpoint| has_mac(&endpoint.mac_address))),
        (
            "volumes.volume.subpath",
            45,
            mounts
                .iter()
                .filter_map(|mount| mount.volume_options.as_ref()?.subpath.as_ref())
                .any(|subpath| !subpath.is_empty()),
        ),
        (
            "networks.gw_priority",
            48,
            endpoints().any(|endpoint| endpoint.gw_priority.is_some_and(|value| value != 0)),
        ),
    ];
    let has = docker.api_version();
    for (field, minor, used) in features {
        if used && has < (1, minor) {
            let (needs, has) = (format!("1.{minor}"), format!("{}.{}", has.0, has.1));
            return Err(EngineError::NotSupported { field, needs, has });
        }
    }
    Ok(())
}
