//! `plan --out FILE`: what apply would do, saved as a promise that `apply FILE` keeps or refuses.

use chrono::Utc;

use super::diff;
use crate::cli::args::PlanArgs;
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::reconcile::saved::SavedPlan;
use crate::reconcile::{Access, Context, Mode};

pub fn run(session: &mut Session, args: &PlanArgs) -> Result<Exit, Error> {
    if session.global.working_tree {
        return Err(Error::usage(
            "a plan of the working tree can't be saved",
            "Commit first: a saved plan names the commit that it is for.",
        ));
    }
    let settings = session.settings()?;
    let (plan, saved) = block_on(1, async {
        // The real key is needed: with another one the hash would never be the same again.
        let context = Context::open(settings, &session.environment, Access::Write).await?;
        let desired = session.load(&context).await?;
        let scope = diff::scope(&desired, &args.resources)?;
        let plan = session.prepare(&context, &desired, &scope, Mode::DryRun).await?.plan;
        let named = scope.only().map(|ids| ids.iter().cloned().collect());
        let path = context.settings.path.clone();
        let saved = SavedPlan::new(&plan, context.source.name(), path, named, Utc::now());
        Ok::<_, Error>((plan, saved))
    })?;
    diff::print(session, &plan)?;
    let verdict = diff::verdict(&plan);
    if verdict == Exit::Unclear {
        session.ui.notice("Not everything could be read, so nothing is saved.");
        return Ok(verdict);
    }
    saved.write(&args.out)?;
    session.ui.progress(&format!("Saved. Apply it within 24 hours: ipaictl apply {}", args.out.display()));
    Ok(Exit::Done)
}
