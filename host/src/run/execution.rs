//! One run, executed until what it did can be kept.
//!
//! An execution reads documents as they were at one moment. Where another run changed them
//! meanwhile, what this one did is dropped and it is executed again, within the same deadline:
//! so runs behave as if they ran one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ophost_document::json::{ParseError, parse_within};
use ophost_document::{Budget, Interruption};

use crate::documents::import::Import;
use crate::documents::transaction::DocumentTransaction;
use crate::model::document::CommitRequest;
use crate::model::limits::{Amount, LimitName};
use crate::model::operation::OperationName;
use crate::model::outcome::{
    Actor, Failure, FailureKind, Flags, LogLevel, LogSource, Outcome, Usage,
};
use crate::model::run_record::RunId;
use crate::policy::Grants;
use crate::sandbox::{Guest, GuestOutput, Invocation, InvokeError, InvokeResult, Sandbox};
use crate::store::{RetryLock, RetryLockGuard, Store};
use crate::util::deadline::{Deadline, Undone, WorkSize};
use crate::util::os_error::Shortage;
use ophost_schema::{CheckError, Schema, ValidInput};

/// How often a run is executed again at most.
pub(crate) const MAX_CONFLICT_RETRIES: u32 = 5;
/// How long the first of these waits for its turn at most; each next one twice as long. The
/// turns are of all runs, also of those that use other documents, and one may take an hour.
const RETRY_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the first of these would pause at most; each next one twice as long.
const BASE_BACKOFF: Duration = Duration::from_millis(20);
/// The word with which a plugin says that it failed because it was denied something.
const DENIED: &str = "denied";

/// What is executed.
pub(crate) struct ExecutionRequest<'a> {
    pub(crate) code: Executable<'a>,
    pub(crate) operation: &'a OperationName,
    pub(crate) grants: &'a Grants,
    pub(crate) actor: &'a Actor,
    pub(crate) flags: Flags,
    pub(crate) run_id: Option<RunId>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) deadline: Deadline,
    /// Where its documents are.
    pub(crate) store: Option<Arc<dyn Store>>,
}

/// Whose work it is.
#[derive(Clone, Copy)]
pub(crate) enum Executable<'a> {
    /// A plugin's.
    Guest {
        sandbox: &'a Sandbox,
        guest: &'a Guest,
        input: &'a ValidInput,
        output_schema: &'a Arc<Schema>,
    },
    /// The host's own.
    Import(&'a Import),
}

/// A run that is being executed.
pub(crate) struct Execution<'a> {
    work: ExecutionRequest<'a>,
    pub(crate) journal: GuestOutput,
    usage: Usage,
    /// What the last execution made use of, and what it was denied.
    reached: [BTreeSet<String>; 2],
    turns: &'a RetryLock,
    /// Held until the run has ended.
    turn: Option<RetryLockGuard>,
}

impl<'a> Execution<'a> {
    /// Returns the execution of a run.
    pub(crate) fn new(
        work: ExecutionRequest<'a>,
        journal: GuestOutput,
        turns: &'a RetryLock,
    ) -> Self {
        let (usage, reached) = (Usage::default(), Default::default());
        Self { work, journal, usage, reached, turns, turn: None }
    }

    /// Executes the run once, and returns how it ended and what it did with documents; `None`
    /// if what it read is no longer so.
    pub(crate) async fn execute(&mut self) -> Option<(Outcome, Arc<CommitRequest>)> {
        let budget = self.work.deadline.budget();
        let session =
            DocumentTransaction::new(self.work.store.clone(), self.work.grants.clone(), budget);
        let session = Arc::new(session);
        let ended = session.run_with_snapshot(self.call(&session)).await;
        let (outcome, Usage { wall, peak_memory, .. }) = ended;
        self.reached = session.reached();
        self.usage.wall += wall;
        self.usage.peak_memory = self.usage.peak_memory.max(peak_memory);
        let outcome = match outcome {
            Err(InvokeError::Conflict) => return None,
            Err(InvokeError::Cancelled) => Outcome::Cancelled,
            Err(InvokeError::Failed(failure)) => {
                Outcome::Failed(classify_failure(*failure, &session))
            }
            Ok(outcome) => outcome,
        };
        self.resolve_execution(outcome, &session)
    }

    async fn call(
        &self,
        session: &Arc<DocumentTransaction>,
    ) -> (Result<Outcome, InvokeError>, Usage) {
        match self.work.code {
            Executable::Guest { sandbox, guest, input, output_schema } => {
                let job = self.job(session, input);
                let InvokeResult { outcome, usage } = sandbox.invoke(guest, job).await;
                let judged = match outcome {
                    Ok(output) => self.judge(output, output_schema).await,
                    Err(stopped) => Err(stopped),
                };
                (judged, usage)
            }
            Executable::Import(import) => {
                let started = Instant::now();
                let put = import.execute(&**session, &self.journal, || self.stopped()).await;
                let usage = Usage { wall: started.elapsed(), ..Usage::default() };
                (put.map(Outcome::Success), usage)
            }
        }
    }

