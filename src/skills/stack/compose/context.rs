//! What the steps of one load share: problems found, files read, which values may be secrets.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::document::{Node, NodeValue, Place, ScalarKind, parse_documents};
use crate::model::problem::{Location, Problem};

use super::interpolate::{self, ExpandError, Variables};
use super::load::{ComposeRequest, FileRead};
use super::paths::{FilePath, PathError, file_path};

/// Problems of one stack that are kept; more help nobody.
const PROBLEMS_MAX: usize = 200;
/// Files that one stack reads, repeats counted: Compose, included, extended, env and label files.
const READS_MAX: usize = 500;
/// Bytes that one stack reads, repeats counted.
const READ_BYTES_MAX: usize = 16 << 20;
/// Values in all files of one stack, repeats counted; the largest real stack has 3,000.
const NODES_MAX: usize = 200_000;
/// Entries of one map or list in a Compose file, because names in it are looked up one after the other.
const WIDTH_MAX: usize = 10_000;
/// The longest key, because messages repeat it.
const KEY_BYTES_MAX: usize = 1_024;
/// Ports that one stack publishes, ranges counted in full; media servers publish ten thousand.
const PORTS_MAX: usize = 20_000;
/// Text that filling in variables makes in one stack.
const EXPANDED_TOTAL_MAX: usize = 16 << 20;

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
    parsed: BTreeMap<String, (usize, Vec<Node>)>,
    /// How many ports may still be published.
    pub ports_left: usize,
    secret_places: HashSet<(usize, u32, u32)>,
    reads: usize,
    read_bytes: usize,
    expanded: usize,
    nodes: usize,
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
            secret_places: HashSet::new(),
            reads: 0,
            read_bytes: 0,
            expanded: 0,
            nodes: 0,
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

    /// The checkout's directory on the host, without a final slash.
    pub(super) fn root(&self) -> &'a str {
        self.request.working_dir.trim_end_matches('/')
    }

    /// Reads a file; one of the repository that is not in it is looked for in the checkout.
    pub(super) fn read(&mut self, path: &FilePath) -> FileRead {
        if let Some(refused) = self.charge() {
            return refused;
        }
        let read = match path {
            FilePath::Absolute(path) => self.request.files.read(path),
            FilePath::Inside(path) => match self.request.files.read(path) {
                FileRead::Missing => self.request.files.read(&format!("{}/{path}", self.root())),
                read => read,
            },
        };
        if let FileRead::Bytes(bytes) = &read {
            self.read_bytes += bytes.len();
        }
        read
    }

    /// Reads the documents of a file of the repository; its syntax errors are reported.
    pub(super) fn documents(
        &mut self,
        path: &str,
        missing: impl FnOnce(String) -> Problem,
    ) -> Option<Vec<Node>> {
        // A file that is read again is charged again, because what is made of it costs as much.
        if let Some(refused) = self.charge() {
            self.bytes_or_report(path, refused, missing);
            return None;
        }
        if let Some((size, documents)) = self.parsed.get(path) {
            let (size, documents) = (*size, documents.clone());
            self.read_bytes += size;
            return self.within_limits(&documents).then_some(documents);
        }
        let read = self.request.files.read(path);
        let bytes = self.bytes_or_report(path, read, missing)?;
        self.read_bytes += bytes.len();
        let (documents, problems) = parse_documents(path, &bytes);
        problems.into_iter().for_each(|problem| self.report(problem));
        if !self.within_limits(&documents) {
            return None;
        }
        self.parsed.insert(path.to_owned(), (bytes.len(), documents.clone()));
        Some(documents)
    }

    /// Whether documents, with those read before, are of a size that people write.
    fn within_limits(&mut self, documents: &[Node]) -> bool {
        for document in documents {
            if let Some(problem) = self.measure(document) {
                self.report(problem);
                return false;
            }
        }
        true
    }

    fn measure(&mut self, node: &Node) -> Option<Problem> {
        self.nodes += 1;
        let too_large = |what: String| Some(node.place.error("file-too-large", what));
        if self.nodes > NODES_MAX {
            return too_large(format!("the files of the stack hold more than {NODES_MAX} values"));
        }
        match &node.value {
            NodeValue::Scalar { .. } => None,
            NodeValue::Sequence(items) if items.len() > WIDTH_MAX => {
                too_large(format!("a list holds at most {WIDTH_MAX} items"))
            }
            NodeValue::Mapping(entries) if entries.len() > WIDTH_MAX => {
                too_large(format!("a map holds at most {WIDTH_MAX} entries"))
            }
            NodeValue::Mapping(entries) if entries.iter().any(|entry| entry.key.len() > KEY_BYTES_MAX) => {
                too_large(format!("a key has at most {KEY_BYTES_MAX} bytes"))
            }
            NodeValue::Sequence(items) => items.iter().find_map(|item| self.measure(item)),
            NodeValue::Mapping(entries) => entries.iter().find_map(|entry| self.measure(&entry.value)),
        }
    }

    /// Counts values that env files and label files add; false once there are too many.
    pub(super) fn charge_values(&mut self, count: usize) -> bool {
        self.nodes += count;
        self.nodes <= NODES_MAX
    }

    /// Counts a read; gives the refusal once there were too many.
    fn charge(&mut self) -> Option<FileRead> {
        self.reads += 1;
        let exceeded = self.reads > READS_MAX || self.read_bytes > READ_BYTES_MAX;
        exceeded.then(|| {
            FileRead::Refused(format!("a stack reads at most {READS_MAX} files and {READ_BYTES_MAX} bytes"))
        })
    }

    /// The bytes of a file, or a problem made of why there are none.
    pub(super) fn bytes_or_report(
        &mut self,
        path: &str,
        read: FileRead,
        missing: impl FnOnce(String) -> Problem,
    ) -> Option<Vec<u8>> {
        match read {
            FileRead::Bytes(bytes) => return Some(bytes),
            FileRead::Missing => self.report(missing(format!("file `{path}` does not exist"))),
            FileRead::Refused(why) => self.report(missing(format!("file `{path}` is not read: {why}"))),
            FileRead::Unknown(why) => {
                self.unknown.get_or_insert(format!("file `{path}` could not be read: {why}"));
            }
        }
        None
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
        if self.expanded > EXPANDED_TOTAL_MAX {
            self.report(place.error(
                "interpolation-too-large",
                format!("the files make more than {EXPANDED_TOTAL_MAX} bytes of text with their variables"),
            ));
            return None;
        }
        let expansion = match interpolate::expand(text, &|name| variables.get(name).cloned()) {
            Ok(expansion) => expansion,
            Err(err) => {
                self.expanded += interpolate::EXPANDED_BYTES_MAX / 16;
                self.report(expand_problem(place, &err));
                return None;
            }
        };
        for name in &expansion.unset {
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
        self.expanded += expansion.work;
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
    (std::sync::Arc::as_ptr(&place.source) as usize, place.line, place.column)
}

/// A problem of a file that has no place in any other.
pub(super) fn file_problem(rule: &'static str, path: &str, message: String) -> Problem {
    Problem::error(rule, message).at(Location::of_file(path))
}
