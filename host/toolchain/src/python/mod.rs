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

use std::path::{Path, PathBuf};

use crate::build::{Artifact, BuildEvent};
use crate::error::BuildError;

pub use self::project::ProjectError;
pub use self::toolchain::ToolchainError;
pub(crate) use self::traceback::hint;

use self::project::PythonProject;
use self::toolchain::Toolchain;

/// Builds the projects in `dirs`, in this order.
pub(crate) fn build(
    dirs: &[PathBuf],
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<Artifact>, BuildError> {
    dirs.iter().map(|dir| build_project(dir, report)).collect()
}

fn build_project(dir: &Path, report: &mut dyn FnMut(BuildEvent)) -> Result<Artifact, BuildError> {
    let invalid = |source| BuildError::PythonProject { dir: dir.to_owned(), source };
    let project = PythonProject::read(dir).map_err(invalid)?;
    let missing = |source| BuildError::PythonToolchain { dir: dir.to_owned(), source };
    let toolchain = Toolchain::find(&project.root).map_err(missing)?;
    componentize::run(&project, &toolchain, report)
}
