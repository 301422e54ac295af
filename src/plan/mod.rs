//! (`DesiredState`, `Observation`, `Memory`, now) → `Plan`; pure.

pub mod memory;
pub mod step;
// The house's map names this file so: the plan is what this module is about.
#[allow(clippy::module_inception)]
pub mod plan;
pub mod planner;
mod policy;
mod prune;
mod order;
pub mod checks;
pub mod hash;
pub mod report;
pub mod display;
