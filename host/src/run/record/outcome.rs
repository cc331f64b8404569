//! The outcome of a run in its record: masked secrets, result references, warnings.

use std::borrow::Cow;

use ophost_document::{Budget, Interruption};
use ophost_schema::Schema;
use serde_json::json;

use super::mask::{Mask, masked};
use super::result_refs;
use crate::model::document::ChangeSet;
use crate::model::outcome::{Failure, FailureKind, LogEntry, Outcome};
use crate::model::run_record::{Masked, ResultRef};

/// Replacement of the details of an invalid output that can contain secrets.
const DETAILS_WITHHELD: &str =
    "withheld: the schema has secrets, and the details contain parts of the output";

/// The recorded form of an outcome.
#[derive(Default)]
pub(crate) struct RecordedOutcome {
    /// The recorded outcome; `None` if it is equal to the outcome.
    pub(super) outcome: Option<Outcome>,
    /// Whether the output has masked secrets.
    pub(super) masked: Option<Masked>,
    pub(super) result_refs: Vec<ResultRef>,
    /// Warnings about the output.
    pub(super) warnings: Vec<LogEntry>,
}

impl RecordedOutcome {
    pub(super) fn of(
        mask: Option<Mask>,
        schema: &Schema,
        outcome: &Outcome,
        changes: &ChangeSet,
        budget: &Budget,
    ) -> Result<Self, Interruption> {
        match outcome {
            Outcome::Success(output) => {
                let output = masked(mask, schema, output, budget)?;
                let masked = matches!(output, Cow::Owned(_)).then_some(Masked::Output);
                let (result_refs, warnings) =
                    result_refs::of_run(&output, schema.document(), changes, budget)?;
                let outcome = Some(Outcome::Success(output.into_owned()));
                budget.check()?;
                Ok(Self { outcome, masked, result_refs, warnings })
            }
            // The details of an invalid output contain parts of the output.
            Outcome::Failed(failure)
                if failure.kind == FailureKind::InvalidOutput && schema.has_secrets() =>
            {
                let details = failure.details.as_ref().map(|_| json!(DETAILS_WITHHELD));
                let outcome = Outcome::Failed(Failure { details, ..failure.clone() });
                Ok(Self { outcome: Some(outcome), ..Self::default() })
            }
            Outcome::Failed(_) | Outcome::Cancelled => Ok(Self::default()),
        }
    }
}