    async fn judge(&self, output: String, schema: &Arc<Schema>) -> Result<Outcome, InvokeError> {
        let (size, schema) = (WorkSize::of_text(&output), Arc::clone(schema));
        let judge = move |budget: &Budget| validate_output(&output, &schema, budget);
        let judged = self.work.deadline.work(size, judge).await;
        let judged = judged.map_err(Undone::from).and_then(|judged| judged);
        judged.map_err(|why| self.interrupted(why, "its output was being checked"))
    }

    /// Returns why work of the host's own has to end now, if it has to.
    fn stopped(&self) -> Option<InvokeError> {
        let why = self.work.deadline.budget().check().err()?;
        Some(self.interrupted(why, "its documents were being put in"))
    }

    /// Returns how a run ends whose host work was interrupted.
    fn interrupted(&self, why: impl Into<Undone>, during: &str) -> InvokeError {
        match self.outcome_of(why, during) {
            Outcome::Failed(failure) => InvokeError::Failed(Box::new(failure)),
            Outcome::Success(_) | Outcome::Cancelled => InvokeError::Cancelled,
        }
    }

    /// As [`Self::interrupted`], as an outcome.
    pub(crate) fn outcome_of(&self, why: impl Into<Undone>, during: &str) -> Outcome {
        match why.into() {
            Undone::Interrupted(Interruption::Cancelled) => return Outcome::Cancelled,
            Undone::Interrupted(Interruption::Deadline | Interruption::Steps) => {}
            Undone::Shortage(shortage) => {
                let message = format!("{shortage}: {during}");
                return Outcome::Failed(Failure::new(FailureKind::Host, message));
            }
        }
        let timeout = Amount::Time(self.work.grants.limits().timeout);
        let message = format!("still running after {timeout}: {during}");
        Outcome::Failed(Failure::new(FailureKind::Timeout, message))
    }

    /// A failure may come from what the run should not have seen together.
    fn resolve_execution(
        &self,
        outcome: Outcome,
        session: &DocumentTransaction,
    ) -> Option<(Outcome, Arc<CommitRequest>)> {
        match &outcome {
            Outcome::Success(_) if session.has_conflict_at_end() => None,
            Outcome::Success(_) => Some((outcome, Arc::new(session.end()))),
            Outcome::Cancelled => Some((outcome, Arc::default())),
            // Where that cannot be found out, the failure is as good an answer as any.
            Outcome::Failed(_)
                if !self.is_cancelled_or_expired() && session.has_conflict().unwrap_or(false) =>
            {
                None
            }
            Outcome::Failed(_) => Some((outcome, Arc::default())),
        }
    }

    fn job(&self, session: &Arc<DocumentTransaction>, input: &'a ValidInput) -> Invocation<'a> {
        Invocation {
            operation: self.work.operation,
            input,
            grants: self.work.grants,
            run_id: self.work.run_id.map(|id| id.to_string()),
            idempotency_key: self.work.idempotency_key.map(ToOwned::to_owned),
            actor: self.work.actor.clone(),
            flags: self.work.flags,
            deadline: self.work.deadline.at(),
            cancel: self.work.deadline.cancel().clone(),
            guest_output: self.journal.clone(),
            documents: Some(Arc::<DocumentTransaction>::clone(session)),
        }
    }

    /// Returns until when it may go on.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.work.deadline
    }

    /// Returns what is run.
    pub(crate) fn operation(&self) -> &OperationName {
        self.work.operation
    }

    /// Returns what it made use of outside the sandbox, and what it was denied.
    pub(crate) fn reached(&self) -> &[BTreeSet<String>; 2] {
        &self.reached
    }

    /// Returns whether nothing of it is kept.
    pub(crate) fn is_dry(&self) -> bool {
        self.work.flags.dry_run
    }

    /// Returns which of its limits are the highest that this host allows.
    pub(crate) fn at_maximum(&self) -> &[LimitName] {
        self.work.grants.at_maximum()
    }

    /// Returns what was used so far.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Returns whether the run's time is used up, or its caller wants no more of it.
    pub(crate) fn is_cancelled_or_expired(&self) -> bool {
        self.work.deadline.budget().check().is_err()
    }

    /// Prepares the next execution after a conflict; `false` if there is none.
    pub(crate) async fn prepare_retry(&mut self) -> bool {
        if self.usage.conflict_retries == MAX_CONFLICT_RETRIES || self.is_cancelled_or_expired() {
            return false;
        }
        self.usage.conflict_retries += 1;
        self.journal.reset_for_retry();
        let message =
            format!("executed again ({}): what it read was changed", self.usage.conflict_retries);
        self.journal.log(LogLevel::Debug, LogSource::Host, message, None);
        self.acquire_retry_lock().await;
        true
    }

