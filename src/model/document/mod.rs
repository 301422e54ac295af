//! A YAML document as a tree in which every node knows its place, tag and spelling.
//!
//! The only YAML reader for what people write: resource documents and Compose files both come
//! through here, because the typed reader drops the tags (`!reset`, `!override`) and the places
//! that a good error needs. Bounded against hostile input: depth, nodes, aliases and documents.

mod node;
mod parse;
mod merge_keys;
mod scalar;

pub use node::{Entry, Node, NodeValue, Place, ScalarKind, Size, SourceFile};
pub use parse::{
    ALIAS_NODES_MAX, DEPTH_MAX, DOCUMENTS_MAX, FILE_BYTES_MAX, NODES_MAX, Parsed, parse_documents,
    parse_within,
};
