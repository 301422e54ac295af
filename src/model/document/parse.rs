//! Text → tree, with every bound that hostile input needs.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::merge_keys;
use super::scalar::{is_core_tag, tagged_kind};
use super::{Entry, Node, NodeValue, Place, ScalarKind, Size, SourceFile};
use crate::model::problem::{Location, Problem};

/// The largest file that is read, in bytes. Ten thousand ordinary documents are 3 MB.
pub const FILE_BYTES_MAX: usize = 5 << 20;
/// Documents in one file; ordinary repositories have a handful.
pub const DOCUMENTS_MAX: usize = 20_000;
/// Nodes in one file, aliases expanded: twice what ten thousand ordinary documents have; read within a second and 150 MiB.
pub const NODES_MAX: usize = 500_000;
/// Nodes that aliases may add to one file: far above any use of `x-*` templates, far below a bomb.
pub const ALIAS_NODES_MAX: usize = 100_000;
/// Bytes of text that aliases may add to one file: a template of a whole service has a thousand.
const ALIAS_BYTES_MAX: usize = 4 << 20;
/// Nodes that anchors may keep of one document; each anchor keeps a copy, so nested ones multiply.
const ANCHORED_NODES_MAX: usize = 200_000;
/// Bytes of text that anchors may keep of one document: twice the largest file.
const ANCHORED_BYTES_MAX: usize = 2 * FILE_BYTES_MAX;
/// Problems of one file that are told; nobody reads more.
const PROBLEMS_MAX: usize = 500;
/// From this many keys on a map's keys are looked up by hash: a linear look at each is faster below.
const KEYS_LINEAR_MAX: usize = 32;
/// Nesting; real Compose files reach 8. Keeps recursion over a tree safe.
pub const DEPTH_MAX: usize = 64;

/// Reads every document of a file; empty documents are left out.
///
/// Problems come beside what could be read: after a syntax error reading goes on with the next document.
pub fn parse_documents(name: &str, bytes: &[u8]) -> (Vec<Node>, Vec<Problem>) {
    let parsed = parse_within(name, bytes, NODES_MAX);
    (parsed.documents, parsed.problems)
}

/// What came of reading a file.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Its documents.
    pub documents: Vec<Node>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// How many nodes were made of it, those of broken documents too.
    pub nodes: usize,
}

/// Reads every document of a file of which at most so many nodes are made, and never more than [`NODES_MAX`].
pub fn parse_within(name: &str, bytes: &[u8], nodes_max: usize) -> Parsed {
    let text = match decode(name, bytes) {
        Ok(text) => text,
        Err(problem) => return Parsed { problems: vec![*problem], ..Parsed::default() },
    };
    let source = Arc::new(SourceFile::new(name, text));
    let mut builder = Builder::new(&source, nodes_max.min(NODES_MAX));
    builder.read_stream();
    Parsed { documents: builder.documents, problems: builder.problems, nodes: builder.nodes }
}

fn decode(name: &str, bytes: &[u8]) -> Result<String, Box<Problem>> {
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes; at most {FILE_BYTES_MAX} are read", bytes.len());
        let problem = Problem::error("file-too-large", message).at(Location::of_file(name));
        return Err(Box::new(problem.with_hint("Split it, or move what is not a document elsewhere.")));
    }
    let place_of = |offset: usize| {
        let before = String::from_utf8_lossy(&bytes[..offset]);
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) as u32 + 1;
        Location { file: name.to_owned(), line, column }
    };
    let text = std::str::from_utf8(bytes).map_err(|err| {
        let byte = bytes[err.valid_up_to()];
        Problem::error("invalid-utf8", format!("byte 0x{byte:02x} is not UTF-8"))
            .at(place_of(err.valid_up_to()))
            .with_hint("Save the file as UTF-8.")
    })?;
    if let Some(offset) = text.find('\0') {
        return Err(Box::new(Problem::error("nul-byte", "a NUL byte is not text").at(place_of(offset))));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
}

struct Builder<'a> {
    source: &'a Arc<SourceFile>,
    lines: Vec<&'a str>,
    documents: Vec<Node>,
    problems: Vec<Problem>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    nodes_max: usize,
    aliased: Size,
    anchored: Size,
}

/// A container under construction: its node, the key that waits for a value, its anchor.
struct Frame {
    node: Node,
    key: Option<(String, Place)>,
    anchor: usize,
    /// A key that is no scalar was reported; its value is dropped.
    skip_value: bool,
    /// The places of a large map's keys among its entries.
    index: HashMap<String, usize>,
}