    /// Runs that are executed again do so one at a time: they are not in each other's way. Those
    /// that are executed for the first time, and those that did not get their turn, are: a pause
    /// has to do. Neither is a promise, so it ends where it would do harm.
    async fn acquire_retry_lock(&mut self) {
        let until = self
            .work
            .deadline
            .at()
            .min(Instant::now() + exponential(RETRY_LOCK_TIMEOUT, self.usage.conflict_retries));
        let wait = async {
            match &mut self.turn {
                Some(_) => tokio::time::sleep(jittered_backoff(self.usage.conflict_retries)).await,
                turn @ None => *turn = Some(self.turns.acquire().await),
            }
        };
        let wait = tokio::time::timeout_at(until.into(), wait);
        // Whoever is stopped meanwhile hears of it at once.
        self.work.deadline.cancel().run_until_cancelled(wait).await.and_then(Result::ok);
    }

    /// Returns how a run ends that is not executed again.
    pub(crate) fn retries_exhausted(&self) -> Outcome {
        if self.work.deadline.cancel().is_cancelled() {
            return Outcome::Cancelled;
        }
        let times = self.usage.conflict_retries + 1;
        let message = format!("other runs changed what it had read, {times} times");
        let kind = if self.is_cancelled_or_expired() {
            FailureKind::Timeout
        } else {
            FailureKind::Conflict
        };
        Outcome::Failed(Failure::new(kind, message))
    }
}

/// Returns what doubles from one rerun to the next.
fn exponential(first: Duration, rerun: u32) -> Duration {
    first * (1 << rerun.saturating_sub(1).min(MAX_CONFLICT_RETRIES))
}

/// Those who were in each other's way should not be so again: each waits for another time.
fn jittered_backoff(rerun: u32) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    exponential(BASE_BACKOFF, rerun).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A plugin that was denied something, and says that it failed for that, was denied.
fn classify_failure(failure: Failure, session: &DocumentTransaction) -> Failure {
    let says_so = failure.kind == FailureKind::Error && failure.code.as_deref() == Some(DENIED);
    match says_so && session.was_denied() {
        true => Failure { kind: FailureKind::Denied, ..failure },
        false => failure,
    }
}

fn validate_output(output: &str, schema: &Schema, budget: &Budget) -> Result<Outcome, Undone> {
    let invalid = |message: String| Failure::new(FailureKind::InvalidOutput, message);
    let value = match parse_within(output, budget) {
        Ok(value) => value,
        Err(ParseError::Interrupted(why)) => return Err(why.into()),
        // The reader's words may hold some of what it cannot read.
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
    use crate::model::limits::Limits;
    use crate::policy::Policy;

    /// Does with an execution that has a minute what is said.
    async fn with_execution<T>(
        turns: &RetryLock,
        cancel: &CancellationToken,
        act: impl AsyncFnOnce(Execution<'_>) -> T,
    ) -> T {
        let import = Import::new("jobs".parse().unwrap(), Vec::new());
        let operation = import.operation();
        let limits = Limits { timeout: Duration::from_secs(60), ..Limits::DEFAULT };
        let grants = Policy::new(limits, limits).grant_maximum(&operation);
        let actor = Actor { user_id: None, channel: "api".into() };
        let work = ExecutionRequest {
            code: Executable::Import(&import),
            operation: &operation.name,
            grants: &grants,
            actor: &actor,
            flags: Flags::default(),
            run_id: None,
            idempotency_key: None,
            deadline: Deadline::after(limits.timeout, cancel.clone()),
            store: None,
        };
        act(Execution::new(work, GuestOutput::new(1000, None, None), turns)).await
    }

    #[tokio::test]
    async fn a_rerun_waits_for_its_turn_for_a_second_and_goes_on_without() {
        let (turns, cancel) = (RetryLock::new(None), CancellationToken::new());
        let held = turns.acquire().await;
        with_execution(&turns, &cancel, async |mut run| {
            let began = Instant::now();
            assert!(run.prepare_retry().await);
            let waited = began.elapsed();
            assert!(waited >= RETRY_LOCK_TIMEOUT && waited < 10 * RETRY_LOCK_TIMEOUT, "{waited:?}");
            assert!(run.turn.is_none());
            drop(held);
            assert!(run.prepare_retry().await);
            assert!(run.turn.is_some());
        })
        .await;
    }

    #[tokio::test]
    async fn q7_a_rerun_that_is_cancelled_waits_for_no_turn() {
        let (turns, cancel) = (RetryLock::new(None), CancellationToken::new());
        let _held = turns.acquire().await;
        with_execution(&turns, &cancel, async |mut run| {
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
