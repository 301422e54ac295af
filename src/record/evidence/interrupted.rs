//! The pack of a run whose process died before it could write one: what the journal knows, and what is there now.
//!
//! Its plan, what was before and its logs died with the process; nothing here pretends to know them.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::facts::Changed;
use super::{Manifest, Masker, Pack, VERSION, pretty};
use crate::model::hash::sha256_hex;
use crate::observed::observation::Observation;
use crate::record::journal::JournalEntry;
use crate::record::runs::RunRecord;

/// What is known of a run that was interrupted.
#[derive(Clone, Copy)]
pub struct Interrupted<'a> {
    /// The run as it began.
    pub run: &'a RunRecord,
    /// Its operations, with what observing said of those that were never answered.
    pub journal: &'a [JournalEntry],
    /// What was observed after it.
    pub after: &'a Observation,
    /// When that was.
    pub found: DateTime<Utc>,
    /// Masks secrets.
    pub masker: &'a Masker,
}

impl Pack {
    /// Makes the content of the pack of an interrupted run.
    pub fn interrupted(known: &Interrupted<'_>) -> Pack {
        let Interrupted { run, journal, after, found, masker } = *known;
        let changed = Changed::journaled(journal, after);
        let outcomes = json!({
            "run": run.id,
            "started": run.started,
            "ended": found,
            "stopped": "interrupted",
            "counts": run.counts,
            "operations": journal,
        });
        let values = [
            ("outcomes.json", outcomes),
            ("after.json", changed.facts(after)),
            ("health.json", changed.health(after)),
        ];
        let texts: std::collections::BTreeMap<String, String> =
            values.into_iter().map(|(name, value)| (name.to_owned(), pretty(&masker.value(value)))).collect();
        let manifest = Manifest {
            version: VERSION,
            tool: format!("ipaictl {}", env!("CARGO_PKG_VERSION")),
            run: run.id.clone(),
            correlation: run.correlation.clone(),
            scope: run.scope.clone(),
            revision: run.revision.clone(),
            plan_hash: run.plan_hash.clone(),
            hosts: changed.hosts(),
            images: masker.value(changed.images(after)),
            started: run.started,
            ended: found,
            files: texts.iter().map(|(name, text)| (name.clone(), sha256_hex(text.as_bytes()))).collect(),
            previous: None,
        };
        Pack { texts, manifest }
    }
}
