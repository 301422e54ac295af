//! The world → `Observation`.

pub mod observation;
