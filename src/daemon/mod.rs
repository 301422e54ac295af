//! When to run a pass, and nothing of what a pass does.
//!
//! Events only wake the loop: triggers put keys into the queue, the driver takes them out and calls `reconcile`.

pub mod queue;
pub mod backoff;
pub mod schedule;
pub mod vitals;
pub mod triggers;
