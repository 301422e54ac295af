//! What can wake the loop. A trigger says where to look, never what to do.

pub mod docker_events;
pub mod git_local;
pub mod heartbeat;
pub mod meaning;
pub mod reconnect;
pub mod requests;
pub mod signals;
pub mod wake;
