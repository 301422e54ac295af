//! `Plan` → the world: in the order of the plan, journaled, under a lock. Decides nothing.

pub mod outcome;
pub mod verify;
pub mod lock;

pub use outcome::{RunOutcome, StepOutcome, StepStatus, Stopped};
pub use verify::{Verification, verify};
