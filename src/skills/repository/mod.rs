//! A checkout is at the wanted commit.

pub mod checkout;
pub mod spec;
pub mod plan;
pub mod observe;
pub mod apply;
