//! The order of an index as the sort order of a query.

use super::field::IndexField;
use crate::name::DocumentId;
use crate::sort::{Sort, SortKey, encoded_len};

/// The sort order of a query whose first field can have an index.
///
/// The entries of an index are in ascending order of their values, and entries of the same value in
/// ascending order of the ids. Each document has an entry of the value that it is sorted by, and a
/// list has further entries. In an ascending order, documents whose first entry is at a value have
/// a sort key of at least that value.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexOrder {
    field: IndexField,
    descending: bool,
    /// Whether documents of the same value are in ascending order of their ids.
    is_by_id_next: bool,
    limit: usize,
    after: Option<IndexPosition>,
}

/// A position in the order of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPosition {
    /// The key of the value.
    pub value: Vec<u8>,
    /// The last document of the value that the position is after; `None` for the start of the
    /// value.
    pub after: Option<DocumentId>,
}

impl IndexOrder {
    /// Returns the order of a query with this limit that begins after a document with the sort key
    /// `after`. `None` if the first field of the sort order cannot have an index.
    pub(crate) fn of(sort: &Sort, limit: usize, after: Option<&SortKey>) -> Option<Self> {
        let (first, others) = sort.split_first()?;
        let field = IndexField::new(first.path.clone()).ok()?;
        let is_by_id_next = others.first().is_none_or(|next| next.is_ascending_id());
        let mut order =
            Self { field, descending: first.descending, is_by_id_next, limit, after: None };
        order.after = after.and_then(|after| order.position_of(after));
        Some(order)
    }

    /// Returns the position after a sort key; `None` for a malformed key.
    fn position_of(&self, key: &SortKey) -> Option<IndexPosition> {
        let mut value = key.as_bytes().to_vec();
        if self.descending {
            invert(&mut value);
        }
        let length = encoded_len(&value)?;
        value.truncate(length);
        let id = str::from_utf8(key.as_bytes().get(length..)?).ok().and_then(|id| id.parse().ok());
        Some(IndexPosition { value, after: id.filter(|_| self.is_by_id_next) })
    }

    /// Returns the field of the index.
    pub fn field(&self) -> &IndexField {
        &self.field
    }

    /// Returns whether the greatest value comes first.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// Returns the maximum number of documents of the page.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the position at which the page begins; `None` for the start of the order.
    pub fn start(&self) -> Option<&IndexPosition> {
        self.after.as_ref()
    }

    /// Returns a lower bound of the sort keys of the documents that have no entry before a
    /// position.
    pub(crate) fn lower_bound(&self, position: &IndexPosition) -> Vec<u8> {
        let mut bound = position.value.clone();
        if self.descending {
            invert(&mut bound);
        }
        let id = position.after.as_ref().filter(|_| self.is_by_id_next);
        bound.extend(id.into_iter().flat_map(|id| id.as_str().bytes()));
        bound
    }
}

fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}
