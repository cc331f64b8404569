//! Runs of the built-in import: one run, or batches with a common parent run.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::host::{execute_with_retries, not_started};
use super::{Host, RunError, RunReport};
use crate::documents::import::Import;
use crate::model::document::{Body, ChangeCount, DocumentId};
use crate::model::operation::Operation;
use crate::model::outcome::{
    Failure, LogEntry, LogLevel, LogSource, Outcome, RunDiagnostics, Usage,
};
use crate::model::run_record::{CapabilityUse, RunId};
use crate::policy::Grants;
use crate::run::execution::{Executable, Execution, ExecutionRequest};
use crate::run::record::{BeginOutcome, RecordedOutcome, RunSpec, RunTracker};
use crate::util::clock;
use crate::util::deadline::Deadline;
use ophost_schema::Schema;

impl Host {
    /// Imports documents into a collection, all or none, by a recorded run of the built-in
    /// operation `ophost.import`. The run has the maximum limits of the host.
    ///
    /// # Errors
    ///
    /// Like [`Self::run`].
    pub async fn import(&self, mut import: Import) -> Result<RunReport, RunError> {
        let (operation, input) = (import.operation(), Arc::new(import.input()));
        let grants = self.shared.policy.grant_maximum(&operation);
        let deadline = Deadline::after(grants.limits().timeout, import.cancel.clone());
        let (actor, flags) = (import.caller.actor(&input), import.caller.flags(&input));
        let observer = import.observer.take();
        let tracker =
            self.begin_import(&import, &operation, (&input, false), (&grants, &deadline)).await?;
        let work = ExecutionRequest {
            code: Executable::Import(&import),
            operation: &operation.name,
            grants: &grants,
            actor: &actor,
            flags,
            run_id: tracker.run_id(),
            idempotency_key: None,
            deadline,
            store: self.store(),
        };
        let execution = Execution::new(
            work,
            tracker.guest_output(grants.limits().log, observer),
            &self.shared.retry_lock,
        );
        execute_with_retries(execution, &tracker, &Arc::new(Schema::permissive()), &import.context)
            .await
    }

    /// Starts an import in batches: a recorded parent run, and one run for each batch. `template`
    /// has the settings of the batches; its documents are not imported.
    ///
    /// # Errors
    ///
    /// Returns [`RunError::Store`] if the record of the parent run cannot be written.
    pub async fn begin_batch_import(&self, template: Import) -> Result<BatchImport<'_>, RunError> {
        let (operation, input) = (template.operation(), Arc::new(template.input()));
        let grants = self.shared.policy.grant_maximum(&operation);
        let deadline = Deadline::after(grants.limits().timeout, template.cancel.clone());
        // The batches refer to this run.
        let outcome =
            self.begin_import(&template, &operation, (&input, true), (&grants, &deadline));
        let tracker = outcome.await?;
        let (started, changes) = (Instant::now(), ChangeCount::default());
        Ok(BatchImport {
            host: self,
            tracker,
            template,
            started,
            batches: 0,
            done: 0,
            sums: [0; 2],
            changes,
        })
    }

    async fn begin_import(
        &self,
        import: &Import,
        operation: &Operation,
        (input, is_recorded_first): (&Arc<Value>, bool),
        (grants, deadline): (&Grants, &Deadline),
    ) -> Result<RunTracker, RunError> {
        let permissive = Arc::new(Schema::permissive());
        let spec = RunSpec {
            operation,
            component: None,
            version: env!("CARGO_PKG_VERSION"),
            raw_input: None,
            input,
            input_schema: &permissive,
            output_schema: &permissive,
            actor: &import.caller.actor(input),
            flags: import.caller.flags(input),
            context: &import.context,
            tags: &[],
            limits: *grants.limits(),
            granted: &[],
            record_override: Some(true),
            idempotency_key: None,
            rerun_of: None,
            parent: import.parent,
            is_recorded_first,
        };
        let outcome = self.shared.recorder.begin(spec, deadline).await;
        match outcome.map_err(|error| not_started(operation, grants, error))? {
            BeginOutcome::Started(tracker) => Ok(tracker),
            BeginOutcome::Replayed(_)
            | BeginOutcome::InProgress(_)
            | BeginOutcome::KeyConflict(..) => {
                let error =
                    io::Error::other("an import without an idempotency key has a stored result");
                Err(RunError::Store(error.into()))
            }
        }
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
    /// Settings of the batches.
    template: Import,
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
        let report =
            self.host.import(self.template.batch(self.tracker.run_id(), first, documents)).await?;
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
                if self.template.caller.flags(&Value::Null).dry_run {
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
            context: self.template.context.clone(),
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
