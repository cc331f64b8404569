//! The project of a plugin in Python, as `pyproject.toml` describes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::manifest::toml_message;

/// The name of the manifest.
const MANIFEST: &str = "pyproject.toml";

/// A project in a directory.
#[derive(Debug)]
pub(super) struct PythonProject {
    /// The directory, without symbolic links.
    pub(super) root: PathBuf,
    /// The name of the package.
    pub(super) name: String,
    /// The version of the package.
    pub(super) version: String,
    /// The module that defines the operations.
    pub(super) module: String,
    /// The directories with the modules of the project and of its SDK.
    pub(super) paths: Vec<PathBuf>,
}

/// The reason why a directory is not the project of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The manifest cannot be read.
    #[error("cannot read `{MANIFEST}`")]
    Read(#[from] io::Error),
    /// The manifest is not TOML, or a value has the wrong type.
    #[error("cannot parse `{MANIFEST}`: {0}")]
    Parse(String),
    /// The manifest has no name or version.
    #[error("`{MANIFEST}` has no `{0}` in `[project]`")]
    Missing(&'static str),
    /// The name of the package is not a file name.
    #[error("`{0}` is not a package name")]
    Name(String),
    /// The name of the module is not a name in Python.
    #[error("`{0}` is not a module name")]
    ModuleName(String),
    /// The module of the operations does not exist.
    #[error("no module `{0}`")]
    NoModule(String),
}

impl ProjectError {
    /// Returns a hint for the author, or `None` if no fix is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read(_) | Self::Parse(_) => None,
            Self::Missing(_) => Some("add `name` and `version` under `[project]`"),
            Self::Name(_) => Some("use letters, digits, `.`, `_` and `-`"),
            Self::ModuleName(_) | Self::NoModule(_) => {
                Some("set `module` under `[tool.ophost]` to the module with the operations")
            }
        }
    }
}

#[derive(Deserialize)]
struct Manifest {
    project: Option<Package>,
    #[serde(default)]
    tool: Tools,
}

#[derive(Deserialize)]
struct Package {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tools {
    #[serde(default)]
    ophost: Settings,
}

/// The section `[tool.ophost]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    module: Option<String>,
    /// Further directories of modules, relative to the project.
    #[serde(default)]
    path: Vec<PathBuf>,
}

impl PythonProject {
    /// Reads the project in `dir`.
    ///
    /// # Errors
    ///
    /// Returns [`ProjectError`] if the manifest is not valid, or the module does not exist.
    pub(super) fn read(dir: &Path) -> Result<Self, ProjectError> {
        let root = fs::canonicalize(dir)?;
        let text = fs::read_to_string(root.join(MANIFEST))?;
        let project = Self::parse(root, &text)?;
        project.check_module()?;
        Ok(project)
    }

    fn parse(root: PathBuf, manifest: &str) -> Result<Self, ProjectError> {
        let manifest: Manifest = toml::from_str(manifest)
            .map_err(|error| ProjectError::Parse(toml_message(&error, manifest)))?;
        let Package { name, version } =
            manifest.project.unwrap_or(Package { name: None, version: None });
        let name = name.ok_or(ProjectError::Missing("name"))?;
        let version = version.ok_or(ProjectError::Missing("version"))?;
        if !is_package(&name) {
            return Err(ProjectError::Name(name));
        }
        let Settings { module, path } = manifest.tool.ophost;
        let module = module.unwrap_or_else(|| name.replace(['-', '.'], "_"));
        if !module.split('.').all(is_identifier) {
            return Err(ProjectError::ModuleName(module));
        }
        let parts = ["src", "sdk"].map(|part| root.join(part));
        let parts = parts.into_iter().filter(|path| path.is_dir());
        let others = path.iter().map(|path| root.join(path));
        let paths = std::iter::once(root.clone()).chain(parts).chain(others).collect();
        Ok(Self { root, name, version, module, paths })
    }

    fn check_module(&self) -> Result<(), ProjectError> {
        let file: PathBuf = self.module.split('.').collect();
        let exists = |path: &PathBuf| {
            path.join(&file).with_extension("py").is_file() || path.join(&file).is_dir()
        };
        match self.paths.iter().any(exists) {
            true => Ok(()),
            false => Err(ProjectError::NoModule(self.module.clone())),
        }
    }
}

fn is_package(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_valid)
}

fn is_identifier(name: &str) -> bool {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(is_start) && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(manifest: &str) -> Result<PythonProject, ProjectError> {
        PythonProject::parse(PathBuf::from("/p"), manifest)
    }

    #[test]
    fn module_has_the_name_of_the_package_by_default() {
        let project = parsed("[project]\nname = \"my-plugin\"\nversion = \"1.2\"").unwrap();
        assert_eq!((project.name.as_str(), project.version.as_str()), ("my-plugin", "1.2"));
        assert_eq!(project.module, "my_plugin");
        let manifest = "[project]\nname = \"a\"\nversion = \"1\"\n[tool.other]\nx = 1\n\
            [tool.ophost]\nmodule = \"b.c\"\npath = [\"../lib\"]";
        let project = parsed(manifest).unwrap();
        assert_eq!(project.module, "b.c");
        assert_eq!(project.paths, ["/p", "/p/../lib"].map(PathBuf::from));
    }

    #[test]
    fn invalid_manifest_is_rejected_with_the_reason() {
        let error = |manifest: &str| parsed(manifest).unwrap_err().to_string();
        assert_eq!(error(""), "`pyproject.toml` has no `name` in `[project]`");
        assert_eq!(
            error("[project]\nname = \"a\""),
            "`pyproject.toml` has no `version` in `[project]`"
        );
        let of = |name: &str, module: &str| {
            error(&format!(
                "[project]\nname = \"{name}\"\nversion = \"1\"\n[tool.ophost]\nmodule = \"{module}\""
            ))
        };
        assert_eq!(of("a/b", "c"), "`a/b` is not a package name");
        assert_eq!(of("a", "b c"), "`b c` is not a module name");
        assert_eq!(of("a", "x; import os"), "`x; import os` is not a module name");
        assert!(error("[project").starts_with("cannot parse `pyproject.toml`: "));
        assert!(error("[tool.ophost]\nmodul = \"a\"").contains("unknown field `modul`"));
    }

    #[test]
    fn missing_module_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let manifest = "[project]\nname = \"a\"\nversion = \"1\"";
        fs::write(scratch.path().join("pyproject.toml"), manifest).unwrap();
        let error = PythonProject::read(scratch.path()).unwrap_err();
        assert_eq!(error.to_string(), "no module `a`");
        fs::write(scratch.path().join("a.py"), "").unwrap();
        assert_eq!(PythonProject::read(scratch.path()).unwrap().module, "a");
    }
}
