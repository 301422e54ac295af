//! The machine and its engine are as declared: the engine answers, and what later versions will manage is reported.

pub mod spec;
pub mod plan;
