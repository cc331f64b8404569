//! Imports: runs of the host's own operation, one, or several under one parent.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::host::{execute_with_retries, not_begun};
use super::{Host, RunError, RunReport};
use crate::documents::import::Import;
use crate::model::document::{Body, ChangeCount, DocumentId};
use crate::model::operation::Operation;
use crate::model::outcome::{
    Failure, LogEntry, LogLevel, LogSource, Outcome, RunDiagnostics, Usage,
};
use crate::model::run_record::RunId;
use crate::policy::Grants;
use crate::run::execution::{Executable, Execution, ExecutionRequest};
use crate::run::record::{BeginOutcome, KeptOutcome, RunSpec, RunTracker};
use crate::util::clock;
use crate::util::deadline::Deadline;
use ophost_schema::Schema;

impl Host {
    /// Puts documents into a collection, all or none, by a recorded run of the host's own
    /// operation `ophost.import`. It may write as much as this host allows at most.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn import(&self, mut import: Import) -> Result<RunReport, RunError> {
        let (operation, input) = (import.operation(), Arc::new(import.input()));
        let grants = self.shared.policy.grant_maximum(&operation);
        let deadline = Deadline::after(grants.limits().timeout, import.cancel.clone());
        let (actor, flags) = (import.caller.actor(&input), import.caller.flags(&input));
        let observer = import.observer.take();
        let keeping = self.begin_import(&import, &operation, &input, (&grants, &deadline)).await?;
        let work = ExecutionRequest {
            code: Executable::Import(&import),
            operation: &operation.name,
            grants: &grants,
            actor: &actor,
            flags,
            run_id: keeping.run_id(),
            idempotency_key: None,
            deadline,
            store: self.store(),
        };
        let execution = Execution::new(
            work,
            keeping.journal(grants.limits().log, observer),
            &self.shared.turns,
        );
        execute_with_retries(execution, &keeping, &Arc::new(Schema::permissive()), &import.context)
            .await
    }

    /// Begins an import in batches: the recorded parent of one run for each batch. `like` says
    /// where the documents go, on whose behalf and so on; its own documents are not imported.
    ///
    /// # Errors
    ///
    /// Returns [`RunError::Store`] if the record of the parent run cannot be written.
    pub async fn begin_batch_import(&self, like: Import) -> Result<BatchImport<'_>, RunError> {
        let (operation, input) = (like.operation(), Arc::new(like.input()));
        let grants = self.shared.policy.grant_maximum(&operation);
        let deadline = Deadline::after(grants.limits().timeout, like.cancel.clone());
        let begun = self.begin_import(&like, &operation, &input, (&grants, &deadline));
        let keeping = begun.await?;
        let (started, changes) = (Instant::now(), ChangeCount::default());
        Ok(BatchImport {
            host: self,
            keeping,
            like,
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
        input: &Arc<Value>,
        (grants, deadline): (&Grants, &Deadline),
    ) -> Result<RunTracker, RunError> {
        let anything = Arc::new(Schema::permissive());
        let subject = RunSpec {
            operation,
            component: None,
            version: env!("CARGO_PKG_VERSION"),
            raw_input: None,
            input,
            input_schema: &anything,
            output_schema: &anything,
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
        };
        let begun = self.shared.recorder.begin(subject, deadline).await;
        match begun.map_err(|error| not_begun(operation, grants, error))? {
            BeginOutcome::Started(keeping) => Ok(keeping),
            BeginOutcome::Replayed(_)
            | BeginOutcome::InProgress(_)
            | BeginOutcome::KeyConflict(..) => {
                let error = io::Error::other("a run without a key was answered by another");
                Err(RunError::Store(error.into()))
            }
        }
    }
}

/// An import in batches, each of which is a recorded run with this one as its parent.
///
/// A batch is imported as a whole or not at all, and stays when a later one fails. Dropping the
/// value ends the parent run as crashed.
#[must_use]
pub struct BatchImport<'h> {
    host: &'h Host,
    keeping: RunTracker,
    /// An import like each batch.
    like: Import,
    started: Instant,
    batches: u64,
    /// How many documents of the source the finished batches had.
    done: u64,
    /// How many documents were put and skipped.
    sums: [u64; 2],
    changes: ChangeCount,
}

impl BatchImport<'_> {
    /// Returns how many documents of the source were imported, or skipped as existing ones.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Imports the next batch by a run of its own. `first` is the number of its first document in
    /// the source, from 1.
    ///
    /// # Errors
    ///
    /// As [`Host::import`]. The parent run goes on.
    pub async fn run(
        &mut self,
        first: u64,
        documents: Vec<(Option<DocumentId>, Body)>,
    ) -> Result<RunReport, RunError> {
        let count = documents.len() as u64;
        let report =
            self.host.import(self.like.batch(self.keeping.run_id(), first, documents)).await?;
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

    /// Ends the parent run, with the failure if there is one. `note` is added to its log.
    ///
    /// # Errors
    ///
    /// Returns [`RunError::Unrecorded`] if its end cannot be written. The batches that were
    /// imported are.
    pub async fn finish(
        self,
        ended: Result<(), Option<Failure>>,
        note: Option<String>,
    ) -> Result<RunReport, RunError> {
        let [put, skipped] = self.sums;
        let outcome = match ended {
            Ok(()) => {
                let mut output = json!({"put": put, "skipped": skipped, "batches": self.batches});
                if self.like.caller.flags(&Value::Null).dry_run {
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
            operation: self.like.operation().name,
            run_id: self.run_id(),
            context: self.like.context.clone(),
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
        let reached = Default::default();
        let kept = KeptOutcome::default();
        report.record(&self.keeping, kept, (&Arc::default(), &reached)).await?;
        // The record of each batch has its own changes, so that none is counted twice.
        Ok(RunReport { changes: self.changes, ..report })
    }

    /// Returns the id of the parent run, if this host keeps records.
    pub fn run_id(&self) -> Option<RunId> {
        self.keeping.run_id()
    }
}
