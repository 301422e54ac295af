//! The answer: one verdict a check, with its cause, and how many there are of each.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::{Deserialize, Serialize};

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As declared.
    Ok,
    /// It can't be told.
    Unknown,
    /// Not as declared; what is declared can be brought about without anybody's loss.
    Drift,
    /// A person must decide.
    Conflict,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Drift => "drift",
            Verdict::Conflict => "conflict",
        }
    }
}

/// One check of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The check's stable name.
    pub id: &'static str,
    /// What was looked at: a path, a file, a module.
    pub subject: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, as a fragment.
    pub cause: String,
    /// Single findings, where one line stands for several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One of several findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What it is about.
    pub subject: String,
    /// What was found, as a fragment.
    pub message: String,
}

/// Verdicts, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// As declared.
    pub ok: usize,
    /// Not as declared.
    pub drift: usize,
    /// For a person to decide.
    pub conflict: usize,
    /// Can't be told.
    pub unknown: usize,
}

/// Everything that was checked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The checkout.
    pub checkout: String,
    /// The series.
    pub series: String,
    /// How many repositories the manifest declares.
    pub declared: usize,
    /// How many of them are complete clones of what is declared.
    pub present: usize,
    /// How many checks have which verdict.
    pub count: Count,
    /// The checks, in the order of their ids as the documentation lists them.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether anything is not as declared.
    pub fn differs(&self) -> bool {
        self.count.drift + self.count.conflict > 0
    }
}

/// Counts verdicts.
pub fn count(checks: &[Check]) -> Count {
    let mut count = Count::default();
    for check in checks {
        *match check.verdict {
            Verdict::Ok => &mut count.ok,
            Verdict::Drift => &mut count.drift,
            Verdict::Conflict => &mut count.conflict,
            Verdict::Unknown => &mut count.unknown,
        } += 1;
    }
    count
}

/// The checks of a run, as they come.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// Adds a check.
    pub fn add(&mut self, id: &'static str, subject: &str, verdict: Verdict, cause: impl Into<String>) {
        self.add_with(id, subject, verdict, cause, Vec::new());
    }

    /// Adds a check that stands for several findings.
    pub fn add_with(
        &mut self,
        id: &'static str,
        subject: &str,
        verdict: Verdict,
        cause: impl Into<String>,
        details: Vec<Detail>,
    ) {
        self.0.push(Check { id, subject: subject.to_owned(), verdict, cause: cause.into(), details });
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Check> {
        self.0
    }
}

/// One finding.
pub fn detail(subject: impl Into<String>, message: impl Into<String>) -> Detail {
    Detail { subject: subject.into(), message: message.into() }
}
