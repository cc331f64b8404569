//! Runs cargo and parses its messages.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::command::{CommandError, stdout_of};
use crate::error::BuildError;

use super::package::{Package, Workspace};
use super::target::WasmTarget;

/// The build profile of plugins, passed on the command line so that a manifest needs no profile.
///
/// A trap ends a run, so unwinding is not needed. Function names are kept for backtraces. The rest
/// of the debug information would be three times as large as the code.
const PROFILE: [&str; 6] = [
    r#"profile.plugin.inherits="release""#,
    r#"profile.plugin.opt-level="s""#,
    "profile.plugin.lto=true",
    "profile.plugin.codegen-units=1",
    r#"profile.plugin.panic="abort""#,
    r#"profile.plugin.strip="debuginfo""#,
];

/// Variables with flags for the native target, such as a linker or a CPU.
///
/// The flags are wrong for WebAssembly. `CARGO_TARGET_<TARGET>_RUSTFLAGS` sets flags for plugins.
const NATIVE_FLAGS: [&str; 3] = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"];

/// Returns a cargo command that runs in `dir` with the environment of this process.
///
/// The command keeps the variables of an outer `cargo run` or `cargo test`. These include
/// `RUSTUP_TOOLCHAIN`, because the author chose the toolchain for all builds.
pub(super) fn cargo(dir: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(dir);
    for name in NATIVE_FLAGS {
        command.env_remove(name);
    }
    // A relative path is relative to the current directory, not to `dir`.
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
        if let Some(path) = env::var_os(name).and_then(|path| std::path::absolute(path).ok()) {
            command.env(name, path);
        }
    }
    command
}

/// Builds the packages of `workspace` in a target directory, and returns the paths of their modules.
///
/// The paths are in the order of the packages. Cargo's progress and the compiler's messages go to
/// stderr.
///
/// # Errors
///
/// Returns [`BuildError`] if cargo cannot be run or a package does not compile.
pub(super) fn build(
    workspace: &Workspace,
    target: WasmTarget,
    directory: &Path,
) -> Result<Vec<PathBuf>, BuildError> {
    match stdout_of(&mut command(workspace, target, directory)) {
        Ok(messages) => package_modules(workspace, &modules(&messages)?),
        Err(CommandError::Failed { .. }) => {
            Err(BuildError::Compile { packages: workspace.names() })
        }
        Err(error) => Err(error.into()),
    }
}

fn command(workspace: &Workspace, target: WasmTarget, directory: &Path) -> Command {
    let mut command = cargo(&workspace.root);
    command
        .args(["build", "--lib", "--profile", "plugin"])
        .args(["--target", target.name()])
        .arg("--message-format=json-render-diagnostics");
    command.arg("--target-dir").arg(directory);
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    for package in &workspace.packages {
        command.args(["--package", &package.id]);
    }
    command.stderr(Stdio::inherit());
    command
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        package_id: String,
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

/// Returns the WebAssembly modules in cargo's messages by package id.
fn modules(messages: &str) -> Result<HashMap<String, PathBuf>, serde_json::Error> {
    let mut modules = HashMap::new();
    // Build scripts and compilers can print other lines between the messages.
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        if let Message::CompilerArtifact { package_id, filenames } = serde_json::from_str(line)? {
            let mut files = filenames.into_iter();
            let module = files.find(|file| file.extension().is_some_and(|it| it == "wasm"));
            modules.extend(module.map(|module| (package_id, module)));
        }
    }
    Ok(modules)
}

fn package_modules(
    workspace: &Workspace,
    modules: &HashMap<String, PathBuf>,
) -> Result<Vec<PathBuf>, BuildError> {
    let module_of = |package: &Package| {
        modules
            .get(&package.id)
            .cloned()
            .ok_or_else(|| BuildError::NoModule { package: package.name.clone() })
    };
    workspace.packages.iter().map(module_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output of cargo 1.95, without some fields and the registry's address.
    const MESSAGES: &str = r#"
{"reason":"compiler-artifact","package_id":"registry+https://example.org/index#memchr@2.8.3","target":{"kind":["lib"],"crate_types":["lib"],"name":"memchr"},"features":["alloc"],"filenames":["/p/target/wasm/wasm32-wasip2/plugin/deps/libmemchr-1.rlib"],"executable":null,"fresh":false}
{"reason":"build-script-executed","package_id":"registry+https://example.org/index#serde@1.0.229","linked_libs":[],"env":[]}
a line that is no message
{"reason":"compiler-artifact","package_id":"path+file:///p/guest#my-guest@0.1.0","target":{"kind":["cdylib"],"crate_types":["cdylib"],"name":"my_guest"},"features":[],"filenames":["/p/target/wasm/wasm32-wasip2/plugin/my_guest.wasm"],"executable":null,"fresh":false}
{"reason":"build-finished","success":true}
"#;

    #[test]
    fn modules_are_read_from_the_messages() {
        let modules = modules(MESSAGES).unwrap();
        let module = &modules["path+file:///p/guest#my-guest@0.1.0"];
        assert_eq!(modules.len(), 1);
        assert_eq!(module, Path::new("/p/target/wasm/wasm32-wasip2/plugin/my_guest.wasm"));
    }

    #[test]
    fn truncated_message_is_rejected() {
        assert!(modules(r#"{"reason":"compiler-artifact","package_id""#).is_err());
    }
}
