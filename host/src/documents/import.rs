//! The built-in import of documents.

use ophost_document::Interruption;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::context::OrchestrationContext;
use crate::model::caller::Caller;
use crate::model::document::{Body, CollectionName, Condition, DocumentError, DocumentId};
use crate::model::operation::{Hints, Operation, OperationName};
use crate::model::outcome::{Event, Failure, FailureKind};
use crate::model::run_record::RunId;
use crate::sandbox::{DocumentCallError, DocumentHost, GuestOutput, InvokeError, Observer};

/// Number of documents between two progress reports. The import also yields to other tasks then.
const REPORT_INTERVAL: usize = 256;

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
    pub(crate) collection: CollectionName,
    /// The documents, each with its id if the caller gave one.
    pub documents: Vec<(Option<DocumentId>, Body)>,
    pub(crate) existing: Existing,
    pub(crate) source: Option<String>,
    pub(crate) caller: Caller,
    pub(crate) context: OrchestrationContext,
    pub(crate) cancel: CancellationToken,
    pub(crate) observer: Option<Observer>,
    /// The parent run of a batch.
    pub(crate) parent: Option<RunId>,
    /// Number of the first document in its source, from 1.
    first: u64,
    /// Size of the batches, for a parent run.
    batch_size: Option<u64>,
}

impl Import {
    /// Returns an import of these documents. A document without an id gets a new id.
    pub fn new(collection: CollectionName, documents: Vec<(Option<DocumentId>, Body)>) -> Self {
        Self {
            collection,
            documents,
            existing: Existing::default(),
            source: None,
            caller: Caller::at("api"),
            context: OrchestrationContext::default(),
            cancel: CancellationToken::new(),
            observer: None,
            parent: None,
            first: 1,
            batch_size: None,
        }
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

    /// Sets the caller. A dry run commits nothing.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Sets the orchestration context.
    pub fn context(mut self, context: OrchestrationContext) -> Self {
        self.context = context;
        self
    }

    /// Sets a cancellation token. A cancelled import commits nothing.
    pub fn cancellation_token(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Sets a callback for progress.
    pub fn on_event(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
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

    /// Returns the import of a batch with the settings of this import.
    pub(crate) fn batch(
        &self,
        parent: Option<RunId>,
        first: u64,
        documents: Vec<(Option<DocumentId>, Body)>,
    ) -> Self {
        Self {
            collection: self.collection.clone(),
            documents,
            existing: self.existing,
            source: self.source.clone(),
            caller: self.caller.clone(),
            context: self.context.clone(),
            cancel: self.cancel.clone(),
            observer: None,
            parent,
            first,
            batch_size: None,
        }
    }

    /// Returns the input for the record.
    pub(crate) fn input(&self) -> Value {
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

    /// Returns the built-in operation, which can write to the collection of the import.
    pub fn operation(&self) -> Operation {
        let model = self.collection.to_string();
        let collections = [(model.clone(), self.collection.clone())].into();
        Operation {
            name: OperationName::import(),
            description: "Imports documents into a collection.".to_owned(),
            category: "ophost".to_owned(),
            input_schema: json!({}),
            output_schema: json!({}),
            tags: Vec::new(),
            permissions: Vec::new(),
            models_in: Vec::new(),
            models_out: vec![model],
            stage: None,
            async_enabled: true,
            create_taskrun: true,
            hints: Hints { collections, ..Hints::default() },
            annotations: Default::default(),
        }
    }

    /// Imports the documents and returns the output. `stopped` returns the reason to stop.
    pub(crate) async fn execute(
        &self,
        documents: &dyn DocumentHost,
        output: &GuestOutput,
        stopped: impl Fn() -> Option<InvokeError>,
    ) -> Result<Value, InvokeError> {
        let (mut put, mut skipped) = (0_u64, 0_u64);
        for (index, (id, body)) in self.documents.iter().enumerate() {
            if index % REPORT_INTERVAL == 0 {
                output.progress(index as u64, Some(self.documents.len() as u64), None);
                tokio::task::yield_now().await;
                stopped().map_or(Ok(()), Err)?;
            }
            let condition = self.existing.condition();
            match documents.put(&self.collection, id.clone(), body.clone(), condition).await {
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

    fn failed(&self, error: DocumentCallError, index: usize) -> InvokeError {
        let id = self.documents[index].0.as_ref();
        let of = |message: String| {
            let id = id.map(|id| format!(" (`{id}`)")).unwrap_or_default();
            format!("document {}{id}: {message}", self.number(index))
        };
        let failure = match error {
            DocumentCallError::Conflict => return InvokeError::Conflict,
            DocumentCallError::Interrupted(Interruption::Cancelled) => {
                return InvokeError::Cancelled;
            }
            DocumentCallError::Interrupted(Interruption::Deadline | Interruption::Steps) => {
                Failure::new(
                    FailureKind::Timeout,
                    of("not imported before the deadline".to_owned()),
                )
            }
            DocumentCallError::ChangesTooLarge => {
                let message = "the documents exceed the limit of document changes".to_owned();
                Failure::new(FailureKind::Effects, message)
            }
            DocumentCallError::Denied(text) => Failure::new(FailureKind::Denied, text),
            DocumentCallError::Store(text) => Failure::new(FailureKind::Error, text),
            DocumentCallError::Error(DocumentError::Exists) => Failure {
                code: Some("exists".to_owned()),
                ..Failure::new(FailureKind::Error, of(self.holder(index)))
            },
            DocumentCallError::Error(error) => {
                Failure::new(FailureKind::Error, of(error.to_string()))
            }
        };
        InvokeError::Failed(Box::new(failure))
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
