//! Flags that select runs.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;
use ophost::{FailureKind, OperationName, RunFilter, RunId, Status};
use serde_json::json;

use super::time::parse_time;
use crate::completion;

/// Filter for runs. All conditions must hold.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Only runs of this operation.
    #[arg(long, value_name = "NAME", value_parser = |text: &str| OperationName::any(text))]
    #[arg(add = ArgValueCandidates::new(completion::operations))]
    operation: Option<OperationName>,
    /// Only runs with this status.
    #[arg(long, value_name = "STATUS", value_parser = status(), ignore_case = true)]
    status: Option<Status>,
    /// Only failed runs of this failure kind.
    #[arg(long, value_name = "KIND", value_parser = failure_kind(), ignore_case = true)]
    failure_kind: Option<FailureKind>,
    /// Only runs of this user.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only runs with this tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only runs since this time: 2026-01-31, 2026-01-31T12:00 (local time; the earlier one if the
    /// time occurs twice), 2026-01-31T12:00Z (with a zone), or an age such as 2h.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// Only runs before this time, in the format of --since.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<DateTime<Utc>>,
    /// Only failed runs with this text in their error message.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only runs that a workflow system started.
    #[arg(long)]
    orchestrated: bool,
    /// Only runs of this Prefect flow run.
    #[arg(long, value_name = "ID")]
    flow_run: Option<String>,
    /// Only runs that this run started, such as the batches of an import.
    #[arg(long, value_name = "ID", value_parser = |text: &str| text.parse::<RunId>())]
    #[arg(add = ArgValueCandidates::new(completion::runs))]
    parent: Option<RunId>,
}

impl FilterArgs {
    /// Returns the filter of the flags.
    pub(super) fn filter(self) -> RunFilter {
        RunFilter {
            operation: self.operation,
            status: self.status,
            failure_kind: self.failure_kind,
            user_id: self.user,
            tag: self.tag,
            since: self.since,
            until: self.until,
            error_contains: self.error,
            orchestrated: self.orchestrated.then_some(true),
            prefect_flow_run_id: self.flow_run,
            parent_run_id: self.parent,
        }
    }
}

/// Parses a status; `complete` is an alias of `success`.
fn status() -> impl TypedValueParser<Value = Status> {
    let named = Status::ALL.map(|status| match status {
        Status::Pending => PossibleValue::new("pending"),
        Status::Running => PossibleValue::new("running"),
        Status::Success => PossibleValue::new("success").alias("complete"),
        Status::Failed => PossibleValue::new("failed"),
        Status::Cancelled => PossibleValue::new("cancelled"),
    });
    PossibleValuesParser::new(named).try_map(|word| word.parse::<Status>())
}

fn failure_kind() -> impl TypedValueParser<Value = FailureKind> {
    let named = FailureKind::ALL.map(FailureKind::as_str);
    PossibleValuesParser::new(named)
        .try_map(|word| serde_json::from_value(json!(word.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_kind_can_be_used_in_a_filter() {
        for (index, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            let read: FailureKind = serde_json::from_value(json!(kind.as_str())).unwrap();
            assert_eq!(read, kind);
        }
    }
}
