//! The documents of a file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use clap::ValueEnum;
use ophost_document::{extended, json};
use serde_json::{Map, Value};

use super::columns::Column;
use super::csv::{Row, Rows};
use crate::document::{Body, DocumentId};

/// The field that holds a document's id.
const ID: &str = "_id";

/// How documents stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A JSON object a line.
    Jsonl,
    /// A JSON array of objects, or one object.
    Json,
    /// Rows with a line of names above.
    Csv,
}

impl Format {
    /// Returns the format that a file's name says.
    pub(super) fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// A document, and its id if it has one.
pub(super) type Found = (Option<DocumentId>, Body);

/// What is made of what stands in a file.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) format: Format,
    /// The field whose value is the id.
    pub(super) id: Option<String>,
    /// Whether the values of a CSV file stay text.
    pub(super) text: bool,
    /// The most bytes.
    pub(super) most: u64,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot read it")]
    Io(#[from] io::Error),
    #[error("it is larger than the {} that one run may write", bytesize::ByteSize(*.0))]
    TooLarge(u64),
    #[error("{0}")]
    Whole(String),
    #[error("{place}: {problem}")]
    Document { place: Place, problem: String },
}

/// Where a document stands in its file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It begins in this line.
    Line(usize),
    /// It is this one of a list.
    Document(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Document(number) => write!(f, "document {number}"),
        }
    }
}

/// A document as it stands in a file.
struct Placed {
    place: Place,
    /// What stands where its id is to be.
    id: Option<Value>,
    fields: Map<String, Value>,
}

/// Reads all documents of a file; `seen` hears how many bytes were read.
///
/// # Errors
///
/// Returns [`ReadError`] that says which document is wrong, and how.
pub(super) fn documents(
    file: impl Read,
    rules: &Rules,
    seen: impl FnMut(u64),
) -> Result<Vec<Found>, ReadError> {
    let counted = Counted { inner: file, read: 0, most: rules.most, seen };
    let mut reader = BufReader::with_capacity(1 << 16, counted);
    // Spreadsheets and editors put a mark before the first letter.
    if reader.fill_buf()?.starts_with("\u{feff}".as_bytes()) {
        reader.consume("\u{feff}".len());
    }
    let id = rules.id.as_deref();
    let placed = match rules.format {
        Format::Jsonl => lines(reader, id)?,
        Format::Json => whole(reader, id)?,
        Format::Csv => rows(reader, rules)?,
    };
    placed.into_iter().map(|placed| document(placed, id)).collect()
}

/// Opens a file, and says how large it is.
pub(super) fn open(file: &Path) -> io::Result<(File, u64)> {
    let opened = File::open(file)?;
    let length = opened.metadata()?.len();
    Ok((opened, length))
}

/// Tells how much was read, and ends where that is too much.
struct Counted<R, S> {
    inner: R,
    read: u64,
    most: u64,
    seen: S,
}

impl<R: Read, S: FnMut(u64)> Read for Counted<R, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if self.read > self.most {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                ReadError::TooLarge(self.most),
            ));
        }
        (self.seen)(self.read);
        Ok(count)
    }
}

fn wrong(place: Place, problem: impl Into<String>) -> ReadError {
    ReadError::Document { place, problem: problem.into() }
}

fn lines(reader: impl BufRead, id: Option<&str>) -> Result<Vec<Placed>, ReadError> {
    let mut values = Vec::new();
    for (number, line) in reader.lines().enumerate() {
        let (place, line) = (Place::Line(number + 1), line?);
        if !line.trim().is_empty() {
            let value = json::parse(&line).map_err(|error| wrong(place, not_json(&error)))?;
            values.push(object(place, value, id)?);
        }
    }
    Ok(values)
}

/// Says why a line is not JSON. The reader knows of no other line.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let at_first_line = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&at_first_line) {
        Some(reason) => format!("not JSON: {reason} at column {}", error.column()),
        None => format!("not JSON: {text}"),
    }
}

