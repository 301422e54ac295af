//! A checkout is at the wanted commit.

pub mod checkout;
pub mod spec;
pub mod plan;
pub mod observe;
mod restore;
pub mod apply;
