//! Executes a run, and retries it when its document transaction conflicts.
//!
//! An execution reads a snapshot of the documents. If another run changed documents of its read
//! set, the execution is discarded and the run is executed again within the same deadline. Runs are
//! therefore serializable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ophost_document::json::{ParseError, parse_within};
use ophost_document::{Budget, Interruption};

use crate::documents::builtin::{BuiltIn, BuiltInCall};
use crate::documents::transaction::DocumentTransaction;
use crate::model::document::CommitRequest;
use crate::model::limits::{Amount, LimitName};
use crate::model::operation::OperationName;
use crate::model::outcome::{
    Actor, Failure, FailureKind, Flags, LogLevel, LogSource, Outcome, Usage,
};
use crate::model::run_record::{CapabilityUse, RunId};
use crate::policy::Grants;
use crate::sandbox::{Guest, GuestOutput, Invocation, InvokeError, InvokeResult, Sandbox};
use crate::store::{RetryLock, RetryLockGuard, Store};
use crate::util::deadline::{Deadline, WorkError, WorkSize};
use crate::util::os_error::Shortage;
use ophost_schema::{CheckError, Schema, ValidInput};

/// Maximum number of conflict retries of a run.
pub(crate) const MAX_CONFLICT_RETRIES: u32 = 5;
/// Timeout of the first retry for the retry lock; it doubles with each retry. All runs share the
/// lock, also runs that use other documents, and a run can hold it for an hour.
const RETRY_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum backoff of the first retry; it doubles with each retry.
const BASE_BACKOFF: Duration = Duration::from_millis(20);
/// Error code of a plugin that failed because access was denied.
const DENIED: &str = "denied";

/// The run to execute.
pub(crate) struct ExecutionRequest<'a> {
    pub(crate) code: Executable<'a>,
    pub(crate) operation: &'a OperationName,
    pub(crate) grants: &'a Grants,
    pub(crate) actor: &'a Actor,
    pub(crate) flags: Flags,
    pub(crate) run_id: Option<RunId>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) deadline: Deadline,
    /// The store of the documents; `None` without a data directory.
    pub(crate) store: Option<Arc<dyn Store>>,
}

/// The code of an operation.
#[derive(Clone, Copy)]
pub(crate) enum Executable<'a> {
    /// A plugin.
    Guest {
        sandbox: &'a Sandbox,
        guest: &'a Guest,
        input: &'a ValidInput,
        output_schema: &'a Arc<Schema>,
    },
    /// A built-in operation.
    BuiltIn(&'a dyn BuiltIn),
}

/// The executions of a run.
pub(crate) struct Execution<'a> {
    request: ExecutionRequest<'a>,
    pub(crate) guest_output: GuestOutput,
    usage: Usage,
    /// Capability use of the last execution.
    capability_use: CapabilityUse,
    retry_lock: &'a RetryLock,
    /// Held until the end of the run.
    retry_guard: Option<RetryLockGuard>,
}

impl<'a> Execution<'a> {
    /// Returns the execution of a run that has not started.
    pub(crate) fn new(
        request: ExecutionRequest<'a>,
        guest_output: GuestOutput,
        retry_lock: &'a RetryLock,
    ) -> Self {
        Self {
            request,
            guest_output,
            usage: Usage::default(),
            capability_use: CapabilityUse::default(),
            retry_lock,
            retry_guard: None,
        }
    }

    /// Executes the run once. Returns its outcome and its document changes; `None` after a
    /// conflict.
    pub(crate) async fn execute(&mut self) -> Option<(Outcome, Arc<CommitRequest>)> {
        let budget = self.request.deadline.budget();
        let transaction = DocumentTransaction::new(
            self.request.store.clone(),
            self.request.grants.clone(),
            budget,
        );
        let transaction = Arc::new(transaction);
        let result = transaction.run_with_snapshot(self.call(&transaction)).await;
        let (outcome, Usage { wall, peak_memory, .. }) = result;
        self.capability_use = transaction.capability_use();
        self.usage.wall += wall;
        self.usage.peak_memory = self.usage.peak_memory.max(peak_memory);
        let outcome = match outcome {
            Err(InvokeError::Conflict) => return None,
            Err(InvokeError::Cancelled) => Outcome::Cancelled,
            Err(InvokeError::Failed(failure)) => {
                Outcome::Failed(classify_failure(*failure, &transaction))
            }
            Ok(outcome) => outcome,
        };
        self.resolve_execution(outcome, &transaction).await
    }