fn whole(mut reader: impl BufRead, id: Option<&str>) -> Result<Vec<Placed>, ReadError> {
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    let items = match json::parse(&text) {
        Ok(Value::Array(items)) => items,
        Ok(one) => vec![one],
        Err(error) => return Err(ReadError::Whole(format!("not JSON: {error}"))),
    };
    let placed = items.into_iter().enumerate();
    let placed = placed.map(|(place, item)| (Place::Document(place + 1), item));
    placed.map(|(place, item)| object(place, item, id)).collect()
}

fn object(place: Place, value: Value, id: Option<&str>) -> Result<Placed, ReadError> {
    let Value::Object(mut fields) = value else {
        return Err(wrong(place, "it is not an object"));
    };
    extended::convert_fields(&mut fields).map_err(|error| wrong(place, error.to_string()))?;
    let virtual_id = fields.shift_remove(ID);
    let id = id.and_then(|id| fields.get(id)).cloned().or(virtual_id);
    Ok(Placed { place, id, fields })
}

fn rows(mut reader: impl BufRead, rules: &Rules) -> Result<Vec<Placed>, ReadError> {
    let mut content = String::new();
    reader.read_to_string(&mut content)?;
    let mut rows = Rows::new(&content).map(cells);
    let (_, names) = rows.next().transpose()?.unwrap_or((Place::Line(1), Vec::new()));
    let twice = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    if let Some((_, name)) = twice {
        return Err(ReadError::Whole(format!("two columns are called `{name}`")));
    }
    let columns = match rules.text {
        true => vec![Column::Text; names.len()],
        false => columns(&content, names.len()),
    };
    rows.map(|row| {
        let (place, cells) = row?;
        if cells.len() != names.len() {
            let problem = format!("cells: expected {}, got {}", names.len(), cells.len());
            return Err(wrong(place, problem));
        }
        let id = row_id(&names, &cells, rules.id.as_deref()).map(Value::from);
        let cells = names.iter().zip(&columns).zip(cells);
        let cells = cells.filter(|((name, _), cell)| *name != ID && !cell.is_empty());
        let fields = cells.map(|((name, column), cell)| (name.clone(), column.value(cell)));
        Ok(Placed { place, id, fields: fields.collect() })
    })
    .collect()
}

/// Returns what the columns are: that takes all rows below the names.
fn columns(content: &str, count: usize) -> Vec<Column> {
    let mut columns = vec![Column::default(); count];
    for row in Rows::new(content).skip(1) {
        for (column, cell) in columns.iter_mut().zip(&row.cells) {
            *column = column.with(cell);
        }
    }
    columns
}

/// Returns the id of a row, letter by letter as it stands there, whatever its column is.
fn row_id<'a>(names: &[String], cells: &'a [String], id: Option<&str>) -> Option<&'a str> {
    let cell = |wanted: &str| {
        let mut cells = names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        cells.find(|(name, _)| *name == wanted).map(|(_, cell)| cell.as_str())
    };
    id.and_then(cell).or_else(|| cell(ID))
}

fn cells(row: Row) -> Result<(Place, Vec<String>), ReadError> {
    let place = Place::Line(row.line);
    match row.is_cut {
        true => Err(wrong(place, "the file ends within quotes that begin here")),
        false => Ok((place, row.cells)),
    }
}

fn document(placed: Placed, id_field: Option<&str>) -> Result<Found, ReadError> {
    let Placed { place, id, fields } = placed;
    if let (Some(field), None) = (id_field, &id) {
        return Err(wrong(place, format!("it has no field `{field}`")));
    }
    let id = id.map(|id| id_text(place, &id)).transpose()?;
    let id =
        id.map(DocumentId::new).transpose().map_err(|error| wrong(place, error.to_string()))?;
    let body = Body::try_from(fields).map_err(|error| wrong(place, error.to_string()))?;
    Ok((id, body))
}

