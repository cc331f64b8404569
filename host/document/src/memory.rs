//! A collection in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::Value;

use crate::body::Body;
use crate::edit;
use crate::error::DocumentError;
use crate::filter::Filter;
use crate::find::{Document, Page, PageBuilder};
use crate::name::DocumentId;
use crate::path::Path;
use crate::query::Query;

/// Precondition of a `put`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No condition: the document is added, or replaces the existing one.
    Always,
    /// No document has the id.
    Absent,
    /// A document has the id.
    Present,
    /// The existing document has this revision.
    At(u64),
}

impl Condition {
    /// Checks the condition against the revision of the existing document.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError::Exists`], [`DocumentError::NotFound`] or
    /// [`DocumentError::Stale`] if the condition is not met.
    pub fn check(self, current: Option<u64>) -> Result<(), DocumentError> {
        match (self, current) {
            (Self::Always, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Absent, Some(_)) => Err(DocumentError::Exists),
            (Self::Present, None) => Err(DocumentError::NotFound),
            (Self::At(expected), Some(revision)) if expected == revision => Ok(()),
            (Self::At(_), current) => Err(DocumentError::Stale(current)),
        }
    }

    /// Checks the condition for a new document, whose id is generated.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError::Invalid`] if the condition requires an existing document.
    pub fn check_new(self) -> Result<(), DocumentError> {
        match self {
            Self::Always | Self::Absent => Ok(()),
            Self::Present | Self::At(_) => {
                let message = "a document without an id cannot already exist";
                Err(DocumentError::Invalid(message.to_owned()))
            }
        }
    }
}

/// A collection in memory. The first change has revision 1, and each change increases it by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collection {
    documents: BTreeMap<DocumentId, (Body, u64)>,
    /// The latest revision, which is never reused.
    revision: u64,
}

impl Collection {
    /// Returns a document; `None` if no document has the id.
    pub fn get(&self, id: &DocumentId) -> Option<Document> {
        self.documents.get(id).map(|entry| document(id, entry))
    }

    /// Returns the revision of a document; `None` if no document has the id.
    pub fn revision(&self, id: &DocumentId) -> Option<u64> {
        self.documents.get(id).map(|(_, revision)| *revision)
    }

    /// Adds or replaces a document, if the condition is met.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Condition::check`] if the condition is not met. Nothing is changed.
    pub fn put(
        &mut self,
        id: DocumentId,
        body: Body,
        condition: Condition,
    ) -> Result<(), DocumentError> {
        condition.check(self.revision(&id))?;
        self.insert(id, body);
        Ok(())
    }

    /// Sets fields of a document with [`edit::set`].
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError`] if the document does not exist or the fields cannot be set. Nothing
    /// is changed.
    pub fn set(&mut self, id: &DocumentId, fields: &[(Path, Value)]) -> Result<(), DocumentError> {
        let body = edit::set(self.body(id)?, fields)?;
        self.insert(id.clone(), body);
        Ok(())
    }

    /// Merges a patch into a document with [`edit::merge`].
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError`] if the document does not exist or the patch cannot be merged.
    /// Nothing is changed.
    pub fn merge(&mut self, id: &DocumentId, patch: &Value) -> Result<(), DocumentError> {
        let body = edit::merge(self.body(id)?, patch)?;
        self.insert(id.clone(), body);
        Ok(())
    }

    /// Deletes a document, and returns whether the document existed.
    pub fn delete(&mut self, id: &DocumentId) -> bool {
        let existed = self.documents.remove(id).is_some();
        self.revision += u64::from(existed);
        existed
    }

    /// Returns the page of a query.
    pub fn find(&self, query: Query) -> Page {
        let mut builder = PageBuilder::new(query);
        for (id, entry) in &self.documents {
            let Ok(flow) = builder.offer(id, &entry.0, || Ok::<_, Infallible>(document(id, entry)));
            if flow.is_break() {
                break;
            }
        }
        builder.page()
    }

    /// Returns the number of documents that match a filter.
    pub fn count(&self, filter: &Filter) -> u64 {
        self.documents.iter().filter(|(id, (body, _))| filter.matches(id, body)).count() as u64
    }

    fn body(&self, id: &DocumentId) -> Result<&Body, DocumentError> {
        self.documents.get(id).map(|(body, _)| body).ok_or(DocumentError::NotFound)
    }

    fn insert(&mut self, id: DocumentId, body: Body) {
        self.revision += 1;
        self.documents.insert(id, (body, self.revision));
    }
}

