//! The built-in import of documents.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::builtin::{self, BuiltIn, BuiltInCall};
use crate::model::document::{Body, CollectionName, Condition, DocumentError, DocumentId};
use crate::model::operation::{Operation, OperationName};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::run_record::RunId;
use crate::sandbox::{DocumentCallError, DocumentHost as _, InvokeError};

/// Treatment of documents whose ids exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// The import fails without changes.
    #[default]
    Fail,
    /// The existing document is replaced.
    Replace,
    /// The existing document is kept, and the imported one is skipped.
    Skip,
}

impl Existing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Replace => "replace",
            Self::Skip => "skip",
        }
    }

    fn condition(self) -> Condition {
        match self {
            Self::Replace => Condition::Always,
            Self::Fail | Self::Skip => Condition::Absent,
        }
    }
}

/// An import of documents into a collection, all or none.
#[must_use]
pub struct Import {
    collection: CollectionName,
    /// The documents, each with its id if the caller gave one.
    pub documents: Vec<(Option<DocumentId>, Body)>,
    existing: Existing,
    source: Option<String>,
    /// The parent run of a batch.
    parent: Option<RunId>,
    /// Number of the first document in its source, from 1.
    first: u64,
    /// Size of the batches, for a parent run.
    batch_size: Option<u64>,
}

impl Import {
    /// Returns an import of these documents. A document without an id gets a new id.
    pub fn new(collection: CollectionName, documents: Vec<(Option<DocumentId>, Body)>) -> Self {
        let (existing, source, parent) = (Existing::default(), None, None);
        Self { collection, documents, existing, source, parent, first: 1, batch_size: None }
    }

    /// Sets the treatment of documents whose ids exist.
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Sets the source of the documents, for the record.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the number of the first document in its source, from 1, for messages.
    pub fn first(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// Sets the size of the batches, for the record of the parent run.
    pub fn batch_size(mut self, size: u64) -> Self {
        self.batch_size = Some(size);
        self
    }

    /// Returns the built-in operation, `ophost.import`.
    pub fn operation(&self) -> Operation {
        let description = "Imports documents into a collection.";
        builtin::operation(OperationName::builtin("import"), description, [self.collection.clone()])
    }

    /// Returns the import of a batch with the settings of this import.
    pub(crate) fn batch(
        &self,
        parent: Option<RunId>,
        first: u64,
        documents: Vec<(Option<DocumentId>, Body)>,
    ) -> Self {
        let (collection, source) = (self.collection.clone(), self.source.clone());
        let (existing, batch_size) = (self.existing, None);
        Self { collection, documents, existing, source, parent, first, batch_size }
    }

    fn failed(&self, error: DocumentCallError, index: usize) -> InvokeError {
        let id = self.documents[index].0.as_ref();
        let id = id.map(|id| format!(" (`{id}`)")).unwrap_or_default();
        let describe = |message| format!("document {}{id}: {message}", self.number(index));
        if let DocumentCallError::Error(DocumentError::Exists) = error {
            let message = describe(self.holder(index));
            let failure = Failure::new(FailureKind::Error, message);
            let code = Some("exists".to_owned());
            return InvokeError::Failed(Box::new(Failure { code, ..failure }));
        }
        builtin::failed(error, self.activity(), describe)
    }

    /// Returns the number of a document in its source.
    fn number(&self, index: usize) -> u64 {
        self.first + index as u64
    }

    /// Returns the message for an id that exists in the collection or earlier in the import.
    fn holder(&self, index: usize) -> String {
        let (earlier, id) = (&self.documents[..index], &self.documents[index].0);
        match earlier.iter().position(|(other, _)| other == id) {
            Some(other) => format!("document {} has the same id", self.number(other)),
            None => DocumentError::Exists.to_string(),
        }
    }
}

#[async_trait]
impl BuiltIn for Import {
    fn operation(&self) -> Operation {
        self.operation()
    }

    fn input(&self) -> Value {
        let mut input = json!({
            "collection": self.collection,
            "documents": self.documents.len(),
            "existing": self.existing.as_str(),
            "source": self.source,
        });
        if let Some(size) = self.batch_size {
            // The number of documents is only known at the end.
            input["documents"] = Value::Null;
            input["batch_size"] = size.into();
        }
        if self.first > 1 || self.parent.is_some() {
            input["first_document"] = self.first.into();
        }
        input
    }

    fn activity(&self) -> &'static str {
        "the documents were being imported"
    }

    fn parent(&self) -> Option<RunId> {
        self.parent
    }

    async fn execute(&self, call: BuiltInCall<'_>) -> Result<Value, InvokeError> {
        let (mut put, mut skipped) = (0_u64, 0_u64);
        for (index, (id, body)) in self.documents.iter().enumerate() {
            call.advance(index, self.documents.len()).await?;
            let condition = self.existing.condition();
            match call.documents.put(&self.collection, id.clone(), body.clone(), condition).await {
                Ok(_) => put += 1,
                Err(DocumentCallError::Error(DocumentError::Exists))
                    if self.existing == Existing::Skip =>
                {
                    skipped += 1;
                }
                Err(error) => return Err(self.failed(error, index)),
            }
        }
        Ok(json!({"put": put, "skipped": skipped}))
    }
}
