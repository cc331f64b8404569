#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! Authors use [`macro@model`] for types, [`macro@operation`] for functions and [`plugin!`] once
//! per crate. A call passes through the modules in this order:
//!
//! - `plugin`: [`Plugin`], the description of the component; selects the operation of a call.
//! - `operation`: [`Operation`] and [`Annotation`], the description of one function.
//! - `schema`: the JSON Schemas of inputs and outputs.
//! - `model`: [`Model`], the type and the collection of documents.
//! - `dispatch`: calls the function with JSON input and output; `json` deserialises.
//! - `failure`: [`Failure`] and [`Result`], the result of a function.
//! - [`documents`]: [`Collection`] and [`ReadCollection`], the documents in the host's store.
//! - [`context`], [`log`], [`progress`], [`item_errors`]: the other functions of the host.
//! - `testing`: replaces the host in a native build, with [`documents::memory`] for unit tests.
//! - `const_str`: string functions for constants.
//! - `component`: the exports and the generated bindings, in a WebAssembly build only.
//!
//! No module opens files or connections, because a plugin has access to neither.

mod const_str;
pub mod context;
mod dispatch;
pub mod documents;
mod failure;
pub mod item_errors;
mod json;
pub mod log;
mod model;
mod operation;
mod plugin;
pub mod progress;
mod schema;

#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
use component::bindings::ophost::plugin as host;

#[cfg(not(target_family = "wasm"))]
mod testing;
#[cfg(not(target_family = "wasm"))]
use testing as host;

pub use documents::{Collection, Condition, DocumentError, ReadCollection, Stored};
pub use failure::{Failure, FailureKind, Result};
pub use model::Model;
pub use operation::{Annotation, Operation};
/// # Example
///
/// ```
/// use ophost_sdk::model;
///
/// /// The person to greet.
/// #[model]
/// #[derive(PartialEq)]
/// struct Person {
///     /// The name to greet.
///     name: String,
///     /// The number of greetings.
///     #[serde(default)]
///     times: u8,
/// }
/// # let person: Person = ophost_sdk::serde_json::from_str(r#"{"name": "Ada"}"#).unwrap();
/// # assert_eq!(person, Person { name: "Ada".into(), times: 0 });
/// ```
pub use ophost_sdk_macros::model;
/// # Example
///
/// ```
/// use ophost_sdk::{Failure, Result, model, operation};
///
/// #[model]
/// struct Job {
///     id: String,
/// }
///
/// /// Closes a job.
/// #[operation(
///     name = "jobs.close",
///     category = "jobs",
///     tags = ["cleanup"],
///     models_out = ["Job"],
///     async_enabled = true,
///     annotations("ophost.idempotent" = true),
/// )]
/// fn close(job: Job) -> Result<Job> {
///     if job.id.is_empty() {
///         return Err(Failure::permanent("the id of a job must not be empty"));
///     }
///     Ok(job)
/// }
///
/// assert_eq!(close::OPERATION.name, "jobs.close");
/// assert!(close(Job { id: String::new() }).is_err());
/// ```
pub use ophost_sdk_macros::operation;
pub use plugin::Plugin;
pub use {schemars, serde, serde_json};

/// Items that the macros expand to. Authors do not use them directly.
#[doc(hidden)]
pub mod macro_support {
    pub use crate::const_str::Names;
    pub use crate::dispatch::{NoInput, dispatch};
    pub use crate::model::{COLLECTIONS_KEY, ModelCollection, ModelCollections};
    pub use crate::schema::{input_schema, output_schema};

    /// The contract's interface without conversions, for tests of the host.
    pub use crate::host::documents;

    #[cfg(target_family = "wasm")]
    pub use crate::component::{Exported, bindings};
}
