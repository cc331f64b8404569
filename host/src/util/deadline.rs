//! The deadline of a run, which also applies to the work of the host for the run.

use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use ophost_document::{Budget, Interruption};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::util::clock;
use crate::util::os_error::{self, Shortage};

/// Maximum size of a text that is processed on the thread of the caller, in bytes.
const MAX_SMALL_TEXT: usize = 64 << 10;
/// Maximum number of steps to process a value on the thread of the caller.
const MAX_SMALL_STEPS: u64 = 2_000;
/// Number of text bytes that count as one step.
const BYTES_PER_STEP: usize = 64;

/// The deadline of a run, and the token that cancels the run earlier.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    cancel: CancellationToken,
}

impl Deadline {
    /// Returns the deadline of a run that starts now.
    pub(crate) fn after(timeout: Duration, cancel: CancellationToken) -> Self {
        Self { at: clock::deadline(timeout), cancel }
    }

    /// Returns the time of the deadline.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Extends the deadline by time that does not count for the run.
    pub(crate) fn extend(&mut self, by: Duration) {
        self.at = self.at.checked_add(by).unwrap_or(self.at);
    }

    /// Returns the token that cancels the run.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Returns a budget that ends at the deadline or when the run is cancelled.
    pub(crate) fn budget(&self) -> Budget {
        self.budget_of(self.cancel.clone())
    }

    fn budget_of(&self, cancel: CancellationToken) -> Budget {
        Budget::until(self.at, move || cancel.is_cancelled())
    }

    /// Executes work of the host for the run, with a budget that ends at the deadline.
    ///
    /// Small work runs on the current thread. Large work runs on a thread of the runtime's pool,
    /// and the method waits until it returns, which is soon after the deadline.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the budget of large work is cancelled. The work ends soon, and its
    /// result is dropped.
    ///
    /// # Errors
    ///
    /// Returns [`Shortage`] if no thread can be started for large work.
    ///
    /// # Panics
    ///
    /// Panics if the work panics, and for large work outside of a tokio runtime.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        size: WorkSize,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Shortage> {
        if size == WorkSize::Small {
            return Ok(work(&self.budget()));
        }
        let cancel = self.cancel.child_token();
        let budget = self.budget_of(cancel.clone());
        let _guard = cancel.drop_guard();
        match os_error::spawn_blocking(move || work(&budget))?.await {
            Ok(result) => Ok(result),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime shuts down and will drop this future.
            Err(_) => std::future::pending().await,
        }
    }
}

/// The reason why work of the host did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkError {
    /// The budget of the work ended.
    Interrupted(Interruption),
    /// The process or the machine ran out of a resource.
    Shortage(Shortage),
}

impl From<Interruption> for WorkError {
    fn from(why: Interruption) -> Self {
        Self::Interrupted(why)
    }
}

impl From<Shortage> for WorkError {
    fn from(shortage: Shortage) -> Self {
        Self::Shortage(shortage)
    }
}

/// Whether work is short enough for the thread of the caller, between two await points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkSize {
    Small,
    Large,
}

impl WorkSize {
    /// Returns the size of work on a text.
    pub(crate) fn of_text(text: &str) -> Self {
        if text.len() <= MAX_SMALL_TEXT { Self::Small } else { Self::Large }
    }

    /// Returns the size of work on a value. The cost of the method itself is bounded.
    pub(crate) fn of(value: &Value) -> Self {
        match count_steps(value, &Budget::unlimited().with_steps(MAX_SMALL_STEPS)) {
            Ok(()) => Self::Small,
            Err(_) => Self::Large,
        }
    }
}

/// Spends one step for each part of a value, and for every 64 bytes of its texts.
fn count_steps(value: &Value, budget: &Budget) -> Result<(), Interruption> {
    let text = |text: &str| budget.spend(text.len() / BYTES_PER_STEP);
    budget.step()?;
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().try_for_each(|item| count_steps(item, budget)),
        Value::Object(members) => members.iter().try_for_each(|(name, inner)| {
            text(name)?;
            count_steps(inner, budget)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deadline(timeout: Duration) -> Deadline {
        Deadline::after(timeout, CancellationToken::new())
    }

    /// Loops until the budget ends, and returns the reason.
    fn endless(budget: &Budget) -> Interruption {
        loop {
            if let Err(why) = budget.step() {
                return why;
            }
        }
    }

    #[test]
    fn size_of_a_value_depends_on_its_parts_and_texts() {
        assert_eq!(WorkSize::of(&json!({"a": vec![1; 1_000]})), WorkSize::Small);
        assert_eq!(WorkSize::of(&json!(vec![1; 3_000])), WorkSize::Large);
        assert_eq!(WorkSize::of(&json!("x".repeat(MAX_SMALL_TEXT))), WorkSize::Small);
        assert_eq!(WorkSize::of(&json!({"x".repeat(4 * MAX_SMALL_TEXT): 1})), WorkSize::Large);
    }

    #[tokio::test]
    async fn work_of_any_size_ends_at_the_deadline() {
        for size in [WorkSize::Small, WorkSize::Large] {
            let deadline = deadline(Duration::from_millis(50));
            assert_eq!(deadline.work(size, endless).await, Ok(Interruption::Deadline));
        }
    }

    #[tokio::test]
    async fn large_work_does_not_block_the_thread_and_can_be_cancelled() {
        let deadline = deadline(Duration::from_secs(600));
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            deadline.cancel().cancel();
        };
        let (why, ()) = tokio::join!(deadline.work(WorkSize::Large, endless), cancel);
        assert_eq!(why, Ok(Interruption::Cancelled));
    }

    #[tokio::test]
    async fn large_work_ends_when_its_future_is_dropped() {
        let (sender, ended) = std::sync::mpsc::channel();
        let deadline = deadline(Duration::from_secs(600));
        let work = deadline.work(WorkSize::Large, move |budget| sender.send(endless(budget)).ok());
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        let why = ended.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(why, Interruption::Cancelled);
        assert!(!deadline.cancel().is_cancelled());
    }
}
