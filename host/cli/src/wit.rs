//! `ophost wit`: prints or writes the contract with plugins.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use ophost_toolchain::kit;

use super::atomic_file::{AtomicFile, CreateFileError, ensure_absent};
use super::completion;
use super::error::CliError;
use super::output::{self, EscapedLine};

/// The destination of the contract.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ophost wit > plugin.wit\n  ophost wit wit")]
pub(super) struct WitArgs {
    /// Directory for the files of the contract [default: one text to stdout].
    #[arg(value_name = "DIR", add = ArgValueCompleter::new(completion::directories))]
    directory: Option<PathBuf>,
}

/// Prints the contract, or writes its files.
pub(super) fn run(args: &WitArgs, json: bool) -> Result<ExitCode, CliError> {
    match &args.directory {
        Some(directory) => {
            let files = write(directory)?;
            if json {
                output::json(&json!({"files": files}))?;
            } else {
                let line = |file: &String| format!("{}\n", EscapedLine(file));
                output::stdout(&files.iter().map(line).collect::<String>())?;
            }
        }
        None if json => output::json(&json!({"contract": kit::contract_text()}))?,
        None => output::file(&kit::contract_text())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the files of the contract, and returns their paths. Files with the same content are
/// unchanged.
///
/// # Errors
///
/// Returns [`CliError`] if a file with another content exists, or a file cannot be written. No
/// existing file is overwritten.
fn write(directory: &Path) -> Result<Vec<String>, CliError> {
    let files: Vec<_> =
        kit::contract().iter().map(|(name, text)| (directory.join(name), *text)).collect();
    let mut missing = Vec::new();
    for (file, text) in &files {
        if !has_content(file, text)? {
            missing.push((file, text));
        }
    }
    fs::create_dir_all(directory)
        .map_err(|source| CreateFileError::Misplaced { file: directory.to_owned(), source })?;
    for (path, text) in missing {
        let mut file = AtomicFile::create(path)?;
        let persisted = file.write_all(text.as_bytes()).and_then(|()| file.persist_noclobber());
        persisted
            .map_err(|source| CreateFileError::Unfinished { file: path.to_owned(), source })?;
    }
    Ok(files.iter().map(|(file, _)| file.display().to_string()).collect())
}

/// Returns whether a file exists with this content.
///
/// # Errors
///
/// Returns [`CreateFileError`] if the file exists with another content.
fn has_content(file: &Path, text: &str) -> Result<bool, CreateFileError> {
    let misplaced = |source| CreateFileError::Misplaced { file: file.to_owned(), source };
    match fs::read(file) {
        Ok(content) if content == text.as_bytes() => Ok(true),
        Ok(_) => ensure_absent(file).map(|()| false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(misplaced(error)),
    }
}