fn document(id: &DocumentId, (body, revision): &(Body, u64)) -> Document {
    Document { id: id.clone(), revision: *revision, body: body.text() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::name::CollectionName;
    use crate::sort::Sort;

    fn id(id: &str) -> DocumentId {
        DocumentId::new(id).unwrap()
    }

    fn body(value: Value) -> Body {
        value.try_into().unwrap()
    }

    fn path(path: &str) -> Path {
        Path::parse(path).unwrap()
    }

    #[test]
    fn put_succeeds_only_if_the_condition_is_met() {
        let mut jobs = Collection::default();
        let mut put = |condition| jobs.put(id("a"), body(json!({})), condition);
        assert_eq!(put(Condition::Present), Err(DocumentError::NotFound));
        assert_eq!(put(Condition::At(1)), Err(DocumentError::Stale(None)));
        assert_eq!(put(Condition::Absent), Ok(()));
        assert_eq!(put(Condition::Absent), Err(DocumentError::Exists));
        assert_eq!(put(Condition::At(0)), Err(DocumentError::Stale(Some(1))));
        assert_eq!(put(Condition::At(1)), Ok(()));
        assert_eq!(put(Condition::Present), Ok(()));
        assert_eq!(put(Condition::Always), Ok(()));
        assert_eq!(jobs.get(&id("a")).unwrap().revision, 4, "a failed put is not a change");
        assert!(jobs.delete(&id("a")) && !jobs.delete(&id("a")));
        jobs.put(id("a"), body(json!({})), Condition::Always).unwrap();
        assert_eq!(jobs.get(&id("a")).unwrap().revision, 6, "revisions are not reused");
    }

    #[test]
    fn documents_can_be_changed_found_and_counted() {
        let mut jobs = Collection::default();
        for (name, salary) in [("b", 2000), ("a", 1000), ("c", 900)] {
            jobs.put(id(name), body(json!({"salary": salary})), Condition::Absent).unwrap();
        }
        jobs.set(&id("c"), &[(path("salary"), json!(1500)), (path("x.y"), json!(1))]).unwrap();
        jobs.merge(&id("c"), &json!({"x": null})).unwrap();
        let document = Document { id: id("c"), revision: 5, body: r#"{"salary":1500}"#.to_owned() };
        assert_eq!(jobs.get(&id("c")), Some(document));
        assert_eq!(jobs.get(&id("d")), None);
        let filter = Filter::parse(&json!({"salary": {"$gte": 1500}})).unwrap();
        assert_eq!(jobs.count(&filter), 2);
        let name = CollectionName::new("jobs").unwrap();
        let query = Query::new(&name, filter, Sort::default(), Some(1), None).unwrap();
        let page = jobs.find(query);
        assert_eq!(page.documents.len(), 1);
        assert_eq!(page.documents[0].id, id("b"));
        assert!(page.next.is_some());
    }

    #[test]
    fn failed_change_changes_nothing() {
        let mut jobs = Collection::default();
        jobs.put(id("a"), body(json!({"a": 1})), Condition::Always).unwrap();
        let before = jobs.clone();
        let fields = [(path("b"), json!(1)), (path("a.x"), json!(1))];
        let error = jobs.set(&id("a"), &fields).unwrap_err();
        let message = "cannot resolve path `a.x`: `a` is a number".to_owned();
        assert_eq!(error, DocumentError::Invalid(message));
        let large = jobs.merge(&id("a"), &json!({"b": "x".repeat(1 << 20)}));
        let message = "the document is larger than 1 MiB".to_owned();
        assert_eq!(large, Err(DocumentError::TooLarge(message)));
        assert_eq!(jobs.set(&id("b"), &[]), Err(DocumentError::NotFound));
        assert_eq!(jobs.merge(&id("b"), &json!({})), Err(DocumentError::NotFound));
        assert_eq!(jobs, before);
    }
}
