//! One run: a fresh instance, watched by the clock and by the caller.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;

use super::engine::Sandbox;
use super::failure;
use super::imports::{Documents, RunContext, RunState};
use super::journal::Journal;
use super::load::Guest;
use super::ticker::TICK;
use crate::clock;
use crate::operation::OperationName;
use crate::policy::{Amount, Grants, Limits};
use crate::run::{Actor, Failure, FailureKind, Flags, Usage};
use crate::schema::ValidInput;

/// What the host and a guest may pass each other at once, besides the largest text.
const HOSTCALL_SLACK: usize = 1 << 20;

/// What one run needs to know.
pub(crate) struct Job<'a> {
    pub(crate) operation: &'a OperationName,
    pub(crate) input: &'a ValidInput,
    pub(crate) grants: &'a Grants,
    /// The record's id, where one is kept.
    pub(crate) run_id: Option<String>,
    /// The key under which the run happens once.
    pub(crate) idempotency_key: Option<String>,
    pub(crate) actor: Actor,
    pub(crate) flags: Flags,
    /// When it is stopped.
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
    /// Where what it says goes.
    pub(crate) journal: Journal,
    /// What it reads and changes; without it every collection is denied.
    pub(crate) documents: Option<Arc<dyn Documents>>,
}

/// How an execution ended, before its output is looked at.
pub(crate) struct Ended {
    /// The output as the guest gave it, or why there is none.
    pub(crate) outcome: Result<String, Stopped>,
    pub(crate) usage: Usage,
}

/// Why there is no output.
pub(crate) enum Stopped {
    Failed(Box<Failure>),
    Cancelled,
    /// What it read is no longer so: it has to be executed again.
    Stale,
}

impl Stopped {
    /// Boxed, since a failure is much larger than an output.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// What can stop a guest from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    #[error("the deadline passed")]
    Deadline,
    #[error("the caller cancelled")]
    Cancel,
    #[error("what it read has changed")]
    Stale,
    #[error("it writes more than allowed")]
    Effects,
}

/// Knows when a guest has to stop.
#[derive(Clone)]
pub(super) struct Watch {
    deadline: Instant,
    cancel: CancellationToken,
}

impl Watch {
    pub(super) fn new(deadline: Instant, cancel: CancellationToken) -> Self {
        Self { deadline, cancel }
    }

    /// Returns why the guest has to stop now, if it has to.
    pub(super) fn due(&self) -> Option<Stop> {
        if self.cancel.is_cancelled() {
            Some(Stop::Cancel)
        } else if Instant::now() >= self.deadline {
            Some(Stop::Deadline)
        } else {
            None
        }
    }

    /// Drives a guest until it ends or has to stop.
    ///
    /// A guest that computes is stopped from inside, at a tick, which gives a backtrace;
    /// one that waits in the host is stopped here, two ticks later.
    pub(super) async fn over<T>(
        &self,
        guest: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        tokio::select! {
            biased;
            ended = guest => ended,
            () = self.cancel.cancelled() => Err(Stop::Cancel.into()),
            () = sleep_until((self.deadline + 2 * TICK).into()) => Err(Stop::Deadline.into()),
        }
    }
}

impl Sandbox {
    /// Executes an operation once. Whatever the guest does, this returns by the deadline and a
    /// few ticks, and the sandbox is as good as before.
    ///
    /// Needs a tokio runtime with time enabled.
    pub(crate) async fn invoke(&self, guest: &Guest, job: Job<'_>) -> Ended {
        let started = Instant::now();
        let limits = job.grants.limits();
        let watch = Watch::new(job.deadline, job.cancel.clone());
        let context = RunContext {
            run_id: job.run_id.clone(),
            idempotency_key: job.idempotency_key.clone(),
            actor: job.actor.clone(),
            flags: job.flags,
            deadline: clock::time_after(job.deadline.saturating_duration_since(started)),
        };
        let documents = job.documents.clone();
        let state = RunState::new(guest, limits.memory, job.journal.clone(), context, documents);
        let mut store = self.store(&watch, state);
        // A text from the guest is never larger than its memory, so that this is never
        // used up: running out of it could not be told from other errors.
        let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(memory.saturating_add(HOSTCALL_SLACK));
        let called = {
            let _running = self.ticker.running();
            watch.over(call(&mut store, guest, &job)).await
        };
        let state = store.into_data();
        let outcome = judge(called, limits, &state);
        let peak_memory = state.limiter.memory_peak();
        let usage = Usage { wall: started.elapsed(), peak_memory, reruns: 0 };
        drop(state);
        let panic = job.journal.panic();
        Ended {
            outcome: outcome.map_err(|stopped| failure::in_its_own_words(stopped, panic)),
            usage,
        }
    }
}

type Answer = Result<String, Failure>;

async fn call(
    store: &mut Store<RunState>,
    guest: &Guest,
    job: &Job<'_>,
) -> wasmtime::Result<Answer> {
    let instance = guest.pre().instantiate_async(&mut *store).await?;
    let operations = instance.ophost_plugin_operations();
    let answer = operations.call_invoke(store, job.operation.as_str(), job.input.text()).await?;
    Ok(answer.map_err(failure::declared))
}

fn judge(
    called: wasmtime::Result<Answer>,
    limits: &Limits,
    state: &RunState,
) -> Result<String, Stopped> {
    match called {
        Ok(Ok(output)) => bounded(output, limits.output),
        Ok(Err(declared)) => Err(Stopped::failed(declared)),
        Err(error) => Err(failure::stopped(&error, state.limiter.refused(), limits)),
    }
}

fn bounded(output: String, bound: u64) -> Result<String, Stopped> {
    let size = output.len() as u64;
    if size <= bound {
        return Ok(output);
    }
    let (size, bound) = (Amount::Bytes(size), Amount::Bytes(bound));
    let message = format!("the output of {size} is larger than the {bound} allowed");
    Err(Stopped::failed(Failure::new(FailureKind::Output, message)))
}
