//! One run: a fresh instance, watched by the clock and by the caller.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;

use super::engine::Sandbox;
use super::failure;
use super::guest_output::GuestOutput;
use super::imports::{DocumentHost, GuestState, RunContext};
use super::load::Guest;
use super::ticker::TICK;
use crate::model::limits::{Amount, Limits};
use crate::model::operation::OperationName;
use crate::model::outcome::{Actor, Failure, FailureKind, Flags, Usage};
use crate::policy::Grants;
use crate::util::clock;
use ophost_schema::ValidInput;

/// What the host and a guest may pass each other at once, besides the largest text.
const HOSTCALL_SLACK: usize = 1 << 20;

/// What one run needs to know.
pub(crate) struct Invocation<'a> {
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
    pub(crate) journal: GuestOutput,
    /// What it reads and changes; without it every collection is denied.
    pub(crate) documents: Option<Arc<dyn DocumentHost>>,
}

/// How an execution ended, before its output is looked at.
pub(crate) struct InvokeResult {
    /// The output as the guest gave it, or why there is none.
    pub(crate) outcome: Result<String, InvokeError>,
    pub(crate) usage: Usage,
}

/// Why there is no output.
pub(crate) enum InvokeError {
    Failed(Box<Failure>),
    Cancelled,
    /// What it read is no longer so: it has to be executed again.
    Stale,
}

impl InvokeError {
    /// Boxed, since a failure is much larger than an output.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// What can stop a guest from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupt {
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
pub(super) struct Interrupter {
    deadline: Instant,
    cancel: CancellationToken,
}

impl Interrupter {
    pub(super) fn new(deadline: Instant, cancel: CancellationToken) -> Self {
        Self { deadline, cancel }
    }

    /// Returns why the guest has to stop now, if it has to.
    pub(super) fn pending(&self) -> Option<Interrupt> {
        if self.cancel.is_cancelled() {
            Some(Interrupt::Cancel)
        } else if Instant::now() >= self.deadline {
            Some(Interrupt::Deadline)
        } else {
            None
        }
    }

    /// Drives a guest until it ends or has to stop.
    ///
    /// A guest that computes is stopped from inside, at a tick, which gives a backtrace;
    /// one that waits in the host is stopped here, two ticks later.
    pub(super) async fn run_with_interrupts<T>(
        &self,
        guest: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        tokio::select! {
            biased;
            ended = guest => ended,
            () = self.cancel.cancelled() => Err(Interrupt::Cancel.into()),
            () = sleep_until((self.deadline + 2 * TICK).into()) => Err(Interrupt::Deadline.into()),
        }
    }
}

impl Sandbox {
    /// Executes an operation once. Whatever the guest does, this returns by the deadline and a
    /// few ticks, and the sandbox is as good as before.
    ///
    /// Needs a tokio runtime with time enabled.
    pub(crate) async fn invoke(&self, guest: &Guest, job: Invocation<'_>) -> InvokeResult {
        let started = Instant::now();
        let limits = job.grants.limits();
        let watch = Interrupter::new(job.deadline, job.cancel.clone());
        let context = RunContext {
            run_id: job.run_id.clone(),
            idempotency_key: job.idempotency_key.clone(),
            actor: job.actor.clone(),
            flags: job.flags,
            deadline: clock::time_after(job.deadline.saturating_duration_since(started)),
        };
        let documents = job.documents.clone();
        let state = GuestState::new(guest, limits.memory, job.journal.clone(), context, documents);
        let mut store = self.store(&watch, state);
        // A text from the guest is never larger than its memory, so that this is never
        // used up: running out of it could not be told from other errors.
        let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(memory.saturating_add(HOSTCALL_SLACK));
        let called = {
            let _running = self.ticker.running();
            watch.run_with_interrupts(call(&mut store, guest, &job)).await
        };
        let state = store.into_data();
        let outcome = classify_result(called, limits, &state);
        let peak_memory = state.limiter.memory_peak();
        let usage = Usage { wall: started.elapsed(), peak_memory, conflict_retries: 0 };
        drop(state);
        let panic = job.journal.panic();
        InvokeResult {
            outcome: outcome.map_err(|stopped| failure::with_panic_message(stopped, panic)),
            usage,
        }
    }
}

type Answer = Result<String, Failure>;

async fn call(
    store: &mut Store<GuestState>,
    guest: &Guest,
    job: &Invocation<'_>,
) -> wasmtime::Result<Answer> {
    let instance = guest.pre().instantiate_async(&mut *store).await?;
    let operations = instance.ophost_plugin_operations();
    let answer = operations.call_invoke(store, job.operation.as_str(), job.input.text()).await?;
    Ok(answer.map_err(failure::declared))
}

fn classify_result(
    called: wasmtime::Result<Answer>,
    limits: &Limits,
    state: &GuestState,
) -> Result<String, InvokeError> {
    match called {
        Ok(Ok(output)) => bounded(output, limits.output),
        Ok(Err(declared)) => Err(InvokeError::failed(declared)),
        Err(error) => Err(failure::stopped(&error, state.limiter.denied_growth(), limits)),
    }
}

fn bounded(output: String, bound: u64) -> Result<String, InvokeError> {
    let size = output.len() as u64;
    if size <= bound {
        return Ok(output);
    }
    let (size, bound) = (Amount::Bytes(size), Amount::Bytes(bound));
    let message = format!("the output of {size} is larger than the {bound} allowed");
    Err(InvokeError::failed(Failure::new(FailureKind::Output, message)))
}
