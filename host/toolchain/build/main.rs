//! Embeds the SDKs and the contract into the crate, for the projects of `ophost new`.
//!
//! - `manifest`: resolves the inheritance of manifests from the workspace.
//! - `sources`: reads source files without their unit tests.

mod manifest;
mod sources;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use manifest::Workspace;

/// The crate that the projects depend on. The other crates are its dependencies with a path.
const SDK: &str = "guest-sdk";
/// The SDKs of the other languages, which are copied as they are.
const PACKAGES: [Package; 6] = [
    Package {
        constant: "PYTHON_SDK",
        directory: "guest-sdk/python/ophost_sdk",
        place: "ophost_sdk/",
        extensions: &["py", "typed"],
        files: &[],
    },
    Package {
        constant: "TYPESCRIPT_SDK",
        directory: "guest-sdk/typescript/src",
        place: "src/",
        extensions: &["ts"],
        files: &[("package.json", "guest-sdk/typescript/package.json")],
    },
    Package {
        constant: "GO_SDK",
        directory: "guest-sdk/go",
        place: "go/",
        extensions: &["go", "mod", "s", "txt"],
        files: &[],
    },
    // The license of a library has no extension.
    Package {
        constant: "C_SDK",
        directory: "guest-sdk/c",
        place: "c/",
        extensions: &["c", "h", ""],
        files: &[],
    },
    Package {
        constant: "CPP_SDK",
        directory: "guest-sdk/cpp",
        place: "cpp/",
        extensions: &["cpp", "hpp"],
        files: &[],
    },
    Package {
        constant: "ZIG_SDK",
        directory: "guest-sdk/zig",
        place: "zig/",
        extensions: &["zig"],
        files: &[],
    },
];
/// The end of the names of files with unit tests.
const UNIT_TESTS: &str = "_test.go";
/// The license files of the workspace.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Files with their paths in the `sdk` directory of a project.
type Files = BTreeMap<String, String>;

type Error = Box<dyn std::error::Error>;

/// Source files that a project gets unchanged.
struct Package {
    /// The name of the constant with the files.
    constant: &'static str,
    /// The directory of the files in this repository.
    directory: &'static str,
    /// The directory in `sdk` of a project, with `/` at its end.
    place: &'static str,
    /// The extensions of the files. Tools write their caches beside the sources.
    extensions: &'static [&'static str],
    /// Further files: the path in `sdk`, and the path in this repository.
    files: &'static [(&'static str, &'static str)],
}

fn main() -> Result<(), Error> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let contract = contract(&top)?;
    let mut code = constant("CONTRACT", &contract)?;
    code += &sdk(&top, "RUST_SDK", rust_sdk(&top)?)?;
    for package in PACKAGES {
        code += &sdk(&top, package.constant, package.files(&top)?)?;
    }
    let out = env::var_os("OUT_DIR").ok_or("cargo sets `OUT_DIR`")?;
    fs::write(Path::new(&out).join("embedded.rs"), code)?;
    Ok(())
}

/// Returns the code of the constant of an SDK, with the licenses.
fn sdk(top: &Path, name: &str, mut files: Files) -> Result<String, Error> {
    for license in LICENSES {
        files.insert(license.to_owned(), read(&top.join(license))?);
    }
    Ok(constant(name, &files)?)
}

/// Returns the files of the contract by name.
fn contract(top: &Path) -> Result<Files, Error> {
    let mut files = Files::new();
    watch(&top.join("wit"));
    for entry in fs::read_dir(top.join("wit"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, read(&path)?);
        }
    }
    Ok(files)
}

/// Returns the crates of the Rust SDK, each in a directory with the name of the crate.
fn rust_sdk(top: &Path) -> Result<Files, Error> {
    let workspace = Workspace::parse(&read(&top.join("Cargo.toml"))?)?;
    let mut files = Files::new();
    for directory in crates(top, &workspace)? {
        let manifest = read(&top.join(&directory).join("Cargo.toml"))?;
        let name = manifest::name(&manifest)?;
        let name_of = |path: &Path| {
            let manifest = read(&top.join(path).join("Cargo.toml"))?;
            manifest::name(&manifest)
        };
        let resolved = workspace.resolve(&directory, &manifest, &name_of)?;
        files.insert(format!("{name}/Cargo.toml"), resolved);
        let readme = top.join(&directory).join("README.md");
        if readme.exists() {
            files.insert(format!("{name}/README.md"), read(&readme)?);
        }
        watch(&top.join(&directory).join("src"));
        for (path, text) in sources::read_all(&top.join(&directory).join("src"))? {
            files.insert(format!("{name}/src/{path}"), text);
        }
    }
    Ok(files)
}

/// Returns the directories of the SDK and of all crates that it needs, relative to `top`.
fn crates(top: &Path, workspace: &Workspace) -> Result<Vec<PathBuf>, Error> {
    let mut found = vec![PathBuf::from(SDK)];
    let mut index = 0;
    while let Some(directory) = found.get(index).cloned() {
        let manifest = read(&top.join(&directory).join("Cargo.toml"))?;
        for dependency in workspace.path_dependencies(&directory, &manifest)? {
            if !found.contains(&dependency) {
                found.push(dependency);
            }
        }
        index += 1;
    }
    Ok(found)
}

impl Package {
    /// Returns the files with their paths in `sdk`.
    fn files(&self, top: &Path) -> Result<Files, Error> {
        let directory = top.join(self.directory);
        let mut files = Files::new();
        for (place, path) in self.files {
            files.insert((*place).to_owned(), read(&top.join(path))?);
        }
        watch(&directory);
        for path in sources::files_below(&directory)? {
            let extension = path.extension().unwrap_or_default();
            let is_test = path.to_string_lossy().ends_with(UNIT_TESTS);
            if !is_test && self.extensions.iter().any(|it| extension == *it) {
                let relative = path.strip_prefix(&directory)?.to_str().ok_or("a path in UTF-8")?;
                files.insert(format!("{}{relative}", self.place), read(&path)?);
            }
        }
        Ok(files)
    }
}

/// Reads a file and builds the crate again when it changes.
fn read(path: &Path) -> Result<String, Error> {
    watch(path);
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

#[expect(clippy::print_stdout, reason = "instructions for cargo")]
fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// Returns the code of a constant with pairs of path and content.
fn constant(name: &str, files: &Files) -> Result<String, std::fmt::Error> {
    let mut code = format!("pub(crate) const {name}: &[(&str, &str)] = &[\n");
    for (path, content) in files {
        writeln!(code, "    ({path:?}, {content:?}),")?;
    }
    code.push_str("];\n");
    Ok(code)
}
