//! What one document must keep beyond its schema, and what of it has no effect in this version.

use chrono::{DateTime, Duration, Utc};

use super::typed::Described;
use crate::clients::git_url::RemoteUrl;
use crate::model::document::Place;
use crate::model::id::{KINDS_LATER, Kind, ResourceId};
use crate::model::problem::{Problem, nearest};
use crate::model::secret::is_secret_name;
use crate::skills::host::spec::HostSpec;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::spec::{ComposeSpec, StackSpec, Variable};

/// How long a resource may stay suspended without somebody looking again.
const SUSPEND_DAYS_MAX: i64 = 7;

/// Checks what every kind accepts.
pub fn check_common<S>(described: &Described<S>, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    let common = &described.resource.common;
    if common.suspend.as_ref().is_some_and(|suspend| suspend.until.is_none()) {
        let end = (now + Duration::days(SUSPEND_DAYS_MAX)).format("%Y-%m-%dT%H:%M:%SZ");
        let hint = format!(
            "Add `until`, at most {SUSPEND_DAYS_MAX} days ahead, such as `until: {end}`: what is suspended is easily forgotten."
        );
        let message = "`spec.suspend` has no end";
        problems.push(described.key("/spec/suspend").error("suspended-without-end", message).with_hint(hint));
    }
    if let Some(until) = common.suspend.as_ref().and_then(|suspend| suspend.until)
        && until > now + Duration::days(SUSPEND_DAYS_MAX)
    {
        let message = format!("`spec.suspend.until` is more than {SUSPEND_DAYS_MAX} days ahead");
        problems.push(
            described
                .value("/spec/suspend/until")
                .error("suspended-too-long", message)
                .with_hint("Take an earlier time and renew it: what is suspended is easily forgotten."),
        );
    }
    for (index, text) in common.depends_on.iter().enumerate() {
        if ResourceId::parse(text).is_none() {
            let place = described.value(&format!("/spec/dependsOn/{index}"));
            problems.push(reference_fault(place, text));
        }
    }
    not_enforced(described, &["moved", "windows"], problems);
    for group in ["labels", "annotations"] {
        warn_of_plain_secrets(described, &format!("/metadata/{group}"), problems);
    }
}

/// What is wrong with a text that names no resource.
fn reference_fault(place: &Place, text: &str) -> Problem {
    let kinds = || Kind::ALL.iter().map(|kind| kind.as_str());
    match text.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !kinds().any(|known| known == kind) => {
            let later = KINDS_LATER.contains(&kind);
            let message = match later {
                true => format!("kind `{kind}` is not supported by this version"),
                false => format!("`{text}` names the unknown kind `{kind}`"),
            };
            let rule = if later { "kind-not-supported" } else { "unknown-kind" };
            let known: Vec<String> = kinds().map(|kind| format!("`{kind}`")).collect();
            place.error(rule, message).with_hint(match nearest(kind, kinds()) {
                Some(near) if !later => format!("Did you mean `{near}/{name}`?"),
                _ => format!("Known are {}.", known.join(", ")),
            })
        }
        _ => place
            .error("invalid-reference", format!("`{text}` is not of the form `Kind/name`"))
            .with_hint("Write a kind, `/` and the resource's name, such as `Host/local`."),
    }
}

/// Checks a machine.
pub fn check_host(host: &Described<HostSpec>, problems: &mut Vec<Problem>) {
    let engine = &host.resource.spec.engine;
    let needs_tls = engine.endpoint.starts_with("tcp://");
    if needs_tls && engine.tls.is_none() {
        problems.push(
            host.value("/spec/engine/endpoint")
                .error("tls-required", "an engine that is reached by `tcp://` needs `tls`")
                .with_hint("Without it anybody on the network could do anything to the machine: give `caFrom`, `certFrom` and `keyFrom`, or use `ssh://`."),
        );
    }
    if !needs_tls && engine.tls.is_some() {
        let message = "`spec.engine.tls` has no meaning without `tcp://`";
        problems.push(host.key("/spec/engine/tls").error("tls-without-tcp", message));
    }
    for (index, prefix) in host.resource.spec.protected_prefixes.iter().enumerate() {
        if prefix.is_empty() {
            let place = host.value(&format!("/spec/protectedPrefixes/{index}"));
            problems.push(place.error("empty-field", "an empty prefix would protect every name"));
        }
    }
    not_enforced(host, &["droplet", "ingress"], problems);
    if host.resource.spec.budget.as_ref().is_some_and(|budget| budget.get("disk").is_some()) {
        let message = "`spec.budget.disk` is not enforced by this version";
        problems.push(host.key("/spec/budget/disk").warning("not-enforced", message));
    }
}

