//! What the steps of one load share: problems found, files read, which values may be secrets.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::model::document::{Node, NodeValue, Place, ScalarKind, Size, parse_documents};
use crate::model::problem::{Location, Problem, nearest};

use super::budget::Budget;
use super::interpolate::{self, ExpandError, Variables};
use super::load::ComposeRequest;
use super::paths::{FilePath, PathError, file_path};
use super::reading::{FileRead, Refusal};

/// Problems of one stack that are kept; more help nobody.
const PROBLEMS_MAX: usize = 200;
/// Ports that one stack publishes, ranges counted in full; media servers publish ten thousand.
const PORTS_MAX: usize = 20_000;
/// The state of one load.
pub(super) struct Context<'a> {
    /// What was asked.
    pub request: &'a ComposeRequest<'a>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Why the content can't be known.
    pub unknown: Option<String>,
    /// Entries, such as `services.web`, that lost something to an error: what they lack is not judged.
    pub broken: BTreeSet<String>,
    /// Parsed files by path, so that `extends` doesn't read a file once per service.
    parsed: BTreeMap<String, (usize, Arc<[Node]>)>,
    /// Whether an env file could not be read, so that nobody knows which variables are set.
    pub variables_lost: bool,
    /// How many ports may still be published.
    pub ports_left: usize,
    secret_places: HashSet<(usize, u32, u32)>,
    outside_places: HashSet<(usize, u32, u32)>,
    budget: Budget,
    errors: usize,
}

impl<'a> Context<'a> {
    pub(super) fn new(request: &'a ComposeRequest<'a>) -> Self {
        Context {
            request,
            problems: Vec::new(),
            unknown: None,
            broken: BTreeSet::new(),
            parsed: BTreeMap::new(),
            variables_lost: false,
            secret_places: HashSet::new(),
            outside_places: HashSet::new(),
            budget: Budget::default(),
            ports_left: PORTS_MAX,
            errors: 0,
        }
    }

    /// Notes a problem, unless it is noted already or there are too many.
    pub(super) fn report(&mut self, problem: Problem) {
        if problem.is_error() {
            self.errors += 1;
        }
        // An error is never lost behind warnings.
        let first_error = self.errors == 1 && problem.is_error();
        if (!self.full() || first_error) && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Whether no further problem is kept, so that none has to be put into words.
    pub(super) fn full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// Whether nothing that could still be found would be told: the files are wrong, and there is no room.
    pub(super) fn exhausted(&self) -> bool {
        self.full() && self.errors > 0
    }

    /// Notes that an entry of a section lost something to an error.
    pub(super) fn mark_broken(&mut self, section: &str, name: &str) {
        self.broken.insert(format!("{section}.{name}"));
    }

    /// Whether an entry of a section lost something to an error.
    pub(super) fn is_broken(&self, section: &str, name: &str) -> bool {
        self.broken.contains(&format!("{section}.{name}"))
    }

    /// How many errors were reported.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Whether something makes the files unusable.
    pub(super) fn failed(&self) -> bool {
        self.unknown.is_some() || self.errors > 0
    }

    /// Whether a value at a place may be a secret.
    pub(super) fn is_secret_place(&self, place: &Place) -> bool {
        self.secret_places.contains(&place_key(place))
    }

    /// Notes that the value at a place may be a secret.
    pub(super) fn mark_secret(&mut self, place: &Place) {
        self.secret_places.insert(place_key(place));
    }

    /// Notes that the relative path at a place leads out of the repository.
    pub(super) fn mark_outside(&mut self, place: &Place) {
        self.outside_places.insert(place_key(place));
    }

    /// Whether the path at a place was relative and leads out of the repository.
    pub(super) fn is_outside(&self, place: &Place) -> bool {
        self.outside_places.contains(&place_key(place))
    }

    /// What the stack holds so far.
    pub(super) fn held(&self) -> Size {
        self.budget.held()
    }

    /// The checkout's directory on the host, without a final slash.
    pub(super) fn root(&self) -> &'a str {
        self.request.working_dir.trim_end_matches('/')
    }

