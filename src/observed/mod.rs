//! The world → `Observation`.

pub mod observation;
pub mod collector;
pub mod endings;

pub use collector::collect;
