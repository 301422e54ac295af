//! The world → `Observation`.

pub mod observation;
pub mod collector;

pub use collector::collect;
