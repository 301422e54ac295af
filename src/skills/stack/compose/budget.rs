//! What one stack may cost: every count that hostile files could drive up, and its bound.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Node, NodeValue, Size};
use crate::model::problem::Problem;

use super::reading::Refusal;

/// Files that one stack reads, repeats counted: Compose, included, extended, env and label files.
const READS_MAX: usize = 500;
/// Bytes that one stack reads, repeats counted.
const READ_BYTES_MAX: usize = 16 << 20;
/// Values in all files of one stack, repeats counted; the largest real stack has 3,000.
const NODES_MAX: usize = 200_000;
/// Bytes of text in all values of one stack, copies counted; the largest real stack has 60,000.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// Entries of one map or list in a Compose file, because names in it are looked up one after the other.
const WIDTH_MAX: usize = 10_000;
/// The longest key, because messages repeat it.
const KEY_BYTES_MAX: usize = 1_024;
/// Text that filling in variables makes in one stack.
const EXPANDED_TOTAL_MAX: usize = 16 << 20;

/// What was spent so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    reads: usize,
    read_bytes: usize,
    expanded: usize,
    held: Size,
}

impl Budget {
    /// Counts a read; gives the refusal once there were too many.
    pub fn charge_read(&mut self) -> Result<(), Refusal> {
        self.reads += 1;
        if self.reads > READS_MAX || self.read_bytes > READ_BYTES_MAX {
            let why = format!("a stack reads at most {READS_MAX} files and {READ_BYTES_MAX} bytes");
            return Err(Refusal { rule: "too-many-files", why });
        }
        Ok(())
    }

    /// Counts bytes that were read.
    pub fn charge_bytes(&mut self, bytes: usize) {
        self.read_bytes += bytes;
    }

    /// Counts values that are added; false once the stack holds too much.
    #[must_use]
    pub fn charge_values(&mut self, values: Size) -> bool {
        self.held.add(values);
        !self.held.exceeds(NODES_MAX, TEXT_BYTES_MAX)
    }

    /// What of [`Budget::charge_values`] is said when it is false.
    pub fn too_much() -> String {
        format!("the files of the stack hold more than {NODES_MAX} values or {TEXT_BYTES_MAX} bytes of text")
    }

    /// Counts text that filling in variables made.
    pub fn charge_expansion(&mut self, bytes: usize) {
        self.expanded += bytes;
    }

    /// Why no more variables are filled in, once too much text was made.
    pub fn expansion_fault(&self) -> Option<String> {
        (self.expanded > EXPANDED_TOTAL_MAX).then(|| {
            format!("the files make more than {EXPANDED_TOTAL_MAX} bytes of text with their variables")
        })
    }

    /// What the stack holds.
    pub fn held(&self) -> Size {
        self.held
    }

    /// Counts a document; the problem of the first value that is too much.
    pub fn measure(&mut self, node: &Node) -> Option<Problem> {
        let mut own = Size { nodes: 1, bytes: 0 };
        match &node.value {
            NodeValue::Scalar { text, .. } => own.bytes = text.len(),
            NodeValue::Sequence(_) => {}
            NodeValue::Mapping(entries) => own.bytes = entries.iter().map(|entry| entry.key.len()).sum(),
        }
        let too_large = |what: String| Some(node.place.error("file-too-large", what));
        if !self.charge_values(own) {
            return too_large(Self::too_much());
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
}
