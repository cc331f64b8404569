//! Collections of JSON documents, independent of their storage.
//!
//! The host stores documents in its store, and unit tests of operations store them in memory.
//! Both use this crate to match filters, to sort documents and to edit them. Nothing in this
//! crate does I/O or blocks. Texts and values can be untrusted: for any input the work is
//! bounded, and nothing panics.
//!
//! A module uses only modules below it in this table; a test checks this.
//!
//! | module     | what it does |
//! |------------|--------------|
//! | [`memory`] | a collection in memory |
//! | [`error`]  | errors of the calls of a collection |
//! | [`find`]   | builds the page of a query |
//! | [`query`]  | queries of a collection, and the cursors of their pages |
//! | [`index`]  | keys of secondary indexes, and the key ranges that a filter selects |
//! | [`sort`]   | sort orders of documents, and sort keys |
//! | [`filter`] | filters: parses and matches them |
//! | [`edit`]   | sets fields and merges patches |
//! | [`diff`]   | the fields that differ between two states of a document |
//! | [`extended`] | converts MongoDB Extended JSON to plain JSON |
//! | [`scan`]   | the documents and fields that a query has to read |
//! | [`path`]   | paths of fields in a document |
//! | [`projection`] | the fields of a document that a query needs |
//! | [`body`]   | the validated content of a document |
//! | [`name`]   | document ids and collection names |
//! | [`order`]  | the total order of JSON values |
//! | [`number`] | parses numbers that fit into 64 bits exactly |
//! | [`json`]   | parses untrusted JSON strictly, and writes canonical JSON |
//! | [`text`]   | truncates untrusted texts |
//! | [`matcher`] | searches a text for a regular expression, within a budget |
//! | [`budget`] | time and step limits of work |
//! | [`suggest`] | finds the known name that is similar to a misspelt one |

pub mod body;
pub mod budget;
pub mod diff;
pub mod edit;
pub mod error;
pub mod extended;
pub mod filter;
pub mod find;
pub mod index;
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
pub use crate::index::{
    Bounds, IndexField, IndexFieldError, IndexKey, IndexOrder, IndexPosition, KeyRange,
};
pub use crate::matcher::{Matcher, Search};
pub use crate::memory::{Collection, Condition};
pub use crate::name::{CollectionName, DocumentId, InvalidId, InvalidName};
pub use crate::path::{Path, PathError};
pub use crate::projection::{Fields, ProjectedFields, Projection};
pub use crate::query::{Cursor, CursorError, Query, QueryError};
pub use crate::scan::Scan;
pub use crate::sort::{Sort, SortBy, SortError, SortKey};
