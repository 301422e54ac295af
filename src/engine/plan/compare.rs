//! One container against what its service asks for: which fields differ, asked for or not, and what is unknown.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use serde_json::Value;

use super::ProjectRequest;
use super::wanted::{ImageWanted, Wanted};
use crate::engine::labels;
use crate::engine::observe::ContainerFacts;
use crate::model::change::{Class, DriftClass, FieldDiff};
use crate::model::hash::HASH_VERSION;
use crate::model::known::Known;

/// Digits of an image id that are shown; as many as the engine's own tools show.
const IMAGE_ID_DIGITS: usize = 12;
/// Fields that the engine changes in place, and what `docker update` is used for.
const UPDATABLE: &[&str] = &[
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "cpus",
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "cpuset",
    "cpuset_mems",
    "pids_limit",
    "restart",
];

/// How a container differs from what its service asks for, networks and state left out.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// The fields that differ, masked, sorted.
    pub fields: Vec<FieldDiff>,
    /// The words for why: `image`, `environment`, `content of nginx.conf`.
    pub causes: Vec<String>,
    /// Change or drift; `None` when nothing differs.
    pub class: Option<Class>,
    /// Whether the difference can be put right without a new container.
    pub updatable: bool,
    /// What could not be compared, and why.
    pub unknown: Vec<String>,
    /// Whether a newer specification asked for the container's labels to differ.
    pub asked: bool,
}

impl Comparison {
    /// Whether nothing is known to differ.
    pub fn is_equal(&self) -> bool {
        self.class.is_none()
    }
}

/// Compares a container with what its service asks for.
pub(super) fn compare(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    container: &ContainerFacts,
) -> Comparison {
    let mut found = Comparison { asked: is_asked(request, wanted, container), ..Comparison::default() };
    let mut classes = BTreeSet::new();
    compare_image(request, wanted, container, &mut found, &mut classes);
    compare_fields(request, wanted, container, &mut found, &mut classes);
    compare_content(request, wanted, container, &mut found, &mut classes);
    compare_secrets(request, wanted, container, &mut found, &mut classes);
    if classes.is_empty() && found.asked && wanted.has_invisible_parts() {
        found.causes.push("parts that the engine doesn't return".to_owned());
        classes.insert(Class::Change);
    }
    found.updatable = classes.iter().all(|class| *class == Class::Drift(DriftClass::Spec))
        && found.fields.iter().all(|field| {
            let gone = field.after.is_none() && field.field != "restart";
            UPDATABLE.contains(&field.field.as_str()) && !gone
        });
    // `Change` sorts first: what was asked for is not drift, whatever else differs.
    found.class = classes.first().copied();
    found.fields.sort_by(|a, b| a.field.cmp(&b.field));
    found.causes.dedup();
    found
}

/// The value of one of our hash labels, if this version of the program can read it.
fn hash_label<'a>(container: &'a ContainerFacts, label: &str) -> Option<&'a str> {
    let value = container.labels.get(label)?;
    value.strip_prefix(HASH_VERSION).is_some_and(|rest| rest.starts_with(':')).then_some(value.as_str())
}

/// Whether a newer specification than the container's own is wanted. Without a readable hash, what was last
/// applied decides.
fn is_asked(request: &ProjectRequest<'_>, wanted: &Wanted<'_>, container: &ContainerFacts) -> bool {
    match hash_label(container, labels::SPEC_HASH) {
        Some(hash) => hash != wanted.spec_hash,
        None => {
            let known =
                request.applied.and_then(|subjects| subjects.get(&format!("container {}", container.name)));
            known != Some(&wanted.spec_hash)
        }
    }
}

/// The id of an image, short enough to read.
pub(super) fn short_image_id(id: &str) -> String {
    match id.split_once(':') {
        Some((algorithm, digits)) => {
            format!("{algorithm}:{}", &digits[..digits.len().min(IMAGE_ID_DIGITS)])
        }
        None => id.to_owned(),
    }
}

