//! Many documents, and some that must not come twice.

use ophost_sdk::serde_json::{Map, Value, json};
use ophost_sdk::{Collection, Result, model, operation};

use crate::pause::pause;

/// One of many.
#[model(collection = "entries")]
pub(crate) struct Entry {
    /// What it is called, not what names it.
    name: String,
    /// Which of many it is.
    #[serde(default)]
    number: u64,
    /// Nothing of interest.
    #[serde(default)]
    padding: String,
}

/// An entry that must not come twice.
#[model]
pub(crate) struct Unique {
    /// What it is called.
    name: String,
    /// How long to wait between looking and writing.
    #[serde(default)]
    pause_ms: u64,
}

/// Whether something was added.
#[model]
pub(crate) struct Added {
    /// The id of the entry; none if there was one of that name.
    #[schemars(extend("x-result-ref" = "entries"))]
    id: Option<String>,
}

/// Adds an entry if none is called so. Where two runs do that at once, neither sees the
/// other's: one of them has to be executed again.
#[operation(name = "ledger.add_if_none", category = "test", async_enabled = true)]
pub(crate) fn add_if_none(input: Unique, entries: Collection<Entry>) -> Result<Added> {
    let there = entries.find(json!({"name": input.name})).first()?;
    pause(input.pause_ms);
    if there.is_some() {
        return Ok(Added { id: None });
    }
    let entry = Entry { name: input.name, number: 0, padding: String::new() };
    Ok(Added { id: Some(entries.insert(&entry)?) })
}

/// How many entries, and how large.
#[model]
pub(crate) struct Bulk {
    /// How many.
    count: u64,
    /// What they are called.
    #[serde(default = "bulk")]
    name: String,
    /// How many bytes each has besides.
    #[serde(default)]
    padding: usize,
}

fn bulk() -> String {
    "bulk".to_owned()
}

/// How many entries were meant.
#[model]
#[derive(PartialEq)]
pub(crate) struct Count {
    /// How many.
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

/// Which entries.
#[model]
pub(crate) struct Which {
    /// What they are, in MongoDB's words; all without it.
    #[serde(default)]
    filter: Map<String, Value>,
}

/// Deletes many entries.
#[operation(name = "ledger.bulk_delete", category = "test", async_enabled = true)]
pub(crate) fn bulk_delete(input: Which, entries: Collection<Entry>) -> Result<Count> {
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
    fn an_entry_is_added_once() {
        let add = || add_if_none::OPERATION.invoke(r#"{"name": "a"}"#).unwrap();
        assert_ne!(add(), r#"{"id":null}"#);
        assert_eq!(add(), r#"{"id":null}"#);
        assert_eq!(documents::memory().documents("entries").len(), 1);
    }

    #[test]
    fn entries_of_many_pages_come_and_go() {
        let bulk = Bulk { count: 2_345, name: bulk(), padding: 10 };
        assert_eq!(bulk_insert(bulk, Collection::new()).unwrap(), Count { count: 2_345 });
        let filter = |filter: Value| Which { filter: filter.as_object().unwrap().clone() };
        let some = filter(json!({"number": {"$gte": 345}}));
        assert_eq!(bulk_delete(some, Collection::new()).unwrap(), Count { count: 2_000 });
        let all = filter(json!({}));
        assert_eq!(bulk_delete(all, Collection::new()).unwrap(), Count { count: 345 });
        assert!(documents::memory().documents("entries").is_empty());
    }
}
