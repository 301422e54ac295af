//! A plan as JSON: a contract, described by `docs/schemas/plan.schema.json`.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde_json::Value;

use crate::plan::plan::Plan;

/// The plan as JSON. Holds no secret: bodies of requests are left out, values of secrets are fingerprints.
pub fn json(plan: &Plan) -> Value {
    serde_json::to_value(plan).expect("a plan has text keys only")
}
