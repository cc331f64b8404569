//! `ophost plugins remove`: removes files from the plugin directories.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use ophost::{Host, PluginState, os_error};
use ophost_document::suggest::closest_match;

use crate::completion;
use crate::error::CliError;
use crate::output::{self, EscapedLine};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ophost plugins remove greeter\n  \
    ophost plugins remove plugins/greeter.wasm")]
pub(super) struct RemoveArgs {
    /// Name of a plugin, or name or path of its file.
    #[arg(required = true, value_name = "NAME|FILE")]
    #[arg(add = ArgValueCandidates::new(completion::plugins))]
    names: Vec<PathBuf>,
}

/// An error while plugin files are removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoveError {
    #[error("no plugin `{name}`")]
    Missing { name: String, similar: Option<String> },
    #[error("`{name}` is the name of several plugins: {files}")]
    Ambiguous { name: String, files: String },
    #[error("cannot remove `{}`", file.display())]
    Remove { file: PathBuf, source: io::Error },
}

impl RemoveError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { similar: Some(similar), .. } => {
                Some(format!("did you mean `{similar}`?"))
            }
            Self::Missing { similar: None, .. } => {
                Some("run `ophost plugins` to list the plugin files".to_owned())
            }
            Self::Ambiguous { .. } => Some("name the file".to_owned()),
            Self::Remove { source, .. } => os_error::hint(source).map(ToOwned::to_owned),
        }
    }
}

/// A plugin file that can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Installed {
    file: PathBuf,
    /// The declared name; `None` for a rejected file.
    plugin: Option<String>,
    operations: Vec<String>,
}

impl Installed {
    fn new(state: &PluginState<'_>) -> Self {
        let file = state.file().to_owned();
        match state {
            PluginState::Used { plugin, operations, .. } => Self {
                file,
                plugin: Some((*plugin).to_owned()),
                operations: operations.iter().map(ToString::to_string).collect(),
            },
            PluginState::Rejected { .. } => Self { file, plugin: None, operations: Vec::new() },
        }
    }

    fn is_at(&self, path: &Path) -> bool {
        self.file == path
            || matches!(
                (std::path::absolute(&self.file), std::path::absolute(path)),
                (Ok(file), Ok(path)) if file == path
            )
    }

    fn has_file_name(&self, name: &Path) -> bool {
        let names = [self.file.file_name(), self.file.file_stem()];
        names.contains(&Some(name.as_os_str()))
    }
}

/// Removes all files, or none if a name is not that of one file.
pub(super) fn run(host: &Host, args: &RemoveArgs, json: bool) -> Result<ExitCode, CliError> {
    let catalog = host.catalog();
    let installed: Vec<_> = catalog.plugins().iter().map(Installed::new).collect();
    let mut removed: Vec<&Installed> = Vec::new();
    for name in &args.names {
        let found = find(&installed, name)?;
        if !removed.contains(&found) {
            removed.push(found);
        }
    }
    for Installed { file, .. } in &removed {
        fs::remove_file(file)
            .map_err(|source| RemoveError::Remove { file: file.clone(), source })?;
    }
    if json {
        let removed: Vec<_> = removed.iter().map(|it| as_json(it)).collect();
        output::json(&json!({"removed": removed}))?;
    } else {
        output::stdout(&removed.iter().map(|it| text(it)).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the file with a path, a file name or, if there is none, a plugin name.
fn find<'a>(installed: &'a [Installed], name: &Path) -> Result<&'a Installed, RemoveError> {
    let text = name.display().to_string();
    let is_plugin = |it: &&Installed| it.plugin.as_ref() == Some(&text);
    let mut found: Vec<_> = installed.iter().filter(|it| it.is_at(name)).collect();
    if found.is_empty() {
        found = installed.iter().filter(|it| it.has_file_name(name)).collect();
    }
    if found.is_empty() {
        found = installed.iter().filter(is_plugin).collect();
    }
    match found[..] {
        [one] => Ok(one),
        [] => {
            let files = installed.iter().filter_map(|it| it.file.file_name()?.to_str());
            let stems = files.clone().map(|file| file.strip_suffix(".wasm").unwrap_or(file));
            let plugins = installed.iter().filter_map(|it| it.plugin.as_deref());
            let known = stems.chain(plugins).chain(files);
            let similar = closest_match(&text, known).map(ToOwned::to_owned);
            Err(RemoveError::Missing { name: text, similar })
        }
        _ => {
            let files: Vec<_> = found.iter().map(|it| format!("`{}`", it.file.display())).collect();
            Err(RemoveError::Ambiguous { name: text, files: files.join(", ") })
        }
    }
}

fn text(removed: &Installed) -> String {
    let Installed { file, operations, .. } = removed;
    let operations = match operations.is_empty() {
        true => "no operations".to_owned(),
        false => operations.join(", "),
    };
    let line = format!("removed `{}`: {operations}", file.display());
    format!("{}\n", EscapedLine(&line))
}

fn as_json(removed: &Installed) -> serde_json::Value {
    let Installed { file, operations, .. } = removed;
    json!({"file": file.display().to_string(), "operations": operations})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(file: &str, plugin: &str) -> Installed {
        Installed { file: file.into(), plugin: Some(plugin.to_owned()), operations: Vec::new() }
    }

    #[test]
    fn file_name_has_precedence_over_a_plugin_name() {
        let all =
            [installed("p/a.wasm", "b"), installed("p/b.wasm", "c"), installed("q/c.wasm", "c")];
        let file = |name: &str| find(&all, Path::new(name)).map(|it| it.file.display().to_string());
        for (name, expected) in [
            ("a", "p/a.wasm"),
            ("a.wasm", "p/a.wasm"),
            ("./p/a.wasm", "p/a.wasm"),
            ("b", "p/b.wasm"),
            ("c", "q/c.wasm"),
        ] {
            assert_eq!(file(name).unwrap(), expected);
        }
        let renamed = [installed("p/x.wasm", "c"), installed("q/y.wasm", "c")];
        let error = find(&renamed, Path::new("c")).unwrap_err();
        let expected = "`c` is the name of several plugins: `p/x.wasm`, `q/y.wasm`";
        assert_eq!(error.to_string(), expected);
        let error = find(&all, Path::new("a.wsm")).unwrap_err();
        assert_eq!(error.to_string(), "no plugin `a.wsm`");
        assert_eq!(error.hint().as_deref(), Some("did you mean `a.wasm`?"));
    }
}
