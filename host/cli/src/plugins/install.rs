//! `ophost plugins install`: checks plugin files and copies them to the plugin directory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use ophost::config::Config;
use ophost::{InspectError, Inspector};

use crate::build::ComponentError;
use crate::error::{CliError, Exit};
use crate::output::{self, EscapedLine};
use crate::settings;

use super::installation::{self, Component, InstallError};

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct InstallArgs {
    /// Component, or core module with component-type metadata.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Replace a plugin of the same name that has other operations.
    #[arg(long)]
    replace: bool,
}

const NOTES: &str = "\
Examples:
  ophost plugins install my-plugin.wasm

A file is copied under its name, which replaces an older version of the plugin. If a host would
reject one of the files, no file is copied. The paths of the written files go to stdout, one per
line; everything else goes to stderr.";

pub(super) fn run(args: &InstallArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let inspector = Inspector::new(&settings::builder(config)?)?;
    super::super::runtime()?.block_on(async {
        let mut components = Vec::new();
        for file in &args.files {
            components.push(component(&inspector, file, config.install_directory()).await?);
        }
        let is_used = installation::install(&components, args.replace, config).await?;
        for component in &components {
            let summary = format!("installed {}", component.summary());
            output::stderr(&format!("{}\n", EscapedLine(&summary)));
        }
        installation::print(&components, json.then_some(("plugins", "name")))?;
        Ok(if is_used { ExitCode::SUCCESS } else { Exit::Failed.into() })
    })
}

async fn component(
    inspector: &Inspector,
    file: &Path,
    directory: &Path,
) -> Result<Component, CliError> {
    if file.is_dir() {
        return Err(InstallError::Directory { dir: file.to_owned() }.into());
    }
    let module = match Inspector::read(file).await {
        Err(InspectError::Unreadable(source)) => {
            return Err(InstallError::Read { file: file.to_owned(), source }.into());
        }
        module => module,
    };
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let path = directory.join(format!("{name}.wasm"));
    let component = match module {
        Ok(module) => Component::new(inspector, name, &module, path).await,
        Err(reason) => Err(reason),
    };
    component.map_err(|source| ComponentError::InvalidFile { file: file.to_owned(), source }.into())
}
