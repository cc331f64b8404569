//! Which runs were run again already: what they changed would be changed twice.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::CliError;
use super::super::output;
use super::list::PAGE;
use ophost::Runs;
use ophost::{RunCursor, RunFilter, StoreError};
use ophost::{RunId, RunSummary, Status};

/// What is known of reruns: of the newest runs, back to some place in the order of all. A rerun
/// is newer than what it ran again.
pub(super) struct Reruns {
    /// The place of the oldest run that was looked at.
    oldest: u64,
    /// What each rerun ran again.
    of: BTreeMap<RunId, RunId>,
    /// Runs in whose place another one stands.
    replaced: BTreeSet<RunId>,
    /// Runs of which a rerun failed permanently.
    failed_permanently: BTreeSet<RunId>,
    /// What was said of damage.
    told: BTreeSet<String>,
}

impl Reruns {
    /// Returns what is known before any run was looked at.
    pub(super) fn new() -> Self {
        Self {
            oldest: u64::MAX,
            of: BTreeMap::new(),
            replaced: BTreeSet::new(),
            failed_permanently: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// Looks at all runs that are newer than one.
    ///
    /// # Errors
    ///
    /// Returns the store's error if they cannot be read.
    pub(super) async fn look_back(
        &mut self,
        runs: &Runs<'_>,
        to: &RunSummary,
    ) -> Result<(), CliError> {
        while self.oldest > to.sequence {
            let after = Some(RunCursor(self.oldest));
            // Under whatever name: an operation may have been renamed since.
            let page = runs.list(&RunFilter::default(), after, PAGE).await?;
            self.report(&page.damaged);
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
        // What failed or was cancelled changed nothing.
        let is_done = !matches!(run.status, Status::Failed | Status::Cancelled);
        if is_done || self.is_superseded(run.id) {
            self.mark_superseded(run.id);
        }
    }

    /// Says that a run stands in the place of what it ran again, and so on.
    pub(super) fn mark_superseded(&mut self, run: RunId) {
        let mut of = self.of.get(&run);
        while let Some(earlier) = of
            && self.replaced.insert(*earlier)
        {
            of = self.of.get(earlier);
        }
    }

    /// Returns whether another run stands in the place of one: it was run again, and that did
    /// not come to nothing.
    pub(super) fn is_superseded(&self, run: RunId) -> bool {
        self.replaced.contains(&run)
    }

    /// Returns whether a rerun of a run failed permanently.
    pub(super) fn failed_permanently(&self, run: RunId) -> bool {
        self.failed_permanently.contains(&run)
    }

    /// Says what is damaged, each thing once.
    pub(super) fn report(&mut self, damaged: &[StoreError]) {
        for damaged in damaged {
            let text = format!("a run is left out; what it may have run again is not: {damaged}");
            if self.told.insert(text.clone()) {
                output::warn(&text);
            }
        }
    }
}
