//! `ophost build`: builds plugins into components.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use ophost::config::Config;
use ophost::os_error::{self, Shortage};
use ophost::{InspectError, Inspector};
use ophost_toolchain::{Artifact, BuildError};

use super::completion;
use super::error::{CliError, Exit};
use super::output::{self, EscapedLine};
use super::plugins::installation::{self, Component};
use super::settings;

/// Plugins to build, and the destination of their components.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct BuildArgs {
    /// Directory of a plugin, with its `Cargo.toml`, `pyproject.toml`, `package.json` or `go.mod`.
    #[arg(default_value = ".", value_name = "DIR")]
    #[arg(add = ArgValueCompleter::new(completion::directories))]
    dirs: Vec<PathBuf>,
    /// Write the component to the plugin directory, replacing an older version.
    #[arg(long)]
    install: bool,
    /// With --install, replace a plugin of the same name that has other operations.
    #[arg(long, requires = "install")]
    replace: bool,
    /// Output file, for a single DIR [default: in `target/wasm/plugins` of the plugin].
    #[arg(long, value_name = "FILE", conflicts_with = "install")]
    out: Option<PathBuf>,
}

const NOTES: &str = "\
Examples:
  ophost build
  ophost build my-plugin --install
  ophost build my-plugin --out my-plugin.wasm

Without --install or --out, the component is written to `wasm/plugins` in the target directory: that
of cargo, or `target` of another project. The paths of the written files go to stdout, one per
line; everything else goes to stderr.

Rust: the build uses an installed WebAssembly target. If none is installed, it runs
`rustup target add wasm32-wasip2`. No other tool is needed. Plugins of one package share the
compiled dependencies in `ophost/rust-target` of the cache directory (`XDG_CACHE_HOME` or
`~/.cache`), unless the author sets cargo's target directory.

Python: the build uses componentize-py of the first that exists: `.venv` in the project or in a
directory above, up to the top of the repository; the environment in `VIRTUAL_ENV`; `PATH`. The
packages of the environment can be imported.

TypeScript and JavaScript: the build uses `node` of `PATH`, and the packages in `node_modules` of the
project or of a directory above. esbuild bundles the modules; types are not checked. `\"ophost\":
{\"engine\": \"starlingmonkey\"}` in `package.json` selects the engine StarlingMonkey instead of
QuickJS.

Go: the build uses `go` of `.venv`, `VIRTUAL_ENV` or `PATH`, in this order, as for Python.

C, C++ and Zig: `plugin.toml` names the language. C and C++ are compiled by clang if it has a C library
for WebAssembly, else by Zig. Zig is the package `ziglang` of `.venv`, `VIRTUAL_ENV` or `PATH`, else
`zig` of `PATH`.";

/// An error while a module is turned into a component.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComponentError {
    #[error("`--out` is one file, but {count} plugins are built")]
    OneFile { count: usize },
    #[error("package `{package}` is not a valid plugin")]
    NotAPlugin {
        package: String,
        #[source]
        source: InspectError,
    },
    #[error("`{}` is not a valid plugin", file.display())]
    InvalidFile {
        file: PathBuf,
        #[source]
        source: InspectError,
    },
    #[error("cannot read `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ComponentError {
    /// Returns a hint if the system failed, and not the plugin.
    pub(super) fn host_hint(&self) -> Option<&'static str> {
        match self {
            Self::OneFile { .. } => None,
            Self::NotAPlugin { source, .. } | Self::InvalidFile { source, .. } => {
                source.shortage().map(Shortage::hint)
            }
            Self::Read { source, .. } => os_error::hint(source),
        }
    }
}

pub(super) fn run(args: &BuildArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let count = args.dirs.len();
    if args.out.is_some() && count > 1 {
        return Err(ComponentError::OneFile { count }.into());
    }
    if args.install {
        config.check_trusted(true)?;
    }
    let artifacts = ophost_toolchain::build(&args.dirs, &mut |event| progress(&event.to_string()))?;
    super::runtime()?.block_on(async {
        let components = args.components(artifacts, config).await?;
        let is_used = match args.install {
            true => installation::install(&components, args.replace, config).await?,
            false => write(&components).map(|()| true)?,
        };
        for component in &components {
            progress(&format!("built {}", component.summary()));
        }
        installation::print(&components, json.then_some(("components", "package")))?;
        Ok(if is_used { ExitCode::SUCCESS } else { Exit::Failed.into() })
    })
}

