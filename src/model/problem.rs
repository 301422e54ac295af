//! What is wrong with an input, where, by which rule, and what to do about it.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The revision can't be used.
    Error,
    /// The revision can be used; someone should look.
    Warning,
}

/// A place in a file. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Location {
    /// The path as the person knows it: relative to the repository, or as given.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Location {
    /// The beginning of a file, for problems of the file as a whole.
    pub fn of_file(file: impl Into<String>) -> Self {
        Location { file: file.into(), line: 1, column: 1 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", printable(&self.file), self.line, self.column)
    }
}

/// The source line that a problem points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The line's text, without its end.
    pub text: String,
    /// How many characters from the location's column on are meant; at least 1.
    pub length: u32,
}

/// Another place that belongs to a problem, such as the first of two claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    pub location: Location,
    /// What is there, as a fragment: `first claimed here`.
    pub message: String,
}

/// One thing wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the input can be used in spite of it.
    pub severity: Severity,
    /// The rule's stable name in kebab case, such as `unknown-field`.
    pub rule: &'static str,
    /// What is wrong, with the value in backticks.
    pub message: String,
    /// Where, when the place is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The source line there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// What to do next, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Other places that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Problem {
    /// An error by a rule.
    pub fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Problem {
            severity: Severity::Error,
            rule,
            message: message.into(),
            location: None,
            snippet: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// A warning by a rule.
    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Problem { severity: Severity::Warning, ..Problem::error(rule, message) }
    }

    /// Adds the place.
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Adds the source line.
    pub fn with_snippet(mut self, text: impl Into<String>, length: u32) -> Self {
        self.snippet = Some(Snippet { text: text.into(), length: length.max(1) });
        self
    }

    /// Adds what to do next.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds another place.
    pub fn with_related(mut self, location: Location, message: impl Into<String>) -> Self {
        self.related.push(Related { location, message: message.into() });
        self
    }

    /// Whether it makes the input unusable.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The longest piece of a source line that a snippet prints, so that a minified file stays readable.
const SNIPPET_WIDTH_MAX: usize = 120;

impl fmt::Display for Problem {
    /// Prints the problem over several lines, the place first, without a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{severity}: {} [{}]", printable(&self.message), self.rule)?;
        if let (Some(location), Some(snippet)) = (&self.location, &self.snippet) {
            write_snippet(f, location, snippet)?;
        }
        for related in &self.related {
            write!(f, "\n  {}: {}", related.location, printable(&related.message))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  Hint: {}", printable(hint))?;
        }
        Ok(())
    }
}

fn write_snippet(f: &mut fmt::Formatter<'_>, location: &Location, snippet: &Snippet) -> fmt::Result {
    let number = location.line.to_string();
    let column = (location.column as usize).saturating_sub(1);
    let skip = column.saturating_sub(SNIPPET_WIDTH_MAX * 2 / 3);
    let shown: String = snippet.text.chars().skip(skip).take(SNIPPET_WIDTH_MAX).collect();
    let before: String = shown.chars().take(column - skip).collect();
    let indent = printable(&before).chars().count();
    let length = (snippet.length as usize).min(SNIPPET_WIDTH_MAX.saturating_sub(column - skip)).max(1);
    write!(f, "\n  {number} | {}", printable(&shown))?;
    write!(f, "\n  {} | {}{}", " ".repeat(number.len()), " ".repeat(indent), "^".repeat(length))
}

/// Makes control characters and bidirectional overrides visible, so that no input can drive a terminal.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || is_bidirectional(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// An error and what caused it, on one line.
pub fn error_chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut next = err.source();
    while let Some(cause) = next {
        // libgit2 ends its sentences with its own numbers, which help nobody.
        let cause_text = cause.to_string();
        let cause_text = cause_text.split("; class=").next().unwrap_or_default();
        // Some libraries repeat the cause in their own words.
        if !text.ends_with(cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        next = cause.source();
    }
    printable(&text)
}

fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest name that is compared with others; comparing takes time by length times length.
const NEAREST_BYTES_MAX: usize = 64;
/// Names that one is compared with; nobody has mistyped one of more.
const NEAREST_CANDIDATES_MAX: usize = 1_000;

/// The candidate nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > NEAREST_BYTES_MAX {
        return None;
    }
    let lower = written.to_lowercase();
    candidates
        .into_iter()
        .take(NEAREST_CANDIDATES_MAX)
        .filter(|candidate| candidate.len() <= NEAREST_BYTES_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= mistakes_max(candidate.chars().count().max(lower.chars().count()))
        })
        .min_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(b.1)))
        .map(|(_, candidate)| candidate)
}

/// How many mistakes a word of a length may hold: in a short one nearly every other is as near.
fn mistakes_max(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        length => 1 + length / 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_place_its_line_and_what_to_do() {
        let problem = Problem::error("unknown-field", "unknown field `nmae`")
            .at(Location { file: "a.yaml".into(), line: 12, column: 3 })
            .with_snippet("  nmae: x", 4)
            .with_hint("Did you mean `name`?");
        assert_eq!(
            problem.to_string(),
            "a.yaml:12:3: error: unknown field `nmae` [unknown-field]\n  12 |   nmae: x\n     |   ^^^^\n  Hint: Did you mean `name`?"
        );
    }

    #[test]
    fn terminal_escapes_are_made_visible() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
    }

    #[test]
    fn only_a_near_candidate_is_offered() {
        assert_eq!(nearest("nmae", ["name", "labels"]), Some("name"));
        assert_eq!(nearest("zzzzzz", ["name", "labels"]), None);
        assert_eq!((nearest("db", ["web", "a"]), nearest("c", ["a"])), (None, None));
        assert_eq!((nearest("tow", ["two"]), nearest("reff", ["ref"])), (Some("two"), Some("ref")));
    }
}
