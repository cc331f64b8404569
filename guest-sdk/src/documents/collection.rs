//! Collections: the documents of one model.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::merge::merge;
use super::{Condition, DocumentError, Query, Stored};
use crate::host::documents as host;
use crate::{Model, json, model};

/// Read access to the documents of a model.
///
/// A parameter of this type adds the model to `models_in` of the operation.
///
/// # Example
///
/// ```
/// use ophost_sdk::serde_json::json;
/// use ophost_sdk::{ReadCollection, Result, model, operation};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// /// Returns the number of jobs with a title.
/// #[operation(category = "jobs")]
/// fn count_jobs(title: String, jobs: ReadCollection<Job>) -> Result<u64> {
///     Ok(jobs.count(json!({"title": title}))?)
/// }
///
/// assert_eq!(count_jobs::OPERATION.models_in, ["Job"]);
/// assert_eq!(count_jobs("Baker".into(), ReadCollection::new()).unwrap(), 0);
/// ```
pub struct ReadCollection<T> {
    name: String,
    model: PhantomData<fn() -> T>,
}

/// Read and write access to the documents of a model.
///
/// A collection also has the methods of [`ReadCollection`]. A parameter of this type adds the model
/// to `models_out` of the operation.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Collection, Result, model, operation};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// /// Adds a job and returns its id.
/// #[operation(category = "jobs")]
/// fn create_job(job: Job, jobs: Collection<Job>) -> Result<String> {
///     Ok(jobs.insert(&job)?)
/// }
///
/// assert_eq!(create_job::OPERATION.models_out, ["Job"]);
///
/// let jobs = Collection::new();
/// let id = create_job(Job { title: "Baker".into() }, jobs.clone()).unwrap();
/// assert_eq!(jobs.require(&id).unwrap().value.title, "Baker");
/// ```
///
/// Only models have collections:
///
/// ```compile_fail,E0277
/// # use ophost_sdk::{Collection, Result, operation};
/// /// Adds a number.
/// #[operation(category = "jobs")]
/// fn add(numbers: Collection<u32>) -> Result<String> {
///     Ok(numbers.insert(&42)?)
/// }
/// ```
pub struct Collection<T> {
    reader: ReadCollection<T>,
}

impl<T> ReadCollection<T> {
    /// Returns the collection of the model.
    ///
    /// Unit tests use this function. An operation takes its collections as parameters.
    #[expect(
        clippy::new_without_default,
        reason = "the collection exists in the host; the value is only a handle"
    )]
    pub fn new() -> Self
    where
        T: Model,
    {
        Self { name: model::collection_name(T::NAME, T::COLLECTION), model: PhantomData }
    }
}

impl<T: Model + DeserializeOwned> ReadCollection<T> {
    /// Returns a document, or `None` if the document does not exist.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model.
    /// - Returns [`DocumentError::Invalid`] if `id` is not a valid id.
    /// - Returns [`DocumentError::ModelMismatch`] if the document does not match the model.
    pub fn get(&self, id: &str) -> Result<Option<Stored<T>>, DocumentError> {
        let document = host::get(&self.name, id).map_err(|error| self.error(error, id))?;
        document.map(|document| Stored::from_host(&document, &self.name)).transpose()
    }

    /// Returns an existing document.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::NotFound`] if the document does not exist.
    /// - Returns the errors of [`get`](Self::get).
    pub fn require(&self, id: &str) -> Result<Stored<T>, DocumentError> {
        self.get(id)?.ok_or_else(|| self.error(host::Error::NotFound, id))
    }

    /// Returns a query for the documents that match a MongoDB filter.
    ///
    /// `json!({})` matches all documents. A filter with two conditions is
    /// `json!({"title": "Baker", "days": {"$gte": 30}})`.
    pub fn find(&self, filter: impl Into<Value>) -> Query<T> {
        Query::new(self.name.clone(), filter.into())
    }
}

impl<T> ReadCollection<T> {
    /// Returns the number of documents that match a filter, see [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model.
    /// - Returns [`DocumentError::Invalid`] if the filter is invalid.
    pub fn count(&self, filter: impl Into<Value>) -> Result<u64, DocumentError> {
        let filter = filter.into().to_string();
        host::count(&self.name, &filter).map_err(|error| self.error(error, ""))
    }

