//! The built-in operation that changes fields of a document.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::builtin::{self, BuiltIn, BuiltInCall};
use crate::model::document::{Address, Body, Condition, DocumentError, Path};
use crate::model::operation::{Operation, OperationName};
use crate::sandbox::{DocumentCallError, DocumentHost as _, InvokeError};

/// A change of fields of one document.
#[must_use]
pub struct SetFields {
    address: Address,
    fields: Vec<(Path, Value)>,
    patch: Option<Value>,
    creates: bool,
}

impl SetFields {
    /// Returns a change that sets fields, in this order. Missing objects along a path are created.
    pub fn new(address: Address, fields: Vec<(Path, Value)>) -> Self {
        Self { address, fields, patch: None, creates: false }
    }

    /// Sets a JSON merge patch (RFC 7396), which is applied after the fields. A null removes a
    /// field.
    pub fn patch(mut self, patch: Value) -> Self {
        self.patch = Some(patch);
        self
    }

    /// Creates the document if it does not exist. By default, the run fails.
    pub fn create(mut self, creates: bool) -> Self {
        self.creates = creates;
        self
    }

    async fn change(&self, call: &BuiltInCall<'_>) -> Result<(), DocumentCallError> {
        let Address { collection, id } = &self.address;
        if self.creates {
            let (id, empty) = (Some(id.clone()), Body::try_from(json!({})));
            let empty = empty.map_err(DocumentError::from)?;
            match call.documents.put(collection, id, empty, Condition::Absent).await {
                Err(DocumentCallError::Error(DocumentError::Exists)) => {}
                created => drop(created?),
            }
        }
        if !self.fields.is_empty() {
            call.documents.set(&self.address, &self.fields).await?;
        }
        match &self.patch {
            Some(patch) => call.documents.merge(&self.address, patch).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl BuiltIn for SetFields {
    fn operation(&self) -> Operation {
        let description = "Changes fields of a document.";
        let collection = self.address.collection.clone();
        builtin::operation(OperationName::builtin("set"), description, [collection])
    }

    fn input(&self) -> Value {
        let Address { collection, id } = &self.address;
        let fields = self.fields.iter().map(|(path, value)| (path.to_string(), value.clone()));
        let fields = Map::from_iter(fields);
        let mut input = json!({"collection": collection, "document_id": id, "fields": fields});
        if let Some(patch) = &self.patch {
            input["patch"] = patch.clone();
        }
        if self.creates {
            input["create"] = true.into();
        }
        input
    }

    fn activity(&self) -> &'static str {
        "the document was being changed"
    }

    async fn execute(&self, call: BuiltInCall<'_>) -> Result<Value, InvokeError> {
        let Address { collection, id } = &self.address;
        let describe = |message| format!("document `{id}` of `{collection}`: {message}");
        let changed = self.change(&call).await;
        changed.map_err(|error| builtin::failed(error, self.activity(), describe))?;
        Ok(json!({"collection": collection, "document_id": id}))
    }
}
