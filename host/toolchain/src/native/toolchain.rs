//! Finds a compiler: clang with a C library for WebAssembly, or Zig.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::project::NativeProject;
use crate::command::stdout_of;
use crate::environment;
use crate::kit::Language;

/// The version of Zig in the requirements of a new project.
pub(crate) const VERSION: &str = "0.17.0";
/// The prefix of the versions of Zig that are known to work.
const SUPPORTED: &str = "0.17.";
/// The programs of clang, the preferred one first.
const CLANG: [&str; 5] = ["clang", "clang-22", "clang-21", "clang-20", "clang-19"];
/// The packages of Debian with a compiler for C.
const DEBIAN: &str = "clang lld libclang-rt-dev-wasm32 wasi-libc";
/// The further packages of Debian for C++.
const DEBIAN_CPP: &str = "libc++-dev-wasm32 libc++abi-dev-wasm32";

/// The argument of the linker for a module without a main function.
pub(super) const REACTOR: &str = "-mexec-model=reactor";

/// A compiler that works.
#[derive(Debug)]
pub(super) struct Compiler {
    /// The path of the program.
    pub(super) program: PathBuf,
    pub(super) kind: Kind,
}

/// A kind of compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Clang,
    /// The C compiler of Zig, which is clang with C libraries.
    ZigC,
    /// The compiler for Zig.
    Zig,
}

/// The reason why no compiler can be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// No compiler is installed that compiles to WebAssembly.
    #[error("cannot find `zig`, which compiles {language} to WebAssembly{}", unusable(.clang.as_ref()))]
    NotInstalled {
        /// The language of the project.
        language: Language,
        /// A clang that cannot compile to WebAssembly, and the reason.
        clang: Option<(PathBuf, String)>,
        /// Whether the project lists its requirements.
        has_requirements: bool,
    },
    /// The program does not start.
    #[error("`{}` does not start: {reason}", program.display())]
    Broken {
        /// The program.
        program: PathBuf,
        /// The message of the program or of the operating system.
        reason: String,
        /// Whether the project lists its requirements.
        has_requirements: bool,
    },
    /// Zig has a version that is not known to work.
    #[error("`{}` has version {found}, but version {SUPPORTED}x is needed", program.display())]
    OtherVersion {
        /// The program.
        program: PathBuf,
        /// The version that the program prints.
        found: String,
        /// Whether the project lists its requirements.
        has_requirements: bool,
    },
}

/// Returns the part of a message about a clang that cannot be used.
fn unusable(clang: Option<&(PathBuf, String)>) -> String {
    match clang {
        Some((program, reason)) => {
            format!(", and `{}` has no C library for it: {reason}", program.display())
        }
        None => String::new(),
    }
}

impl ToolchainError {
    /// Returns the command that fixes the toolchain of the project in `dir`.
    pub(crate) fn hint(&self, dir: &Path) -> String {
        match self {
            Self::NotInstalled { language, has_requirements, .. } => {
                let install = install(dir, "", *has_requirements);
                match language {
                    Language::Zig => install,
                    Language::Cpp => {
                        format!("{install}, or on Debian `apt-get install {DEBIAN} {DEBIAN_CPP}`")
                    }
                    _ => format!("{install}, or on Debian `apt-get install {DEBIAN}`"),
                }
            }
            Self::Broken { has_requirements, .. } | Self::OtherVersion { has_requirements, .. } => {
                install(dir, " --clear", *has_requirements)
            }
        }
    }
}

/// Returns the hint with the command that installs Zig into the project.
fn install(dir: &Path, flags: &str, has_requirements: bool) -> String {
    let packages = match has_requirements {
        true => "-r requirements.txt".to_owned(),
        false => format!("ziglang=={VERSION}"),
    };
    format!("run `{}`", environment::install(dir, flags, &packages))
}

impl Compiler {
    /// Finds the compiler for a project.
    ///
    /// # Errors
    ///
    /// Returns [`ToolchainError`] if there is none, or Zig does not start or has another version.
    pub(super) fn find(project: &NativeProject) -> Result<Self, ToolchainError> {
        let root = environment::root(&project.dir);
        let has_requirements = root.join("requirements.txt").is_file();
        let mut clang = None;
        if project.language != Language::Zig {
            match find_clang(&root, project.language) {
                Ok(Some(program)) => return Ok(Self { program, kind: Kind::Clang }),
                Ok(None) => {}
                Err(unusable) => clang = Some(unusable),
            }
        }
        match zigs(&root).next() {
            Some(program) => {
                check_version(&program, has_requirements)?;
                let kind = if project.language == Language::Zig { Kind::Zig } else { Kind::ZigC };
                Ok(Self { program, kind })
            }
            None => {
                let language = project.language;
                Err(ToolchainError::NotInstalled { language, clang, has_requirements })
            }
        }
    }

    /// Returns the name for progress messages.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Clang => "clang",
            Kind::ZigC => "zig cc",
            Kind::Zig => "zig",
        }
    }

    /// Returns the command that compiles or, with [`REACTOR`], links C or C++.
    pub(super) fn command(&self, language: Language) -> Command {
        let mut command = Command::new(&self.program);
        let is_cpp = language == Language::Cpp;
        match self.kind {
            Kind::Clang if is_cpp => command.arg("--driver-mode=g++"),
            Kind::Clang => &mut command,
            Kind::ZigC | Kind::Zig => command.arg(if is_cpp { "c++" } else { "cc" }),
        };
        command.arg("--target=wasm32-wasi");
        command
    }
}

