//! `ophost plugins list`: the files of the plugin directories, loaded and rejected.

use std::path::Path;
use std::process::ExitCode;

use ophost::{Host, OperationName, PluginState};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::{self, DIM, ERROR, EscapedLine, HINT, NAME};
use crate::untrusted::fix;

pub(super) fn run(host: &Host, json: bool) -> Result<ExitCode, CliError> {
    let catalog = host.catalog();
    let plugins = catalog.plugins();
    let ignored = host.ignored_files();
    if json {
        let ignored = ignored.iter().map(|(file, reason)| unused_json(file, "ignored", reason));
        let plugins: Vec<_> = plugins.iter().map(as_json).chain(ignored).collect();
        output::json(&json!({"plugins": plugins}))?;
    } else {
        let ignored = ignored.iter().map(|(file, reason)| unused_text(file, "ignored", reason));
        output::stdout(&plugins.iter().map(text).chain(ignored).collect::<String>())?;
    }
    if let Some(untrusted) = catalog.untrusted() {
        output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&fix(&untrusted))));
    }
    Ok(ExitCode::SUCCESS)
}

fn unused_json(file: &Path, state: &str, reason: &str) -> Value {
    json!({"file": file.display().to_string(), "state": state, "reason": reason})
}

fn unused_text(file: &Path, state: &str, reason: &str) -> String {
    let file = file.display().to_string();
    format!(
        "{NAME}{}{NAME:#}  {ERROR}{state}{ERROR:#}\n  {}\n",
        EscapedLine(&file),
        EscapedLine(reason)
    )
}

fn text(state: &PluginState<'_>) -> String {
    match state {
        PluginState::Used { file, digest, plugin, version, operations, .. } => format!(
            "{NAME}{}{NAME:#}  {} {}  {DIM}{}{DIM:#}\n  {}\n",
            EscapedLine(&file.display().to_string()),
            EscapedLine(plugin),
            EscapedLine(version),
            digest.short(),
            operations.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
        ),
        PluginState::Rejected { file, reason } => unused_text(file, "rejected", reason),
    }
}

fn as_json(state: &PluginState<'_>) -> Value {
    match state {
        PluginState::Used { file, digest, plugin, version, operations, .. } => json!({
            "file": file.display().to_string(),
            "state": "used",
            "digest": digest,
            "plugin": {"name": plugin, "version": version},
            "operations": operations.iter().map(|name| OperationName::as_str(name)).collect::<Vec<_>>(),
        }),
        PluginState::Rejected { file, reason } => unused_json(file, "rejected", reason),
    }
}
