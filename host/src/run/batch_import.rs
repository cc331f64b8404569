//! Runs of the built-in import: one run, or batches with a common parent run.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::builtin::PreparedBuiltIn;
use super::{Host, RunError, RunReport};
use crate::documents::builtin::CallSettings;
use crate::documents::import::Import;
use crate::model::document::{Body, ChangeCount, DocumentId};
use crate::model::outcome::{
    Failure, LogEntry, LogLevel, LogSource, Outcome, RunDiagnostics, Usage,
};
use crate::model::run_record::{CapabilityUse, RunId};
use crate::run::record::{RecordedOutcome, RunTracker};
use crate::util::clock;

impl Host {
    /// Imports documents into a collection, all or none, by a recorded run of the built-in
    /// operation `ophost.import`. The run has the maximum limits of the host.
    ///
    /// # Errors
    ///
    /// Like [`Self::run`].
    pub async fn import(
        &self,
        import: Import,
        settings: CallSettings,
    ) -> Result<RunReport, RunError> {
        self.run_builtin(&import, settings).await
    }

    /// Starts an import in batches: a recorded parent run, and one run for each batch. `template`
    /// describes the batches; its documents are not imported. `settings` are those of each run, and
    /// their callback for progress is not called.
    ///
    /// # Errors
    ///
    /// Returns [`RunError::Store`] if the record of the parent run cannot be written.
    pub async fn begin_batch_import(
        &self,
        template: Import,
        settings: CallSettings,
    ) -> Result<BatchImport<'_>, RunError> {
        let settings = CallSettings { observer: None, ..settings };
        // The batches refer to this run.
        let tracker = PreparedBuiltIn::new(self, &template, &settings).begin(true).await?;
        let (started, changes) = (Instant::now(), ChangeCount::default());
        Ok(BatchImport {
            host: self,
            tracker,
            template,
            settings,
            started,
            batches: 0,
            done: 0,
            sums: [0; 2],
            changes,
        })
    }
}

/// An import in batches. Each batch is a recorded run, and this run is its parent.
///
/// A batch is imported completely or not at all. A failure of a later batch does not affect it.
/// Dropping the value marks the parent run as crashed.
#[must_use]
pub struct BatchImport<'h> {
    host: &'h Host,
    tracker: RunTracker,
    /// Description of the batches.
    template: Import,
    /// Settings of each run.
    settings: CallSettings,
    started: Instant,
    batches: u64,
    /// Number of documents in the finished batches.
    done: u64,
    /// Number of imported documents, and of skipped ones.
    sums: [u64; 2],
    changes: ChangeCount,
}

impl BatchImport<'_> {
    /// Returns the number of documents that were imported, or skipped because they exist.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Imports the next batch by a run of its own. `first` is the number of its first document in
    /// the source, from 1.
    ///
    /// # Errors
    ///
    /// Like [`Host::import`]. The parent run continues.
    pub async fn run(
        &mut self,
        first: u64,
        documents: Vec<(Option<DocumentId>, Body)>,
    ) -> Result<RunReport, RunError> {
        let count = documents.len() as u64;
        let batch = self.template.batch(self.tracker.run_id(), first, documents);
        let report = self.host.import(batch, self.settings.clone()).await?;
        if let Outcome::Success(output) = &report.outcome {
            self.batches += 1;
            self.done += count;
            for (sum, name) in self.sums.iter_mut().zip(["put", "skipped"]) {
                *sum += output[name].as_u64().unwrap_or_default();
            }
            self.changes.created += report.changes.created;
            self.changes.updated += report.changes.updated;
        }
        Ok(report)
    }

    /// Ends the parent run, with a failure if there is one. `note` is added to its log.
    ///
    /// # Errors
    ///
    /// Returns [`RunError::Unrecorded`] if the end cannot be recorded. Imported batches are not
    /// affected.
    pub async fn finish(
        self,
        ended: Result<(), Option<Failure>>,
        note: Option<String>,
    ) -> Result<RunReport, RunError> {
        let [put, skipped] = self.sums;
        let outcome = match ended {
            Ok(()) => {
                let mut output = json!({"put": put, "skipped": skipped, "batches": self.batches});
                if self.settings.caller.flags(&Value::Null).dry_run {
                    output["dry_run"] = json!(true);
                }
                Outcome::Success(output)
            }
            Err(Some(failure)) => Outcome::Failed(failure),
            Err(None) => Outcome::Cancelled,
        };
        let entry = |message| LogEntry {
            timestamp: clock::now(),
            level: LogLevel::Info,
            message,
            data: None,
            source: LogSource::Host,
        };
        let report = RunReport {
            operation: self.template.operation().name,
            run_id: self.run_id(),
            context: self.settings.context.clone(),
            outcome,
            trail: RunDiagnostics {
                log: note.map(entry).into_iter().collect(),
                ..RunDiagnostics::default()
            },
            logs_ref: None,
            usage: Usage { wall: self.started.elapsed(), ..Usage::default() },
            at_maximum: Vec::new(),
            changes: ChangeCount::default(),
            dry_run: None,
            from_record: false,
        };
        let recorded_outcome = RecordedOutcome::default();
        report
            .record(&self.tracker, recorded_outcome, (&Arc::default(), &CapabilityUse::default()))
            .await?;
        // The record of each batch has its changes, so the parent record must not count them again.
        Ok(RunReport { changes: self.changes, ..report })
    }

    /// Returns the id of the parent run, if the host has a data directory.
    pub fn run_id(&self) -> Option<RunId> {
        self.tracker.run_id()
    }
}
