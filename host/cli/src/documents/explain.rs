//! The output of `--explain`.

use std::process::ExitCode;

use serde_json::{Value, json};

use ophost::{Explanation, FullScanReason, QueryPlan};

use super::super::error::CliError;
use super::super::output;
use super::super::table::{Overflow, table};

/// Prints how a query found its documents. `matches` is the number of documents on the page, or the
/// count.
pub(super) fn print(
    explanation: &Explanation,
    matches: u64,
    json: bool,
) -> Result<ExitCode, CliError> {
    if json {
        let mut value = json!(explanation);
        value["matches"] = Value::from(matches);
        output::json(&value)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = plan(&explanation.plan);
    rows.push(["documents read".to_owned(), explanation.documents_read.to_string()]);
    rows.push(["matches".to_owned(), matches.to_string()]);
    output::stdout(&table(&rows, 0, Overflow::Wrap, output::width()))?;
    Ok(ExitCode::SUCCESS)
}

fn plan(plan: &QueryPlan) -> Vec<[String; 2]> {
    let row = |name: &str, value: String| [name.to_owned(), value];
    match plan {
        QueryPlan::Ids { candidates } => {
            vec![row("plan", "by id".to_owned()), row("candidates", candidates.to_string())]
        }
        QueryPlan::Index { index, conditions, candidates, has_more } => {
            let candidates = match has_more {
                true => format!("{candidates} or more"),
                false => candidates.to_string(),
            };
            vec![
                row("plan", format!("index {index}")),
                row("conditions", conditions.join(" and ")),
                row("candidates", candidates),
            ]
        }
        QueryPlan::Order { index } => vec![row("plan", format!("index {index}, in sort order"))],
        QueryPlan::FullScan { reason } => {
            vec![row("plan", "full scan".to_owned()), row("reason", text(*reason).to_owned())]
        }
    }
}

fn text(reason: FullScanReason) -> &'static str {
    match reason {
        FullScanReason::NoIndex => "the collection has no index",
        FullScanReason::NotReady => "no index is complete",
        FullScanReason::NoCondition => "no complete index can evaluate a condition of the filter",
        FullScanReason::TooManyCandidates => {
            "the indexes yield so many documents that reading all is faster"
        }
    }
}
