//! Compose files as people write them, read into one canonical model.
//!
//! `load` is the only way in: it takes text through `ComposeFiles` and gives the model, or every
//! problem with its place. Nothing here asks an engine, a clock or the process environment.

pub mod load;

pub use load::{ComposeFiles, ComposeLoad, ComposeProject, ComposeRequest, FileRead, load};
