//! The tree itself: nodes, their places, and ways to find one.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::model::problem::{Location, Problem, Snippet};

/// A longer line is not shown with a problem: hundreds of problems on one line of megabytes would fill the memory.
const LINE_BYTES_MAX: usize = 4096;

/// The text of one file under the name that people know it by.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as it is shown.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where lines begin, looked for when the first line is asked for.
    lines: OnceLock<Vec<usize>>,
}

/// Two files are the same by name and text, whether or not somebody asked for a line.
impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for SourceFile {}

impl SourceFile {
    /// A file by its name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        SourceFile { name: name.into(), text: text.into(), lines: OnceLock::new() }
    }

    /// The text of a line (from 1), without its end.
    pub fn line(&self, line: u32) -> &str {
        let starts = self.lines.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect()
        });
        let index = (line as usize).saturating_sub(1);
        let Some(start) = starts.get(index) else { return "" };
        // By the next line's beginning: looking for the end again and again would be quadratic in a long line.
        let end = starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let text = &self.text[*start..end];
        text.strip_suffix('\r').unwrap_or(text)
    }
}

/// A place in a source file: line and column from 1, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<SourceFile>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// How many characters are meant; 1 for maps and lists.
    pub length: u32,
}

impl Place {
    /// The place as a location that can be printed.
    pub fn location(&self) -> Location {
        Location { file: self.source.name.clone(), line: self.line, column: self.column }
    }

    /// Puts a problem here, with the source line.
    pub fn mark(&self, mut problem: Problem) -> Problem {
        problem.location = Some(self.location());
        let line = self.source.line(self.line);
        problem.snippet = (line.len() <= LINE_BYTES_MAX)
            .then(|| Snippet { text: line.to_owned(), length: self.length.max(1) });
        problem
    }

    /// A warning at this place.
    pub fn warning(&self, rule: &'static str, message: impl Into<String>) -> Problem {
        self.mark(Problem::warning(rule, message))
    }

    /// An error at this place.
    pub fn error(&self, rule: &'static str, message: impl Into<String>) -> Problem {
        self.mark(Problem::error(rule, message))
    }
}

/// What a scalar is, by YAML's core schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalarKind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false` (never `yes`, `on`, `y`).
    Bool(bool),
    /// Decimal, `0x…`, `0o…`; a leading zero reads as octal, as Compose reads `mode: 0440`.
    Integer(i64),
    /// A decimal fraction or exponent.
    Float(f64),
    /// Anything else, and everything quoted.
    String,
}

/// One node of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it holds.
    pub value: NodeValue,
    /// Where it begins.
    pub place: Place,
    /// Its explicit tag as written after the first `!`, such as `reset`; core tags are resolved instead.
    pub tag: Option<String>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// A scalar, with its text as written (quotes and escapes resolved).
    Scalar {
        /// The text.
        text: String,
        /// What it means.
        kind: ScalarKind,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// A map in the order of the file; keys are unique.
    Mapping(Vec<Entry>),
}

/// One key of a map and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key is.
    pub key_place: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A string node at a place.
    pub fn string(text: impl Into<String>, place: Place) -> Node {
        Node { value: NodeValue::Scalar { text: text.into(), kind: ScalarKind::String }, place, tag: None }
    }

    /// The entries of a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            NodeValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a map's key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text of any scalar but null.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar { kind: ScalarKind::Null, .. } => None,
            NodeValue::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is null or absent text.
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Scalar { kind: ScalarKind::Null, .. })
    }

    /// The word for its type, for messages: `map`, `list`, `string`, ….
    pub fn type_name(&self) -> &'static str {
        match &self.value {
            NodeValue::Mapping(_) => "map",
            NodeValue::Sequence(_) => "list",
            NodeValue::Scalar { kind, .. } => match kind {
                ScalarKind::Null => "null",
                ScalarKind::Bool(_) => "boolean",
                ScalarKind::Integer(_) => "integer",
                ScalarKind::Float(_) => "number",
                ScalarKind::String => "string",
            },
        }
    }

    /// The node without places, tags dropped.
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Scalar { text, kind } => match kind {
                ScalarKind::Null => Value::Null,
                ScalarKind::Bool(value) => Value::Bool(*value),
                ScalarKind::Integer(value) => Value::from(*value),
                ScalarKind::Float(value) => serde_json::Number::from_f64(*value)
                    .map_or_else(|| Value::String(text.clone()), Value::Number),
                ScalarKind::String => Value::String(text.clone()),
            },
            NodeValue::Sequence(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Mapping(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// The node, or the nearest one that exists, at a JSON pointer such as `/spec/ports/0`.
    pub fn at_pointer(&self, pointer: &str) -> &Node {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                NodeValue::Mapping(_) => node.get(&part),
                NodeValue::Sequence(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                NodeValue::Scalar { .. } => None,
            };
            match next {
                Some(found) => node = found,
                None => return node,
            }
        }
        node
    }

    /// The place of the key that leads to a JSON pointer's last part, or of the nearest node.
    pub fn key_place(&self, pointer: &str) -> &Place {
        let (parent, last) = pointer.rsplit_once('/').unwrap_or(("", ""));
        let last = last.replace("~1", "/").replace("~0", "~");
        let parent = self.at_pointer(parent);
        parent
            .entries()
            .and_then(|entries| entries.iter().find(|entry| entry.key == last))
            .map_or(&self.at_pointer(pointer).place, |entry| &entry.key_place)
    }

    /// How much the tree holds.
    pub fn size(&self) -> Size {
        let mut size = Size { nodes: 1, bytes: 0 };
        match &self.value {
            NodeValue::Scalar { text, .. } => size.bytes += text.len(),
            NodeValue::Sequence(items) => items.iter().for_each(|item| size.add(item.size())),
            NodeValue::Mapping(entries) => entries.iter().for_each(|entry| {
                size.bytes += entry.key.len();
                size.add(entry.value.size());
            }),
        }
        size
    }
}

/// How much a tree holds: what copying it costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many nodes.
    pub nodes: usize,
    /// The bytes of their texts and keys.
    pub bytes: usize,
}

impl Size {
    /// Adds what another tree holds.
    pub fn add(&mut self, other: Size) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }

    /// Whether either is more than a bound allows.
    pub fn exceeds(&self, nodes_max: usize, bytes_max: usize) -> bool {
        self.nodes > nodes_max || self.bytes > bytes_max
    }
}
