//! Puts typed documents, the content of repositories and rendered stacks together to one desired state.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::json;

use super::claimants::check_claims;
use super::claims::ClaimPlaces;
use super::engine_keys::engine_keys;
use super::environment_rules;
use super::environments::{Code, EnvironmentPlace, commit_of, load_environment};
use super::layout_rules;
use super::layouts::{LayoutPlace, load_layout};
use super::repositories::{Content, content};
use super::source::{At, Source};
use super::stacks::{StackLoad, StackPlace, load_stack};
use super::state::{DesiredState, RepositoryDesired, StackDesired, StackUnknown};
use super::tree::Tree;
use super::typed::{Described, Typed};
use crate::clients::secrets::SecretResolver;
use crate::model::document::Size;
use crate::model::hash::canonical_hash;
use crate::model::id::Revision;
use crate::model::problem::Problem;
use crate::model::secret::Redactor;
use crate::skills::environment::spec::EnvironmentSpec;
use crate::skills::layout::spec::LayoutSpec;
use crate::skills::repository::checkout::CheckoutDesired;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::spec::StackSpec;

/// The folder of checkouts of which nobody said where they should be.
const CHECKOUTS: &str = "checkouts";
/// The name of the state repository's own checkout there; no Repository can have it, as names begin with a letter or digit.
const STATE_CHECKOUT: &str = "_state";
/// What the names of the checkouts of Environments begin with there.
const ENVIRONMENT_CHECKOUT: &str = "_environment-";
/// The folder of what is rendered.
const FILES: &str = "files";
/// The folder of files that others changed in those checkouts.
const KEPT: &str = "kept";

/// A repository with its content, while the state is put together.
struct Known<'a> {
    described: &'a Described<RepositorySpec>,
    content: Content,
    tree: Option<Tree>,
    directory: String,
    /// See `CheckoutDesired`.
    kept: Option<String>,
    /// The host on which a stack needs its files.
    needed_on: Option<String>,
}

/// What is read: the state repository at one revision.
#[derive(Clone, Copy)]
pub struct StatePlace<'a> {
    /// The repository.
    pub source: &'a Source,
    /// What was asked for.
    pub at: &'a At,
    /// Its files.
    pub tree: &'a Tree,
    /// What it is called.
    pub revision: &'a Revision,
}

