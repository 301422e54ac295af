//! What makes a stack run as its Compose files say.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::spec::{RunState, StackSpec};
use crate::engine::operation::EngineOperation;
use crate::engine::plan::{ProjectRequest, Running, plan_project};
use crate::model::draft::Draft;
use crate::model::note::{Note, NoteKind};

/// Whether a stack's containers are to run.
pub fn running(spec: &StackSpec) -> Running {
    match spec.run {
        RunState::Started => Running::Started,
        RunState::Stopped => Running::Stopped,
        RunState::Absent => Running::Absent,
    }
}

/// Decides about a stack whose content is known. One that is to be adopted is only observed.
pub fn plan_stack(spec: &StackSpec, request: &ProjectRequest<'_>) -> Draft<EngineOperation> {
    if spec.adopt.is_some() {
        let mut draft = Draft::default();
        let text = "adoption is not supported by this version: observed only";
        draft.notes.push(Note::new(NoteKind::Blocked, None, text));
        return draft;
    }
    plan_project(request)
}
