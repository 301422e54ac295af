//! What is said of a machine: whether its engine answers, and what this version doesn't do for it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::spec::HostSpec;
use crate::engine::observe::EngineFacts;
use crate::engine::operation::EngineOperation;
use crate::model::draft::Draft;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};

/// Reports about a machine; nothing is ever done to it.
pub fn plan_host(spec: &HostSpec, engine: Option<&Known<EngineFacts>>) -> Draft<EngineOperation> {
    let mut draft = Draft::default();
    match engine {
        Some(Known::Known(_)) => {}
        Some(Known::Unknown(why)) => draft.unknown(None, format!("the engine could not be read: {why}")),
        None => draft.unknown(None, "the engine was not observed"),
    }
    for (field, is_set) in [
        ("droplet", spec.droplet.is_some()),
        ("ingress", spec.ingress.is_some()),
        ("budget.disk", spec.budget.as_ref().is_some_and(|budget| budget.get("disk").is_some())),
    ] {
        if is_set {
            let text = format!("`{field}` is not enforced by this version");
            draft.notes.push(Note::new(NoteKind::NotEnforced, None, text));
        }
    }
    draft
}
