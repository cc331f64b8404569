//! Collections of JSON documents, which the host keeps.
//!
//! An operation takes the collections that it uses as parameters: [`Collection`] to read and
//! write, [`ReadCollection`] to read. By that it also declares them: the model of the former
//! becomes one of its `models_out`, that of the latter one of its `models_in`. Any other
//! collection is [denied](DocumentError::Denied).
//!
//! A run sees the documents as they were when it first asked for one, and what it wrote
//! itself. What it wrote is kept when it succeeds, all of it in one step. A run that fails,
//! panics or is stopped leaves nothing, nor does a dry run. Where another run changed
//! meanwhile what this one read, the host executes this one again: it is as if the runs
//! happened one after the other.
//!
//! # Example
//!
//! ```
//! use ophost_sdk::serde_json::json;
//! use ophost_sdk::{Collection, Result, model, operation};
//!
//! #[model]
//! struct Job {
//!     title: String,
//!     #[serde(default)]
//!     closed: bool,
//! }
//!
//! /// Closes the jobs of a title, and returns how many.
//! #[operation(category = "jobs")]
//! fn close_jobs(title: String, jobs: Collection<Job>) -> Result<u32> {
//!     let mut closed = 0;
//!     for job in jobs.find(json!({"title": title, "closed": false})) {
//!         jobs.set(&job?.id, [("closed", true)])?;
//!         closed += 1;
//!     }
//!     Ok(closed)
//! }
//!
//! assert_eq!(close_jobs::OPERATION.models_out, ["Job"]);
//!
//! let jobs = Collection::new();
//! jobs.insert(&Job { title: "Baker".into(), closed: false }).unwrap();
//! assert_eq!(close_jobs("Baker".into(), jobs).unwrap(), 1);
//! ```

mod collection;
mod error;
mod query;
mod stored;

pub use collection::{Collection, ReadCollection};
pub use error::DocumentError;
pub use query::{Documents, Query};
pub use stored::{Condition, Stored};

#[cfg(not(target_family = "wasm"))]
pub use crate::testing::Memory;

/// Drops everything that this run wrote so far: what it reads is as it was before.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Collection, documents, model};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// let jobs = Collection::new();
/// jobs.put("1", &Job { title: "Baker".into() }).unwrap();
/// documents::discard();
/// assert!(jobs.get("1").unwrap().is_none());
/// ```
pub fn discard() {
    crate::host::documents::discard();
}

/// Returns the documents that stand for the host's in a native build: those of the current
/// thread, so that each test has its own. In a WebAssembly build there is no such function.
///
/// What functions of operations write is all one run, until [`Memory::commit`]. An operation
/// that is [invoked](crate::Operation::invoke) is a run of its own, as in a host: it is denied
/// what it does not declare, and leaves nothing where it fails. How much a run may write in
/// all is not bounded here.
///
/// # Example
///
/// ```
/// use ophost_sdk::serde_json::json;
/// use ophost_sdk::{Collection, Failure, Result, documents, model, operation};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// /// Renames a job, but not to nothing.
/// #[operation(category = "jobs")]
/// fn rename_job(title: String, jobs: Collection<Job>) -> Result<()> {
///     jobs.set("1", [("title", &title)])?;
///     if title.is_empty() {
///         return Err(Failure::permanent("a job has a title"));
///     }
///     Ok(())
/// }
///
/// let memory = documents::memory();
/// memory.seed("1", &Job { title: "Baker".into() });
/// assert!(rename_job::OPERATION.invoke(r#""""#).is_err());
/// assert_eq!(memory.documents("jobs")["1"], json!({"title": "Baker"}));
/// rename_job::OPERATION.invoke(r#""Miller""#).unwrap();
/// assert_eq!(memory.documents("jobs")["1"], json!({"title": "Miller"}));
/// ```
#[cfg(not(target_family = "wasm"))]
pub fn memory() -> Memory {
    Memory::current_thread()
}
