//! What an Odoo server sees: manifests, roots in their order, what modules need, what is known of those that are missing.
//!
//! Values for all skills that are about modules; only `observe` reads files.

pub mod literal;
pub mod version;
pub mod manifest;
pub mod universe;
pub mod graph;
pub mod catalogue;
pub mod knowledge;
pub mod missing;
pub mod conf;
pub mod observe;