/// Builds the plugin in `dir`, and returns the path of the module or component.
///
/// # Errors
///
/// Returns [`CliError`] if the plugin cannot be built.
pub(super) fn module(dir: &Path) -> Result<PathBuf, CliError> {
    let dirs = [dir.to_owned()];
    let artifacts = ophost_toolchain::build(&dirs, &mut |event| progress(&event.to_string()))?;
    let module = artifacts.into_iter().next().map(|artifact| artifact.wasm);
    module.ok_or_else(|| BuildError::NoModule { package: dir.display().to_string() }.into())
}

fn write(components: &[Component]) -> Result<(), CliError> {
    components.iter().try_for_each(|component| Ok(component.write()?))
}

impl BuildArgs {
    /// Converts the modules to components, and checks that a host accepts them.
    async fn components(
        &self,
        artifacts: Vec<Artifact>,
        config: &Config,
    ) -> Result<Vec<Component>, CliError> {
        let builder = match self.install {
            // The plugin directory makes a project of the current directory.
            true => settings::builder(config)?,
            false => settings::development_builder(config)?,
        };
        let inspector = Inspector::new(&builder)?;
        let mut components = Vec::new();
        for artifact in artifacts {
            let file = self.destination(&artifact, config.install_directory());
            components.push(component(&inspector, artifact, file).await?);
        }
        Ok(components)
    }

    fn destination(&self, artifact: &Artifact, installed: &Path) -> PathBuf {
        let name = format!("{}.wasm", artifact.package);
        match &self.out {
            Some(file) => file.clone(),
            None if self.install => installed.join(name),
            None => artifact.directory.join(name),
        }
    }
}

async fn component(
    inspector: &Inspector,
    artifact: Artifact,
    file: PathBuf,
) -> Result<Component, ComponentError> {
    let Artifact { package, wasm, .. } = artifact;
    let module = match fs::read(&wasm) {
        Ok(module) => module,
        Err(source) => return Err(ComponentError::Read { path: wasm, source }),
    };
    let component = Component::new(inspector, package.clone(), &module, file).await;
    component.map_err(|source| ComponentError::NotAPlugin { package, source })
}

/// Prints a line of progress to stderr.
fn progress(line: &str) {
    output::stderr(&format!("{}\n", EscapedLine(line)));
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::plugins::installation::InstallError;

    fn destination(out: Option<&str>, install: bool) -> PathBuf {
        let artifact = Artifact {
            package: "my-plugin".to_owned(),
            wasm: "my_plugin.wasm".into(),
            directory: "/p/target/wasm/plugins".into(),
        };
        let out = out.map(PathBuf::from);
        let args = BuildArgs { dirs: Vec::new(), install, replace: false, out };
        args.destination(&artifact, Path::new("plugins"))
    }

    #[test]
    fn component_is_written_to_the_chosen_destination() {
        assert_eq!(destination(None, true), Path::new("plugins/my-plugin.wasm"));
        assert_eq!(destination(Some("a.wasm"), false), Path::new("a.wasm"));
        assert_eq!(destination(None, false), Path::new("/p/target/wasm/plugins/my-plugin.wasm"));
    }

    #[test]
    fn shortage_of_the_system_is_not_a_fault_of_the_plugin() {
        use rustix::io::Errno;
        let written = |errno| {
            let (file, source) = ("a.wasm".into(), io::Error::from(errno));
            CliError::from(InstallError::Write { file, source })
        };
        for errno in [Errno::NOSPC, Errno::FBIG, Errno::ROFS, Errno::MFILE] {
            let error = written(errno);
            assert!(error.exit() == Exit::Host && error.hint().is_some(), "{errno}");
        }
        assert_eq!(written(Errno::NOTDIR).exit(), Exit::Failed);
        let short = |source| {
            let package = "a".to_owned();
            CliError::from(ComponentError::NotAPlugin { package, source })
        };
        let error = short(InspectError::Unreadable(io::Error::other(Shortage::Threads)));
        assert_eq!(
            (error.exit(), error.hint().as_deref()),
            (Exit::Host, Some(Shortage::Threads.hint()))
        );
        assert_eq!(short(InspectError::Rejected("too large".to_owned())).exit(), Exit::Failed);
    }
}
