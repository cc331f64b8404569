//! `ophost describe`: what an operation takes and gives.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::error::CliError;
use super::list;
use super::output::{self, Block, Line, NAME};
use crate::catalog::Known;
use crate::host::Host;

#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// The operation's name.
    pub(super) name: String,
}

pub(super) fn run(host: &Host, args: &DescribeArgs, json: bool) -> Result<ExitCode, CliError> {
    let catalog = host.catalog();
    let known = catalog.get(&args.name).ok_or_else(|| host.no_such_operation(&args.name))?;
    if json {
        output::json(&list::as_json(&known))?;
    } else {
        output::stdout(&text(&known))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(known: &Known<'_>) -> String {
    let operation = known.operation;
    let mut text = format!(
        "{NAME}{}{NAME:#}  {}\n\n{}\n\n",
        operation.name,
        Line(&operation.category),
        Block(operation.description.trim())
    );
    text.push_str(&output::table(&facts(known)));
    fields(&mut text, "Input", &operation.input_schema);
    fields(&mut text, "Output", &operation.output_schema);
    text
}

fn facts(known: &Known<'_>) -> Vec<[String; 2]> {
    let operation = known.operation;
    let hints = &operation.hints;
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
    add("tags", operation.tags.join(", "));
    add("permissions", operation.permissions.join(", "));
    add("reads", operation.models_in.join(", "));
    add("writes", operation.models_out.join(", "));
    add("stage", operation.stage.clone().unwrap_or_default());
    add("idempotent", if hints.idempotent { "yes".to_owned() } else { String::new() });
    add("destructive", if hints.destructive { "yes".to_owned() } else { String::new() });
    rows
}

/// Adds a table of an object schema's fields, or the schema itself where it is none.
fn fields(text: &mut String, title: &str, schema: &Value) {
    let _ = writeln!(text, "\n{NAME}{title}{NAME:#}");
    let required = |name: &String| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|known| known == name))
    };
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) if !properties.is_empty() => {
            let row = |(name, field): (&String, &Value)| field_row(name, field, required(name));
            let rows: Vec<_> = properties.iter().map(row).collect();
            text.push_str(&output::table(&rows));
        }
        _ => {
            let _ = writeln!(text, "  {}", Line(&schema.to_string()));
        }
    }
}

fn field_row(name: &str, field: &Value, required: bool) -> [String; 4] {
    let presence = match field.get("default") {
        Some(default) => format!("default {default}"),
        None if required => "required".to_owned(),
        None => String::new(),
    };
    let description = field.get("description").and_then(Value::as_str).unwrap_or_default();
    [format!("  {name}"), type_text(field), presence, description.replace('\n', " ")]
}

fn type_text(field: &Value) -> String {
    match field.get("type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}
