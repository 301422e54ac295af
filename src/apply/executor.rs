//! Executes a plan: what may run at the same time does, everything else in the plan's order.
//!
//! A step that fails takes along what needs it and nothing else. Cancelling ends it after the operations that are
//! under way; waits end at once. Every value comes with the plan: nothing is chosen here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::dispatch::{Systems, asks_remote};
use super::lock::{Lease, LockError};
use super::outcome::{RunOutcome, StepOutcome, StepStatus, Stopped};
use super::step::{Finished, Phase, StepRun, run_phase};
use crate::clients::Clients;
use crate::clients::git::Git;
use crate::desired::state::DesiredState;
use crate::model::id::ResourceId;
use crate::model::secret::Redactor;
use crate::plan::plan::Plan;
use crate::plan::report::ResourceReport;
use crate::plan::step::{Operation, Step, StepId};
use crate::record::locks::{Fences, LockRequest};
use crate::record::runs::NewRun;
use crate::record::store::{Store, StoreError};
use crate::telemetry::run_begins;

/// Operations that are under way at once. With four, two cores idled a tenth of the time while twenty services came up; more than ten
/// gained nothing.
const OPERATIONS_MAX: usize = 10;

/// Remotes of git that are talked to at once: more share the same line, and a forge takes many for an attack.
const REMOTES_MAX: usize = 4;

/// Who may act: operations take turns, those that wait for the network others than those that wait for an engine.
pub(super) struct Turns {
    engine: Semaphore,
    remotes: Semaphore,
}

impl Turns {
    fn new() -> Turns {
        Turns { engine: Semaphore::new(OPERATIONS_MAX), remotes: Semaphore::new(REMOTES_MAX) }
    }

    /// The turn of an operation; it ends when this is dropped.
    pub(super) async fn take(&self, operation: &Operation) -> SemaphorePermit<'_> {
        let turns = if asks_remote(operation) { &self.remotes } else { &self.engine };
        turns.acquire().await.expect("the semaphore is never closed")
    }
}

/// What executing needs beside the plan.
pub struct ApplyContext<'a> {
    /// Journal, locks, inventory.
    pub store: &'a Store,
    /// Connections to engines.
    pub clients: &'a Clients,
    /// Endpoints by Host name; see [`endpoints`].
    pub endpoints: BTreeMap<String, String>,
    /// The `git` program.
    pub git: &'a Git,
    /// Transports and hosts of git that the settings permit.
    pub allow: &'a [String],
    /// Knows every secret value of the desired state.
    pub redactor: &'a Redactor,
    /// Who we are, in locks and history.
    pub holder: &'a str,
    /// Ties log lines, events and the run together.
    pub correlation: &'a str,
    /// What the run is about: `all`, or `Kind/name` joined by commas.
    pub scope: &'a str,
    /// Why, for those who find the lock.
    pub why: &'a str,
    /// `Store::fences` as read before observing: whoever acted since makes the plan stale. `None` trusts the plan.
    pub seen: Option<&'a Fences>,
    /// How long to wait for locks that others hold.
    pub patience: Duration,
    /// What is true of the resources that change, kept as the run begins.
    pub reports: &'a [ResourceReport],
    /// Hears what happens; must return at once.
    pub progress: &'a (dyn Fn(&Progress<'_>) + Send + Sync),
}

