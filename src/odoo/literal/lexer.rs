//! Text → tokens: what Python's tokenizer makes of a single expression.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::error::Wrong;

/// Brackets within brackets; Python's own tokenizer refuses the 201st.
pub(super) const DEPTH_MAX: usize = 200;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Open(u8),
    Close(u8),
    Comma,
    Colon,
    Plus,
    Minus,
    Ellipsis,
    Name,
    Number,
    /// A string literal, with prefix and quotes.
    Text,
    /// A character that no literal holds.
    Other,
    /// The end of the line that the expression began on.
    Newline,
    End,
}

/// Where a token is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub token: Token,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    brackets: Vec<u8>,
    started: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Lexer { text, bytes: text.as_bytes(), at: 0, brackets: Vec::new(), started: false }
    }

    /// The next token. After `End` it is `End` again.
    pub fn next(&mut self) -> Result<Spot, Wrong> {
        if let Some(newline) = self.skip_space()? {
            return Ok(Spot { token: Token::Newline, start: newline, end: newline });
        }
        let start = self.at;
        let Some(byte) = self.bytes.get(start).copied() else {
            self.check_last_line()?;
            return Ok(Spot { token: Token::End, start, end: start });
        };
        if !self.started {
            self.started = true;
            self.check_indent(start)?;
        }
        let token = self.read(byte)?;
        Ok(Spot { token, start, end: self.at })
    }

    fn read(&mut self, byte: u8) -> Result<Token, Wrong> {
        let start = self.at;
        let second = self.bytes.get(start + 1).copied().unwrap_or(0);
        match byte {
            b'0'..=b'9' => return self.number(),
            b'.' if second.is_ascii_digit() => return self.number(),
            b'\'' | b'"' => return self.quoted(start),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => return self.name(),
            _ => {}
        }
        self.at += 1;
        Ok(match byte {
            b'(' | b'[' | b'{' => {
                if self.brackets.len() >= DEPTH_MAX {
                    return Err(Wrong::new(start, format!("more than {DEPTH_MAX} brackets within brackets")));
                }
                self.brackets.push(byte);
                Token::Open(byte)
            }
            b')' | b']' | b'}' => self.close(start, byte)?,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'+' => Token::Plus,
            b'-' => Token::Minus,
            b'.' if self.bytes[start..].starts_with(b"...") => {
                self.at += 2;
                Token::Ellipsis
            }
            _ => Token::Other,
        })
    }

    fn close(&mut self, start: usize, byte: u8) -> Result<Token, Wrong> {
        let wanted = match self.brackets.pop() {
            Some(b'(') => b')',
            Some(b'[') => b']',
            Some(_) => b'}',
            None => return Err(Wrong::new(start, format!("`{}` closes nothing", char::from(byte)))),
        };
        if wanted != byte {
            let message = format!("`{}` where `{}` must close", char::from(byte), char::from(wanted));
            return Err(Wrong::new(start, message));
        }
        Ok(Token::Close(byte))
    }

    /// Skips what means nothing; answers the place of a line end that ends the expression.
    fn skip_space(&mut self) -> Result<Option<usize>, Wrong> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            match byte {
                b' ' | b'\t' | 0x0c => self.at += 1,
                b'#' => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                b'\\' => {
                    if self.bytes.get(self.at + 1) != Some(&b'\n') {
                        return Err(Wrong::new(self.at, "something after the `\\` that continues a line"));
                    }
                    self.at += 2;
                    if self.at == self.bytes.len() {
                        return Err(Wrong::new(
                            self.at - 2,
                            "the file ends after a `\\` that continues a line",
                        ));
                    }
                }
                b'\n' => {
                    self.at += 1;
                    if self.started && self.brackets.is_empty() {
                        return Ok(Some(self.at - 1));
                    }
                }
                _ => break,
            }
        }
        Ok(None)
    }

    /// An expression begins in the first column; before that, `literal_eval` strips blanks of the first line alone.
    fn check_indent(&self, start: usize) -> Result<(), Wrong> {
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let mut before = &self.text[line..start];
        if line == 0 {
            before = before.trim_start_matches([' ', '\t']);
        }
        // A form feed begins the line anew.
        let after_feed = before.rsplit('\u{c}').next().unwrap_or(before);
        if !after_feed.is_empty() && after_feed.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(Wrong::new(start, "the value is indented").hint("Begin it in the first column."));
        }
        Ok(())
    }

    /// Blanks after the last line end are an indented line to Python, though nothing is on it.
    fn check_last_line(&self) -> Result<(), Wrong> {
        let Some((_, last)) = self.text.rsplit_once('\n') else { return Ok(()) };
        let after_feed = last.rsplit('\u{c}').next().unwrap_or(last);
        if self.started
            && !after_feed.is_empty()
            && after_feed.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
        {
            let at = self.text.len() - after_feed.len();
            return Err(Wrong::new(at, "blanks on the last line")
                .hint("End the file with a line end; Odoo refuses it too."));
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Token, Wrong> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if length == 0 {
            self.at += rest.chars().next().map_or(1, char::len_utf8);
            return Ok(Token::Other);
        }
        self.at += length;
        let quote = self.bytes.get(self.at).copied();
        if length <= 2 && matches!(quote, Some(b'\'' | b'"')) {
            match rest[..length].to_ascii_lowercase().as_str() {
                "r" | "u" | "b" | "br" | "rb" => return self.quoted(self.at),
                "f" | "rf" | "fr" => {
                    return Err(
                        Wrong::new(start, "an f-string is computed, not a literal").hint("Write plain text.")
                    );
                }
                _ => {}
            }
        }
        Ok(Token::Name)
    }

    /// A string literal whose first quote is at `quote`.
    fn quoted(&mut self, quote: usize) -> Result<Token, Wrong> {
        let mark = self.bytes[quote];
        let triple = self.bytes[quote..].starts_with(&[mark; 3]);
        let mut at = quote + if triple { 3 } else { 1 };
        loop {
            match self.bytes.get(at).copied() {
                None => return Err(Wrong::new(quote, "a string that never ends")),
                Some(b'\n') if !triple => {
                    return Err(Wrong::new(quote, "a string that does not end on its line"));
                }
                Some(b'\\') => at += 2,
                Some(byte) if byte == mark && !triple => {
                    self.at = at + 1;
                    return Ok(Token::Text);
                }
                Some(byte) if byte == mark && self.bytes[at..].starts_with(&[mark; 3]) => {
                    self.at = at + 3;
                    return Ok(Token::Text);
                }
                Some(_) => at += 1,
            }
        }
    }

    /// Digits, points, exponents and letters that follow; `number` judges them.
    fn number(&mut self) -> Result<Token, Wrong> {
        let start = self.at;
        let is_hexadecimal = matches!(self.bytes.get(start + 1), Some(b'x' | b'X'));
        while let Some(byte) = self.bytes.get(self.at).copied() {
            let is_exponent_sign = matches!(byte, b'+' | b'-')
                && !is_hexadecimal
                && matches!(self.bytes[self.at - 1], b'e' | b'E')
                && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit);
            if byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'.') || is_exponent_sign
            {
                self.at += 1;
            } else {
                break;
            }
        }
        Ok(Token::Number)
    }
}
