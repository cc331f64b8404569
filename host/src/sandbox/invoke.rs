//! Executes one operation in a fresh instance, with a deadline and cancellation.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::SemaphorePermit;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;

use super::bindings::PluginPre;
use super::engine::{Runtime, Sandbox};
use super::failure;
use super::guest_output::GuestOutput;
use super::imports::{DocumentHost, GuestState, RunContext};
use super::load::Guest;
use super::ticker::TICK;
use crate::model::limits::Amount;
use crate::model::operation::OperationName;
use crate::model::outcome::{Actor, Failure, FailureKind, Flags, Usage};
use crate::policy::Grants;
use crate::util::clock;
use ophost_schema::ValidInput;

/// Bytes that a guest may pass to the host in one call, in addition to the size of its memory.
const HOSTCALL_SLACK: usize = 1 << 20;

/// An operation to execute, with input, grants and context.
pub(crate) struct Invocation<'a> {
    pub(crate) operation: &'a OperationName,
    pub(crate) input: &'a ValidInput,
    pub(crate) grants: &'a Grants,
    /// Id of the run record, if the run is recorded.
    pub(crate) run_id: Option<String>,
    /// Idempotency key of the run.
    pub(crate) idempotency_key: Option<String>,
    pub(crate) actor: Actor,
    pub(crate) flags: Flags,
    /// Time at which the guest is interrupted.
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
    /// Receives the log, item errors and progress of the guest.
    pub(crate) guest_output: GuestOutput,
    /// Documents of the run. If `None`, access to every collection is denied.
    pub(crate) documents: Option<Arc<dyn DocumentHost>>,
}

/// Result of an execution, before its output is validated.
pub(crate) struct InvokeResult {
    /// Output of the guest as JSON text, not yet parsed.
    pub(crate) outcome: Result<String, InvokeError>,
    pub(crate) usage: Usage,
}

/// Reason why an execution has no output.
pub(crate) enum InvokeError {
    Failed(Box<Failure>),
    Cancelled,
    /// A document in the read set has changed. The run needs another execution.
    Conflict,
}

impl InvokeError {
    /// Returns [`InvokeError::Failed`]. The failure is boxed, because it is much larger than an
    /// output.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// Reason to stop a guest that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupt {
    #[error("the deadline passed")]
    Deadline,
    #[error("the run was cancelled")]
    Cancel,
    #[error("a document that the run has read was changed")]
    Conflict,
    #[error("document changes exceed the limit")]
    ChangesTooLarge,
}

/// Interrupts a guest at its deadline or on cancellation.
#[derive(Clone)]
pub(super) struct Interrupter {
    deadline: Instant,
    cancel: CancellationToken,
}

impl Interrupter {
    pub(super) fn new(deadline: Instant, cancel: CancellationToken) -> Self {
        Self { deadline, cancel }
    }

    /// Returns the pending interrupt, if the deadline has passed or the run is cancelled.
    pub(super) fn pending(&self) -> Option<Interrupt> {
        if self.cancel.is_cancelled() {
            Some(Interrupt::Cancel)
        } else if Instant::now() >= self.deadline {
            Some(Interrupt::Deadline)
        } else {
            None
        }
    }

    /// Drives a guest until it returns or is interrupted.
    ///
    /// A guest that computes is interrupted by a trap at the next tick, which has a backtrace. A
    /// guest that waits in the host is interrupted by this function, two ticks later.
    pub(super) async fn run_with_interrupts<T>(
        &self,
        guest: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        tokio::select! {
            biased;
            returned = guest => returned,
            () = self.cancel.cancelled() => Err(Interrupt::Cancel.into()),
            () = sleep_until((self.deadline + 2 * TICK).into()) => Err(Interrupt::Deadline.into()),
        }
    }
}

impl Sandbox {
    /// Executes an operation once.
    ///
    /// Returns at most a few ticks after the deadline, whatever the guest does. The sandbox stays
    /// usable.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with time enabled.
    pub(crate) async fn invoke(&self, guest: &Guest, invocation: Invocation<'_>) -> InvokeResult {
        let started = Instant::now();
        let limits = invocation.grants.limits();
        let interrupter = Interrupter::new(invocation.deadline, invocation.cancel.clone());
        let context = RunContext {
            run_id: invocation.run_id.clone(),
            idempotency_key: invocation.idempotency_key.clone(),
            actor: invocation.actor.clone(),
            flags: invocation.flags,
            deadline: clock::time_after(invocation.deadline.saturating_duration_since(started)),
        };
        let documents = invocation.documents.clone();
        let state = GuestState::new(
            guest,
            limits.memory,
            invocation.guest_output.clone(),
            context,
            documents,
        );
        let placement = self.place(guest);
        let mut store = placement.runtime.store(&interrupter, state);
        // A string from the guest is never larger than its memory, so the guest cannot use up this
        // fuel. The error of exhausted fuel could not be distinguished from other errors.
        let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(memory.saturating_add(HOSTCALL_SLACK));
        let called = {
            let _running = self.ticker.running();
            interrupter.run_with_interrupts(call(&mut store, placement.pre, &invocation)).await
        };
        let state = store.into_data();
        // The store has returned the instance to its slot.
        drop(placement);
        let (denied_growth, peak_memory) =
            (state.limiter.denied_growth(), state.limiter.peak_memory());
        // Logs the last line of stdout and stderr if it is incomplete.
        drop(state);
        let report = invocation.guest_output.report();
        let outcome = match called {
            Ok(Ok(output)) => check_size(output, limits.output),
            Ok(Err(declared)) => Err(InvokeError::failed(declared)),
            Err(error) => Err(failure::invoke_error(&error, denied_growth, limits, report)),
        };
        let usage = Usage { wall: started.elapsed(), peak_memory, conflict_retries: 0 };
        InvokeResult { outcome, usage }
    }
}

/// Where the instance of an execution is allocated.
struct Placement<'a> {
    runtime: &'a Runtime,
    pre: &'a PluginPre<GuestState>,
    /// Permit of the pool. The instance must be dropped first.
    _permit: Option<SemaphorePermit<'a>>,
}

impl Sandbox {
    /// Returns a slot of the pool, or else the engine that allocates on demand.
    fn place<'a>(&'a self, guest: &'a Guest) -> Placement<'a> {
        if let Some(pool) = &self.pool
            && let Some(permit) = pool.try_acquire()
            && let Some(pre) = guest.pooled(pool)
        {
            return Placement { runtime: &pool.runtime, pre, _permit: Some(permit) };
        }
        Placement { runtime: guest.runtime(), pre: guest.pre(), _permit: None }
    }
}

/// Output of the guest, or the failure that it declared.
type GuestResult = Result<String, Failure>;

async fn call(
    store: &mut Store<GuestState>,
    pre: &PluginPre<GuestState>,
    invocation: &Invocation<'_>,
) -> wasmtime::Result<GuestResult> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let operations = instance.ophost_plugin_operations();
    let (name, input) = (invocation.operation.as_str(), invocation.input.text());
    let result = operations.call_invoke(store, name, input).await?;
    Ok(result.map_err(failure::declared))
}

fn check_size(output: String, max: u64) -> Result<String, InvokeError> {
    let size = output.len() as u64;
    if size <= max {
        return Ok(output);
    }
    let (size, max) = (Amount::Bytes(size), Amount::Bytes(max));
    let message = format!("the output of {size} exceeds the limit of {max}");
    Err(InvokeError::failed(Failure::new(FailureKind::Output, message)))
}
