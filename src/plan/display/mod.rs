//! A plan for people and programs. The same plan gives the same bytes.

mod json;
mod markdown;
mod text;

pub use json::json;
pub use markdown::markdown;
pub use text::text;
