//! Finds Node.js and the packages in `node_modules`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::stdout_of;
use crate::environment::enter;

use super::engine::Package;
use super::project::JavaScriptProject;

/// The oldest supported version of Node.js.
const MIN_NODE: u32 = 20;
const ESBUILD: Package =
    Package { name: "esbuild", version: "0.28.2", supported: "0.", module: "lib/main.js" };
const ZOD: Package = Package { name: "zod", version: "4.6.7", supported: "4.", module: "index.js" };
/// The package of the SDK, whose directory a project depends on.
const SDK: &str = "ophost-sdk";

/// The programs and packages of a build.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The module of esbuild.
    pub(super) esbuild: PathBuf,
    /// The module that makes components.
    pub(super) componentizer: PathBuf,
    /// The directory of the SDK.
    pub(super) sdk: PathBuf,
    /// The versions of the packages.
    pub(super) versions: Vec<String>,
}

/// The reason why the toolchain of a project cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Node.js is not installed.
    #[error("cannot find `node`, which bundles JavaScript")]
    NoNode,
    /// Node.js is too old for the packages.
    #[error("Node.js {found} is too old: version {MIN_NODE} or newer is needed")]
    OldNode {
        /// The version of `node`.
        found: String,
    },
    /// The manifest lists a package that is not installed.
    #[error("cannot find the package `{package}` in `node_modules`")]
    NotInstalled {
        /// The name of the package.
        package: &'static str,
    },
    /// The manifest does not list a package.
    #[error("the project does not depend on `{package}`")]
    NotListed {
        /// The name of the package.
        package: &'static str,
        /// The version to install; none for the SDK.
        version: Option<&'static str>,
    },
    /// A package has a version that is not known to work.
    #[error("`{package}` has version {found}, but version {} is needed", versions(supported))]
    OtherVersion {
        /// The name of the package.
        package: &'static str,
        /// The installed version.
        found: String,
        /// The supported version, or the prefix of the supported versions.
        supported: &'static str,
        /// The version to install.
        version: &'static str,
    },
}

impl ToolchainError {
    /// Returns the command that fixes the toolchain of the project in `dir`.
    pub(crate) fn hint(&self, dir: &Path) -> String {
        let enter = enter(dir);
        match self {
            Self::NoNode | Self::OldNode { .. } => {
                format!("install Node.js {MIN_NODE} or newer, from https://nodejs.org")
            }
            Self::NotInstalled { .. } => format!("run `{enter}npm install`"),
            Self::NotListed { package, version: Some(version) }
            | Self::OtherVersion { package, version, .. } => {
                format!("run `{enter}npm install {package}@{version}`")
            }
            Self::NotListed { package, version: None } => format!(
                "`ophost new` creates a project with the SDK in `sdk`: copy the directory, and run \
                 `{enter}npm install {package}@file:sdk`"
            ),
        }
    }
}

impl Toolchain {
    /// Finds the toolchain for a project.
    ///
    /// # Errors
    ///
    /// Returns [`ToolchainError`] if a program or a package is missing or has another version.
    pub(super) fn find(project: &JavaScriptProject) -> Result<Self, ToolchainError> {
        check_node(Command::new("node"))?;
        Self::packages(project)
    }

    /// Finds the packages.
    fn packages(project: &JavaScriptProject) -> Result<Self, ToolchainError> {
        let Some(sdk) = directory(&project.root, SDK) else {
            return Err(missing(project, SDK, None));
        };
        let componentizer = project.engine.componentizer();
        let packages =
            [ESBUILD, componentizer, ZOD].map(|package| Installed::find(project, package));
        let [esbuild, componentizer, zod] = packages;
        let [esbuild, componentizer, zod] = [esbuild?, componentizer?, zod?];
        for requirement in project.engine.requirements() {
            Installed::find(project, *requirement)?;
        }
        let versions =
            [&esbuild, &componentizer, &zod].map(|package| package.version.clone()).to_vec();
        Ok(Self { esbuild: esbuild.module, componentizer: componentizer.module, sdk, versions })
    }
}

/// Returns a supported version, or a pattern of the versions with a prefix.
fn versions(supported: &str) -> String {
    let suffix = if supported.ends_with('.') { "x" } else { "" };
    format!("{supported}{suffix}")
}

/// Checks that Node.js is installed, and new enough.
fn check_node(mut node: Command) -> Result<(), ToolchainError> {
    let version = stdout_of(node.arg("--version")).map_err(|_| ToolchainError::NoNode)?;
    let found = version.trim().trim_start_matches('v');
    let major: Option<u32> = found.split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if major >= MIN_NODE => Ok(()),
        _ => Err(ToolchainError::OldNode { found: found.to_owned() }),
    }
}

/// A package in `node_modules` with a supported version.
struct Installed {
    module: PathBuf,
    version: String,
}

impl Installed {
    fn find(project: &JavaScriptProject, package: Package) -> Result<Self, ToolchainError> {
        let Package { name, version, supported, module } = package;
        let Some(directory) = directory(&project.root, name) else {
            return Err(missing(project, name, Some(version)));
        };
        let manifest = fs::read(directory.join("package.json")).unwrap_or_default();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
        let found = manifest["version"].as_str().unwrap_or("unknown").to_owned();
        match found.starts_with(supported) {
            true => Ok(Self { module: directory.join(module), version: found }),
            false => Err(ToolchainError::OtherVersion { package: name, found, supported, version }),
        }
    }
}

