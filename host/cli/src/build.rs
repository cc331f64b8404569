//! `ophost build`: builds Rust plugins into components.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;
use serde_json::json;

use ophost::config::Config;
use ophost::os_error::{self, Shortage};
use ophost::{InspectError, Inspector, OperationName};
use ophost_toolchain::{Artifact, BuildError};

use super::atomic_file::AtomicFile;
use super::error::{CliError, Exit};
use super::installed;
use super::output::{self, EscapedLine};
use super::settings;

/// Plugins to build, and the destination of their components.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct BuildArgs {
    /// Directory of a plugin, with its `Cargo.toml`.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Write the component to the plugin directory, replacing an older one.
    #[arg(long)]
    install: bool,
    /// Output file, for a single DIR [default: in `wasm/plugins` of cargo's target directory].
    #[arg(long, value_name = "FILE", conflicts_with = "install")]
    out: Option<PathBuf>,
}

const NOTES: &str = "\
Examples:
  ophost build my-plugin --install
  ophost build my-plugin --out my-plugin.wasm

Without --install or --out, the component is written to `wasm/plugins` in cargo's target directory.
The paths of the written files go to stdout, one per line; everything else goes to stderr.

The build uses an installed WebAssembly target. If none is installed, it runs
`rustup target add wasm32-wasip2`. No other tool is needed.";

/// An error while a built module is turned into a component.
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
    #[error("cannot read `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write `{path}`")]
    Write {
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
            Self::NotAPlugin { source, .. } => source.shortage().map(Shortage::hint),
            Self::Read { source, .. } | Self::Write { source, .. } => {
                let is_read_only = source.kind() == io::ErrorKind::ReadOnlyFilesystem;
                let writable = is_read_only.then_some("mount the file system writable");
                os_error::hint(source).or(writable)
            }
        }
    }
}

/// A component that was written.
struct Written {
    package: String,
    file: PathBuf,
    bytes: usize,
    operations: Vec<OperationName>,
}

pub(super) fn run(args: &BuildArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let count = args.dirs.len();
    if args.out.is_some() && count > 1 {
        return Err(ComponentError::OneFile { count }.into());
    }
    let builder = match args.install {
        // The plugin directory makes a project of the current directory.
        true => settings::builder(config)?,
        false => settings::compiling_builder(config)?,
    };
    let artifacts = ophost_toolchain::build(&args.dirs, &mut |event| progress(&event.to_string()))?;
    let inspector = Inspector::new(&builder)?;
    let mut written = Vec::new();
    for artifact in artifacts {
        let file = args.destination(&artifact, config.install_directory());
        written.push(super::runtime()?.block_on(finish(&inspector, artifact, file))?);
    }
    print(&written, json)?;
    let files: Vec<_> = written.iter().map(|it| it.file.as_path()).collect();
    if args.install && !super::runtime()?.block_on(installed::load(&files, config))? {
        return Ok(Exit::Failed.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the package in `dir`, and returns the path of the module or component.
///
/// # Errors
///
/// Returns [`CliError`] if the package cannot be built.
pub(super) fn module(dir: &Path) -> Result<PathBuf, CliError> {
    let dirs = [dir.to_owned()];
    let artifacts = ophost_toolchain::build(&dirs, &mut |event| progress(&event.to_string()))?;
    let module = artifacts.into_iter().next().map(|artifact| artifact.wasm);
    module.ok_or_else(|| BuildError::NoModule { package: dir.display().to_string() }.into())
}

impl BuildArgs {
    fn destination(&self, artifact: &Artifact, installed: &Path) -> PathBuf {
        let name = format!("{}.wasm", artifact.package);
        match &self.out {
            Some(file) => file.clone(),
            None if self.install => installed.join(name),
            None => artifact.target.join("wasm/plugins").join(name),
        }
    }
}

/// Converts a built module to a component, checks that a host accepts it, and writes it to `file`.
async fn finish(
    inspector: &Inspector,
    artifact: Artifact,
    file: PathBuf,
) -> Result<Written, ComponentError> {
    let Artifact { package, wasm, .. } = artifact;
    let module = match fs::read(&wasm) {
        Ok(module) => module,
        Err(source) => return Err(ComponentError::Read { path: wasm, source }),
    };
    let (component, operations) = match inspector.componentize(&module).await {
        Ok((component, report)) => {
            let operations = report.plugin.operations.into_iter();
            (component, operations.map(|operation| operation.name).collect::<Vec<_>>())
        }
        Err(source) => return Err(ComponentError::NotAPlugin { package, source }),
    };
    let bytes = component.len();
    match replace(&file, &component) {
        Ok(()) => Ok(Written { package, file, bytes, operations }),
        Err(source) => Err(ComponentError::Write { path: file, source }),
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

fn print(written: &[Written], json: bool) -> Result<(), CliError> {
    for Written { package, bytes, operations, .. } in written {
        let names: Vec<_> = operations.iter().map(OperationName::as_str).collect();
        progress(&format!(
            "built `{package}`, {}: {}",
            ByteSize::b(*bytes as u64),
            names.join(", ")
        ));
    }
    if json {
        let components: Vec<_> = written.iter().map(as_json).collect();
        return output::json(&json!({"components": components}));
    }
    let line = |it: &Written| format!("{}\n", EscapedLine(&it.file.to_string_lossy()));
    output::stdout(&written.iter().map(line).collect::<String>())
}

fn as_json(written: &Written) -> serde_json::Value {
    let Written { package, file, bytes, operations } = written;
    let file = file.display().to_string();
    json!({"package": package, "file": file, "bytes": bytes, "operations": operations})
}

/// Prints a line of progress to stderr.
fn progress(line: &str) {
    output::stderr(&format!("{}\n", EscapedLine(line)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(out: Option<&str>, install: bool) -> PathBuf {
        let artifact = Artifact {
            package: "my-plugin".to_owned(),
            wasm: "my_plugin.wasm".into(),
            target: "/p/target".into(),
        };
        let out = out.map(PathBuf::from);
        let args = BuildArgs { dirs: Vec::new(), install, out };
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
            let (path, source) = ("a.wasm".into(), io::Error::from(errno));
            CliError::from(ComponentError::Write { path, source })
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
