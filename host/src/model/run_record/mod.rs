//! The run record (TaskRun): the stored description of a run.
//!
//! The JSON form is flat. Its field names are those of the service that this host replaces.
//! Fields that the host adds are omitted when they are empty.

mod id;
mod state;
mod summary;

pub use self::id::{OwnerId, ParseRunIdError, RunId};
pub use self::state::{ParseStatusError, RunState, Status};
pub use self::summary::RunSummary;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::digest::Digest;
use crate::model::document::{ChangeCount, ChangeKind};
use crate::model::limits::Limits;
use crate::model::operation::OperationName;
use crate::model::outcome::{Actor, FailureKind, Flags, ItemError, LogEntry, Usage};

/// Reference from a run to a document that its output names or that it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRef {
    /// The collection of the document.
    pub collection: String,
    /// The id of the document.
    pub document_id: String,
    /// The change of the document; `None` if the output names the document and the run did not
    /// change it through the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeKind>,
}

/// A part of a record that has masked secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masked {
    /// [`RunRecord::input_dump`]. A run with a masked input cannot be rerun.
    Input,
    /// The output.
    Output,
}

/// One attempt of a queued run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Number of the attempt, from 1.
    pub number: u32,
    /// Time of the start.
    pub started_at: DateTime<Utc>,
    /// Time of the end, or of marking the attempt as crashed.
    pub finished_at: DateTime<Utc>,
    /// Kind of the failure; `None` if the attempt succeeded or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<FailureKind>,
    /// Message of the failure in one line. Guest text: escape it for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// Capabilities of a run: access to things outside its sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Granted capabilities: interfaces of the host that the component imports, such as `log` or
    /// `wasi:clocks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<String>,
    /// Used capabilities: collections, such as `documents/jobs:write`; the first 100. Other
    /// capabilities are not tracked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<String>,
    /// Denied capabilities: requested and not granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

impl Capabilities {
    /// Returns whether the three lists are empty.
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty() && self.used.is_empty() && self.denied.is_empty()
    }
}

/// Capabilities that an execution used, and those that were denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CapabilityUse {
    /// See [`Capabilities::used`].
    pub(crate) used: BTreeSet<String>,
    /// See [`Capabilities::denied`].
    pub(crate) denied: BTreeSet<String>,
}

/// The only namespace of this version.
pub(crate) const NAMESPACE: &str = "default";

fn default_namespace() -> String {
    NAMESPACE.to_owned()
}

/// The part that a run has in one workflow system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orchestration {
    /// Name of the system, such as `prefect`.
    pub system: String,
    /// Flags and variables that the system was detected from.
    pub detected_from: Vec<String>,
    /// Ids of the system for the run and its parts, such as `flow_run_id`.
    pub ids: BTreeMap<String, String>,
    /// Page of the run in the user interface of the system, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The record of a run (TaskRun).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Id of the run.
    pub id: RunId,
    /// Position in the order of all runs, from 1. The store sets it; 0 before the insert.
    pub sequence: u64,
    /// Number of writes of the record, without cancel requests. The store sets it; 0 before the
    /// insert.
    pub revision: u64,
    /// Namespace of the operation and of the idempotency key: `default`.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// Name of the operation.
    pub operation_name: OperationName,
    /// Idempotency key of the request.
    pub idempotency_key: Option<String>,
    /// The user and the channel of the request.
    pub actor: Actor,
    /// State of the run.
    #[serde(flatten)]
    pub state: RunState,
    /// Whether a workflow system started the run.
    pub orchestrated: bool,
    /// Id of the Prefect flow run that the run belongs to.
    pub prefect_flow_run_id: Option<String>,
    /// Id of the Prefect task run that the run belongs to.
    pub prefect_task_run_id: Option<String>,
    /// The input, with the defaults of the schema and with masked secrets; null after the record
    /// was erased.
    pub input_dump: Value,
    /// Parts with masked secrets. Each secret is replaced by an object with `masked` (true), a
    /// keyed `digest`, and `length` (bytes of its JSON).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<Masked>,
    /// The documents that the output names, then at most 1,000 of the documents that the run
    /// changed.
    pub result_refs: Vec<ResultRef>,
    /// Number of documents that the run changed, or would have changed without `dry_run`; `None`
    /// if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeCount>,
    /// Item errors, up to the limit of the list.
    pub error_list: Vec<ItemError>,
    /// File in the data directory with the log entries that did not fit into `log_entries`: JSON
    /// lines, at most 64 MiB.
    pub logs_ref: Option<String>,
    /// The log in order, up to the limit `log`.
    pub log_entries: Vec<LogEntry>,
    /// Number of log entries that fit neither into `log_entries` nor into the file.
    pub log_dropped: u64,
    /// Tags of the operation and of the caller.
    pub tags: Vec<String>,
    /// `dry_run`, `test_mode` and `verbose`, `execution_time` in seconds after the end, and
    /// fields of the caller.
    pub metadata: Map<String, Value>,
    /// Time of the insert.
    pub created_at: DateTime<Utc>,
    /// Time of the last write.
    pub updated_at: DateTime<Utc>,
    /// The process that executes the run.
    pub owner: OwnerId,
    /// SHA-256 of the component; `None` for built-in operations.
    pub component_digest: Option<Digest>,
    /// Version of the plugin, as the plugin declares it.
    pub plugin_version: String,
    /// Version of the host.
    pub host_version: String,
    /// Limits of the run.
    pub limits: Limits,
    /// Capabilities of the run.
    #[serde(default, skip_serializing_if = "Capabilities::is_empty")]
    pub capabilities: Capabilities,
    /// Attempts of the run. Empty for a run with one attempt, such as a direct call: the fields of
    /// the record describe it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Priority in the queue: the highest starts first. `None` for a direct call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Earliest time of the start. `None` for a direct call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Resource usage, after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Workflow systems of the run, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orchestration: Vec<Orchestration>,
    /// Page of the workflow run, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_url: Option<String>,
    /// Parent span in the format of W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The run whose input this run repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<RunId>,
    /// The failed or cancelled run with the same idempotency key that this run replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// The run that started this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<RunId>,
    /// The run whose document changes this run reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_of: Option<RunId>,
    /// The last run that reverted the document changes of this run. That run can have been undone
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<RunId>,
    /// Time of the first request to cancel the run, also if the run ended in another way. `None`
    /// without a request of another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Time of erasing the input, the output and the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<DateTime<Utc>>,
}

