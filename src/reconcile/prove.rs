//! The evidence of a run: written, committed where the settings say so, and removed when it is old.
//!
//! A run whose process died is proven by the next pass, from its journal.
//! A run that cannot be proven has happened all the same: a failure here is told, and fails nothing.

use std::path::PathBuf;

use chrono::{TimeDelta, Utc};

use super::Context;
use crate::apply::{RunOutcome, endpoints, recover};
use crate::desired::state::DesiredState;
use crate::model::problem::error_chain;
use crate::observed::observation::Observation;
use crate::plan::plan::Plan;
use crate::record::events::{NewEvent, Severity};
use crate::record::evidence::commit::commit_pack;
use crate::record::evidence::{Interrupted, Masker, Pack, Proof, prune, tails};
use crate::record::runs::RunRecord;
use crate::record::store::{Store, StoreError};

/// What a run is proven with.
pub(super) struct Ran<'a> {
    pub(super) plan: &'a Plan,
    pub(super) outcome: &'a RunOutcome,
    pub(super) after_plan: &'a Plan,
    pub(super) before: &'a Observation,
    pub(super) after: &'a Observation,
}

/// Writes the pack of a run; returns its folder, or `None` after saying why there is none.
pub(super) async fn prove(
    context: &Context,
    store: &Store,
    desired: &DesiredState,
    ran: &Ran<'_>,
) -> Option<String> {
    let logs = tails(&context.clients, &endpoints(desired), ran.plan, ran.before, ran.after).await;
    let mut masker = Masker::new(desired, &context.key);
    masker.learn(ran.before);
    masker.learn(ran.after);
    let pack = Pack::new(&Proof {
        plan: ran.plan,
        outcome: ran.outcome,
        after_plan: ran.after_plan,
        before: ran.before,
        after: ran.after,
        logs: &logs,
        masker: &masker,
    });
    keep(context, store, desired, &ran.outcome.run, pack, &masker).await
}

/// Closes the books of runs whose process died; each gets a pack of what the journal knows.
pub async fn settle(
    context: &Context,
    store: &Store,
    desired: &DesiredState,
    observed: &Observation,
) -> Result<(), StoreError> {
    let recovery = recover::recover(store, observed, Utc::now()).await?;
    for run in &recovery.runs {
        tracing::warn!(run = run.id, "an earlier run was interrupted");
        let journal = store.journal(&run.id).await?;
        let mut masker = Masker::new(desired, &context.key);
        masker.learn(observed);
        let found = Utc::now();
        let known = Interrupted { run, journal: &journal, after: observed, found, masker: &masker };
        // A run that never asked for anything has nothing to prove.
        let evidence = match journal.is_empty() {
            true => None,
            false => keep(context, store, desired, run, Pack::interrupted(&known), &masker).await,
        };
        recover::close(store, run, evidence.as_deref(), Utc::now()).await?;
    }
    Ok(())
}

/// Writes a pack, commits it where the settings say so and removes old ones; returns its folder.
async fn keep(
    context: &Context,
    store: &Store,
    desired: &DesiredState,
    run: &RunRecord,
    pack: Pack,
    masker: &Masker,
) -> Option<String> {
    let target = commit_target(context, desired);
    let (state_dir, id) = (context.settings.state_dir.clone(), run.id.clone());
    let keep = TimeDelta::from_std(context.settings.evidence.keep).unwrap_or(TimeDelta::MAX);
    let written = tokio::task::spawn_blocking(move || {
        let pack = pack.write(&state_dir).map_err(|err| (None, error_chain(&err)))?;
        let committed = match target {
            None => Ok(()),
            Some(Ok((repository, branch))) => commit_pack(&state_dir, &pack, &id, &repository, &branch)
                .map(drop)
                .map_err(|err| error_chain(&err)),
            Some(Err(why)) => Err(why),
        };
        let pruned = prune(&state_dir, keep, Utc::now()).map(drop).map_err(|err| error_chain(&err));
        match committed.and(pruned) {
            Ok(()) => Ok(pack),
            Err(why) => Err((Some(pack), why)),
        }
    });
    let (pack, why) = match written.await {
        Ok(Ok(pack)) => return Some(pack),
        Ok(Err((pack, why))) => (pack, why),
        Err(err) => (None, err.to_string()),
    };
    let why = masker.text(&why);
    tracing::error!(why, "evidence is incomplete");
    let event = NewEvent {
        correlation: &run.correlation,
        resource: None,
        kind: "Evidence",
        reason: "EvidenceFailed",
        revision: run.revision.commit.as_deref().unwrap_or_default(),
        severity: Severity::Warning,
        message: &format!("run {}: {why}", run.id),
    };
    if let Err(err) = store.add_event(&event, Utc::now()).await {
        tracing::error!(%err, "failed to keep an event");
    }
    pack
}

/// The repository on this machine and the branch that packs are committed to; `None` without the setting.
fn commit_target(context: &Context, desired: &DesiredState) -> Option<Result<(PathBuf, String), String>> {
    let name = context.settings.evidence.commit_to.as_ref()?;
    let Some(repository) = desired.repositories.get(name) else {
        return Some(Err(format!("`evidence.commitTo` names `{name}`, which is no Repository")));
    };
    let spec = &repository.resource.spec;
    let path = match spec.url.strip_prefix("file://") {
        Some(path) => path,
        None if spec.url.starts_with('/') => spec.url.as_str(),
        None => {
            let why = "packs can be committed only to a repository on this machine";
            return Some(Err(format!("Repository/{name} is at `{}`: {why}", spec.url)));
        }
    };
    let branch = match &spec.reference {
        Some(branch) => Ok(branch.clone()),
        None => default_branch(path),
    };
    Some(branch.map(|branch| (PathBuf::from(path), branch)))
}

fn default_branch(path: &str) -> Result<String, String> {
    let read = || -> Result<Option<String>, git2::Error> {
        let repository = git2::Repository::open(path)?;
        let head = repository.find_reference("HEAD")?;
        let target = head.symbolic_target().ok().flatten();
        Ok(target.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned))
    };
    match read() {
        Ok(Some(branch)) => Ok(branch),
        Ok(None) => Err(format!("`{path}` has no branch that its HEAD names")),
        Err(err) => Err(format!("`{path}` can't be read: {err}")),
    }
}
