//! Which operations there are, and which file holds each.
//!
//! - [`Registry`] is an immutable picture of the plugin directories: made by
//!   [`Registry::load`], never changed.
//! - [`Entry`] is one operation, ready to run.
//! - [`Refused`] is one file that is not used, and why. A bad file never stops the others.

mod load;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::load::RegistryError;
pub(crate) use self::load::{FileError, inspect, read_bounded};
use crate::operation::{Operation, OperationName};
use crate::sandbox::Guest;
use crate::schema::Schema;

/// The operations of a host.
#[derive(Default)]
pub(crate) struct Registry {
    entries: BTreeMap<OperationName, Arc<Entry>>,
    refused: Vec<Refused>,
}

/// One operation, ready to run.
pub(crate) struct Entry {
    pub(crate) operation: Operation,
    pub(crate) input_schema: Schema,
    pub(crate) output_schema: Schema,
    pub(crate) file: Arc<PluginFile>,
}

/// The file that holds an operation.
pub(crate) struct PluginFile {
    pub(crate) path: PathBuf,
    /// SHA-256 of the file's bytes, in hex.
    pub(crate) digest: String,
    /// The plugin's own name and version.
    pub(crate) plugin: String,
    pub(crate) version: String,
    pub(crate) guest: Guest,
}

/// A file that is not used.
pub(crate) struct Refused {
    pub(crate) path: PathBuf,
    pub(crate) reason: FileError,
}

impl Registry {
    /// Returns an operation.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|(known, _)| known.as_str() == name).map(|(_, entry)| entry)
    }

    /// Returns all operations, by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// Returns the files that are not used, by path.
    pub(crate) fn refused(&self) -> &[Refused] {
        &self.refused
    }
}
