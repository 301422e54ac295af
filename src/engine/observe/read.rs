//! Reads one engine in as few calls as possible: everything is listed at once, only what concerns us is inspected.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ContainerInspectResponse, ContainerSummary, Network};
use futures_util::{StreamExt as _, stream};

use super::facts;
use super::files::{FileRequest, read_files};
use super::{ContainerFacts, EngineFacts, ImageFacts};
use crate::clients::docker::{Docker, DockerError};
use crate::engine::fields::share_container;
use crate::engine::labels;
use crate::model::known::Known;
use crate::model::problem::error_chain;
use crate::model::reference::normal_reference;
use crate::model::secret::HmacKey;

/// Questions under way at once: more only queue up inside the engine.
const CONCURRENT_MAX: usize = 4;

/// What to read of an engine beside its lists.
#[derive(Debug, Clone, Default)]
pub struct ObserveRequest {
    /// Image references of the desired state.
    pub references: BTreeSet<String>,
    /// Projects of the desired state: their containers are inspected whoever made them.
    pub projects: BTreeSet<String>,
    /// Names of containers of somebody else's whose fields are read too.
    pub containers: BTreeSet<String>,
    /// Files of the desired state by path on the host, and whether their content is a secret.
    pub files: BTreeMap<String, bool>,
    /// The key under which a secret file's digest is kept; without it such a file stays unknown.
    pub key: Option<HmacKey>,
}

/// Reads what runs on one engine. What could not be read is unknown with the reason; a container that vanished
/// between list and inspection is absent.
pub async fn observe_engine(docker: &Docker, request: &ObserveRequest) -> Known<EngineFacts> {
    match read(docker, request).await {
        Ok(facts) => Known::Known(facts),
        Err(err) => Known::Unknown(error_chain(&err)),
    }
}

async fn read(docker: &Docker, request: &ObserveRequest) -> Result<EngineFacts, DockerError> {
    let references: Vec<String> = request.references.iter().cloned().collect();
    let files = FileRequest { paths: &request.files, key: request.key.as_ref(), is_local: docker.is_local() };
    let (containers, networks, volumes, mut images, files) = tokio::join!(
        async {
            let listed = docker.containers().await?;
            Ok::<_, DockerError>(inspect(docker, request, listed).await)
        },
        docker.networks(),
        docker.volumes(),
        read_images(docker, references),
        read_files(files),
    );
    let (containers, networks) = (containers?, networks?);
    let known: BTreeSet<&str> =
        images.values().filter_map(|image| image.known()?.as_ref()).map(|image| image.id.as_str()).collect();
    let running_ids: BTreeSet<String> = containers
        .iter()
        .filter(|(_, inspected)| inspected.is_some())
        .filter_map(|(listed, _)| listed.image_id.clone())
        .filter(|id| !known.contains(id.as_str()))
        .collect();
    images.extend(read_images(docker, running_ids.into_iter().collect()).await);

    let mut networks: Vec<_> = networks.iter().map(|network| facts::network(network, &containers)).collect();
    networks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let mut volumes: Vec<_> = volumes?.iter().map(facts::volume).collect();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut containers = container_facts(containers);
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(EngineFacts { version: docker.version(), containers, networks, volumes, images, files })
}

/// A container of the list; with what its inspection gave, when it was inspected.
pub(super) type Listed = (ContainerSummary, Option<Result<ContainerInspectResponse, String>>);

/// Inspects our containers and those of the wanted projects.
async fn inspect(docker: &Docker, request: &ObserveRequest, listed: Vec<ContainerSummary>) -> Vec<Listed> {
    let answers = stream::iter(listed.into_iter().map(|container| async {
        let label = |name: &str| container.labels.as_ref().and_then(|labels| labels.get(name));
        let project = label(labels::COMPOSE_PROJECT);
        let concerns_us = label(labels::RESOURCE).is_some()
            || project.is_some_and(|project| request.projects.contains(project))
            || request.containers.contains(&facts::name(&container));
        let Some(id) = container.id.clone().filter(|_| concerns_us) else { return Some((container, None)) };
        match docker.container(&id).await {
            Ok(None) => None,
            Ok(Some(inspected)) => Some((container, Some(Ok(inspected)))),
            Err(err) => Some((container, Some(Err(error_chain(&err))))),
        }
    }));
    answers.buffered(CONCURRENT_MAX).filter_map(std::future::ready).collect().await
}

/// Inspects images, each once, whatever spelling asks for it.
async fn read_images(
    docker: &Docker,
    references: Vec<String>,
) -> BTreeMap<String, Known<Option<ImageFacts>>> {
    let mut spellings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for reference in references {
        spellings.entry(normal_reference(&reference)).or_default().push(reference);
    }
    let answers = stream::iter(spellings.into_iter().map(|(normal, spellings)| async move {
        let image = match docker.image(&normal).await {
            Ok(image) => Known::Known(image.as_ref().map(facts::image)),
            Err(err) => Known::Unknown(error_chain(&err)),
        };
        (spellings, image)
    }));
    let answers: Vec<_> = answers.buffer_unordered(CONCURRENT_MAX).collect().await;
    let by_spelling = answers
        .into_iter()
        .flat_map(|(spellings, image)| spellings.into_iter().map(move |spelling| (spelling, image.clone())));
    by_spelling.collect()
}

/// Puts the facts together, and names the containers whose namespaces or volumes another one shares.
fn container_facts(listed: Vec<Listed>) -> Vec<ContainerFacts> {
    let mut containers: Vec<ContainerFacts> =
        listed.iter().map(|(listed, inspected)| facts::container(listed, inspected.as_ref())).collect();
    let names: Vec<(String, String, Option<String>, Option<String>)> = containers
        .iter()
        .map(|container| {
            let label = |name: &str| container.labels.get(name).cloned();
            let (project, service) = (label(labels::COMPOSE_PROJECT), label(labels::COMPOSE_SERVICE));
            (container.id.clone(), container.name.clone(), project, service)
        })
        .collect();
    for container in &mut containers {
        let own_project = container.labels.get(labels::COMPOSE_PROJECT).cloned();
        let name_of = |other: &str| {
            let (_, name, project, service) =
                names.iter().find(|(id, name, ..)| id == other || name == other)?;
            match service {
                Some(service) if own_project.is_some() && *project == own_project => {
                    Some(format!("service:{service}"))
                }
                _ => Some(format!("container:{name}")),
            }
        };
        if let Some(Known::Known(fields)) = &mut container.fields {
            share_container(fields, name_of);
        }
    }
    containers
}

/// The networks by id to which running containers are attached, with the containers' names.
pub(super) fn attached(network: &Network, listed: &[Listed]) -> Vec<String> {
    let mut names: Vec<String> = listed
        .iter()
        .filter(|(container, _)| facts::is_running(container))
        .filter(|(container, _)| {
            let networks =
                container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
            networks.into_iter().flatten().any(|(_, endpoint)| endpoint.network_id == network.id)
        })
        .map(|(container, _)| facts::name(container))
        .collect();
    names.sort_unstable();
    names
}
