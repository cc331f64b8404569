//! Compiles and links sources in C and C++.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use super::object::Object;
use super::project::NativeProject;
use super::toolchain::{Compiler, Kind, REACTOR};
use crate::command::CommandError;
use crate::error::BuildError;
use crate::kit::Language;

/// The directories of headers of the SDK for C.
const HEADERS: [&str; 3] = ["c/include", "c/bindings", "c/third_party/yyjson"];
/// The directories of sources of the SDK for C.
const SOURCES: [&str; 3] = ["c/src", "c/bindings", "c/third_party/yyjson"];
/// The directory of headers of the SDK for C++, which uses that for C.
const CPP_HEADERS: &str = "cpp/include";
/// The directory of sources of the SDK for C++.
const CPP_SOURCES: &str = "cpp/src";
/// The argument for a stack of 1 MiB. The default size is 64 KiB with clang, and 16 MiB with Zig,
/// which count towards the memory limit of a run.
const STACK: &str = "-Wl,-z,stack-size=1048576";
/// The argument of clang for a stack whose overflow is a trap, as with Zig.
const STACK_FIRST: &str = "-Wl,--stack-first";

/// Compiles a project. Returns the module.
///
/// # Errors
///
/// Returns [`BuildError::Compiler`] if the project does not compile. The messages of the compiler
/// have been written to stderr.
pub(super) fn run(project: &NativeProject, compiler: &Compiler) -> Result<PathBuf, BuildError> {
    let directory = project.output().join("native").join(&project.name);
    fs::create_dir_all(&directory)
        .map_err(|source| BuildError::TargetDirectory { path: directory.clone(), source })?;
    let build = Build { project, compiler, directory };
    let mut objects = build.objects().map_err(|source| build.unreadable(source))?;
    build.compile(&mut objects)?;
    build.link(&objects)
}

struct Build<'a> {
    project: &'a NativeProject,
    compiler: &'a Compiler,
    /// The directory of the object files.
    directory: PathBuf,
}

impl Build<'_> {
    /// Returns the sources of the project and of the SDK.
    fn objects(&self) -> io::Result<Vec<Object>> {
        let mut objects = Vec::new();
        for source in &self.project.sources {
            let source = self.project.dir.join(source);
            let mut command = self.command(language_of(&source));
            command.arg("-Wall");
            for directory in &self.project.include {
                command.arg("-I").arg(directory);
            }
            command.args(&self.project.flags);
            objects.push(Object::new(command, &source, &self.directory));
        }
        for source in self.sdk_sources()? {
            let mut command = self.command(language_of(&source));
            command.arg("-w").args(self.definitions());
            objects.push(Object::new(command, &source, &self.directory));
        }
        Ok(objects)
    }

    /// Returns the sources of the SDK.
    fn sdk_sources(&self) -> io::Result<Vec<PathBuf>> {
        let mut sources = Vec::new();
        let cpp = (self.project.language == Language::Cpp).then_some(CPP_SOURCES);
        for directory in SOURCES.into_iter().chain(cpp) {
            for entry in fs::read_dir(self.project.sdk.join(directory))? {
                sources.push(entry?.path());
            }
        }
        sources.retain(|path| path.extension().is_some_and(|it| it == "c" || it == "cpp"));
        sources.sort();
        Ok(sources)
    }

    /// Returns the start of a command that compiles a source.
    fn command(&self, language: Language) -> Command {
        let mut command = self.compiler.command(language);
        command.args(["-Os", "-g", "-UNDEBUG"]);
        if language == Language::Cpp {
            command.args(["-std=c++23", "-fno-exceptions"]);
            command.arg("-isystem").arg(self.project.sdk.join(CPP_HEADERS));
        }
        for directory in HEADERS {
            command.arg("-isystem").arg(self.project.sdk.join(directory));
        }
        // Messages of the plugin have paths in the project, and builds are equal in all places.
        for (from, to) in [(&self.project.sdk, "sdk"), (&self.project.dir, "")] {
            if !from.as_os_str().is_empty() {
                let to = if to.is_empty() { String::new() } else { format!("{to}/") };
                command.arg(format!("-ffile-prefix-map={}/={to}", from.display()));
            }
        }
        if io::stderr().is_terminal() {
            command.arg("-fdiagnostics-color=always");
        }
        command
    }

    /// Returns the macros with the description of the plugin.
    fn definitions(&self) -> [String; 2] {
        let quoted =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let (name, version) = (quoted(&self.project.name), quoted(&self.project.version));
        [format!("-DOPHOST_PLUGIN_NAME={name}"), format!("-DOPHOST_PLUGIN_VERSION={version}")]
    }

    /// Compiles all sources in parallel, and writes the messages of the compiler to stderr.
    fn compile(&self, objects: &mut [Object]) -> Result<(), BuildError> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(objects.iter_mut());
        let next = || queue.lock().unwrap_or_else(|error| error.into_inner()).next();
        let work = || -> io::Result<bool> {
            let mut is_success = true;
            while let Some(object) = next() {
                if let Some(output) = object.compile()? {
                    is_success &= output.status.success();
                    io::stderr().write_all(&output.stderr)?;
                }
            }
            Ok(is_success)
        };
        let results: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
        });
        for result in results {
            let is_success = result.map_err(|source| self.cannot_start(source))?;
            if !is_success {
                return Err(self.failed(None));
            }
        }
        Ok(())
    }

    fn link(&self, objects: &[Object]) -> Result<PathBuf, BuildError> {
        let module = self.directory.join("module.wasm");
        let mut command = self.compiler.command(self.project.language);
        command.args([REACTOR, "-Os", "-g", STACK]);
        if self.compiler.kind == Kind::Clang {
            command.arg(STACK_FIRST);
        }
        command.args(objects.iter().map(|object| &object.path));
        command.arg("-o").arg(&module);
        let output = command.output().map_err(|source| self.cannot_start(source))?;
        // The message of a terminal that has been closed cannot be shown.
        io::stderr().write_all(&output.stderr).ok();
        match output.status.success() {
            true => Ok(module),
            false => Err(self.failed(link_hint(&output))),
        }
    }

    fn failed(&self, hint: Option<&'static str>) -> BuildError {
        BuildError::Compiler { package: self.project.name.clone(), message: String::new(), hint }
    }

    fn cannot_start(&self, source: io::Error) -> BuildError {
        let program = self.compiler.program.display().to_string();
        BuildError::Rust(CommandError::Start { program, source })
    }

    fn unreadable(&self, source: io::Error) -> BuildError {
        let path = self.project.sdk.clone();
        BuildError::project(
            &self.project.dir,
            super::project::ProjectError::Read { path, source }.into(),
        )
    }
}

/// Returns the language of a source file.
fn language_of(source: &Path) -> Language {
    match source.extension().is_some_and(|extension| extension == "c") {
        true => Language::C,
        false => Language::Cpp,
    }
}

/// Returns a hint for the author about the message of the linker, or `None` if no fix is known.
fn link_hint(output: &Output) -> Option<&'static str> {
    let message = String::from_utf8_lossy(&output.stderr);
    message
        .contains("undefined symbol: ophost_operations")
        .then_some("name the operations of the plugin with `OPHOST_PLUGIN`")
}
