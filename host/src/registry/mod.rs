//! Finds plugin files and registers their operations.
//!
//! | file | content |
//! |------|---------|
//! | `catalog.rs` | [`catalog::Catalog`]: the public view of a registry |
//! | `snapshot.rs` | [`Registry`]: immutable snapshot of the plugin directories |
//! | `load.rs` | [`Loader`]: creates snapshots from directories and index |
//! | `files.rs` | finds the files of the plugin directories, and reads one safely |
//! | `inspection.rs` | compiles and describes new files, a few at a time |
//! | `resolve.rs` | decides which files are served, and keeps the last good content of a file |
//! | `name_ownership.rs` | resolves conflicts of operation names |
//! | `index/` | index of inspected files on disk, for the next process |
//! | `watch.rs` | [`watch`]: reports changes of the plugin directories |
//! | `error.rs` | errors of directories, and rejection reasons of files |
//!
//! A plugin is compiled and described once for each content (SHA-256). A file that cannot be used
//! is rejected with a reason, and does not affect the other files. The index is only an
//! optimisation: without it, all files are inspected again.

pub(crate) mod catalog;
mod error;
mod files;
mod index;
mod inspection;
mod load;
mod name_ownership;
mod resolve;
mod snapshot;
mod watch;

pub(crate) use self::error::FileError;
pub use self::error::RegistryError;
pub(crate) use self::files::{Ignored, read_plugin};
pub use self::inspection::LoadProgress;
pub(crate) use self::inspection::{LoadObserver, inspect};
pub(crate) use self::load::{Loader, LoaderOptions};
pub(crate) use self::snapshot::{PluginFile, RegisteredOperation, Registry, Rejected, Schemas};
pub(crate) use self::watch::watch;
