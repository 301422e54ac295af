//! One file per outside system, a concrete struct each. Errors are bounded and carry no secret.

pub mod process;
pub mod git_lock;
mod git_message;
pub mod git_moving;
pub mod git_status;
pub mod git_url;
pub mod git_written;
pub mod git_address;
pub mod git;
pub mod git_clone;
pub mod git_evidence;
pub mod secrets;
pub mod docker;
pub mod odoo_modules;
pub mod postgres;
pub mod http;
mod connections;

pub use connections::{Clients, EngineKeys};
