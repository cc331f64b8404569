//! Creates projects for plugins, and builds plugins from source.
//!
//! The crate depends on no other crate of the host: the result is a module, and the host checks it.
//!
//! - [`kit`] creates the projects of `ophost new`, with the SDK of their language.
//! - [`build`] compiles the projects in directories to [`Artifact`]s and reports each
//!   [`BuildEvent`]. [`language`] is the language of a project.
//! - `rust` builds with cargo, `python` with componentize-py, `javascript` with esbuild and
//!   componentize-qjs, `go` with the Go toolchain, and `native` with clang or Zig. `environment` finds
//!   the programs, `manifest` formats errors, `contract` writes the contract for them, `embed` adds
//!   it to modules, and `output` copies the modules.
//! - [`WasmTarget`] is the target of a build, with a mark if rustup has just added it.
//! - [`probe`] reports the tools of a build, without changing anything.
//! - [`BuildError`] is the error of a build; [`BuildError::hint`] returns the fix.

mod build;
mod command;
mod contract;
mod embed;
mod environment;
mod error;
mod go;
mod javascript;
pub mod kit;
mod manifest;
mod native;
mod output;
mod python;
mod report;
mod rust;

pub use build::{Artifact, BuildEvent, build, language};
pub use command::CommandError;
pub use error::{BuildError, ProjectError, ToolchainError};
pub use report::{ToolchainReport, probe};
pub use rust::target::WasmTarget;
