//! `ophost check`: checks whether a host accepts a plugin file or project, and shows its properties.
//!
//! `warnings` finds faults that do not prevent a host from using the plugin.

mod warnings;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use serde_json::{Value, json};

use ophost::config::Config;
use ophost::os_error::Shortage;
use ophost::{HostBuilder, InspectError, Inspector, Operation, PluginReport};

use super::build;
use super::compile_progress;
use super::error::{CliError, Exit, compile_limit_hint};
use super::output::{self, ERROR, EscapedLine, HINT, NAME};
use super::settings;
use super::table::{Overflow, table};

const EXAMPLES: &str = "\
Examples:
  ophost check my-plugin.wasm
  ophost check my-plugin --json

A directory is built first, as by `ophost build`, and nothing is installed. Warnings do not change
the exit code. The time of compiling is missing if the compiled code is in the cache.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// Component, core module with component-type metadata, or directory of a plugin's source.
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
}

/// An error while the file is read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`", file.display())]
pub(super) struct UnreadableFile {
    file: PathBuf,
    source: io::Error,
}

/// A shortage of the host, because of which the file was not checked.
#[derive(Debug, thiserror::Error)]
#[error("cannot check `{}`", file.display())]
pub(super) struct UncheckedFile {
    file: PathBuf,
    pub(super) source: Shortage,
}

pub(super) fn run(args: CheckArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let path = args.path;
    let (file, builder) = if path.is_dir() {
        (build::module(&path)?, settings::development_builder(config)?)
    } else {
        (path, settings::compiling_builder(config)?)
    };
    let inspection = inspect(&file, &builder)?;
    let exceeded = inspection.as_ref().err().and_then(InspectError::compile_limit);
    let name = file.display().to_string();
    match inspection {
        Ok(report) => {
            let warnings = warnings::of(&report.plugin);
            if json {
                output::json(&as_json(&name, &report, &warnings))?;
            } else {
                output::stdout(&text(&name, &report))?;
                warnings.iter().for_each(|warning| output::warn(warning));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            let reason = reason.to_string();
            if json {
                output::json(&json!({"file": name, "rejected": reason}))?;
            } else {
                let (name, reason) = (EscapedLine(&name), EscapedLine(&reason));
                output::stderr(&format!("{ERROR}rejected{ERROR:#}: `{name}`: {reason}\n"));
                if let Some(limit) = exceeded {
                    let hint = compile_limit_hint(limit);
                    output::stderr(&format!("{HINT}hint{HINT:#}: {hint}\n"));
                }
            }
            Ok(Exit::Failed.into())
        }
    }
}

/// Returns the properties of a plugin, or the reason why a host would reject it.
fn inspect(
    file: &Path,
    builder: &HostBuilder,
) -> Result<Result<PluginReport, InspectError>, CliError> {
    let runtime = super::runtime()?;
    let bytes = match runtime.block_on(Inspector::read(file)) {
        Err(InspectError::Unreadable(source)) => {
            return Err(UnreadableFile { file: file.to_owned(), source }.into());
        }
        bytes => bytes,
    };
    let inspector = Inspector::new(builder)?;
    let inspection = match bytes {
        Ok(bytes) => runtime.block_on(compile_progress::inspect(&inspector, file, &bytes)),
        Err(reason) => Err(reason),
    };
    if let Some(source) = inspection.as_ref().err().and_then(InspectError::shortage) {
        return Err(UncheckedFile { file: file.to_owned(), source }.into());
    }
    Ok(inspection)
}

fn as_json(file: &str, report: &PluginReport, warnings: &[String]) -> Value {
    let PluginReport { plugin, contract, imports, bytes, code_bytes, compile_time, memory } =
        report;
    let operation = |operation: &Operation| {
        json!({
            "name": operation.name,
            "models_in": operation.models_in,
            "models_out": operation.models_out,
        })
    };
    json!({
        "file": file,
        "plugin": {"name": plugin.name, "version": plugin.version},
        "contract": contract,
        "imports": imports,
        "bytes": bytes,
        "code_bytes": code_bytes,
        "compile_seconds": compile_time.as_ref().map(Duration::as_secs_f64),
        "memory_bytes": memory,
        "operations": plugin.operations.iter().map(operation).collect::<Vec<_>>(),
        "warnings": warnings,
    })
}

fn text(file: &str, report: &PluginReport) -> String {
    let plugin = &report.plugin;
    let size = ByteSize::b(report.bytes).display().iec();
    let code = ByteSize::b(report.code_bytes).display().iec();
    let compiled = match report.compile_time {
        Some(time) => format!("compiled to {code} in {:.1} s", time.as_secs_f64()),
        None => format!("compiled to {code}, in the cache"),
    };
    let rows = [
        ["plugin".to_owned(), format!("{} {}", plugin.name, plugin.version)],
        ["contract".to_owned(), report.contract.clone()],
        ["imports".to_owned(), imports(&report.imports)],
        ["size".to_owned(), format!("{size}, {compiled}")],
        [
            "memory".to_owned(),
            format!("{} per instance", ByteSize::b(report.memory).display().iec()),
        ],
    ];
    let width = output::width();
    let operation = |operation: &Operation| [operation.name.to_string(), models(operation)];
    let operations: Vec<_> = plugin.operations.iter().map(operation).collect();
    format!(
        "{NAME}{}{NAME:#}: valid\n{}operations\n{}",
        EscapedLine(file),
        table(&rows, 2, Overflow::Wrap, width),
        table(&operations, 2, Overflow::Wrap, width)
    )
}

/// Returns the imported interfaces in one line: those of the contract by their names, all others by
/// their packages.
fn imports(names: &[String]) -> String {
    // The types of the contract give access to nothing.
    let mut short: Vec<_> =
        names.iter().map(|name| short_import(name)).filter(|name| *name != "types").collect();
    short.sort_by_key(|name| (name.contains(':'), *name));
    short.dedup();
    if short.is_empty() { "none".to_owned() } else { short.join(", ") }
}

fn short_import(name: &str) -> &str {
    let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
    match interface.split_once('/') {
        Some(("ophost:plugin", interface)) => interface,
        Some((package, _)) => package,
        None => interface,
    }
}

/// Returns the models of an operation in one line.
pub(super) fn models(operation: &Operation) -> String {
    let part = |verb: &str, models: &[String]| {
        (!models.is_empty()).then(|| format!("{verb} {}", models.join(", ")))
    };
    let parts = [part("reads", &operation.models_in), part("writes", &operation.models_out)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
