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

/// What must be true of a document so that it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: it is added, or replaces what is there.
    Always,
    /// There is none of that id.
    Absent,
    /// There is one of that id.
    Present,
    /// It has this revision.
    At(u64),
}

impl Condition {
    /// Checks the condition against the revision of the document that is there.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError::Exists`], [`DocumentError::NotFound`] or
    /// [`DocumentError::Stale`] if it does not hold.
    pub fn check(self, current: Option<u64>) -> Result<(), DocumentError> {
        match (self, current) {
            (Self::Always, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Absent, Some(_)) => Err(DocumentError::Exists),
            (Self::Present, None) => Err(DocumentError::NotFound),
            (Self::At(wanted), Some(revision)) if wanted == revision => Ok(()),
            (Self::At(_), current) => Err(DocumentError::Stale(current)),
        }
    }

    /// Checks the condition for a document that is to be given an id.
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError::Invalid`] if it says that the document is there.
    pub fn check_new(self) -> Result<(), DocumentError> {
        match self {
            Self::Always | Self::Absent => Ok(()),
            Self::Present | Self::At(_) => {
                let why = "a document without an id cannot be there already";
                Err(DocumentError::Invalid(why.to_owned()))
            }
        }
    }
}

/// A collection in memory. Revisions grow by one with each change, from 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collection {
    documents: BTreeMap<DocumentId, (Body, u64)>,
    /// The newest revision; it never comes again.
    revision: u64,
}

impl Collection {
    /// Returns a document; `None` if there is none of that id.
    pub fn get(&self, id: &DocumentId) -> Option<Document> {
        self.documents.get(id).map(|kept| document(id, kept))
    }

    /// Returns which change a document is of; `None` if there is none of that id.
    pub fn revision(&self, id: &DocumentId) -> Option<u64> {
        self.documents.get(id).map(|(_, revision)| *revision)
    }

    /// Puts a document in place of what is there, if the condition holds.
    ///
    /// # Errors
    ///
    /// Returns why the condition does not hold; then nothing is changed.
    pub fn put(
        &mut self,
        id: DocumentId,
        body: Body,
        condition: Condition,
    ) -> Result<(), DocumentError> {
        condition.check(self.revision(&id))?;
        self.keep(id, body);
        Ok(())
    }

    /// Sets fields of a document, as [`edit::set`].
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError`] if there is no such document or it cannot be set so; then
    /// nothing is changed.
    pub fn set(&mut self, id: &DocumentId, fields: &[(Path, Value)]) -> Result<(), DocumentError> {
        let body = edit::set(self.body(id)?, fields)?;
        self.keep(id.clone(), body);
        Ok(())
    }

    /// Merges a patch into a document, as [`edit::merge`].
    ///
    /// # Errors
    ///
    /// Returns [`DocumentError`] if there is no such document or it cannot be merged; then
    /// nothing is changed.
    pub fn merge(&mut self, id: &DocumentId, patch: &Value) -> Result<(), DocumentError> {
        let body = edit::merge(self.body(id)?, patch)?;
        self.keep(id.clone(), body);
        Ok(())
    }

    /// Removes a document, and returns whether there was one.
    pub fn delete(&mut self, id: &DocumentId) -> bool {
        let was_there = self.documents.remove(id).is_some();
        self.revision += u64::from(was_there);
        was_there
    }

    /// Returns a page of the documents that a query means.
    pub fn find(&self, query: Query) -> Page {
        let mut finder = PageBuilder::new(query);
        for (id, kept) in &self.documents {
            let Ok(seen) = finder.offer(id, &kept.0, || Ok::<_, Infallible>(document(id, kept)));
            if seen.is_break() {
                break;
            }
        }
        finder.page()
    }

    /// Returns how many documents a filter means.
    pub fn count(&self, filter: &Filter) -> u64 {
        self.documents.iter().filter(|(id, (body, _))| filter.matches(id, body)).count() as u64
    }

    fn body(&self, id: &DocumentId) -> Result<&Body, DocumentError> {
        self.documents.get(id).map(|(body, _)| body).ok_or(DocumentError::NotFound)
    }

    fn keep(&mut self, id: DocumentId, body: Body) {
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
    fn a_document_is_put_where_the_condition_holds() {
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
        assert_eq!(jobs.get(&id("a")).unwrap().revision, 4, "a refused one is no change");
        assert!(jobs.delete(&id("a")) && !jobs.delete(&id("a")));
        jobs.put(id("a"), body(json!({})), Condition::Always).unwrap();
        assert_eq!(jobs.get(&id("a")).unwrap().revision, 6, "no revision comes again");
    }

    #[test]
    fn documents_are_changed_found_and_counted() {
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
    fn a_refused_change_changes_nothing() {
        let mut jobs = Collection::default();
        jobs.put(id("a"), body(json!({"a": 1})), Condition::Always).unwrap();
        let before = jobs.clone();
        let fields = [(path("b"), json!(1)), (path("a.x"), json!(1))];
        let told = jobs.set(&id("a"), &fields).unwrap_err();
        assert_eq!(told, DocumentError::Invalid("`a.x` leads nowhere: `a` holds a number".into()));
        let large = jobs.merge(&id("a"), &json!({"b": "x".repeat(1 << 20)}));
        let told = "the document is larger than 1 MiB".to_owned();
        assert_eq!(large, Err(DocumentError::TooLarge(told)));
        assert_eq!(jobs.set(&id("b"), &[]), Err(DocumentError::NotFound));
        assert_eq!(jobs.merge(&id("b"), &json!({})), Err(DocumentError::NotFound));
        assert_eq!(jobs, before);
    }
}
