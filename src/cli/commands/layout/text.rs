//! The answer as text: one line a check; of one check that is sound everywhere, one line in all.

use std::fmt::Write as _;

use crate::cli::ui::Loudness;
use crate::model::problem::printable;
use crate::skills::layout::report::{Check, Report, Verdict};

/// The most characters of a subject that a column is made for.
const SUBJECT_WIDTH_MAX: usize = 48;
/// Checks whose sound lines say more than that they are sound.
const TELLING: &[&str] = &["catalogue", "visible"];

/// One line a check, sound ones of one id together; `--verbose` shows each, with single findings.
pub fn checks(report: &Report, loudness: Loudness) -> String {
    let whole = loudness == Loudness::Verbose;
    let mut lines: Vec<[String; 4]> = Vec::new();
    let mut at = 0;
    while let Some(check) = report.checks.get(at) {
        let same = report.checks[at..]
            .iter()
            .take_while(|next| next.id == check.id && next.verdict == Verdict::Ok)
            .count();
        if same > 1 && !whole && !TELLING.contains(&check.id) {
            lines.push(line(Verdict::Ok, check.id, &format!("{same} of them"), ""));
            at += same;
            continue;
        }
        lines.push(line(check.verdict, check.id, &check.subject, &check.cause));
        if whole {
            lines.extend(check.details.iter().map(|detail| {
                [
                    "".to_owned(),
                    String::new(),
                    format!("  {}", printable(&detail.subject)),
                    printable(&detail.message),
                ]
            }));
        }
        at += 1;
    }
    let width = |column: usize, most: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .filter(|width| *width <= most)
            .max()
            .unwrap_or(0)
    };
    let (second, third) = (width(1, usize::MAX), width(2, SUBJECT_WIDTH_MAX));
    let mut out = String::new();
    for [verdict, id, subject, cause] in &lines {
        let text = format!("{verdict:<8}  {id:<second$}  {subject:<third$}  {cause}");
        let _ = writeln!(out, "{}", text.trim_end());
    }
    out
}

fn line(verdict: Verdict, id: &str, subject: &str, cause: &str) -> [String; 4] {
    [verdict.as_str().to_owned(), id.to_owned(), printable(subject), printable(cause)]
}

/// How many there are of each.
pub fn summary(report: &Report) -> String {
    let count = report.count;
    let checks = count.ok + count.drift + count.conflict + count.unknown;
    let findings = report.checks.iter().map(|check: &Check| check.details.len()).sum::<usize>();
    let more = if findings > 0 { "; -v shows single findings" } else { "" };
    let is_unknown = |check: &&Check| check.id == "clone" && check.verdict == Verdict::Unknown;
    let untold = match report.checks.iter().filter(is_unknown).count() {
        0 => String::new(),
        count => format!(", and {count} can't be told"),
    };
    format!(
        "{} of {} repositories present{untold}. {checks} checks: {} ok, {} drift, {} conflict, {} unknown{more}.",
        report.present, report.declared, count.ok, count.drift, count.conflict, count.unknown
    )
}
