//! Files of `NAME=value` lines, by Compose's rules: `export`, both quotes, escapes, comments, variables.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::interpolate::{self, Value};

/// All values of one env file together; bounds files whose variables double each other.
const VALUES_BYTES_MAX: usize = 4 << 20;
/// Variables in one env file; real ones have hundreds.
const VARIABLES_MAX: usize = 10_000;

/// One variable of an env file, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `None` for a name alone that is not set elsewhere.
    pub value: Option<String>,
}

/// What is wrong with an env file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong; never with a value in it.
    pub message: String,
}

/// Reads an env file. `lookup` finds variables that are not in the file and wins over the file's own;
/// `earlier` finds what neither has.
pub(super) fn parse(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    earlier: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Variable>, LineError> {
    let mut reader = Reader {
        text,
        offset: 0,
        variables: Vec::new(),
        bytes: 0,
        lookup,
        earlier,
        index: Default::default(),
    };
    reader.offset = text.len() - text.trim_start_matches('\u{feff}').len();
    while reader.next_statement() {
        reader.statement()?;
    }
    Ok(reader.variables)
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
    variables: Vec<Variable>,
    bytes: usize,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    earlier: &'a dyn Fn(&str) -> Option<String>,
    index: std::collections::HashMap<String, usize>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.offset..]
    }

    fn error(&self, at: usize, message: impl Into<String>) -> LineError {
        let line = self.text[..at].matches('\n').count() as u32 + 1;
        LineError { line, message: message.into() }
    }

    /// Skips white space and comment lines; false at the end.
    fn next_statement(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let start = rest.len() - rest.trim_start().len();
            self.offset += start;
            if !self.rest().starts_with('#') {
                return !self.rest().is_empty();
            }
            self.offset += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn statement(&mut self) -> Result<(), LineError> {
        let start = self.offset;
        if let Some(after) = self.rest().strip_prefix("export")
            && after.starts_with(char::is_whitespace)
        {
            self.offset += self.rest().len() - after.trim_start_matches(is_space).len();
        }
        let rest = self.rest();
        let mut end = None;
        for (index, c) in rest.char_indices() {
            match c {
                '=' | ':' | '\n' => {
                    end = Some((index, c));
                    break;
                }
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_space(c) || c.is_alphanumeric() => {}
                c => {
                    return Err(self.error(start, format!("unexpected character `{c}` in a variable's name")));
                }
            }
        }
        let (key_end, alone) = match end {
            Some((index, c)) => (index, c == '\n'),
            // A last line that is a name alone and has no line end reads as nothing, as in Compose.
            None => (0, false),
        };
        let key = rest[..key_end].trim_end().to_owned();
        if end.is_none() {
            if rest.contains(char::is_whitespace) {
                return Err(self.error(start, "expected `NAME=value`"));
            }
            let name = rest.to_owned();
            self.offset = self.text.len();
            return self.record(start, name, None);
        }
        if key.contains(' ') {
            return Err(self.error(start, "a variable's name can't hold a space"));
        }
        self.offset += key_end + 1;
        if alone {
            return self.record(start, key, None);
        }
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start_matches(is_space).len();
        let value = self.value()?;
        self.record(start, key, Some(value))
    }

    fn record(&mut self, start: usize, name: String, value: Option<String>) -> Result<(), LineError> {
        let value = match value {
            Some(value) => Some(value),
            None => (self.lookup)(&name),
        };
        self.bytes += value.as_ref().map_or(0, String::len);
        if self.bytes > VALUES_BYTES_MAX || self.variables.len() >= VARIABLES_MAX {
            return Err(self.error(start, "the file holds more than an environment can"));
        }
        self.index.insert(name.clone(), self.variables.len());
        self.variables.push(Variable { name, value });
        Ok(())
    }

    fn value(&mut self) -> Result<String, LineError> {
        let rest = self.rest();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let line = rest.split('\n').next().unwrap_or("");
            let length = line.len();
            let value = line.split(" #").next().unwrap_or("").trim_end().to_owned();
            let start = self.offset;
            self.offset = (self.offset + length + 1).min(self.text.len());
            return self.expand(start, &value);
        };
        let start = self.offset;
        let mut value = String::new();
        let mut escaped = false;
        for (index, c) in rest.char_indices().skip(1) {
            if c == quote && !escaped {
                self.offset += index + 1;
                return if quote == '"' { self.expand(start, &unescape(&value)) } else { Ok(value) };
            }
            if c == '\\' && !escaped {
                escaped = true;
                continue;
            }
            if escaped && c != quote {
                value.push('\\');
            }
            escaped = false;
            value.push(c);
        }
        Err(self.error(start, "a quote is not closed"))
    }

    fn expand(&mut self, start: usize, value: &str) -> Result<String, LineError> {
        if !value.contains('$') {
            return Ok(value.to_owned());
        }
        let lookup = |name: &str| {
            let own = || self.index.get(name).and_then(|index| self.variables[*index].value.clone());
            (self.lookup)(name)
                .or_else(own)
                .or_else(|| (self.earlier)(name))
                .map(|text| Value { text, secret: false })
        };
        match interpolate::expand(value, &lookup) {
            Ok(expansion) => {
                self.bytes += expansion.work - expansion.text.len();
                Ok(expansion.text)
            }
            Err(err) => Err(self.error(start, err.to_string())),
        }
    }
}

