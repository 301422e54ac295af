//! Runs the operations of one step in order: journaled, under the lock, a few at once over all steps.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::dispatch::{OperationError, Systems, confirmation, is_wait, perform, withdrawal};
use super::executor::{Progress, Turns};
use super::journal::StepJournal;
use super::outcome::{StepStatus, Stopped};
use crate::engine::apply::Done;
use crate::model::problem::error_chain;
use crate::model::secret::Redactor;
use crate::plan::step::{Operation, Step, StepId};
use crate::record::journal::{OperationResult, Permission};
use crate::record::store::{Store, StoreError};

/// The digits of an engine's id that people recognise.
const SHORT_ID: usize = 12;

/// What running a step needs.
#[derive(Clone)]
pub(super) struct StepRun<'a> {
    pub(super) store: &'a Store,
    pub(super) systems: Systems<'a>,
    pub(super) redactor: &'a Redactor,
    pub(super) run: &'a str,
    pub(super) step: &'a Step,
    pub(super) fencing: i64,
    pub(super) stop: CancellationToken,
    pub(super) turns: Arc<Turns>,
    pub(super) progress: &'a (dyn Fn(&Progress<'_>) + Send + Sync),
}

/// Which part of a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Everything but the waits at its end.
    Work,
    /// The waits at its end.
    Waits,
}

/// What came of a part of a step.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) step: StepId,
    pub(super) phase: Phase,
    pub(super) waits_left: bool,
    pub(super) status: StepStatus,
    pub(super) error: Option<String>,
    pub(super) is_final: bool,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    pub(super) detail: Vec<String>,
    pub(super) stopped: Option<Stopped>,
}

/// Why a part of a step ended early.
enum Break {
    Failed(OperationError),
    Stopped,
    LeaseLost,
    Store(StoreError),
}

/// Runs one part of a step.
pub(super) async fn run_phase(run: StepRun<'_>, phase: Phase) -> Finished {
    let operations = &run.step.operations;
    let work = operations.len() - operations.iter().rev().take_while(|operation| is_wait(operation)).count();
    let range = if phase == Phase::Work { 0..work } else { work..operations.len() };
    let mut finished = Finished {
        step: run.step.id,
        phase,
        waits_left: work < operations.len(),
        status: StepStatus::Done,
        error: None,
        is_final: false,
        started: None,
        ended: None,
        detail: Vec::new(),
        stopped: None,
    };
    let mut journal = StepJournal::new(run.store, run.redactor, run.run, run.step, run.fencing);
    for position in range {
        if let Err(broken) =
            run_one(&run, &mut journal, position, &run.step.operations[position], &mut finished).await
        {
            run.broken(broken, &mut finished);
            let failed = phase == Phase::Work && finished.status == StepStatus::Failed;
            if failed && finished.stopped.is_none() {
                undo(&run, &mut journal, &mut finished).await;
            }
            // A wait before the step's own start is for another container: that one failed, not this step.
            let waited = phase == Phase::Work && is_wait(&operations[position]);
            if waited && finished.status == StepStatus::Failed && finished.stopped.is_none() {
                finished.status = StepStatus::Skipped;
            }
            break;
        }
    }
    if let Err(err) = journal.flush().await {
        run.broken(Break::Store(err), &mut finished);
    }
    finished
}

/// Brings back what a failed step took away: each operation by itself, because half of it back is better than nothing.
async fn undo(run: &StepRun<'_>, journal: &mut StepJournal<'_>, finished: &mut Finished) {
    let first = run.step.operations.len();
    for (index, operation) in run.step.undo.iter().enumerate() {
        if let Err(broken) = run_one(run, journal, first + index, operation, finished).await {
            let why = match &broken {
                Break::Failed(err) => run.redactor.redact_kept(&err.text()),
                Break::Stopped => "stopped".to_owned(),
                Break::LeaseLost => Stopped::LeaseLost.to_string(),
                Break::Store(err) => error_chain(err),
            };
            add(finished, &format!("taking it back failed: {why}"));
            return;
        }
    }
    if !run.step.undo.is_empty() {
        add(finished, "what was there before was put back");
    }
}

