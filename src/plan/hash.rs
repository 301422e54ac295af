//! The hash that names a plan: equal when the same would be done, on the same facts, by the same program.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde_json::{Value, json};

use super::plan::Plan;
use crate::model::hash::canonical_hash;

/// `v1:<sha256>` over operations, desired digests, fingerprints, refusals and this program's version.
pub fn plan_hash(plan: &Plan) -> String {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            json!({
                "id": step.id,
                "resource": step.resource,
                "host": step.host,
                "subject": step.subject,
                "action": step.action,
                "cause": step.cause,
                "needs": step.needs,
                "after": step.after,
                "operations": step.operations,
                "fingerprint": step.fingerprint,
            })
        })
        .collect();
    let resources: Vec<Value> = plan
        .resources
        .iter()
        .map(|resource| json!({"id": resource.id, "digest": resource.digest, "notes": resource.notes}))
        .collect();
    canonical_hash(&json!({
        "steps": steps,
        "resources": resources,
        "program": env!("CARGO_PKG_VERSION"),
    }))
}