    fn error(&self, error: host::Error, id: &str) -> DocumentError {
        DocumentError::from_host(error, &self.name, id)
    }
}

impl<T> Collection<T> {
    /// Returns the collection of the model.
    ///
    /// Unit tests use this function. An operation takes its collections as parameters.
    #[expect(
        clippy::new_without_default,
        reason = "the collection exists in the host; the value is only a handle"
    )]
    pub fn new() -> Self
    where
        T: Model,
    {
        Self { reader: ReadCollection::new() }
    }
}

impl<T: Model + Serialize> Collection<T> {
    /// Adds a document with a new id, and returns the id.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model for writing.
    /// - Returns [`DocumentError::Invalid`] if the value is not a JSON object.
    /// - Returns [`DocumentError::TooLarge`] if the document is larger than the limit.
    pub fn insert(&self, value: &T) -> Result<String, DocumentError> {
        self.write(None, value, Condition::Absent)
    }

    /// Adds or replaces a document.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model for writing.
    /// - Returns [`DocumentError::Invalid`] if `id` is not a valid id or the value is not a JSON
    ///   object.
    /// - Returns [`DocumentError::TooLarge`] if the document is larger than the limit.
    pub fn put(&self, id: &str, value: &T) -> Result<(), DocumentError> {
        self.put_if(id, value, Condition::Always)
    }

    /// Adds or replaces a document if a condition holds.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Exists`] if the condition is [`Condition::Absent`] and the
    ///   document exists.
    /// - Returns [`DocumentError::NotFound`] if the condition is [`Condition::Present`] and the
    ///   document does not exist.
    /// - Returns [`DocumentError::Stale`] if the condition is [`Condition::At`] and the document
    ///   has another revision or does not exist.
    /// - Returns the errors of [`put`](Self::put).
    pub fn put_if(&self, id: &str, value: &T, condition: Condition) -> Result<(), DocumentError> {
        self.write(Some(id), value, condition).map(drop)
    }

    fn write(
        &self,
        id: Option<&str>,
        value: &T,
        condition: Condition,
    ) -> Result<String, DocumentError> {
        let body = to_json(value)?;
        host::put(&self.name, id, &body, condition.into())
            .map_err(|error| self.error(error, id.unwrap_or_default()))
    }
}

impl<T: Model + Serialize + DeserializeOwned> Collection<T> {
    /// Writes the changes of a document that the run has read. Sets its revision to 0.
    ///
    /// A field is written if its value has changed. Fields that the model does not have are kept,
    /// also in nested objects. A changed list is replaced. `None` is written as null, or removes the
    /// field if the model does not serialise it.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Stale`] if the run has written the document after `document` was
    ///   read. The write is not detected if the run had also written the document before the read,
    ///   because both writes have revision 0.
    /// - Returns the errors of [`put`](Self::put) and [`get`](ReadCollection::get).
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::serde_json::json;
    /// use ophost_sdk::{Collection, documents, model};
    ///
    /// #[model]
    /// struct Job {
    ///     title: String,
    /// }
    ///
    /// let memory = documents::memory();
    /// memory.seed_json("jobs", "1", json!({"title": "Baker", "colour": "red"}));
    /// let jobs = Collection::<Job>::new();
    /// let mut job = jobs.require("1").unwrap();
    /// job.value.title = "Miller".into();
    /// jobs.save(&mut job).unwrap();
    /// assert_eq!(memory.documents("jobs")["1"], json!({"title": "Miller", "colour": "red"}));
    /// ```
    pub fn save(&self, document: &mut Stored<T>) -> Result<(), DocumentError> {
        let (id, condition) = (document.id.as_str(), Condition::At(document.revision));
        let body = self.merged(document)?;
        host::put(&self.name, Some(id), &body, condition.into())
            .map_err(|error| self.error(error, id))?;
        document.revision = 0;
        Ok(())
    }