/// White space within a line.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// Resolves the escapes of a double-quoted value; `\$` becomes `$$`, which is `$` once variables are filled in.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let mut length = 1;
        match after.bytes().next() {
            Some(b'a') => out.push('\u{7}'),
            Some(b'b') => out.push('\u{8}'),
            Some(b'c') => out.push_str("\\c"),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'v') => out.push('\u{b}'),
            Some(b'$') => out.push_str("$$"),
            Some(b'"') => out.push('"'),
            Some(b'\\') => out.push('\\'),
            Some(b'0') => length = push_octal(after, &mut out),
            _ => {
                out.push('\\');
                length = 0;
            }
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    out
}

/// `\0` and three octal digits; anything else stays as it is written.
fn push_octal(after: &str, out: &mut String) -> usize {
    let digits = after[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
    let code = (digits == 3).then(|| u32::from_str_radix(&after[1..4], 8).ok()).flatten();
    match code.filter(|code| *code < 256).and_then(char::from_u32) {
        Some(c) => out.push(c),
        None => {
            out.push('\\');
            out.push_str(&after[..=digits]);
        }
    }
    digits + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        let found = parse(text, &|name| (name == "OUT").then(|| "out".to_owned()), &|_| None).unwrap();
        found.into_iter().map(|variable| (variable.name, variable.value)).collect()
    }

    #[test]
    fn lines_are_read_by_composes_rules() {
        let text = "\u{feff}# c\n\nA=1\nexport B = two words # c\nC='a $A \\' b' # c\nD=\"x\\n$A\\$A\"\nE=${A}-${Z:-z}$OUT\nF:yaml\nG=a#b\nOUT\nNONE\nH=\nI=\"multi\nline\"\n";
        let pairs: Vec<(String, String)> =
            read(text).into_iter().map(|(name, value)| (name, value.unwrap_or("<none>".into()))).collect();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a $A ' b"),
            ("D", "x\n1$A"),
            ("E", "1-zout"),
            ("F", "yaml"),
            ("G", "a#b"),
            ("OUT", "out"),
            ("NONE", "<none>"),
            ("H", ""),
            ("I", "multi\nline"),
        ];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn what_is_wrong_has_its_line_and_no_value() {
        for (text, line) in
            [("A=1\nB b=2\n", 2), ("A=\"x\n", 1), ("!A=1\n", 1), ("\n\nA=${\n", 3), ("A=${B:?x}", 1)]
        {
            assert_eq!(parse(text, &|_| None, &|_| None).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn doubling_values_are_bounded() {
        let mut text = "A0=xxxxxxxxxxxxxxxx\n".to_owned();
        for i in 0..40 {
            text += &format!("A{}=$A{i}$A{i}\n", i + 1);
        }
        assert!(parse(&text, &|_| None, &|_| None).is_err());
    }
}
