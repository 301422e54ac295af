//! (`DesiredState`, `Observation`, `Memory`, now) → `Plan`; pure.

pub mod memory;
pub mod plan;
pub mod step;