    async fn call(
        &self,
        transaction: &Arc<DocumentTransaction>,
    ) -> (Result<Outcome, InvokeError>, Usage) {
        match self.request.code {
            Executable::Guest { sandbox, guest, input, output_schema } => {
                let invocation = self.invocation(transaction, input);
                let InvokeResult { outcome, usage } = sandbox.invoke(guest, invocation).await;
                let outcome = match outcome {
                    Ok(output) => self.validate(output, output_schema).await,
                    Err(error) => Err(error),
                };
                (outcome, usage)
            }
            Executable::BuiltIn(code) => {
                let started = Instant::now();
                let stopped = || self.stopped(code.activity());
                let (documents, output) = (&**transaction, &self.guest_output);
                let result = code.execute(BuiltInCall { documents, output, stopped: &stopped });
                let result = result.await.map(Outcome::Success);
                (result, Usage { wall: started.elapsed(), ..Usage::default() })
            }
        }
    }

    async fn validate(&self, output: String, schema: &Arc<Schema>) -> Result<Outcome, InvokeError> {
        let (size, schema) = (WorkSize::of_text(&output), Arc::clone(schema));
        let validate = move |budget: &Budget| validate_output(&output, &schema, budget);
        let outcome = self.request.deadline.work(size, validate).await;
        let outcome = outcome.map_err(WorkError::from).and_then(|outcome| outcome);
        outcome.map_err(|why| self.interrupted(why, "the output was being validated"))
    }

    /// Returns the reason for which a built-in operation must stop, if there is one.
    fn stopped(&self, activity: &str) -> Option<InvokeError> {
        let why = self.request.deadline.budget().check().err()?;
        Some(self.interrupted(why, activity))
    }

    /// Returns the error of a run whose host work was interrupted.
    fn interrupted(&self, why: impl Into<WorkError>, during: &str) -> InvokeError {
        match self.outcome_of(why, during) {
            Outcome::Failed(failure) => InvokeError::Failed(Box::new(failure)),
            Outcome::Success(_) | Outcome::Cancelled => InvokeError::Cancelled,
        }
    }

    /// Like [`Self::interrupted`], as an outcome.
    pub(crate) fn outcome_of(&self, why: impl Into<WorkError>, during: &str) -> Outcome {
        match why.into() {
            WorkError::Interrupted(Interruption::Cancelled) => return Outcome::Cancelled,
            WorkError::Interrupted(Interruption::Deadline | Interruption::Steps) => {}
            WorkError::Shortage(shortage) => {
                let message = format!("{shortage}: {during}");
                return Outcome::Failed(Failure::new(FailureKind::Host, message));
            }
        }
        let timeout = Amount::Time(self.request.grants.limits().timeout);
        let message = format!("still running after {timeout}: {during}");
        Outcome::Failed(Failure::new(FailureKind::Timeout, message))
    }

    /// Decides whether an outcome is final; `None` requires a conflict retry. A failure after a
    /// conflict is not final, because an inconsistent read may have caused it.
    async fn resolve_execution(
        &self,
        outcome: Outcome,
        transaction: &DocumentTransaction,
    ) -> Option<(Outcome, Arc<CommitRequest>)> {
        match &outcome {
            Outcome::Success(_) if transaction.has_conflict_at_end().await => None,
            Outcome::Success(_) => Some((outcome, Arc::new(transaction.end()))),
            Outcome::Cancelled => Some((outcome, Arc::default())),
            // If the conflict check fails, the failure of the run is reported.
            Outcome::Failed(_)
                if !self.is_cancelled_or_expired()
                    && transaction.has_conflict().await.unwrap_or(false) =>
            {
                None
            }
            Outcome::Failed(_) => Some((outcome, Arc::default())),
        }
    }

