//! (`DesiredState`, `Observation`, `Memory`, now) → `Plan`; pure.

pub mod memory;
pub mod step;
pub mod plan;
pub mod planner;
pub mod hash;
pub mod report;
pub mod display;
