//! What Compose files describe runs.

pub mod compose;
pub mod spec;
pub mod render;
pub mod plan;
