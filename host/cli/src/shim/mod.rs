//! `ophost shim`: modules that call this command from a workflow system.
//!
//! Some systems keep their run's ids where a child process cannot see them. A shim hands
//! them over.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::error::CliError;
use super::output;

/// Which shim, and where to put it.
#[derive(Debug, Args)]
pub(super) struct ShimArgs {
    /// The workflow system.
    system: System,
    /// Write the module to this file, over an older one, instead of stdout.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The systems that need a shim.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum System {
    /// A Python module for Prefect 3; call it `ophost_prefect.py`.
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

/// The shim cannot be written where it was wanted.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", file.display())]
pub(super) struct UnwritableShim {
    file: PathBuf,
    source: io::Error,
}

/// Prints a shim, or writes it to a file and prints nothing.
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
