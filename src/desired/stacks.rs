//! What a Stack's Compose files mean: variables resolved, files read at the wanted commit, services rendered.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::claims::ClaimPlaces;
use super::files::StackFiles;
use super::rules::ReadablePaths;
use super::state::StackUnknown;
use super::tree::Tree;
use super::typed::Described;
use crate::clients::secrets::{SecretError, SecretResolver};
use crate::engine::spec::ProjectSpec;
use crate::model::document::Size;
use crate::model::hash::canonical_hash;
use crate::model::problem::Problem;
use crate::model::secret::{MASK, Redactor};
use crate::model::time::parse_duration;
use crate::skills::stack::compose::{self, ComposeProject, ComposeRequest};
use crate::skills::stack::render::{RenderContext, render};
use crate::skills::stack::spec::{StackSpec, Variable};

/// How long a start may take when the Stack doesn't say.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(300);
/// Stands for a secret without a value, so that the files are checked all the same.
const PLACEHOLDER: &str = "secret-without-a-value";

/// Values in the Compose files of all stacks of a revision, each file counted twice for each stack that names it, as
/// it is read twice: a thousand ordinary stacks have 300,000.
const COMPOSE_NODES_MAX: usize = 300_000;
/// Bytes of text in them.
const COMPOSE_BYTES_MAX: usize = 64 << 20;

/// Where a stack's files are.
pub struct StackPlace<'a> {
    /// The repository at the wanted commit.
    pub tree: &'a Tree,
    /// The absolute directory of the checkout on the host.
    pub checkout: &'a str,
    /// The state repository at the revision, for encrypted secrets.
    pub state: &'a Tree,
    /// The controller's own folder, of which nothing is read.
    pub state_dir: &'a Path,
    /// What the Compose files of the stacks so far hold.
    pub held: &'a Cell<Size>,
}

/// What became of a stack.
pub struct StackLoad {
    /// What runs, or why it is not known.
    pub project: Result<ProjectSpec, StackUnknown>,
    /// Whether the checkout has to be there for it to run.
    pub needs_checkout: bool,
    /// Canonical hash over the spec, the Compose model and the repository's files that it mounts.
    pub digest: String,
    /// Where what it claims is written.
    pub places: ClaimPlaces,
}

/// The values of a stack's variables.
#[derive(Default)]
struct Variables {
    values: BTreeMap<String, String>,
    secret: BTreeSet<String>,
    unknown: Option<StackUnknown>,
}

