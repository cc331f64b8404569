//! `ophost check`: checks whether a host accepts a plugin file.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use ophost::config::Config;
use ophost::os_error::Shortage;
use ophost::{InspectError, Inspector, OperationName};

use super::compile_progress;
use super::error::{CliError, Exit, compile_limit_hint};
use super::output::{self, ERROR, EscapedLine, HINT};
use super::settings;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ophost check my-plugin.wasm\n  ophost check my-plugin.wasm --json"
)]
pub(super) struct CheckArgs {
    /// Component, or core module with component-type metadata.
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    let file = args.file;
    let runtime = super::runtime()?;
    let bytes = match runtime.block_on(Inspector::read(&file)) {
        Err(InspectError::Unreadable(source)) => return Err(UnreadableFile { file, source }.into()),
        bytes => bytes,
    };
    let inspector = Inspector::new(&settings::compiling_builder(config)?)?;
    let inspection = match bytes {
        Ok(bytes) => runtime.block_on(compile_progress::inspect(&inspector, &file, &bytes)),
        Err(reason) => Err(reason),
    };
    if let Some(source) = inspection.as_ref().err().and_then(InspectError::shortage) {
        return Err(UncheckedFile { file, source }.into());
    }
    let exceeded = inspection.as_ref().err().and_then(InspectError::compile_limit);
    let inspection = inspection.map_err(|reason| reason.to_string());
    print(&file.display().to_string(), &inspection, json)?;
    if let Some(limit) = exceeded.filter(|_| !json) {
        output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", compile_limit_hint(limit)));
    }
    Ok(if inspection.is_ok() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn print(
    file: &str,
    inspection: &Result<Vec<OperationName>, String>,
    json: bool,
) -> Result<(), CliError> {
    match inspection {
        Ok(operations) if json => output::json(&json!({"file": file, "operations": operations})),
        Err(reason) if json => output::json(&json!({"file": file, "rejected": reason})),
        Ok(operations) => {
            let names: Vec<_> = operations.iter().map(OperationName::as_str).collect();
            output::stdout(&format!("{}: {}\n", EscapedLine(file), names.join(", ")))
        }
        Err(reason) => {
            output::stderr(&format!(
                "{ERROR}rejected{ERROR:#}: `{}`: {}\n",
                EscapedLine(file),
                EscapedLine(reason)
            ));
            Ok(())
        }
    }
}
