//! All integration tests, in one binary: every further one would link the whole tree again.

mod cli;
mod compose;
mod daemon;
mod deps;
mod desired;
mod disk;
mod effects;
mod effects_tls;
mod engine;
mod environments;
mod git_daemon;
mod house;
mod lab;
mod layout;
mod odoo;
mod plans;
mod record;
mod world;
