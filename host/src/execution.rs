//! One run, executed until what it did can be kept.
//!
//! An execution reads documents as they were at one moment. Where another run changed them
//! meanwhile, what this one did is dropped and it is executed again, within the same deadline:
//! so runs behave as if they ran one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use crate::document::Effects;
use crate::effects::Session;
use crate::import::Import;
use crate::operation::OperationName;
use crate::policy::Grants;
use crate::run::{Actor, Failure, FailureKind, Flags, LogLevel, LogSource, Outcome, Usage};
use crate::sandbox::{Ended, Guest, Job, Journal, Sandbox, Stopped};
use crate::schema::{Schema, ValidInput};
use crate::store::Store;
use crate::task_run::RunId;

/// How often a run is executed again at most.
pub(crate) const MOST_RERUNS: u32 = 5;
/// The word with which a plugin says that it failed because it was denied something.
const DENIED: &str = "denied";

/// What is executed.
pub(crate) struct Work<'a> {
    pub(crate) code: Code<'a>,
    pub(crate) operation: &'a OperationName,
    pub(crate) grants: &'a Grants,
    pub(crate) actor: &'a Actor,
    pub(crate) flags: Flags,
    pub(crate) run_id: Option<RunId>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) cancel: &'a CancellationToken,
    /// Where its documents are.
    pub(crate) store: Option<Arc<dyn Store>>,
}

/// Whose work it is.
#[derive(Clone, Copy)]
pub(crate) enum Code<'a> {
    /// A plugin's.
    Guest {
        sandbox: &'a Sandbox,
        guest: &'a Guest,
        input: &'a ValidInput,
        output_schema: &'a Schema,
    },
    /// The host's own.
    Import(&'a Import),
}

/// A run that is being executed.
pub(crate) struct Execution<'a> {
    work: Work<'a>,
    pub(crate) journal: Journal,
    deadline: Instant,
    usage: Usage,
    /// What the last execution made use of, and what it was denied.
    reached: [BTreeSet<String>; 2],
    turns: Turns,
    /// Held until the run has ended.
    turn: Option<OwnedMutexGuard<()>>,
}

/// Who of those that were in each other's way is next.
pub(crate) type Turns = Arc<Mutex<()>>;

impl<'a> Execution<'a> {
    /// Returns the execution of a run whose time begins now.
    pub(crate) fn new(work: Work<'a>, journal: Journal, turns: &Turns) -> Self {
        let deadline = Instant::now() + work.grants.limits().timeout;
        let (turns, usage) = (Arc::clone(turns), Usage::default());
        let reached = Default::default();
        Self { work, journal, deadline, usage, reached, turns, turn: None }
    }

    /// Executes the run once, and returns how it ended and what it did with documents; `None`
    /// if what it read is no longer so.
    pub(crate) async fn once(&mut self) -> Option<(Outcome, Arc<Effects>)> {
        let session = Arc::new(Session::new(self.work.store.clone(), self.work.grants.clone()));
        let ended = session.over(self.execute(&session)).await;
        let (outcome, Usage { wall, peak_memory, .. }) = ended;
        self.reached = session.reached();
        self.usage.wall += wall;
        self.usage.peak_memory = self.usage.peak_memory.max(peak_memory);
        let outcome = match outcome {
            Err(Stopped::Stale) => return None,
            Err(Stopped::Cancelled) => Outcome::Cancelled,
            Err(Stopped::Failed(failure)) => Outcome::Failed(judge_failure(*failure, &session)),
            Ok(outcome) => outcome,
        };
        self.attempt(outcome, &session)
    }

    async fn execute(&self, session: &Arc<Session>) -> (Result<Outcome, Stopped>, Usage) {
        match self.work.code {
            Code::Guest { sandbox, guest, input, output_schema } => {
                let job = self.job(session, input);
                let Ended { outcome, usage } = sandbox.invoke(guest, job).await;
                (outcome.map(|output| judge_output(&output, output_schema)), usage)
            }
            Code::Import(import) => {
                let started = Instant::now();
                let put = import.put_in(&**session, &self.journal, || self.stopped()).await;
                let usage = Usage { wall: started.elapsed(), ..Usage::default() };
                (put.map(Outcome::Success), usage)
            }
        }
    }

    /// Returns why work of the host's own has to end now, if it has to.
    fn stopped(&self) -> Option<Stopped> {
        if self.work.cancel.is_cancelled() {
            return Some(Stopped::Cancelled);
        }
        let message = "still running at its deadline";
        let failure = || Failure::new(FailureKind::Timeout, message);
        self.is_over().then(|| Stopped::Failed(Box::new(failure())))
    }

