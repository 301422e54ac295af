//! One Odoo runs as declared: its containers, its configuration, its database, its modules; and it is well.

pub mod spec;
pub mod conf;
pub mod render;
pub mod facts;
pub mod operation;
pub mod loading;
pub mod modules;
pub mod plan;
pub mod observe;
pub mod apply;