    /// Reads a file; one of the repository that is not in it is looked for in the checkout.
    pub(super) fn read(&mut self, path: &FilePath) -> FileRead {
        if let Err(refused) = self.budget.charge_read() {
            return FileRead::Refused(refused);
        }
        let read = match path {
            FilePath::Absolute(path) => self.request.files.read(path),
            FilePath::Inside(path) => match self.request.files.read(path) {
                FileRead::Missing => self.request.files.read(&format!("{}/{path}", self.root())),
                read => read,
            },
        };
        if let FileRead::Bytes(bytes) = &read {
            self.budget.charge_bytes(bytes.len());
        }
        read
    }

    /// Reads the documents of a file of the repository; its syntax errors are reported.
    pub(super) fn documents(&mut self, path: &str, from: Option<&Place>) -> Option<Vec<Node>> {
        // A file that is read again is charged again, because what is made of it costs as much.
        if let Err(refused) = self.budget.charge_read() {
            self.bytes_or_report(path, FileRead::Refused(refused), from);
            return None;
        }
        if let Some((size, documents)) = self.parsed.get(path) {
            let (size, documents) = (*size, documents.clone());
            self.budget.charge_bytes(size);
            return self.within_limits(&documents).then(|| documents.to_vec());
        }
        let read = self.request.files.read(path);
        let bytes = self.bytes_or_report(path, read, from)?;
        self.budget.charge_bytes(bytes.len());
        let (documents, problems) = parse_documents(path, &bytes);
        problems.into_iter().for_each(|problem| self.report(problem));
        if !self.within_limits(&documents) {
            return None;
        }
        self.parsed.insert(path.to_owned(), (bytes.len(), documents.as_slice().into()));
        Some(documents)
    }

    /// Whether documents, with those read before, are of a size that people write.
    fn within_limits(&mut self, documents: &[Node]) -> bool {
        for document in documents {
            if let Some(problem) = self.budget.measure(document) {
                self.report(problem);
                return false;
            }
        }
        true
    }

    /// Counts values that env files, label files, variables and `extends` add; reports once there are too many.
    pub(super) fn charge_values(&mut self, size: Size, place: &Place) -> bool {
        let fits = self.budget.charge_values(size);
        if !fits {
            self.report(place.error("file-too-large", Budget::too_much()));
        }
        fits
    }

    /// The bytes of a file, or a problem made of why there are none, at the place that names it.
    pub(super) fn bytes_or_report(
        &mut self,
        path: &str,
        read: FileRead,
        from: Option<&Place>,
    ) -> Option<Vec<u8>> {
        match read {
            FileRead::Bytes(bytes) => return Some(bytes),
            FileRead::Missing => self.report_missing("file", path, from, None),
            FileRead::Refused(refusal) => self.report_refused(path, &refusal, from),
            FileRead::Unknown(why) => {
                self.unknown.get_or_insert(format!("file `{path}` could not be read: {why}"));
            }
        }
        None
    }

    /// Reports that there is nothing at a path, with the nearest one that there is.
    pub(super) fn report_missing(
        &mut self,
        what: &str,
        path: &str,
        from: Option<&Place>,
        hint: Option<&str>,
    ) {
        let inside = path.strip_prefix(self.root()).map_or(path, |rest| rest.trim_start_matches('/'));
        let siblings = if self.full() { Vec::new() } else { self.request.files.siblings(inside) };
        let near = nearest(inside, siblings.iter().map(String::as_str));
        let near = near.map(|near| format!("Did you mean `{near}`?"));
        let hint: Vec<&str> = near.as_deref().into_iter().chain(hint).collect();
        let problem = file_problem("missing-file", path, format!("{what} `{inside}` does not exist"), from);
        self.report(match hint.is_empty() {
            true => problem.with_hint("Paths are relative to the root of the Stack's repository."),
            false => problem.with_hint(hint.join(" ")),
        });
    }

    /// Reports that a path may not be used.
    pub(super) fn report_refused(&mut self, path: &str, refusal: &Refusal, from: Option<&Place>) {
        let path = path.strip_prefix(self.root()).map_or(path, |rest| rest.trim_start_matches('/'));
        let message = format!("file `{path}` is not read: {}", refusal.why);
        let problem = file_problem(refusal.rule, path, message, from);
        self.report(match refusal.rule {
            "outside-repository" => problem.with_hint("Files that are read have to be in the repository."),
            "file-too-large" => problem.with_hint("Configuration is smaller: name another file."),
            "file-not-allowed" => {
                problem.with_hint("Put the values into a file of their own, or refer to a secret.")
            }
            _ => problem,
        });
    }

