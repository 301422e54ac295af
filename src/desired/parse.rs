//! From the bytes of document files to documents whose header is known.
//!
//! Reads every file to its end: one broken document doesn't hide what is wrong with the others.

use std::collections::BTreeSet;

use crate::model::document::{Node, Parsed, parse_within};
use crate::model::id::{API_VERSION, KINDS_LATER, Kind};
use crate::model::problem::{Location, Problem, nearest};

/// Nodes in all documents of a revision together: ten thousand ordinary documents have 200,000, and so many are
/// read within a second.
const NODES_MAX: usize = 500_000;
/// Problems of one revision that are kept; nobody reads more.
pub const PROBLEMS_MAX: usize = 1_000;

/// Rules that refuse a file as a whole: what was read of it until then says nothing.
const REFUSED: &[&str] = &[
    "alias-bomb",
    "file-too-large",
    "too-deep",
    "too-many-documents",
    "too-many-nodes",
    "too-many-problems",
];

/// A document of a kind of ours.
#[derive(Debug)]
pub struct Document {
    /// Its kind.
    pub kind: Kind,
    /// The whole document.
    pub node: Node,
    /// Whether its `apiVersion` is wrong, which was reported.
    pub header_told: bool,
}

/// Reads the headers of all documents of a revision.
///
/// Compose files that a Stack of this repository names may lie among the documents: they are no documents themselves.
pub fn parse_files(files: &[(String, Vec<u8>)], problems: &mut Vec<Problem>) -> Vec<Document> {
    let mut left = NODES_MAX;
    let mut read = Vec::new();
    for (name, bytes) in files {
        let Parsed { documents, problems: found, nodes } = parse_within(name, bytes, left);
        let is_spent = nodes > left;
        left = left.saturating_sub(nodes);
        if is_spent {
            // Said of the revision, whatever the file is: those after it are not read.
            let message = format!("the documents have more than {NODES_MAX} values together");
            problems.push(Problem::error("too-many-nodes", message).at(Location::of_file(name)));
            break;
        }
        read.push((name, documents, found));
    }
    let compose_files: BTreeSet<String> =
        read.iter().flat_map(|(_, nodes, _)| nodes).flat_map(named).collect();
    let mut documents = Vec::new();
    for (name, nodes, found) in read {
        if compose_files.contains(name) {
            continue;
        }
        let is_refused = found.iter().any(|problem| REFUSED.contains(&problem.rule));
        problems.extend(found);
        for node in nodes.into_iter().filter(|_| !is_refused) {
            let version = check_version(&node).err();
            let kind = match &version {
                Some(_) if !may_be_ours(&node) => Err(None),
                _ => kind_of(&node).map_err(Some),
            };
            let header_told = version.is_some();
            match (kind, version) {
                (Ok(kind), version) => {
                    problems.extend(version.map(|problem| *problem));
                    documents.push(Document { kind, node, header_told });
                }
                (Err(_), Some(problem)) | (Err(Some(problem)), None) => problems.push(*problem),
                (Err(None), None) => {}
            }
            if problems.len() > PROBLEMS_MAX {
                return documents;
            }
        }
    }
    documents
}

/// The Compose files of the state repository that a Stack names, as paths from its root.
fn named(node: &Node) -> Vec<String> {
    let is_stack = node.get("kind").and_then(Node::text) == Some(Kind::Stack.as_str());
    let spec = node.get("spec").filter(|spec| is_stack && spec.get("repository").is_none());
    let files = spec.and_then(|spec| spec.get("compose")).and_then(|compose| compose.get("files"));
    let items = files.and_then(Node::items).unwrap_or_default();
    items
        .iter()
        .filter_map(Node::text)
        .map(|path| {
            path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
        })
        .collect()
}

/// Whether a document of a wrong version is one of ours all the same, so that the rest of it is checked.
fn may_be_ours(node: &Node) -> bool {
    let group = API_VERSION.split_once('/').map_or(API_VERSION, |(group, _)| group);
    let version = node.get("apiVersion").map(|version| version.text().unwrap_or_default());
    let is_ours = version.is_none_or(|text| text.split('/').next() == Some(group));
    is_ours && node.get("kind").is_some() && node.get("services").is_none()
}

fn kind_of(node: &Node) -> Result<Kind, Box<Problem>> {
    let Some(kind) = node.get("kind") else {
        let problem = node.place.error("missing-field", "the document has no `kind`");
        return Err(Box::new(problem.with_hint(format!("Write `kind:` and one of {}.", kinds()))));
    };
    let Some(text) = kind.text() else {
        let message = format!("`kind` is a string, not a {}", kind.type_name());
        return Err(Box::new(kind.place.error("wrong-type", message)));
    };
    if let Some(known) = Kind::ALL.iter().find(|known| known.as_str() == text) {
        return Ok(*known);
    }
    if KINDS_LATER.contains(&text) {
        let message = format!("kind `{text}` is not supported by this version");
        return Err(Box::new(
            kind.place.error("kind-not-supported", message).with_hint(format!("Supported are {}.", kinds())),
        ));
    }
    let all = Kind::ALL.iter().map(|kind| kind.as_str()).chain(KINDS_LATER.iter().copied());
    let hint = match nearest(text, all) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Known are {}.", kinds()),
    };
    Err(Box::new(kind.place.error("unknown-kind", format!("unknown kind `{text}`")).with_hint(hint)))
}

fn check_version(node: &Node) -> Result<(), Box<Problem>> {
    if node.entries().is_none() {
        let message = format!("a document is a map, not a {}", node.type_name());
        return Err(Box::new(node.place.error("not-a-document", message)));
    }
    let hint = format!("Write `apiVersion: {API_VERSION}`.");
    match node.get("apiVersion") {
        None if node.get("services").is_some() => Err(Box::new(
            node.place.error("not-a-document", "this is a Compose file, not a resource document").with_hint(
                "Name it in a Stack's `compose.files`, or move it out of the folder of documents.",
            ),
        )),
        None => {
            let problem = node.place.error("missing-field", "the document has no `apiVersion`");
            Err(Box::new(problem.with_hint(format!("{hint} Only resource documents may lie here."))))
        }
        Some(version) if version.text() == Some(API_VERSION) => Ok(()),
        Some(version) => {
            let found = version.text().unwrap_or(version.type_name());
            let problem = version.place.error("unknown-version", format!("unknown apiVersion `{found}`"));
            Err(Box::new(problem.with_hint(hint)))
        }
    }
}

fn kinds() -> String {
    Kind::ALL.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
}
