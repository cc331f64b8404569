//! Reads the operations that a guest declares.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;

use super::bindings::exports::ophost::plugin::operations as wit;
use super::bindings::ophost::plugin::types;
use super::engine::Sandbox;
use super::failure;
use super::guest_output::GuestOutput;
use super::imports::{GuestState, RunContext};
use super::invoke::{Interrupter, InvokeError};
use super::load::Guest;
use crate::model::limits::Limits;
use crate::model::operation::{MetadataError, Operation, OperationName, Plugin, read_annotations};
use crate::model::outcome::{Actor, Flags};
use crate::util::clock;
use crate::util::os_error::Shortage;
use ophost_document::json;
use ophost_document::text;

/// Deadline of a `describe` call.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum size of a description, in bytes.
const MAX_DESCRIPTION: usize = 2 << 20;

/// What a guest declares, and the memory of its instance.
pub(crate) struct Description {
    pub(crate) plugin: Plugin,
    /// Linear memory of a fresh instance, summed over its memories, in bytes.
    pub(crate) memory: u64,
}

impl Sandbox {
    /// Calls `describe` of a guest, without capabilities and with a deadline of one second.
    ///
    /// # Errors
    ///
    /// Returns [`DescribeError`] if the call does not return, or the description violates the
    /// contract.
    pub(crate) async fn describe(&self, guest: &Guest) -> Result<Description, DescribeError> {
        let limits = Limits { timeout: TIMEOUT, ..Limits::DEFAULT };
        let interrupter =
            Interrupter::new(clock::deadline(limits.timeout), CancellationToken::new());
        let output = GuestOutput::new(limits.log, None, None);
        let state = GuestState::new(guest, limits.memory, output.clone(), describe_context(), None);
        let mut store = guest.runtime().store(&interrupter, state);
        store.set_hostcall_fuel(MAX_DESCRIPTION);
        let called = {
            let _running = self.ticker.running();
            interrupter.run_with_interrupts(call(&mut store, guest)).await
        };
        let denied_growth = store.data().limiter.denied_growth();
        // Logs the last line of stdout and stderr if it is incomplete.
        drop(store);
        match called {
            Ok((plugin, memory)) => Ok(Description { plugin: read_plugin(plugin)?, memory }),
            Err(error) if let Some(shortage) = failure::shortage(&error) => Err(shortage.into()),
            Err(error) => {
                match failure::invoke_error(&error, denied_growth, &limits, output.report()) {
                    InvokeError::Failed(failure) => {
                        Err(DescribeError::NoDescription(failure.message))
                    }
                    InvokeError::Cancelled | InvokeError::Conflict => {
                        Err(DescribeError::NoDescription("cancelled".to_owned()))
                    }
                }
            }
        }
    }
}

/// Returns the result of `describe`, and the memory of the instance before the call.
async fn call(
    store: &mut Store<GuestState>,
    guest: &Guest,
) -> wasmtime::Result<(wit::Plugin, u64)> {
    let instance = guest.pre().instantiate_async(&mut *store).await?;
    let memory = store.data().limiter.peak_memory();
    let plugin = instance.ophost_plugin_operations().call_describe(store).await?;
    Ok((plugin, memory))
}

fn describe_context() -> RunContext {
    let actor = Actor { user_id: None, channel: "describe".to_owned() };
    RunContext {
        run_id: None,
        idempotency_key: None,
        actor,
        flags: Flags::default(),
        deadline: clock::time_after(TIMEOUT),
    }
}

fn read_plugin(plugin: wit::Plugin) -> Result<Plugin, MetadataError> {
    let operations = plugin.operations.into_iter().map(read_operation).collect::<Result<_, _>>()?;
    let annotations = parse_annotations("plugin", plugin.annotations)?;
    if let Some((key, _)) = annotations.iter().find(|(key, _)| key.starts_with("ophost.")) {
        return Err(MetadataError::UnknownAnnotation(key.clone()));
    }
    let (_, annotations) = read_annotations(annotations)?;
    Plugin { name: plugin.name, version: plugin.version, annotations, operations }.checked()
}

fn read_operation(operation: types::Operation) -> Result<Operation, MetadataError> {
    let name = OperationName::new(operation.name)?;
    let (hints, annotations) =
        read_annotations(parse_annotations(name.as_str(), operation.annotations)?)?;
    Operation {
        description: operation.description,
        category: operation.category,
        input_schema: read_json(|| format!("input schema of `{name}`"), &operation.input_schema)?,
        output_schema: read_json(
            || format!("output schema of `{name}`"),
            &operation.output_schema,
        )?,
        tags: operation.tags,
        permissions: operation.permissions,
        models_in: operation.models_in,
        models_out: operation.models_out,
        stage: operation.stage,
        async_enabled: operation.async_enabled,
        create_taskrun: operation.create_taskrun,
        hints,
        annotations,
        name,
    }
    .checked()
}

fn parse_annotations(
    owner: &str,
    annotations: Vec<types::Annotation>,
) -> Result<Vec<(String, Value)>, MetadataError> {
    let read = |annotation: types::Annotation| {
        let value = read_json(
            || format!("annotation `{}` of `{owner}`", text::quote(&annotation.key)),
            &annotation.value,
        )?;
        Ok((annotation.key, value))
    };
    annotations.into_iter().map(read).collect()
}

fn read_json(what: impl FnOnce() -> String, text: &str) -> Result<Value, MetadataError> {
    json::parse(text)
        .map_err(|error| MetadataError::NotJson { what: what(), problem: error.to_string() })
}

/// Error of a `describe` call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DescribeError {
    /// The guest trapped or exceeded a limit.
    #[error("`describe` failed: {0}")]
    NoDescription(String),
    /// The host is out of a resource. The guest may be valid.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// The description violates the contract.
    #[error("invalid description: {0}")]
    Metadata(#[from] MetadataError),
}
