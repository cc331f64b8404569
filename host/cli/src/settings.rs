//! The flags for settings that all commands share, and the hosts built from them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use rustix::process::geteuid;

use ophost::config::{Config, Flags, Source};
use ophost::{CompilerBackend, Host, HostBuilder, User};

use super::completion;
use super::error::CliError;
use super::output::{self, EscapedLine, HINT};
use super::untrusted;

/// Flags for the plugins, the data directory and the trust policy.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Settings {
    /// Directory of *.wasm files; repeatable [default: `plugins` in the project directory]
    /// [env: OPHOST_PLUGINS].
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    #[arg(add = ArgValueCompleter::new(completion::directories))]
    pub(super) plugins: Vec<PathBuf>,
    /// Directory of records, documents and caches [default: `.ophost` in the project directory]
    /// [env: OPHOST_DATA].
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    #[arg(add = ArgValueCompleter::new(completion::directories))]
    pub(super) data: Option<PathBuf>,
    /// Owners and modes of settings, plugins and data to accept, separated by `,`: `group-writable`,
    /// `world-writable`, `owner:USER` [default: none] [env: OPHOST_TRUST].
    #[arg(long, global = true, value_name = "WORDS", help_heading = "Global options")]
    #[arg(value_delimiter = ',')]
    pub(super) trust: Vec<String>,
}

impl Settings {
    /// Returns all settings.
    ///
    /// Prints a warning if settings are ignored because the file is not trusted. Prints no warning
    /// if commands that load plugins fail with an error for this reason.
    ///
    /// # Errors
    ///
    /// Returns [`CliError`] if a setting is not valid or a file cannot be read.
    pub(super) fn config(self) -> Result<Config, CliError> {
        let config = self.silent()?;
        if config.check_trusted(true).is_ok() {
            warn_about_ignored(&config);
            warn_about_plugins(&config);
        }
        Ok(config)
    }

    /// Returns all settings without printing warnings.
    ///
    /// # Errors
    ///
    /// As [`Self::config`].
    pub(super) fn silent(self) -> Result<Config, CliError> {
        Ok(Config::read(Flags { plugins: self.plugins, data: self.data, trust: self.trust })?)
    }
}

/// Returns a host builder for commands that load plugins.
///
/// # Errors
///
/// Returns [`CliError`] if a file that is not trusted sets the data or plugin directories, or if
/// the path of this program is unknown.
pub(super) fn builder(config: &Config) -> Result<HostBuilder, CliError> {
    config.check_trusted(true)?;
    with_data(config)
}

/// Returns a host builder for commands that use only the store.
///
/// # Errors
///
/// Returns [`CliError`] if a file that is not trusted sets the data directory, or if the path of
/// this program is unknown.
pub(super) fn store_builder(config: &Config) -> Result<HostBuilder, CliError> {
    config.check_trusted(false)?;
    if config.check_trusted(true).is_err() {
        warn_about_ignored(config);
    }
    with_data(config)
}

/// Returns a host builder for commands that need neither plugins nor the store. Compiled code is
/// not cached if a file that is not trusted sets the data directory, or outside of a project,
/// because the default data directory would make a project of the current directory.
///
/// # Errors
///
/// Returns [`CliError`] if the path of this program is unknown.
pub(super) fn compiling_builder(config: &Config) -> Result<HostBuilder, CliError> {
    if has_usable_data(config) { with_data(config) } else { without_data(config) }
}

/// Returns a host builder for the commands that an author uses during development. Without the
/// setting `compile.compiler`, it compiles with Winch on x86-64.
///
/// It has no plugin directories. Its compiled code is cached like that of [`compiling_builder`].
///
/// # Errors
///
/// Returns [`CliError`] if the path of this program is unknown.
pub(super) fn development_builder(config: &Config) -> Result<HostBuilder, CliError> {
    let backend = compiler(config).unwrap_or(CompilerBackend::for_development());
    let builder = without_plugins(config)?.compiler_backend(backend);
    Ok(if has_usable_data(config) { builder.data(&config.data.value) } else { builder })
}

