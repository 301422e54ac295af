//! A git tree at one revision → `DesiredState`.

pub mod starter;
pub mod state;
pub mod tree;
pub mod documents;
pub mod revision;
pub mod source;
pub mod schema;
pub mod load;

pub use load::{LoadOptions, Loaded, load};
pub use source::{At, Source, SourceSettings};
