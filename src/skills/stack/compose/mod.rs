//! Compose files as people write them, read into one canonical model.
//!
//! `load` is the only way in: it takes text through `ComposeFiles` and gives the model, or every
//! problem with its place. Nothing here asks an engine, a clock or the process environment.

pub mod load;
mod reading;
mod context;
mod budget;
mod files;
mod interpolate;
mod dotenv;
mod kind;
mod schema;
mod schema_service;
mod shape;
mod value;
mod canonical;
mod ports;
mod mounts;
mod words;
mod include;
mod extends;
mod merge;
mod resolve;
mod normalize;
mod complete;
mod consistency;
mod whole;
mod select;
mod reach;
mod environment;
mod output;
mod paths;
mod tree;
mod units;

pub use load::{ComposeLoad, ComposeProject, ComposeRequest, load};
pub use reading::{ComposeFiles, FileRead, Look, Refusal};