    /// The file of the repository that a text means, seen from a directory; reports one that is elsewhere.
    pub(super) fn file_inside(&mut self, directory: &str, node: &Node) -> Option<String> {
        let text = node.text().unwrap_or("");
        match file_path(self.root(), directory, text) {
            Ok(FilePath::Inside(path)) => Some(path),
            Ok(FilePath::Absolute(path)) => {
                self.report_path(&node.place, &path, &PathError::Outside);
                None
            }
            Err(err) => {
                self.report_path(&node.place, text, &err);
                None
            }
        }
    }

    /// Reports a path that can't be used.
    pub(super) fn report_path(&mut self, place: &Place, path: &str, err: &PathError) {
        self.report(match err {
            PathError::Outside => place
                .error("outside-repository", format!("`{path}` leads out of the repository"))
                .with_hint("Files that are read have to be in the repository."),
            PathError::Home => place
                .error(
                    "home-path",
                    format!("`{path}` begins with `~`, and the host's home directory is not known"),
                )
                .with_hint("Write the absolute path."),
        });
    }

    /// Fills in the variables of every text in a tree; keys stay as they are.
    ///
    /// What can't be filled in is reported and taken out; false when that is the node itself.
    pub(super) fn interpolate(&mut self, node: &mut Node, variables: &Variables) -> bool {
        match &mut node.value {
            NodeValue::Sequence(items) => items.retain_mut(|item| self.interpolate(item, variables)),
            NodeValue::Mapping(entries) => {
                entries.retain_mut(|entry| self.interpolate(&mut entry.value, variables));
            }
            NodeValue::Scalar { text, kind: ScalarKind::String } if text.contains('$') => {
                match self.expand(text, &node.place, variables) {
                    Some(expanded) => *text = expanded,
                    None => return false,
                }
            }
            NodeValue::Scalar { .. } => {}
        }
        true
    }

    fn expand(&mut self, text: &str, place: &Place, variables: &Variables) -> Option<String> {
        if let Some(fault) = self.budget.expansion_fault() {
            self.report(place.error("interpolation-too-large", fault));
            return None;
        }
        let expansion = match interpolate::expand(text, &|name| variables.get(name).cloned()) {
            Ok(expansion) => expansion,
            Err(err) => {
                self.budget.charge_expansion(interpolate::EXPANDED_BYTES_MAX / 16);
                self.report(expand_problem(place, &err));
                return None;
            }
        };
        for name in &expansion.unset {
            if self.full() {
                break;
            }
            self.report(
                place
                    .warning(
                        "unset-variable",
                        format!("variable `{name}` is not set and reads as empty text"),
                    )
                    .with_hint(format!(
                        "Set it in `variables` or an env file of the Stack, or write `${{{name}:-default}}`."
                    )),
            );
        }
        if expansion.secret {
            self.secret_places.insert(place_key(place));
        }
        self.budget.charge_expansion(expansion.work);
        Some(expansion.text)
    }
}

fn expand_problem(place: &Place, err: &ExpandError) -> Problem {
    let problem = |rule| place.error(rule, err.to_string());
    match err {
        ExpandError::Malformed(_) => problem("interpolation")
            .with_hint("Write `${NAME}`, or `$$` for a dollar sign that is meant as text."),
        ExpandError::Required { name, .. } => problem("required-variable")
            .with_hint(format!("Set `{name}` in `variables` or an env file of the Stack.")),
        ExpandError::TooDeep => problem("interpolation"),
        ExpandError::TooLong => problem("interpolation-too-large"),
    }
}

fn place_key(place: &Place) -> (usize, u32, u32) {
    (Arc::as_ptr(&place.source) as usize, place.line, place.column)
}

/// A problem of a file, at the place that names it if there is one.
pub(super) fn file_problem(rule: &'static str, path: &str, message: String, from: Option<&Place>) -> Problem {
    match from {
        Some(place) => place.error(rule, message),
        None => Problem::error(rule, message).at(Location::of_file(path)),
    }
}
