//! The documents and fields that a query has to read.

use std::collections::BTreeSet;

use crate::name::DocumentId;
use crate::projection::Projection;

/// The documents of a collection, and their fields, that a query has to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The fields to read.
    pub projection: Projection,
    /// The ids of the documents; `None` for all documents.
    pub ids: Option<BTreeSet<DocumentId>>,
    /// The scan begins after this id; `None` to begin with the first document.
    pub after: Option<DocumentId>,
}

impl Scan {
    /// Returns whether the scan includes a document.
    pub fn includes(&self, id: &DocumentId) -> bool {
        self.after.as_ref().is_none_or(|after| after < id)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(id))
    }
}
