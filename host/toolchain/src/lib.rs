//! Builds plugins from source, for `ophost build`.
//!
//! The crate finds the packages, chooses a WebAssembly target and runs cargo. It depends on no other
//! crate of the host: the result is a file, and the host checks the file.
//!
//! - [`build`] compiles the packages in directories to [`Artifact`]s and reports each
//!   [`BuildEvent`].
//! - [`WasmTarget`] is the target of a build, with a mark if rustup has just added it.
//! - [`probe`] reports the tools of a build, without changing anything.
//! - [`BuildError`] is the error of a build; [`BuildError::hint`] returns the fix.

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
