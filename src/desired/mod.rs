//! A git tree at one revision → `DesiredState`.

pub mod starter;
pub mod state;
pub mod tree;
pub mod documents;
pub mod revision;
pub mod source;
pub mod yaml;
pub mod parse;
pub mod patterns;
pub mod validate;
pub mod typed;
pub mod rules;
pub mod environment_rules;
pub mod environment_values;
pub mod layout_rules;
pub mod references;
pub mod schema;
pub mod repositories;
pub mod files;
pub mod stacks;
pub mod engine_keys;
pub mod environment_roots;
pub mod environments;
pub mod layouts;
pub mod claims;
pub mod claimants;
pub mod assemble;
pub mod load;

pub use load::{LoadOptions, Loaded, load};
pub use source::{At, Source, SourceSettings};