/// Checks a repository.
pub fn check_repository(
    repository: &Described<RepositorySpec>,
    allow: &[String],
    problems: &mut Vec<Problem>,
) {
    let spec = &repository.resource.spec;
    if let Err(why) = RemoteUrl::parse(&spec.url, allow) {
        // The line is not shown: a URL may contain a password.
        let place = repository.value("/spec/url").location();
        problems.push(Problem::error("url-not-allowed", why).at(place));
    }
    if spec.checkout.is_some() && spec.host.is_none() {
        problems.push(
            repository
                .key("/spec/checkout")
                .error("missing-field", "`spec.checkout` needs `spec.host`")
                .with_hint("`host`: the Host on which the checkout is."),
        );
    }
    let leaves = |path: &String| path.split('/').any(|part| part == ".." || part == ".");
    if spec.checkout.as_ref().is_some_and(leaves) {
        let message = "`spec.checkout` must not contain `.` or `..`";
        problems.push(repository.value("/spec/checkout").error("invalid-value", message));
    }
}

/// Checks a stack.
pub fn check_stack(stack: &Described<StackSpec>, problems: &mut Vec<Problem>) {
    let spec = &stack.resource.spec;
    for (field, paths, absolute_is_fine) in
        [("files", &spec.compose.files, false), ("envFiles", &spec.compose.env_files, true)]
    {
        for (index, path) in paths.iter().enumerate() {
            let place = stack.value(&format!("/spec/compose/{field}/{index}"));
            let Some(wrong) = path_fault(path, absolute_is_fine) else { continue };
            let message = format!("the path `{path}` {wrong}");
            problems.push(
                place
                    .error("invalid-path", message)
                    .with_hint("Paths are relative to the root of the repository, and stay in it."),
            );
        }
    }
    for (name, variable) in &spec.variables {
        if matches!(variable, Variable::Text(text) if !text.is_empty()) && is_secret_name(name) {
            let pointer = format!("/spec/variables/{}", name.replace('~', "~0").replace('/', "~1"));
            problems.push(plain_secret(stack.key(&pointer).location(), name));
        }
    }
    if spec.adopt.is_some() {
        problems.push(
            stack
                .key("/spec/adopt")
                .warning(
                    "not-enforced",
                    "adoption is not supported by this version: the stack is only observed",
                )
                .with_hint("Remove `adopt` to let ipaictl change what runs."),
        );
    }
}

/// A stack's Compose files as far as their paths can be read, and which of those that it names they are.
pub struct ReadablePaths {
    /// The spec without the paths that can't.
    pub spec: ComposeSpec,
    files: Vec<usize>,
    env_files: Vec<usize>,
    /// Whether nothing was left out.
    pub whole: bool,
}

impl ReadablePaths {
    /// Leaves out the paths that [`check_stack`] reports.
    pub fn of(spec: &ComposeSpec) -> Self {
        let sound = |paths: &[String], absolute_is_fine: bool| -> Vec<usize> {
            (0..paths.len()).filter(|index| path_fault(&paths[*index], absolute_is_fine).is_none()).collect()
        };
        let (files, env_files) = (sound(&spec.files, false), sound(&spec.env_files, true));
        let whole = files.len() == spec.files.len() && env_files.len() == spec.env_files.len();
        let pick =
            |paths: &[String], kept: &[usize]| kept.iter().map(|index| paths[*index].clone()).collect();
        let spec = ComposeSpec {
            files: pick(&spec.files, &files),
            env_files: pick(&spec.env_files, &env_files),
            ..spec.clone()
        };
        ReadablePaths { spec, files, env_files, whole }
    }

    /// The JSON pointer in the Stack of one in the reduced spec, such as `/envFiles/0`.
    pub fn pointer(&self, reduced: &str) -> Option<String> {
        let (field, index) = reduced.rsplit_once('/')?;
        let kept = if field == "/files" { &self.files } else { &self.env_files };
        Some(format!("/spec/compose{field}/{}", kept.get(index.parse::<usize>().ok()?)?))
    }
}

fn path_fault(path: &str, absolute_is_fine: bool) -> Option<&'static str> {
    if path.is_empty() {
        Some("is empty")
    } else if path.starts_with('/') && !absolute_is_fine {
        Some("is not relative to the repository")
    } else if path.split('/').any(|part| part == "..") {
        Some("contains `..`")
    } else {
        None
    }
}

fn not_enforced<S>(described: &Described<S>, fields: &[&str], problems: &mut Vec<Problem>) {
    for field in fields {
        if described.node.at_pointer("/spec").get(field).is_some() {
            let message = format!("`spec.{field}` is not enforced by this version");
            problems.push(described.key(&format!("/spec/{field}")).warning("not-enforced", message));
        }
    }
}

fn warn_of_plain_secrets<S>(described: &Described<S>, pointer: &str, problems: &mut Vec<Problem>) {
    let node = described.node.at_pointer(pointer);
    if described.node.key_place(pointer) == &described.node.place {
        return;
    }
    for entry in node.entries().unwrap_or_default() {
        if is_secret_name(&entry.key) && entry.value.text().is_some_and(|text| !text.is_empty()) {
            problems.push(plain_secret(entry.key_place.location(), &entry.key));
        }
    }
}

/// The line is not shown: it holds the value.
fn plain_secret(location: crate::model::problem::Location, name: &str) -> Problem {
    Problem::warning("plain-secret", format!("`{name}` looks like a secret, and its value is in the repository"))
        .at(location)
        .with_hint("Refer to it: `{env: NAME}`, `{file: /path}` or `{age: path, key: NAME}`; and change the value, it has been published.")
}
