//! From a project in Compose's canonical form to what the engine is asked for.
//!
//! Asks for the same as Docker Compose v2 would, field by field, so that what ipaictl made is what Compose would have
//! made. What an engine can't be asked for, or what this version does not do, is a problem that names the field.
//! Deliberately not done: `build` with BuildKit's options, life cycle hooks, providers and models.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod build;
mod host;
mod mounts;
mod networks;
mod service;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::compose::ComposeProject;
use crate::engine::spec::ProjectSpec;
use crate::model::document::Place;
use crate::model::problem::{Location, Problem};
use value::{Problems, entries};

/// What rendering needs to know beside the files.
pub struct RenderContext<'a> {
    /// When a wait for a service's health gives up.
    pub health_timeout: Duration,
    /// The digest that the desired revision gives to an absolute path on the host: `sha256:<hex>` for a file,
    /// `tree:<object id>` for a directory, nothing for what is not part of the repository.
    pub digest: &'a dyn Fn(&str) -> Option<String>,
    /// The value of a variable, for configs and secrets that come from one.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A project in canonical form, wherever it came from.
pub struct Canonical<'a> {
    /// The project's name.
    pub name: &'a str,
    /// The directory on the host in which relative paths were resolved.
    pub working_dir: &'a str,
    /// The Compose files, absolute on the host.
    pub config_files: &'a [String],
    /// As `docker compose config --format json` prints it, without `$$`.
    pub json: &'a Value,
    /// Services that are not enabled.
    pub disabled_services: &'a BTreeSet<String>,
    /// By service: environment variables that are secrets.
    pub secret_environment: &'a BTreeMap<String, BTreeSet<String>>,
    /// The place of a JSON pointer, when places are known.
    pub place: &'a dyn Fn(&str) -> Option<Place>,
}

/// Renders a project; or says everything that can't be done.
pub fn render(project: &ComposeProject, context: &RenderContext) -> Result<ProjectSpec, Vec<Problem>> {
    let place = |pointer: &str| Some(project.place(pointer).clone());
    let canonical = Canonical {
        name: &project.name,
        working_dir: &project.working_dir,
        config_files: &project.config_files,
        json: &project.json,
        disabled_services: &project.disabled_services,
        secret_environment: &project.secret_environment,
        place: &place,
    };
    render_canonical(&canonical, context)
}

/// Renders a project in canonical form.
pub fn render_canonical(project: &Canonical, context: &RenderContext) -> Result<ProjectSpec, Vec<Problem>> {
    let problems = Problems::new(project.place);
    let mut services = Vec::new();
    for (name, service) in entries(project.json, "services") {
        services.extend(service::service(project, context, &problems, name, service));
    }
    services.sort_by(|a, b| a.name.cmp(&b.name));
    let spec = ProjectSpec {
        name: project.name.to_owned(),
        working_dir: project.working_dir.to_owned(),
        config_files: project.config_files.to_vec(),
        services,
        disabled_services: project.disabled_services.clone(),
        networks: networks::networks(project, &problems),
        volumes: networks::volumes(project, &problems),
    };
    problems.none_or(spec)
}

/// Where something is described; the first Compose file when places are not known.
fn location(project: &Canonical, pointer: &str) -> Location {
    match (project.place)(pointer) {
        Some(place) => place.location(),
        None => Location::of_file(project.config_files.first().cloned().unwrap_or_default()),
    }
}
