//! Many documents, and documents with unique names.

use ophost_sdk::serde_json::{Map, Value, json};
use ophost_sdk::{Collection, Result, model, operation};

use crate::pause::pause;

/// An entry.
#[model(collection = "entries")]
pub(crate) struct Entry {
    /// The name of the entry, which is not its id.
    name: String,
    /// The number of the entry, from 0.
    #[serde(default)]
    number: u64,
    /// Text that makes the entry larger.
    #[serde(default)]
    padding: String,
}

/// An entry whose name must be unique.
#[model]
pub(crate) struct UniqueEntry {
    /// The name of the entry.
    name: String,
    /// The pause between the query and the write, in milliseconds.
    #[serde(default)]
    pause_ms: u64,
}

/// The added entry.
#[model]
pub(crate) struct Added {
    /// The id of the entry, or null if an entry with the name exists.
    #[schemars(extend("x-result-ref" = "entries"))]
    id: Option<String>,
}

/// Adds an entry if no entry has the name. Two concurrent runs of the same name conflict, and the
/// host executes one of them again.
#[operation(name = "ledger.add_if_none", category = "test", async_enabled = true)]
pub(crate) fn add_if_none(input: UniqueEntry, entries: Collection<Entry>) -> Result<Added> {
    let existing = entries.find(json!({"name": input.name})).first()?;
    pause(input.pause_ms);
    if existing.is_some() {
        return Ok(Added { id: None });
    }
    let entry = Entry { name: input.name, number: 0, padding: String::new() };
    Ok(Added { id: Some(entries.insert(&entry)?) })
}

/// The entries to add.
#[model]
pub(crate) struct Bulk {
    /// The number of entries.
    count: u64,
    /// The name of all entries.
    #[serde(default = "default_name")]
    name: String,
    /// The size of the padding of each entry, in bytes.
    #[serde(default)]
    padding: usize,
}

fn default_name() -> String {
    "bulk".to_owned()
}

/// The number of added or deleted entries.
#[model]
#[derive(PartialEq)]
pub(crate) struct Count {
    /// The number.
    count: u64,
}

/// Adds many entries.
#[operation(name = "ledger.bulk_insert", category = "test", async_enabled = true)]
pub(crate) fn bulk_insert(input: Bulk, entries: Collection<Entry>) -> Result<Count> {
    let Bulk { count, name, padding } = input;
    let mut entry = Entry { name, number: 0, padding: "x".repeat(padding) };
    for number in 0..count {
        entry.number = number;
        entries.insert(&entry)?;
    }
    Ok(Count { count })
}

/// The entries to delete.
#[model]
pub(crate) struct BulkDelete {
    /// A MongoDB filter. The default matches all entries.
    #[serde(default)]
    filter: Map<String, Value>,
}

/// Deletes many entries.
#[operation(name = "ledger.bulk_delete", category = "test", async_enabled = true)]
pub(crate) fn bulk_delete(input: BulkDelete, entries: Collection<Entry>) -> Result<Count> {
    let mut count = 0;
    for entry in entries.find(input.filter) {
        count += u64::from(entries.delete(&entry?.id)?);
    }
    Ok(Count { count })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;

    use super::*;

    #[test]
    fn an_entry_with_a_known_name_is_not_added() {
        let add = || add_if_none::OPERATION.invoke(r#"{"name": "a"}"#).unwrap();
        assert_ne!(add(), r#"{"id":null}"#);
        assert_eq!(add(), r#"{"id":null}"#);
        assert_eq!(documents::memory().documents("entries").len(), 1);
    }

    #[test]
    fn entries_of_many_pages_are_added_and_deleted() {
        let bulk = Bulk { count: 2_345, name: default_name(), padding: 10 };
        assert_eq!(bulk_insert(bulk, Collection::new()).unwrap(), Count { count: 2_345 });
        let filter = |filter: Value| BulkDelete { filter: filter.as_object().unwrap().clone() };
        let some = filter(json!({"number": {"$gte": 345}}));
        assert_eq!(bulk_delete(some, Collection::new()).unwrap(), Count { count: 2_000 });
        let all = filter(json!({}));
        assert_eq!(bulk_delete(all, Collection::new()).unwrap(), Count { count: 345 });
        assert!(documents::memory().documents("entries").is_empty());
    }
}
