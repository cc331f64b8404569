#![doc = include_str!("../README.md")]
//!
//! # The map
//!
//! What an author writes with: [`macro@model`] for types, [`macro@operation`] for
//! functions, [`plugin!`] once. In the order in which a call meets the modules:
//!
//! - `plugin`: [`Plugin`], what the component says it is; picks the operation of a call.
//! - `operation`: [`Operation`] and [`Annotation`], what one function declares.
//! - `schema`: the schemas of both sides.
//! - `model`: [`Model`], what documents are of, and where they are.
//! - `dispatch`: from JSON to the function and back; `json` reads texts as types.
//! - `failure`: [`Failure`] and [`Result`], how a function says that it failed.
//! - [`documents`]: [`Collection`] and [`ReadCollection`], the documents that the host keeps.
//! - [`context`], [`log`], [`progress`], [`item_errors`]: what the host offers.
//! - `testing`: the same in a native build, for unit tests; [`documents::memory`] is a part.
//! - `const_str`: what is computed at compile time.
//! - `component`: the export and the generated bindings, in a WebAssembly build only.
//!
//! There is nothing here that opens files or connections: a plugin has neither.

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
/// /// Who to greet.
/// #[model]
/// #[derive(PartialEq)]
/// struct Person {
///     /// The name to greet.
///     name: String,
///     /// How often.
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
///         return Err(Failure::permanent("no job has an empty id"));
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

/// What the macros expand to; no author's business.
#[doc(hidden)]
pub mod macro_support {
    pub use crate::const_str::Names;
    pub use crate::dispatch::{NoInput, dispatch};
    pub use crate::model::{COLLECTIONS_KEY, ModelCollection, ModelCollections};
    pub use crate::schema::{input_schema, output_schema};

    /// The contract's interface as it stands, for tests of the host.
    pub use crate::host::documents;

    #[cfg(target_family = "wasm")]
    pub use crate::component::{Exported, bindings};
}
