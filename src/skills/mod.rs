//! One folder per thing the product keeps true. Skills never import each other.

pub mod deps;
pub mod environment;
pub mod host;
pub mod layout;
pub mod repository;
pub mod stack;
