//! The inside of a string literal: prefixes, quotes, escapes.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::error::Wrong;
use super::value::Value;

/// Reads one string literal with prefix and quotes, as the lexer found it.
pub(super) fn read(literal: &str, at: usize) -> Result<Value, Wrong> {
    let quote = literal.find(['\'', '"']).unwrap_or(0);
    let prefix = literal[..quote].to_ascii_lowercase();
    let body = &literal[quote..];
    let marks =
        if body.len() >= 6 && (body.starts_with("'''") || body.starts_with("\"\"\"")) { 3 } else { 1 };
    let inner = &body[marks..body.len() - marks];
    let start = at + quote + marks;
    if prefix.contains('b') {
        if let Some(foreign) = inner.find(|c: char| !c.is_ascii()) {
            return Err(Wrong::new(start + foreign, "bytes hold ASCII characters alone"));
        }
        if prefix.contains('r') || !inner.contains('\\') {
            return Ok(Value::Bytes(inner.as_bytes().to_vec()));
        }
        return unescape_bytes(inner, start).map(Value::Bytes);
    }
    if prefix.contains('r') || !inner.contains('\\') {
        return Ok(Value::Text(inner.to_owned()));
    }
    unescape(inner, start).map(Value::Text)
}

fn unescape(inner: &str, start: usize) -> Result<String, Wrong> {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(slash) = rest.find('\\') {
        out.push_str(&rest[..slash]);
        rest = &rest[slash..];
        let at = start + (inner.len() - rest.len());
        let escaped = rest[1..].chars().next().unwrap_or('\\');
        let (c, length) = match escaped {
            'N' => {
                let hint = "Write the character itself.";
                return Err(Wrong::new(at, "a character by its name, `\\N{…}`, is not supported").hint(hint));
            }
            'x' => hexadecimal(rest, 2, at)?,
            'u' => hexadecimal(rest, 4, at)?,
            'U' => hexadecimal(rest, 8, at)?,
            '0'..='7' => {
                let (value, length) = octal(rest);
                (char::from_u32(value), length)
            }
            '\n' => (None, 2),
            other => match simple(other) {
                Some(c) => (Some(char::from(c)), 2),
                None => {
                    // Unknown escapes stay as they are written.
                    out.push('\\');
                    (Some(other), 1 + other.len_utf8())
                }
            },
        };
        out.extend(c);
        rest = &rest[length.min(rest.len())..];
    }
    out.push_str(rest);
    Ok(out)
}

fn unescape_bytes(inner: &str, start: usize) -> Result<Vec<u8>, Wrong> {
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(slash) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..slash]);
        rest = &rest[slash..];
        let at = start + (inner.len() - rest.len());
        let escaped = rest.as_bytes().get(1).copied().unwrap_or(b'\\');
        let length = match escaped {
            b'x' => {
                let (c, length) = hexadecimal(rest, 2, at)?;
                // Two digits make one byte.
                out.extend(c.and_then(|c| u8::try_from(u32::from(c)).ok()));
                length
            }
            b'0'..=b'7' => {
                let (value, length) = octal(rest);
                // Python keeps the low eight bits.
                out.push((value & 0xff) as u8);
                length
            }
            b'\n' => 2,
            other => {
                match simple(char::from(other)) {
                    Some(byte) => out.push(byte),
                    None => out.extend_from_slice(&[b'\\', other]),
                }
                2
            }
        };
        rest = &rest[length.min(rest.len())..];
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

fn simple(escaped: char) -> Option<u8> {
    Some(match escaped {
        '\\' => b'\\',
        '\'' => b'\'',
        '"' => b'"',
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        _ => return None,
    })
}

/// Up to three octal digits after the backslash: their value, and the length of the escape.
fn octal(rest: &str) -> (u32, usize) {
    let digits = rest[1..].bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.fold((0, 1), |(value, length), byte| (value * 8 + u32::from(byte - b'0'), length + 1))
}

fn hexadecimal(rest: &str, count: usize, at: usize) -> Result<(Option<char>, usize), Wrong> {
    let digits = rest.get(2..2 + count).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let Some(value) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
        let kind = rest[1..].chars().next().unwrap_or('x');
        return Err(Wrong::new(at, format!("the escape `\\{kind}` needs {count} hexadecimal digits")));
    };
    match char::from_u32(value) {
        Some(c) => Ok((Some(c), 2 + count)),
        None if value > 0x10_ffff => Err(Wrong::new(at, "an escape beyond the last character, U+10FFFF")),
        None => {
            Err(Wrong::new(at, "half a surrogate pair is no character").hint("Write the character itself."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_mean_what_they_mean_in_python() {
        let text =
            |literal: &str| read(literal, 0).map(|value| value.as_text().unwrap_or("?").to_owned()).ok();
        for (literal, expected) in [
            (r"'a\tb\x41\u00e9\U0001F600\101\7'", "a\tbAé😀A\u{7}"),
            (r"'\q\''", "\\q'"),
            ("'a\\\nb'", "ab"),
            ("'''a\n'b'\n'''", "a\n'b'\n"),
            (r#"r'\n\''"#, "\\n\\'"),
            ("''", ""),
            ("\"\"\"\"\"\"", ""),
            (r"'\777'", "\u{1ff}"),
        ] {
            assert_eq!(text(literal).as_deref(), Some(expected), "{literal}");
        }
        assert_eq!(read(r"b'\xff\400\q\u0041'", 0).ok(), Some(Value::Bytes(b"\xff\x00\\q\\u0041".to_vec())));
        for literal in
            [r"'\x4'", r"'\u12'", r"'\ud800'", r"'\U00110000'", r"'\N{BULLET}'", "b'é'", r"b'\xg0'"]
        {
            assert!(read(literal, 0).is_err(), "{literal}");
        }
    }
}
