//! The toolchain for C, C++ and Zig, from Python packages.

use std::path::PathBuf;

use crate::python::Python;
use crate::runner::{Failure, Runner};

/// The languages of the toolchain.
pub(super) const LANGUAGES: [&str; 3] = ["c", "cpp", "zig"];
/// The packages of the compiler and of the JSON library for C++, as in the requirements of new
/// projects. Zig's own project publishes the compiler.
const PACKAGES: [&str; 2] = ["ziglang==0.17.0", "nlohmann-json==3.12.0"];

/// An installed toolchain.
pub(super) struct Native {
    python: Python,
    cache: PathBuf,
}

impl Native {
    /// Returns the toolchain below the target directory. Installs it if it is missing.
    pub(super) fn install(runner: &Runner) -> Result<Self, Failure> {
        let directory = runner.target().join("languages/native");
        let python = Python::with(&PACKAGES, runner, &directory)?;
        Ok(Self { python, cache: directory.join("cache") })
    }

    /// Returns the directory of the programs. The compiler is in the packages beside it.
    pub(super) fn programs(&self) -> PathBuf {
        self.python.programs()
    }

    /// Returns the variable with the cache, which contains the compiled C and C++ libraries. The
    /// home directory of a test is empty, so that it has no cache.
    pub(super) fn variables(&self) -> (&'static str, PathBuf) {
        ("ZIG_GLOBAL_CACHE_DIR", self.cache.clone())
    }
}
