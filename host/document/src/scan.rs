//! What has to be looked at to answer a question.

use std::collections::BTreeSet;

use crate::name::DocumentId;
use crate::projection::Projection;

/// Which documents of a collection have to be looked at, and which of their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The fields.
    pub wanted: Projection,
    /// The documents; `None` for all of them.
    pub ids: Option<BTreeSet<DocumentId>>,
    /// Those up to this one need not be looked at.
    pub after: Option<DocumentId>,
    /// How many there are up to that one, where that is known.
    pub before: Option<u64>,
}

impl Scan {
    /// Returns whether a document has to be looked at.
    pub fn includes(&self, id: &DocumentId) -> bool {
        self.after.as_ref().is_none_or(|after| after < id)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(id))
    }
}
