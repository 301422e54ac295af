//! OCA and ipai repositories, branches, roots and mounts are as the files of a checkout declare them.
//!
//! `read` tells what files say, `observe` what is there, `checks` where they differ and why. Nothing is changed.

pub mod jsonc;
pub mod declared;
pub mod read;
pub mod facts;
pub mod observe;
pub mod view;
pub mod checks;
pub mod report;
