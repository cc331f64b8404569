//! `ophost plugins`: lists, installs and removes plugin files.
//!
//! `installation` copies components into the plugin directory, also for `ophost build --install`.

mod install;
pub(crate) mod installation;
mod list;
mod remove;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use ophost::config::Config;

pub(super) use self::remove::RemoveError;
use super::error::CliError;
use super::with_host;

#[derive(Debug, Args)]
pub(super) struct PluginsArgs {
    #[command(subcommand)]
    command: Option<PluginsCommand>,
}

#[derive(Debug, Subcommand)]
enum PluginsCommand {
    /// List the plugin files, and the reason for each rejected file. This is the default.
    List,
    /// Check plugin files and copy them to the plugin directory.
    Install(install::InstallArgs),
    /// Remove files from the plugin directories.
    Remove(remove::RemoveArgs),
}

pub(super) fn run(args: &PluginsArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    match &args.command {
        None | Some(PluginsCommand::List) => with_host(config, async |host| list::run(&host, json)),
        Some(PluginsCommand::Install(args)) => install::run(args, config, json),
        Some(PluginsCommand::Remove(args)) => {
            with_host(config, async |host| remove::run(&host, args, json))
        }
    }
}
