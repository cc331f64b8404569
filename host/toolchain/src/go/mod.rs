//! Builds plugins in Go with the Go toolchain.
//!
//! - `project`: reads `go.mod`.
//! - `toolchain`: finds `go`.
//! - `compile`: runs `go build`, and adds the contract to the module.
//! - `messages`: the hints for messages of Go.

mod compile;
mod messages;
mod project;
mod toolchain;

use std::path::Path;

use crate::build::{Artifact, BuildEvent};
use crate::error::BuildError;

pub(crate) use self::project::ProjectError;
pub(crate) use self::toolchain::ToolchainError;

use self::project::GoProject;
use self::toolchain::Toolchain;

/// Builds the project in `dir`.
pub(crate) fn build(
    dir: &Path,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let project = GoProject::read(dir).map_err(|error| BuildError::project(dir, error.into()))?;
    let toolchain =
        Toolchain::find(&project.root).map_err(|error| BuildError::toolchain(dir, error.into()))?;
    compile::run(&project, &toolchain, report)
}
