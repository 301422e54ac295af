//! A plan for people and programs. The same plan gives the same bytes.

mod lines;
mod text;
mod markdown;
mod json;

pub use json::json;
pub use lines::summary;
pub use markdown::markdown;
pub use text::text;
