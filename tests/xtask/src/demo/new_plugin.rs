//! Plugins in other languages that `ophost new` creates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::languages;
use crate::python;
use crate::runner::{Failure, Runner, succeed, works};

/// Creates, builds and runs a plugin in Python. Without Python, prints that the plugin is left out.
pub(super) fn python(runner: &Runner, ophost: &Path) -> Result<(), Failure> {
    if !python::is_installed() {
        println!("\nThe plugin in Python is left out: cannot find `python3`.");
        return Ok(());
    }
    let toolchain = languages::python(runner)?;
    let project = project(runner, "greeter")?;
    let run = |arguments: &[&str]| {
        let line = format!("ophost {}", arguments.join(" "));
        println!("\n$ {line}");
        let mut command = Command::new(ophost);
        toolchain.add_to_path(command.args(arguments))?;
        succeed(&mut command, &line)
    };
    run(&["new", "greeter", &project, "--lang", "python"])?;
    run(&["build", &project, "--install"])?;
    run(&["run", "greeter", "name=Ada"])
}

/// Creates, builds and runs a plugin in TypeScript. Without Node.js, prints that the plugin is left
/// out.
pub(super) fn typescript(runner: &Runner, ophost: &Path) -> Result<(), Failure> {
    for program in ["node", "npm"] {
        if !works(Command::new(program).arg("--version")) {
            println!("\nThe plugin in TypeScript is left out: cannot find `{program}`.");
            return Ok(());
        }
    }
    let project = project(runner, "welcome")?;
    let run = |arguments: &[&str]| {
        let line = format!("ophost {}", arguments.join(" "));
        println!("\n$ {line}");
        succeed(Command::new(ophost).args(arguments), &line)
    };
    run(&["new", "welcome", &project, "--lang", "typescript"])?;
    println!("\n$ cd {project} && npm ci");
    succeed(Command::new("npm").arg("ci").current_dir(&project), "npm ci")?;
    run(&["build", &project, "--install"])?;
    run(&["run", "welcome", "name=Ada"])
}

/// Returns the path of a project that does not exist, below the target directory.
fn project(runner: &Runner, name: &str) -> Result<String, Failure> {
    let directory: PathBuf = runner.target().join("demo");
    fs::create_dir_all(&directory).map_err(|error| {
        Failure::new(format!("cannot create `{}`: {error}", directory.display()))
    })?;
    let project = directory.join(name);
    fs::remove_dir_all(&project).ok();
    Ok(project.display().to_string())
}
