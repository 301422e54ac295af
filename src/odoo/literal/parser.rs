//! Tokens → a value.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;

use super::error::{LiteralError, Wrong, line_and_column};
use super::lexer::{Lexer, Spot, Token};
use super::value::Value;
use super::{number, text};

/// A value, and where the keys of its outermost dictionary are.
#[derive(Debug)]
pub struct Parsed {
    /// The value.
    pub value: Value,
    /// The entries of the outermost dictionary in the order of the source, those that a later one replaces included.
    pub entries: Vec<Entry>,
}

/// An entry of the outermost dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key, when that is text.
    pub key: String,
    /// The line of its value, from 1.
    pub line: u32,
    /// The column of its value, from 1.
    pub column: u32,
}

/// Reads a text that is one literal.
pub fn parse(source: &str) -> Result<Parsed, LiteralError> {
    let start = Spot { token: Token::End, start: 0, end: 0 };
    let mut parser =
        Parser { source, lexer: Lexer::new(source), current: start, depth: 0, entries: Vec::new() };
    let value = parser.whole().map_err(|wrong| wrong.place(source))?;
    let entries = parser.entries.into_iter().map(|(key, at)| {
        let (line, column) = line_and_column(source, at);
        Entry { key, line, column }
    });
    Ok(Parsed { value, entries: entries.collect() })
}

/// How a number was written: Python adds only a signed real number and an unsigned imaginary one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Unsigned,
    Signed,
    Other,
}