/// Loads the Compose files of a stack.
pub fn load_stack(
    stack: &Described<StackSpec>,
    place: &StackPlace<'_>,
    secrets: &SecretResolver,
    redactor: &mut Redactor,
    problems: &mut Vec<Problem>,
) -> StackLoad {
    let unknown = |why: &str| StackUnknown { secret_missing: false, why: why.to_owned() };
    let nothing = |why: StackUnknown| StackLoad {
        project: Err(why),
        needs_checkout: false,
        digest: stack.resource.digest.clone(),
        places: ClaimPlaces::default(),
    };
    let paths = ReadablePaths::of(&stack.resource.spec.compose);
    if paths.spec.files.is_empty() && !paths.whole {
        return nothing(unknown("its paths are not valid"));
    }
    if place.held.get().exceeds(COMPOSE_NODES_MAX, COMPOSE_BYTES_MAX) {
        return nothing(unknown("the Compose files of the stacks before it hold too much"));
    }
    let variables = resolve_variables(stack, place.state, secrets, redactor, problems);
    let files = StackFiles { tree: place.tree, checkout: place.checkout, state_dir: place.state_dir };
    let loaded = compose::load(&ComposeRequest {
        stack: &stack.resource.id.name,
        spec: &paths.spec,
        working_dir: place.checkout,
        variables: &variables.values,
        secret_variables: &variables.secret,
        files: &files,
        place: &|pointer| Some(stack.value(&paths.pointer(pointer)?).clone()),
    });
    let about_variables = |problem: &Problem| matches!(problem.rule, "required-variable" | "unset-variable");
    // Without one of its env files nobody knows which variables are set.
    let told = loaded.problems.into_iter().filter(|problem| paths.whole || !about_variables(problem));
    problems.extend(told.map(|problem| located(problem, stack)));
    hold(stack, loaded.held, place.held, problems);
    let Some(project) = loaded.project.filter(|_| paths.whole) else {
        return nothing(unknown(loaded.unknown.as_deref().unwrap_or("its Compose files have errors")));
    };
    for (pointer, content) in &project.contents {
        if pointer.starts_with("/secrets/") {
            redactor.learn(content);
        }
    }
    let public = public_names(&project);
    for value in &project.secret_values {
        // A password that is also an image's or a service's name hides nothing, and masking it would hide those.
        if !public.iter().any(|name| name.contains(value.as_str())) {
            redactor.suspect(value);
        }
    }
    warn_of_readable_secrets(stack, &project, problems);
    let needs_checkout = mentions_checkout(&project.json, place.checkout);
    // Whatever digest rendering asks for is part of what the stack depends on.
    let digests = RefCell::new(BTreeMap::new());
    let digest_of = |path: &str| {
        let inner = files.inner(path)?;
        let digest = match files.tree.digest(inner) {
            Ok(Some(digest)) => Some(digest),
            _ => files.tree.folder_digest(inner).ok().flatten(),
        }?;
        digests.borrow_mut().insert(inner.to_owned(), digest.clone());
        Some(digest)
    };
    let timeout = stack.resource.spec.health_timeout.as_deref().and_then(parse_duration);
    let rendered = render(
        &project,
        &RenderContext {
            health_timeout: timeout.unwrap_or(HEALTH_TIMEOUT),
            digest: &digest_of,
            variable: &|name| project.content_of(name).map(str::to_owned),
        },
    );
    let spec = match rendered {
        Ok(spec) => spec,
        Err(found) => {
            problems.extend(found.into_iter().map(|problem| located(problem, stack)));
            return nothing(unknown("its Compose files have errors"));
        }
    };
    let digest = digest(stack, &project, &digests.borrow(), redactor);
    let places = ClaimPlaces::of(&project);
    let project = match variables.unknown {
        Some(why) => Err(why),
        None => Ok(spec),
    };
    StackLoad { project, needs_checkout, digest, places }
}

/// Adds what a stack's files hold to what those of the revision hold; says so once when it is too much.
fn hold(stack: &Described<StackSpec>, held: Size, all: &Cell<Size>, problems: &mut Vec<Problem>) {
    let mut sum = all.get();
    sum.add(held);
    all.set(sum);
    if sum.exceeds(COMPOSE_NODES_MAX, COMPOSE_BYTES_MAX) {
        let message = format!(
            "the Compose files of all stacks hold more than {COMPOSE_NODES_MAX} values or {COMPOSE_BYTES_MAX} bytes"
        );
        let problem = stack.key("/spec/compose/files").error("too-many-values", message);
        problems.push(problem.with_hint("Split the stacks over several state repositories."));
    }
}

/// A problem that belongs to no line of a Compose file belongs to the Stack's `compose.files`.
fn located(problem: Problem, stack: &Described<StackSpec>) -> Problem {
    match problem.location {
        Some(_) => problem,
        None => stack.key("/spec/compose/files").mark(problem),
    }
}

