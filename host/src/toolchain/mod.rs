//! Builds plugins written in Rust: finds the packages, chooses a Rust that can compile to
//! WebAssembly, runs cargo. Used by `ophost build`; knows nothing of components or of hosting.
//!
//! - [`build`] is the way in: directories of packages to [`Artifact`]s, telling each [`Step`].
//! - [`Way`] is how the WebAssembly target was come by: it is not part of every Rust.
//! - [`survey`] only looks at what there is to build with.
//! - [`BuildError`] says what was missing, with the way out in its hint.

mod apt;
mod build;
mod cargo;
mod command;
mod debian;
mod error;
mod package;
mod survey;
mod way;

pub(crate) use build::{Artifact, build};
pub(crate) use error::BuildError;
pub(crate) use survey::{Survey, survey};