impl RunRecord {
    /// Returns the flags of the run.
    pub fn flags(&self) -> Flags {
        let is = |name| self.metadata.get(name) == Some(&Value::Bool(true));
        Flags { dry_run: is("dry_run"), test_mode: is("test_mode"), verbose: is("verbose") }
    }

    /// Returns whether a part has masked secrets.
    pub fn is_masked(&self, part: Masked) -> bool {
        self.masked.contains(&part)
    }

    /// Returns the duration, if the run ended: [`RunState::duration_ms`], or `execution_time` of
    /// [`Self::metadata`] for a duration below a millisecond.
    pub fn duration(&self) -> Option<Duration> {
        const MILLISECOND: Duration = Duration::from_millis(1);
        let whole = Duration::from_millis(self.state.duration_ms()?);
        let seconds = self.metadata.get("execution_time").and_then(Value::as_f64);
        let exact = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let is_known = |exact: &Duration| whole.is_zero() && *exact < MILLISECOND;
        Some(exact.filter(is_known).unwrap_or(whole))
    }

    /// Returns the runs that this run is linked to.
    pub(crate) fn links(&self) -> impl Iterator<Item = RunId> {
        let links =
            [self.rerun_of, self.retry_of, self.parent_run_id, self.undo_of, self.undone_by];
        links.into_iter().flatten()
    }

