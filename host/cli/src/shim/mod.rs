//! `ophost shim`: prints modules that call `ophost` from a workflow system.
//!
//! Some systems do not pass the ids of their runs to child processes. A shim passes them in the
//! environment.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::error::CliError;
use super::output;

/// The workflow system, and the destination of its module.
#[derive(Debug, Args)]
pub(super) struct ShimArgs {
    /// Workflow system.
    system: System,
    /// Output file, which is overwritten [default: stdout].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A workflow system that needs a shim.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum System {
    /// Python module for Prefect 3; save it as `ophost_prefect.py`.
    Prefect,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Prefect => "prefect",
        }
    }

    fn module(self) -> &'static str {
        match self {
            Self::Prefect => include_str!("prefect.py"),
        }
    }
}

/// An error while the shim is written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", file.display())]
pub(super) struct UnwritableShim {
    file: PathBuf,
    source: io::Error,
}

/// Prints a shim or writes it to a file.
pub(super) fn run(args: ShimArgs, json: bool) -> Result<ExitCode, CliError> {
    let ShimArgs { system, output: file } = args;
    match file {
        Some(file) => {
            fs::write(&file, system.module())
                .map_err(|source| UnwritableShim { file: file.clone(), source })?;
            if json {
                output::json(
                    &json!({"system": system.name(), "file": file.display().to_string()}),
                )?;
            }
        }
        None if json => {
            output::json(&json!({"system": system.name(), "module": system.module()}))?;
        }
        None => output::file(system.module())?,
    }
    Ok(ExitCode::SUCCESS)
}