/// Says something in the detail and behind the error.
fn add(finished: &mut Finished, what: &str) {
    finished.detail.push(what.to_owned());
    if let Some(error) = &mut finished.error {
        error.truncate(error.trim_end_matches('.').len());
        error.push_str(&format!("; {what}"));
    }
}

async fn run_one(
    run: &StepRun<'_>,
    journal: &mut StepJournal<'_>,
    position: usize,
    operation: &Operation,
    finished: &mut Finished,
) -> Result<(), Break> {
    if run.stop.is_cancelled() {
        return Err(Break::Stopped);
    }
    if is_wait(operation) {
        // A wait holds no turn and no journal row: it changes nothing, and may take minutes.
        journal.flush().await.map_err(Break::Store)?;
        return run.ask(operation, finished).await.map(drop).map_err(Break::Failed);
    }
    let _turn = run.turns.take(operation).await;
    if run.stop.is_cancelled() {
        return Err(Break::Stopped);
    }
    match journal.begin(position, operation).await {
        Ok(Permission::Granted) => {}
        Ok(Permission::LeaseLost) => return Err(Break::LeaseLost),
        Err(err) => return Err(Break::Store(err)),
    }
    (run.progress)(&Progress::Asking(run.step, position));
    let answer = run.ask(operation, finished).await;
    (run.progress)(&Progress::Answered(run.step, position));
    match answer {
        Ok(done) => {
            let change = confirmation(run.step, operation, &done);
            journal.end(position, OperationResult::Done, &run.say(&done), change);
            Ok(())
        }
        Err(err) => {
            let result =
                if err.is_cancelled() { OperationResult::Cancelled } else { OperationResult::Failed };
            let change = if err.is_certain() { withdrawal(run.step, operation) } else { None };
            journal.end(position, result, &run.redactor.redact_kept(&err.text()), change);
            Err(Break::Failed(err))
        }
    }
}

impl StepRun<'_> {
    async fn ask(&self, operation: &Operation, finished: &mut Finished) -> Result<Done, OperationError> {
        finished.started.get_or_insert_with(Utc::now);
        let said = |line: &str| {
            (self.progress)(&Progress::Said(self.step, self.redactor.redact_kept(line)));
        };
        let answer = perform(&self.systems, self.step, operation, &self.stop, &said).await;
        finished.ended = Some(Utc::now());
        if let Ok(done) = &answer {
            let detail = self.say(done);
            if !detail.is_empty() {
                finished.detail.push(detail);
            }
        }
        answer
    }

    /// What an operation answered, for people.
    fn say(&self, done: &Done) -> String {
        let mut parts = Vec::new();
        if let Some(id) = &done.id {
            parts.push(format!("id {}", id.chars().take(SHORT_ID).collect::<String>()));
        }
        if done.already {
            parts.push("was so already".to_owned());
        }
        parts.extend(done.said.iter().map(|said| self.redactor.redact_kept(said)));
        parts.extend(
            done.warnings.iter().map(|warning| format!("warning: {}", self.redactor.redact_kept(warning))),
        );
        parts.join("; ")
    }

    fn broken(&self, broken: Break, finished: &mut Finished) {
        let (status, error, stopped) = match broken {
            Break::Failed(err) if err.is_cancelled() => (StepStatus::Cancelled, err.text(), None),
            Break::Failed(err) => {
                finished.is_final |= err.is_final();
                finished.detail.extend(err.log().iter().cloned());
                (StepStatus::Failed, err.text(), None)
            }
            Break::Stopped => (StepStatus::Cancelled, "stopped before its next operation".to_owned(), None),
            Break::LeaseLost => {
                (StepStatus::Cancelled, Stopped::LeaseLost.to_string(), Some(Stopped::LeaseLost))
            }
            Break::Store(err) => {
                let stopped = Stopped::Store(error_chain(&err));
                (StepStatus::Failed, stopped.to_string(), Some(stopped))
            }
        };
        // The first error is the cause; a journal that fails after it changes only what is stopped.
        if finished.error.is_none() {
            finished.error = Some(self.redactor.redact_kept(&error));
        }
        finished.status = status;
        finished.stopped = stopped.or(finished.stopped.take());
    }
}
