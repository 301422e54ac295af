//! From the bytes of document files to documents whose header is known.
//!
//! Reads every file to its end: one broken document doesn't hide what is wrong with the others.

use std::collections::BTreeSet;

use crate::model::document::{Node, parse_documents};
use crate::model::id::{API_VERSION, KINDS_LATER, Kind};
use crate::model::problem::{Location, Problem, nearest};

/// Nodes in all documents of a revision together: ten thousand ordinary documents have 200,000.
const NODES_MAX: usize = 1_000_000;
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
}

/// Reads the headers of all documents of a revision.
///
/// Compose files that a Stack of this repository names may lie among the documents: they are no documents themselves.
pub fn parse_files(files: &[(String, Vec<u8>)], problems: &mut Vec<Problem>) -> Vec<Document> {
    let mut nodes: usize = 0;
    let mut read = Vec::new();
    for (name, bytes) in files {
        // A node takes at least one byte, and most take eight: enough to stop before memory does.
        let (documents, found) = parse_documents(name, bytes);
        nodes += documents.iter().map(count).sum::<usize>();
        read.push((name, documents, found));
        if nodes > NODES_MAX {
            let message = format!("the documents have more than {NODES_MAX} values together");
            problems.push(Problem::error("too-many-nodes", message).at(Location::of_file(name)));
            break;
        }
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
            match kind_of(&node) {
                Ok(kind) => documents.push(Document { kind, node }),
                Err(problem) => problems.push(*problem),
            }
            if problems.len() > PROBLEMS_MAX {
                return documents;
            }
        }
    }
    documents
}

fn count(node: &Node) -> usize {
    use crate::model::document::NodeValue;
    1 + match &node.value {
        NodeValue::Scalar { .. } => 0,
        NodeValue::Sequence(items) => items.iter().map(count).sum(),
        NodeValue::Mapping(entries) => entries.iter().map(|entry| count(&entry.value)).sum(),
    }
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

fn kind_of(node: &Node) -> Result<Kind, Box<Problem>> {
    if node.entries().is_none() {
        let message = format!("a document is a map, not a {}", node.type_name());
        return Err(Box::new(node.place.error("not-a-document", message)));
    }
    check_version(node)?;
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
