//! The project of a plugin in C, C++ or Zig, as `plugin.toml` describes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::MANIFEST;
use crate::environment;
use crate::kit::Language;
use crate::manifest::toml_message;

/// The directory of the sources.
const SOURCES: &str = "src";

/// A project in a directory.
#[derive(Debug)]
pub(super) struct NativeProject {
    /// The directory, as the caller passed it. Messages of the compiler begin with it.
    pub(super) dir: PathBuf,
    /// The name of the package.
    pub(super) name: String,
    /// The version of the package.
    pub(super) version: String,
    pub(super) language: Language,
    /// The source files, relative to the project. Of a project in Zig, the root file.
    pub(super) sources: Vec<PathBuf>,
    /// The directories of headers.
    pub(super) include: Vec<PathBuf>,
    /// Further arguments of the compiler.
    pub(super) flags: Vec<String>,
    /// The directory of the SDKs: `c`, `cpp` and `zig`.
    pub(super) sdk: PathBuf,
}

/// The reason why a directory is not the project of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The manifest is not TOML, a field is missing or unknown, or a value has the wrong type.
    #[error("cannot parse `{MANIFEST}`: {0}")]
    Parse(String),
    /// The name of the package is not a file name.
    #[error("`{0}` is not a package name")]
    Name(String),
    /// The language has another build, or none.
    #[error("`{MANIFEST}` has the unknown language `{0}`")]
    Language(String),
    /// The project has no source file in the default directory.
    #[error("no source file `{SOURCES}/*.{0}`")]
    NoSources(&'static str),
    /// A file of the manifest does not exist.
    #[error("no source file `{}`", .0.display())]
    MissingSource(PathBuf),
    /// A project in Zig lists several files.
    #[error("a project in Zig has one root file, but `sources` has {0}")]
    SeveralRoots(usize),
    /// A field of C is set for Zig.
    #[error("the field `{0}` has no effect in Zig")]
    OnlyC(&'static str),
    /// The directory of the SDK does not exist, or has no SDK for the language.
    #[error("no SDK for {language} in `{}`", path.display())]
    NoSdk {
        /// The language of the project.
        language: Language,
        /// The directory.
        path: PathBuf,
    },
    /// No Python package has this directory.
    #[error("cannot find the headers `{0}` in the Python packages of the project")]
    NoPackage(PathBuf),
}

impl ProjectError {
    /// Returns a hint for the author, or `None` if no fix is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } | Self::Parse(_) => None,
            Self::Name(_) => Some("use letters, digits, `.`, `_` and `-`"),
            Self::Language(_) => Some("set `language` to `c`, `c++` or `zig`"),
            Self::NoSources(_) | Self::MissingSource(_) | Self::SeveralRoots(_) => {
                Some("list the files in `sources`, relative to the project")
            }
            Self::OnlyC(_) => Some("remove the field"),
            Self::NoSdk { .. } => {
                Some("set `sdk` to the directory of the SDKs; `ophost new` copies it to a project")
            }
            Self::NoPackage(_) => Some(
                "install the requirements: `python3 -m venv .venv && .venv/bin/pip install -r \
                 requirements.txt`",
            ),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    version: String,
    language: String,
    sources: Option<Vec<PathBuf>>,
    /// Directories of headers, relative to the project.
    #[serde(default)]
    include: Vec<PathBuf>,
    /// Directories of headers in the Python packages of the project's environment.
    #[serde(default)]
    packages: Vec<PathBuf>,
    #[serde(default)]
    flags: Vec<String>,
    sdk: Option<PathBuf>,
}

/// Returns the language of the project in a directory.
pub(super) fn language(dir: &Path) -> Result<Language, ProjectError> {
    Manifest::read(dir)?.language()
}

impl Manifest {
    fn read(dir: &Path) -> Result<Self, ProjectError> {
        let path = dir.join(MANIFEST);
        let text = fs::read_to_string(&path);
        Self::parse(&text.map_err(|source| ProjectError::Read { path, source })?)
    }

    fn parse(text: &str) -> Result<Self, ProjectError> {
        toml::from_str(text).map_err(|error| ProjectError::Parse(toml_message(&error, text)))
    }

    fn language(&self) -> Result<Language, ProjectError> {
        match self.language.as_str() {
            "c" => Ok(Language::C),
            "c++" | "cpp" => Ok(Language::Cpp),
            "zig" => Ok(Language::Zig),
            other => Err(ProjectError::Language(other.to_owned())),
        }
    }
}

impl NativeProject {
    /// Reads the project in `dir`.
    ///
    /// # Errors
    ///
    /// Returns [`ProjectError`] if the manifest is not valid, or a file does not exist.
    pub(super) fn read(dir: &Path) -> Result<Self, ProjectError> {
        let manifest = Manifest::read(dir)?;
        let language = manifest.language()?;
        let Manifest { name, version, sources, include, packages, flags, sdk, .. } = manifest;
        if !is_package(&name) {
            return Err(ProjectError::Name(name));
        }
        if language == Language::Zig {
            for (field, is_empty) in
                [("include", include.is_empty()), ("packages", packages.is_empty())]
            {
                if !is_empty {
                    return Err(ProjectError::OnlyC(field));
                }
            }
        }
        // Without a leading `./`, messages of the compiler are shorter.
        let dir = if dir == Path::new(".") { Path::new("") } else { dir };
        let sources = match sources {
            Some(sources) => listed(dir, sources, language)?,
            None => found(dir, language)?,
        };
        let mut headers: Vec<_> = include.iter().map(|path| dir.join(path)).collect();
        for package in packages {
            headers.push(package_directory(dir, package)?);
        }
        let sdk = dir.join(sdk.unwrap_or_else(|| PathBuf::from("sdk")));
        if !parts(language).iter().all(|part| sdk.join(part).is_dir()) {
            return Err(ProjectError::NoSdk { language, path: sdk });
        }
        let dir = dir.to_owned();
        Ok(Self { dir, name, version, language, sources, include: headers, flags, sdk })
    }

    /// Returns the directory of the compiled files.
    pub(super) fn output(&self) -> PathBuf {
        self.dir.join("target/wasm")
    }

    /// Returns the directory with the contract that belongs to the SDK of the project, if the
    /// project has its own.
    pub(super) fn contract(&self) -> Option<PathBuf> {
        let contract = self.sdk.join("wit");
        contract.join("world.wit").is_file().then_some(contract)
    }
}

/// Returns the directories of the SDK that a language uses.
fn parts(language: Language) -> &'static [&'static str] {
    match language {
        Language::Zig => &["zig"],
        Language::Cpp => &["c", "cpp"],
        _ => &["c"],
    }
}

