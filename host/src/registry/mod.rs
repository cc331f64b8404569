//! Which operations there are, and which file holds each.
//!
//! - [`Registry`] is an immutable picture of the plugin directories.
//! - [`Loader`] makes one: of everything, or, where an index knows it, of one operation.
//! - [`RegisteredOperation`] is one operation, ready to run; [`PluginFile`] is what holds it.
//!   A file that is not used is kept with the reason: a bad one never stops the others.
//! - [`watch`] tells when the directories change.
//!
//! A plugin is compiled and described once for its content, by SHA-256. The index is a
//! saving of time and never needed.

pub(crate) mod catalog;
mod error;
mod files;
mod index;
mod load;
mod name_ownership;
mod snapshot;
mod watch;

pub(crate) use self::error::FileError;
pub use self::error::RegistryError;
pub(crate) use self::files::{Ignored, read_plugin};
pub use self::load::LoadProgress;
pub(crate) use self::load::{LoadObserver, Loader, LoaderOptions, inspect};
pub(crate) use self::snapshot::{PluginFile, RegisteredOperation, Registry, Schemas};
pub(crate) use self::watch::watch;