impl Frame {
    /// The entry of a map that has a key already.
    fn earlier<'e>(&mut self, entries: &'e [Entry], key: &str) -> Option<&'e Entry> {
        if entries.len() < KEYS_LINEAR_MAX {
            return entries.iter().find(|entry| entry.key == key);
        }
        for (at, entry) in entries.iter().enumerate().skip(self.index.len()) {
            self.index.insert(entry.key.clone(), at);
        }
        self.index.get(key).map(|at| &entries[*at])
    }
}

/// Why reading a file had to stop.
struct Stop;

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<SourceFile>, nodes_max: usize) -> Self {
        Builder {
            source,
            lines: source.text.lines().collect(),
            documents: Vec::new(),
            problems: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            nodes_max,
            aliased: Size::default(),
            anchored: Size::default(),
        }
    }

    fn read_stream(&mut self) {
        let mut options = granit_parser::options! {
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        options.set_emit_comments(false);
        let source = self.source;
        let mut parser = Parser::new_from_str_with_options(&source.text, options);
        let mut documents: usize = 0;
        loop {
            let mut stack: Vec<Frame> = Vec::new();
            let mut root: Option<Node> = None;
            let failed = loop {
                match parser.next_event() {
                    None => return,
                    Some(Ok((Event::StreamEnd, _))) => return,
                    Some(Ok((Event::DocumentStart(..), span))) => {
                        documents += 1;
                        if documents > DOCUMENTS_MAX {
                            let place = self.place(&span);
                            self.problems.push(place.error(
                                "too-many-documents",
                                format!("the file has more than {DOCUMENTS_MAX} documents"),
                            ));
                            return;
                        }
                        self.anchors.clear();
                        self.anchored = Size::default();
                    }
                    Some(Ok((Event::DocumentEnd, _))) => break None,
                    Some(Ok((event, span))) => {
                        if self.take(event, &span, &mut stack, &mut root).is_err() {
                            return;
                        }
                    }
                    Some(Err(err)) => break Some(err),
                }
            };
            match failed {
                None => self.documents.extend(root.filter(|node| !node.is_null())),
                Some(err) => {
                    let mark = err.marker();
                    let place = self.place_at(mark.line(), mark.col(), 1);
                    let deep = matches!(err.kind(), granit_parser::ErrorKind::RecursionLimitExceeded);
                    let problem = if deep {
                        place.error("too-deep", format!("nesting deeper than {DEPTH_MAX} levels"))
                    } else {
                        place.error("yaml-syntax", format!("not valid YAML: {}", err.info()))
                    };
                    self.problems.push(problem);
                    if deep
                        || self.problems.len() >= PROBLEMS_MAX
                        || !matches!(parser.proceed_next_document(), Ok(true))
                    {
                        return;
                    }
                }
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        let length = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col()).max(1)
        } else {
            1
        };
        self.place_at(span.start.line(), span.start.col(), length)
    }

    fn place_at(&self, line: usize, column: usize, length: usize) -> Place {
        Place {
            source: Arc::clone(self.source),
            line: line.clamp(1, self.lines.len().max(1)) as u32,
            column: column as u32 + 1,
            length: length as u32,
        }
    }

    fn take(
        &mut self,
        event: Event<'_>,
        span: &Span,
        stack: &mut Vec<Frame>,
        root: &mut Option<Node>,
    ) -> Result<(), Stop> {
        let place = self.place(span);
        let tag = event.tag().map(|tag| tag.suffix().trim_start_matches('!').to_owned());
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let kind = self.scalar_kind(&text, style, tag.as_deref(), &place);
                let tag = tag.filter(|tag| !is_core_tag(tag));
                let node = Node { value: NodeValue::Scalar { text: text.into_owned(), kind }, place, tag };
                self.charge(1, &node.place)?;
                self.attach(node, anchor, stack, root)
            }
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                let value = if matches!(event, Event::SequenceStart(..)) {
                    NodeValue::Sequence(Vec::new())
                } else {
                    NodeValue::Mapping(Vec::new())
                };
                self.charge(1, &place)?;
                let place = Place { length: 1, ..place };
                let node = Node { value, place, tag: tag.filter(|tag| !is_core_tag(tag)) };
                stack.push(Frame { node, key: None, anchor, skip_value: false, index: HashMap::new() });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = stack.pop() else { return Ok(()) };
                let mut node = frame.node;
                merge_keys::apply(&mut node, &mut self.problems);
                self.attach(node, frame.anchor, stack, root)
            }
            Event::Alias(anchor) => {
                let node = self.aliased(anchor, &place)?;
                if stack.len() + depth(&node) > DEPTH_MAX {
                    self.problems
                        .push(place.error("too-deep", format!("nesting deeper than {DEPTH_MAX} levels")));
                    return Err(Stop);
                }
                self.attach(node, 0, stack, root)
            }
            _ => Ok(()),
        }
    }

    /// A copy of what an anchor keeps, paid for before it is made.
    fn aliased(&mut self, anchor: usize, place: &Place) -> Result<Node, Stop> {
        let Some(size) = self.anchors.get(&anchor).map(|(_, size)| *size) else {
            self.problems.push(place.error("yaml-alias", "an alias refers to a node that contains it"));
            return Err(Stop);
        };
        self.aliased.add(size);
        let message = if self.aliased.nodes > ALIAS_NODES_MAX {
            format!("aliases expand to more than {ALIAS_NODES_MAX} nodes")
        } else if self.aliased.bytes > ALIAS_BYTES_MAX {
            format!("aliases expand to more than {ALIAS_BYTES_MAX} bytes of text")
        } else {
            self.charge(size.nodes, place)?;
            return Ok(self.anchors[&anchor].0.clone());
        };
        let hint = "Write the repeated part once and refer to it fewer times.";
        self.problems.push(place.error("alias-bomb", message).with_hint(hint));
        Err(Stop)
    }

    fn charge(&mut self, nodes: usize, place: &Place) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > self.nodes_max {
            let message = format!("the file has more than {} nodes", self.nodes_max);
            self.problems.push(place.error("too-many-nodes", message));
            return Err(Stop);
        }
        if self.problems.len() >= PROBLEMS_MAX {
            let message = format!("the file has more than {PROBLEMS_MAX} problems");
            self.problems.push(place.error("too-many-problems", message));
            return Err(Stop);
        }
        Ok(())
    }

    /// Hangs a finished node where it belongs: as root, list item, key or value.
    fn attach(
        &mut self,
        node: Node,
        anchor: usize,
        stack: &mut [Frame],
        root: &mut Option<Node>,
    ) -> Result<(), Stop> {
        if anchor != 0 {
            let size = node.size();
            self.anchored.add(size);
            if self.anchored.exceeds(ANCHORED_NODES_MAX, ANCHORED_BYTES_MAX) {
                let message = format!(
                    "anchors keep more than {ANCHORED_NODES_MAX} nodes or {ANCHORED_BYTES_MAX} bytes of one document"
                );
                self.problems.push(node.place.error("alias-bomb", message));
                return Err(Stop);
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = stack.last_mut() else {
            *root = Some(node);
            return Ok(());
        };
        let mut value = std::mem::replace(&mut frame.node.value, NodeValue::Sequence(Vec::new()));
        match &mut value {
            NodeValue::Sequence(items) => items.push(node),
            NodeValue::Mapping(_) if frame.skip_value => frame.skip_value = false,
            NodeValue::Mapping(entries) => match frame.key.take() {
                Some((key, key_place)) => {
                    if let Some(earlier) = frame.earlier(entries, &key) {
                        self.problems.push(
                            key_place
                                .error("duplicate-key", format!("duplicate key `{key}`"))
                                .with_related(earlier.key_place.location(), "first written here")
                                .with_hint("Keep one of the two."),
                        );
                    } else {
                        entries.push(Entry { key, key_place, value: node });
                    }
                }
                None => match node.value {
                    NodeValue::Scalar { text, .. } => frame.key = Some((text, node.place)),
                    _ => {
                        self.problems.push(node.place.error("complex-key", "a key must be a scalar"));
                        frame.skip_value = true;
                    }
                },
            },
            NodeValue::Scalar { .. } => {}
        }
        frame.node.value = value;
        Ok(())
    }

    fn scalar_kind(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&str>,
        place: &Place,
    ) -> ScalarKind {
        let kind = tagged_kind(text, tag, style == ScalarStyle::Plain);
        kind.unwrap_or_else(|wrong| {
            self.problems
                .push(place.error("yaml-tag", format!("`{text}` is not of type `!!{}`", tag.unwrap_or(""))));
            wrong
        })
    }
}

fn depth(node: &Node) -> usize {
    1 + match &node.value {
        NodeValue::Scalar { .. } => 0,
        NodeValue::Sequence(items) => items.iter().map(depth).max().unwrap_or(0),
        NodeValue::Mapping(entries) => entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(text: &str) -> (Vec<Value>, Vec<String>) {
        let (documents, problems) = parse_documents("a.yaml", text.as_bytes());
        let rules = problems.iter().map(|p| format!("{}@{}", p.rule, p.location.as_ref().unwrap())).collect();
        (documents.iter().map(Node::to_json).collect(), rules)
    }

    #[test]
    fn scalars_follow_the_core_schema_and_only_it() {
        let (documents, problems) = read(
            "[yes, on, true, 18.0, 0440, 0x10, 1e3, ~, '1', 1.2.3, 08, -5, 1_000, 0b11, 100000000000000000000000]",
        );
        assert_eq!(
            documents,
            [json!([
                "yes", "on", true, 18.0, 288, 16, 1000.0, null, "1", "1.2.3", "08", -5, "1_000", 3, 1e23
            ])]
        );
        assert!(problems.is_empty());
    }

    #[test]
    fn merge_keys_and_anchors_are_applied_and_tags_kept() {
        let text = "x: &x {a: 1, b: {c: 2}}\ny: {<<: *x, a: 3}\nz: {<<: [*x, {d: 4}]}\nr: !reset null\n";
        let (documents, _) = parse_documents("a.yaml", text.as_bytes());
        assert_eq!(
            documents[0].to_json(),
            json!({"x": {"a": 1, "b": {"c": 2}}, "y": {"a": 3, "b": {"c": 2}}, "z": {"a": 1, "b": {"c": 2}, "d": 4}, "r": null})
        );
        assert_eq!(documents[0].get("r").unwrap().tag.as_deref(), Some("reset"));
    }

    #[test]
    fn every_document_is_read_even_after_a_broken_one() {
        let (documents, problems) = read("a: 1\n---\nb: [1, 2\n---\nc: 3\nc: 4\n");
        assert_eq!(documents, [json!({"a": 1}), json!({"c": 3})]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(problems[1], "duplicate-key@a.yaml:6:1");
    }

    #[test]
    fn places_are_those_of_keys_and_values() {
        let (documents, _) = parse_documents("a.yaml", "spec:\n  ports:\n    - é: x\n".as_bytes());
        let node = documents[0].at_pointer("/spec/ports/0/é");
        assert_eq!((node.place.line, node.place.column), (3, 10));
        let key = documents[0].key_place("/spec/ports/0/é");
        assert_eq!((key.line, key.column, key.length), (3, 7, 1));
    }

    #[test]
    fn hostile_documents_are_refused_by_name() {
        let bomb: String = (0..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
            let refs = vec![format!("*a{i}"); 9].join(",");
            format!("{text}a{0}: &a{0} [{refs}]\n", i + 1)
        });
        assert!(read(&bomb).1[0].starts_with("alias-bomb"));
        assert!(read(&"[".repeat(60_000)).1[0].starts_with("too-deep"));
        let deep: String =
            (0..60_000u32).map(|i| format!("{}a:\n", " ".repeat(i.min(900) as usize))).collect();
        assert!(!read(&deep[..200_000]).1.is_empty());
        assert!(read(&"---\na: 1\n".repeat(100_000)).1[0].starts_with("too-many-documents"));
        assert!(read("a: \0").1[0].starts_with("nul-byte@a.yaml:1:4"));
        assert_eq!(parse_documents("a.yaml", b"a: 1\nb: \xff").1[0].rule, "invalid-utf8");
        assert_eq!(parse_documents("a.yaml", &vec![b'a'; FILE_BYTES_MAX + 1]).1[0].rule, "file-too-large");
        assert!(read("a: &a [*a]").1[0].starts_with("yaml"));
        assert_eq!(read("a: &a {b: 1}\nc: {<<: *a, <<: *a}\n").1, ["duplicate-key@a.yaml:2:13"]);
    }

    #[test]
    fn copies_of_long_text_are_bounded_by_bytes() {
        let long = "y".repeat(100_000);
        let bomb = format!("x: &a \"{long}\"\ne: {{{}}}\n", alias_list(1_000));
        assert!(read(&bomb).1[0].starts_with("alias-bomb"));
        let used = format!("x: &a \"{long}\"\ne: {{{}}}\n", alias_list(30));
        assert!(read(&used).1.is_empty());
        let nested = |text: &str| {
            let open: String = (0..60).map(|i| format!("&b{i} [")).collect();
            format!("{open}\"{text}\"{}", "]".repeat(60))
        };
        assert!(read(&nested(&long)).1.is_empty());
        assert!(read(&nested(&long.repeat(10))).1[0].starts_with("alias-bomb"));
    }

    fn alias_list(count: usize) -> String {
        (0..count).map(|i| format!("A{i}: *a")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_may_be_made_of_a_file_can_be_less() {
        let parsed = parse_within("a.yaml", b"[1, 2, 3]", 3);
        assert_eq!((parsed.problems[0].rule, parsed.nodes), ("too-many-nodes", 4));
    }
}
