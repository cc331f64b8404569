//! Description of a run before its start, and its RUNNING record.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::entries::opening;
use super::mask::{Mask, masked};
use crate::context::OrchestrationContext;
use crate::model::digest::Digest;
use crate::model::limits::Limits;
use crate::model::operation::Operation;
use crate::model::outcome::{Actor, Flags};
use crate::model::run_record::{
    Capabilities, Masked, NAMESPACE, OwnerId, RunId, RunRecord, RunState,
};
use crate::store::{CommitMetadata, IDEMPOTENCY_TTL, IdempotencyClaim};
use crate::util::clock;
use ophost_document::{Budget, Interruption, json};
use ophost_schema::Schema;

/// Description of a run before its start.
pub(crate) struct RunSpec<'a> {
    pub(crate) operation: &'a Operation,
    /// `None` for built-in operations.
    pub(crate) component: Option<Digest>,
    /// Version of the plugin.
    pub(crate) version: &'a str,
    /// The input before defaults, if there is an idempotency key.
    pub(crate) raw_input: Option<&'a Arc<Value>>,
    /// The input with defaults.
    pub(crate) input: &'a Arc<Value>,
    pub(crate) input_schema: &'a Arc<Schema>,
    pub(crate) output_schema: &'a Arc<Schema>,
    pub(crate) actor: &'a Actor,
    pub(crate) flags: Flags,
    pub(crate) context: &'a OrchestrationContext,
    pub(crate) tags: &'a [String],
    pub(crate) limits: Limits,
    /// Granted capabilities.
    pub(crate) granted: &'a [String],
    /// Whether the run is recorded, if the caller decides it.
    pub(crate) record_override: Option<bool>,
    /// Idempotency key; `None` for a dry run.
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) rerun_of: Option<RunId>,
    /// The run whose changes this run reverts.
    pub(crate) undo_of: Option<RunId>,
    /// The parent run.
    pub(crate) parent: Option<RunId>,
    /// Whether the RUNNING record must be durable before the run starts, because other runs refer
    /// to it.
    pub(crate) is_recorded_first: bool,
}

impl RunSpec<'_> {
    /// Returns the RUNNING record of a run that starts now.
    pub(super) fn running_record(&self, owner: &OwnerId, input: RecordedInput) -> RunRecord {
        let Self { operation, actor, flags, context, .. } = self;
        let now = clock::now();
        let opening = flags.verbose.then(|| opening(operation.name.as_str(), &input.value));
        let metadata = json!(flags).as_object().cloned().unwrap_or_default();
        let tags = operation.tags.iter().chain(self.tags).cloned().collect();
        RunRecord {
            id: RunId::new(),
            sequence: 0,
            revision: 0,
            namespace: NAMESPACE.to_owned(),
            operation_name: operation.name.clone(),
            idempotency_key: None,
            actor: (*actor).clone(),
            state: RunState::Running { started_at: now },
            orchestrated: context.orchestrated,
            prefect_flow_run_id: context.prefect_flow_run_id.clone(),
            prefect_task_run_id: context.prefect_task_run_id.clone(),
            input_dump: input.value,
            masked: input.is_masked.then_some(Masked::Input).into_iter().collect(),
            result_refs: Vec::new(),
            changes: None,
            error_list: Vec::new(),
            logs_ref: None,
            log_entries: opening.into_iter().collect(),
            log_dropped: 0,
            tags,
            metadata,
            created_at: now,
            updated_at: now,
            owner: owner.clone(),
            component_digest: self.component,
            plugin_version: self.version.to_owned(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            limits: self.limits,
            capabilities: Capabilities { granted: self.granted.to_vec(), ..Default::default() },
            attempts: Vec::new(),
            priority: None,
            not_before: None,
            usage: None,
            orchestration: context.orchestration.clone(),
            run_url: context.run_url.clone(),
            traceparent: context.trace.as_ref().and_then(|trace| trace.traceparent.clone()),
            rerun_of: self.rerun_of,
            retry_of: None,
            parent_run_id: self.parent,
            undo_of: self.undo_of,
            undone_by: None,
            cancel_requested_at: None,
            erased_at: None,
        }
    }

    /// Returns the metadata of the commit of an unrecorded run.
    pub(super) fn commit_metadata(&self) -> CommitMetadata {
        CommitMetadata {
            run_id: RunId::new(),
            recorded: false,
            operation: self.operation.name.clone(),
            component_digest: self.component,
            actor: self.actor.clone(),
            at: clock::now(),
        }
    }

    /// Returns the claim of an idempotency key. Its fingerprint covers the input and the major
    /// version of the plugin.
    pub(super) fn claim(&self, key: &str, raw_input: &str) -> IdempotencyClaim {
        let major = self.version.split('.').next().unwrap_or_default();
        let request = format!("{major}\n{raw_input}");
        let fingerprint = Digest::sha256(request.as_bytes());
        IdempotencyClaim { key: key.to_owned(), fingerprint, window: IDEMPOTENCY_TTL }
    }
}

/// The input in a record.
pub(super) struct RecordedInput {
    pub(super) value: Value,
    /// Whether a secret was masked.
    pub(super) is_masked: bool,
    /// Canonical text of the input before defaults, with masked secrets, because a digest of a
    /// secret could be guessed. `None` without an idempotency key.
    pub(super) raw_input: Option<String>,
}

impl RecordedInput {
    /// Masks an input, and the input before defaults.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub(super) fn of(
        mask: Option<Mask>,
        schema: &Schema,
        input: &Value,
        raw_input: Option<&Value>,
        budget: &Budget,
    ) -> Result<Self, Interruption> {
        let value = masked(mask, schema, input, budget)?;
        let is_masked = matches!(value, Cow::Owned(_));
        let canonical = |raw_input| {
            let mut text = String::new();
            let raw_input = masked(mask, schema, raw_input, budget)?;
            json::write_canonical(&raw_input, &mut |part| text.push_str(part), budget)?;
            Ok(text)
        };
        let raw_input = raw_input.map(canonical).transpose()?;
        Ok(Self { value: value.into_owned(), is_masked, raw_input })
    }
}
