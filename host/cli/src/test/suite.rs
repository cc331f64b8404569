//! The case files of a project, and the checks of a test run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ophost::{Host, OperationInfo};
use ophost_document::suggest::closest_match;
use serde_json::Value;

use super::CASES;
use super::case::{Case, CaseFile, Malformed};
use super::error::TestError;
use crate::list;

/// Name of the check of the metadata.
pub(super) const METADATA: &str = "metadata";

/// A case file with its text.
#[derive(Debug)]
pub(super) struct LoadedFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) content: CaseFile,
}

/// One check of a test run.
#[derive(Debug)]
pub(super) struct Test<'f> {
    pub(super) file: &'f LoadedFile,
    pub(super) check: Check<'f>,
}

#[derive(Debug)]
pub(super) enum Check<'f> {
    Metadata(&'f Value),
    Case(&'f Case),
}

impl Test<'_> {
    pub(super) fn operation(&self) -> &str {
        &self.file.content.operation
    }

    pub(super) fn name(&self) -> &str {
        match self.check {
            Check::Metadata(_) => METADATA,
            Check::Case(case) => &case.name,
        }
    }

    /// Returns the name that a filter selects: `OPERATION: NAME`.
    pub(super) fn full_name(&self) -> String {
        format!("{}: {}", self.operation(), self.name())
    }

    /// Returns the JSON of `ophost describe` of the operation.
    pub(super) fn description(&self, host: &Host) -> Value {
        let catalog = host.catalog();
        catalog.get(self.operation()).map_or(Value::Null, |known| list::as_json(&known))
    }
}

/// Reads all files `*.json` of a directory, in the order of their names.
///
/// # Errors
///
/// Returns [`TestError`] if there is no case, or for the first file that is not valid.
pub(super) fn load(directory: &Path) -> Result<Vec<LoadedFile>, TestError> {
    let no_cases = || TestError::NoCases { directory: directory.to_owned() };
    let unreadable = |source| TestError::Unreadable { file: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        // A project without cases has no such directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.ends_with(CASES) => {
            return Err(no_cases());
        }
        entries => entries.map_err(unreadable)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let files: Vec<_> = paths.into_iter().map(load_file).collect::<Result<_, _>>()?;
    if files.is_empty() { Err(no_cases()) } else { Ok(files) }
}

/// Reads one case file.
///
/// # Errors
///
/// Returns [`TestError`] if the file is not valid.
pub(super) fn load_file(path: PathBuf) -> Result<LoadedFile, TestError> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(TestError::Unreadable { file: path, source }),
    };
    let content = match CaseFile::parse(&text) {
        Ok(content) => content,
        Err(Malformed { problem, hint }) => {
            return Err(TestError::Malformed { file: path, problem, hint });
        }
    };
    match content.check() {
        Err((name, problem)) => Err(TestError::InvalidCase { file: path, name, source: problem }),
        Ok(()) if content.cases.is_empty() && content.metadata.is_none() => {
            Err(TestError::NoCases { directory: path })
        }
        Ok(()) => Ok(LoadedFile { path, text, content }),
    }
}

/// Checks that a host has the operations of all files.
///
/// # Errors
///
/// Returns [`TestError::NoSuchOperation`] for the first file whose operation does not exist.
pub(super) fn check_operations(host: &Host, files: &[LoadedFile]) -> Result<(), TestError> {
    files.iter().try_for_each(|file| check_operation(host, &file.content.operation, &file.path))
}

/// Checks that a host has an operation.
///
/// # Errors
///
/// Returns [`TestError::NoSuchOperation`] if it does not exist.
pub(super) fn check_operation(host: &Host, name: &str, file: &Path) -> Result<(), TestError> {
    let catalog = host.catalog();
    if catalog.get(name).is_some() {
        return Ok(());
    }
    let names = |known: OperationInfo<'_>| known.operation.name.to_string();
    Err(TestError::NoSuchOperation {
        name: name.to_owned(),
        file: file.to_owned(),
        similar: catalog.similar(name).map(ToOwned::to_owned),
        known: catalog.operations().map(names).collect(),
    })
}

/// Returns the checks of all files, and the number of checks that the filter excludes.
///
/// # Errors
///
/// Returns [`TestError::NoMatch`] if the filter excludes all checks.
pub(super) fn select<'f>(
    files: &'f [LoadedFile],
    filter: Option<&str>,
) -> Result<(Vec<Test<'f>>, usize), TestError> {
    let tests = |file: &'f LoadedFile| {
        let metadata = file.content.metadata.iter().map(Check::Metadata);
        let checks = metadata.chain(file.content.cases.iter().map(Check::Case));
        checks.map(move |check| Test { file, check })
    };
    let all: Vec<_> = files.iter().flat_map(tests).collect();
    let Some(filter) = filter else { return Ok((all, 0)) };
    let count = all.len();
    let names: Vec<_> = all.iter().map(Test::full_name).collect();
    let selected: Vec<_> =
        all.into_iter().filter(|test| test.full_name().contains(filter)).collect();
    if selected.is_empty() {
        let words = names.iter().flat_map(|name| name.split([' ', ':']).chain([name.as_str()]));
        let similar = closest_match(filter, words).map(ToOwned::to_owned);
        return Err(TestError::NoMatch { filter: filter.to_owned(), similar });
    }
    let excluded = count - selected.len();
    Ok((selected, excluded))
}
