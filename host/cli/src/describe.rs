//! `ophost describe`: shows the input, the output and the metadata of an operation.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use ophost::{Hints, Host, Operation, OperationInfo};
use serde_json::Value;

use super::error::CliError;
use super::output::{self, DIM, EscapedLine, EscapedText, HEADING, NAME};
use super::schema_view::{self, Side, example_command};
use super::table::{Overflow, table, wrapped};
use super::{completion, list};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DescribeArgs {
    /// Name of the operation.
    #[arg(add = ArgValueCandidates::new(completion::operations))]
    pub(super) name: String,
}

const EXAMPLES: &str = "\
Examples:
  ophost describe slugify
  ophost describe slugify --json | jq .input_schema";

pub(super) fn run(host: &Host, args: &DescribeArgs, json: bool) -> Result<ExitCode, CliError> {
    let catalog = host.catalog();
    let known = catalog.get(&args.name).ok_or_else(|| host.no_such_operation(&args.name))?;
    if json {
        output::json(&list::as_json(&known))?;
    } else {
        output::stdout(&text(&known, output::width()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(known: &OperationInfo<'_>, width: Option<usize>) -> String {
    let operation = known.operation;
    let mut text = format!(
        "{NAME}{}{NAME:#}  {DIM}{}{DIM:#}\n\n{}\n\n",
        operation.name,
        EscapedLine(&operation.category),
        EscapedText(&paragraphs(&operation.description, width))
    );
    text.push_str(&table(&facts(known), 0, Overflow::Wrap, width));
    section(&mut text, "Input", &operation.input_schema, (Side::Input, width));
    section(&mut text, "Output", &operation.output_schema, (Side::Output, width));
    let _ = writeln!(text, "\n{HEADING}Example{HEADING:#}\n  {}", example_command(operation));
    text
}

/// Wraps a description to the width of the terminal. Its paragraphs and lists are preserved.
fn paragraphs(description: &str, width: Option<usize>) -> String {
    let lines = description.trim().lines().map(str::trim_end);
    let Some(width) = width else { return lines.collect::<Vec<_>>().join("\n") };
    lines.flat_map(|line| wrapped(line, width)).collect::<Vec<_>>().join("\n")
}

fn facts(known: &OperationInfo<'_>) -> Vec<[String; 2]> {
    let operation = known.operation;
    let mut rows = vec![
        ["plugin".to_owned(), format!("{} {}", known.plugin, known.version)],
        ["file".to_owned(), known.file.display().to_string()],
        ["digest".to_owned(), known.digest.to_string()],
    ];
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push([name.to_owned(), value]);
        }
    };
    let aliases: Vec<_> = operation.hints.aliases.iter().map(|name| name.as_str()).collect();
    add("aliases", aliases.join(", "));
    add("tags", operation.tags.join(", "));
    add("permissions", operation.permissions.join(", "));
    add("reads", models(operation, &operation.models_in));
    add("writes", models(operation, &operation.models_out));
    add("stage", operation.stage.clone().unwrap_or_default());
    for (name, value) in hints(&operation.hints) {
        add(name, value);
    }
    rows
}

/// Returns models with their collections.
fn models(operation: &Operation, models: &[String]) -> String {
    let with_collection = |model: &String| match operation.collection(model) {
        Some(collection) => format!("{model} (collection {collection})"),
        None => model.clone(),
    };
    models.iter().map(with_collection).collect::<Vec<_>>().join(", ")
}

fn hints(hints: &Hints) -> [(&'static str, String); 4] {
    let time = |it: Duration| humantime::format_duration(it).to_string();
    let yes = |is: bool, text: &str| if is { text.to_owned() } else { String::new() };
    [
        ("timeout", hints.timeout().map(time).unwrap_or_default()),
        ("memory", hints.memory().map(|it| ByteSize(it).to_string()).unwrap_or_default()),
        ("idempotent", yes(hints.idempotent, "two runs have the same effect as one")),
        ("destructive", yes(hints.destructive, "deletes or overwrites data")),
    ]
}

/// Adds a table of the fields of an object schema, or the schema itself if it is not an object.
fn section(text: &mut String, title: &str, schema: &Value, (side, width): (Side, Option<usize>)) {
    let _ = writeln!(text, "\n{HEADING}{title}{HEADING:#}");
    let (rows, is_cut) = schema_view::rows(schema, side);
    if rows.is_empty() {
        let schema = [[schema.to_string()]];
        text.push_str(&table(&schema, 2, Overflow::Truncate, width));
        return;
    }
    text.push_str(&table(&rows, 2, Overflow::Wrap, width));
    if is_cut {
        let _ = writeln!(text, "  {DIM}and more; use `--json` to print the whole schema{DIM:#}");
    }
}
