//! Builds plugins in C, C++ and Zig.
//!
//! - `project`: reads `plugin.toml`.
//! - `toolchain`: finds a compiler.
//! - `compile`: compiles and links sources in C and C++. `object`: one source, compiled again after a
//!   change only.
//! - `zig`: compiles sources in Zig.
//! - `module`: removes the debug information of a module.

mod compile;
mod module;
mod object;
mod project;
mod toolchain;
mod zig;

use std::path::Path;

use crate::build::{Artifact, BuildEvent};
use crate::embed;
use crate::error::BuildError;
use crate::kit::Language;
use crate::output::OutputDirectory;

pub(crate) use self::project::ProjectError;
pub(crate) use self::toolchain::ToolchainError;

use self::project::NativeProject;
use self::toolchain::Compiler;

/// The name of the manifest.
pub(crate) const MANIFEST: &str = "plugin.toml";

/// Returns the language of the project in `dir`.
pub(crate) fn language(dir: &Path) -> Result<Language, BuildError> {
    project::language(dir).map_err(|error| BuildError::project(dir, error.into()))
}

/// Builds the project in `dir`.
pub(crate) fn build(
    dir: &Path,
    report: &mut dyn FnMut(BuildEvent),
) -> Result<Artifact, BuildError> {
    let project =
        NativeProject::read(dir).map_err(|error| BuildError::project(dir, error.into()))?;
    let compiler =
        Compiler::find(&project).map_err(|error| BuildError::toolchain(dir, error.into()))?;
    let output = OutputDirectory::new(project.output());
    let _lock = output.lock(report)?;
    let package = project.name.clone();
    report(BuildEvent::Compiling { package, compiler: compiler.name() });
    let linked = match project.language {
        Language::Zig => zig::run(&project, &compiler)?,
        _ => compile::run(&project, &compiler)?,
    };
    let changed = module::remove_debug_information(&linked);
    changed.map_err(|source| BuildError::TargetDirectory { path: linked.clone(), source })?;
    embed::contract(&project.name, &linked, project.contract().as_deref())?;
    output.artifact(&project.name, &linked)
}
