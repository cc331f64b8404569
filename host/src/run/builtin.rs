//! Runs of built-in operations, which are always recorded.

use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::host::{execute_with_retries, not_started};
use super::{Host, RunError, RunReport};
use crate::documents::builtin::{BuiltIn, CallSettings};
use crate::documents::delete::DeleteDocuments;
use crate::documents::set::SetFields;
use crate::model::operation::Operation;
use crate::model::outcome::{Actor, Flags};
use crate::policy::Grants;
use crate::run::execution::{Executable, Execution, ExecutionRequest};
use crate::run::record::{BeginOutcome, RunSpec, RunTracker};
use crate::util::deadline::Deadline;
use ophost_schema::Schema;

impl Host {
    /// Sets fields of a document by a recorded run of the built-in operation `ophost.set`. The run
    /// has the maximum limits of the host.
    ///
    /// # Errors
    ///
    /// Like [`Self::run`].
    pub async fn set_fields(
        &self,
        set: SetFields,
        settings: CallSettings,
    ) -> Result<RunReport, RunError> {
        self.run_builtin(&set, settings).await
    }

    /// Deletes documents, all or none, by a recorded run of the built-in operation
    /// `ophost.delete`. The run has the maximum limits of the host.
    ///
    /// # Errors
    ///
    /// Like [`Self::run`].
    pub async fn delete_documents(
        &self,
        delete: DeleteDocuments,
        settings: CallSettings,
    ) -> Result<RunReport, RunError> {
        self.run_builtin(&delete, settings).await
    }

    /// Runs a built-in operation.
    pub(super) async fn run_builtin(
        &self,
        code: &dyn BuiltIn,
        settings: CallSettings,
    ) -> Result<RunReport, RunError> {
        let prepared = PreparedBuiltIn::new(self, code, &settings);
        let tracker = prepared.begin(false).await?;
        let output = tracker.guest_output(prepared.grants.limits().log, settings.observer.clone());
        let request = prepared.request(&tracker);
        let execution = Execution::new(request, output, &self.shared.retry_lock);
        let schema = Arc::new(Schema::permissive());
        execute_with_retries(execution, &tracker, &schema, &settings.context).await
    }
}

/// A run of a built-in operation that has not started.
pub(super) struct PreparedBuiltIn<'a> {
    host: &'a Host,
    code: &'a dyn BuiltIn,
    settings: &'a CallSettings,
    operation: Operation,
    input: Arc<Value>,
    grants: Grants,
    actor: Actor,
    flags: Flags,
    deadline: Deadline,
}

impl<'a> PreparedBuiltIn<'a> {
    /// Prepares a run with the maximum limits of the host. Its deadline begins now.
    pub(super) fn new(host: &'a Host, code: &'a dyn BuiltIn, settings: &'a CallSettings) -> Self {
        let (operation, input) = (code.operation(), Arc::new(code.input()));
        let grants = host.shared.policy.grant_builtin(&operation, code.min_effects());
        let deadline = Deadline::after(grants.limits().timeout, settings.cancel.clone());
        let actor = settings.caller.actor(&Value::Null);
        let flags = settings.caller.flags(&Value::Null);
        Self { host, code, settings, operation, input, grants, actor, flags, deadline }
    }

    /// Hands over the RUNNING record. `is_recorded_first` waits until the record is durable.
    pub(super) async fn begin(&self, is_recorded_first: bool) -> Result<RunTracker, RunError> {
        let permissive = Arc::new(Schema::permissive());
        let spec = RunSpec {
            operation: &self.operation,
            component: None,
            version: env!("CARGO_PKG_VERSION"),
            raw_input: None,
            input: &self.input,
            input_schema: &permissive,
            output_schema: &permissive,
            actor: &self.actor,
            flags: self.flags,
            context: &self.settings.context,
            tags: &[],
            limits: *self.grants.limits(),
            granted: &[],
            record_override: Some(true),
            idempotency_key: None,
            rerun_of: None,
            undo_of: self.code.undo_of(),
            parent: self.code.parent(),
            is_recorded_first,
        };
        let outcome = self.host.shared.recorder.begin(spec, &self.deadline).await;
        match outcome.map_err(|error| not_started(&self.operation, &self.grants, error))? {
            BeginOutcome::Started(tracker) => Ok(tracker),
            BeginOutcome::Replayed(_)
            | BeginOutcome::InProgress(_)
            | BeginOutcome::KeyConflict(..) => {
                let error =
                    io::Error::other("a run without an idempotency key has a stored result");
                Err(RunError::Store(error.into()))
            }
        }
    }

    fn request(&self, tracker: &RunTracker) -> ExecutionRequest<'_> {
        ExecutionRequest {
            code: Executable::BuiltIn(self.code),
            operation: &self.operation.name,
            grants: &self.grants,
            actor: &self.actor,
            flags: self.flags,
            run_id: tracker.run_id(),
            idempotency_key: None,
            deadline: self.deadline.clone(),
            store: self.host.store(),
        }
    }
}
