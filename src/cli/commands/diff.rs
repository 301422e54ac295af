//! `diff`: what apply would do. Changes nothing, takes no lock, needs no state directory.

use std::collections::BTreeSet;

use super::left;
use crate::cli::args::{DiffArgs, Format};
use crate::cli::{Session, block_on};
use crate::desired::state::DesiredState;
use crate::error::{Error, Exit};
use crate::model::id::ResourceId;
use crate::model::note::NoteKind;
use crate::model::problem::nearest;
use crate::plan::display;
use crate::plan::plan::Plan;
use crate::reconcile::{Access, Context, Mode, Scope};

/// How much of a plan's hash is shown: as much as nobody hits by chance.
const HASH_SHOWN: usize = 12;

pub fn run(session: &mut Session, args: &DiffArgs) -> Result<Exit, Error> {
    let settings = session.settings()?;
    let plan = block_on(1, async {
        let context = Context::open(settings, &session.environment, Access::Read).await?;
        let desired = session.load(&context).await?;
        let scope = scope(&desired, &args.resources)?;
        let pass = session.prepare(&context, &desired, &scope, Mode::DryRun).await?;
        Ok::<_, Error>(pass.plan)
    })?;
    print(session, &plan)?;
    Ok(match verdict(&plan) {
        Exit::Found if args.detailed_exitcode => Exit::DetailedChanges,
        Exit::Unclear if args.detailed_exitcode => Exit::Failed,
        exit => exit,
    })
}

/// Prints a plan in the form that was asked for.
pub fn print(session: &mut Session, plan: &Plan) -> Result<(), Error> {
    match session.ui.format {
        Format::Text => session.ui.data(&display::text(plan, session.ui.color))?,
        Format::Markdown => session.ui.data(&display::markdown(plan))?,
        Format::Json | Format::Yaml => session.ui.value(&display::json(plan))?,
    }
    say_hash(session, plan);
    left::say_ways_out(session, plan);
    Ok(())
}

/// Says how to name this plan when a person's permission could make a difference.
pub fn say_hash(session: &Session, plan: &Plan) {
    let digits = plan.hash.trim_start_matches("v1:");
    let digits = digits.get(..HASH_SHOWN).unwrap_or(digits);
    for resource in plan.resources.iter().filter(|resource| resource.is_refused()) {
        let id = &resource.id;
        session
            .ui
            .progress(&format!("Where a person may permit it: ipaictl apply --allow-destroy {id}@{digits}"));
    }
}

/// The resources that were named, each of which has to exist.
pub fn scope(desired: &DesiredState, named: &[ResourceId]) -> Result<Scope, Error> {
    if named.is_empty() {
        return Ok(Scope::All);
    }
    let known: Vec<String> = desired.ids().iter().map(ToString::to_string).collect();
    for id in named {
        let text = id.to_string();
        if !known.contains(&text) {
            let hint = match nearest(&text, known.iter().map(String::as_str)) {
                Some(name) => format!("Did you mean `{name}`?"),
                None => "List what there is with `ipaictl status`.".to_owned(),
            };
            return Err(Error::usage(format!("there is no `{text}` at {}", desired.revision), hint));
        }
    }
    Ok(Scope::Only(named.iter().cloned().collect::<BTreeSet<_>>()))
}

/// Whether anything differs, or a person has to look. What could not be read is no answer.
pub fn verdict(plan: &Plan) -> Exit {
    let needs_a_person =
        |kind| matches!(kind, NoteKind::NeedsDecision | NoteKind::Refused | NoteKind::Unhealthy);
    let mut notes = plan.resources.iter().flat_map(|resource| &resource.notes);
    if !plan.is_complete() {
        Exit::Unclear
    } else if plan.has_differences() || notes.any(|note| needs_a_person(note.kind)) {
        Exit::Found
    } else {
        Exit::Done
    }
}
