//! The flow of a run: request, validation, executions and retries, record, report.
//!
//! [`Host::run`] is the entry point of every front end.

mod batch_import;
mod builder;
mod builtin;
mod error;
mod execution;
mod host;
mod inspector;
pub(crate) mod record;
mod report;
mod request;
mod retention;
mod undo;

pub use self::batch_import::BatchImport;
pub use self::builder::HostBuilder;
pub use self::error::{HostError, RunError, Unrecorded};
pub use self::host::{Host, WatchGuard};
pub use self::inspector::{ComponentError, InspectError, Inspector, PluginReport};
pub use self::report::RunReport;
pub use self::request::Request;
pub use self::retention::PruneGuard;
pub use self::undo::UndoError;
pub use crate::sandbox::{COMPILER_COMMAND, serve_compiler, this_program};
