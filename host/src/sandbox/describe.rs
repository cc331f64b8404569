//! Asking a guest what it is.

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

/// How long a description may take.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How large it may be, in bytes.
const MAX_DESCRIPTION: usize = 2 << 20;

impl Sandbox {
    /// Asks a guest what it is, with no capability, under a tight deadline.
    ///
    /// # Errors
    ///
    /// Returns [`DescribeError`] if the guest does not answer, or answers something that
    /// breaks a rule of the contract.
    pub(crate) async fn describe(&self, guest: &Guest) -> Result<Plugin, DescribeError> {
        let limits = Limits { timeout: TIMEOUT, ..Limits::DEFAULT };
        let watch = Interrupter::new(clock::deadline(limits.timeout), CancellationToken::new());
        let journal = GuestOutput::new(limits.log, None, None);
        let state = GuestState::new(guest, limits.memory, journal, nobody(), None);
        let mut store = self.store(&watch, state);
        store.set_hostcall_fuel(MAX_DESCRIPTION);
        let called = {
            let _running = self.ticker.running();
            watch.run_with_interrupts(call(&mut store, guest)).await
        };
        match called {
            Ok(plugin) => Ok(read_plugin(plugin)?),
            Err(error) if let Some(shortage) = failure::shortage(&error) => Err(shortage.into()),
            Err(error) => {
                match failure::stopped(&error, store.data().limiter.denied_growth(), &limits) {
                    InvokeError::Failed(failure) => Err(DescribeError::NoAnswer(failure.message)),
                    InvokeError::Cancelled | InvokeError::Stale => {
                        Err(DescribeError::NoAnswer("cancelled".to_owned()))
                    }
                }
            }
        }
    }
}

async fn call(store: &mut Store<GuestState>, guest: &Guest) -> wasmtime::Result<wit::Plugin> {
    let instance = guest.pre().instantiate_async(&mut *store).await?;
    instance.ophost_plugin_operations().call_describe(store).await
}

fn nobody() -> RunContext {
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
    let annotations = pairs("plugin", plugin.annotations)?;
    if let Some((key, _)) = annotations.iter().find(|(key, _)| key.starts_with("ophost.")) {
        return Err(MetadataError::UnknownAnnotation(key.clone()));
    }
    let (_, annotations) = read_annotations(annotations)?;
    Plugin { name: plugin.name, version: plugin.version, annotations, operations }.checked()
}

fn read_operation(operation: types::Operation) -> Result<Operation, MetadataError> {
    let name = OperationName::new(operation.name)?;
    let (hints, annotations) = read_annotations(pairs(name.as_str(), operation.annotations)?)?;
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

fn pairs(
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

/// A guest that does not say what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DescribeError {
    /// It trapped, or exceeded a bound.
    #[error("it does not describe itself: {0}")]
    NoAnswer(String),
    /// The host ran out of something. That says nothing about the guest.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// It answered something that breaks a rule.
    #[error("its description breaks a rule: {0}")]
    Metadata(#[from] MetadataError),
}
