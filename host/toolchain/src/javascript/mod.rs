//! Builds plugins in TypeScript and JavaScript.
//!
//! - `project`: reads `package.json`.
//! - `engine`: the engines, QuickJS and StarlingMonkey.
//! - `toolchain`: finds Node.js and the packages in `node_modules`.
//! - `componentize`: generates the entry module, and runs `build.mjs` with Node.js. The script bundles
//!   the modules with esbuild and makes a component of the bundle.

mod componentize;
mod engine;
mod project;
mod toolchain;

use std::path::Path;

use crate::build::{Artifact, BuildEvent};
use crate::error::BuildError;

pub(crate) use self::project::ProjectError;
pub(crate) use self::toolchain::ToolchainError;

use self::project::JavaScriptProject;
use self::toolchain::Toolchain;

/// Builds the project in `dir`.
pub(crate) fn build(
    dir: &Path,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let project =
        JavaScriptProject::read(dir).map_err(|error| BuildError::project(dir, error.into()))?;
    let toolchain =
        Toolchain::find(&project).map_err(|error| BuildError::toolchain(dir, error.into()))?;
    componentize::run(&project, &toolchain, report)
}
