//! A plan as text for a terminal; the words carry the meaning, color only helps.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::plan::plan::Plan;

/// The plan as text, with a final line end.
pub fn text(plan: &Plan, color: bool) -> String {
    let _ = color;
    format!("Plan {} over {} resources.\n", plan.hash, plan.resources.len())
}
