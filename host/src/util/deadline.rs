//! Until when a run may go on, also in what the host does for it.

use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use ophost_document::{Budget, Interruption};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::util::clock;
use crate::util::os_error::{self, Shortage};

/// The largest text that is looked at on the thread of the caller, in bytes.
const SMALL_TEXT: usize = 64 << 10;
/// The most steps that looking at a value may take there.
const SMALL_STEPS: u64 = 2_000;
/// How many bytes of a text are one step.
const BYTES_PER_STEP: usize = 64;

/// The end of a run's time, and its caller's way to end it earlier.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    cancel: CancellationToken,
}

impl Deadline {
    /// Returns the deadline of a run that begins now.
    pub(crate) fn after(timeout: Duration, cancel: CancellationToken) -> Self {
        Self { at: clock::deadline(timeout), cancel }
    }

    /// Returns when it is.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Puts it off: by what took time and is not the run's.
    pub(crate) fn put_off(&mut self, by: Duration) {
        self.at = self.at.checked_add(by).unwrap_or(self.at);
    }

    /// Returns what cancels the run.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Returns the budget of work for the run.
    pub(crate) fn budget(&self) -> Budget {
        self.budget_of(self.cancel.clone())
    }

    fn budget_of(&self, cancel: CancellationToken) -> Budget {
        Budget::until(self.at, move || cancel.is_cancelled())
    }

    /// Does work for the run that looks at a value, or a text, of this size. A small one is looked
    /// at here and now. For a large one the work is done on a thread of the runtime's pool, and
    /// this waits for its end: it ends soon after the deadline.
    ///
    /// # Cancel safety
    ///
    /// If this is dropped, the budget of the work is cancelled: it ends soon, and what it returns
    /// is dropped.
    ///
    /// # Errors
    ///
    /// Returns what the system ran out of if there is no thread for large work.
    ///
    /// # Panics
    ///
    /// Panics if the work does, and for large work outside of a tokio runtime.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        size: WorkSize,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Shortage> {
        if size == WorkSize::Small {
            return Ok(work(&self.budget()));
        }
        let wanted = self.cancel.child_token();
        let budget = self.budget_of(wanted.clone());
        let _guard = wanted.drop_guard();
        match os_error::spawn_blocking(move || work(&budget))?.await {
            Ok(done) => Ok(done),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime ends, and with it all that waits.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// There was no time for it.
    Interrupted(Interruption),
    /// There was nothing to do it with.
    Shortage(Shortage),
}

impl From<Interruption> for Undone {
    fn from(why: Interruption) -> Self {
        Self::Interrupted(why)
    }
}

impl From<Shortage> for Undone {
    fn from(shortage: Shortage) -> Self {
        Self::Shortage(shortage)
    }
}

/// Whether work is small enough to be done between two awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkSize {
    Small,
    Large,
}

impl WorkSize {
    /// Returns the size of work on a text.
    pub(crate) fn of_text(text: &str) -> Self {
        if text.len() <= SMALL_TEXT { Self::Small } else { Self::Large }
    }

    /// Returns the size of work on a value. Takes no longer for a large one.
    pub(crate) fn of(value: &Value) -> Self {
        match count(value, &Budget::unlimited().with_steps(SMALL_STEPS)) {
            Ok(()) => Self::Small,
            Err(_) => Self::Large,
        }
    }
}

/// Takes a step for each part of a value, and for the texts in it.
fn count(value: &Value, budget: &Budget) -> Result<(), Interruption> {
    let text = |text: &str| budget.spend(text.len() / BYTES_PER_STEP);
    budget.step()?;
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().try_for_each(|item| count(item, budget)),
        Value::Object(members) => members.iter().try_for_each(|(name, inner)| {
            text(name)?;
            count(inner, budget)
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

    /// Works until its budget ends that, and says why it did.
    fn endless(budget: &Budget) -> Interruption {
        loop {
            if let Err(why) = budget.step() {
                return why;
            }
        }
    }

    #[test]
    fn a_value_is_small_by_its_parts_and_its_texts() {
        assert_eq!(WorkSize::of(&json!({"a": vec![1; 1_000]})), WorkSize::Small);
        assert_eq!(WorkSize::of(&json!(vec![1; 3_000])), WorkSize::Large);
        assert_eq!(WorkSize::of(&json!("x".repeat(SMALL_TEXT))), WorkSize::Small);
        assert_eq!(WorkSize::of(&json!({"x".repeat(4 * SMALL_TEXT): 1})), WorkSize::Large);
    }

    #[tokio::test]
    async fn work_ends_at_the_deadline_wherever_it_is_done() {
        for size in [WorkSize::Small, WorkSize::Large] {
            let deadline = deadline(Duration::from_millis(50));
            assert_eq!(deadline.work(size, endless).await, Ok(Interruption::Deadline));
        }
    }

    #[tokio::test]
    async fn others_go_on_while_large_work_is_done_and_can_cancel_it() {
        let deadline = deadline(Duration::from_secs(600));
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            deadline.cancel().cancel();
        };
        let (why, ()) = tokio::join!(deadline.work(WorkSize::Large, endless), cancel);
        assert_eq!(why, Ok(Interruption::Cancelled));
    }

    #[tokio::test]
    async fn work_whose_end_nobody_waits_for_ends() {
        let (sender, ended) = std::sync::mpsc::channel();
        let deadline = deadline(Duration::from_secs(600));
        let work = deadline.work(WorkSize::Large, move |budget| sender.send(endless(budget)).ok());
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        let why = ended.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(why, Interruption::Cancelled);
        assert!(!deadline.cancel().is_cancelled());
    }
}
