//! Builds plugins from source, for `ophost build`.
//!
//! The crate finds the packages, chooses a WebAssembly target and runs cargo. It depends on
//! no other crate of the host: the result is a file, and the host checks what is in it.
//!
//! - [`build`] compiles the packages in directories to [`Artifact`]s and reports each
//!   [`BuildEvent`].
//! - [`WasmTarget`] is the target of a build and whether rustup has just added it.
//! - [`probe`] reports what a build would find, without changing anything.
//! - [`BuildError`] names what is missing; [`BuildError::hint`] is the way out.

mod build;
mod cargo;
mod command;
mod error;
mod package;
mod report;
mod target;

pub use build::{Artifact, BuildEvent, build};
pub use command::CommandError;
pub use error::BuildError;
pub use report::{ToolchainReport, probe};
pub use target::WasmTarget;
