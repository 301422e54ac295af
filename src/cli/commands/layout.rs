//! `layout verify`: whether a checkout is as its files declare, and why not.

mod text;

use std::collections::BTreeMap;

use super::apply;
use crate::cli::args::{ApplyArgs, LayoutArgs, LayoutCommand, LayoutFixArgs, LayoutVerifyArgs, Output};
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::id::{Kind, ResourceId};
use crate::model::problem::{Location, Problem};
use crate::reconcile::{Access, Context};
use crate::skills::layout::observe::verify::{VerifyError, VerifyRequest, verify_checkout};
use crate::skills::layout::report::Verdict;

pub fn run(session: &mut Session, args: &LayoutArgs) -> Result<Exit, Error> {
    match &args.command {
        LayoutCommand::Verify(args) => run_verify(session, args),
        LayoutCommand::Fix(args) => run_fix(session, args),
    }
}

/// Corrections are steps of a plan like all others: with its lock, its journal and its evidence.
fn run_fix(session: &mut Session, args: &LayoutFixArgs) -> Result<Exit, Error> {
    let only = match args.name.is_empty() {
        true => all_layouts(session)?,
        false => args.name.iter().map(|name| ResourceId::new(Kind::AddonsLayout, name)).collect(),
    };
    apply::run(session, &ApplyArgs { plan: None, yes: args.yes, only, allow_destroy: Vec::new() })
}

fn all_layouts(session: &mut Session) -> Result<Vec<ResourceId>, Error> {
    let settings = session.settings()?;
    let found: Vec<ResourceId> = block_on(1, async {
        let context = Context::open(settings, &session.environment, Access::Read).await?;
        let desired = session.load(&context).await?;
        Ok::<_, Error>(desired.ids().into_iter().filter(|id| id.kind == Kind::AddonsLayout).collect())
    })?;
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::usage(
            "the desired state has no AddonsLayout",
            "Describe one: `ipaictl schema AddonsLayout` shows its fields.",
        )),
    }
}

fn run_verify(session: &mut Session, args: &LayoutVerifyArgs) -> Result<Exit, Error> {
    let cache = session.environment.cache_dir().filter(|_| !args.no_cache);
    let request = VerifyRequest {
        checkout: args.checkout.clone(),
        manifest: args.manifest.clone(),
        files: args.file.clone(),
        odoo_conf: args.odoo_conf.clone(),
        mounts: args.mount.clone(),
        core: args.core.clone(),
        owner: args.owner,
        hooks: args.hook.clone(),
        series: args.series.clone(),
        features: BTreeMap::new(),
        cache: cache.map(|folder| folder.join("layout")),
    };
    let (mut report, _) = verify_checkout(&request).map_err(error)?;
    if args.only_differences {
        report.checks.retain(|check| check.verdict != Verdict::Ok);
    }
    match session.global.output {
        Output::Json | Output::Yaml => session.ui.value(&report)?,
        _ => session.ui.data(&text::checks(&report, session.ui.loudness))?,
    }
    session.ui.progress(&text::summary(&report));
    Ok(match (report.differs(), report.count.unknown) {
        (true, _) => Exit::Found,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Unclear,
    })
}

fn error(err: VerifyError) -> Error {
    let message = err.to_string();
    match err {
        VerifyError::NotAFolder(_) => Error::usage(message, "Name the folder of a checkout."),
        VerifyError::Outside(_) => {
            Error::usage(message, "Files are named by their path relative to the checkout.")
        }
        VerifyError::NotConf(_) => Error::usage(message, "The name of Odoo's settings ends in .conf."),
        // A file that can't be used, which is no difference that was found.
        VerifyError::Read { path, err } => {
            let file = path.display().to_string();
            let message = format!("failed to read `{file}`: {err}");
            let problem = Problem::error("unreadable-file", message).at(Location::of_file(&*file));
            Error::Catalogue { file, problems: vec![problem] }
        }
        VerifyError::Manifest { file, problems } => Error::Catalogue { file, problems },
        VerifyError::Root(err) => Error::Root(err),
    }
}