/// Puts the desired state together. What is found on the way is added to the problems; the state counts only without errors.
pub fn assemble(
    place: StatePlace<'_>,
    typed: Typed,
    failed: &BTreeMap<String, String>,
    secrets: &SecretResolver,
    problems: &mut Vec<Problem>,
) -> DesiredState {
    let StatePlace { source, at, tree: state_tree, revision } = place;
    let mut redactor = Redactor::default();
    let checkouts = source.settings().state_dir.join(CHECKOUTS);
    let state_directory = match (at, source.working_tree()) {
        (At::WorkingTree, Some(root)) => root.display().to_string(),
        _ => checkouts.join(STATE_CHECKOUT).display().to_string(),
    };
    let mut repositories: BTreeMap<&str, Known> = BTreeMap::new();
    for described in &typed.repositories {
        let name = described.resource.id.name.as_str();
        let known = know(source, described, failed, checkouts.join(name).display().to_string(), problems);
        repositories.entry(name).or_insert(known);
    }
    let endpoints: BTreeMap<&str, &str> = typed
        .hosts
        .iter()
        .map(|host| (host.resource.id.name.as_str(), host.resource.spec.engine.endpoint.as_str()))
        .collect();
    let engine_keys = engine_keys(&typed.hosts, state_tree, secrets, &mut redactor, problems);
    let mut loads = Vec::new();
    let held = Cell::new(Size::default());
    for stack in &typed.stacks {
        let spec = &stack.resource.spec;
        let place = match spec.repository.as_deref().map(|name| repositories.get(name)) {
            None => Ok((state_tree, state_directory.as_str())),
            Some(Some(known)) => match (&known.tree, &known.content.commit) {
                (Some(tree), _) => Ok((tree, known.directory.as_str())),
                (None, Err(why)) => Err(why.clone()),
                (None, Ok(commit)) => Err(format!("the commit {commit} can't be read")),
            },
            Some(None) => Err(String::new()),
        };
        let load = match place {
            Ok((tree, checkout)) => {
                let state_dir = &source.settings().state_dir;
                let place = StackPlace { tree, checkout, state: state_tree, state_dir, held: &held };
                load_stack(stack, &place, secrets, &mut redactor, problems)
            }
            Err(why) => unknown_stack(stack, why, problems),
        };
        if load.needs_checkout {
            check_host_has_files(stack, &stack.resource.spec.host, "stack", &endpoints, problems);
            if let Some(known) = spec.repository.as_deref().and_then(|name| repositories.get_mut(name)) {
                need_on(known, stack, problems);
            }
        }
        loads.push(load);
    }
    let mut environments = Vec::new();
    for environment in &typed.environments {
        let name = environment.resource.id.name.as_str();
        let code = code_of(place, environment, &repositories, failed, problems);
        check_host_has_files(
            environment,
            &environment.resource.spec.host,
            "environment",
            &endpoints,
            problems,
        );
        let files = source.settings().state_dir.join(FILES).join(format!("environment-{name}"));
        let own = EnvironmentPlace { state: state_tree, files: files.display().to_string(), secrets };
        environments.push(load_environment(environment, code, &own, &mut redactor, problems));
    }
    let layouts = typed
        .layouts
        .iter()
        .map(|layout| {
            let place = layout_place(layout, &repositories);
            let layout = load_layout(layout, place, &source.settings().allow, problems);
            (layout.resource.id.name.clone(), layout)
        })
        .collect();
    environment_rules::check_budgets(&typed.hosts, &typed.environments, problems);
    layout_rules::check_checkouts(&typed.layouts, problems);
    check_claims(&typed, &loads, &environments, &endpoints, problems);
    let stacks = typed.stacks.iter().zip(loads).map(|(stack, load)| {
        let needs = load.needs_checkout && stack.resource.spec.repository.is_none();
        let commit = revision.commit.clone().filter(|_| needs && *at != At::WorkingTree);
        let checkout = commit.and_then(|commit| {
            Some(CheckoutDesired {
                host: stack.resource.spec.host.clone(),
                path: state_directory.clone(),
                commit,
                objects: source.git_dir()?.display().to_string(),
                url: None,
                kept: Some(kept_of(source, STATE_CHECKOUT)),
                is_alone: false,
            })
        });
        let mut resource = stack.resource.clone();
        resource.digest = load.digest;
        (resource.id.name.clone(), StackDesired { resource, project: load.project, checkout })
    });
    let stacks = stacks.collect();
    let mut state = DesiredState {
        revision: revision.clone(),
        hosts: typed
            .hosts
            .iter()
            .map(|host| (host.resource.id.name.clone(), host.resource.clone()))
            .collect(),
        engine_keys,
        layouts,
        stacks,
        environments: environments.into_iter().map(|(it, _)| (it.resource.id.name.clone(), it)).collect(),
        repositories: BTreeMap::new(),
        warnings: Vec::new(),
        digest: String::new(),
        redactor,
    };
    for (name, known) in repositories {
        let repository = desired_repository(known, &endpoints, problems);
        state.repositories.insert(name.to_owned(), repository);
    }
    let digests: BTreeMap<String, Option<&str>> =
        state.ids().iter().map(|id| (id.to_string(), state.digest_of(id))).collect();
    state.digest = canonical_hash(&json!(digests));
    state
}

