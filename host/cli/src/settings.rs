//! What every command is told of settings, and what it makes of them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use rustix::process::geteuid;

use super::complete;
use super::error::CliError;
use super::output::{self, EscapedLine, HINT};
use super::untrusted;
use ophost::User;
use ophost::config::{Config, Flags, Source};
use ophost::{self, Host, HostBuilder};

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
    /// Owners and modes of settings, plugins and data that are accepted: `group-writable`,
    /// `world-writable`, `owner:USER` [env: OPHOST_TRUST]
    #[arg(long, global = true, value_name = "WORDS", help_heading = "Global options")]
    #[arg(value_delimiter = ',')]
    pub(super) trust: Vec<String>,
}

impl Settings {
    /// Returns all settings, and warns of those that are left out since the file is not trusted,
    /// unless a command that needs them fails.
    ///
    /// # Errors
    ///
    /// Returns the first thing that is not understood.
    pub(super) fn config(self) -> Result<Config, CliError> {
        let config = self.silent()?;
        if config.check_trusted(true).is_ok() {
            warn_of_left_out(&config);
            warn_of_plugins(&config);
        }
        Ok(config)
    }

    /// Returns all settings without a word.
    ///
    /// # Errors
    ///
    /// As [`Self::config`].
    pub(super) fn silent(self) -> Result<Config, CliError> {
        Ok(Config::read(Flags { plugins: self.plugins, data: self.data, trust: self.trust })?)
    }
}

/// Returns a builder of the host that the settings describe: for commands that load plugins.
///
/// # Errors
///
/// Returns [`CliError`] if a file that is not trusted says where the data or the plugins are, or
/// if the system does not say where this program is.
pub(super) fn builder(config: &Config) -> Result<HostBuilder, CliError> {
    config.check_trusted(true)?;
    with_data(config)
}

/// Returns a builder of a host without plugins: for commands that look at the store alone.
///
/// # Errors
///
/// Returns [`CliError`] if a file that is not trusted says where the data are, or if the system
/// does not say where this program is.
pub(super) fn store_builder(config: &Config) -> Result<HostBuilder, CliError> {
    config.check_trusted(false)?;
    if config.check_trusted(true).is_err() {
        warn_of_left_out(config);
    }
    with_data(config)
}

/// Returns a builder of a host for commands that need neither plugins nor the store. What is
/// compiled is not kept if it is not known where.
///
/// # Errors
///
/// Returns [`CliError`] if the system does not say where this program is.
pub(super) fn compiling_builder(config: &Config) -> Result<HostBuilder, CliError> {
    match config.check_trusted(false) {
        Ok(()) => with_data(config),
        Err(_) => without_data(config),
    }
}

fn with_data(config: &Config) -> Result<HostBuilder, CliError> {
    Ok(without_data(config)?.data(&config.data.value))
}

fn without_data(config: &Config) -> Result<HostBuilder, CliError> {
    let builder = Host::builder()
        .until_exit()
        .trust(config.trust.value.clone())
        .record(config.record.value)
        .compiler(ophost::this_program()?, config.compile);
    let cache = config.cache.iter().map(|cache| &cache.value);
    let builder = cache.fold(builder, HostBuilder::cache);
    let builder = config.plugins.value.iter().fold(builder, HostBuilder::plugins);
    let builder = builder.limits(config.limits()).max_limits(config.max_limits());
    Ok(config
        .operation_limits()
        .fold(builder, |builder, (name, limits)| builder.operation_limits(name, limits)))
}

/// Says where plugins are not looked for although somebody may think so.
pub(super) fn warn_of_plugins(config: &Config) {
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

/// A data directory that root is about to make in a directory of another user.
pub(super) struct LeftByRoot {
    data: PathBuf,
    owner: User,
}

/// Returns the data directory that would be in the way of the owner of the directory around it.
pub(super) fn left_by_root(config: &Config) -> Option<LeftByRoot> {
    let data = config.data.value.clone();
    if !geteuid().is_root() || data.exists() {
        return None;
    }
    let above = std::path::absolute(&data).unwrap_or_else(|_| data.clone());
    let owner = above.ancestors().find_map(|above| fs::metadata(above).ok())?.uid();
    (owner != 0).then(|| LeftByRoot { data, owner: User::of(owner) })
}

/// Says whose the data directory is now.
pub(super) fn warn_of_root(left: &LeftByRoot) {
    let LeftByRoot { data, owner } = left;
    output::warn(&format!("`{}` belongs to root, in a directory of {owner}", data.display()));
    let run = untrusted::switch(owner);
    let text = format!("run `{run} ophost ..` to run commands as that user");
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&text)));
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Says which settings are left out since the file is not trusted.
pub(super) fn warn_of_left_out(config: &Config) {
    let (Some(file), Some(untrusted)) = (&config.file, &config.untrusted) else { return };
    if file.left_out.is_empty() {
        return;
    }
    let (path, left_out) = (file.path.display(), file.left_out.join(", "));
    let reason = untrusted.reason_for(&file.path);
    output::warn(&format!("`{path}` is not trusted: {reason}; ignored: {left_out}"));
    let fix = untrusted::fix(untrusted);
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&fix)));
}
