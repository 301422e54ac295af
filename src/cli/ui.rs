//! The only writer to stdout and stderr: data to stdout, all else to stderr.
//!
//! A closed stdout (`ipaictl diff | head`) is remembered and never an error: what is under way goes on.
//! Everything that may hold foreign text is made printable here, so that no name or log line drives a terminal.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use serde::Serialize;

use super::args::{Format, Global};
use crate::model::problem::printable;

/// The longest answer to a question; the only useful one is `yes`.
const ANSWER_BYTES_MAX: u64 = 1 << 10;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    /// Errors and warnings alone.
    Quiet,
    /// Progress too.
    Normal,
    /// Details too.
    Verbose,
}

/// The terminal, or whatever stands in its place.
#[derive(Debug)]
pub struct Ui {
    /// The form of what goes to stdout.
    pub format: Format,
    /// Whether stdout takes colors.
    pub color: bool,
    /// How much is said on stderr.
    pub loudness: Loudness,
    closed: bool,
}

impl Ui {
    /// The terminal as the options and the environment want it used.
    pub fn new(global: &Global, no_color: bool) -> Self {
        let loudness = match (global.quiet, global.verbose) {
            (true, _) => Loudness::Quiet,
            (false, 0) => Loudness::Normal,
            (false, _) => Loudness::Verbose,
        };
        let color = !global.no_color && !no_color && io::stdout().is_terminal();
        Ui { format: global.output.format(), color, loudness, closed: false }
    }

    /// Whether nobody reads stdout any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes data that was made printable already, and a line end when it has none.
    pub fn data(&mut self, text: &str) -> io::Result<()> {
        if self.closed || text.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        let written =
            out.write_all(text.as_bytes()).and_then(|()| out.write_all(end)).and_then(|()| out.flush());
        match written {
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Writes a value as JSON or YAML.
    pub fn value(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = match self.format {
            Format::Yaml => serde_yaml::to_string(value).map_err(io::Error::other)?,
            _ => serde_json::to_string_pretty(value).map_err(io::Error::other)?,
        };
        self.data(&text)
    }

    /// Says what is going on.
    pub fn progress(&self, text: &str) {
        if self.loudness >= Loudness::Normal {
            to_stderr(&printable_lines(text));
        }
    }

    /// Says something that was made printable already.
    pub fn progress_text(&self, text: &str) {
        if self.loudness >= Loudness::Normal {
            to_stderr(text);
        }
    }

    /// Says a detail that only `--verbose` wants.
    pub fn detail(&self, text: &str) {
        if self.loudness >= Loudness::Verbose {
            to_stderr(&printable_lines(text));
        }
    }

    /// Says something that a person should know, even with `--quiet`.
    pub fn notice(&self, text: &str) {
        to_stderr(&printable_lines(text));
    }

    /// Asks for a typed `yes`. `None` when there is nobody to ask.
    pub fn confirm(&self, question: &str) -> io::Result<Option<bool>> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(None);
        }
        let mut err = io::stderr().lock();
        write!(err, "{question}\nOnly `yes` is taken as consent: ").and_then(|()| err.flush())?;
        drop(err);
        let mut answer = Vec::new();
        io::stdin().lock().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut answer)?;
        Ok(Some(answer.trim_ascii() == b"yes"))
    }
}

/// Makes every line of a text printable and keeps its line ends.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Writes text and a line end to stderr. That stderr can't be written is no reason to stop.
pub fn to_stderr(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
}

/// Columns of left-aligned cells, two spaces apart, without space at the ends of lines.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let head: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The same as a table in Markdown.
pub fn markdown_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = line(header.iter().map(|cell| (*cell).to_owned()).collect());
    out.push_str(&line(header.iter().map(|_| "---".to_owned()).collect()));
    for row in rows {
        out.push_str(&line(row.iter().map(|cell| markdown_text(cell)).collect()));
    }
    out
}

/// Foreign text that can't leave its cell, nor mention people or insert tags.
pub fn markdown_text(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_foreign_text_cannot_drive_the_terminal() {
        let rows = vec![vec!["a\u{1b}[2J".to_owned(), "x".to_owned()], vec!["äö".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "B"], &rows), "NAME        B\na\\u{1b}[2J  x\näö\n");
    }
}