/// Returns the extensions of source files.
fn extensions(language: Language) -> &'static [&'static str] {
    match language {
        Language::Zig => &["zig"],
        Language::Cpp => &["cpp", "cc", "cxx", "c"],
        _ => &["c"],
    }
}

/// Checks the source files of a manifest.
fn listed(
    dir: &Path,
    sources: Vec<PathBuf>,
    language: Language,
) -> Result<Vec<PathBuf>, ProjectError> {
    if let Some(missing) = sources.iter().find(|source| !dir.join(source).is_file()) {
        return Err(ProjectError::MissingSource(missing.clone()));
    }
    match (language, sources.len()) {
        (_, 0) => Err(ProjectError::NoSources(extensions(language)[0])),
        (Language::Zig, 2..) => Err(ProjectError::SeveralRoots(sources.len())),
        _ => Ok(sources),
    }
}

/// Returns the source files in the default directory: the root file in Zig, else all files.
fn found(dir: &Path, language: Language) -> Result<Vec<PathBuf>, ProjectError> {
    if language == Language::Zig {
        return listed(dir, vec![Path::new(SOURCES).join("plugin.zig")], language);
    }
    let mut sources = Vec::new();
    let mut directories = vec![PathBuf::from(SOURCES)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(dir.join(&directory)).into_iter().flatten().flatten() {
            let path = directory.join(entry.file_name());
            let extension = path.extension().unwrap_or_default();
            if dir.join(&path).is_dir() {
                directories.push(path);
            } else if extensions(language).iter().any(|it| extension == *it) {
                sources.push(path);
            }
        }
    }
    sources.sort();
    listed(dir, sources, language)
}