    /// Returns the body of `document`: the stored fields with the changes of the model.
    fn merged(&self, document: &Stored<T>) -> Result<String, DocumentError> {
        let now = to_json(&document.value)?;
        let stored =
            host::get(&self.name, &document.id).map_err(|error| self.error(error, &document.id))?;
        let Some(stored) = stored.filter(|stored| stored.revision == document.revision) else {
            // The condition of the write fails.
            return Ok(now);
        };
        let read = to_json(&Stored::<T>::from_host(&stored, &self.name)?.value)?;
        let reader = |fields: Map<String, Value>| {
            let model: T = json::deserialize(&Value::Object(fields).to_string()).ok()?;
            parse(&to_json(&model).ok()?)
        };
        // A value that is not an object is no document, which the host reports.
        let (Some(stored), Some(read), Some(fields)) =
            (parse(&stored.body), parse(&read), parse(&now))
        else {
            return Ok(now);
        };
        Ok(Value::Object(merge(&stored, &read, &fields, &reader)).to_string())
    }
}

impl<T> Collection<T> {
    /// Sets fields of a document, each at its path.
    ///
    /// A path is field names and array indices from 0, joined by dots, as in `address.lines.0`.
    /// Missing objects on the path are created, and an array can grow by one element at its end.
    /// The result is not compared with the model. A later read reports a mismatch.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model for writing.
    /// - Returns [`DocumentError::NotFound`] if the document does not exist.
    /// - Returns [`DocumentError::Invalid`] if a path cannot be resolved or a value is not JSON.
    /// - Returns [`DocumentError::TooLarge`] if the result is larger than the limit.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::serde_json::json;
    /// use ophost_sdk::{Collection, model};
    ///
    /// #[model]
    /// #[derive(PartialEq)]
    /// struct Job {
    ///     title: String,
    ///     tags: Vec<String>,
    /// }
    ///
    /// let jobs = Collection::new();
    /// jobs.put("1", &Job { title: "Baker".into(), tags: vec![] }).unwrap();
    /// jobs.set("1", [("title", json!("Miller")), ("tags.0", json!("new"))]).unwrap();
    /// let job = jobs.require("1").unwrap().value;
    /// assert_eq!(job, Job { title: "Miller".into(), tags: vec!["new".into()] });
    /// ```
    pub fn set<P, V>(
        &self,
        id: &str,
        fields: impl IntoIterator<Item = (P, V)>,
    ) -> Result<(), DocumentError>
    where
        P: Into<String>,
        V: Serialize,
    {
        let fields = fields.into_iter().map(|(path, value)| Ok((path.into(), to_json(&value)?)));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        host::set(&self.name, id, &fields).map_err(|error| self.error(error, id))
    }

    /// Merges a patch into a document (RFC 7396).
    ///
    /// `null` removes a field, and an array replaces an array. The result is not compared with the
    /// model. A later read reports a mismatch.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model for writing.
    /// - Returns [`DocumentError::NotFound`] if the document does not exist.
    /// - Returns [`DocumentError::Invalid`] if the patch is not a JSON object.
    /// - Returns [`DocumentError::TooLarge`] if the result is larger than the limit.
    pub fn merge(&self, id: &str, patch: &impl Serialize) -> Result<(), DocumentError> {
        let patch = to_json(patch)?;
        host::merge(&self.name, id, &patch).map_err(|error| self.error(error, id))
    }

    /// Deletes a document and returns whether the document existed.
    ///
    /// # Errors
    ///
    /// - Returns [`DocumentError::Denied`] if the operation does not declare the model for writing.
    /// - Returns [`DocumentError::Invalid`] if `id` is not a valid id.
    pub fn delete(&self, id: &str) -> Result<bool, DocumentError> {
        host::delete(&self.name, id).map_err(|error| self.error(error, id))
    }
}

/// Returns the fields of an object, or `None` for another value.
fn parse(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

fn to_json(value: &impl Serialize) -> Result<String, DocumentError> {
    let text = serde_json::to_string(value);
    text.map_err(|error| {
        DocumentError::Invalid(format!("cannot serialise the value as JSON: {error}"))
    })
}

impl<T> Deref for Collection<T> {
    type Target = ReadCollection<T>;

    fn deref(&self) -> &ReadCollection<T> {
        &self.reader
    }
}

// Derived implementations would require the same traits of the model.

impl<T> Clone for ReadCollection<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), model: PhantomData }
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { reader: self.reader.clone() }
    }
}

impl<T> fmt::Debug for ReadCollection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadCollection").field(&self.name).finish()
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Collection").field(&self.name).finish()
    }
}
