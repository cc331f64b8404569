//! Collections of JSON documents in the host's store.
//!
//! An operation takes its collections as parameters: [`Collection`] to read and write,
//! [`ReadCollection`] to read. A parameter also declares the model of the collection. `Collection`
//! adds the model to `models_out`, and `ReadCollection` adds it to `models_in`. All other
//! collections are [denied](DocumentError::Denied).
//!
//! # Transactions
//!
//! Each run has one document transaction. It reads from the snapshot of its first read, and sees
//! its own writes. If the run succeeds, all writes are committed atomically. If the run fails,
//! panics or is cancelled, no write is committed. The same holds for a dry run.
//!
//! Runs are serializable. If another run has changed documents in the read set, the commit fails
//! with a conflict, and the host executes the operation again.
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
//! /// Closes the jobs with a title and returns their number.
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
mod merge;
mod query;
mod stored;

pub use collection::{Collection, ReadCollection};
pub use error::DocumentError;
pub use query::{Documents, Query};
pub use stored::{Condition, Stored};

#[cfg(not(target_family = "wasm"))]
pub use crate::testing::Memory;

/// Discards all writes of the run so far. Later reads do not see them.
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

/// Returns the in-memory documents that replace the host's store in a native build.
///
/// Each thread has its own documents, so tests do not share any. A WebAssembly build does not have
/// this function.
///
/// If a test calls the functions of operations, all their writes belong to one run until
/// [`Memory::commit`]. If a test [invokes](crate::Operation::invoke) an operation, the call is a
/// run of its own, as in a host. The operation has access to its declared collections only, and
/// its writes are discarded if it fails. The total size of the writes of a run is not limited.
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
/// /// Renames a job. The title must not be empty.
/// #[operation(category = "jobs")]
/// fn rename_job(title: String, jobs: Collection<Job>) -> Result<()> {
///     jobs.set("1", [("title", &title)])?;
///     if title.is_empty() {
///         return Err(Failure::permanent("the title of a job must not be empty"));
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
