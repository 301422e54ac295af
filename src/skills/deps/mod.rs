//! Which modules a feature needs, in which order, from which repository; what is missing and why.
//!
//! Answers questions and prints commands; never clones, installs or executes anything. Keeping a layout as declared is `layout`.

pub mod literal;
pub mod version;
pub mod manifest;
pub mod universe;
pub mod graph;
pub mod auto_install;
pub mod catalogue;
pub mod knowledge;
pub mod missing;
pub mod report;
pub mod tree;
pub mod install;
pub mod picture;
pub mod observe;