/// Returns a directory in the Python packages of the project's environment.
fn package_directory(dir: &Path, package: PathBuf) -> Result<PathBuf, ProjectError> {
    let root = environment::root(dir);
    let mut found = environment::packages(&root).into_iter().map(|it| it.join(&package));
    found.find(|path| path.is_dir()).ok_or(ProjectError::NoPackage(package))
}

fn is_package(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error of a project with an SDK, a source file in C, and this manifest.
    fn read(manifest: &str) -> Result<NativeProject, ProjectError> {
        let scratch = tempfile::tempdir().unwrap();
        for directory in ["src", "sdk/c"] {
            fs::create_dir_all(scratch.path().join(directory)).unwrap();
        }
        for file in ["src/a.c", "src/b.c", "src/readme.txt"] {
            fs::write(scratch.path().join(file), "").unwrap();
        }
        fs::write(scratch.path().join(MANIFEST), manifest).unwrap();
        NativeProject::read(scratch.path())
    }

    fn error(manifest: &str) -> String {
        read(&format!("name = \"a\"\nversion = \"1\"\n{manifest}")).unwrap_err().to_string()
    }

    #[test]
    fn sources_are_those_of_the_language_by_default() {
        let of = |text: &str| read(&format!("name = \"a\"\nversion = \"1\"\n{text}")).unwrap();
        let project = of("language = \"c\"");
        assert_eq!(project.sources, ["src/a.c", "src/b.c"].map(PathBuf::from));
        assert_eq!(project.output(), project.dir.join("target/wasm"));
        let project = of("language = \"c\"\nsources = [\"src/b.c\"]\nflags = [\"-DX\"]");
        assert_eq!(project.sources, [Path::new("src/b.c")]);
        assert_eq!(project.flags, ["-DX"]);
    }

    #[test]
    fn invalid_manifest_is_rejected_with_the_reason() {
        let reason = read("name = \"a\"").unwrap_err().to_string();
        assert!(reason.starts_with("cannot parse `plugin.toml`: "), "{reason}");
        assert!(reason.contains("missing field `version`"), "{reason}");
        assert!(error("language = \"c\"\nsource = []").contains("unknown field `source`"));
        assert!(error("language = 1").contains("invalid type: integer `1`, expected a string"));
        let language = error("language = \"rust\"");
        assert_eq!(language, "`plugin.toml` has the unknown language `rust`");
        let name = read("name = \"a/b\"\nversion = \"1\"\nlanguage = \"c\"").unwrap_err();
        assert_eq!(name.to_string(), "`a/b` is not a package name");
    }

    #[test]
    fn missing_file_is_named() {
        let missing = error("language = \"c\"\nsources = [\"src/a.c\", \"src/x.c\"]");
        assert_eq!(missing, "no source file `src/x.c`");
        assert_eq!(error("language = \"c\"\nsources = []"), "no source file `src/*.c`");
        assert_eq!(error("language = \"zig\""), "no source file `src/plugin.zig`");
        let several = error("language = \"zig\"\nsources = [\"src/a.c\", \"src/b.c\"]");
        assert_eq!(several, "a project in Zig has one root file, but `sources` has 2");
        let include = error("language = \"zig\"\ninclude = [\"x\"]");
        assert_eq!(include, "the field `include` has no effect in Zig");
        let sdk = error("language = \"c++\"\n");
        assert!(sdk.starts_with("no SDK for C++ in `"), "{sdk}");
        let package = error("language = \"c\"\npackages = [\"no_such_package/include\"]");
        let reason = "cannot find the headers `no_such_package/include` in the Python packages of \
            the project";
        assert_eq!(package, reason);
    }
}