/// What is known of a repository; a reference that it doesn't have is an error of the document.
fn know<'a>(
    source: &Source,
    described: &'a Described<RepositorySpec>,
    failed: &BTreeMap<String, String>,
    default_directory: String,
    problems: &mut Vec<Problem>,
) -> Known<'a> {
    let spec = &described.resource.spec;
    let content = content(source, described, failed.get(&described.resource.id.name));
    match (&content.commit, &content.unknown_reference) {
        (Err(why), Some(hint)) => {
            let mut problem = described.value("/spec/ref").error("unknown-ref", why.clone());
            problem.hint = (!hint.is_empty()).then(|| hint.clone());
            problems.push(problem);
        }
        (Err(_), None) if content.objects.as_os_str().is_empty() => {}
        (Err(why), None) => {
            let message = format!("its commit is not known: {why}");
            problems.push(described.value("/spec/url").warning("repository-unknown", message));
        }
        (Ok(_), _) => {}
    }
    let tree = content.commit.as_ref().ok().and_then(|commit| {
        let objects = git2::Repository::open_bare(&content.objects).ok()?;
        Tree::commit(objects, commit).ok()
    });
    let directory =
        spec.checkout.as_ref().map_or(default_directory, |path| path.trim_end_matches('/').to_owned());
    let kept = spec.checkout.is_none().then(|| kept_of(source, &described.resource.id.name));
    Known { described, content, tree, directory, kept, needed_on: None }
}

fn unknown_stack(stack: &Described<StackSpec>, why: String, problems: &mut Vec<Problem>) -> StackLoad {
    // A Repository that isn't described is a dangling reference, and reported as that.
    let is_dangling = why.is_empty();
    let why = format!("its Compose files can't be read: {why}");
    if !is_dangling {
        problems.push(stack.value("/spec/repository").warning("stack-unknown", why.clone()));
    }
    StackLoad {
        project: Err(StackUnknown { secret_missing: false, why }),
        needs_checkout: false,
        digest: stack.resource.digest.clone(),
        places: ClaimPlaces::default(),
    }
}

/// Files can only be put where the controller itself runs.
fn check_host_has_files<S>(
    described: &Described<S>,
    host: &str,
    what: &str,
    endpoints: &BTreeMap<&str, &str>,
    problems: &mut Vec<Problem>,
) {
    if let Some(endpoint) = endpoints.get(host).filter(|endpoint| !endpoint.starts_with("unix://")) {
        let message = format!(
            "the {what} mounts files, and `{host}` is reached by `{endpoint}`: files on other machines are not supported by this version"
        );
        problems.push(
            described
                .value("/spec/host")
                .error("remote-files", message)
                .with_hint("Run ipaictl on that machine, or put the files into the image."),
        );
    }
}

/// Notes that a stack needs a repository's files on its host.
fn need_on(known: &mut Known<'_>, stack: &Described<StackSpec>, problems: &mut Vec<Problem>) {
    let host = &stack.resource.spec.host;
    let checkout_host = known.described.resource.spec.host.as_ref().or(known.needed_on.as_ref());
    match checkout_host {
        Some(other) if other != host => {
            let id = &known.described.resource.id;
            let message =
                format!("the stack mounts files of `{id}`, whose checkout is on `{other}`, not on `{host}`");
            problems.push(
                stack
                    .value("/spec/host")
                    .error("checkout-elsewhere", message)
                    .with_related(
                        known.described.resource.place.location(),
                        "the Repository is described here",
                    )
                    .with_hint("Describe the repository a second time, under another name, for this host."),
            );
        }
        _ => known.needed_on = Some(host.clone()),
    }
}