/// Returns a clang that compiles a program in this language.
///
/// # Errors
///
/// Returns the first clang and its message if none compiles the program.
fn find_clang(root: &Path, language: Language) -> Result<Option<PathBuf>, (PathBuf, String)> {
    let mut unusable = None;
    for name in CLANG {
        for candidate in environment::programs(root, name) {
            match compile_probe(&candidate.program, language) {
                Ok(()) => return Ok(Some(candidate.program)),
                Err(reason) => unusable = unusable.or(Some((candidate.program, reason))),
            }
        }
    }
    unusable.map_or(Ok(None), Err)
}

/// Compiles and links a program that needs the standard library.
fn compile_probe(program: &Path, language: Language) -> Result<(), String> {
    let (header, kind) = match language {
        Language::Cpp => ("new", "c++"),
        _ => ("stdlib.h", "c"),
    };
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = directory.path().join("probe");
    let text = format!("#include <{header}>\nint probe(void) {{ return 0; }}\n");
    fs::write(&source, text).map_err(|error: io::Error| error.to_string())?;
    let compiler = Compiler { program: program.to_owned(), kind: Kind::Clang };
    let mut command = compiler.command(language);
    command
        .arg(REACTOR)
        .args(["-x", kind])
        .arg(&source)
        .arg("-o")
        .arg(directory.path().join("probe.wasm"));
    stdout_of(&mut command).map(drop).map_err(|error| error.reason())
}

/// Returns the programs `zig` that exist, the preferred one first.
fn zigs(root: &Path) -> impl Iterator<Item = PathBuf> {
    // The Python package `ziglang` contains the program, but installs only a script.
    let own = environment::packages(root).into_iter().map(|packages| packages.join("ziglang/zig"));
    let own: Vec<_> = own.filter(|program| program.is_file()).collect();
    own.into_iter().chain(environment::programs(root, "zig").map(|candidate| candidate.program))
}

fn check_version(program: &Path, has_requirements: bool) -> Result<(), ToolchainError> {
    let program = program.to_owned();
    match stdout_of(Command::new(&program).arg("version")) {
        Ok(version) if version.starts_with(SUPPORTED) => Ok(()),
        Ok(version) => {
            let found = version.trim().to_owned();
            Err(ToolchainError::OtherVersion { program, found, has_requirements })
        }
        Err(error) => {
            let reason = error.reason();
            Err(ToolchainError::Broken { program, reason, has_requirements })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Writes a program that prints this text, or fails with it.
    fn program(directory: &Path, text: &str, status: u8) -> PathBuf {
        let program = directory.join("program");
        let script = format!("#!/bin/sh\necho '{text}'\necho '{text}' >&2\nexit {status}\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn other_version_of_zig_is_rejected() {
        let scratch = tempfile::tempdir().unwrap();
        let check = |text, status| {
            check_version(&program(scratch.path(), text, status), true).map_err(|error| {
                error.to_string().replace(scratch.path().to_str().unwrap(), "[DIR]")
            })
        };
        assert_eq!(check("0.17.1", 0), Ok(()));
        let other = "`[DIR]/program` has version 0.15.2, but version 0.17.x is needed";
        assert_eq!(check("0.15.2", 0).unwrap_err(), other);
        let broken = "`[DIR]/program` does not start: no such library";
        assert_eq!(check("no such library", 1).unwrap_err(), broken);
        let missing = check_version(&scratch.path().join("missing"), true).unwrap_err();
        assert!(missing.to_string().contains("does not start: No such file"), "{missing}");
    }

    #[test]
    fn clang_without_a_c_library_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let message = "probe:1:10: fatal error: stdlib.h file not found";
        let clang = program(scratch.path(), message, 1);
        assert_eq!(compile_probe(&clang, Language::C).unwrap_err(), message);
        let clang = Some((PathBuf::from("/usr/bin/clang"), message.to_owned()));
        let error =
            ToolchainError::NotInstalled { language: Language::C, clang, has_requirements: true };
        let expected = format!(
            "cannot find `zig`, which compiles C to WebAssembly, and `/usr/bin/clang` has no C \
             library for it: {message}"
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn hint_is_a_command_for_the_project() {
        let hint = |language, has_requirements, dir| {
            let clang = None;
            ToolchainError::NotInstalled { language, clang, has_requirements }.hint(Path::new(dir))
        };
        assert_eq!(
            hint(Language::Zig, true, "."),
            "run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt`"
        );
        assert_eq!(
            hint(Language::C, false, "my plugin"),
            "run `cd 'my plugin' && python3 -m venv .venv && .venv/bin/pip install \
             ziglang==0.17.0`, or on Debian `apt-get install clang lld libclang-rt-dev-wasm32 \
             wasi-libc`"
        );
        assert!(
            hint(Language::Cpp, true, ".").ends_with(" libc++-dev-wasm32 libc++abi-dev-wasm32`")
        );
    }
}
