//! Decides which runs are recorded, and writes the RUNNING record before a run starts.

use std::io;
use std::sync::Arc;

use ophost_document::{Budget, Interruption};
use serde_json::Value;

use super::active::ActiveRecord;
use super::insertion::Insertion;
use super::mask::{Mask, masked};
use super::run_spec::{RecordedInput, RunSpec};
use super::tracker::{RunTracker, Unrecorded};
use crate::model::operation::Operation;
use crate::model::outcome::Flags;
use crate::model::run_record::{Masked, RunId, RunRecord};
use crate::policy::RecordPolicy;
use crate::store::{Claim, InsertOutcome, NewRun, ShutdownMode, StoreError, StoreHandle};
use crate::util::deadline::{Deadline, WorkError, WorkSize};
use crate::util::private_dir::DataDir;

/// Records the runs of a host.
pub(crate) struct Recorder {
    /// `None` without a data directory.
    store: Option<StoreHandle>,
    rule: RecordPolicy,
}

/// Result of [`Recorder::begin`].
pub(crate) enum BeginOutcome {
    /// The run can start.
    Started(RunTracker),
    /// A run with the same idempotency key has succeeded.
    Replayed(Box<RunRecord>),
    /// A run with the same idempotency key is in progress.
    InProgress(RunId),
    /// The idempotency key belongs to another request. With the masked input of this request.
    KeyConflict(Box<RunRecord>, Value),
}

impl Recorder {
    pub(crate) fn new(data: Option<&DataDir>, rule: RecordPolicy, at_end: ShutdownMode) -> Self {
        Self { store: data.map(|data| StoreHandle::new(data, at_end)), rule }
    }

    /// Returns a recorder with the same rule that records in another data directory.
    pub(crate) fn with_data(&self, data: &DataDir, at_end: ShutdownMode) -> Self {
        Self::new(Some(data), self.rule, at_end)
    }

    /// Returns the store; `None` without a data directory.
    pub(crate) fn store(&self) -> Option<&StoreHandle> {
        self.store.as_ref()
    }

    /// Opens the store if the run will write a record or can change documents.
    pub(crate) fn prepare(
        &self,
        operation: &Operation,
        record_override: Option<bool>,
        key: Option<&str>,
        flags: Flags,
    ) {
        let may_change = !operation.models_out.is_empty() && !flags.dry_run;
        if let Some(opened) = &self.store
            && (key.is_some() || may_change || self.rule.should_record(operation, record_override))
        {
            opened.store().prepare();
        }
    }

    /// Hands the RUNNING record of a run to the store, if the run is recorded.
    ///
    /// Waits for the commit only if the run must be recorded first: with an idempotency key, or if
    /// other runs refer to it. Other runs have no effect before their last commit.
    ///
    /// # Errors
    ///
    /// Returns [`NotStarted`] if the run must not start.
    pub(crate) async fn begin(
        &self,
        spec: RunSpec<'_>,
        deadline: &Deadline,
    ) -> Result<BeginOutcome, NotStarted> {
        let key = spec.idempotency_key;
        if key.is_none() && !self.rule.should_record(spec.operation, spec.record_override) {
            self.check_writable(&spec).await?;
            return Ok(self.unrecorded(&spec));
        }
        let Some(opened) = &self.store else {
            // An idempotency key without a record would have no effect.
            let error = || io::Error::other("an idempotency key needs a data directory");
            return match key {
                None => Ok(self.unrecorded(&spec)),
                Some(_) => Err(StoreError::from(error()).into()),
            };
        };
        let mask = mask(opened, &spec)?;
        let mut input = recorded_input(mask, &spec, deadline).await?;
        let raw_input = input.raw_input.take();
        let key = key.map(|key| spec.claim(key, raw_input.as_deref().unwrap_or_default()));
        let run = spec.running_record(opened.owner().await?, input);
        let guard = opened.begin(&run);
        let started = |claim, insertion, guard| {
            let run = (claim, insertion, guard);
            let record = ActiveRecord::new(opened, run, &spec, mask, deadline.cancel());
            BeginOutcome::Started(RunTracker::Recorded(record))
        };
        if key.is_none() && !spec.is_recorded_first {
            let (claim, run) = (Claim::of_new(run.id), Arc::new(run));
            let pending = opened.store().begin(Arc::clone(&run));
            return Ok(started(claim, Insertion::pending(run, pending), guard));
        }
        Ok(match insert(opened, NewRun { run, key }).await? {
            InsertOutcome::Created(claim) => started(claim, Insertion::done(), guard),
            InsertOutcome::Existing(run) => {
                guard.end();
                if run.state.status().is_final() {
                    BeginOutcome::Replayed(run)
                } else {
                    BeginOutcome::InProgress(run.id)
                }
            }
            InsertOutcome::KeyConflict(mut run) => {
                guard.end();
                if !run.is_masked(Masked::Input) {
                    // An earlier version of the schema may have had no secrets.
                    let (dump, budget) = (&run.input_dump, deadline.budget());
                    run.input_dump = masked(mask, spec.input_schema, dump, &budget)?.into_owned();
                }
                let input = masked(mask, spec.input_schema, spec.input, &deadline.budget())?;
                BeginOutcome::KeyConflict(run, input.into_owned())
            }
        })
    }
}

