//! `layout verify`: whether a checkout is as its files declare, and why not.

mod inputs;
mod text;

use std::path::PathBuf;

use self::inputs::Inputs;
use crate::cli::Session;
use crate::cli::args::{LayoutArgs, LayoutCommand, LayoutVerifyArgs, Output};
use crate::error::{Error, Exit};
use crate::odoo::observe::{CacheFile, read_roots};
use crate::skills::layout::checks::{Input, verify};
use crate::skills::layout::report::Verdict;

pub fn run(session: &mut Session, args: &LayoutArgs) -> Result<Exit, Error> {
    match &args.command {
        LayoutCommand::Verify(args) => run_verify(session, args),
    }
}

fn run_verify(session: &mut Session, args: &LayoutVerifyArgs) -> Result<Exit, Error> {
    let inputs = Inputs::read(args)?;
    let cache = session.environment.cache_dir().filter(|_| !args.no_cache).map(|folder| {
        let roots: Vec<PathBuf> =
            inputs.requests.iter().filter_map(|root| std::path::absolute(&root.path).ok()).collect();
        CacheFile::new(&folder.join("layout"), roots.iter().map(PathBuf::as_path))
    });
    let roots = read_roots(&inputs.requests, cache.as_ref())?;
    let mut report = verify(&Input {
        checkout: &args.checkout.display().to_string(),
        series: &args.series,
        sources: &inputs.sources,
        catalogue: &inputs.catalogue,
        facts: &inputs.facts,
        roots: &roots,
        in_view: inputs.in_view,
        core: inputs.core,
        view: &inputs.view,
        mounts: &args.mount,
        hooks: &args.hook,
        owner: args.owner,
    });
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
