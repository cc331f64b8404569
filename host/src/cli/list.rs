//! `ophost list`: the operations.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::error::CliError;
use super::output;
use crate::catalog::{Catalog, Known};
use crate::host::Host;

pub(super) fn run(host: &Host, json: bool) -> Result<ExitCode, CliError> {
    let catalog = host.catalog();
    if json {
        let operations: Vec<_> = catalog.operations().map(|known| as_json(&known)).collect();
        let refused: Vec<_> = catalog
            .refused()
            .map(|(file, reason)| json!({"file": file.display().to_string(), "reason": reason}))
            .collect();
        output::json(&json!({"operations": operations, "refused": refused}))?;
    } else {
        print(&catalog)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(catalog: &Catalog) -> Result<(), CliError> {
    let rows: Vec<_> = catalog.operations().map(row).collect();
    output::stdout(&output::table(&rows))?;
    for (file, reason) in catalog.refused() {
        output::warn(&format!("`{}` is not used: {reason}", file.display()));
    }
    if rows.is_empty() {
        output::stderr(
            "There are no operations yet. `ophost build DIR --install` adds a Rust plugin; \
             any component goes into the plugin directory as it is.\n",
        );
    }
    Ok(())
}

fn row(known: Known<'_>) -> [String; 3] {
    let operation = known.operation;
    let description = operation.description.lines().next().unwrap_or_default();
    [operation.name.to_string(), operation.category.clone(), description.to_owned()]
}

/// Returns everything that is known of an operation.
pub(super) fn as_json(known: &Known<'_>) -> Value {
    let mut value = json!(known.operation);
    value["plugin"] = json!({
        "name": known.plugin,
        "version": known.version,
        "file": known.file.display().to_string(),
        "digest": known.digest,
    });
    value
}