fn compare_image(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    container: &ContainerFacts,
    found: &mut Comparison,
    classes: &mut BTreeSet<Class>,
) {
    let reference = wanted.service.image.as_str();
    if request.ignore.covers("services", &wanted.service.name, "image") {
        return;
    }
    match &wanted.image {
        ImageWanted::Present(id) if *id == container.image_id => {}
        ImageWanted::Present(_) if has_digest(request, container, reference) => {}
        ImageWanted::Present(id) => {
            let same_reference = !found.asked || container.image == reference;
            let (before, after) = if same_reference {
                let shown = |id: &str| format!("{reference}@{}", short_image_id(id));
                (shown(&container.image_id), shown(id))
            } else {
                (container.image.clone(), reference.to_owned())
            };
            found.fields.push(plain("image", before, after));
            found.causes.push("image".to_owned());
            classes.insert(if found.asked { Class::Change } else { Class::Drift(DriftClass::Image) });
        }
        // Without the image nothing says that the container runs another one; its reference is compared as a field.
        ImageWanted::Missing => {}
        ImageWanted::Unknown(why) => found.unknown.push(format!("image `{reference}`: {why}")),
    }
}

/// Whether a reference by digest means the image that the container runs.
fn has_digest(request: &ProjectRequest<'_>, container: &ContainerFacts, reference: &str) -> bool {
    if !reference.contains("@sha256:") {
        return false;
    }
    let image = request.facts.images.get(&container.image_id).and_then(Known::known).and_then(Option::as_ref);
    image.is_some_and(|image| image.digests.iter().any(|digest| same_digest(digest, reference)))
}

/// Whether two references by digest name the same content; a tag before the digest says nothing.
fn same_digest(a: &str, b: &str) -> bool {
    let digest = |text: &str| text.rsplit_once('@').map(|(_, digest)| digest.to_owned());
    digest(a).is_some() && digest(a) == digest(b)
}

fn plain(field: &str, before: String, after: String) -> FieldDiff {
    FieldDiff { field: field.to_owned(), before: Some(before), after: Some(after), secret: false }
}

fn compare_fields(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    container: &ContainerFacts,
    found: &mut Comparison,
    classes: &mut BTreeSet<Class>,
) {
    let observed = match &container.fields {
        Some(Known::Known(fields)) => fields,
        Some(Known::Unknown(why)) => return found.unknown.push(why.clone()),
        None => return found.unknown.push("it was not inspected".to_owned()),
    };
    let image_differs = found.causes.iter().any(|cause| cause == "image");
    let mut groups: Vec<String> = Vec::new();
    for name in observed.differing(&wanted.fields) {
        let (before, after) = (observed.0.get(name), wanted.fields.0.get(name));
        let inherited_maybe = !wanted.image_known && after.is_none();
        let unset_twice = before.is_none() && after.is_some_and(Value::is_null);
        let is_ignored = request.ignore.covers("services", &wanted.service.name, name);
        if is_ignored || unset_twice || inherited_maybe || (name == "image" && image_differs) {
            continue;
        }
        if !wanted.image_known && is_united(name) && contains_all(before, after) {
            continue;
        }
        found.fields.push(request.masking.diff(name, before, after, &wanted.service.secret_environment));
        groups.push(group_of(name).to_owned());
    }
    if groups.is_empty() {
        return;
    }
    groups.sort_unstable();
    groups.dedup();
    found.causes.extend(groups);
    classes.insert(match (found.asked, image_differs) {
        (true, _) => Class::Change,
        // What differs beside another image was inherited from it.
        (false, true) => Class::Drift(DriftClass::Image),
        (false, false) => Class::Drift(DriftClass::Spec),
    });
}

/// Fields in which an image adds to what the service says.
fn is_united(name: &str) -> bool {
    matches!(name, "expose" | "volumes")
}

fn contains_all(before: Option<&Value>, after: Option<&Value>) -> bool {
    let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let before = items(before);
    items(after).iter().all(|item| before.contains(item))
}

/// The word under which people know a field: `environment.TZ` is part of `environment`.
fn group_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

