//! Which modules a feature needs, in which order, from which repository; what is missing and why.
//!
//! Answers questions and prints commands; never clones, installs or executes anything. What a module is, `odoo` knows;
//! keeping a layout as declared is `layout`.

pub mod auto_install;
pub mod report;
pub mod tree;
pub mod install;
pub mod picture;
