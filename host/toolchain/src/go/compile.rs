//! Runs `go build`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::build::{Artifact, BuildEvent};
use crate::command::CommandError;
use crate::embed;
use crate::error::BuildError;
use crate::output::OutputDirectory;

use super::messages;
use super::project::GoProject;
use super::toolchain::Toolchain;

/// The flags of the linker: no debug information, and no build id, which would differ between
/// directories. The runtime of the bindings allocates with a function of Go's runtime, which the
/// linker rejects by default.
const LINKER_FLAGS: &str = "-ldflags=-s -w -buildid= -checklinkname=0";

/// Builds the module of a project, with the contract.
///
/// # Errors
///
/// Returns [`BuildError::Compiler`] with the messages of Go if the project does not compile.
pub(super) fn run(
    project: &GoProject,
    toolchain: &Toolchain,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let directory = project.root.join("target/wasm");
    let output = OutputDirectory::new(directory.clone());
    let _lock = output.lock(report)?;
    report(BuildEvent::Compiling { package: project.name.clone(), compiler: "Go" });
    let files = directory.join("go");
    let compiled = files.join("compiled.wasm");
    compile(project, toolchain, &compiled)?;
    // Go does not link again if its own output is up to date, so that file stays unchanged.
    let module = files.join("module.wasm");
    fs::copy(&compiled, &module).map_err(|source| BuildError::Copy {
        from: compiled,
        to: module.clone(),
        source,
    })?;
    let contract = project.contract();
    embed::contract(&project.name, &module, contract.as_deref())?;
    output.artifact(&project.name, &module)
}

fn compile(project: &GoProject, toolchain: &Toolchain, module: &Path) -> Result<(), BuildError> {
    let mut command = toolchain.command();
    set_arguments(&mut command, module);
    let output = command.current_dir(&project.root).stdin(Stdio::null()).output();
    let output = output.map_err(|source| CommandError::Start {
        program: toolchain.program().display().to_string(),
        source,
    })?;
    if output.status.success() {
        return Ok(());
    }
    // A tab would be escaped, like all control characters of messages.
    let message = String::from_utf8_lossy(&output.stderr).trim_end().replace('\t', "    ");
    let hint = messages::hint(&message);
    Err(BuildError::Compiler { package: project.name.clone(), message, hint })
}

fn set_arguments(command: &mut Command, module: &Path) {
    // A library has no `_start`, so that a host can call its exports.
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", LINKER_FLAGS]);
    command.arg("-o").arg(module).arg(".");
    command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
}
