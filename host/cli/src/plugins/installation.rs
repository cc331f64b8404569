//! Copies components into the plugin directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use serde_json::{Value, json};

use ophost::config::Config;
use ophost::os_error;
use ophost::{Host, HostBuilder, InspectError, Inspector, Operation, Plugin, PluginState};

use crate::atomic_file::AtomicFile;
use crate::compile_progress::with_progress;
use crate::error::CliError;
use crate::installed;
use crate::output::{self, EscapedLine};
use crate::settings;

/// A component that a host accepts, and the file for it.
pub(crate) struct Component {
    /// The name of the package or file, for messages.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) plugin: Plugin,
    pub(crate) file: PathBuf,
}

/// An error because of which a component is not installed. The plugin directory is unchanged,
/// except for components that were written before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("`{}` is another plugin, with {operations}", file.display())]
    OtherPlugin { file: PathBuf, operations: String },
    #[error("operation `{operation}` of `{name}` is also declared by `{}`", file.display())]
    TakenName { name: String, operation: String, file: PathBuf },
    #[error("two plugins would be written to `{}`", file.display())]
    SameFile { file: PathBuf },
    #[error("`{}` is a directory", dir.display())]
    Directory { dir: PathBuf },
    #[error("cannot read `{}`", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("cannot write `{}`", file.display())]
    Write { file: PathBuf, source: io::Error },
}

impl InstallError {
    /// Returns a hint if the system failed, and not the plugin.
    pub(crate) fn host_hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherPlugin { .. }
            | Self::TakenName { .. }
            | Self::SameFile { .. }
            | Self::Directory { .. }
            | Self::Read { .. } => None,
            Self::Write { source, .. } => {
                let is_read_only = source.kind() == io::ErrorKind::ReadOnlyFilesystem;
                let writable = is_read_only.then_some("mount the file system writable");
                os_error::hint(source).or(writable)
            }
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::OtherPlugin { .. } => {
                Some("use `--replace` to replace it, or rename the new plugin".to_owned())
            }
            Self::TakenName { file, .. } => {
                let file = output::quoted(&file.display().to_string());
                Some(format!("rename the operation, or run `ophost plugins remove {file}`"))
            }
            Self::Directory { dir } => {
                let dir = output::quoted(&dir.display().to_string());
                Some(format!("run `ophost build {dir} --install` to build and install its plugin"))
            }
            Self::SameFile { .. } => Some("rename one of them".to_owned()),
            Self::Read { source, .. } => os_error::hint(source).map(ToOwned::to_owned),
            Self::Write { .. } => self.host_hint().map(ToOwned::to_owned),
        }
    }
}

impl Component {
    /// Converts a module to a component, and checks that a host accepts it.
    ///
    /// # Errors
    ///
    /// Returns the reason why a host would reject the component.
    pub(crate) async fn new(
        inspector: &Inspector,
        name: String,
        module: &[u8],
        file: PathBuf,
    ) -> Result<Self, InspectError> {
        let (bytes, report) = inspector.componentize(module).await?;
        Ok(Self { name, bytes, plugin: report.plugin, file })
    }

    /// Writes the component, also over an existing file.
    ///
    /// # Errors
    ///
    /// Returns [`InstallError::Write`] if the file cannot be written.
    pub(crate) fn write(&self) -> Result<(), InstallError> {
        replace(&self.file, &self.bytes)
            .map_err(|source| InstallError::Write { file: self.file.clone(), source })
    }

    /// Returns one line for each plugin: its size and its operations with their models.
    pub(crate) fn summary(&self) -> String {
        let operations: Vec<_> = self.plugin.operations.iter().map(with_models).collect();
        let size = ByteSize::b(self.bytes.len() as u64);
        format!("`{}`, {size}: {}", self.name, operations.join(", "))
    }

    pub(crate) fn as_json(&self, key: &str) -> Value {
        let names: Vec<_> = self.plugin.operations.iter().map(|it| it.name.as_str()).collect();
        let file = self.file.display().to_string();
        let models: serde_json::Map<_, _> = self
            .plugin
            .operations
            .iter()
            .map(|it| {
                let models = json!({"reads": it.models_in, "writes": it.models_out});
                (it.name.to_string(), models)
            })
            .collect();
        json!({
            key: self.name,
            "file": file,
            "bytes": self.bytes.len(),
            "operations": names,
            "models": models,
        })
    }
}

