//! Generates the entry module, bundles it, and makes a component of the bundle.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use crate::build::{Artifact, BuildEvent};
use crate::command::CommandError;
use crate::contract;
use crate::error::BuildError;
use crate::output::OutputDirectory;

use super::engine::Engine;
use super::project::JavaScriptProject;
use super::toolchain::Toolchain;

/// The script that bundles and componentizes.
const SCRIPT: &str = include_str!("build.mjs");

/// The input of the script.
#[derive(Serialize)]
struct Settings<'a> {
    root: &'a Path,
    engine: Engine,
    /// The text of the entry module.
    entry: String,
    esbuild: &'a Path,
    componentizer: &'a Path,
    sdk: &'a Path,
    versions: &'a [String],
    /// The directory of the contract.
    contract: PathBuf,
    bundle: PathBuf,
    component: PathBuf,
    /// The file with everything that the component was made of.
    key: PathBuf,
}

/// The output of the script.
#[derive(Deserialize)]
struct Answer {
    message: Option<String>,
    cause: Option<Cause>,
}

/// The cause of a failed build, if a fix is known.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cause {
    /// A module of Node.js is imported.
    Builtin,
    /// A package that is not installed is imported.
    Package,
    /// A package of the toolchain does not start.
    Broken,
}

impl Cause {
    fn hint(self) -> &'static str {
        match self {
            Self::Builtin => {
                "a component has no modules of Node.js such as `fs`: an operation has no files and no \
                 network; use another package, or the functions of `ophost-sdk`"
            }
            Self::Package => "install the package into the project with `npm install`",
            Self::Broken => {
                "install the packages of the project again: `rm -r node_modules && npm install`"
            }
        }
    }
}

/// Builds the component of a project. A component of the same inputs is not built again.
///
/// # Errors
///
/// Returns [`BuildError::Compiler`] if the modules of the project cannot be bundled, throw an error
/// or do not describe a plugin.
pub(super) fn run(
    project: &JavaScriptProject,
    toolchain: &Toolchain,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let directory = project.root.join("target/wasm");
    let output = OutputDirectory::new(directory.clone());
    let _lock = output.lock(report)?;
    let (package, compiler) = (project.name.clone(), project.engine.componentizer().name);
    report(BuildEvent::Compiling { package, compiler });
    let component = compile(project, toolchain, &directory.join("javascript"))?;
    output.artifact(&project.name, &component)
}

fn compile(
    project: &JavaScriptProject,
    toolchain: &Toolchain,
    directory: &Path,
) -> Result<PathBuf, BuildError> {
    let component = directory.join("component.wasm");
    let [script, settings] = ["build.mjs", "settings.json"].map(|name| directory.join(name));
    let write = || {
        fs::create_dir_all(directory)?;
        fs::write(&script, SCRIPT)?;
        let text = serde_json::to_vec(&settings_of(project, toolchain, directory)?)?;
        fs::write(&settings, text)
    };
    write().map_err(|source| BuildError::TargetDirectory { path: directory.to_owned(), source })?;
    let mut node = Command::new("node");
    node.arg(&script).arg(&settings).stdin(Stdio::null());
    let output = node.output();
    let output =
        output.map_err(|source| CommandError::Start { program: "node".to_owned(), source })?;
    let answer = answer(&output);
    match answer.message {
        None => Ok(component),
        Some(message) => {
            let hint = answer.cause.map(Cause::hint);
            Err(BuildError::Compiler { package: project.name.clone(), message, hint })
        }
    }
}

/// Returns the answer of the script. Node.js itself can end without one, for example without memory.
fn answer(output: &Output) -> Answer {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Answer { message: Some(message), cause: None }
    })
}

fn settings_of<'a>(
    project: &'a JavaScriptProject,
    toolchain: &'a Toolchain,
    directory: &Path,
) -> io::Result<Settings<'a>> {
    Ok(Settings {
        root: &project.root,
        engine: project.engine,
        entry: entry(project)?,
        esbuild: &toolchain.esbuild,
        componentizer: &toolchain.componentizer,
        sdk: &toolchain.sdk,
        versions: &toolchain.versions,
        contract: contract::directory(&project.root, directory)?,
        bundle: directory.join("bundle.js"),
        component: directory.join("component.wasm"),
        key: directory.join("key.json"),
    })
}

/// Returns the module that imports the operations and exports them.
fn entry(project: &JavaScriptProject) -> io::Result<String> {
    // A JSON text is a literal of JavaScript too.
    let main = serde_json::to_string(&format!("./{}", project.main.trim_start_matches("./")))?;
    let name = serde_json::to_string(&project.name)?;
    let version = serde_json::to_string(&project.version)?;
    Ok(format!(
        "import \"ophost-sdk/component/preload\";\n\
         import * as plugin from {main};\n\
         import {{ exportPlugin }} from \"ophost-sdk/component\";\n\
         export const operations = exportPlugin({name}, {version}, plugin);\n"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn answer_of(stdout: &str, stderr: &str) -> Answer {
        let [stdout, stderr] = [stdout, stderr].map(|text| text.as_bytes().to_vec());
        answer(&Output { status: ExitStatus::from_raw(0), stdout, stderr })
    }

    #[test]
    fn answer_without_json_is_the_message_of_node() {
        assert!(answer_of("{}\n", "a warning").message.is_none());
        let crashed = answer_of("", "FATAL ERROR: out of memory\n");
        assert_eq!(crashed.message.as_deref(), Some("FATAL ERROR: out of memory"));
    }

    #[test]
    fn known_causes_have_a_hint() {
        let hint = |cause: &str| {
            let answer = answer_of(&format!(r#"{{"message": "m", "cause": "{cause}"}}"#), "");
            answer.cause.map(Cause::hint).unwrap()
        };
        assert!(hint("builtin").starts_with("a component has no modules of Node.js"));
        assert!(hint("package").contains("`npm install`"));
        assert!(hint("broken").contains("rm -r node_modules"));
    }
}
