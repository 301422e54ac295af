//! OCA and ipai repositories, branches, roots and mounts are as the files of a checkout declare them.
//!
//! `read` tells what files say, `observe` what is there, `checks` where they differ and why. `plan` decides what is
//! corrected, `apply` does it.

pub mod jsonc;
pub mod declared;
pub mod spec;
pub mod wanted;
pub mod read;
pub mod facts;
pub mod observed;
pub mod devcontainer;
pub mod operation;
pub mod plan;
pub mod observe;
pub mod view;
pub mod checks;
pub mod report;
pub mod apply;
