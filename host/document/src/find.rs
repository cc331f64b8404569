//! Picks the documents of a page.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use crate::name::DocumentId;
use crate::query::{Cursor, Query};

/// The most text of a page, in bytes; its first document may be larger.
pub const MAX_PAGE: usize = 1 << 20;

/// A document as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What names it.
    pub id: DocumentId,
    /// Which change it is of.
    pub revision: u64,
    /// What it holds, as compact JSON text.
    pub body: String,
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The documents, in order.
    pub documents: Vec<Document>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

/// Picks the documents of a page from all that are shown to it. It holds no more than a page
/// and one document.
#[derive(Debug)]
pub struct Finder {
    query: Query,
}

impl Finder {
    /// Begins a page.
    pub fn new(query: Query) -> Self {
        Self { query }
    }

    /// Looks at a document. Each is shown once, in the order of the ids. `Break` says that the
    /// page is full: documents that follow change nothing.
    pub fn see(
        &mut self,
        id: &DocumentId,
        revision: u64,
        body: &Map<String, Value>,
    ) -> ControlFlow<()> {
        let _ = (id, revision, body, &self.query);
        todo!()
    }

    /// Returns the page.
    pub fn page(self) -> Page {
        todo!()
    }
}
