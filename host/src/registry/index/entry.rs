//! An entry of the index: one inspected file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::files::FileStamp;
use crate::model::digest::Digest;
use crate::model::limits::ExceededBudget;

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
    /// The content could not be compiled with this budget. It is compiled again with a higher one,
    /// or after a time in nanoseconds since 1970.
    OverBudget { exceeded: ExceededBudget, retry_at: i64 },
}

impl<P> Inspection<P> {
    /// Returns the result with another form of the plugin.
    fn map<Q>(self, convert: impl FnOnce(P) -> Q) -> Inspection<Q> {
        match self {
            Self::Plugin(plugin) => Inspection::Plugin(convert(plugin)),
            Self::Rejected { reason, valid_until } => Inspection::Rejected { reason, valid_until },
            Self::OverBudget { exceeded, retry_at } => {
                Inspection::OverBudget { exceeded, retry_at }
            }
        }
    }

    /// Returns the result with a borrowed plugin.
    fn as_ref(&self) -> Inspection<&P> {
        match self {
            Self::Plugin(plugin) => Inspection::Plugin(plugin),
            Self::Rejected { reason, valid_until } => {
                Inspection::Rejected { reason: reason.clone(), valid_until: *valid_until }
            }
            Self::OverBudget { exceeded, retry_at } => {
                Inspection::OverBudget { exceeded: *exceeded, retry_at: *retry_at }
            }
        }
    }
}

impl<P> IndexEntry<P> {
    /// Returns the entry with another form of the plugin.
    pub(in super::super) fn map<Q>(self, convert: impl FnOnce(P) -> Q) -> IndexEntry<Q> {
        let Self { path, stamp, read_at, digest, accepted, inspection } = self;
        let inspection = inspection.map(convert);
        IndexEntry { path, stamp, read_at, digest, accepted, inspection }
    }

    /// Returns the entry with a borrowed plugin.
    pub(in super::super) fn as_ref(&self) -> IndexEntry<&P> {
        let inspection = self.inspection.as_ref();
        let Self { stamp, read_at, digest, accepted, .. } = *self;
        IndexEntry { path: self.path.clone(), stamp, read_at, digest, accepted, inspection }
    }

    /// Returns the plugin, unless the content was rejected.
    pub(in super::super) fn plugin(&self) -> Option<&P> {
        match &self.inspection {
            Inspection::Plugin(plugin) => Some(plugin),
            Inspection::Rejected { .. } | Inspection::OverBudget { .. } => None,
        }
    }
}
