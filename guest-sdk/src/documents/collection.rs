//! The documents of one model.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Condition, DocumentError, Query, Stored};
use crate::host::documents as host;
use crate::{Model, model};

/// The documents of a model, to read. A parameter of this type adds the model to the
/// operation's `models_in`.
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
/// /// How many jobs bear a title.
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

/// The documents of a model, to read and to write: it has the methods of
/// [`ReadCollection`] too. A parameter of this type adds the model to the operation's
/// `models_out`.
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
/// What is not a model has no collection:
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
    /// Returns the model's collection, for unit tests: an operation takes it as a parameter.
    #[expect(clippy::new_without_default, reason = "it is not made of nothing: it is in the host")]
    pub fn new() -> Self
    where
        T: Model,
    {
        Self { name: model::collection_name(T::NAME, T::COLLECTION), model: PhantomData }
    }
}

impl<T: Model + DeserializeOwned> ReadCollection<T> {
    /// Returns a document; none if there is none of that id.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `invalid` where the id is none, or `does-not-fit`.
    pub fn get(&self, id: &str) -> Result<Option<Stored<T>>, DocumentError> {
        let document = host::get(&self.name, id).map_err(|error| self.error(error, id))?;
        document.map(|document| Stored::from_host(&document, &self.name)).transpose()
    }

    /// Returns a document that has to be there.
    ///
    /// # Errors
    ///
    /// Returns `not-found`, and what [`get`](Self::get) returns.
    pub fn require(&self, id: &str) -> Result<Stored<T>, DocumentError> {
        self.get(id)?.ok_or_else(|| self.error(host::Error::NotFound, id))
    }

    /// Asks for the documents that `filter` means: `json!({})` for all, else in MongoDB's
    /// words, such as `json!({"title": "Baker", "days": {"$gte": 30}})`.
    pub fn find(&self, filter: impl Into<Value>) -> Query<T> {
        Query::new(self.name.clone(), filter.into())
    }
}

impl<T> ReadCollection<T> {
    /// Returns how many documents `filter` means, see [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// Returns `denied`, or `invalid` where the filter is none.
    pub fn count(&self, filter: impl Into<Value>) -> Result<u64, DocumentError> {
        let filter = filter.into().to_string();
        host::count(&self.name, &filter).map_err(|error| self.error(error, ""))
    }

    fn error(&self, error: host::Error, id: &str) -> DocumentError {
        DocumentError::from_host(error, &self.name, id)
    }
}

impl<T> Collection<T> {
    /// Returns the model's collection, for unit tests: an operation takes it as a parameter.
    #[expect(clippy::new_without_default, reason = "it is not made of nothing: it is in the host")]
    pub fn new() -> Self
    where
        T: Model,
    {
        Self { reader: ReadCollection::new() }
    }
}

impl<T: Model + Serialize> Collection<T> {
    /// Adds a document and returns its id, a new one.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `invalid` where the value is no JSON object, or `too-large`.
    pub fn insert(&self, value: &T) -> Result<String, DocumentError> {
        self.write(None, value, Condition::Absent)
    }

    /// Puts a document in place of what is there, if anything.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `invalid` where the id is none or the value no JSON object, or
    /// `too-large`.
    pub fn put(&self, id: &str, value: &T) -> Result<(), DocumentError> {
        self.put_if(id, value, Condition::Always)
    }

    /// Puts a document, if the condition holds.
    ///
    /// # Errors
    ///
    /// Returns `exists`, `not-found` or `stale` where the condition does not hold, and what
    /// [`put`](Self::put) returns.
    pub fn put_if(&self, id: &str, value: &T, condition: Condition) -> Result<(), DocumentError> {
        self.write(Some(id), value, condition).map(drop)
    }

    /// Puts back a document that was read and changed. Its revision is 0 then.
    ///
    /// # Errors
    ///
    /// Returns `stale` where this run has written the document since it was read, and not
    /// before that: what a run has written itself has revision 0, whichever write it was. Also
    /// what [`put`](Self::put) returns.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::{Collection, model};
    ///
    /// #[model]
    /// struct Job {
    ///     title: String,
    /// }
    ///
    /// let jobs = Collection::new();
    /// jobs.put("1", &Job { title: "Baker".into() }).unwrap();
    /// let mut job = jobs.require("1").unwrap();
    /// job.value.title = "Miller".into();
    /// jobs.save(&mut job).unwrap();
    /// assert_eq!(jobs.require("1").unwrap().value.title, "Miller");
    /// ```
    pub fn save(&self, document: &mut Stored<T>) -> Result<(), DocumentError> {
        self.put_if(&document.id, &document.value, Condition::At(document.revision))?;
        document.revision = 0;
        Ok(())
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

impl<T> Collection<T> {
    /// Sets fields of a document, each at its path: names of fields, and places in lists
    /// from 0, joined by dots (`address.lines.0`). What is missing on the way is made.
    ///
    /// The result is not compared with the model: that happens when it is read.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `not-found`, `invalid` where a path does not lead to a field, or
    /// `too-large`.
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

    /// Merges a patch into a document (RFC 7396): null removes a field, a list replaces one.
    ///
    /// The result is not compared with the model: that happens when it is read.
    ///
    /// # Errors
    ///
    /// Returns `denied`, `not-found`, `invalid` where the patch is no JSON object, or
    /// `too-large`.
    pub fn merge(&self, id: &str, patch: &impl Serialize) -> Result<(), DocumentError> {
        let patch = to_json(patch)?;
        host::merge(&self.name, id, &patch).map_err(|error| self.error(error, id))
    }

    /// Removes a document and returns whether there was one.
    ///
    /// # Errors
    ///
    /// Returns `denied`, or `invalid` where the id is none.
    pub fn delete(&self, id: &str) -> Result<bool, DocumentError> {
        host::delete(&self.name, id).map_err(|error| self.error(error, id))
    }
}

fn to_json(value: &impl Serialize) -> Result<String, DocumentError> {
    let text = serde_json::to_string(value);
    text.map_err(|error| DocumentError::Invalid(format!("not JSON: {error}")))
}

impl<T> Deref for Collection<T> {
    type Target = ReadCollection<T>;

    fn deref(&self) -> &ReadCollection<T> {
        &self.reader
    }
}

// Derived, these would ask the same of the model.

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
