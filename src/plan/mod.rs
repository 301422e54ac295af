//! (`DesiredState`, `Observation`, `Memory`, now) → `Plan`; pure.

pub mod memory;
pub mod step;
pub mod plan;
pub mod planner;
mod policy;
mod prune;
mod order;
pub mod checks;
pub mod hash;
pub mod report;
pub mod display;
