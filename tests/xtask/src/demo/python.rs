//! A plugin in Python that `ophost new` creates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::languages;
use crate::python;
use crate::runner::{Failure, Runner, succeed};

/// Name of the plugin and of its operation.
const NAME: &str = "greeter";

/// Creates, builds and runs a plugin. Without Python, prints that the plugin is left out.
pub(super) fn run(runner: &Runner, ophost: &Path) -> Result<(), Failure> {
    if !python::is_installed() {
        println!("\nThe plugin in Python is left out: cannot find `python3`.");
        return Ok(());
    }
    let toolchain = languages::python(runner)?;
    let directory = new_directory(runner)?;
    let project = directory.join(NAME).display().to_string();
    for arguments in [
        &["new", NAME, &project, "--lang", "python"][..],
        &["build", &project, "--install"],
        &["run", NAME, "name=Ada"],
    ] {
        let line = format!("ophost {}", arguments.join(" "));
        println!("\n$ {line}");
        let mut command = Command::new(ophost);
        toolchain.add_to_path(command.args(arguments))?;
        succeed(&mut command, &line)?;
    }
    Ok(())
}

/// Returns an empty directory below the target directory.
fn new_directory(runner: &Runner) -> Result<PathBuf, Failure> {
    let directory = runner.target().join("demo");
    fs::remove_dir_all(&directory).ok();
    fs::create_dir_all(&directory).map_err(|error| {
        Failure::new(format!("cannot create `{}`: {error}", directory.display()))
    })?;
    Ok(directory)
}
