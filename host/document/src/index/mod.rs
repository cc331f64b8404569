//! Secondary indexes: the keys of a document, and the key ranges that a filter selects.
//!
//! An index of a field has an entry for each value that a filter of the field can match: the value,
//! and for a list also each of its items. A missing value has the key of null. An index yields
//! candidates only. A store must check the whole filter on each candidate, but no other document
//! can match.
//!
//! - [`IndexField`] is the field of an index.
//! - [`keys_of`] returns the keys of a document.
//! - [`bounds_of`] returns the key ranges that contain a key of every matching document.
//! - [`IndexOrder`] is the sort order of a query, as an order of index entries.

mod bounds;
mod conditions;
mod field;
mod key;
mod order;

pub use self::bounds::{Bounds, KeyRange, after};
pub use self::conditions::bounds_of;
pub use self::field::{IndexField, IndexFieldError};
pub use self::key::{IndexKey, keys_of};
pub use self::order::{IndexOrder, IndexPosition};
