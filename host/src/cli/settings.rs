//! What every command is told of settings, and what it makes of them.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use super::complete;
use super::error::CliError;
use super::output::{self, HINT, Line, quoted};
use crate::config::{Config, ConfigFile, Flags, Source, Trust};
use crate::host::{self, Host, HostBuilder};

/// Where the plugins and the data are.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Settings {
    /// A directory of *.wasm files; may be given several times [default: `plugins` at the
    /// top of the project] [env: OPHOST_PLUGINS]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    #[arg(add = ArgValueCompleter::new(complete::directories))]
    pub(super) plugins: Vec<PathBuf>,
    /// The directory of what the host keeps [default: `.ophost` at the top of the project]
    /// [env: OPHOST_DATA]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    #[arg(add = ArgValueCompleter::new(complete::directories))]
    pub(super) data: Option<PathBuf>,
}

impl Settings {
    /// Returns all settings, and warns if the file is not to be trusted.
    ///
    /// # Errors
    ///
    /// Returns the first thing that is not understood.
    pub(super) fn config(self) -> Result<Config, CliError> {
        let config = self.silent()?;
        if let Some(file) = &config.file {
            warn(file);
        }
        warn_of_plugins(&config);
        Ok(config)
    }

    /// Returns all settings without a word.
    ///
    /// # Errors
    ///
    /// As [`Self::config`].
    pub(super) fn silent(self) -> Result<Config, CliError> {
        Ok(Config::read(Flags { plugins: self.plugins, data: self.data })?)
    }
}

/// Returns a builder of the host that the settings describe.
///
/// # Errors
///
/// Returns the system's error if it does not say where this program is.
pub(super) fn builder(config: &Config) -> io::Result<HostBuilder> {
    let builder = Host::builder()
        .until_exit()
        .data(&config.data.value)
        .record(config.record.value)
        .compiler(host::this_program()?, config.compile);
    let builder = config.plugins.value.iter().fold(builder, HostBuilder::plugins);
    let builder = builder.limits(config.limits()).max_limits(config.max_limits());
    Ok(config
        .operation_limits()
        .fold(builder, |builder, (name, limits)| builder.operation_limits(name, limits)))
}

/// Says where plugins are not looked for although somebody may think so.
fn warn_of_plugins(config: &Config) {
    if config.plugins.source != Source::Default {
        for missing in config.plugins.value.iter().filter(|path| !path.exists()) {
            output::warn(&format!("there is no plugin directory `{}`", missing.display()));
        }
        return;
    }
    let used = config.plugins.value.iter().any(|path| is_same(path, Path::new("plugins")));
    if !used && Path::new("plugins").is_dir() {
        let project = config.project.display();
        output::warn(&format!("`plugins` here is not used: this is in the project `{project}`"));
        let text = "`touch ophost.toml` makes a project of this directory";
        output::stderr(&format!("{HINT}hint{HINT:#}: {text}\n"));
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn warn(file: &ConfigFile) {
    if file.left_out.is_empty() {
        return;
    }
    let path = file.path.display().to_string();
    let left_out = file.left_out.join(", ");
    output::warn(&format!("`{path}` grants nothing: {}; left out: {left_out}", file.trust));
    if let Some(fix) = trust_fix(file) {
        output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", Line(&fix)));
    }
}

/// Returns how a file comes to be trusted.
pub(super) fn trust_fix(file: &ConfigFile) -> Option<String> {
    let path = quoted(&file.path.display().to_string());
    match file.trust {
        Trust::Trusted => None,
        Trust::Writable { .. } => Some(format!("`chmod go-w {path}`")),
        Trust::Foreign { .. } => {
            Some(format!("read it, then `sudo chown \"$USER\" {path}` if you agree with it"))
        }
    }
}
