//! Documents as rows of CSV text.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use csv_core::WriterBuilder;
use ophost::document::{CollectionName, Filter};
use ophost::{PinnedDocuments, StoreError};
use serde_json::{Map, Value};

/// Name of the column with the ids, which is the first one.
const ID: &str = "_id";

/// The columns of a CSV file.
#[derive(Debug)]
pub(super) struct Columns {
    /// The names of fields, or their dotted paths.
    names: Vec<String>,
    delimiter: u8,
}

impl Columns {
    /// Returns these columns.
    pub(super) fn new(names: Vec<String>, delimiter: u8) -> Self {
        Self { names, delimiter }
    }

    /// Returns `_id`, and the fields of all matching documents in alphabetical order.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the store cannot be read.
    pub(super) async fn of_documents(
        documents: &PinnedDocuments,
        (collection, filter): (CollectionName, Filter),
        delimiter: u8,
    ) -> Result<Self, StoreError> {
        let fields = Arc::new(Mutex::new(BTreeSet::new()));
        let found = Arc::clone(&fields);
        let visit = move |document: ophost::document::Document| {
            // A document that is no JSON object is reported when its row is written.
            let body: Map<String, Value> = serde_json::from_str(&document.body).unwrap_or_default();
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(body.into_iter().map(|(name, _)| name));
            ControlFlow::Continue(())
        };
        documents.each(collection, filter, visit).await?;
        let fields = std::mem::take(&mut *fields.lock().unwrap_or_else(PoisonError::into_inner));
        let names = std::iter::once(ID.to_owned()).chain(fields.into_iter().filter(|it| it != ID));
        Ok(Self::new(names.collect(), delimiter))
    }

    /// Returns the header.
    pub(super) fn header(&self) -> Vec<u8> {
        self.line(self.names.iter().map(String::as_str))
    }

    /// Returns the row of a document.
    pub(super) fn row(&self, fields: &Map<String, Value>) -> Vec<u8> {
        let cells: Vec<_> = self.names.iter().map(|name| cell(value(fields, name))).collect();
        self.line(cells.iter().map(String::as_str))
    }

    fn line<'c>(&self, cells: impl Iterator<Item = &'c str>) -> Vec<u8> {
        let mut writer = WriterBuilder::new().delimiter(self.delimiter).build();
        let mut line = Vec::new();
        for (index, cell) in cells.enumerate() {
            if index > 0 {
                append(&mut line, 0, |output| writer.delimiter(output).1);
            }
            append(&mut line, cell.len(), |output| writer.field(cell.as_bytes(), output).2);
        }
        append(&mut line, 0, |output| writer.terminator(output).1);
        line
    }
}

/// Appends the output of a call with an input of this length.
fn append(line: &mut Vec<u8>, length: usize, write: impl FnOnce(&mut [u8]) -> usize) {
    let start = line.len();
    // Each quote is doubled, and the field is quoted. Delimiters and line ends are shorter.
    line.resize(start + 2 * length + 4, 0);
    let written = write(&mut line[start..]);
    line.truncate(start + written);
}

/// Returns the value of a field or of a dotted path.
fn value<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if let Some(value) = fields.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.').try_fold(fields.get(first)?, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })
}

/// Returns the text of a cell. Objects and lists are JSON.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_quoted_if_needed() {
        let names = ["_id", "a", "b", "c.d", "e.1"].map(str::to_owned).to_vec();
        let columns = Columns::new(names, b';');
        let fields = json!({
            "_id": "x;y", "a": "say \"hi\"\nagain", "b": null, "c": {"d": 1.5}, "e": [1, [2, "z"]],
        });
        let row = columns.row(fields.as_object().unwrap());
        let expected = "\"x;y\";\"say \"\"hi\"\"\nagain\";;1.5;\"[2,\"\"z\"\"]\"\n";
        assert_eq!(String::from_utf8(row).unwrap(), expected);
        assert_eq!(columns.header(), b"_id;a;b;c.d;e.1\n");
        let one = Columns::new(vec!["a".to_owned()], b',');
        assert_eq!(one.row(&Map::new()), b"\"\"\n", "an empty line is not a row");
    }
}
