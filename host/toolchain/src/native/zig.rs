//! Compiles sources in Zig.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::project::NativeProject;
use super::toolchain::Compiler;
use crate::command::CommandError;
use crate::error::BuildError;

/// The name of the generated root file.
const ENTRY: &str = "entry.zig";

/// The size of the stack, in bytes. The default of 16 MiB counts towards the memory limit of a run.
const STACK: &str = "1048576";

/// Compiles a project. Returns the module.
///
/// # Errors
///
/// Returns [`BuildError::Compiler`] if the project does not compile. The messages of the compiler
/// have been written to stderr.
pub(super) fn run(project: &NativeProject, compiler: &Compiler) -> Result<PathBuf, BuildError> {
    let directory = project.output().join("native").join(&project.name);
    let written = fs::create_dir_all(&directory)
        .and_then(|()| fs::write(directory.join(ENTRY), entry(project)?));
    written.map_err(|source| BuildError::TargetDirectory { path: directory.clone(), source })?;
    let module = directory.join("module.wasm");
    let output = command(project, compiler, &directory, &module).output().map_err(|source| {
        let program = compiler.program.display().to_string();
        BuildError::Rust(CommandError::Start { program, source })
    })?;
    // The message of a terminal that has been closed cannot be shown.
    io::stderr().write_all(&output.stderr).ok();
    if output.status.success() {
        return Ok(module);
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let is_without_operations = message.contains("has no member named 'operations'");
    let hint = is_without_operations
        .then_some("declare the operations with `pub const operations = .{ .. };`");
    let package = project.name.clone();
    Err(BuildError::Compiler { package, message: String::new(), hint })
}

fn command(
    project: &NativeProject,
    compiler: &Compiler,
    directory: &Path,
    module: &Path,
) -> Command {
    let mut command = Command::new(&compiler.program);
    command.args(["build-exe", "-target", "wasm32-wasi", "-fno-entry", "-rdynamic"]);
    command.args(["--stack", STACK]);
    // Checks of indexes and overflows are panics with a message.
    command.args(["-O", "ReleaseSafe", "-fno-strip"]);
    command.args(&project.flags);
    let path = |name: &str, path: PathBuf| format!("-M{name}={}", path.display());
    command.args(["--dep", "plugin", "--dep", "ophost"]).arg(path("root", directory.join(ENTRY)));
    let root = project.sources.first().map(|source| project.dir.join(source));
    command.args(["--dep", "ophost"]).arg(path("plugin", root.unwrap_or_default()));
    command.arg(path("ophost", project.sdk.join("zig/ophost.zig")));
    command.arg("--cache-dir").arg(directory.join("cache"));
    command.arg(format!("-femit-bin={}", module.display()));
    command.stdin(Stdio::null());
    command
}

/// Returns the root file, which exports the operations.
fn entry(project: &NativeProject) -> io::Result<String> {
    // A JSON text with these characters is a text in Zig too.
    let name = serde_json::to_string(&project.name)?;
    let version = serde_json::to_string(&project.version)?;
    Ok(format!(
        "const std = @import(\"std\");\n\
         const ophost = @import(\"ophost\");\n\n\
         pub const panic = ophost.panic;\n\
         pub const std_options: std.Options = .{{\n    \
             .logFn = ophost.standardLog,\n    \
             .log_level = .debug,\n\
         }};\n\n\
         comptime {{\n    \
             ophost.exportPlugin({name}, {version}, @import(\"plugin\").operations);\n\
         }}\n"
    ))
}
