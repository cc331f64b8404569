//! A host for operations: WebAssembly components that run in a sandbox.
//!
//! A plugin is a component that declares operations: a name, a category, JSON Schemas of the
//! input and the output. The host finds plugins in directories, validates an input, runs the
//! operation in a fresh instance with every limit on, validates the output, and writes a run
//! record. The crate is a library; the `ophost` command (crate `ophost-cli` in `host/cli`) is a
//! thin front end to it.
//!
//! # The path of a run
//!
//! ```text
//! request + context -> registry -> schema -> policy -> recorder (RUNNING) -> sandbox -> schema
//!     -> store (document changes + SUCCESS, one commit) -> report
//! ```
//!
//! [`Host::run`] in `run/host.rs` is this path.
//!
//! # Folders
//!
//! A folder uses only folders below it in this table. `tests/tests/e2e/architecture.rs` checks
//! the dependencies of each folder.
//!
//! | folder       | content |
//! |--------------|---------|
//! | `config/`    | settings: flags, environment variables, `ophost.toml`, and the source of each value |
//! | `run/`       | the flow: request, validation, executions and retries, recorder, report |
//! | `runs/`      | read API of run records: find, list, statistics; cancel, erase and prune |
//! | `documents/` | document transaction of a run, read API of documents, operations of the host itself, indexes |
//! | `registry/`  | plugin files, index, name ownership, snapshot, watcher, catalog |
//! | `sandbox/`   | the only folder that names wasmtime: compile, cache, describe, invoke, imports |
//! | `store/`     | the store trait and its conformance suite; `store/redb/` is the only folder that names redb |
//! | `context/`   | orchestration and trace context, read once at the entry point |
//! | `policy/`    | limits and capability grants; the only constructor of `Grants` |
//! | `model/`     | types without I/O: operation, caller, digest, outcome, run record, limits, documents |
//! | `util/`      | private directories, file trust, clock, deadlines, system errors, text encodings |
//!
//! Other crates: `ophost-document` (`host/document`) has JSON documents, filters, queries and
//! diffs. `ophost-schema` (`host/schema`) checks values against JSON Schemas.
//! `ophost-toolchain` (`host/toolchain`) builds plugins for `ophost build`.
//!
//! # Where to make a change
//!
//! - CLI command: a file in `host/cli/src`, a variant of `Command` and an arm of `dispatch` in its
//!   `lib.rs`. Then run `cargo xtask docs`.
//! - Failure kind: a variant before `Unknown` of `FailureKind` in `model/outcome.rs`. The compiler
//!   lists the matches on all kinds. The exit code is in `host/cli/src/run/report.rs`, the table of
//!   kinds in `docs/security.md`. Then run `cargo xtask docs`.
//! - Built-in operation, such as `ophost.undo`: a file in `documents/` that implements `BuiltIn`, and
//!   a method of `Host` in `run/builtin.rs`.
//! - Host import: `wit/`, whose README describes versions and frozen copies; then the function in
//!   `sandbox/imports/` and its counterpart in `guest-sdk/src`.
//! - Store: the traits `Store` (`store/mod.rs`) and `DocumentSnapshot` (`store/documents.rs`), in a
//!   folder beside `store/redb/`; add it to `STORES` in `store/conformance.rs` and open it in
//!   `store/handle.rs`. `StoreMaintenance` (`store/maintenance.rs`) is only for a store that this
//!   crate keeps in a file.
//!
//! # Example
//!
//! ```
//! use ophost::{Host, Outcome, Request};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../target");
//! # let plugins = format!("{}/guests", option_env!("CARGO_TARGET_DIR").unwrap_or(default));
//! let host = Host::builder().plugins(plugins).build().await?;
//! assert!(host.catalog().get("slugify").is_some());
//!
//! let report = host.run(Request::new("slugify", json!({"text": "Hello, World!"}))).await?;
//! assert_eq!(report.outcome, Outcome::Success(json!({"slug": "hello-world"})));
//!
//! let error = host.run(Request::new("slugify", json!({"txt": 1}))).await.unwrap_err();
//! assert_eq!(error.to_string(), "the input of `slugify` breaks its schema in 2 places");
//! # Ok(())
//! # }
//! ```

pub mod config;
mod context;
mod documents;
mod model;
mod policy;
mod registry;
mod run;
mod runs;
mod sandbox;
mod store;
mod util;

pub use tokio_util::sync::CancellationToken;

pub use crate::context::{
    IgnoredVariable, InvalidValue, Label, OrchestrationContext, OrchestrationOverrides,
    Orchestrator, Trace,
};
pub use crate::documents::builtin::CallSettings;
pub use crate::documents::delete::DeleteDocuments;
pub use crate::documents::import::{Existing, Import};
pub use crate::documents::indexes::{AddedIndex, IndexError, Indexes};
pub use crate::documents::reader::{DocumentReader, Explanation, PinnedDocuments};
pub use crate::documents::set::SetFields;
pub use crate::model::caller::Caller;
pub use crate::model::compiler::CompilerBackend;
pub use crate::model::digest::{Digest, ParseDigestError};
pub use crate::model::document;
pub use crate::model::history::{
    ChangeAuthor, HistoryEntry, HistoryPage, PastDocument, PointInTime,
};
pub use crate::model::limits::{
    Amount, CompileBudget, CompileLimit, LimitName, LimitRequest, Limits, OperationLimits,
};
pub use crate::model::operation::{Hints, MetadataError, Operation, OperationName, Plugin};
pub use crate::model::outcome::{
    Actor, Event, Failure, FailureKind, FaultDomain, Flags, ItemError, LogEntry, LogLevel,
    LogSource, Outcome, Progress, RunDiagnostics, Usage,
};
pub use crate::model::retention::{RetentionPolicy, RunRetention};
pub use crate::model::run_record::{
    Attempt, Capabilities, Masked, Orchestration, OwnerId, ParseRunIdError, ParseStatusError,
    ResultRef, RunId, RunRecord, RunState, RunSummary, Status,
};
pub use crate::policy::PolicyError;
pub use crate::policy::RecordPolicy;
pub use crate::registry::catalog::{
    Catalog, OperationFilter, OperationInfo, PluginState, RejectedFile,
};
pub use crate::registry::{LoadProgress, RegistryError};
pub use crate::run::{
    BatchImport, COMPILER_COMMAND, ComponentError, Host, HostBuilder, HostError, InspectError,
    Inspector, PluginReport, PruneGuard, Request, RunError, RunReport, UndoError, Unrecorded,
    WatchGuard, serve_compiler, this_program,
};
pub use crate::runs::{
    FindError, HeldRuns, NamedRemoval, PruneError, PruneReport, RemoveError, Runs,
};
pub use crate::store::{
    Bucket, CompactReport, DuplicateValue, EraseOutcome, FILE as STORE_FILE, FullScanReason,
    IndexInfo, IndexState, IndexViolation, LastPrune, LogFile, NewIndex, OperationStats,
    Percentiles, QueryPlan, RunCursor, RunFilter, RunHold, RunPage, SalvageReport, Stats,
    StatsReport, StoreError, io_hint as store_io_hint,
};
pub use crate::util::clock;
pub use crate::util::os_error::{self, Shortage};
pub use crate::util::text_encoding;
pub use crate::util::trust::{self, Exposed, TrustPolicy, UnknownWord, Untrusted, User};
pub use ophost_schema::{Violation, Violations};