/// The code of an Environment at the commit that has to run.
fn code_of(
    place: StatePlace<'_>,
    environment: &Described<EnvironmentSpec>,
    repositories: &BTreeMap<&str, Known<'_>>,
    failed: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Result<Code, String> {
    let StatePlace { source, at, revision, .. } = place;
    let checkout = format!("{ENVIRONMENT_CHECKOUT}{}", environment.resource.id.name);
    let folder = source.settings().state_dir.join(CHECKOUTS).join(&checkout).display().to_string();
    let kept = kept_of(source, &checkout);
    let Some(name) = environment.resource.spec.source.repository.as_deref() else {
        let tree = source.tree(at).map_err(|err| err.to_string())?;
        return match (at, source.working_tree(), &revision.commit) {
            (At::WorkingTree, Some(root), _) => {
                let folder = root.display().to_string();
                Ok(Code { tree, commit: None, objects: folder.clone(), folder, url: None, kept })
            }
            (_, _, Some(commit)) => {
                let objects = source.git_dir().map(|path| path.display().to_string()).unwrap_or_default();
                Ok(Code { tree, commit: Some(commit.clone()), objects, folder, url: None, kept })
            }
            _ => Err("the state repository has no commit".to_owned()),
        };
    };
    let Some(known) = repositories.get(name) else { return Err(format!("there is no Repository `{name}`")) };
    let commit = commit_of(environment, &known.content, failed.get(name), problems)?;
    let objects = git2::Repository::open_bare(&known.content.objects).map_err(|err| err.to_string())?;
    let tree =
        Tree::commit(objects, &commit).map_err(|err| format!("the commit {commit} can't be read: {err}"))?;
    Ok(Code {
        tree,
        commit: Some(commit),
        objects: known.content.objects.display().to_string(),
        folder,
        url: Some(known.described.resource.spec.url.clone()),
        kept,
    })
}

/// The checkout that a layout keeps in shape.
fn layout_place<'a>(
    layout: &Described<LayoutSpec>,
    repositories: &'a BTreeMap<&str, Known<'_>>,
) -> Result<LayoutPlace<'a>, String> {
    let name = &layout.resource.spec.repository;
    let known = repositories.get(name.as_str()).ok_or_else(|| format!("there is no Repository `{name}`"))?;
    let host = known.described.resource.spec.host.as_deref().or(known.needed_on.as_deref());
    let host = host.ok_or_else(|| format!("Repository `{name}` has no `host`, so there is no checkout"))?;
    match (&known.tree, &known.content.commit) {
        (Some(tree), _) => {
            Ok(LayoutPlace { tree, checkout: &known.directory, is_own: known.kept.is_some(), host })
        }
        (None, Err(why)) => Err(why.clone()),
        (None, Ok(commit)) => Err(format!("the commit {commit} can't be read")),
    }
}

fn desired_repository(
    known: Known<'_>,
    endpoints: &BTreeMap<&str, &str>,
    problems: &mut Vec<Problem>,
) -> RepositoryDesired {
    let Known { described, content, directory, kept, needed_on, .. } = known;
    let mut resource = described.resource.clone();
    let spec = &resource.spec;
    if let Some(host) = &spec.host
        && let Some(endpoint) = endpoints.get(host.as_str()).filter(|it| !it.starts_with("unix://"))
    {
        let message = format!(
            "`{host}` is reached by `{endpoint}`: checkouts on other machines are not supported by this version"
        );
        problems.push(described.value("/spec/host").error("remote-files", message));
    }
    let host = spec.host.clone().or(needed_on);
    let checkout = host.zip(content.commit.as_ref().ok()).map(|(host, commit)| CheckoutDesired {
        host,
        path: directory,
        commit: commit.clone(),
        objects: content.objects.display().to_string(),
        url: Some(spec.url.clone()),
        kept,
        is_alone: false,
    });
    let spec = serde_json::to_value(spec).expect("a spec is JSON");
    resource.digest = canonical_hash(&json!({ "spec": spec, "commit": content.commit.as_ref().ok() }));
    RepositoryDesired { resource, commit: content.commit, checkout }
}

/// Where files that others changed in our own checkout are kept.
fn kept_of(source: &Source, checkout: &str) -> String {
    source.settings().state_dir.join(KEPT).join(checkout).display().to_string()
}