/// Returns the directory of a package, as Node.js finds it.
fn directory(root: &Path, package: &str) -> Option<PathBuf> {
    let mut directories = root.ancestors().map(|it| it.join("node_modules").join(package));
    directories.find(|directory| directory.join("package.json").is_file())
}

fn missing(
    project: &JavaScriptProject,
    package: &'static str,
    version: Option<&'static str>,
) -> ToolchainError {
    match project.dependencies.iter().any(|name| name == package) {
        true => ToolchainError::NotInstalled { package },
        false => ToolchainError::NotListed { package, version },
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::*;

    /// Returns a project in an empty directory that depends on the packages.
    fn project(root: &Path, dependencies: &[&str]) -> JavaScriptProject {
        JavaScriptProject {
            root: root.to_owned(),
            name: "it".to_owned(),
            version: "1".to_owned(),
            main: "it.ts".to_owned(),
            engine: Engine::QuickJs,
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn install(root: &Path, package: &str, version: &str) {
        let directory = root.join("node_modules").join(package);
        fs::create_dir_all(&directory).unwrap();
        let manifest = format!(r#"{{"version": "{version}"}}"#);
        fs::write(directory.join("package.json"), manifest).unwrap();
    }

    #[test]
    fn missing_or_old_node_is_named() {
        let error = check_node(Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot find `node`, which bundles JavaScript");
        // `echo v18.2.0 --version`
        let mut old = Command::new("echo");
        old.arg("v18.2.0");
        let error = check_node(old).unwrap_err();
        let expected = "Node.js 18.2.0 --version is too old: version 20 or newer is needed";
        assert_eq!(error.to_string(), expected);
        let expected = "install Node.js 20 or newer, from https://nodejs.org";
        assert_eq!(error.hint(Path::new(".")), expected);
    }

    #[test]
    fn missing_package_is_named_with_the_command_that_installs_it() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        let find =
            |dependencies: &[&str]| Toolchain::packages(&project(root, dependencies)).unwrap_err();
        let error = find(&["ophost-sdk"]);
        assert_eq!(error.to_string(), "cannot find the package `ophost-sdk` in `node_modules`");
        assert_eq!(error.hint(Path::new("a b")), "run `cd 'a b' && npm install`");
        let error = find(&[]);
        assert_eq!(error.to_string(), "the project does not depend on `ophost-sdk`");
        assert!(error.hint(Path::new(".")).ends_with("run `npm install ophost-sdk@file:sdk`"));
        install(root, SDK, "0.1.0");
        install(root, "esbuild", "0.28.2");
        let error = find(&[]);
        assert_eq!(error.to_string(), "the project does not depend on `componentize-qjs`");
        assert_eq!(error.hint(Path::new(".")), "run `npm install componentize-qjs@0.4.5`");
    }

    #[test]
    fn other_version_is_rejected_with_a_supported_one() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("plugins/it");
        fs::create_dir_all(&root).unwrap();
        // Packages can be in a directory above.
        install(scratch.path(), SDK, "0.1.0");
        install(scratch.path(), "esbuild", "0.28.2");
        install(&root, "componentize-qjs", "0.3.0");
        let error = Toolchain::packages(&project(&root, &[])).unwrap_err();
        let expected = "`componentize-qjs` has version 0.3.0, but version 0.4.x is needed";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint(Path::new(".")), "run `npm install componentize-qjs@0.4.5`");
        install(&root, "componentize-qjs", "0.4.7");
        install(&root, "zod", "3.25.0");
        let error = Toolchain::packages(&project(&root, &[])).unwrap_err();
        assert_eq!(error.to_string(), "`zod` has version 3.25.0, but version 4.x is needed");
        install(&root, "zod", "4.1.0");
        let toolchain = Toolchain::packages(&project(&root, &[])).unwrap();
        assert_eq!(toolchain.versions, ["0.28.2", "0.4.7", "4.1.0"]);
    }

    #[test]
    fn broken_package_of_starlingmonkey_is_named_with_a_version_that_works() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        for (package, version) in [
            (SDK, "0.1.0"),
            ("esbuild", "0.28.2"),
            ("zod", "4.6.7"),
            ("@bytecodealliance/componentize-js", "0.23.0"),
            ("@bytecodealliance/preview2-shim", "0.26.1"),
        ] {
            install(root, package, version);
        }
        let project = JavaScriptProject { engine: Engine::StarlingMonkey, ..project(root, &[]) };
        let error = Toolchain::packages(&project).unwrap_err();
        let expected = "`@bytecodealliance/preview2-shim` has version 0.26.1, but version 0.26.0 is \
            needed";
        assert_eq!(error.to_string(), expected);
        let expected = "run `npm install @bytecodealliance/preview2-shim@0.26.0`";
        assert_eq!(error.hint(Path::new(".")), expected);
        install(root, "@bytecodealliance/preview2-shim", "0.26.0");
        Toolchain::packages(&project).unwrap();
    }

    #[test]
    fn versions_are_those_of_a_new_project() {
        let manifest = include_str!("../../kit/typescript/package.json");
        for package in [ESBUILD, ZOD, Engine::QuickJs.componentizer()] {
            let line = format!("\"{}\": \"{}\"", package.name, package.version);
            assert!(manifest.contains(&line), "no {line}");
        }
    }
}
