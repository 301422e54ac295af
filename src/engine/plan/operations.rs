//! The operations that make, replace and change one container, every value in them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use bollard::models::{ContainerUpdateBody, Mount, MountType};
use serde_json::Value;

use super::ProjectRequest;
use super::slots::{Slot, temporary_name};
use super::wanted::{ImageWanted, Wanted};
use crate::engine::fields::is_anonymous_volume;
use crate::engine::observe::{ContainerFacts, ContainerStatus};
use crate::engine::operation::{EngineOperation, Target, WaitCondition};
use crate::engine::request::{Identity, endpoint, with_labels};
use crate::engine::spec::{AttachmentSpec, ServiceSpec, ShareKind};
use crate::model::change::FieldDiff;
use crate::model::hash::sha256_hex;
use crate::model::known::Known;

/// Digits of an operation's id: enough that two operations never share one by chance.
const OPERATION_ID_DIGITS: usize = 16;

/// The operation label's value: the same operation on the same facts has the same id, so that a creation whose
/// answer was lost is found again.
pub(super) fn operation_id(parts: &[&str]) -> String {
    sha256_hex(parts.join("\0").as_bytes())[..OPERATION_ID_DIGITS].to_owned()
}

/// Makes a container, attaches its networks and writes its files; doesn't start it.
pub(super) fn create(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    slot: &Slot<'_>,
    name: &str,
    old: Option<&ContainerFacts>,
) -> Vec<EngineOperation> {
    let service = wanted.service;
    let hash = |known: &Known<Option<String>>| known.known().cloned().flatten();
    let (secret_hash, content_hash) = (hash(&wanted.secret_hash), hash(&wanted.content_hash));
    let image_id = match &wanted.image {
        ImageWanted::Present(id) => Some(id.as_str()),
        ImageWanted::Missing | ImageWanted::Unknown(_) => None,
    };
    let operation_id = operation_id(&[
        &request.resource.to_string(),
        name,
        &wanted.spec_hash,
        secret_hash.as_deref().unwrap_or_default(),
        content_hash.as_deref().unwrap_or_default(),
        image_id.unwrap_or_default(),
        old.map_or("new", |old| &old.id),
    ]);
    let identity = Identity {
        resource: request.resource,
        spec_hash: &wanted.spec_hash,
        secret_hash: secret_hash.as_deref(),
        content_hash: content_hash.as_deref(),
        operation_id: &operation_id,
        image_id,
    };
    let mut body = with_labels(request.project, service, slot.number, &identity);
    keep_anonymous_volumes(&mut body, wanted, old);
    let target = Target::Name(name.to_owned());
    let mut operations = vec![EngineOperation::CreateContainer {
        name: name.to_owned(),
        body: Box::new(body),
        shares: shares(request, service),
        platform: service.platform.clone(),
        operation_id,
    }];
    for attachment in service.attachments.iter().skip(1) {
        operations.push(connect(request, service, slot.number, attachment, &target));
    }
    if !service.injected.is_empty() {
        operations.push(EngineOperation::CopyFiles {
            container: target,
            targets: service.injected.iter().map(|file| file.target.clone()).collect(),
            files: service.injected.clone(),
        });
    }
    operations
}

/// Attaches a container to a network.
pub(super) fn connect(
    request: &ProjectRequest<'_>,
    service: &ServiceSpec,
    number: u32,
    attachment: &AttachmentSpec,
    container: &Target,
) -> EngineOperation {
    EngineOperation::ConnectNetwork {
        network: attachment.network.clone(),
        container: container.clone(),
        endpoint: Box::new(endpoint(request.project, service, number, attachment)),
    }
}

/// The containers whose namespaces or volumes a service shares, by their final names.
fn shares(request: &ProjectRequest<'_>, service: &ServiceSpec) -> Vec<(ShareKind, String)> {
    let shared = |share: &crate::engine::spec::ShareSpec| {
        let other = request.lookup.service(&share.service)?;
        let name = crate::engine::request::container_name(request.project, other, 1);
        let access = share.access.as_deref().filter(|access| *access == "ro");
        Some((share.kind, access.map_or(name.clone(), |access| format!("{name}:{access}"))))
    };
    service.shares.iter().filter_map(shared).collect()
}

/// Makes the new container beside the old one, then puts it in its place: a failed creation leaves the old running.
pub(super) fn replace(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    slot: &Slot<'_>,
    old: &ContainerFacts,
) -> Vec<EngineOperation> {
    let temporary = temporary_name(old, &slot.name);
    let mut operations = create(request, wanted, slot, &temporary, Some(old));
    operations.extend(remove(old, wanted.service));
    operations.push(rename(Target::Name(temporary), &slot.name));
    operations
}

