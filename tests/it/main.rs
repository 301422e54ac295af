//! All integration tests, in one binary: every further one would link the whole tree again.

mod cli;
mod compose;
mod daemon;
mod deps;
mod desired;
mod effects;
mod engine;
mod house;
mod plans;
mod record;
mod world;
