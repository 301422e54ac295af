//! A plan as Markdown, for the comment on a pull request.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::plan::plan::Plan;

/// The plan as Markdown.
pub fn markdown(plan: &Plan) -> String {
    super::text(plan, false)
}
