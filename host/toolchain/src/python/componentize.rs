//! Runs componentize-py.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::build::{Artifact, BuildEvent};
use crate::command::CommandError;
use crate::contract;
use crate::error::BuildError;
use crate::output::OutputDirectory;

use super::project::PythonProject;
use super::toolchain::Toolchain;
use super::traceback;

/// The name of the generated module.
const ENTRY: &str = "ophost_entry";

/// Builds the component of a project.
///
/// # Errors
///
/// Returns [`BuildError::Python`] with the message of Python if the modules of the project cannot
/// be imported or do not describe a plugin.
pub(super) fn run(
    project: &PythonProject,
    toolchain: &Toolchain,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let directory = project.root.join("target/wasm");
    let output = OutputDirectory::new(directory.clone());
    let _lock = output.lock(report)?;
    let inputs = Inputs::write(project, toolchain, directory.join("python"))
        .map_err(|source| BuildError::TargetDirectory { path: directory, source })?;
    let package = project.name.clone();
    report(BuildEvent::Compiling { package, compiler: "componentize-py" });
    let component = inputs.compile(project, toolchain)?;
    output.artifact(&project.name, &component)
}

/// The generated files of a build, and the directories of modules.
struct Inputs {
    directory: PathBuf,
    contract: PathBuf,
    /// The directories of modules, as componentize-py numbers them from 0.
    paths: Vec<PathBuf>,
}

impl Inputs {
    fn write(
        project: &PythonProject,
        toolchain: &Toolchain,
        directory: PathBuf,
    ) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(format!("{ENTRY}.py")), entry(project)?)?;
        let contract = contract::directory(&project.root, &directory)?;
        let mut paths = vec![directory.clone()];
        paths.extend(project.paths.iter().cloned());
        paths.extend(toolchain.packages());
        Ok(Self { directory, contract, paths })
    }

    fn compile(
        &self,
        project: &PythonProject,
        toolchain: &Toolchain,
    ) -> Result<PathBuf, BuildError> {
        let component = self.directory.join("component.wasm");
        let output = self.command(toolchain, &component).output();
        let output = output.map_err(|source| CommandError::Start {
            program: toolchain.program.display().to_string(),
            source,
        })?;
        if output.status.success() {
            return Ok(component);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let message = traceback::message(&stderr, &self.paths);
        let hint = traceback::hint(&message);
        Err(BuildError::Compiler { package: project.name.clone(), message, hint })
    }

    fn command(&self, toolchain: &Toolchain, component: &Path) -> Command {
        let mut command = Command::new(&toolchain.program);
        command.arg("-d").arg(&self.contract).args(["-w", "plugin", "componentize", ENTRY]);
        for path in &self.paths {
            command.arg("-p").arg(path);
        }
        command.arg("-o").arg(component).stdin(Stdio::null());
        // In a directory without packages, its own search finds no others than those in `paths`.
        command.env("VIRTUAL_ENV", &self.directory);
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

/// Returns the module that imports the operations and exports them.
fn entry(project: &PythonProject) -> io::Result<String> {
    let module = &project.module;
    // A JSON text without a surrogate is a Python text too.
    let name = serde_json::to_string(&project.name)?;
    let version = serde_json::to_string(&project.version)?;
    // `SystemExit` would end componentize-py without a traceback.
    Ok(format!(
        "try:\n    \
             import {module}\n\
         except SystemExit as error:\n    \
             message = \"the module `{module}` calls exit while it is imported\"\n    \
             raise RuntimeError(message) from error\n\
         from ophost_sdk.component import export\n\n\
         Operations = export({name}, {version})\n"
    ))
}
