//! Reads a Python literal, as `ast.literal_eval` does, without Python; never executes anything.
//!
//! Reading order: `source` (bytes → text), `lexer` (text → tokens), `parser` (tokens → `Value`). Two things that Python accepts
//! are refused: `\N{…}` escapes, which need a table of all names, and half a surrogate pair, which no UTF-8 file can hold.

mod value;
mod error;
mod source;
mod lexer;
mod number;
mod text;
mod parser;

pub use self::error::LiteralError;
pub use self::parser::{Entry, Parsed, parse};
pub use self::source::{Decoded, SOURCE_BYTES_MAX, decode};
pub use self::value::Value;
