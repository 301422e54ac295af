//! When to run a pass, and nothing of what a pass does.
//!
//! Events only wake the loop: triggers put keys into the queue, the driver takes them out and calls `reconcile`.

pub mod modes;
pub mod queue;
pub mod backoff;
pub mod vitals;
pub mod triggers;
pub mod revision;
pub mod pass;
pub mod driver;
pub mod shutdown;

pub use self::driver::{Reload, ServeError, serve};
pub use self::shutdown::Stopped;
