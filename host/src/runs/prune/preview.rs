//! Computes which runs a prune would remove.

use std::collections::HashSet;

use super::PruneReport;
use crate::model::run_record::RunId;
use crate::store::{ExpiredRun, RunHold};

/// Computes which runs a prune would remove. A linked run is removed after all runs that are linked
/// to it.
#[derive(Default)]
pub(super) struct Preview {
    /// The removed runs that are linked to other runs.
    removed: HashSet<RunId>,
    /// The runs that other runs are linked to.
    linked: Vec<(ExpiredRun, Vec<RunId>)>,
}

impl Preview {
    /// Adds a run that exceeds a rule.
    pub(super) fn add(&mut self, mut run: ExpiredRun, report: &mut PruneReport) {
        match run.hold.take() {
            None => self.remove(&run, report),
            Some(RunHold::Linked(by)) => self.linked.push((run, by)),
            Some(hold) => report.held.add(&hold),
        }
    }

    fn remove(&mut self, run: &ExpiredRun, report: &mut PruneReport) {
        report.add(run.status);
        if run.has_links {
            self.removed.insert(run.id);
        }
    }

    /// Adds the linked runs to the report.
    pub(super) fn resolve(mut self, report: &mut PruneReport) {
        loop {
            let is_free =
                |(_, by): &(ExpiredRun, Vec<RunId>)| by.iter().all(|id| self.removed.contains(id));
            let (free, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.linked).into_iter().partition(is_free);
            self.linked = rest;
            free.iter().for_each(|(run, _)| self.remove(run, report));
            if free.is_empty() {
                report.held.linked += self.linked.len() as u64;
                return;
            }
        }
    }
}
