//! Why a text is not a literal, and where.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// Why a text is not a literal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LiteralError {
    /// What is wrong, with the value in backticks.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// What to do next.
    pub hint: &'static str,
}

/// What is wrong at a byte of the text; becomes a [`LiteralError`] once the line is counted.
#[derive(Debug)]
pub(super) struct Wrong {
    pub at: usize,
    pub message: String,
    pub hint: &'static str,
}

impl Wrong {
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Wrong { at, message: message.into(), hint: "" }
    }

    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    pub fn place(self, text: &str) -> LiteralError {
        let (line, column) = line_and_column(text, self.at);
        LiteralError { message: self.message, line, column, hint: self.hint }
    }
}

/// The line and column of a byte, both from 1.
pub(super) fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}
