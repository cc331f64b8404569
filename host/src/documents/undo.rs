//! The built-in operation that reverts the document changes of a run.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::builtin::{self, BuiltIn, BuiltInCall};
use crate::model::document::{Address, ChangeSet, DocumentChange};
use crate::model::history::{ChangeAuthor, HistoryEntry};
use crate::model::operation::{Operation, OperationName};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::run_record::RunId;
use crate::sandbox::{DocumentCallError, InvokeError};
use crate::store::{Store, StoreError};

/// Maximum number of changed documents in the details of a failure.
const MAX_LISTED: usize = 1_000;
/// Maximum number of changed documents in the message of a failure.
const MAX_NAMED: usize = 3;
/// Maximum number of later changes in the details of a failure, of each document.
const MAX_LATER: usize = 10;

/// The inverse of the document changes of a run.
pub(crate) struct Undo {
    /// The run to undo.
    pub(crate) run: RunId,
    /// Revision of the commit of the run.
    pub(crate) revision: u64,
    /// The changes of the run.
    pub(crate) changes: ChangeSet,
    /// Whether documents that have changed since are overwritten.
    pub(crate) force: bool,
    /// The store, for the runs that changed a document since.
    pub(crate) store: Arc<dyn Store>,
}

impl Undo {
    /// Returns the failure for documents that have changed since the run.
    async fn changed_since(&self, addresses: &[&Address]) -> Result<Failure, StoreError> {
        let mut listed = Vec::new();
        for address in addresses.iter().take(MAX_LISTED) {
            let page = self.store.history(address, None, MAX_LATER).await?;
            let is_later = |entry: &HistoryEntry| entry.revision > self.revision;
            let later: Vec<_> = page.entries.into_iter().filter(is_later).collect();
            listed.push((*address, later));
        }
        let named: Vec<_> = listed.iter().take(MAX_NAMED).map(described).collect();
        let rest = addresses.len() - named.len();
        let rest = if rest > 0 { format!(", and {rest} more") } else { String::new() };
        let message = match addresses.len() {
            1 => format!("1 document has changed since: {}", named.concat()),
            count => format!("{count} documents have changed since: {}{rest}", named.join(", ")),
        };
        let details = listed.iter().map(as_json).collect();
        let (code, details) = (Some("changed-since".to_owned()), Some(details));
        Ok(Failure { code, details, ..Failure::new(FailureKind::Conflict, message) })
    }

    fn failed(&self, error: DocumentCallError, address: &Address) -> InvokeError {
        let Address { collection, id } = address;
        let describe = |message| format!("document `{id}` of `{collection}`: {message}");
        builtin::failed(error, self.activity(), describe)
    }
}

/// A document that has changed, with its later changes, newest first.
type LaterChanges<'a> = (&'a Address, Vec<HistoryEntry>);

fn described((address, later): &LaterChanges<'_>) -> String {
    let Address { collection, id } = address;
    let author = later.first().and_then(|entry| entry.author.as_ref());
    match author {
        Some(ChangeAuthor { operation, run_id: Some(run), .. }) => {
            format!("`{collection}/{id}` by `{operation}` (run {run})")
        }
        Some(ChangeAuthor { operation, run_id: None, .. }) => {
            format!("`{collection}/{id}` by `{operation}` (a run without a record)")
        }
        None => format!("`{collection}/{id}`"),
    }
}

fn as_json((address, later): &LaterChanges<'_>) -> Value {
    let change = |HistoryEntry { change, author, .. }: &HistoryEntry| {
        let author = author.as_ref();
        json!({
            "change": change,
            "run_id": author.and_then(|author| author.run_id),
            "operation": author.map(|author| &author.operation),
            "at": author.map(|author| author.at),
        })
    };
    let changes: Vec<_> = later.iter().map(change).collect();
    json!({"collection": address.collection, "document_id": address.id, "changes": changes})
}

#[async_trait]
impl BuiltIn for Undo {
    fn operation(&self) -> Operation {
        let collections = self.changes.keys().map(|address| address.collection.clone());
        let description = "Reverts the document changes of a run.";
        builtin::operation(OperationName::builtin("undo"), description, collections)
    }

    fn input(&self) -> Value {
        json!({"run_id": self.run, "force": self.force})
    }

    fn activity(&self) -> &'static str {
        "the changes were being undone"
    }

    fn undo_of(&self) -> Option<RunId> {
        Some(self.run)
    }

    /// The bound of the run that is undone does not apply to the undo. If `force` overwrites larger
    /// documents, their size counts too, so the minimum is twice the size of the changes.
    fn min_effects(&self) -> u64 {
        let size = |(address, change)| super::transaction::change_size(address, change);
        2 * self.changes.iter().map(size).sum::<u64>()
    }

    async fn execute(&self, call: BuiltInCall<'_>) -> Result<Value, InvokeError> {
        let mut changed = Vec::new();
        for (index, (address, change)) in self.changes.iter().enumerate() {
            call.advance(index, self.changes.len()).await?;
            let DocumentChange { before, after } = change;
            let is_unchanged = call.documents.restore(address, after.as_ref(), before.as_ref());
            match is_unchanged.await {
                Ok(true) => {}
                Ok(false) => changed.push(address),
                Err(error) => return Err(self.failed(error, address)),
            }
        }
        if !changed.is_empty() && !self.force {
            let failure = self.changed_since(&changed).await;
            let failure = failure.unwrap_or_else(|error| {
                Failure::new(FailureKind::Host, format!("cannot read the history: {error}"))
            });
            return Err(InvokeError::Failed(Box::new(failure)));
        }
        let (documents, overwritten) = (self.changes.len(), changed.len());
        Ok(json!({"run_id": self.run, "documents": documents, "overwritten": overwritten}))
    }
}