    /// A failure may come from what the run should not have seen together.
    fn attempt(&self, outcome: Outcome, session: &Session) -> Option<(Outcome, Arc<Effects>)> {
        match &outcome {
            Outcome::Success(_) if session.has_gone_stale() => None,
            Outcome::Success(_) => Some((outcome, Arc::new(session.end()))),
            Outcome::Cancelled => Some((outcome, Arc::default())),
            // Where that cannot be found out, the failure is as good an answer as any.
            Outcome::Failed(_) if !self.is_over() && session.is_stale().unwrap_or(false) => None,
            Outcome::Failed(_) => Some((outcome, Arc::default())),
        }
    }

    fn job(&self, session: &Arc<Session>, input: &'a ValidInput) -> Job<'a> {
        Job {
            operation: self.work.operation,
            input,
            grants: self.work.grants,
            run_id: self.work.run_id.map(|id| id.to_string()),
            idempotency_key: self.work.idempotency_key.map(ToOwned::to_owned),
            actor: self.work.actor.clone(),
            flags: self.work.flags,
            deadline: self.deadline,
            cancel: self.work.cancel.clone(),
            journal: self.journal.clone(),
            documents: Some(Arc::<Session>::clone(session)),
        }
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

    /// Returns what was used so far.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Returns whether the run's time is used up, or its caller wants no more of it.
    pub(crate) fn is_over(&self) -> bool {
        self.work.cancel.is_cancelled() || Instant::now() >= self.deadline
    }

    /// Prepares the next execution after a conflict; `false` if there is none.
    pub(crate) async fn again(&mut self) -> bool {
        if self.usage.reruns == MOST_RERUNS || self.is_over() {
            return false;
        }
        self.usage.reruns += 1;
        self.journal.again();
        let message = format!("executed again ({}): what it read was changed", self.usage.reruns);
        self.journal.log(LogLevel::Debug, LogSource::Host, message, None);
        self.take_turn().await;
        true
    }

    /// Runs of this process that are executed again do so one at a time: they are not in each
    /// other's way. For those of other processes a pause has to do.
    async fn take_turn(&mut self) {
        if self.turn.is_some() {
            tokio::time::sleep(pause(self.usage.reruns)).await;
        } else {
            let turn = Arc::clone(&self.turns).lock_owned();
            let turn = tokio::time::timeout_at(self.deadline.into(), turn);
            // Whoever is stopped meanwhile, or whose time is up, hears of it at once.
            self.turn = self.work.cancel.run_until_cancelled(turn).await.and_then(Result::ok);
        }
    }

    /// Returns how a run ends that is not executed again.
    pub(crate) fn given_up(&self) -> Outcome {
        if self.work.cancel.is_cancelled() {
            return Outcome::Cancelled;
        }
        let times = self.usage.reruns + 1;
        let message = format!("other runs changed what it had read, {times} times");
        let kind = if self.is_over() { FailureKind::Timeout } else { FailureKind::Conflict };
        Outcome::Failed(Failure::new(kind, message))
    }
}

/// Those who were in each other's way should not be so again: each waits for another time, up
/// to 1 ms, 2 ms, 4 ms ...
fn pause(rerun: u32) -> Duration {
    let longest = Duration::from_millis(1) * (1 << rerun.min(MOST_RERUNS));
    let random = getrandom::u32().unwrap_or(u32::MAX);
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A plugin that was denied something, and says that it failed for that, was denied.
fn judge_failure(failure: Failure, session: &Session) -> Failure {
    let says_so = failure.kind == FailureKind::Error && failure.code.as_deref() == Some(DENIED);
    match says_so && session.was_denied() {
        true => Failure { kind: FailureKind::Denied, ..failure },
        false => failure,
    }
}

fn judge_output(output: &str, schema: &Schema) -> Outcome {
    let invalid = |message: String| Failure::new(FailureKind::InvalidOutput, message);
    let value: Value = match ophost_document::json::parse(output) {
        Ok(value) => value,
        Err(error) => return Outcome::Failed(invalid(format!("the output is not JSON: {error}"))),
    };
    match schema.check(&value) {
        Ok(()) => Outcome::Success(value),
        Err(violations) => Outcome::Failed(Failure {
            details: serde_json::to_value(&violations.list).ok(),
            ..invalid(format!("the output {violations}"))
        }),
    }
}