    fn invocation(
        &self,
        transaction: &Arc<DocumentTransaction>,
        input: &'a ValidInput,
    ) -> Invocation<'a> {
        Invocation {
            operation: self.request.operation,
            input,
            grants: self.request.grants,
            run_id: self.request.run_id.map(|id| id.to_string()),
            idempotency_key: self.request.idempotency_key.map(ToOwned::to_owned),
            actor: self.request.actor.clone(),
            flags: self.request.flags,
            deadline: self.request.deadline.at(),
            cancel: self.request.deadline.cancel().clone(),
            guest_output: self.guest_output.clone(),
            documents: Some(Arc::<DocumentTransaction>::clone(transaction)),
        }
    }

    /// Returns the deadline of the run.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.request.deadline
    }

    /// Returns the name of the operation.
    pub(crate) fn operation(&self) -> &OperationName {
        self.request.operation
    }

    /// Returns the capability use of the last execution.
    pub(crate) fn capability_use(&self) -> &CapabilityUse {
        &self.capability_use
    }

    /// Returns whether the run is a dry run.
    pub(crate) fn is_dry(&self) -> bool {
        self.request.flags.dry_run
    }

    /// Returns the limits that are equal to their maxima.
    pub(crate) fn at_maximum(&self) -> &[LimitName] {
        self.request.grants.at_maximum()
    }

    /// Returns the resource usage of all executions so far.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Returns whether the run was cancelled or its deadline has passed.
    pub(crate) fn is_cancelled_or_expired(&self) -> bool {
        self.request.deadline.budget().check().is_err()
    }

    /// Prepares the next execution after a conflict. Returns `false` if no retry is possible.
    pub(crate) async fn prepare_retry(&mut self) -> bool {
        if self.usage.conflict_retries == MAX_CONFLICT_RETRIES || self.is_cancelled_or_expired() {
            return false;
        }
        self.usage.conflict_retries += 1;
        self.guest_output.reset_for_retry();
        let message = format!("retry {} after a document conflict", self.usage.conflict_retries);
        self.guest_output.log(LogLevel::Debug, LogSource::Host, message, None);
        self.acquire_retry_lock().await;
        true
    }

    /// Acquires the retry lock, or waits for a backoff if the run holds it already.
    ///
    /// The lock serialises retries, so that they do not conflict with each other. First executions
    /// do not hold it, so a retry can still conflict with them. The lock is an optimisation:
    /// after a timeout the retry continues without it.
    async fn acquire_retry_lock(&mut self) {
        let until = self
            .request
            .deadline
            .at()
            .min(Instant::now() + exponential(RETRY_LOCK_TIMEOUT, self.usage.conflict_retries));
        let wait = async {
            match &mut self.retry_guard {
                Some(_) => tokio::time::sleep(jittered_backoff(self.usage.conflict_retries)).await,
                turn @ None => *turn = Some(self.retry_lock.acquire().await),
            }
        };
        let wait = tokio::time::timeout_at(until.into(), wait);
        // A cancellation ends the wait at once.
        self.request.deadline.cancel().run_until_cancelled(wait).await.and_then(Result::ok);
    }

    /// Returns the outcome of a run after its last conflict.
    pub(crate) fn retries_exhausted(&self) -> Outcome {
        if self.request.deadline.cancel().is_cancelled() {
            return Outcome::Cancelled;
        }
        let times = self.usage.conflict_retries + 1;
        let message =
            format!("other runs changed documents that it had read, in {times} executions");
        let kind = if self.is_cancelled_or_expired() {
            FailureKind::Timeout
        } else {
            FailureKind::Conflict
        };
        Outcome::Failed(Failure::new(kind, message))
    }
}

/// Returns a duration that doubles with each retry.
fn exponential(first: Duration, retry: u32) -> Duration {
    first * (1 << retry.saturating_sub(1).min(MAX_CONFLICT_RETRIES))
}