/// What happens while a plan is executed.
#[derive(Debug, Clone)]
pub enum Progress<'a> {
    /// A step begins.
    Begun(&'a Step),
    /// An operation is journaled and asked for next.
    Asking(&'a Step, usize),
    /// An operation was answered; the journal does not know yet.
    Answered(&'a Step, usize),
    /// What a pull or build says; secrets masked.
    Said(&'a Step, String),
    /// A step ended.
    Ended(&'a StepOutcome),
}

/// Why nothing was executed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else acts, or acted since the plan was made.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The endpoints of all hosts of a desired state.
pub fn endpoints(desired: &DesiredState) -> BTreeMap<String, String> {
    desired.hosts.iter().map(|(name, host)| (name.clone(), host.spec.engine.endpoint.clone())).collect()
}

/// Executes a plan under the locks of all resources that it changes.
///
/// Returns an error only when nothing was begun; what fails later is part of the outcome. Whether what was done
/// is so has to be observed: see `verify`.
pub async fn execute(
    context: &ApplyContext<'_>,
    plan: &Plan,
    cancel: &CancellationToken,
) -> Result<RunOutcome, ApplyError> {
    let resources: BTreeSet<ResourceId> = plan.steps.iter().map(|step| step.resource.clone()).collect();
    let request =
        LockRequest { holder: context.holder, why: context.why, plan_hash: &plan.hash, seen: context.seen };
    let lease = Lease::acquire(context.store, &resources, &request, context.patience).await?;
    let new = NewRun {
        correlation: context.correlation,
        scope: context.scope,
        revision: &plan.revision,
        plan_hash: &plan.hash,
        holder: context.holder,
        reports: context.reports,
    };
    let run = context.store.begin_run(&new, Utc::now()).await?;
    run_begins(&run.id);
    let started = Utc::now();
    let mut execution = Execution::new(context, plan, &lease, &run.id, cancel.child_token());
    execution.run(cancel).await;
    let Execution { states, stopped, .. } = execution;
    let steps = states.into_iter().map(|state| state.outcome).collect();
    Ok(RunOutcome { run, steps, started, ended: Utc::now(), stopped, lease: Some(lease) })
}

/// Where a step is.
struct State {
    outcome: StepOutcome,
    begun: bool,
    /// Everything but the waits at its end is done, so what needs it may begin.
    worked: bool,
    over: bool,
}

struct Execution<'a> {
    context: &'a ApplyContext<'a>,
    plan: &'a Plan,
    lease: &'a Lease,
    run: &'a str,
    stop: CancellationToken,
    turns: std::sync::Arc<Turns>,
    states: Vec<State>,
    stopped: Option<Stopped>,
}

impl<'a> Execution<'a> {
    fn new(
        context: &'a ApplyContext<'a>,
        plan: &'a Plan,
        lease: &'a Lease,
        run: &'a str,
        stop: CancellationToken,
    ) -> Self {
        let states = plan.steps.iter().map(State::new).collect();
        let turns = std::sync::Arc::new(Turns::new());
        Execution { context, plan, lease, run, stop, turns, states, stopped: None }
    }

    async fn run(&mut self, cancel: &CancellationToken) {
        let mut under_way: FuturesUnordered<BoxFuture<'a, Finished>> = FuturesUnordered::new();
        loop {
            self.begin_ready(&mut under_way);
            if under_way.is_empty() {
                break;
            }
            let is_stopping = self.stopped.is_some();
            tokio::select! {
                biased;
                () = self.lease.lost().cancelled(), if !is_stopping => self.halt(Stopped::LeaseLost),
                () = cancel.cancelled(), if !is_stopping => self.halt(Stopped::Cancelled),
                Some(finished) = under_way.next() => self.take(finished, &mut under_way),
            }
        }
        // What never began was stopped: a plan is acyclic, so nothing else keeps a step from its turn.
        let why = self.stopped.as_ref().map_or_else(|| "its turn never came".to_owned(), ToString::to_string);
        for state in self.states.iter_mut().filter(|state| !state.over) {
            state.outcome.error = Some(why.clone());
            state.end(StepStatus::Cancelled, self.context);
        }
    }

    fn halt(&mut self, why: Stopped) {
        self.stop.cancel();
        self.stopped = Some(why);
    }

    /// Begins every step whose turn has come, and ends those whose turn can't come any more.
    fn begin_ready(&mut self, under_way: &mut FuturesUnordered<BoxFuture<'a, Finished>>) {
        loop {
            let mut moved = false;
            for index in 0..self.states.len() {
                let step = &self.plan.steps[index];
                if self.states[index].begun || self.states[index].over || self.stopped.is_some() {
                    continue;
                }
                if let Some(failed) = step.needs.iter().find(|id| self.failed(**id)) {
                    let needed = &self.plan.steps[failed - 1].subject;
                    let error = format!("needs {needed} (step {failed}), which did not succeed");
                    self.states[index].outcome.error = Some(error);
                    self.states[index].end(StepStatus::Skipped, self.context);
                    moved = true;
                    continue;
                }
                let is_ready = step.needs.iter().all(|id| self.states[id - 1].worked)
                    && step.after.iter().all(|id| self.states[id - 1].over);
                if is_ready {
                    self.states[index].begun = true;
                    (self.context.progress)(&Progress::Begun(step));
                    under_way.push(Box::pin(run_phase(self.step_run(step), Phase::Work)));
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
    }

    fn failed(&self, id: StepId) -> bool {
        let state = &self.states[id - 1];
        state.over && !state.worked
    }

    fn step_run(&self, step: &'a Step) -> StepRun<'a> {
        StepRun {
            store: self.context.store,
            systems: Systems {
                clients: self.context.clients,
                endpoints: &self.context.endpoints,
                git: self.context.git,
                allow: self.context.allow,
                redactor: self.context.redactor,
            },
            redactor: self.context.redactor,
            run: self.run,
            step,
            // Every resource of the plan is locked, so it has a number; 0 is never one.
            fencing: self.lease.fencing(&step.resource).unwrap_or(0),
            stop: self.stop.clone(),
            turns: self.turns.clone(),
            progress: self.context.progress,
        }
    }

    /// Takes in what came of a part of a step; begins its waits after its work.
    fn take(&mut self, finished: Finished, under_way: &mut FuturesUnordered<BoxFuture<'a, Finished>>) {
        let index = finished.step - 1;
        let state = &mut self.states[index];
        let outcome = &mut state.outcome;
        outcome.started = outcome.started.or(finished.started);
        outcome.ended = finished.ended.or(outcome.ended);
        outcome.detail.extend(finished.detail);
        let worked_before = state.worked;
        state.worked |= finished.status == StepStatus::Done;
        if finished.status == StepStatus::Done && finished.phase == Phase::Work && finished.waits_left {
            under_way.push(Box::pin(run_phase(self.step_run(&self.plan.steps[index]), Phase::Waits)));
            return;
        }
        outcome.error = finished.error;
        outcome.is_final = finished.is_final;
        outcome.waited_in_vain = worked_before && finished.status == StepStatus::Failed;
        state.end(finished.status, self.context);
        if let Some(why) = finished.stopped.filter(|_| self.stopped.is_none()) {
            self.halt(why);
        }
    }
}

impl State {
    fn new(step: &Step) -> State {
        let outcome = StepOutcome {
            id: step.id,
            resource: step.resource.clone(),
            host: step.host.clone(),
            subject: step.subject.clone(),
            action: step.action,
            status: StepStatus::Cancelled,
            error: None,
            waited_in_vain: false,
            is_final: false,
            started: None::<DateTime<Utc>>,
            ended: None,
            detail: Vec::new(),
        };
        State { outcome, begun: false, worked: false, over: false }
    }

    fn end(&mut self, status: StepStatus, context: &ApplyContext<'_>) {
        self.outcome.status = status;
        self.over = true;
        (context.progress)(&Progress::Ended(&self.outcome));
    }
}
