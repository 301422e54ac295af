//! What happened and what is true, kept: the store, and the evidence of each run.
//!
//! The executor in `apply` writes the journal that lives here; everything else is written by [`save()`] once a
//! pass has seen what came of it.

#[macro_use]
mod statements;
pub mod store;
mod migrations;
pub mod process;
pub mod locks;
pub mod journal;
pub mod inventory;
pub mod graves;
pub mod guards;
pub mod resources;
pub mod runs;
pub mod events;
pub mod alerts;
pub mod requests;
pub mod facts;
pub mod serving;
pub mod save;
pub mod evidence;
#[cfg(test)]
mod tests;

pub use save::{Pass, Saved, save};
pub use store::{Store, StoreError};