/// Returns the name of an operation and the models that it reads and writes.
fn with_models(operation: &Operation) -> String {
    let Operation { name, models_in, models_out, .. } = operation;
    let uses = [("reads", models_in), ("writes", models_out)];
    let uses = uses.into_iter().filter(|(_, models)| !models.is_empty());
    let uses: Vec<_> = uses.map(|(verb, models)| format!("{verb} {}", models.join(", "))).collect();
    match uses.is_empty() {
        true => name.to_string(),
        false => format!("{name} ({})", uses.join("; ")),
    }
}

/// Replaces `file` atomically, because a host may be watching it. Independent of the umask, only
/// this user can write to the file, because hosts reject other files.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    let mut new = AtomicFile::with_mode(file, 0o644)?;
    new.write_all(bytes)?;
    new.persist()
}

/// Writes components to the plugin directory, loads all plugins, and so fills the code cache.
/// Returns whether a host uses all of them, and warns about each rejected file.
///
/// # Errors
///
/// Returns [`CliError`] if a component would replace another plugin without `may_replace`, declares
/// an operation of another file, or cannot be written.
pub(crate) async fn install(
    components: &[Component],
    may_replace: bool,
    config: &Config,
) -> Result<bool, CliError> {
    check_files_differ(components)?;
    let host = load(config).await?;
    for component in components {
        check_names(component, components, &host)?;
        if !may_replace {
            check_replaced(component, &host)?;
        }
    }
    for component in components {
        component.write()?;
    }
    drop(host);
    let files: Vec<_> = components.iter().map(|it| it.file.as_path()).collect();
    installed::load(&files, config).await
}

async fn load(config: &Config) -> Result<Host, CliError> {
    Ok(with_progress(settings::builder(config)?, HostBuilder::build).await?)
}

fn check_files_differ(components: &[Component]) -> Result<(), InstallError> {
    let mut files = BTreeSet::new();
    match components.iter().find(|component| !files.insert(&component.file)) {
        Some(Component { file, .. }) => Err(InstallError::SameFile { file: file.clone() }),
        None => Ok(()),
    }
}

/// Checks that no file beside the replaced ones declares a name of the component.
fn check_names(
    component: &Component,
    components: &[Component],
    host: &Host,
) -> Result<(), InstallError> {
    let catalog = host.catalog();
    for operation in &component.plugin.operations {
        for name in std::iter::once(&operation.name).chain(&operation.hints.aliases) {
            let Some(taken) = catalog.get(name.as_str()) else { continue };
            if components.iter().all(|written| written.file != taken.file) {
                return Err(InstallError::TakenName {
                    name: component.name.clone(),
                    operation: name.to_string(),
                    file: taken.file.to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// Checks that an existing file is an older version of the plugin: a plugin of the same name, with
/// at least one of its operations. A rejected file can be replaced.
fn check_replaced(component: &Component, host: &Host) -> Result<(), InstallError> {
    let catalog = host.catalog();
    for state in catalog.plugins() {
        let PluginState::Used { file, operations, .. } = state else { continue };
        let is_same = |name: &str| {
            component.plugin.operations.iter().any(|operation| operation.name.as_str() == name)
        };
        if file == component.file && !operations.iter().any(|name| is_same(name.as_str())) {
            let names: Vec<_> = operations.iter().map(|name| format!("`{name}`")).collect();
            let noun = if names.len() == 1 { "operation" } else { "operations" };
            return Err(InstallError::OtherPlugin {
                file: file.to_owned(),
                operations: format!("the {noun} {}", names.join(", ")),
            });
        }
    }
    Ok(())
}

/// Prints the paths of the written files to stdout, or all properties as JSON.
pub(crate) fn print(components: &[Component], json: Option<(&str, &str)>) -> Result<(), CliError> {
    if let Some((list, key)) = json {
        let components: Vec<_> = components.iter().map(|it| it.as_json(key)).collect();
        return output::json(&json!({list: components}));
    }
    let line = |it: &Component| format!("{}\n", EscapedLine(&it.file.to_string_lossy()));
    output::stdout(&components.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_file_leaves_no_temporary_file() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("new/a.wasm");
        replace(&file, b"old").unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::read_dir(scratch.path().join("new")).unwrap().count(), 1);
    }
}
