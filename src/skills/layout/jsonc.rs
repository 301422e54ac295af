//! JSON with comments and trailing commas, every value with its place in the text.
//!
//! Strict JSON is a part of it. Nothing is skipped silently: what is neither is an error with line and column.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::ops::Range;

use crate::model::problem::{Location, Problem};

/// Nesting; real files reach 6. Keeps recursion safe.
const DEPTH_MAX: usize = 64;

/// A value and where it is, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// What it is.
    pub kind: JsonKind,
    /// Where it is.
    pub span: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text, escapes resolved.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object in the order of the file; a key may be there twice.
    Object(Vec<Member>),
}

/// A key of an object and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Json,
}

impl Json {
    /// The value of a key; of equal keys the last one.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.members().iter().rev().find(|member| member.key == key).map(|member| &member.value)
    }

    /// The members of an object; none of anything else.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            JsonKind::Object(members) => members,
            _ => &[],
        }
    }

    /// The text of a text.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            JsonKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The word for its type.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            JsonKind::Null => "null",
            JsonKind::Bool(_) => "a boolean",
            JsonKind::Number(_) => "a number",
            JsonKind::Text(_) => "a text",
            JsonKind::List(_) => "a list",
            JsonKind::Object(_) => "an object",
        }
    }
}

/// The place of a byte in a text.
pub fn locate(file: &str, text: &str, at: usize) -> Location {
    let before = text.get(..at).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Location { file: file.to_owned(), line: number(line), column: number(column) }
}

/// Reads a text. `file` is its path as the person knows it.
pub fn parse(file: &str, text: &str) -> Result<Json, Box<Problem>> {
    let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { text, at: begin, depth: 0 };
    reader.document().map_err(|(at, message)| {
        let location = locate(file, text, at);
        let line = text.lines().nth(location.line as usize - 1).unwrap_or_default();
        Box::new(Problem::error("invalid-json", message).at(location).with_snippet(line, 1))
    })
}

type Failed = (usize, String);

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Json, Failed> {
        self.space()?;
        let value = self.value()?;
        self.space()?;
        match self.peek() {
            None => Ok(value),
            Some(c) => self.fail(format!("`{c}` after the end of the document")),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Failed> {
        Err((self.at, message.into()))
    }

    /// Skips white space and comments.
    fn space(&mut self) -> Result<(), Failed> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(end) => self.at += end + 4,
                    None => return self.fail("a comment without an end"),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self) -> Result<Json, Failed> {
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.nested(Reader::object)?,
            Some('[') => self.nested(Reader::list)?,
            Some('"') => JsonKind::Text(self.string()?),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => self.word()?,
            Some(c) => return self.fail(format!("`{c}` where a value belongs")),
            None => return self.fail("the document ends where a value belongs"),
        };
        Ok(Json { kind, span: start..self.at })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<JsonKind, Failed>) -> Result<JsonKind, Failed> {
        if self.depth == DEPTH_MAX {
            return self.fail(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        self.at += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<JsonKind, Failed> {
        let mut members = Vec::new();
        loop {
            self.space()?;
            if self.ends('}') {
                return Ok(JsonKind::Object(members));
            }
            let start = self.at;
            if self.peek() != Some('"') {
                return self.unexpected("a key in double quotes or `}`");
            }
            let key = self.string()?;
            let key_span = start..self.at;
            self.space()?;
            if !self.ends(':') {
                return self.unexpected("`:`");
            }
            self.space()?;
            let value = self.value()?;
            members.push(Member { key, key_span, value });
            self.space()?;
            if !self.ends(',') && self.peek() != Some('}') {
                return self.unexpected("`,` or `}`");
            }
        }
    }

    fn list(&mut self) -> Result<JsonKind, Failed> {
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.ends(']') {
                return Ok(JsonKind::List(items));
            }
            items.push(self.value()?);
            self.space()?;
            if !self.ends(',') && self.peek() != Some(']') {
                return self.unexpected("`,` or `]`");
            }
        }
    }

    fn ends(&mut self, mark: char) -> bool {
        let found = self.peek() == Some(mark);
        self.at += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, Failed> {
        match self.peek() {
            Some(c) => self.fail(format!("`{c}` where {wanted} belongs")),
            None => self.fail(format!("the document ends where {wanted} belongs")),
        }
    }

    fn word(&mut self) -> Result<JsonKind, Failed> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let kind = match &rest[..end] {
            "null" => JsonKind::Null,
            "true" => JsonKind::Bool(true),
            "false" => JsonKind::Bool(false),
            other => return self.fail(format!("`{other}` is no value; a text has double quotes")),
        };
        self.at += end;
        Ok(kind)
    }

    fn number(&mut self) -> Result<JsonKind, Failed> {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let text = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        if serde_json::from_str::<serde_json::Number>(text).is_err() {
            return self.fail(format!("`{text}` is no number"));
        }
        self.at += text.len();
        Ok(JsonKind::Number(text.to_owned()))
    }

    fn string(&mut self) -> Result<String, Failed> {
        let rest = &self.text[self.at..];
        let mut is_escaped = false;
        for (end, c) in rest.char_indices().skip(1) {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '\n' => return self.fail("a text without its closing quote"),
                '"' => {
                    let found = serde_json::from_str(&rest[..=end]);
                    let found = found.map_err(|err| {
                        let message = err.to_string();
                        (self.at, message.split(" at line ").next().unwrap_or_default().to_owned())
                    })?;
                    self.at += end + 1;
                    return Ok(found);
                }
                _ => {}
            }
        }
        self.fail("a text without its closing quote")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse("d.json", text).unwrap_err().to_string().lines().next().unwrap().to_owned()
    }

    #[test]
    fn comments_and_trailing_commas_are_read_and_places_are_kept() {
        let text = "\u{feff}// one\n{ /* two */ \"a\": [1, \"x//y\",], // three\n \"a\": null, }\n";
        let found = parse("d.json", text).unwrap();
        assert_eq!(found.members().len(), 2);
        assert_eq!(found.get("a").unwrap().kind, JsonKind::Null, "the last of equal keys");
        let list = &found.members()[0].value;
        assert_eq!(&text[list.span.clone()], "[1, \"x//y\",]");
    }

    #[test]
    fn an_error_has_its_line_and_column() {
        assert_eq!(error("{\n  \"a\" 1}"), "d.json:2:7: error: `1` where `:` belongs [invalid-json]");
        assert!(error("{\"a\": [1,").starts_with("d.json:1:10: error: the document ends"));
        assert!(error("{'a': 1}").contains("a key in double quotes"));
        assert!(error("[nul]").contains("`nul` is no value"));
        assert!(error("[01]").contains("`01` is no number"));
        assert!(error("/* x").contains("comment without an end"));
        assert!(error("{} x").contains("after the end"));
        assert!(error("[\"a\n\"]").contains("closing quote"));
        assert!(error(&"[".repeat(100)).contains("deeper than 64"));
    }
}
