//! Reading of canonical JSON: numbers that may be texts, sizes, durations; and a list of what is wrong.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use crate::model::document::Place;
use crate::model::problem::Problem;
use crate::model::time::{parse_bytes, parse_duration};

/// What is wrong so far.
pub(super) struct Problems<'a> {
    place: &'a dyn Fn(&str) -> Option<Place>,
    found: RefCell<Vec<Problem>>,
}

impl<'a> Problems<'a> {
    pub fn new(place: &'a dyn Fn(&str) -> Option<Place>) -> Self {
        Problems { place, found: RefCell::default() }
    }

    /// Notes something that this version does not do.
    pub fn unsupported(&self, pointer: &str, what: &str) {
        self.report(
            pointer,
            Problem::error("not-supported", format!("{what} is not supported by this version")),
        );
    }

    /// Notes a value that can't be used.
    pub fn invalid(&self, pointer: &str, what: impl Into<String>) {
        self.report(pointer, Problem::error("invalid-value", what));
    }

    fn report(&self, pointer: &str, problem: Problem) {
        let problem = match (self.place)(pointer) {
            Some(place) => place.mark(problem),
            None => problem,
        };
        self.found.borrow_mut().push(problem);
    }

    /// The value, unless something is wrong.
    pub fn none_or<T>(self, value: T) -> Result<T, Vec<Problem>> {
        let found = self.found.into_inner();
        if found.is_empty() { Ok(value) } else { Err(found) }
    }
}

/// One map of the model, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub value: &'a Value,
    pub pointer: &'a str,
    pub problems: &'a Problems<'a>,
}

impl<'a> Node<'a> {
    /// A field that is set.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    /// The pointer of a field.
    pub fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => self.wrong(name, "a text"),
        })
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(|value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text == "true" || text == "false" => Some(text == "true"),
            _ => self.wrong(name, "`true` or `false`"),
        })
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        integer(value).or_else(|| self.wrong(name, "a whole number"))
    }

    pub fn float(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.filter(|number: &f64| number.is_finite()).or_else(|| self.wrong(name, "a number"))
    }

    /// A size in bytes; -1 stands for no limit.
    pub fn bytes(&self, name: &str) -> Option<i64> {
        let value = self.get(name)?;
        let size = match value {
            Value::String(text) if text.starts_with('-') => text.parse().ok(),
            Value::String(text) => parse_bytes(text).and_then(|size| i64::try_from(size).ok()),
            value => integer(value),
        };
        size.or_else(|| self.wrong(name, "a size such as `512m`"))
    }

    /// A duration in nanoseconds.
    pub fn nanoseconds(&self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        let duration = parse_duration(&text).and_then(|duration| i64::try_from(duration.as_nanos()).ok());
        duration.or_else(|| self.wrong(name, "a duration such as `30s`"))
    }

    /// A list of texts; a single text is a list of one.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.get(name)? {
            Value::Array(items) => Some(items.iter().map(plain).collect()),
            value @ Value::String(_) => Some(vec![plain(value)]),
            _ => self.wrong(name, "a list"),
        }
    }

    /// A map of texts; `None` when it is not set or empty.
    pub fn map(&self, name: &str) -> Option<HashMap<String, String>> {
        match self.get(name)? {
            Value::Object(map) if map.is_empty() => None,
            Value::Object(map) => Some(map.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
            _ => self.wrong(name, "a map"),
        }
    }

    /// The entries of a list.
    pub fn items(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn wrong<T>(&self, name: &str, expected: &str) -> Option<T> {
        self.problems.invalid(&self.at(name), format!("`{name}` has to be {expected}"));
        None
    }
}

/// The entries of a map field; none when it is not set.
pub(super) fn entries<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// A scalar as text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
            Some(float as i64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