impl Recorder {
    /// Checks that the store accepts the document changes of an unrecorded run.
    async fn check_writable(&self, spec: &RunSpec<'_>) -> Result<(), NotStarted> {
        let may_change = !spec.operation.models_out.is_empty() && !spec.flags.dry_run;
        match self.store.as_ref().filter(|_| may_change) {
            Some(opened) => opened.store().check_writable().await.map_err(NotStarted::Changes),
            None => Ok(()),
        }
    }

    fn unrecorded(&self, spec: &RunSpec<'_>) -> BeginOutcome {
        let store = self.store.as_ref().map(|opened| Arc::clone(opened.store()));
        BeginOutcome::Started(RunTracker::Unrecorded(Unrecorded {
            store,
            metadata: spec.commit_metadata(),
        }))
    }
}

/// Reason why a run did not start.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// The store failed.
    Store(StoreError),
    /// The store does not accept document changes.
    Changes(StoreError),
    /// The record could not be prepared.
    Work(WorkError),
}

impl From<StoreError> for NotStarted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<WorkError> for NotStarted {
    fn from(why: WorkError) -> Self {
        Self::Work(why)
    }
}

impl From<Interruption> for NotStarted {
    fn from(why: Interruption) -> Self {
        Self::Work(why.into())
    }
}

async fn recorded_input(
    mask: Option<Mask>,
    spec: &RunSpec<'_>,
    deadline: &Deadline,
) -> Result<RecordedInput, WorkError> {
    let (schema, input) = (Arc::clone(spec.input_schema), Arc::clone(spec.input));
    let raw_input = spec.raw_input.map(Arc::clone);
    let keep = move |budget: &Budget| {
        RecordedInput::of(mask, &schema, &input, raw_input.as_deref(), budget)
    };
    Ok(deadline.work(WorkSize::of(spec.input), keep).await??)
}

/// Returns the mask of an operation, if its schemas have secrets.
fn mask(opened: &StoreHandle, spec: &RunSpec<'_>) -> Result<Option<Mask>, StoreError> {
    if !spec.input_schema.has_secrets() && !spec.output_schema.has_secrets() {
        return Ok(None);
    }
    Ok(Some(Mask::of(opened.data())?))
}

/// Inserts a run. Reaps crashed runs if a run with the same idempotency key is in progress.
async fn insert(opened: &StoreHandle, new: NewRun) -> Result<InsertOutcome, StoreError> {
    if new.key.is_none() {
        return opened.store().insert(new).await;
    }
    match opened.store().insert(new.clone()).await? {
        InsertOutcome::Existing(run) if !run.state.status().is_final() => {
            opened.reap_crashed_runs().await?;
            opened.store().insert(new).await
        }
        other => Ok(other),
    }
}