fn compare_content(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    container: &ContainerFacts,
    found: &mut Comparison,
    classes: &mut BTreeSet<Class>,
) {
    if request.ignore.covers("services", &wanted.service.name, "content") {
        return;
    }
    let is_same = match &wanted.content_hash {
        // A label of another version, or none, says nothing: content alone never recreates for it.
        Known::Known(Some(hash)) => {
            hash_label(container, labels::CONTENT_HASH).is_none_or(|label| label == hash)
        }
        Known::Known(None) => true,
        Known::Unknown(why) => return found.unknown.push(format!("content of mounted files: {why}")),
    };
    if is_same {
        if let Some(target) = restored(request, wanted) {
            found.causes.push(format!("content of {target}"));
            classes.insert(if found.asked { Class::Change } else { Class::Drift(DriftClass::Content) });
        }
        return;
    }
    let files: Vec<&str> =
        wanted.service.files.iter().filter(|file| !file.secret).map(|f| f.target.as_str()).collect();
    let injected =
        wanted.service.injected.iter().filter(|file| !file.secret).map(|file| file.target.as_str());
    let all: Vec<&str> = files.into_iter().chain(injected).collect();
    found.causes.push(match all.as_slice() {
        [one] => format!("content of {one}"),
        _ => "content of mounted files".to_owned(),
    });
    classes.insert(content_class(request, wanted, found.asked));
}

/// Where the container mounts a file of the checkout that others changed and that is put right before: its processes may
/// have read it, and a file that was replaced stays as it was for a container that mounts it alone.
fn restored<'a>(request: &ProjectRequest<'_>, wanted: &Wanted<'a>) -> Option<&'a str> {
    let of_repository = wanted.service.files.iter().filter(|file| file.digest.is_some());
    let mut mounted = of_repository.filter(|file| request.files.restored_of(&file.host_path).is_some());
    mounted.next().map(|file| file.target.as_str())
}

/// Content that only the host knows can only drift; content of the repository moves with its commits.
fn content_class(request: &ProjectRequest<'_>, wanted: &Wanted<'_>, asked: bool) -> Class {
    let of_host = wanted.service.files.iter().any(|file| file.digest.is_none());
    let of_repository =
        wanted.service.files.iter().any(|file| file.digest.is_some()) || !wanted.service.injected.is_empty();
    match (asked, of_host, of_repository) {
        (true, _, _) => Class::Change,
        (false, true, false) => Class::Drift(DriftClass::Content),
        (false, true, true) if request.same_commit => Class::Drift(DriftClass::Content),
        _ => Class::Change,
    }
}

fn compare_secrets(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'_>,
    container: &ContainerFacts,
    found: &mut Comparison,
    classes: &mut BTreeSet<Class>,
) {
    let hash = match &wanted.secret_hash {
        Known::Known(Some(hash)) => hash,
        Known::Known(None) => return,
        Known::Unknown(why) => return found.unknown.push(format!("content of secret files: {why}")),
    };
    let Some(label) = container.labels.get(labels::SECRET_HASH) else { return };
    let fingerprint = |text: &str| {
        let of_this_key = text.split_once(':').filter(|(id, _)| *id == request.masking.key.id());
        of_this_key.map(|(_, digits)| digits.chars().take(4).collect::<String>())
    };
    // A fingerprint by another key says nothing; the environment is compared field by field all the same.
    let (Some(before), Some(after)) = (fingerprint(label), fingerprint(hash)) else { return };
    if label == hash || request.ignore.covers("services", &wanted.service.name, "secrets") {
        return;
    }
    let shown = found.fields.iter().any(|field| field.secret);
    if !shown {
        found.fields.push(FieldDiff {
            field: "secrets".to_owned(),
            before: Some(format!("hmac {before}")),
            after: Some(format!("hmac {after}")),
            secret: true,
        });
        found.causes.push("secrets".to_owned());
    }
    let only_host_files = wanted.service.secret_environment.is_empty()
        && wanted.service.injected.iter().all(|file| !file.secret)
        && wanted.service.files.iter().filter(|file| file.secret).all(|file| file.digest.is_none());
    classes.insert(match only_host_files {
        true if !found.asked => Class::Drift(DriftClass::Content),
        _ => Class::Change,
    });
}