struct Parser<'a> {
    source: &'a str,
    lexer: Lexer<'a>,
    current: Spot,
    depth: usize,
    entries: Vec<(String, usize)>,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Value, Wrong> {
        self.advance()?;
        if self.current.token == Token::End {
            return Err(Wrong::new(self.current.start, "no value at all"));
        }
        let (first, _) = self.sum()?;
        let value = if self.current.token == Token::Comma { self.bare_tuple(first)? } else { first };
        while self.current.token == Token::Newline {
            self.advance()?;
        }
        match self.current.token {
            Token::End => Ok(value),
            _ => Err(self.unexpected("the end of the file")),
        }
    }

    /// The rest of a tuple without parentheses, `1, 2`.
    fn bare_tuple(&mut self, first: Value) -> Result<Value, Wrong> {
        let mut values = vec![first];
        while self.current.token == Token::Comma {
            self.advance()?;
            if matches!(self.current.token, Token::Newline | Token::End) {
                break;
            }
            values.push(self.sum()?.0);
        }
        Ok(Value::Tuple(values))
    }

    fn advance(&mut self) -> Result<(), Wrong> {
        self.current = self.lexer.next()?;
        Ok(())
    }

    fn slice(&self) -> &str {
        &self.source[self.current.start..self.current.end]
    }

    fn unexpected(&self, wanted: &str) -> Wrong {
        let at = self.current.start;
        match self.current.token {
            Token::End | Token::Newline => {
                Wrong::new(at, format!("the value ends where {wanted} is expected"))
            }
            _ => {
                let found: String = self.slice().chars().take(40).collect();
                Wrong::new(at, format!("`{found}` where {wanted} is expected"))
                    .hint("A manifest holds values alone; it is read, never executed.")
            }
        }
    }

    fn sum(&mut self) -> Result<(Value, Shape), Wrong> {
        let (left, shape) = self.signed()?;
        let minus = match self.current.token {
            Token::Plus => false,
            Token::Minus => true,
            _ => return Ok((left, shape)),
        };
        let at = self.current.start;
        self.advance()?;
        let (right, right_shape) = self.signed()?;
        let real = match &left {
            Value::Int(digits) if shape != Shape::Other => {
                digits.parse().ok().filter(|value: &f64| value.is_finite())
            }
            Value::Float(value) if shape != Shape::Other => Some(*value),
            _ => None,
        };
        match (real, right) {
            (Some(real), Value::Complex(zero, imaginary)) if right_shape == Shape::Unsigned => {
                let value = match minus {
                    true => Value::Complex(real - zero, 0.0 - imaginary),
                    false => Value::Complex(real + zero, 0.0 + imaginary),
                };
                Ok((value, Shape::Other))
            }
            _ => Err(Wrong::new(at, "something is computed here").hint("Write the result.")),
        }
    }

    fn signed(&mut self) -> Result<(Value, Shape), Wrong> {
        let minus = match self.current.token {
            Token::Plus => false,
            Token::Minus => true,
            _ => return self.atom(),
        };
        let at = self.current.start;
        self.advance()?;
        // No number has two signs, so there is nothing to recurse into.
        if matches!(self.current.token, Token::Plus | Token::Minus) {
            return Err(Wrong::new(at, "a number with two signs"));
        }
        let (value, shape) = self.atom()?;
        if shape != Shape::Unsigned {
            return Err(Wrong::new(at, "a sign before something that is no plain number"));
        }
        let value = match value {
            Value::Int(digits) if minus && digits != "0" => Value::Int(format!("-{digits}")),
            Value::Float(value) if minus => Value::Float(-value),
            Value::Complex(real, imaginary) if minus => Value::Complex(-real, -imaginary),
            value => value,
        };
        Ok((value, Shape::Signed))
    }

    fn atom(&mut self) -> Result<(Value, Shape), Wrong> {
        let value = match self.current.token {
            Token::Number => {
                let value = number::read(self.slice(), self.current.start)?;
                self.advance()?;
                return Ok((value, Shape::Unsigned));
            }
            Token::Text => self.texts()?,
            Token::Name => return self.name().map(|value| (value, Shape::Other)),
            Token::Ellipsis => {
                self.advance()?;
                Value::Ellipsis
            }
            Token::Open(bracket) => {
                self.depth += 1;
                self.advance()?;
                let found = match bracket {
                    b'(' => self.parenthesis()?,
                    b'[' => (Value::List(self.elements(b']', Vec::new())?), Shape::Other),
                    _ => (self.braces()?, Shape::Other),
                };
                self.depth -= 1;
                return Ok(found);
            }
            _ => return Err(self.unexpected("a value")),
        };
        Ok((value, Shape::Other))
    }

    fn name(&mut self) -> Result<Value, Wrong> {
        let value = match self.slice() {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::None,
            "set" => {
                let start = self.current.start;
                self.advance()?;
                let wrong = || Wrong::new(start, "`set` is a literal only as `set()`");
                if self.current.token != Token::Open(b'(') {
                    return Err(wrong());
                }
                self.advance()?;
                if self.current.token != Token::Close(b')') {
                    return Err(wrong());
                }
                Value::Set(Vec::new())
            }
            name => {
                let name: String = name.chars().take(40).collect();
                return Err(Wrong::new(self.current.start, format!("`{name}` is a name, not a value"))
                    .hint("A manifest holds values alone; it is read, never executed."));
            }
        };
        self.advance()?;
        Ok(value)
    }

    /// One or more string literals beside each other, which are one.
    fn texts(&mut self) -> Result<Value, Wrong> {
        let mut whole: Option<Value> = None;
        while self.current.token == Token::Text {
            let next = text::read(self.slice(), self.current.start)?;
            whole = Some(match (whole, next) {
                (None, next) => next,
                (Some(Value::Text(mut left)), Value::Text(right)) => {
                    left.push_str(&right);
                    Value::Text(left)
                }
                (Some(Value::Bytes(mut left)), Value::Bytes(right)) => {
                    left.extend(right);
                    Value::Bytes(left)
                }
                _ => return Err(Wrong::new(self.current.start, "bytes beside text")),
            });
            self.advance()?;
        }
        Ok(whole.unwrap_or(Value::None))
    }

    fn parenthesis(&mut self) -> Result<(Value, Shape), Wrong> {
        if self.current.token == Token::Close(b')') {
            self.advance()?;
            return Ok((Value::Tuple(Vec::new()), Shape::Other));
        }
        let first = self.sum()?;
        if self.current.token == Token::Close(b')') {
            self.advance()?;
            return Ok(first);
        }
        self.separator(b')')?;
        Ok((Value::Tuple(self.elements(b')', vec![first.0])?), Shape::Other))
    }

    /// What follows up to the closing bracket, which is consumed.
    fn elements(&mut self, close: u8, mut values: Vec<Value>) -> Result<Vec<Value>, Wrong> {
        while self.current.token != Token::Close(close) {
            values.push(self.sum()?.0);
            self.separator(close)?;
        }
        self.advance()?;
        Ok(values)
    }

    /// A comma, or the closing bracket, which is left.
    fn separator(&mut self, close: u8) -> Result<(), Wrong> {
        match self.current.token {
            Token::Comma => self.advance(),
            Token::Close(found) if found == close => Ok(()),
            _ => Err(self.unexpected(&format!("`,` or `{}`", char::from(close)))),
        }
    }

    fn braces(&mut self) -> Result<Value, Wrong> {
        if self.current.token == Token::Close(b'}') {
            self.advance()?;
            return Ok(Value::Dict(Vec::new()));
        }
        let at = self.current.start;
        let first = self.sum()?.0;
        if self.current.token == Token::Colon {
            return self.dictionary(first, at);
        }
        let mut values = vec![first];
        let mut known = HashMap::from([(key_of(&values[0], at)?, 0)]);
        self.separator(b'}')?;
        while self.current.token != Token::Close(b'}') {
            let at = self.current.start;
            let value = self.sum()?.0;
            // Of equal values a set keeps the first.
            known.entry(key_of(&value, at)?).or_insert_with(|| {
                values.push(value);
                values.len() - 1
            });
            self.separator(b'}')?;
        }
        self.advance()?;
        Ok(Value::Set(values))
    }

    /// A dictionary after its first key.
    fn dictionary(&mut self, first: Value, at: usize) -> Result<Value, Wrong> {
        let outermost = self.depth == 1;
        let mut entries: Vec<(Value, Value)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut next = Some((first, at));
        while let Some((key, at)) = next.take() {
            if self.current.token != Token::Colon {
                return Err(self.unexpected("`:`"));
            }
            self.advance()?;
            let value_at = self.current.start;
            let value = self.sum()?.0;
            self.separator(b'}')?;
            if let (true, Some(name)) = (outermost, key.as_text()) {
                self.entries.push((name.to_owned(), value_at));
            }
            match known.get(&key_of(&key, at)?) {
                // Of equal keys a dictionary keeps the first, with the last value.
                Some(index) => entries[*index].1 = value,
                None => {
                    known.insert(key_of(&key, at)?, entries.len());
                    entries.push((key, value));
                }
            }
            if self.current.token != Token::Close(b'}') {
                let at = self.current.start;
                next = Some((self.sum()?.0, at));
            }
        }
        self.advance()?;
        Ok(Value::Dict(entries))
    }
}

fn key_of(value: &Value, at: usize) -> Result<String, Wrong> {
    value
        .key()
        .ok_or_else(|| Wrong::new(at, format!("{} can't be a key or an element of a set", value.noun())))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
