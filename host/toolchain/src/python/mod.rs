//! Builds plugins in Python with componentize-py.
//!
//! - `project`: reads `pyproject.toml`.
//! - `toolchain`: finds componentize-py and the packages of its environment.
//! - `componentize`: generates the entry module and runs componentize-py.
//! - `traceback`: the message of a program that does not start, and the hint for it.

mod componentize;
mod project;
mod toolchain;
mod traceback;

use std::path::Path;

use crate::build::{Artifact, BuildEvent};
use crate::error::BuildError;

pub(crate) use self::project::ProjectError;
pub(crate) use self::toolchain::ToolchainError;

use self::project::PythonProject;
use self::toolchain::Toolchain;

/// Builds the project in `dir`.
pub(crate) fn build(
    dir: &Path,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let project =
        PythonProject::read(dir).map_err(|error| BuildError::project(dir, error.into()))?;
    let toolchain =
        Toolchain::find(&project.root).map_err(|error| BuildError::toolchain(dir, error.into()))?;
    componentize::run(&project, &toolchain, report)
}
