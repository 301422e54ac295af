//! Small edits of document trees that keep places.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Entry, Node, NodeValue, Place, ScalarKind};

use super::units;

/// A map node of entries.
pub(super) fn map(entries: Vec<Entry>, place: Place) -> Node {
    Node { value: NodeValue::Mapping(entries), place, tag: None }
}

/// A boolean node.
pub(super) fn flag(value: bool, place: Place) -> Node {
    Node {
        value: NodeValue::Scalar { text: value.to_string(), kind: ScalarKind::Bool(value) },
        place,
        tag: None,
    }
}

/// An integer node.
pub(super) fn integer(value: i64, place: Place) -> Node {
    Node {
        value: NodeValue::Scalar { text: value.to_string(), kind: ScalarKind::Integer(value) },
        place,
        tag: None,
    }
}

/// A null node.
pub(super) fn null(place: Place) -> Node {
    Node { value: NodeValue::Scalar { text: String::new(), kind: ScalarKind::Null }, place, tag: None }
}

/// An entry whose key stands where its value stands.
pub(super) fn entry(key: impl Into<String>, value: Node) -> Entry {
    Entry { key: key.into(), key_place: value.place.clone(), value }
}

/// The entries of a map, to change them.
pub(super) fn entries_mut(node: &mut Node) -> Option<&mut Vec<Entry>> {
    match &mut node.value {
        NodeValue::Mapping(entries) => Some(entries),
        _ => None,
    }
}

/// The items of a list, to change them.
pub(super) fn items_mut(node: &mut Node) -> Option<&mut Vec<Node>> {
    match &mut node.value {
        NodeValue::Sequence(items) => Some(items),
        _ => None,
    }
}

/// The value of a map's key, to change it.
pub(super) fn get_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    entries_mut(node)?.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
}

/// Takes an entry out of a map.
pub(super) fn take(node: &mut Node, key: &str) -> Option<Entry> {
    let entries = entries_mut(node)?;
    let index = entries.iter().position(|entry| entry.key == key)?;
    Some(entries.remove(index))
}

/// Sets a key of a map; an existing entry keeps its position.
pub(super) fn set(node: &mut Node, key: &str, value: Node) {
    let Some(entries) = entries_mut(node) else { return };
    match entries.iter_mut().find(|entry| entry.key == key) {
        Some(known) => known.value = value,
        None => entries.push(entry(key, value)),
    }
}

/// Sets a key of a map unless it is there.
pub(super) fn set_default(node: &mut Node, key: &str, value: impl FnOnce(Place) -> Node) {
    if node.get(key).is_none() {
        let made = value(node.place.clone());
        set(node, key, made);
    }
}

/// The text of a map's scalar.
pub(super) fn text_of<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key).and_then(Node::text)
}

/// A scalar's text as Compose prints the value it means: `1.50` is `1.5`, `0x10` is `16`; null is `None`.
pub(super) fn value_text(node: &Node) -> Option<String> {
    let NodeValue::Scalar { text, kind } = &node.value else { return None };
    match kind {
        ScalarKind::Null => None,
        ScalarKind::Bool(value) => Some(value.to_string()),
        ScalarKind::Integer(value) => Some(value.to_string()),
        ScalarKind::Float(value) => Some(units::float_text(*value)),
        ScalarKind::String => Some(text.clone()),
    }
}

/// Whether two nodes mean the same, wherever they stand.
pub(super) fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (NodeValue::Scalar { text: x, kind: k }, NodeValue::Scalar { text: y, kind: l }) => {
            x == y || (k == l && *k != ScalarKind::String)
        }
        (NodeValue::Sequence(x), NodeValue::Sequence(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y))
        }
        (NodeValue::Mapping(x), NodeValue::Mapping(y)) => {
            x.len() == y.len()
                && x.iter().all(|entry| b.get(&entry.key).is_some_and(|other| same(&entry.value, other)))
        }
        _ => false,
    }
}
