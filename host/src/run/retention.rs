//! Retention in a host: regular prunes, and small steps of a prune.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Host;
use super::host::Shared;
use crate::runs::Runs;

/// Mean time between two regular prunes.
const PRUNE_INTERVAL: Duration = Duration::from_secs(600);

impl Host {
    /// Removes some of the runs and document changes that exceed the retention of the host, within
    /// about 20 ms. For the end of a short process.
    ///
    /// Does nothing if this host has not written to the store, or within an hour after the last
    /// prune; within a minute if that left expired data. Errors are ignored: `ophost doctor` reports
    /// expired data.
    pub async fn prune_step(&self) {
        if let Some(runs) = self.runs() {
            // The step only helps. The next prune tries again.
            runs.prune_step(&self.shared.retention).await.ok();
        }
    }

    /// Removes the runs and document changes that exceed the retention of the host, about every 10
    /// minutes, until the returned guard is dropped or the last clone of the host is dropped.
    /// Errors are ignored, and the next prune tries again. For a long-lived process.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn prune_regularly(&self) -> PruneGuard {
        prune_every(self, PRUNE_INTERVAL)
    }
}

fn prune_every(host: &Host, interval: Duration) -> PruneGuard {
    let cancel = CancellationToken::new();
    let task = prune_until(Arc::downgrade(&host.shared), cancel.clone(), interval);
    let task = (!host.shared.retention.is_empty()).then(|| tokio::spawn(task));
    PruneGuard { cancel, _task: task }
}

async fn prune_until(host: Weak<Shared>, cancel: CancellationToken, interval: Duration) {
    loop {
        let pause = tokio::time::sleep(jittered(interval));
        if cancel.run_until_cancelled(pause).await.is_none() {
            return;
        }
        let Some(shared) = host.upgrade() else { return };
        if let Some(runs) = shared.recorder.store().map(Runs::new) {
            let end_with_host = |_| {
                if Arc::strong_count(&shared) == 1 {
                    cancel.cancel();
                }
            };
            if let Ok(report) = runs.prune(&shared.retention, &cancel, end_with_host).await {
                runs.note_prune(&report).await.ok();
            }
        }
    }
}

/// Returns a random time from half of an interval to one and a half, so that processes do not prune
/// in step.
fn jittered(interval: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    interval.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}

/// Guard of [`Host::prune_regularly`]. Dropping it stops the prunes.
#[derive(Debug)]
#[must_use]
pub struct PruneGuard {
    cancel: CancellationToken,
    /// `None` without a retention.
    _task: Option<JoinHandle<()>>,
}

impl Drop for PruneGuard {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Outcome;
    use crate::model::retention::{RetentionPolicy, RunRetention};
    use crate::model::run_record::tests::running;
    use crate::store::{Claim, NewRun, RunFilter};

    fn host(scratch: &tempfile::TempDir) -> Host {
        let runs = RunRetention { max_runs: Some(2), ..RunRetention::default() };
        let policy = RetentionPolicy { runs, ..RetentionPolicy::default() };
        let builder = Host::builder().data(scratch.path().join("data")).retention(policy);
        builder.build_without_plugins().unwrap()
    }

    async fn fill(host: &Host, count: usize) {
        let store = host.store().unwrap();
        for _ in 0..count {
            let run = running("a");
            store.insert(NewRun { run: run.clone(), key: None }).await.unwrap();
            let end = crate::store::tests::ending(Outcome::Cancelled);
            store.finish(Claim::of_new(run.id), end).await.unwrap();
        }
    }

    async fn count(host: &Host) -> usize {
        host.runs().unwrap().list(&RunFilter::default(), None, 100).await.unwrap().runs.len()
    }

    #[tokio::test]
    async fn regular_prune_ends_with_its_guard_and_its_host() {
        let scratch = tempfile::tempdir().unwrap();
        let host = host(&scratch);
        let guard = prune_every(&host, Duration::from_millis(10));
        fill(&host, 9).await;
        while count(&host).await > 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(guard);
        fill(&host, 3).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(count(&host).await, 5);
        let guard = prune_every(&host, Duration::from_millis(1));
        let shared = Arc::downgrade(&host.shared);
        drop(host);
        while shared.upgrade().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(guard);
    }

    #[tokio::test]
    async fn step_prunes_only_after_a_write_and_not_again_within_an_hour() {
        let scratch = tempfile::tempdir().unwrap();
        let first = host(&scratch);
        fill(&first, 4).await;
        let reading = host(&scratch);
        reading.prune_step().await;
        assert_eq!(count(&reading).await, 4, "this host has not written");
        first.prune_step().await;
        assert_eq!(count(&first).await, 2);
        let last = first.runs().unwrap().last_prune().await.unwrap().unwrap();
        assert!(last.is_complete);
        fill(&first, 1).await;
        first.prune_step().await;
        assert_eq!(count(&first).await, 3);
    }
}
