//! Finds the runs that were rerun already, because a second rerun would repeat their changes.

use std::collections::{BTreeMap, BTreeSet};

use ophost::{RunCursor, RunFilter, RunId, RunSummary, Runs, Status, StoreError};

use crate::error::CliError;
use crate::output;
use crate::runs::list::PAGE;

/// Reruns among the newest runs, read back to a position in the order of all runs.
///
/// A rerun is newer than the run that it repeats, so the reruns of a run are known when all newer
/// runs were read.
pub(super) struct RerunHistory {
    /// Sequence number of the oldest run that was read.
    oldest: u64,
    /// The repeated run of each rerun.
    of: BTreeMap<RunId, RunId>,
    /// Runs that a rerun replaces.
    superseded: BTreeSet<RunId>,
    /// Runs with a rerun that failed permanently.
    failed_permanently: BTreeSet<RunId>,
    /// Printed warnings.
    warnings: BTreeSet<String>,
}

impl RerunHistory {
    /// Returns an empty history.
    pub(super) fn new() -> Self {
        Self {
            oldest: u64::MAX,
            of: BTreeMap::new(),
            superseded: BTreeSet::new(),
            failed_permanently: BTreeSet::new(),
            warnings: BTreeSet::new(),
        }
    }

    /// Reads all runs that are newer than `run`.
    ///
    /// # Errors
    ///
    /// Returns the error of the store if the runs cannot be read.
    pub(super) async fn read_until(
        &mut self,
        runs: &Runs<'_>,
        run: &RunSummary,
    ) -> Result<(), CliError> {
        while self.oldest > run.sequence {
            let after = Some(RunCursor(self.oldest));
            // The filter does not select an operation, because it may have been renamed.
            let page = runs.list(&RunFilter::default(), after, PAGE).await?;
            self.report(&page.corrupted);
            page.runs.iter().for_each(|run| self.add(run));
            self.oldest = page.next.map_or(0, |RunCursor(sequence)| sequence);
        }
        Ok(())
    }

    fn add(&mut self, run: &RunSummary) {
        let Some(of) = run.rerun_of else { return };
        self.of.insert(run.id, of);
        if run.is_permanent_failure() {
            self.failed_permanently.insert(of);
        }
        // A failed or cancelled rerun changed nothing.
        let is_done = !matches!(run.status, Status::Failed | Status::Cancelled);
        if is_done || self.is_superseded(run.id) {
            self.mark_superseded(run.id);
        }
    }

    /// Marks the runs that `run` repeats, directly and indirectly, as superseded.
    pub(super) fn mark_superseded(&mut self, run: RunId) {
        let mut of = self.of.get(&run);
        while let Some(earlier) = of
            && self.superseded.insert(*earlier)
        {
            of = self.of.get(earlier);
        }
    }

    /// Returns whether a rerun of `run` has succeeded, is running, or is itself selected.
    pub(super) fn is_superseded(&self, run: RunId) -> bool {
        self.superseded.contains(&run)
    }

    /// Returns whether a rerun of a run failed permanently.
    pub(super) fn failed_permanently(&self, run: RunId) -> bool {
        self.failed_permanently.contains(&run)
    }

    /// Warns about corrupted records, once for each.
    pub(super) fn report(&mut self, corrupted: &[StoreError]) {
        for error in corrupted {
            let text = format!(
                "skipping a corrupted run; the run it may have rerun is still selected: {error}"
            );
            if self.warnings.insert(text.clone()) {
                output::warn(&text);
            }
        }
    }
}
