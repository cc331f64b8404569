//! Where a command finds its plugins.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::CompileBudget;
use crate::host::{self, Host, HostBuilder};

/// What marks the top of a project.
const MARKS: [&str; 2] = ["ophost.toml", ".ophost"];

/// Where the plugins are.
#[derive(Debug, Args)]
pub(super) struct Project {
    /// A directory of *.wasm files; may be given several times [default: `plugins` at the
    /// top of the project, which `ophost.toml` or `.ophost` marks, else here]
    #[arg(long, global = true, value_name = "DIR", env = "OPHOST_PLUGINS", value_delimiter = ':')]
    plugins: Vec<PathBuf>,
}

impl Project {
    /// Returns a host's builder that knows where everything is.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there is no current directory or no program.
    pub(super) fn builder(&self) -> io::Result<HostBuilder> {
        let compiler = host::this_program()?;
        let builder =
            Host::builder().data(in_project(".ophost")?).compiler(compiler, CompileBudget::DEFAULT);
        Ok(self.plugin_directories()?.into_iter().fold(builder, HostBuilder::plugins))
    }

    /// Returns the plugin directories, whether they exist or not.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there is no current directory.
    pub(super) fn plugin_directories(&self) -> io::Result<Vec<PathBuf>> {
        if self.plugins.is_empty() {
            Ok(vec![default_plugins()?])
        } else {
            Ok(self.plugins.clone())
        }
    }

    /// Returns the directory that new plugins go to: the first one.
    ///
    /// # Errors
    ///
    /// As [`Self::plugin_directories`].
    pub(super) fn install_directory(&self) -> io::Result<PathBuf> {
        match self.plugins.first() {
            Some(directory) => Ok(directory.clone()),
            None => default_plugins(),
        }
    }
}

fn default_plugins() -> io::Result<PathBuf> {
    in_project("plugins")
}

/// Returns a path at the top of the project, as short as it can be written from here.
fn in_project(name: &str) -> io::Result<PathBuf> {
    let here = env::current_dir()?;
    let top =
        here.ancestors().find(|directory| MARKS.iter().any(|mark| directory.join(mark).exists()));
    Ok(match top {
        Some(top) if top != here => top.join(name),
        _ => Path::new(name).to_owned(),
    })
}
