//! Run records: which runs are recorded, and what a record contains.
//!
//! - `recorder`: [`Recorder`] applies the [`RecordPolicy`](crate::RecordPolicy) and writes the
//!   RUNNING record. It opens the store for the first recorded run.
//! - `run_spec`: [`RunSpec`] describes a run before its start.
//! - `active`: the record of a run in progress. `insertion`: the insertion of its RUNNING record. `tracker`: [`RunTracker`] follows any run.
//! - `outcome`: the recorded outcome. `mask`: masks secrets. `result_refs`: result references.
//! - `entries`: log entries of the host.

mod active;
mod entries;
mod insertion;
mod mask;
mod outcome;
mod recorder;
mod result_refs;
mod run_spec;
mod tracker;

pub(crate) use self::outcome::RecordedOutcome;
pub(crate) use self::recorder::{BeginOutcome, NotStarted, Recorder};
pub(crate) use self::result_refs::with_task_run_id;
pub(crate) use self::run_spec::RunSpec;
pub(crate) use self::tracker::{Completion, FinishError, RunTracker};
