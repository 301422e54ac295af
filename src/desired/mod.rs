//! A git tree at one revision → `DesiredState`.

pub mod state;