/// Returns an id as text.
fn id_text(place: Place, id: &Value) -> Result<String, ReadError> {
    match id {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Object(_) => Err(wrong(place, "its id is an object")),
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            Err(wrong(place, "its id is neither a text nor a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(format: Format, text: &str) -> Result<Vec<(Option<String>, Value)>, String> {
        let rules = Rules { format, id: None, text: false, most: 1 << 20 };
        let read = documents(text.as_bytes(), &rules, |_| {}).map_err(|error| error.to_string())?;
        Ok(read.into_iter().map(|(id, body)| (id.map(Into::into), json!(body))).collect())
    }

    #[test]
    fn each_format_gives_the_same_documents() {
        let expected = vec![
            (Some("a".to_owned()), json!({"n": 1, "zip": "01234", "ok": true})),
            (None, json!({"n": 2.5})),
        ];
        let csv = "_id,n,zip,ok\na,1,01234,true\n,2.5,,\n";
        let jsonl = "{\"_id\":\"a\",\"n\":1,\"zip\":\"01234\",\"ok\":true}\n\n{\"n\":2.5}\n";
        let json = "[{\"_id\":\"a\",\"n\":1,\"zip\":\"01234\",\"ok\":true},{\"n\":2.5}]";
        for (format, text) in [(Format::Csv, csv), (Format::Jsonl, jsonl), (Format::Json, json)] {
            assert_eq!(read(format, text).unwrap(), expected, "{format:?}");
        }
    }

    #[test]
    fn an_id_of_a_csv_file_is_what_stands_there() {
        let text = "_id,sku,n\n10.00,007,1\n1e5,-0,2\ntrue,,3\n";
        for (id, expected) in
            [(None, ["10.00", "1e5", "true"]), (Some("sku"), ["007", "-0", "true"])]
        {
            let id = id.map(str::to_owned);
            let rules = Rules { format: Format::Csv, id, text: false, most: 1 << 20 };
            let read = documents(text.as_bytes(), &rules, |_| {}).unwrap();
            let ids = read.into_iter().map(|(id, _)| String::from(id.unwrap()));
            assert_eq!(ids.collect::<Vec<_>>(), expected);
        }
        let numbers = read(Format::Csv, "_id,n\n10,10.00\n9.99,9.99\n").unwrap();
        let expected = [("10", json!({"n": 10.0})), ("9.99", json!({"n": 9.99}))];
        assert_eq!(numbers, expected.map(|(id, body)| (Some(id.to_owned()), body)));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let wrong = |format, text: &str| read(format, text).unwrap_err();
        let number = wrong(Format::Jsonl, "{}\n\n{\"a\":1e400}");
        assert_eq!(number, "line 3: not JSON: number out of range at column 10");
        let large = wrong(Format::Jsonl, "{\"a\":18446744073709551616}");
        let told = "line 1: not JSON: the integer 18446744073709551616 needs more than 64 bits";
        assert_eq!(large, told);
        let list = wrong(Format::Json, "[{},\n{\"a\":1e400}]");
        assert_eq!(list, "not JSON: number out of range at line 2 column 10");
        assert_eq!(wrong(Format::Json, "[1]"), "document 1: it is not an object");
        assert_eq!(wrong(Format::Csv, "a,a\n1,2\n"), "two columns are called `a`");
        let id = wrong(Format::Jsonl, "{\"_id\":[]}");
        assert_eq!(id, "line 1: its id is neither a text nor a number");
        let cells = wrong(Format::Csv, "a,b\n1,\"2\n3\"\n4\n");
        assert_eq!(cells, "line 4: cells: expected 2, got 1");
        let cut = wrong(Format::Csv, "a,b\n1,\"2\n3,4\n");
        assert_eq!(cut, "line 2: the file ends within quotes that begin here");
        let rules = Rules { format: Format::Jsonl, id: None, text: false, most: 3 };
        assert!(documents(&b"{\"a\":1}"[..], &rules, |_| {}).is_err());
    }
}