/// Gives a container its final name.
pub(super) fn rename(container: Target, name: &str) -> EngineOperation {
    EngineOperation::RenameContainer { container, name: name.to_owned() }
}

/// Stops a container when it runs, and removes it.
pub(super) fn remove(old: &ContainerFacts, service: &ServiceSpec) -> Vec<EngineOperation> {
    let container = Target::Id(old.id.clone());
    let mut operations = Vec::new();
    if is_up(old) {
        operations.push(EngineOperation::StopContainer {
            container: container.clone(),
            grace: service.stop_grace_period,
        });
    }
    operations.push(EngineOperation::RemoveContainer { container });
    operations
}

/// Whether a container has processes.
pub(super) fn is_up(container: &ContainerFacts) -> bool {
    matches!(
        container.state.status,
        ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Restarting
    )
}

/// Starts a container and waits until it is what it promises to be.
pub(super) fn start(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    name: &str,
    container: Target,
) -> Vec<EngineOperation> {
    vec![EngineOperation::StartContainer { container }, promise(request, wanted, name)]
}

/// The wait that proves a start: ended well for what others need ended, healthy with a check, else running.
pub(super) fn promise(request: &ProjectRequest<'_>, wanted: &Wanted<'_>, name: &str) -> EngineOperation {
    let condition = match (request.lookup.has_to_end(&wanted.service.name), wanted.has_health_check()) {
        (true, _) => WaitCondition::CompletedSuccessfully,
        (false, true) => WaitCondition::Healthy,
        (false, false) => WaitCondition::Started,
    };
    EngineOperation::Wait { container: name.to_owned(), condition, timeout: wanted.service.health_timeout }
}

/// Gives the new container the anonymous volumes of the old one, as Compose does: their data is not lost.
fn keep_anonymous_volumes(
    body: &mut bollard::models::ContainerCreateBody,
    wanted: &Wanted<'_>,
    old: Option<&ContainerFacts>,
) {
    let Some(old) = old else { return };
    let listed = wanted.fields.0.get("volumes").and_then(Value::as_array);
    let is_anonymous = |target: &str| {
        let is_listed = listed.is_some_and(|all| all.iter().any(|item| item.as_str() == Some(target)));
        let is_named = listed.is_some_and(|all| {
            all.iter().filter_map(Value::as_str).any(|item| item.split(':').nth(1) == Some(target))
        });
        is_listed || (!wanted.image_known && !is_named)
    };
    for (target, mount) in &old.mounts {
        if mount.kind != "volume" || !is_anonymous_volume(&mount.source) || !is_anonymous(target) {
            continue;
        }
        let host = body.host_config.get_or_insert_default();
        let mounts = host.mounts.get_or_insert_default();
        mounts.retain(|known| known.target.as_deref() != Some(target));
        mounts.push(Mount {
            typ: Some(MountType::VOLUME),
            source: Some(mount.source.clone()),
            target: Some(target.clone()),
            ..Mount::default()
        });
    }
}

/// Puts limits and the restart policy back in place.
pub(super) fn update(wanted: &Wanted<'_>, fields: &[FieldDiff], container: Target) -> EngineOperation {
    let host = wanted.service.container.host_config.clone().unwrap_or_default();
    let names: Vec<String> = fields.iter().map(|field| field.field.clone()).collect();
    let has = |name: &str| names.iter().any(|own| own == name);
    let mut update = ContainerUpdateBody::default();
    if has("mem_limit") || has("memswap_limit") {
        update.memory = host.memory;
        // The engine refuses a limit above the swap limit that it still has.
        update.memory_swap = host.memory_swap.or(host.memory.map(|memory| memory.saturating_mul(2)));
    }
    if has("restart") {
        let no = bollard::models::RestartPolicyNameEnum::NO;
        update.restart_policy = Some(
            host.restart_policy
                .unwrap_or(bollard::models::RestartPolicy { name: Some(no), maximum_retry_count: None }),
        );
    }
    update.memory_reservation = host.memory_reservation.filter(|_| has("mem_reservation"));
    update.nano_cpus = host.nano_cpus.filter(|_| has("cpus"));
    update.cpu_shares = host.cpu_shares.filter(|_| has("cpu_shares"));
    update.cpu_period = host.cpu_period.filter(|_| has("cpu_period"));
    update.cpu_quota = host.cpu_quota.filter(|_| has("cpu_quota"));
    update.cpuset_cpus = host.cpuset_cpus.filter(|_| has("cpuset"));
    update.cpuset_mems = host.cpuset_mems.filter(|_| has("cpuset_mems"));
    update.pids_limit = host.pids_limit.filter(|_| has("pids_limit"));
    EngineOperation::UpdateContainer { container, update: Box::new(update), fields: names }
}
