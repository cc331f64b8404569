//! Writes the files of a new project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::embedded::{
    C_SDK, CONTRACT, CPP_SDK, GO_SDK, PYTHON_SDK, RUST_SDK, TYPESCRIPT_SDK, ZIG_SDK,
};
use super::language::Language;
use super::lock;
use super::name::ProjectName;

/// The version of a new project.
const VERSION: &str = "0.1.0";

/// The templates of a Rust project. `NAME` and `MODULE` in a path are replaced too.
const RUST: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../kit/rust/manifest.toml")),
    ("src/lib.rs", include_str!("../../kit/rust/lib.rs")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/rust/README.md")),
    (".gitignore", include_str!("../../kit/rust/gitignore")),
];

/// The templates of a Python project.
const PYTHON: [(&str, &str); 7] = [
    ("pyproject.toml", include_str!("../../kit/python/pyproject.toml")),
    ("requirements.txt", include_str!("../../kit/python/requirements.txt")),
    ("MODULE.py", include_str!("../../kit/python/plugin.py")),
    ("test_MODULE.py", include_str!("../../kit/python/test.py")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/python/README.md")),
    (".gitignore", include_str!("../../kit/python/gitignore")),
];

/// The templates of a TypeScript project.
const TYPESCRIPT: [(&str, &str); 9] = [
    ("package.json", include_str!("../../kit/typescript/package.json")),
    ("package-lock.json", include_str!("../../kit/typescript/package-lock.json")),
    ("tsconfig.json", include_str!("../../kit/typescript/tsconfig.json")),
    (".npmrc", include_str!("../../kit/typescript/npmrc")),
    ("src/MODULE.ts", include_str!("../../kit/typescript/plugin.ts")),
    ("tests/MODULE.test.ts", include_str!("../../kit/typescript/test.ts")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/typescript/README.md")),
    (".gitignore", include_str!("../../kit/typescript/gitignore")),
];

/// The templates of a JavaScript project. The dependencies are those of TypeScript.
const JAVASCRIPT: [(&str, &str); 9] = [
    ("package.json", include_str!("../../kit/javascript/package.json")),
    ("package-lock.json", include_str!("../../kit/typescript/package-lock.json")),
    ("tsconfig.json", include_str!("../../kit/javascript/tsconfig.json")),
    (".npmrc", include_str!("../../kit/typescript/npmrc")),
    ("src/MODULE.js", include_str!("../../kit/javascript/plugin.js")),
    ("tests/MODULE.test.js", include_str!("../../kit/javascript/test.js")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/javascript/README.md")),
    (".gitignore", include_str!("../../kit/typescript/gitignore")),
];

/// The templates of a Go project. The names of Go files have meanings, such as `_test`, and so they
/// do not contain the name of the project.
const GO: [(&str, &str); 7] = [
    ("go.mod", include_str!("../../kit/go/manifest.mod")),
    ("requirements.txt", include_str!("../../kit/go/requirements.txt")),
    ("plugin.go", include_str!("../../kit/go/plugin.go")),
    ("plugin_test.go", include_str!("../../kit/go/plugin_test.go")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/go/README.md")),
    (".gitignore", include_str!("../../kit/go/gitignore")),
];

/// The templates of a C project.
const C: [(&str, &str); 6] = [
    ("plugin.toml", include_str!("../../kit/c/plugin.toml")),
    ("requirements.txt", include_str!("../../kit/c/requirements.txt")),
    ("src/plugin.c", include_str!("../../kit/c/plugin.c")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/c/README.md")),
    (".gitignore", include_str!("../../kit/c/gitignore")),
];

/// The templates of a C++ project.
const CPP: [(&str, &str); 6] = [
    ("plugin.toml", include_str!("../../kit/cpp/plugin.toml")),
    ("requirements.txt", include_str!("../../kit/cpp/requirements.txt")),
    ("src/plugin.cpp", include_str!("../../kit/cpp/plugin.cpp")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/cpp/README.md")),
    (".gitignore", include_str!("../../kit/c/gitignore")),
];

/// The templates of a Zig project.
const ZIG: [(&str, &str); 6] = [
    ("plugin.toml", include_str!("../../kit/zig/plugin.toml")),
    ("requirements.txt", include_str!("../../kit/zig/requirements.txt")),
    ("src/plugin.zig", include_str!("../../kit/zig/plugin.zig")),
    ("cases/MODULE.json", include_str!("../../kit/case.json")),
    ("README.md", include_str!("../../kit/zig/README.md")),
    (".gitignore", include_str!("../../kit/c/gitignore")),
];

/// The shell command that installs the requirements of a project in a virtual environment.
const INSTALL_REQUIREMENTS: &str =
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt";

/// A project to create.
#[derive(Debug)]
pub struct Project {
    /// The name of the package.
    pub name: ProjectName,
    /// The language.
    pub language: Language,
}

/// An error while a project is created. Nothing has been written.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The path of the project exists.
    #[error("`{}` exists", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot create `{}`", path.display())]
    Write {
        /// The directory of the project.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Creates the project in `directory`, whose parent must exist.
///
/// The directory appears with all its files, because it is renamed at the end.
///
/// # Errors
///
/// Returns [`CreateError`] if the path exists or a file cannot be written.
pub fn create(project: &Project, directory: &Path) -> Result<(), CreateError> {
    if fs::symlink_metadata(directory).is_ok() {
        return Err(CreateError::Exists(directory.to_owned()));
    }
    write(project, directory).map_err(|source| match source.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory
            if fs::symlink_metadata(directory).is_ok() =>
        {
            CreateError::Exists(directory.to_owned())
        }
        _ => CreateError::Write { path: directory.to_owned(), source },
    })
}

fn write(project: &Project, directory: &Path) -> io::Result<()> {
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let temporary = TemporaryDirectory::new_in(parent.unwrap_or(Path::new(".")))?;
    for (path, content) in project.files() {
        let path = temporary.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    fs::rename(&temporary.0, directory)
}

/// A directory that is removed at the end, unless it has been renamed.
struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    fn new_in(parent: &Path) -> io::Result<Self> {
        // Unlike `tempdir_in`, this applies the umask and returns the error of the system.
        let (_, path) = tempfile::Builder::new()
            .prefix(".ophost-new-")
            .make_in(parent, |path| fs::create_dir(path))?
            .into_parts();
        Ok(Self(path.keep().map_err(|error| error.error)?))
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // A directory that has been renamed does not exist. Another error cannot be reported.
        fs::remove_dir_all(&self.0).ok();
    }
}

impl Project {
    /// Returns the shell commands that install the toolchain of the project, if it has its own.
    pub fn setup(&self) -> &'static [&'static str] {
        match self.language {
            Language::Rust => &[],
            Language::Python | Language::C | Language::Cpp | Language::Zig => {
                &[INSTALL_REQUIREMENTS]
            }
            Language::TypeScript | Language::JavaScript => &["npm ci"],
            Language::Go => &[
                "command -v go || (python3 -m venv .venv && .venv/bin/pip install -r requirements.txt)",
            ],
        }
    }

    /// Returns the files of the project by their path.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let mut files = match self.language {
            Language::Rust => self.rust_files(),
            Language::Python => self.files_of(&PYTHON, PYTHON_SDK),
            Language::TypeScript => self.files_of(&TYPESCRIPT, TYPESCRIPT_SDK),
            Language::JavaScript => self.files_of(&JAVASCRIPT, TYPESCRIPT_SDK),
            Language::Go => self.files_of(&GO, GO_SDK),
            Language::C => self.files_of(&C, C_SDK),
            // The SDK for C++ uses that for C.
            Language::Cpp => self.files_of(&CPP, &[CPP_SDK, C_SDK].concat()),
            Language::Zig => self.files_of(&ZIG, ZIG_SDK),
        };
        let contract = CONTRACT.iter().map(|(name, text)| (format!("sdk/wit/{name}"), text));
        files.extend(contract.map(|(path, text)| (path, (*text).to_owned())));
        files
    }

    fn rust_files(&self) -> Vec<(String, String)> {
        let mut files = self.files_of(&RUST, RUST_SDK);
        files.push(("Cargo.lock".to_owned(), lock::lock_file(&self.name, VERSION)));
        files
    }

    fn files_of(&self, templates: &[(&str, &str)], sdk: &[(&str, &str)]) -> Vec<(String, String)> {
        let filled = templates.iter().map(|(path, text)| (self.filled(path), self.filled(text)));
        let sdk = sdk.iter().map(|(path, text)| (format!("sdk/{path}"), (*text).to_owned()));
        filled.chain(sdk).collect()
    }

    /// Returns a template with the name of the project.
    fn filled(&self, template: &str) -> String {
        let filled = template.replace("NAME", self.name.as_str());
        filled.replace("MODULE", &self.name.module()).replace("VERSION", VERSION)
    }
}
