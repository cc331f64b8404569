//! An entry of the index: one inspected file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::files::FileStamp;
use crate::model::digest::Digest;

/// Result of inspecting one file. `P` is the form of the plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct IndexEntry<P> {
    /// In the index, the path is the number of the directory and the file name.
    pub(in super::super) path: PathBuf,
    pub(in super::super) stamp: FileStamp,
    /// Time at which the content was read, in nanoseconds since 1970.
    pub(in super::super) read_at: i64,
    pub(in super::super) digest: Digest,
    /// Whether the file was served. If so, it owns its operation names.
    pub(in super::super) accepted: bool,
    pub(in super::super) inspection: Inspection<P>,
}

/// Result of inspecting a content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) enum Inspection<P> {
    /// The content is a valid plugin.
    Plugin(P),
    /// The content is rejected. The result is valid until a time in nanoseconds since 1970.
    Rejected { reason: String, valid_until: i64 },
}

impl<P> IndexEntry<P> {
    /// Returns the entry with another form of the plugin.
    pub(in super::super) fn map<Q>(self, convert: impl FnOnce(P) -> Q) -> IndexEntry<Q> {
        let Self { path, stamp, read_at, digest, accepted, inspection } = self;
        let inspection = match inspection {
            Inspection::Plugin(plugin) => Inspection::Plugin(convert(plugin)),
            Inspection::Rejected { reason, valid_until } => {
                Inspection::Rejected { reason, valid_until }
            }
        };
        IndexEntry { path, stamp, read_at, digest, accepted, inspection }
    }

    /// Returns the entry with a borrowed plugin.
    pub(in super::super) fn as_ref(&self) -> IndexEntry<&P> {
        let inspection = match &self.inspection {
            Inspection::Plugin(plugin) => Inspection::Plugin(plugin),
            Inspection::Rejected { reason, valid_until } => {
                Inspection::Rejected { reason: reason.clone(), valid_until: *valid_until }
            }
        };
        let Self { stamp, read_at, digest, accepted, .. } = *self;
        IndexEntry { path: self.path.clone(), stamp, read_at, digest, accepted, inspection }
    }

    /// Returns the plugin, unless the content was rejected.
    pub(in super::super) fn plugin(&self) -> Option<&P> {
        match &self.inspection {
            Inspection::Plugin(plugin) => Some(plugin),
            Inspection::Rejected { .. } => None,
        }
    }

    /// Returns whether the inspection result is still valid. A plugin is always valid.
    pub(in super::super) fn is_valid_at(&self, now: i64) -> bool {
        match &self.inspection {
            Inspection::Plugin(_) => true,
            Inspection::Rejected { valid_until, .. } => now < *valid_until,
        }
    }
}
