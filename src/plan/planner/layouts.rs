//! AddonsLayouts: what is corrected at once, and what waits for its time of day.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::world::World;
use super::{Checkouts, Part, PlanInput, part, policy_of};
use crate::desired::state::LayoutDesired;
use crate::model::change::Class;
use crate::model::draft::Draft;
use crate::model::known::Known;
use crate::model::note::{Note, NoteKind};
use crate::plan::policy::{apply_policy, note};
use crate::plan::step::Operation;
use crate::skills::layout::plan::{LayoutRequest, plan_layout};

/// Plans one AddonsLayout of the desired state.
pub(super) fn plan_one(
    input: &PlanInput<'_>,
    world: &World<'_>,
    layout: &LayoutDesired,
    checkouts: &Checkouts,
) -> Part {
    let resource = &layout.resource;
    let host = layout.host.as_deref().unwrap_or_default();
    let mut draft = Draft::default();
    let wanted = match &layout.wanted {
        Ok(wanted) => wanted,
        Err(why) => {
            draft.unknown(None, format!("what it declares is not known: {why}"));
            return part(input, &resource.id, host, draft);
        }
    };
    let facts = match input.observed.layouts.get(&resource.id.name) {
        Some(Known::Known(facts)) => facts,
        Some(Known::Unknown(why)) => {
            draft.unknown(None, why.clone());
            return part(input, &resource.id, host, draft);
        }
        None => {
            draft.unknown(None, "it was not observed");
            return part(input, &resource.id, host, draft);
        }
    };
    let is_moving = checkouts.is_moving(host, &layout.checkout);
    if !facts.exists && !is_moving {
        let text = format!("waits for Repository/{}: its checkout is not there", resource.spec.repository);
        draft.notes.push(Note::new(NoteKind::Blocked, None, text));
        return part(input, &resource.id, host, draft);
    }
    let applied = input.memory.applied.get(&resource.id).map(|applied| &applied.subjects);
    let request = LayoutRequest {
        spec: &resource.spec,
        wanted,
        checkout: &layout.checkout,
        is_own: layout.is_own,
        is_moving,
        committed: layout.devcontainer.as_deref(),
        facts,
        applied,
    };
    draft.extend(plan_layout(&request), Operation::Layout);
    let pause = world.pause(input, &resource.common, Some(host));
    apply_policy(&mut draft, &policy_of(input, &resource.id, &resource.common, pause.as_ref()));
    if !input.scheduled {
        wait(layout, &mut draft);
    }
    part(input, &resource.id, host, draft)
}

/// Drift is corrected at its time of day, so that nobody's checkout changes under their hands; a change is what they asked for.
fn wait(layout: &LayoutDesired, draft: &mut Draft<Operation>) {
    let schedule = &layout.resource.spec.schedule;
    let when = format!(
        "corrected at `{}` {}, or by `ipaictl reconcile {}`",
        schedule.cron, schedule.time_zone, layout.resource.id
    );
    for step in std::mem::take(&mut draft.steps) {
        match step.class {
            Class::Change => draft.steps.push(step),
            Class::Drift(_) => draft.notes.push(note(&step, NoteKind::Held, &when)),
        }
    }
}