    /// Returns the time of the start, or of the insert if the run did not start.
    pub fn started_or_created_at(&self) -> DateTime<Utc> {
        self.state.started_at().unwrap_or(self.created_at)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::outcome::{Failure, LogLevel, LogSource, Outcome};

    /// Returns a RUNNING record that started now and has no optional field.
    pub(crate) fn running(operation: &str) -> RunRecord {
        let now = Utc::now();
        RunRecord {
            id: RunId::new(),
            sequence: 0,
            revision: 0,
            namespace: default_namespace(),
            operation_name: OperationName::new(operation).unwrap(),
            idempotency_key: None,
            actor: Actor { user_id: None, channel: "cli".into() },
            state: RunState::Running { started_at: now },
            orchestrated: false,
            prefect_flow_run_id: None,
            prefect_task_run_id: None,
            input_dump: json!({"text": "Hello"}),
            masked: Vec::new(),
            result_refs: Vec::new(),
            changes: None,
            error_list: Vec::new(),
            logs_ref: None,
            log_entries: Vec::new(),
            log_dropped: 0,
            tags: Vec::new(),
            metadata: Map::new(),
            created_at: now,
            updated_at: now,
            owner: OwnerId::new("owner"),
            component_digest: Some(Digest::sha256(b"component")),
            plugin_version: "1.0.0".into(),
            host_version: "0.1.0".into(),
            limits: Limits::DEFAULT,
            capabilities: Capabilities::default(),
            attempts: Vec::new(),
            priority: None,
            not_before: None,
            usage: None,
            orchestration: Vec::new(),
            run_url: None,
            traceparent: None,
            rerun_of: None,
            retry_of: None,
            parent_run_id: None,
            undo_of: None,
            undone_by: None,
            cancel_requested_at: None,
            erased_at: None,
        }
    }

    fn failure() -> Failure {
        Failure {
            kind: FailureKind::Trap,
            message: "unreachable".into(),
            code: Some("E1".into()),
            details: Some(json!([1])),
            traceback: Some("0: f".into()),
            retryable: Some(false),
        }
    }

    fn round_trip(run: &RunRecord) -> RunRecord {
        serde_json::from_str(&serde_json::to_string(run).unwrap()).unwrap()
    }

    #[test]
    fn a_record_is_flat_json_with_the_known_field_names() {
        let mut run = running("slugify");
        let now = run.created_at;
        run.state = run.state.finish(Outcome::Failed(failure()), now, 7);
        let json = serde_json::to_value(&run).unwrap();
        let known = [
            "id",
            "namespace",
            "operation_name",
            "idempotency_key",
            "actor",
            "status",
            "started_at",
            "finished_at",
            "duration_ms",
            "orchestrated",
            "prefect_flow_run_id",
            "prefect_task_run_id",
            "input_dump",
            "result_refs",
            "error_list",
            "error_message",
            "error_traceback",
            "logs_ref",
            "log_entries",
            "tags",
            "metadata",
            "created_at",
            "updated_at",
        ];
        for name in known {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["status"], "FAILED");
        assert_eq!(json["failure_kind"], "trap");
        assert_eq!(json["error_message"], "unreachable");
        assert_eq!(json["duration_ms"], 7);
        assert_eq!(json["limits"]["timeout_ms"], 30_000);
        for name in ["output", "usage", "attempts", "capabilities", "priority", "masked"] {
            assert!(json.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_record_without_a_namespace_is_in_the_default_namespace() {
        let mut json = serde_json::to_value(running("slugify")).unwrap();
        json.as_object_mut().unwrap().remove("namespace");
        let run: RunRecord = serde_json::from_value(json).unwrap();
        assert_eq!(run.namespace, "default");
    }

    #[test]
    fn a_record_is_equal_after_a_round_trip_through_json() {
        let mut run = running("slugify");
        assert_eq!(round_trip(&run), run);
        let now = run.created_at;
        let ends = [
            Outcome::Success(json!(null)),
            Outcome::Success(json!({"n": [u64::MAX, i64::MIN, 0.5]})),
            Outcome::Failed(failure()),
            Outcome::Cancelled,
        ];
        for end in ends {
            run.state = RunState::Running { started_at: now }.finish(end, now, 1);
            assert_eq!(round_trip(&run), run);
        }
        run.state = RunState::Pending.finish(Outcome::Cancelled, now, 0);
        run.usage =
            Some(Usage { wall: Duration::from_millis(3), peak_memory: 9, conflict_retries: 0 });
        run.log_entries = vec![LogEntry {
            timestamp: now,
            level: LogLevel::Warn,
            message: "m".into(),
            data: None,
            source: LogSource::Stdout,
        }];
        run.rerun_of = Some(RunId::new());
        run.masked = vec![Masked::Output];
        run.capabilities.granted = vec!["log".to_owned()];
        run.attempts = vec![Attempt {
            number: 1,
            started_at: now,
            finished_at: now,
            failure_kind: Some(FailureKind::Timeout),
            error_message: None,
        }];
        (run.priority, run.not_before) = (Some(-1), Some(now));
        run.cancel_requested_at = Some(now);
        run.orchestration = vec![Orchestration {
            system: "prefect".into(),
            detected_from: vec!["PREFECT__FLOW_RUN_ID".to_owned()],
            url: None,
            ids: BTreeMap::from([("flow_run".into(), "f".into())]),
        }];
        assert_eq!(round_trip(&run), run);
    }

    #[test]
    fn an_unknown_failure_kind_is_read_as_unknown() {
        let mut run = running("slugify");
        run.state = run.state.finish(Outcome::Failed(failure()), run.created_at, 7);
        let mut json = serde_json::to_value(&run).unwrap();
        json["failure_kind"] = "melted".into();
        json["of_the_future"] = 1.into();
        let run: RunRecord = serde_json::from_value(json).unwrap();
        assert_eq!(run.state.failure().unwrap().kind, FailureKind::Unknown);
    }

    #[test]
    fn a_status_without_its_times_is_rejected() {
        let mut json = serde_json::to_value(running("slugify")).unwrap();
        json["status"] = "SUCCESS".into();
        assert!(serde_json::from_value::<RunRecord>(json).is_err());
    }

    #[test]
    fn a_status_is_parsed_in_any_case_and_complete_is_success() {
        for status in Status::ALL {
            assert_eq!(status.as_str().to_lowercase().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert_eq!("complete".parse(), Ok(Status::Success));
        assert_eq!("done".parse::<Status>(), Err(ParseStatusError));
    }

    #[test]
    fn run_ids_are_parsed_as_printed_and_ordered_by_time() {
        let (first, second) = (RunId::new(), RunId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(RunId::from_bytes(*first.as_bytes()), first);
        assert_eq!("x".parse::<RunId>(), Err(ParseRunIdError));
    }

    #[test]
    fn floating_point_numbers_are_not_rounded() {
        // The feature `float_roundtrip` of `serde_json` decides this.
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let number = f64::from_bits(random.u64(..));
            let text = json!(number).to_string();
            let read: Value = serde_json::from_str(&text).unwrap();
            assert!(!number.is_finite() || read.as_f64() == Some(number), "{text}");
        }
    }
}