fn resolve_variables(
    stack: &Described<StackSpec>,
    state: &Tree,
    secrets: &SecretResolver,
    redactor: &mut Redactor,
    problems: &mut Vec<Problem>,
) -> Variables {
    let mut variables = Variables::default();
    for (name, variable) in &stack.resource.spec.variables {
        let reference = match variable {
            Variable::Text(text) => {
                variables.values.insert(name.clone(), text.clone());
                continue;
            }
            Variable::Secret(reference) => reference,
        };
        variables.secret.insert(name.clone());
        match secrets.resolve(reference, state) {
            Ok(value) => {
                redactor.learn(value.expose_secret());
                variables.values.insert(name.clone(), value.expose_secret().to_owned());
            }
            Err(err) => {
                let secret_missing = matches!(err, SecretError::Missing(_));
                let why = format!("the secret `{name}` has no value: {err}");
                let pointer = format!("/spec/variables/{}", name.replace('~', "~0").replace('/', "~1"));
                problems.push(stack.key(&pointer).warning("secret-without-value", why.clone()));
                variables.values.insert(name.clone(), PLACEHOLDER.to_owned());
                // One that can't be read is tried again, so it decides over one that is missing.
                let first = variables.unknown.as_ref().is_none_or(|known| known.secret_missing);
                if first {
                    variables.unknown = Some(StackUnknown { secret_missing, why });
                }
            }
        }
    }
    variables
}

/// The names by which people know the parts of a project.
fn public_names(project: &ComposeProject) -> Vec<&str> {
    let mut names = vec![project.name.as_str()];
    for part in ["services", "networks", "volumes", "configs", "secrets"] {
        let entries = project.json.get(part).and_then(Value::as_object).into_iter().flatten();
        for (name, entry) in entries {
            names.push(name);
            names.extend(
                ["image", "name", "container_name"].iter().filter_map(|key| entry.get(*key)?.as_str()),
            );
        }
    }
    names
}

/// Whether any path in the model lies in the checkout: binds, build contexts, files of configs and secrets.
fn mentions_checkout(model: &Value, checkout: &str) -> bool {
    let inside = |value: Option<&Value>| {
        let path = value.and_then(Value::as_str);
        path.and_then(|path| path.strip_prefix(checkout))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let services = model.get("services").and_then(Value::as_object);
    let in_services = services.into_iter().flatten().any(|(_, service)| {
        let volumes = service.get("volumes").and_then(Value::as_array);
        let binds = volumes.into_iter().flatten().any(|volume| {
            volume.get("type").and_then(Value::as_str) == Some("bind") && inside(volume.get("source"))
        });
        binds || inside(service.pointer("/build/context"))
    });
    let in_files = ["configs", "secrets"].iter().any(|key| {
        let files = model.get(key).and_then(Value::as_object);
        files.into_iter().flatten().any(|(_, file)| inside(file.get("file")))
    });
    in_services || in_files
}

/// The engine shows a container's environment to all who may ask it; that is how environments work, and worth knowing.
fn warn_of_readable_secrets(
    stack: &Described<StackSpec>,
    project: &ComposeProject,
    problems: &mut Vec<Problem>,
) {
    let services = project.secret_environment.iter().filter(|(_, names)| !names.is_empty());
    let named: Vec<String> = services
        .map(|(service, names)| {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("{} of service `{service}`", names.join(", "))
        })
        .collect();
    if named.is_empty() {
        return;
    }
    let message = format!("whoever may use Docker on the host can read secrets: {}", named.join("; "));
    problems.push(
        stack
            .key("/spec/variables")
            .warning("readable-secrets", message)
            .with_hint("Where the image takes a file (`…_FILE`), use `secrets` of the Compose file instead."),
    );
}

fn digest(
    stack: &Described<StackSpec>,
    project: &ComposeProject,
    files: &BTreeMap<String, String>,
    redactor: &Redactor,
) -> String {
    let mut model = project.json.clone();
    for (service, names) in &project.secret_environment {
        let pointer = format!("/services/{}/environment", service.replace('~', "~0").replace('/', "~1"));
        if let Some(Value::Object(environment)) = model.pointer_mut(&pointer) {
            for name in names {
                environment.insert(name.clone(), Value::String(MASK.to_owned()));
            }
        }
    }
    redact(&mut model, redactor);
    let spec = serde_json::to_value(&stack.resource.spec).expect("a spec is JSON");
    canonical_hash(&json!({ "spec": spec, "compose": model, "files": files }))
}

fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => *text = redactor.redact(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(map) => map.values_mut().for_each(|value| redact(value, redactor)),
        _ => {}
    }
}
