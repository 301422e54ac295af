//! The bytes of a file → its text: coding lines, line ends.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::borrow::Cow;

use super::error::{LiteralError, Wrong};

/// The most bytes that are read as a manifest; the longest of Odoo CE and OCA has less than 64 KiB.
pub const SOURCE_BYTES_MAX: usize = 1 << 20;
/// A coding line is one of the first two (PEP 263).
const CODING_LINES: usize = 2;

/// The text of a file.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The text, with line ends as `\n`.
    pub text: Cow<'a, str>,
    /// The coding that the file declares, when its bytes are not UTF-8. Odoo 18 reads UTF-8 alone.
    pub foreign: Option<&'static str>,
}

/// Reads bytes as UTF-8, or else in the coding that one of the first two lines declares.
pub fn decode(bytes: &[u8]) -> Result<Decoded<'_>, LiteralError> {
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let before = String::from_utf8_lossy(&bytes[..at]);
        return Err(Wrong::new(before.len(), "a NUL byte")
            .hint("It is not the text of a manifest.")
            .place(&before));
    }
    let (text, foreign) = match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(err) => {
            let (text, name) = decode_declared(bytes, err.valid_up_to())?;
            (Cow::Owned(text), Some(name))
        }
    };
    if text.starts_with('\u{feff}') {
        let hint = "Save it as UTF-8 without a mark; Odoo refuses the mark too.";
        return Err(Wrong::new(0, "a byte order mark").hint(hint).place(&text));
    }
    let text =
        if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text };
    Ok(Decoded { text, foreign })
}

fn decode_declared(bytes: &[u8], valid: usize) -> Result<(String, &'static str), LiteralError> {
    let before = String::from_utf8_lossy(&bytes[..valid]).into_owned();
    let wrong = |message: String| {
        let hint = "Save it as UTF-8, or declare its coding in the first line: # -*- coding: latin-1 -*-";
        Wrong::new(before.len(), message).hint(hint).place(&before)
    };
    let Some(name) = coding_line(bytes) else {
        return Err(wrong(format!("the byte `0x{:02x}` is not UTF-8", bytes[valid])));
    };
    let plain = name.to_ascii_lowercase().replace('_', "-");
    let table: (&'static str, fn(u8) -> Option<char>) = match plain.as_str() {
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "iso-latin-1" | "l1" => {
            ("latin-1", |byte| Some(char::from(byte)))
        }
        "iso-8859-15" | "iso8859-15" | "latin-9" | "latin9" | "l9" => ("iso-8859-15", latin_9),
        "cp1252" | "windows-1252" | "1252" => ("cp1252", cp1252),
        _ => return Err(wrong(format!("not text in the declared coding `{name}`"))),
    };
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for byte in bytes {
        match table.1(*byte) {
            Some(c) => text.push(c),
            None => return Err(wrong(format!("the byte `0x{byte:02x}` means nothing in `{}`", table.0))),
        }
    }
    Ok((text, table.0))
}

/// The coding that a comment in one of the first lines names.
fn coding_line(bytes: &[u8]) -> Option<String> {
    for line in bytes.split(|byte| *byte == b'\n').take(CODING_LINES) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_start_matches([' ', '\t', '\u{c}']).trim_end();
        let Some(comment) = line.strip_prefix('#') else {
            // Only a comment or an empty line may come before it.
            if line.is_empty() { continue } else { return None }
        };
        let Some(at) = comment.find("coding") else { continue };
        let Some(rest) = comment[at + 6..].strip_prefix([':', '=']) else { continue };
        let rest = rest.trim_start_matches([' ', '\t']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(rest.len());
        if end > 0 {
            return Some(rest[..end].to_owned());
        }
    }
    None
}

fn latin_9(byte: u8) -> Option<char> {
    Some(match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        byte => char::from(byte),
    })
}

fn cp1252(byte: u8) -> Option<char> {
    const HIGH: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’',
        '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => Some(HIGH[usize::from(byte - 0x80)]).filter(|c| *c != '\0'),
        byte => Some(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_coding_is_used_when_the_bytes_are_not_utf_8() {
        let decoded = decode(b"# -*- coding: latin-1 -*-\n'caf\xe9'\r\n").expect("latin-1");
        assert_eq!(
            (decoded.text.as_ref(), decoded.foreign),
            ("# -*- coding: latin-1 -*-\n'café'\n", Some("latin-1"))
        );
        let decoded =
            decode(b"#!/usr/bin/python\n# vim: set fileencoding=iso-8859-15 :\n'\xa4'").expect("latin-9");
        assert!(decoded.text.ends_with("'€'"));
        // UTF-8 is UTF-8 whatever the line says, as for Odoo.
        assert_eq!(decode("# coding: latin-1\n'é'".as_bytes()).expect("UTF-8").foreign, None);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let place =
            |bytes: &[u8]| decode(bytes).map(|_| ()).map_err(|err| (err.line, err.column)).unwrap_err();
        assert_eq!(place(b"{\n 'a\0'"), (2, 4));
        assert_eq!(place(b"{'\xff'"), (1, 3));
        assert_eq!(place(b"\n\n# coding: latin-1\n'\xff'"), (4, 2), "the line comes too late");
        assert_eq!(place(b"# coding: klingon\n'\xff'"), (2, 2));
        assert_eq!(place("\u{feff}{}".as_bytes()), (1, 1));
    }
}
