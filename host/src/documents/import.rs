//! Documents from outside, put in by a run of an operation of the host's own.

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

/// After how many documents others get their turn, and somebody hears how far it is.
const PART: usize = 256;

/// What becomes of a document whose id is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// The import fails, and nothing is put in.
    #[default]
    Refuse,
    /// It takes the place of the one that is there.
    Replace,
    /// It is left out.
    Skip,
}

impl Existing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Replace => "replace",
            Self::Skip => "skip",
        }
    }

    fn condition(self) -> Condition {
        match self {
            Self::Replace => Condition::Always,
            Self::Refuse | Self::Skip => Condition::Absent,
        }
    }
}

/// Documents that are to be put into a collection, all of them or none.
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
    /// The run that this is a batch of.
    pub(crate) parent: Option<RunId>,
    /// The number of the first document in its source, from 1.
    first: u64,
    /// The size of the batches that this is the parent of.
    batch_size: Option<u64>,
}

impl Import {
    /// Returns an import of these documents. One without an id is given a new one.
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

    /// Says what becomes of documents whose ids are taken.
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Says where the documents come from, for the record.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says who asks. In a dry run nothing is put in.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Says what the run is part of.
    pub fn context(mut self, context: OrchestrationContext) -> Self {
        self.context = context;
        self
    }

    /// Lets the import be stopped; then nothing is put in.
    pub fn cancellation_token(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Lets someone hear how far it is.
    pub fn on_event(mut self, observe: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }

    /// Sets the number of the first document in its source, from 1. Messages count from there.
    pub fn first(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// Sets the size of the batches, for the record of their parent.
    pub fn batch_size(mut self, size: u64) -> Self {
        self.batch_size = Some(size);
        self
    }

    /// Returns an import like this one of a batch of documents.
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

    /// Returns the input that its record has.
    pub(crate) fn input(&self) -> Value {
        let mut input = json!({
            "collection": self.collection,
            "documents": self.documents.len(),
            "existing": self.existing.as_str(),
            "source": self.source,
        });
        if let Some(size) = self.batch_size {
            // How many documents there are is known at the end.
            input["documents"] = Value::Null;
            input["batch_size"] = size.into();
        }
        if self.first > 1 || self.parent.is_some() {
            input["first_document"] = self.first.into();
        }
        input
    }

    /// Returns the operation that it is a run of: it writes to the one collection.
    pub fn operation(&self) -> Operation {
        let model = self.collection.to_string();
        let collections = [(model.clone(), self.collection.clone())].into();
        Operation {
            name: OperationName::import(),
            description: "Puts documents into a collection.".to_owned(),
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

    /// Puts the documents in, and returns the output; `stopped` says whether it has to end.
    pub(crate) async fn execute(
        &self,
        documents: &dyn DocumentHost,
        journal: &GuestOutput,
        stopped: impl Fn() -> Option<InvokeError>,
    ) -> Result<Value, InvokeError> {
        let (mut put, mut skipped) = (0_u64, 0_u64);
        for (place, (id, body)) in self.documents.iter().enumerate() {
            if place % PART == 0 {
                journal.progress(place as u64, Some(self.documents.len() as u64), None);
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
                Err(refusal) => return Err(self.failed(refusal, place)),
            }
        }
        Ok(json!({"put": put, "skipped": skipped}))
    }

    fn failed(&self, refusal: DocumentCallError, place: usize) -> InvokeError {
        let id = self.documents[place].0.as_ref();
        let of = |message: String| {
            let id = id.map(|id| format!(" (`{id}`)")).unwrap_or_default();
            format!("document {}{id}: {message}", self.number(place))
        };
        let failure = match refusal {
            DocumentCallError::Conflict => return InvokeError::Conflict,
            DocumentCallError::Interrupted(Interruption::Cancelled) => {
                return InvokeError::Cancelled;
            }
            DocumentCallError::Interrupted(Interruption::Deadline | Interruption::Steps) => {
                Failure::new(FailureKind::Timeout, of("not put in before the deadline".to_owned()))
            }
            DocumentCallError::ChangesTooLarge => {
                let message = "the documents are more than a run may write".to_owned();
                Failure::new(FailureKind::Effects, message)
            }
            DocumentCallError::Denied(text) => Failure::new(FailureKind::Denied, text),
            DocumentCallError::Store(text) => Failure::new(FailureKind::Error, text),
            DocumentCallError::Error(DocumentError::Exists) => Failure {
                code: Some("exists".to_owned()),
                ..Failure::new(FailureKind::Error, of(self.holder(place)))
            },
            DocumentCallError::Error(error) => {
                Failure::new(FailureKind::Error, of(error.to_string()))
            }
        };
        InvokeError::Failed(Box::new(failure))
    }

    /// Returns the number of a document in its source.
    fn number(&self, place: usize) -> u64 {
        self.first + place as u64
    }

    /// Says who has the id of a document: one that was there, or an earlier one of these.
    fn holder(&self, place: usize) -> String {
        let (earlier, id) = (&self.documents[..place], &self.documents[place].0);
        match earlier.iter().position(|(other, _)| other == id) {
            Some(other) => format!("document {} has the same id", self.number(other)),
            None => DocumentError::Exists.to_string(),
        }
    }
}
