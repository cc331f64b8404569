//! Types without I/O: operations, callers, runs, run records and document changes.

pub(crate) mod caller;
pub(crate) mod compiler;
pub(crate) mod digest;
pub mod document;
pub(crate) mod history;
pub(crate) mod limits;
pub(crate) mod operation;
pub(crate) mod outcome;
pub(crate) mod retention;
pub(crate) mod run_record;
