//! The built-in operation that deletes documents.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::builtin::{self, BuiltIn, BuiltInCall};
use crate::model::document::{
    Address, CollectionName, DocumentError, DocumentId, Filter, Query, Sort,
};
use crate::model::operation::{Operation, OperationName};
use crate::sandbox::{DocumentCallError, DocumentHost as _, InvokeError};

/// Number of documents of one page of a filter.
const PAGE: u32 = 1_000;

/// A deletion of documents, all or none.
#[must_use]
pub struct DeleteDocuments {
    collection: CollectionName,
    selection: Selection,
}

/// The documents to delete.
enum Selection {
    Ids(Vec<DocumentId>),
    Filter { filter: Filter, json: Value },
}

impl DeleteDocuments {
    /// Returns a deletion of the documents with these ids. If one does not exist, the run fails.
    pub fn with_ids(collection: CollectionName, ids: Vec<DocumentId>) -> Self {
        Self { collection, selection: Selection::Ids(ids) }
    }

    /// Returns a deletion of the documents that match a filter. `json` is the filter for the
    /// record.
    pub fn matching(collection: CollectionName, filter: Filter, json: Value) -> Self {
        Self { collection, selection: Selection::Filter { filter, json } }
    }

    async fn delete_ids(
        &self,
        ids: &[DocumentId],
        call: &BuiltInCall<'_>,
    ) -> Result<u64, InvokeError> {
        let mut deleted = 0;
        for (index, id) in ids.iter().enumerate() {
            call.advance(index, ids.len()).await?;
            let address = Address { collection: self.collection.clone(), id: id.clone() };
            let existed = call.documents.delete(&address).await;
            let existed = existed.map_err(|error| self.failed(error, Some(id)))?;
            // An id can be given twice.
            if !existed && !ids[..index].contains(id) {
                return Err(self.failed(DocumentError::NotFound.into(), Some(id)));
            }
            deleted += u64::from(existed);
        }
        Ok(deleted)
    }

    async fn delete_matching(
        &self,
        filter: &Filter,
        call: &BuiltInCall<'_>,
    ) -> Result<u64, InvokeError> {
        let (mut deleted, mut cursor) = (0, None::<String>);
        loop {
            (call.stopped)().map_or(Ok(()), Err)?;
            let (filter, cursor_text) = (filter.clone(), cursor.as_deref());
            let query =
                Query::new(&self.collection, filter, Sort::default(), Some(PAGE), cursor_text);
            let query =
                query.map_err(|error| self.failed(DocumentError::from(error).into(), None))?;
            let page = call.documents.find(&self.collection, query).await;
            let page = page.map_err(|error| self.failed(error, None))?;
            for document in page.documents {
                let address = Address { collection: self.collection.clone(), id: document.id };
                let existed = call.documents.delete(&address).await;
                deleted +=
                    u64::from(existed.map_err(|error| self.failed(error, Some(&address.id)))?);
            }
            call.output.progress(deleted, None, None);
            cursor = page.next.map(|next| next.to_string());
            if cursor.is_none() {
                return Ok(deleted);
            }
        }
    }

    fn failed(&self, error: DocumentCallError, id: Option<&DocumentId>) -> InvokeError {
        let collection = &self.collection;
        builtin::failed(error, self.activity(), |message| match id {
            Some(id) => format!("document `{id}` of `{collection}`: {message}"),
            None => format!("collection `{collection}`: {message}"),
        })
    }
}

#[async_trait]
impl BuiltIn for DeleteDocuments {
    fn operation(&self) -> Operation {
        let (description, collection) = ("Deletes documents.", self.collection.clone());
        builtin::operation(OperationName::builtin("delete"), description, [collection])
    }

    fn input(&self) -> Value {
        match &self.selection {
            Selection::Ids(ids) => json!({"collection": self.collection, "document_ids": ids}),
            Selection::Filter { json, .. } => {
                json!({"collection": self.collection, "filter": json})
            }
        }
    }

    fn activity(&self) -> &'static str {
        "the documents were being deleted"
    }

    async fn execute(&self, call: BuiltInCall<'_>) -> Result<Value, InvokeError> {
        let deleted = match &self.selection {
            Selection::Ids(ids) => self.delete_ids(ids, &call).await,
            Selection::Filter { filter, .. } => self.delete_matching(filter, &call).await,
        };
        Ok(json!({"deleted": deleted?}))
    }
}
