//! The history of a document: the changes of its content by runs.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::digest::Digest;
use crate::model::document::{Body, ChangeKind, DocumentChange};
use crate::model::operation::OperationName;
use crate::model::outcome::Actor;
use crate::model::run_record::RunId;

/// A change of a document by a commit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// Revision of the document after the change. Increases with every commit of the store.
    pub revision: u64,
    /// Kind of the change.
    pub change: ChangeKind,
    /// Author of the change; `None` if the metadata of the commit was lost by a salvage.
    #[serde(flatten)]
    pub author: Option<ChangeAuthor>,
    /// Content before and after the change; `None` if retention removed it.
    #[serde(flatten)]
    pub content: Option<DocumentChange>,
}

/// The author and the time of a document change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeAuthor {
    /// Id of the run; `None` for a run without a record.
    pub run_id: Option<RunId>,
    /// Name of the operation.
    pub operation: OperationName,
    /// SHA-256 of the component; `None` for built-in operations.
    pub component_digest: Option<Digest>,
    /// The user and the channel.
    pub actor: Actor,
    /// Time of the commit.
    pub at: DateTime<Utc>,
}

/// One page of the history of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryPage {
    /// The changes, newest first.
    pub entries: Vec<HistoryEntry>,
    /// Revision before which the next page begins; `None` on the last page.
    pub next: Option<u64>,
}

/// A point in the history of the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointInTime {
    /// After the commit with this revision.
    Revision(u64),
    /// At this time.
    Time(DateTime<Utc>),
}

/// A document at a point in its history.
#[derive(Clone, Debug, PartialEq)]
pub enum PastDocument {
    /// The document existed. Contains its revision and its content.
    Existed(u64, Body),
    /// The document did not exist.
    Absent,
    /// The content is unknown: retention removed it, or a salvage lost it.
    Removed,
}
