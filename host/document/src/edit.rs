//! Sets fields and merges patches.

use serde_json::Value;

use crate::body::{Body, BodyError};
use crate::path::Path;
use crate::text;

/// Returns a document with fields set, null included, each at its path. Objects that are
/// missing on the way are made; a list grows by one at its end.
///
/// # Errors
///
/// Returns [`EditError`] if a path does not lead to its place, two paths are the same or one
/// leads through the other, one is that of the id, or the result is not a [`Body`].
pub fn set(body: &Body, fields: &[(Path, Value)]) -> Result<Body, EditError> {
    let _ = (body, fields);
    todo!()
}

/// Returns a document with a patch merged into it, as RFC 7396 says: null removes a field, a
/// list replaces one. The patch is an object.
///
/// # Errors
///
/// Returns [`EditError`] if the patch is not an object, names the id, or the result is not a
/// [`Body`].
pub fn merge(body: &Body, patch: &Value) -> Result<Body, EditError> {
    let _ = (body, patch);
    todo!()
}

/// Why a document cannot be changed so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The id of a document is never changed.
    #[error("`_id` cannot be set: a document's id is not part of what it holds")]
    Id,
    /// Two paths of one call that both say what is at one place.
    #[error("`{}` and `{}` cannot both be set", text::name(first), text::name(second))]
    Conflict {
        /// The path that leads to the place or through it.
        first: String,
        /// The other one.
        second: String,
    },
    /// A path through something that has no fields.
    #[error("`{}` does not lead there: `{}` holds {found}", text::name(path), text::name(holder))]
    NoWay {
        /// The path.
        path: String,
        /// The part of it that leads to what is in the way.
        holder: String,
        /// What is in the way.
        found: &'static str,
    },
    /// A place behind the end of a list.
    #[error(
        "`{}` does not lead there: the list `{}` has {length} items, the next place is {length}",
        text::name(path),
        text::name(list)
    )]
    NoPlace {
        /// The path.
        path: String,
        /// The part of it that leads to the list.
        list: String,
        /// How many items the list has.
        length: usize,
    },
    /// A patch that is no object.
    #[error("the patch is {0}, not an object")]
    NotAnObject(&'static str),
    /// The document would not be one any more.
    #[error("the document cannot become that: {0}")]
    Body(BodyError),
}
