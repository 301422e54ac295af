//! `Plan` → the world: in the order of the plan, journaled, under a lock. Decides nothing.

pub mod outcome;
pub mod verify;
pub mod lock;
pub mod dispatch;
pub mod journal;
mod step;
pub mod executor;
pub mod recover;

pub use executor::{ApplyContext, ApplyError, Progress, endpoints, execute};
pub use lock::LockError;
pub use outcome::{RunOutcome, StepOutcome, StepStatus, Stopped};
pub use recover::Recovery;
pub use verify::{Verification, verify};
