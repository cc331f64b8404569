//! The difference of a run to the previous one.

use ophost::{Outcome, RunReport};
use ophost_document::diff::{self, FieldChange};
use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::test::Difference;

/// Maximum number of differences.
const MAX_DIFFERENCES: usize = 1000;

/// The parts of a result that are compared.
pub(super) struct Snapshot {
    /// The status, with the kind of a failure.
    pub(super) status: String,
    parts: Map<String, Value>,
}

impl Snapshot {
    /// Returns the snapshot of a run.
    pub(super) fn of(result: &Result<RunReport, CliError>) -> Self {
        match result {
            Ok(report) => Self::of_report(report),
            Err(error) => {
                let error = error.envelope()["error"].take();
                let status =
                    format!("not started ({})", error["kind"].as_str().unwrap_or_default());
                Self { status, parts: Map::from_iter([("error".to_owned(), error)]) }
            }
        }
    }

    fn of_report(report: &RunReport) -> Self {
        let (status, name, value) = match &report.outcome {
            Outcome::Success(output) => ("SUCCESS".to_owned(), "output", output.clone()),
            Outcome::Failed(failure) => {
                (format!("FAILED ({})", failure.kind), "error", json!(failure))
            }
            Outcome::Cancelled => ("CANCELLED".to_owned(), "error", Value::Null),
        };
        let mut parts = Map::from_iter([(name.to_owned(), value)]);
        let errors = report.trail.item_errors.iter();
        let errors =
            errors.map(|it| json!({"index": it.index, "item": it.item, "error": it.error}));
        parts.insert("item_errors".to_owned(), errors.collect());
        if let Some(changes) = &report.dry_run {
            let after = changes.iter().map(|(address, change)| {
                (format!("{}/{}", address.collection, address.id), json!(change.after))
            });
            parts.insert("documents".to_owned(), Value::Object(after.collect()));
        }
        Self { status, parts }
    }

    /// Returns the differences to the previous run.
    pub(super) fn differences(&self, previous: &Self) -> Vec<Difference> {
        let diff = diff::changes(Some(&previous.parts), Some(&self.parts), MAX_DIFFERENCES);
        let difference = |FieldChange { path, before, after }| Difference {
            path,
            expected: before,
            actual: after,
        };
        diff.listed.into_iter().map(difference).collect()
    }
}
