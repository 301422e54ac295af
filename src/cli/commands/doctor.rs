//! `doctor`: what ipaictl needs, and how to mend what is missing.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::{DoctorArgs, Format};
use crate::cli::{Session, block_on};
use crate::doctor::{Check, Verdict, examine};
use crate::error::{Error, Exit};
use crate::model::problem::printable;

/// What `doctor -o json` prints; `docs/schemas/doctor.schema.json` describes it.
#[derive(Serialize)]
struct Report<'a> {
    checks: &'a [Check],
}

pub fn run(session: &mut Session, _args: &DoctorArgs) -> Result<Exit, Error> {
    let settings = session.settings()?;
    let checks = block_on(1, examine(&settings, &session.environment, session.global.revision.as_deref()));
    match session.ui.format {
        Format::Text | Format::Markdown => session.ui.data(&text(&checks))?,
        Format::Json | Format::Yaml => session.ui.value(&Report { checks: &checks })?,
    }
    let is_broken = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if is_broken { Exit::Failed } else { Exit::Done })
}

fn text(checks: &[Check]) -> String {
    let mut out = String::new();
    for check in checks {
        let word = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        let _ = writeln!(out, "{word:<5} {}: {}", printable(&check.name), printable(&check.detail));
        if let Some(mend) = &check.mend {
            let _ = writeln!(out, "      → {}", printable(mend));
        }
    }
    out
}
