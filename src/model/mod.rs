//! The words that every other module uses. No I/O; imports nothing of ours.

pub mod change;
pub mod condition;
pub mod document;
pub mod draft;
pub mod hash;
pub mod id;
pub mod known;
pub mod note;
pub mod path;
pub mod problem;
pub mod reference;
pub mod resource;
pub mod secret;
pub mod time;
pub mod schedule;