/// Returns an exponential backoff with jitter.
fn jittered_backoff(retry: u32) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    exponential(BASE_BACKOFF, retry).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Changes the kind to `denied` if access was denied and the plugin reports that as the reason.
fn classify_failure(failure: Failure, transaction: &DocumentTransaction) -> Failure {
    let reports_denial =
        failure.kind == FailureKind::Error && failure.code.as_deref() == Some(DENIED);
    match reports_denial && transaction.was_denied() {
        true => Failure { kind: FailureKind::Denied, ..failure },
        false => failure,
    }
}

fn validate_output(output: &str, schema: &Schema, budget: &Budget) -> Result<Outcome, WorkError> {
    let invalid = |message: String| Failure::new(FailureKind::InvalidOutput, message);
    let value = match parse_within(output, budget) {
        Ok(value) => value,
        Err(ParseError::Interrupted(why)) => return Err(why.into()),
        // The message of the parser can contain a part of a secret.
        Err(ParseError::NotJson(_)) if schema.has_secrets() => {
            return Ok(Outcome::Failed(invalid("the output is not JSON".to_owned())));
        }
        Err(ParseError::NotJson(error)) => {
            return Ok(Outcome::Failed(invalid(format!("the output is not JSON: {error}"))));
        }
    };
    match schema.check(&value, budget) {
        Ok(()) => Ok(Outcome::Success(value)),
        Err(CheckError::Interrupted(why)) => Err(why.into()),
        Err(CheckError::Thread(error)) => Err(Shortage::from(error).into()),
        Err(CheckError::Violations(violations)) => Ok(Outcome::Failed(Failure {
            details: serde_json::to_value(&violations.list).ok(),
            ..invalid(format!("the output {violations}"))
        })),
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::documents::import::Import;
    use crate::model::limits::Limits;
    use crate::policy::Policy;

    /// Calls `act` with an execution that has a deadline of 60 s.
    async fn with_execution<T>(
        retry_lock: &RetryLock,
        cancel: &CancellationToken,
        act: impl AsyncFnOnce(Execution<'_>) -> T,
    ) -> T {
        let import = Import::new("jobs".parse().unwrap(), Vec::new());
        let operation = import.operation();
        let limits = Limits { timeout: Duration::from_secs(60), ..Limits::DEFAULT };
        let grants = Policy::new(limits, limits).grant_builtin(&operation, 0);
        let actor = Actor { user_id: None, channel: "api".into() };
        let request = ExecutionRequest {
            code: Executable::BuiltIn(&import),
            operation: &operation.name,
            grants: &grants,
            actor: &actor,
            flags: Flags::default(),
            run_id: None,
            idempotency_key: None,
            deadline: Deadline::after(limits.timeout, cancel.clone()),
            store: None,
        };
        act(Execution::new(request, GuestOutput::new(1000, None, None), retry_lock)).await
    }

    #[tokio::test]
    async fn a_retry_waits_one_second_for_the_retry_lock_and_continues_without_it() {
        let (retry_lock, cancel) = (RetryLock::new(None), CancellationToken::new());
        let held = retry_lock.acquire().await;
        with_execution(&retry_lock, &cancel, async |mut run| {
            let began = Instant::now();
            assert!(run.prepare_retry().await);
            let waited = began.elapsed();
            assert!(waited >= RETRY_LOCK_TIMEOUT && waited < 10 * RETRY_LOCK_TIMEOUT, "{waited:?}");
            assert!(run.retry_guard.is_none());
            drop(held);
            assert!(run.prepare_retry().await);
            assert!(run.retry_guard.is_some());
        })
        .await;
    }

    #[tokio::test]
    async fn a_cancelled_retry_does_not_wait_for_the_retry_lock() {
        let (retry_lock, cancel) = (RetryLock::new(None), CancellationToken::new());
        let _held = retry_lock.acquire().await;
        with_execution(&retry_lock, &cancel, async |mut run| {
            let began = Instant::now();
            let stop = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                cancel.cancel();
            };
            tokio::join!(run.prepare_retry(), stop);
            assert!(began.elapsed() < RETRY_LOCK_TIMEOUT);
            assert_eq!(run.retries_exhausted(), Outcome::Cancelled);
        })
        .await;
    }
}
