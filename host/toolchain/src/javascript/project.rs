//! The project of a plugin in TypeScript or JavaScript, as `package.json` describes it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::engine::Engine;

/// The name of the manifest.
const MANIFEST: &str = "package.json";

/// A project in a directory.
#[derive(Debug)]
pub(super) struct JavaScriptProject {
    /// The directory, without symbolic links.
    pub(super) root: PathBuf,
    /// The name of the package.
    pub(super) name: String,
    /// The version of the package.
    pub(super) version: String,
    /// The path of the module that exports the operations, relative to `root`.
    pub(super) main: String,
    pub(super) engine: Engine,
    /// The names of the packages that the project depends on.
    pub(super) dependencies: Vec<String>,
}

/// The reason why a directory is not the project of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The manifest cannot be read.
    #[error("cannot read `{MANIFEST}`")]
    Read(#[from] io::Error),
    /// The manifest is not JSON, or a value has the wrong type.
    #[error("cannot parse `{MANIFEST}`: {0}")]
    Parse(String),
    /// The manifest does not have a required field.
    #[error("`{MANIFEST}` has no `{0}`")]
    Missing(&'static str),
    /// The name of the package is not a file name.
    #[error("`{0}` is not a package name")]
    Name(String),
    /// The module of the operations does not exist.
    #[error("no file `{0}`")]
    NoModule(String),
}

impl ProjectError {
    /// Returns a hint for the author, or `None` if no fix is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read(_) | Self::Parse(_) => None,
            Self::Missing("main") | Self::NoModule(_) => {
                Some("set `main` to the source file that exports the operations: `src/plugin.ts`")
            }
            Self::Missing(_) => Some("add `name` and `version`"),
            Self::Name(_) => Some("use letters, digits, `.`, `_` and `-`"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    name: Option<String>,
    version: Option<String>,
    main: Option<String>,
    #[serde(default)]
    ophost: Settings,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, String>,
}

/// The section `ophost`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    engine: Engine,
}

impl JavaScriptProject {
    /// Reads the project in `dir`.
    ///
    /// # Errors
    ///
    /// Returns [`ProjectError`] if the manifest is not valid, or the module does not exist.
    pub(super) fn read(dir: &Path) -> Result<Self, ProjectError> {
        let root = fs::canonicalize(dir)?;
        let text = fs::read_to_string(root.join(MANIFEST))?;
        let project = Self::parse(root, &text)?;
        match project.root.join(&project.main).is_file() {
            true => Ok(project),
            false => Err(ProjectError::NoModule(project.main)),
        }
    }

    fn parse(root: PathBuf, manifest: &str) -> Result<Self, ProjectError> {
        let manifest: Manifest = serde_json::from_str(manifest)
            .map_err(|error| ProjectError::Parse(error.to_string()))?;
        let name = manifest.name.ok_or(ProjectError::Missing("name"))?;
        let version = manifest.version.ok_or(ProjectError::Missing("version"))?;
        let main = manifest.main.ok_or(ProjectError::Missing("main"))?;
        if !is_file_name(&name) {
            return Err(ProjectError::Name(name));
        }
        let dependencies =
            manifest.dependencies.into_keys().chain(manifest.dev_dependencies.into_keys());
        let dependencies = dependencies.collect();
        let engine = manifest.ophost.engine;
        Ok(Self { root, name, version, main, engine, dependencies })
    }
}

fn is_file_name(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(manifest: &str) -> Result<JavaScriptProject, ProjectError> {
        JavaScriptProject::parse(PathBuf::from("/p"), manifest)
    }

    #[test]
    fn engine_is_quickjs_by_default() {
        let manifest = r#"{"name": "a", "version": "1", "main": "a.ts", "type": "module",
            "dependencies": {"zod": "4"}, "devDependencies": {"esbuild": "0.28.2"}}"#;
        let project = parsed(manifest).unwrap();
        assert_eq!((project.name.as_str(), project.main.as_str()), ("a", "a.ts"));
        assert_eq!(project.engine, Engine::QuickJs);
        assert_eq!(project.dependencies, ["zod", "esbuild"]);
        let manifest = r#"{"name": "a", "version": "1", "main": "a.ts",
            "ophost": {"engine": "starlingmonkey"}}"#;
        assert_eq!(parsed(manifest).unwrap().engine, Engine::StarlingMonkey);
    }

    #[test]
    fn invalid_manifest_is_rejected_with_the_reason() {
        let error = |manifest: &str| parsed(manifest).unwrap_err().to_string();
        assert_eq!(error("{}"), "`package.json` has no `name`");
        assert_eq!(error(r#"{"name": "a"}"#), "`package.json` has no `version`");
        assert_eq!(error(r#"{"name": "a", "version": "1"}"#), "`package.json` has no `main`");
        let scoped = r#"{"name": "@a/b", "version": "1", "main": "a.ts"}"#;
        assert_eq!(error(scoped), "`@a/b` is not a package name");
        assert!(error("{").starts_with("cannot parse `package.json`: "));
        let unknown = error(r#"{"ophost": {"engine": "v8"}}"#);
        assert!(unknown.contains("unknown variant `v8`, expected `quickjs`"), "{unknown}");
        assert!(error(r#"{"ophost": {"motor": "x"}}"#).contains("unknown field `motor`"));
    }

    #[test]
    fn missing_module_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let manifest = r#"{"name": "a", "version": "1", "main": "src/a.ts"}"#;
        fs::write(scratch.path().join(MANIFEST), manifest).unwrap();
        let error = JavaScriptProject::read(scratch.path()).unwrap_err();
        assert_eq!(error.to_string(), "no file `src/a.ts`");
    }
}
