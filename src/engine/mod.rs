//! Services, networks and volumes as values: compared with what runs, planned, applied.
//!
//! What Stack stands on, and later Environment and previews. Knows nothing of Compose files.

pub mod spec;
pub mod labels;
pub mod fields;
pub mod hash;
pub mod request;
pub mod operation;
pub mod observe;
pub mod plan;
pub mod apply;
