//! What Compose files describe runs.

pub mod spec;
