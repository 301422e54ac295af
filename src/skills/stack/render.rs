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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(json: &Value) -> Result<ProjectSpec, Vec<Problem>> {
        let canonical = Canonical {
            name: "p",
            working_dir: "/srv",
            config_files: &["/srv/compose.yaml".to_owned()],
            json,
            disabled_services: &BTreeSet::new(),
            secret_environment: &BTreeMap::new(),
            place: &|_| None,
        };
        let digest = |path: &str| (path == "/srv/conf").then(|| "tree:1".to_owned());
        let context =
            RenderContext { health_timeout: Duration::from_secs(60), digest: &digest, variable: &|_| None };
        render_canonical(&canonical, &context)
    }

    #[test]
    fn what_is_not_done_is_refused_by_name_and_all_of_it_at_once() {
        let problems = rendered(&json!({
            "services": {"one": {
                "image": "x", "post_start": [{"command": "x"}], "provider": {"type": "x"}, "pull_policy": "daily",
                "mem_limit": "plenty", "security_opt": ["seccomp=profile.json"], "healthcheck": {"interval": "soon"},
                "build": {"context": "https://example.com/x.git", "ssh": ["default"]},
                "volumes": [{"type": "image", "source": "x", "target": "/x"}],
                "configs": [{"source": "nowhere"}, {"source": "unset"}], "read_only": true,
                "container_name": "one", "scale": 2
            }},
            "configs": {"unset": {"environment": "UNSET"}}
        }))
        .unwrap_err();
        let text: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
        for part in [
            "`post_start`",
            "`provider`",
            "`pull_policy: daily`",
            "`mem_limit` has to be",
            "a seccomp profile in a file",
            "`interval` has to be",
            "a build context that is no directory",
            "`build.ssh`",
            "a volume of type `image`",
            "`nowhere`",
            "the variable `UNSET` of `unset` has no value",
            "one `container_name`",
        ] {
            assert!(text.iter().any(|message| message.contains(part)), "{part}: {text:#?}");
        }
    }

    #[test]
    fn only_files_that_count_are_watched() {
        let volume = |source: &str, read_only: bool| {
            json!({"type": "bind", "source": source, "target": format!("/mnt{source}"), "read_only": read_only,
                   "bind": {"create_host_path": true}})
        };
        let project = rendered(&json!({"services": {"one": {
            "image": "x",
            "volumes": [volume("/srv/conf", false), volume("/srv/data", false), volume("/etc/localtime", true)]
        }}}))
        .unwrap();
        let files: Vec<(&str, Option<&str>)> = project.services[0]
            .files
            .iter()
            .map(|file| (file.host_path.as_str(), file.digest.as_deref()))
            .collect();
        assert_eq!(files, [("/etc/localtime", None), ("/srv/conf", Some("tree:1"))]);
    }
}
