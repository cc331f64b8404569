//! Hosts operations: WebAssembly components run in a sandbox.
//!
//! A plugin is a component that declares operations: a name, a category, JSON Schemas of
//! input and output. The host finds plugins in directories, checks a caller's input, runs
//! the operation in a fresh instance with nothing granted and every limit on, and checks
//! its output. The library is the product; the `ophost` command is one door to it.
//!
//! # The path of a run
//!
//! ```text
//!  request + caller -> registry -> schema -> policy -> record -> sandbox -> schema -> record -> report
//!                      which       is the    what may  RUNNING   a fresh    is the    how it
//!                      operation?  input     it use?             instance   output    ended
//!                                  valid?                                   valid?
//! ```
//!
//! [`Host::run`] is that line, in `host/mod.rs`.
//!
//! # Where things live
//!
//! A module uses only what stands below it here; a test checks this.
//!
//! | module      | what it does |
//! |-------------|--------------|
//! | `cli`       | a door: the `ophost` command, a file for each subcommand |
//! | `config`    | settings: flags, environment, `ophost.toml`, and where each came from |
//! | `host`      | the flow: check a request, execute it |
//! | `runs`      | what was run, for those who only look |
//! | `documents` | what runs read and change, for those who only look |
//! | `execution` | one run, executed until what it did can be kept |
//! | `record`    | what is kept of a run, and when |
//! | `import`    | documents from outside, put in by a run of the host's own |
//! | `transaction`   | what a run sees of documents, and what it makes of them |
//! | `catalog`   | what there is to run, for those who only look |
//! | `context`   | which workflow and trace a run is part of, read once at the door |
//! | `registry`  | which operations there are, and which file holds each |
//! | `sandbox`   | the only module that knows wasmtime: load, describe, invoke |
//! | `schema`    | checks inputs and outputs; makes the proof that the sandbox asks for |
//! | `store`     | the only module that knows redb: keeps the records of runs, and documents |
//! | `task_run`  | noun: what is kept of a run |
//! | `policy`    | what a run may use |
//! | `code_dir`  | where compiled code is kept |
//! | `private_dir` | what the host keeps, where nobody else can write |
//! | `trust`     | which owners and modes of files are accepted |
//! | `digest`    | what names a content |
//! | `deadline`  | until when a run may go on, also in what the host does for it |
//! | `clock`     | times and ids of now, for any clock and any duration |
//! | `os_error`  | classes of errors of the operating system, and their hints |
//! | `caller`    | noun: who asks for a run |
//! | `operation` | noun: what a plugin declares |
//! | `run`       | noun: how a run ends and what it leaves behind |
//! | `document`  | nouns: documents, and what a run did to them |
//! | `suggest`   | the name that was meant where another was given |
//!
//! What needs no host, since the SDK's unit tests use it too, is the crate `ophost-document` in
//! `host/document`: what documents are, the strict reader of JSON, texts that are cut. The crate
//! `ophost-toolchain` in `host/toolchain` builds plugins for `ophost build`.
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

mod caller;
mod catalog;
pub mod cli;
mod clock;
mod code_dir;
mod config;
mod context;
mod deadline;
mod digest;
pub mod document;
mod documents;
mod execution;
mod host;
mod import;
mod operation;
mod os_error;
mod policy;
mod private_dir;
mod record;
mod registry;
mod run;
mod runs;
mod sandbox;
mod schema;
mod store;
mod suggest;
mod task_run;
mod transaction;
mod trust;

pub use tokio_util::sync::CancellationToken;

pub use crate::caller::Caller;
pub use crate::catalog::{Catalog, OperationFilter, OperationInfo, PluginState};
pub use crate::context::{
    IgnoredVariable, InvalidValue, Label, OrchestrationContext, OrchestrationOverrides,
    Orchestrator, Trace,
};
pub use crate::digest::{Digest, ParseDigestError};
pub use crate::documents::DocumentReader;
pub use crate::host::{
    BatchImport, Host, HostBuilder, HostError, Request, RunError, RunReport, Unrecorded, WatchGuard,
};
pub use crate::import::{Existing, Import};
pub use crate::operation::{Hints, MetadataError, Operation, OperationName, Plugin};
pub use crate::os_error::Shortage;
pub use crate::policy::{
    Amount, CompileBudget, LimitName, LimitRequest, Limits, OperationLimits, PolicyError,
};
pub use crate::record::RecordPolicy;
pub use crate::registry::{LoadProgress, RegistryError};
pub use crate::run::{
    Actor, Event, Failure, FailureKind, FaultDomain, Flags, ItemError, LogEntry, LogLevel,
    LogSource, Outcome, Progress, RunDiagnostics, Usage,
};
pub use crate::runs::{FindError, Runs};
pub use crate::schema::{Violation, Violations};
pub use crate::store::{
    Bucket, EraseOutcome, LogFile, OperationStats, Percentiles, RunCursor, RunFilter, RunPage,
    SalvageReport, Stats, StatsReport, StoreError,
};
pub use crate::task_run::{
    Attempt, Capabilities, Masked, Orchestration, OwnerId, ParseRunIdError, ParseStatusError,
    ResultRef, RunId, RunRecord, RunState, RunSummary, Status,
};
pub use crate::trust::{Exposed, TrustPolicy, UnknownWord, Untrusted, User};
