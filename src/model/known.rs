//! A fact that may not have been readable: unknown is a value, never "absent".

use serde::{Deserialize, Serialize};

/// A value that was read, or the reason why it could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Known<T> {
    /// The value as it was read.
    Known(T),
    /// Why it could not be read, as a sentence fragment for people.
    Unknown(String),
}

impl<T> Known<T> {
    /// The value, if it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Known::Known(value) => Some(value),
            Known::Unknown(_) => None,
        }
    }

    /// The reason why the value is not known.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Known::Known(_) => None,
            Known::Unknown(why) => Some(why),
        }
    }

    /// Applies a function to a known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Known(value) => Known::Known(f(value)),
            Known::Unknown(why) => Known::Unknown(why),
        }
    }
}
