#![doc = include_str!("../README.md")]
//!
//! # The map
//!
//! What an author writes with: [`macro@model`] for types, [`macro@operation`] for
//! functions, [`plugin!`] once. In the order in which a call meets the modules:
//!
//! - `plugin`: [`Plugin`], what the component says it is; picks the operation of a call.
//! - `operation`: [`Operation`] and [`Annotation`], what one function declares.
//! - `handle`: from JSON to the function and back; the schemas.
//! - `failure`: [`Failure`] and [`Result`], how a function says that it failed.
//! - [`context`], [`log`], [`progress`], [`item_errors`]: what the host offers.
//! - `native`: the same in a native build, for unit tests.
//! - `component`: the export and the generated bindings, in a WebAssembly build only.
//!
//! There is nothing here that opens files or connections: a plugin has neither.

pub mod context;
mod failure;
mod handle;
pub mod item_errors;
pub mod log;
mod operation;
mod plugin;
pub mod progress;

#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
use component::bindings::ophost::plugin as host;

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
use native as host;

pub use failure::{Failure, Kind, Result};
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
    pub use crate::handle::{NoInput, handle, input_schema, output_schema};

    #[cfg(target_family = "wasm")]
    pub use crate::component::{Exported, bindings};
}
