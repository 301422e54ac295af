//! Text → what an odoo.conf says, or everything that keeps the server from reading it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::mem;

use super::{DEFAULT, OdooConf, Options, Written};
use crate::model::problem::{Location, Problem};

/// Reads an odoo.conf; `file` is its path as the person knows it. Values of options whose line can't be read are in no message.
pub fn parse(file: &str, text: &str) -> Result<OdooConf, Vec<Problem>> {
    let mut reader = Reader { file, ..Reader::default() };
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (number, line) in (1..).zip(text.split('\n')) {
        reader.line(number, line);
    }
    reader.end_value();
    if reader.problems.is_empty() { Ok(reader.conf) } else { Err(reader.problems) }
}

/// What Python's `str.strip` takes away.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[derive(Default)]
struct Reader<'a> {
    file: &'a str,
    conf: OdooConf,
    /// The section that is read, once there is one.
    section: Option<String>,
    /// The option that deeper lines go on with.
    option: Option<Open>,
    /// How deep the line began that the option stands on.
    depth: usize,
    /// Where each section began, for those that come twice.
    begun: BTreeMap<String, u32>,
    problems: Vec<Problem>,
}

/// An option whose value may go on.
struct Open {
    name: String,
    written: Written,
    lines: Vec<String>,
}

impl Reader<'_> {
    fn line(&mut self, number: u32, line: &str) {
        let value = line.trim_matches(is_space);
        let is_comment = value.starts_with(['#', ';']);
        if value.is_empty() || is_comment {
            if let Some(open) = self.option.as_mut().filter(|_| !is_comment) {
                open.lines.push(String::new());
            }
            return;
        }
        let depth = line.chars().take_while(|c| is_space(*c)).count();
        if let Some(open) = self.option.as_mut().filter(|_| depth > self.depth) {
            open.lines.push(value.to_owned());
            return;
        }
        self.depth = depth;
        let place = Place { number, depth, line };
        match header(value) {
            Some(name) => self.begin_section(place, name),
            None if self.section.is_none() => {
                let problem = Problem::error("odoo-conf-section", "an option before the first section");
                self.wrong(place, 1, problem.with_hint("Begin the file with `[options]`."));
            }
            None => self.begin_option(place, value),
        }
    }

    fn begin_section(&mut self, place: Place, name: &str) {
        self.end_value();
        self.section = Some(name.to_owned());
        if name == DEFAULT {
            return;
        }
        if let Some(first) = self.begun.insert(name.to_owned(), place.number) {
            let first = Location { file: self.file.to_owned(), line: first, column: 1 };
            let problem = Problem::error("odoo-conf-twice", format!("section `{name}` is there twice"))
                .with_hint("Put all its options below one of the two; the server doesn't start with both.")
                .with_related(first, "first here");
            self.wrong(place, name.chars().count() + 2, problem);
        }
        self.conf.sections.entry(name.to_owned()).or_default();
    }

    fn begin_option(&mut self, place: Place, text: &str) {
        let Some((written, value)) = text.split_once(['=', ':']) else {
            // Python goes on with the option before it, whose value deeper lines still belong to.
            let problem = Problem::error("odoo-conf-line", "neither a section, an option nor a comment")
                .with_hint(
                    "Write `name = value`; a comment has a line of its own that begins with `#` or `;`.",
                );
            return self.wrong(place, 1, problem);
        };
        let written = written.trim_end_matches(is_space);
        if written.is_empty() {
            let problem = Problem::error("odoo-conf-line", "a value without the name of its option")
                .with_hint("Write `name = value`.");
            self.wrong(place, 1, problem);
        }
        self.end_value();
        let name = written.to_lowercase();
        let length = width(written);
        if let Some((line, column)) = self.options().get(&name).map(|first| (first.line, first.column)) {
            let first = Location { file: self.file.to_owned(), line, column };
            let problem = Problem::error("odoo-conf-twice", format!("option `{name}` is there twice"))
                .with_hint("Keep one of the two; the server doesn't start with both.")
                .with_related(first, "first here");
            self.wrong(place, written.chars().count(), problem);
        }
        let written = Written { value: String::new(), line: place.number, column: place.column(), length };
        self.option = Some(Open { name, written, lines: vec![value.trim_matches(is_space).to_owned()] });
    }

    /// The value of the option that was read is complete.
    fn end_value(&mut self) {
        let Some(mut open) = self.option.take() else { return };
        open.lines.join("\n").trim_end_matches(is_space).clone_into(&mut open.written.value);
        let name = mem::take(&mut open.name);
        self.options().insert(name, open.written);
    }

    /// The options of the section that is read.
    fn options(&mut self) -> &mut Options {
        match self.section.as_deref() {
            Some(name) if name != DEFAULT => self.conf.sections.entry(name.to_owned()).or_default(),
            _ => &mut self.conf.defaults,
        }
    }

    fn wrong(&mut self, place: Place, length: usize, problem: Problem) {
        let location = Location { file: self.file.to_owned(), line: place.number, column: place.column() };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        // The value may be a password; the name before it says enough.
        let shown = place.line.split_once(['=', ':']).map_or(place.line, |(name, _)| name);
        self.problems.push(problem.at(location).with_snippet(shown.trim_end_matches(is_space), length));
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    number: u32,
    depth: usize,
    line: &'a str,
}

impl Place<'_> {
    fn column(self) -> u32 {
        u32::try_from(self.depth + 1).unwrap_or(u32::MAX)
    }
}

fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The name of a section in `[name]`; what stands after the last bracket is nobody's, as for Python.
fn header(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('[')?;
    let end = inner.rfind(']').filter(|end| *end > 0)?;
    Some(&inner[..end])
}