/// Returns whether there is a data directory, or a project for it, that no untrusted file sets.
fn has_usable_data(config: &Config) -> bool {
    let has_data = config.is_marked || config.data.source != Source::Default;
    has_data && config.check_trusted(false).is_ok()
}

fn with_data(config: &Config) -> Result<HostBuilder, CliError> {
    Ok(without_data(config)?.data(&config.data.value))
}

fn without_data(config: &Config) -> Result<HostBuilder, CliError> {
    let builder = without_plugins(config)?;
    Ok(config.plugins.value.iter().fold(builder, HostBuilder::plugins))
}

/// Returns the compiler that the settings select.
fn compiler(config: &Config) -> Option<CompilerBackend> {
    config.compiler.as_ref().map(|compiler| compiler.value)
}

fn without_plugins(config: &Config) -> Result<HostBuilder, CliError> {
    let builder = Host::builder()
        .until_exit()
        .trust(config.trust.value.clone())
        .record(config.record.value)
        .compiler(ophost::this_program()?, config.compile)
        .compiler_backend(compiler(config).unwrap_or_default());
    let cache = config.cache.iter().map(|cache| &cache.value);
    let builder = cache.fold(builder, HostBuilder::cache);
    let builder = builder.limits(config.limits()).max_limits(config.max_limits());
    let builder = builder.retention(config.retention.policy());
    Ok(config
        .operation_limits()
        .fold(builder, |builder, (name, limits)| builder.operation_limits(name, limits)))
}

/// Warns about plugin directories that are missing, and about `plugins` in the current directory
/// if it is not used.
pub(super) fn warn_about_plugins(config: &Config) {
    if config.plugins.source != Source::Default {
        for missing in config.plugins.value.iter().filter(|path| !path.exists()) {
            output::warn(&format!("plugin directory `{}` does not exist", missing.display()));
        }
        return;
    }
    let used = config.plugins.value.iter().any(|path| is_same_path(path, Path::new("plugins")));
    if !used && Path::new("plugins").is_dir() {
        let project = config.project.display();
        output::warn(&format!(
            "`plugins` in this directory is ignored: the project directory is `{project}`"
        ));
        let text = "run `touch ophost.toml` to make this directory a project";
        output::stderr(&format!("{HINT}hint{HINT:#}: {text}\n"));
    }
}

/// A data directory that this command creates as root in a directory of another user.
pub(super) struct RootOwnedData {
    data: PathBuf,
    owner: User,
}

/// Returns the data directory if this command would create it as root in a directory of another
/// user. Commands of that user could not use it.
pub(super) fn root_owned_data(config: &Config) -> Option<RootOwnedData> {
    let data = config.data.value.clone();
    if !geteuid().is_root() || data.exists() {
        return None;
    }
    let path = std::path::absolute(&data).unwrap_or_else(|_| data.clone());
    let owner = path.ancestors().find_map(|parent| fs::metadata(parent).ok())?.uid();
    (owner != 0).then(|| RootOwnedData { data, owner: User::of(owner) })
}

/// Warns that the data directory belongs to root.
pub(super) fn warn_about_root(data: &RootOwnedData) {
    let RootOwnedData { data, owner } = data;
    output::warn(&format!("`{}` belongs to root, in a directory of {owner}", data.display()));
    let run = untrusted::switch_user(owner);
    let text = format!("run `{run} ophost ...` to run commands as that user");
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&text)));
}

fn is_same_path(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Warns about settings that are ignored because the file is not trusted.
pub(super) fn warn_about_ignored(config: &Config) {
    let (Some(file), Some(untrusted)) = (&config.file, &config.untrusted) else { return };
    if file.ignored.is_empty() {
        return;
    }
    let (path, ignored) = (file.path.display(), file.ignored.join(", "));
    let reason = untrusted.reason_for(&file.path);
    output::warn(&format!("`{path}` is not trusted: {reason}; ignored: {ignored}"));
    let fix = untrusted::fix(untrusted);
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&fix)));
}
