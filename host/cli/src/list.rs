//! `ophost list`: lists the operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use ophost::{Catalog, Host, Operation, OperationFilter, OperationInfo};
use serde_json::{Value, json};

use super::error::CliError;
use super::output::{self, EscapedLine, HEADING, HINT, first_paragraph};
use super::table::{Overflow, table};
use super::untrusted::fix;

/// Maximum number of existing values in a message.
const MAX_VALUES: usize = 20;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArgs {
    /// Only operations of this category.
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Only operations with this tag; repeatable, and all tags must match.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only operations of this pipeline stage.
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// Only operations that read or write this model.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  ophost list
  ophost list --category text --tag web
  ophost list --json | jq -r '.operations[].name'";

pub(super) fn run(host: &Host, args: ListArgs, json: bool) -> Result<ExitCode, CliError> {
    let ListArgs { category, tags, stage, model } = args;
    let filter = OperationFilter { category, tags, stage, model };
    let catalog = host.catalog();
    let chosen: Vec<_> =
        catalog.operations().filter(|known| filter.matches(known.operation)).collect();
    if json {
        let operations: Vec<_> = chosen.iter().map(as_json).collect();
        let rejected: Vec<_> = catalog
            .rejected()
            .map(|(file, reason)| json!({"file": file.display().to_string(), "reason": reason}))
            .collect();
        output::json(&json!({"operations": operations, "rejected": rejected}))?;
    } else {
        print(&catalog, &chosen, &filter)?;
        if catalog.operations().next().is_none() {
            let ignored = host.ignored_files();
            ignored.iter().for_each(|(file, reason)| warn_about_unused(file, reason));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(
    catalog: &Catalog,
    chosen: &[OperationInfo<'_>],
    filter: &OperationFilter,
) -> Result<(), CliError> {
    output::stdout(&grouped(chosen, output::width()))?;
    for (file, reason) in catalog.rejected() {
        warn_about_unused(file, &reason);
    }
    if let Some(untrusted) = catalog.untrusted() {
        output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&fix(&untrusted))));
    }
    if catalog.operations().next().is_none() {
        output::stderr(
            "No operations. Run `ophost new NAME` to create a plugin, or copy a \
             component into the plugin directory.\n",
        );
    } else if chosen.is_empty() {
        output::stderr(&format!(
            "No operation matches. Existing values:\n{}",
            existing_values(catalog, filter)
        ));
    }
    Ok(())
}

fn warn_about_unused(file: &Path, reason: &str) {
    output::warn(&format!("`{}` was rejected: {reason}", file.display()));
}

fn grouped(chosen: &[OperationInfo<'_>], width: Option<usize>) -> String {
    let mut groups = BTreeMap::<&str, Vec<[String; 2]>>::new();
    for known in chosen {
        groups.entry(&known.operation.category).or_default().push(row(known.operation));
    }
    // All groups have the same width of names.
    let all = table(
        &groups.values().flatten().cloned().collect::<Vec<_>>(),
        2,
        Overflow::Truncate,
        width,
    );
    let mut lines = all.lines();
    let mut text = String::new();
    for (category, rows) in groups {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{HEADING}{}{HEADING:#}", EscapedLine(category));
        for line in lines.by_ref().take(rows.len()) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn row(operation: &Operation) -> [String; 2] {
    [operation.name.to_string(), first_paragraph(&operation.description)]
}

/// Returns the existing values of each given filter.
fn existing_values(catalog: &Catalog, filter: &OperationFilter) -> String {
    let values = |of: &dyn Fn(&Operation) -> Vec<String>| {
        let all: BTreeSet<_> = catalog.operations().flat_map(|it| of(it.operation)).collect();
        let mut shown: Vec<_> = all.iter().take(MAX_VALUES).cloned().collect();
        if all.len() > MAX_VALUES {
            shown.push("...".to_owned());
        }
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    };
    let mut text = String::new();
    let mut add = |is_given: bool, name: &str, of: &dyn Fn(&Operation) -> Vec<String>| {
        if is_given {
            let _ = writeln!(text, "  {name}: {}", EscapedLine(&values(of)));
        }
    };
    add(filter.category.is_some(), "categories", &|it| vec![it.category.clone()]);
    add(!filter.tags.is_empty(), "tags", &|it| it.tags.clone());
    add(filter.stage.is_some(), "stages", &|it| it.stage.iter().cloned().collect());
    add(filter.model.is_some(), "models", &|it| [&it.models_in[..], &it.models_out].concat());
    text
}

/// Returns the collection of each model, declared or derived from the model name.
fn collections(operation: &Operation) -> Value {
    let models = operation.models_in.iter().chain(&operation.models_out);
    let named = models.filter_map(|model| Some((model.clone(), operation.collection(model)?)));
    json!(named.collect::<BTreeMap<_, _>>())
}

/// Returns the JSON form of an operation.
pub(super) fn as_json(known: &OperationInfo<'_>) -> Value {
    let mut value = json!(known.operation);
    value["collections"] = collections(known.operation);
    value["plugin"] = json!({
        "name": known.plugin,
        "version": known.version,
        "file": known.file.display().to_string(),
        "digest": known.digest,
    });
    value
}
