//! What a machine may ask over HTTP: is the controller alive, is it ready, and its numbers.
//!
//! Reads only, and nothing of a resource: anything more needs authentication, which this version does not have. For the
//! same reason it binds to loopback addresses only.

mod health;
mod server;

pub use self::health::router;
pub use self::server::{WebError, bind, serve};
