//! Source files without their unit tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the files below `directory` by their relative path, without unit tests.
pub(crate) fn read_all(
    directory: &Path,
) -> Result<BTreeMap<String, String>, Box<dyn std::error::Error>> {
    let mut files = BTreeMap::new();
    let mut test_modules = BTreeSet::new();
    for path in files_below(directory)? {
        let text = fs::read_to_string(&path)?;
        let (code, modules) = without_tests(&text);
        let parent = module_directory(&path);
        test_modules.extend(modules.iter().map(|module| parent.join(module)));
        files.insert(path, code);
    }
    let is_test = |path: &Path| {
        path.with_extension("").ancestors().any(|ancestor| test_modules.contains(ancestor))
    };
    let product = files.into_iter().filter(|(path, _)| !is_test(path));
    product
        .map(|(path, text)| {
            let relative = path.strip_prefix(directory)?.to_str().ok_or("a path in UTF-8")?;
            Ok((relative.to_owned(), text))
        })
        .collect()
}

/// Returns the files in a directory and in the directories below it.
pub(crate) fn files_below(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => files.extend(files_below(&path)?),
            false => files.push(path),
        }
    }
    Ok(files)
}

/// Returns the directory of the modules that a file declares.
fn module_directory(file: &Path) -> PathBuf {
    let is_root = ["lib.rs", "mod.rs"].iter().any(|name| file.ends_with(name));
    match file.parent() {
        Some(parent) if is_root => parent.to_owned(),
        Some(_) | None => file.with_extension(""),
    }
}

/// Returns the text without the items under `#[cfg(test)]`, and the names of the modules among
/// them that are in other files.
///
/// Formatted code is assumed: an item ends at a line that has its indentation and closes it.
pub(crate) fn without_tests(text: &str) -> (String, Vec<String>) {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let (mut code, mut modules) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let depth = indentation(line);
        let is_end = |line: &&str| {
            let is_attribute = line.trim_start().starts_with("#[");
            indentation(line) == depth && line.ends_with([';', '}', ',']) && !is_attribute
        };
        let end = lines.find(is_end).unwrap_or_default().trim();
        let module = end.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        modules.extend(module.map(str::to_owned));
    }
    (format!("{}\n", code.trim_end()), modules)
}
