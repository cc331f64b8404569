//! What collections of JSON documents are, without a place to keep them.
//!
//! The host keeps documents in its store; unit tests of operations keep them in memory. Both
//! ask this crate what a filter means, which document comes first, and what a change makes of
//! one. Nothing here does I/O or waits. Texts and values may come from anyone: whatever they
//! hold, the work is bounded and nothing panics.
//!
//! A module uses only what stands below it here; a test checks this.
//!
//! | module     | what it does |
//! |------------|--------------|
//! | [`memory`] | a collection in memory |
//! | [`error`]  | why a call did nothing |
//! | [`find`]   | picks the documents of a page |
//! | [`query`]  | a question to a collection, and the cursor that goes on where a page ended |
//! | [`sort`]   | which documents come first |
//! | [`filter`] | which documents are meant |
//! | [`edit`]   | sets fields and merges patches |
//! | [`diff`]   | tells two states of a document apart |
//! | [`extended`] | MongoDB Extended JSON, as plain JSON |
//! | [`scan`]   | noun: what has to be looked at to answer a question |
//! | [`path`]   | noun: a place in a document |
//! | [`projection`] | what of a document is looked at |
//! | [`body`]   | noun: a document's content, checked |
//! | [`name`]   | nouns: what names documents and collections |
//! | [`order`]  | the one order of all values |
//! | [`number`] | reads numbers that 64 bits hold exactly |
//! | [`json`]   | reads JSON that comes from outside, strictly |
//! | [`text`]   | cuts texts that come from outside |
//! | [`matcher`] | looks for a regular expression in a text, within a budget |
//! | [`budget`] | how long work may go on |
//! | [`suggest`] | finds the known name that a misspelt one resembles |

pub mod body;
pub mod budget;
pub mod diff;
pub mod edit;
pub mod error;
pub mod extended;
pub mod filter;
pub mod find;
pub mod json;
pub mod matcher;
pub mod memory;
pub mod name;
pub mod number;
pub mod order;
pub mod path;
pub mod projection;
#[cfg(test)]
mod property_tests;
pub mod query;
pub mod scan;
pub mod sort;
pub mod suggest;
pub mod text;

pub use crate::body::{Body, BodyError};
pub use crate::budget::{Budget, Interruption};
pub use crate::diff::{Diff, FieldChange};
pub use crate::edit::EditError;
pub use crate::error::DocumentError;
pub use crate::extended::{ExtendedError, ExtendedProblem};
pub use crate::filter::{Filter, FilterError};
pub use crate::find::{Document, Page, PageBuilder};
pub use crate::matcher::{Matcher, Search};
pub use crate::memory::{Collection, Condition};
pub use crate::name::{CollectionName, DocumentId, InvalidId, InvalidName};
pub use crate::path::{Path, PathError};
pub use crate::projection::{Fields, ProjectedFields, Projection};
pub use crate::query::{Cursor, CursorError, Query, QueryError};
pub use crate::scan::Scan;
pub use crate::sort::{Sort, SortBy, SortError, SortKey};
