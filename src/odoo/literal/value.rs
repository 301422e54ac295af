//! What a literal can be.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// A Python value made of literals alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `...`.
    Ellipsis,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number of any size, in decimal digits with a `-` before a negative one.
    Int(String),
    /// A number with a point or an exponent.
    Float(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// `[…]`.
    List(Vec<Value>),
    /// `(…)`.
    Tuple(Vec<Value>),
    /// `{…}` of values, or `set()`; each value once, in the order of the source.
    Set(Vec<Value>),
    /// `{…: …}`; each key once, in the order of the source, with its last value.
    Dict(Vec<(Value, Value)>),
}

impl Value {
    /// What the value is, in words.
    pub fn noun(&self) -> &'static str {
        match self {
            Value::None => "`None`",
            Value::Ellipsis => "`...`",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) | Value::Complex(..) => "a number",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Set(_) => "a set",
            Value::Dict(_) => "a dictionary",
        }
    }

    /// The text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list, tuple or set.
    pub fn as_elements(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) | Value::Tuple(values) | Value::Set(values) => Some(values),
            _ => None,
        }
    }

    /// Whether Python takes it for true.
    pub fn is_true(&self) -> bool {
        match self {
            Value::None => false,
            Value::Ellipsis => true,
            Value::Bool(value) => *value,
            Value::Int(digits) => digits != "0",
            Value::Float(value) => *value != 0.0,
            Value::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(values) | Value::Tuple(values) | Value::Set(values) => !values.is_empty(),
            Value::Dict(entries) => !entries.is_empty(),
        }
    }

    /// Text that two values share exactly when Python takes them for one key; `None` for what can't be a key.
    ///
    /// `1`, `1.0`, `True` and `1+0j` are one key.
    pub fn key(&self) -> Option<String> {
        Some(match self {
            Value::None => "none".to_owned(),
            Value::Ellipsis => "ellipsis".to_owned(),
            Value::Bool(value) => format!("n{}", u8::from(*value)),
            Value::Int(digits) => format!("n{digits}"),
            Value::Float(value) | Value::Complex(value, 0.0) => number_key(*value),
            Value::Complex(real, imaginary) => format!("c{}{}", number_key(*real), number_key(*imaginary)),
            Value::Text(text) => format!("t{text}"),
            Value::Bytes(bytes) => format!("b{bytes:?}"),
            Value::Tuple(values) => {
                let mut key = format!("({}", values.len());
                for value in values {
                    let part = value.key()?;
                    // The length before each part keeps ("a", "b") and ("a,b",) apart.
                    key.push_str(&format!(",{}:{part}", part.len()));
                }
                key
            }
            Value::List(_) | Value::Set(_) | Value::Dict(_) => return None,
        })
    }
}

/// The key of a float: that of the whole number that it equals, if it equals one.
fn number_key(value: f64) -> String {
    if value == 0.0 {
        "n0".to_owned()
    } else if value.is_finite() && value.fract() == 0.0 {
        format!("n{value:.0}")
    } else {
        format!("f{:016x}", value.to_bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_one_key_whatever_their_type() {
        let one = [Value::Int("1".into()), Value::Float(1.0), Value::Bool(true), Value::Complex(1.0, 0.0)];
        assert!(one.iter().all(|value| value.key().as_deref() == Some("n1")));
        assert_ne!(Value::Text("1".into()).key(), Value::Int("1".into()).key());
        assert_eq!(Value::List(Vec::new()).key(), None);
    }
}
