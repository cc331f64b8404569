//! Reads the documents of a JSON, JSON Lines or CSV file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use encoding_rs::Encoding;
use serde_json::{Map, Value};

use ophost::document::{Body, DocumentId};
use ophost::os_error;
use ophost_document::{extended, json};

use super::super::stdio;
use super::batches::DOCUMENT_OVERHEAD;
use super::columns::ColumnType;
use super::csv::{Content, Row, Rows};
use super::decode::{DecodingReader, TextError};
use super::delimiter;
use super::items::{Item, ItemError, Items, MAX_TEXT};
use super::names::{self, BadNames, Names};

/// The field with the id of a document.
const ID: &str = "_id";
/// The size of the start of a CSV file that is read to detect its delimiter, in bytes.
const HEAD_SIZE: usize = 64 << 10;
/// The hint for an object that is not valid Extended JSON.
const PLAIN_JSON_HINT: &str = "use `--plain-json` to keep names that begin with `$`";

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object per line.
    Jsonl,
    /// JSON array of objects, or a sequence of objects.
    Json,
    /// Rows below a header with the field names.
    Csv,
}

impl Format {
    /// Returns the format for the extension of a file.
    pub(super) fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "csv" | "tsv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// The rules for reading a file.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) format: Format,
    pub(super) encoding: Option<&'static Encoding>,
    /// The delimiter of a CSV file; `None` to detect it.
    pub(super) delimiter: Option<u8>,
    /// The field whose value is the id.
    pub(super) id: Option<String>,
    pub(super) names: Names,
    /// Whether the values of a CSV file stay text.
    pub(super) text: bool,
    /// Whether JSON is imported unchanged: without converting Extended JSON, with any field name.
    pub(super) plain: bool,
    /// The number of documents to skip.
    pub(super) skip: u64,
    /// The maximum size in bytes; `None` if the documents are imported in batches.
    pub(super) max_bytes: Option<u64>,
}

impl Rules {
    /// Returns whether the field `_id` of a document, after renames, is its id. Otherwise another
    /// field is the id, and a document without that field is an error.
    fn uses_id_field(&self) -> bool {
        self.id.as_deref().is_none_or(|id| id == ID && !self.names.affects(id))
    }
}

/// A callback for the number of bytes read, with the unit to show.
pub(super) type OnRead = Arc<dyn Fn(u64, &'static str) + Send + Sync>;

/// An iterator over the documents of a file, which ends after an error.
pub(super) type Documents = Box<dyn Iterator<Item = Result<Read, ReadError>>>;

/// A document that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) location: Location,
    pub(super) id: Option<DocumentId>,
    pub(super) body: Body,
}

/// An error while a file is read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot read the file: {}", os_error::text(.0))]
    Io(io::Error),
    #[error("{0}")]
    TextError(TextError),
    #[error(
        "the file is larger than {}, the maximum that one run may write", bytesize::ByteSize(*.0)
    )]
    TooLarge(u64),
    #[error(
        "the documents up to {location} are larger than {}, the maximum that one run may write \
         (limit `effects`)", bytesize::ByteSize(*.max_bytes)
    )]
    TooMany { location: Location, max_bytes: u64, is_batch: bool },
    #[error("{problem}")]
    Whole { problem: String, hint: Option<String> },
    #[error("{location}: {problem}")]
    Document { location: Location, problem: String, hint: Option<String> },
}

impl ReadError {
    /// Returns a hint for the user.
    pub(super) fn hint(&self) -> Option<String> {
        let raise = "raise `effects` in `[limits.max]` of the settings";
        match self {
            Self::TooLarge(_) | Self::TooMany { is_batch: false, .. } => {
                Some(format!("use `--batch 10000` to import 10000 documents per run, or {raise}"))
            }
            Self::TooMany { is_batch: true, .. } => {
                Some(format!("use a smaller `--batch`, or {raise}"))
            }
            Self::TextError(TextError::Nul) => {
                Some("use `--encoding utf-16` for UTF-16".to_owned())
            }
            Self::TextError(TextError::Utf32) => {
                Some("convert the file with `iconv -f UTF-32 -t UTF-8`".to_owned())
            }
            Self::TextError(TextError::NulAt { .. }) => {
                Some("set the encoding of the file with `--encoding`".to_owned())
            }
            Self::TextError(TextError::Malformed { .. }) => {
                Some("set the encoding of the file, such as `--encoding windows-1252`".to_owned())
            }
            Self::Whole { hint, .. } | Self::Document { hint, .. } => hint.clone(),
            Self::Io(error) => os_error::hint(error).map(ToOwned::to_owned),
        }
    }

    /// Returns whether the host is at fault, and not the file or its path.
    pub(super) fn is_host_fault(&self) -> bool {
        use io::ErrorKind::{
            InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
        };
        let Self::Io(error) = self else { return false };
        !matches!(
            error.kind(),
            NotFound
                | PermissionDenied
                | IsADirectory
                | NotADirectory
                | InvalidFilename
                | InvalidInput
        )
    }

    fn whole(problem: impl Into<String>) -> Self {
        Self::Whole { problem: problem.into(), hint: None }
    }

    fn names(bad: BadNames) -> Self {
        Self::Whole { problem: bad.problem, hint: bad.hint }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<TextError>() {
            Ok(error) => Self::TextError(error),
            Err(error) => match error.downcast::<TooLarge>() {
                Ok(TooLarge(max)) => Self::TooLarge(max),
                Err(error) => Self::Io(error),
            },
        }
    }
}

impl From<ItemError> for ReadError {
    fn from(error: ItemError) -> Self {
        match error {
            ItemError::Io(error) => error.into(),
            ItemError::NotJson { .. } | ItemError::TooLong { .. } => Self::whole(error.to_string()),
        }
    }
}

/// The location of a document in its file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// The line in which the document begins.
    Line(usize),
    /// The number of the document.
    Document(usize),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Document(number) => write!(f, "document {number}"),
        }
    }
}

/// A document before its id and body are checked.
struct RawDocument {
    location: Location,
    /// The value of the id field.
    id: Option<Value>,
    fields: Map<String, Value>,
}

/// The source of the bytes.
pub(super) enum Source {
    /// A file that can be read again.
    File(PathBuf),
    /// A stream that can be read once: stdin, a pipe or a device.
    Stream(Box<dyn io::Read + Send>),
    /// Content in memory.
    Memory(Arc<Vec<u8>>),
}

impl Source {
    /// Opens a file, or stdin for `-`, and returns its size if known.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the file cannot be opened.
    pub(super) fn open(file: &Path) -> io::Result<(Self, Option<u64>)> {
        if file.as_os_str() == "-" {
            return Ok((Self::Stream(Box::new(stdio::stdin())), None));
        }
        let opened = File::open(file)?;
        let metadata = opened.metadata()?;
        Ok(match metadata.is_file() {
            true => (Self::File(file.to_owned()), Some(metadata.len())),
            false => (Self::Stream(Box::new(opened)), None),
        })
    }

    /// Returns a reader from the start.
    fn reader(self) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(match self {
            Self::File(file) => Box::new(File::open(file)?),
            Self::Stream(stream) => stream,
            Self::Memory(bytes) => Box::new(Cursor::new(Bytes(bytes))),
        })
    }
}

/// Bytes that several readers share.
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reads the documents of a file.
///
/// # Errors
///
/// Returns [`ReadError`] if the start of the file is wrong, such as a CSV header. The iterator
/// returns the errors of documents.
pub(super) fn documents(
    source: Source,
    rules: Rules,
    on_read: &OnRead,
) -> Result<Documents, ReadError> {
    let rules = Arc::new(rules);
    let skip = rules.skip;
    let raw: Box<dyn Iterator<Item = Result<RawDocument, ReadError>>> = match rules.format {
        Format::Jsonl => {
            let lines =
                skip_items(skip, Lines { reader: text(source, &rules, on_read)?, number: 0 });
            let rules = Arc::clone(&rules);
            Box::new(lines.map(move |line| parse_line(&line?, &rules)))
        }
        Format::Json => {
            let items = Items::new(text(source, &rules, on_read)?).enumerate();
            let items = items.map(|(at, item)| Ok((Location::Document(at + 1), item?)));
            let rules = Arc::clone(&rules);
            Box::new(skip_items(skip, items).map(move |item| parse_item(&item?, &rules)))
        }
        Format::Csv => {
            let (table, columns) = table_with_types(source, &rules, on_read)?;
            let (names, ids) = (table.names, table.ids);
            let rows = skip_items(skip, table.rows.map(|row| cells(row?)));
            Box::new(rows.map(move |row| parse_row(row?, (&names, &columns), &ids)))
        }
    };
    Ok(Box::new(raw.map(move |raw| document(raw?, rules.id.as_deref()))))
}

/// Skips items, but not errors.
fn skip_items<T>(
    mut skip: u64,
    mut items: impl Iterator<Item = Result<T, ReadError>>,
) -> impl Iterator<Item = Result<T, ReadError>> {
    std::iter::from_fn(move || {
        while skip > 0 {
            skip -= 1;
            match items.next() {
                Some(Ok(_)) => {}
                other => return other,
            }
        }
        items.next()
    })
}

type Text = DecodingReader<Counted<Box<dyn io::Read + Send>>>;

/// Returns a reader of the text of a source.
fn text(source: Source, rules: &Rules, on_read: &OnRead) -> Result<Text, ReadError> {
    text_for(source, rules, on_read, "bytes read")
}

fn text_for(
    source: Source,
    rules: &Rules,
    on_read: &OnRead,
    unit: &'static str,
) -> Result<Text, ReadError> {
    let inner = source.reader()?;
    let counted =
        Counted { inner, read: 0, max_bytes: rules.max_bytes, on_read: Arc::clone(on_read), unit };
    Ok(DecodingReader::new(counted, rules.encoding))
}

/// A reader that reports the number of bytes read, and fails above a maximum.
struct Counted<R> {
    inner: R,
    read: u64,
    max_bytes: Option<u64>,
    on_read: OnRead,
    unit: &'static str,
}

/// An error for input above the maximum size.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes")]
struct TooLarge(u64);

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if let Some(max) = self.max_bytes.filter(|max| self.read > *max) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TooLarge(max)));
        }
        (self.on_read)(self.read, self.unit);
        Ok(count)
    }
}

fn document_error(location: Location, problem: impl Into<String>) -> ReadError {
    ReadError::Document { location, problem: problem.into(), hint: None }
}

fn bad_names(location: Location, bad: BadNames) -> ReadError {
    ReadError::Document { location, problem: bad.problem, hint: bad.hint }
}

/// An iterator over the non-empty lines of a text, with their numbers.
struct Lines<R> {
    reader: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    fn line(&mut self) -> Result<Option<(usize, String)>, ReadError> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            (&mut self.reader).take(MAX_TEXT as u64 + 1).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            if line.len() > MAX_TEXT {
                return Err(document_error(
                    Location::Line(self.number),
                    "the line is longer than 16 MiB",
                ));
            }
            if !line.trim_ascii().is_empty() {
                // The reader returns UTF-8, and a line ends at an ASCII character.
                return Ok(Some((self.number, String::from_utf8_lossy(&line).into_owned())));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(usize, String), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
}

fn parse_line((number, line): &(usize, String), rules: &Rules) -> Result<RawDocument, ReadError> {
    let location = Location::Line(*number);
    // With the end of the line, the parser would report an error at its end as in the next line.
    let line = line.trim_end_matches(['\n', '\r']);
    let value = json::parse(line).map_err(|error| document_error(location, not_json(&error)))?;
    object(location, value, rules)
}

/// Returns the message for a line that is not JSON, with the column only.
fn not_json(error: &serde_json::Error) -> String {
    let (reason, column) = reason(error);
    match column {
        Some((_, column)) => format!("not JSON: {reason} at column {column}"),
        None => format!("not JSON: {reason}"),
    }
}

/// Returns the reason of a JSON error, and its line and column if known.
fn reason(error: &serde_json::Error) -> (String, Option<(usize, usize)>) {
    let text = error.to_string();
    let location = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&location) {
        Some(reason) => (reason.to_owned(), Some((error.line(), error.column()))),
        None => (text, None),
    }
}

fn parse_item(
    (location, item): &(Location, Item),
    rules: &Rules,
) -> Result<RawDocument, ReadError> {
    let value = json::parse(&item.text).map_err(|error| {
        let (reason, at) = reason(&error);
        match at.map(|(line, column)| item.position_in_file(line, column)) {
            Some((line, column)) => {
                ReadError::whole(format!("not JSON: {reason} at line {line} column {column}"))
            }
            None => document_error(*location, format!("not JSON: {reason}")),
        }
    })?;
    object(*location, value, rules)
}

fn object(location: Location, value: Value, rules: &Rules) -> Result<RawDocument, ReadError> {
    let Value::Object(mut fields) = value else {
        return Err(document_error(location, "expected an object"));
    };
    if !rules.plain {
        extended::convert_fields(&mut fields).map_err(|error| {
            let (problem, hint) = (error.to_string(), Some(PLAIN_JSON_HINT.to_owned()));
            ReadError::Document { location, problem, hint }
        })?;
    }
    // The id field has its name in the file here, before it is renamed or dropped.
    let id_value = rules.id.as_deref().and_then(|id| fields.get(id)).cloned();
    let mut fields = rules.names.of_fields(fields).map_err(|bad| bad_names(location, bad))?;
    let id_value = id_value.or_else(|| rules.id.as_deref().and_then(|id| fields.get(id)).cloned());
    let virtual_id = fields.shift_remove(ID);
    let id = id_value.or(virtual_id.filter(|_| rules.uses_id_field()));
    if !rules.plain {
        names::check_fields(&fields).map_err(|bad| bad_names(location, bad))?;
    }
    Ok(RawDocument { location, id, fields })
}

/// A CSV file after its header.
struct Table {
    rows: Rows<io::Chain<Cursor<Vec<u8>>, Text>>,
    /// The names of the columns; `None` for dropped columns.
    names: Vec<Option<String>>,
    /// The columns for the id of a row, of which the first non-empty cell is used.
    ids: Vec<usize>,
}

/// Reads the header and the types of the columns, which depend on all rows.
fn table_with_types(
    source: Source,
    rules: &Rules,
    on_read: &OnRead,
) -> Result<(Table, Vec<ColumnType>), ReadError> {
    if rules.text {
        let table = table(text(source, rules, on_read)?, rules)?;
        let columns = vec![ColumnType::Text; table.names.len()];
        return Ok((table, columns));
    }
    let (first, second) = match source {
        Source::File(file) => (Source::File(file.clone()), Source::File(file)),
        Source::Stream(stream) => {
            let bytes = Arc::new(in_memory(stream, rules, on_read)?);
            (Source::Memory(Arc::clone(&bytes)), Source::Memory(bytes))
        }
        Source::Memory(bytes) => (Source::Memory(Arc::clone(&bytes)), Source::Memory(bytes)),
    };
    let first = table(text_for(first, rules, on_read, "bytes scanned")?, rules)?;
    let columns = columns(first)?;
    Ok((table(text(second, rules, on_read)?, rules)?, columns))
}

/// Reads all of a stream. Fails if the stream is imported in batches.
fn in_memory(
    stream: Box<dyn io::Read + Send>,
    rules: &Rules,
    on_read: &OnRead,
) -> Result<Vec<u8>, ReadError> {
    let Some(max_bytes) = rules.max_bytes else {
        let problem =
            "the type of a column depends on all its values, but stdin can be read only once";
        let hint = "use `--text` to import all values as text, or import from a file".to_owned();
        return Err(ReadError::Whole { problem: problem.to_owned(), hint: Some(hint) });
    };
    let (on_read, unit) = (Arc::clone(on_read), "bytes read");
    let mut counted = Counted { inner: stream, read: 0, max_bytes: Some(max_bytes), on_read, unit };
    let (mut bytes, mut lines) = (Vec::new(), 0);
    loop {
        let before = bytes.len();
        (&mut counted).take(HEAD_SIZE as u64).read_to_end(&mut bytes)?;
        if bytes.len() == before {
            return Ok(bytes);
        }
        lines += memchr::memchr_iter(b'\n', &bytes[before..]).count();
        if lines as u64 * DOCUMENT_OVERHEAD > max_bytes {
            return Err(ReadError::TooMany {
                location: Location::Line(lines),
                max_bytes,
                is_batch: false,
            });
        }
    }
}

fn table(mut reader: Text, rules: &Rules) -> Result<Table, ReadError> {
    let (mut head, is_whole) = head(&mut reader)?;
    let shown = String::from_utf8_lossy(&head);
    let declared = delimiter::declared_in(&shown);
    let delimiter = match rules.delimiter.or(declared.map(|(delimiter, _)| delimiter)) {
        Some(delimiter) => delimiter,
        None => delimiter::detect(&shown, is_whole).map_err(|several| ambiguous(&several))?,
    };
    head.drain(..declared.map_or(0, |(_, length)| length));
    let line = 1 + usize::from(declared.is_some());
    let mut rows = Rows::new(io::Read::chain(Cursor::new(head), reader), delimiter, line);
    let header = rows.next().transpose()?.map(cells).transpose()?;
    let header = header.map(|(_, header)| header).unwrap_or_default();
    let id = rules.id.as_deref();
    let id_column = header.iter().position(|name| Some(name.as_str()) == id);
    let names = rules.names.of_columns(&header).map_err(ReadError::names)?;
    let column = |wanted: &str| names.iter().position(|name| name.as_deref() == Some(wanted));
    // The id field has its name in the file here, before it is renamed or dropped.
    let id_column = id_column.or_else(|| id.and_then(column));
    let virtual_id = column(ID).filter(|_| rules.uses_id_field());
    let ids = id_column.into_iter().chain(virtual_id).collect();
    Ok(Table { rows, names, ids })
}

fn ambiguous(several: &[u8]) -> ReadError {
    let names: Vec<_> = several.iter().map(|one| format!("`{}`", delimiter::name(*one))).collect();
    let problem = format!("the delimiter may be {}", names.join(" or "));
    ReadError::Whole { problem, hint: Some("use `--delimiter` to set the delimiter".to_owned()) }
}

/// Reads the start of a text, and returns whether that is the whole text.
fn head(reader: &mut impl BufRead) -> io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    while head.len() < HEAD_SIZE {
        let part = reader.fill_buf()?;
        if part.is_empty() {
            return Ok((head, true));
        }
        head.extend(part);
        let count = part.len();
        reader.consume(count);
    }
    Ok((head, false))
}

/// Reads all rows to determine the types of the columns.
fn columns(table: Table) -> Result<Vec<ColumnType>, ReadError> {
    let mut columns = vec![ColumnType::default(); table.names.len()];
    for row in table.rows {
        if let Content::Cells(cells) = row?.content {
            for (column, cell) in columns.iter_mut().zip(&cells) {
                *column = column.with(cell);
            }
        }
    }
    Ok(columns)
}

fn parse_row(
    (location, cells): (Location, Vec<String>),
    (names, columns): (&[Option<String>], &[ColumnType]),
    ids: &[usize],
) -> Result<RawDocument, ReadError> {
    if cells.len() != names.len() {
        let problem = format!("expected {} cells, found {}", names.len(), cells.len());
        return Err(document_error(location, problem));
    }
    // The id is the text of the cell, independent of the type of its column.
    let id = ids.iter().map(|at| cells[*at].as_str()).find(|cell| !cell.is_empty());
    let id = id.map(Value::from);
    let mut fields = Map::new();
    for ((name, column), cell) in names.iter().zip(columns).zip(cells) {
        if let Some(name) = name.as_ref().filter(|name| *name != ID && !cell.is_empty()) {
            fields.insert(name.clone(), column.value(cell));
        }
    }
    Ok(RawDocument { location, id, fields })
}

fn cells(row: Row) -> Result<(Location, Vec<String>), ReadError> {
    let location = Location::Line(row.line);
    match row.content {
        Content::Cells(cells) => Ok((location, cells)),
        Content::Unterminated => {
            Err(document_error(location, "the file ends within quotes that start here"))
        }
        Content::TooLong => {
            Err(document_error(location, "the row is longer than 16 MiB; a quote may be missing"))
        }
    }
}

fn document(raw: RawDocument, id_field: Option<&str>) -> Result<Read, ReadError> {
    let RawDocument { location, id, fields } = raw;
    if let (Some(field), None) = (id_field, &id) {
        return Err(document_error(location, format!("the field `{field}` is missing")));
    }
    let id = id.map(|id| id_text(location, id)).transpose()?;
    let id = id
        .map(DocumentId::new)
        .transpose()
        .map_err(|error| document_error(location, error.to_string()))?;
    // Collecting again releases spare capacity, which would triple the memory of small documents.
    let fields: Map<_, _> = fields.into_iter().collect();
    let body =
        Body::try_from(fields).map_err(|error| document_error(location, error.to_string()))?;
    Ok(Read { location, id, body })
}

/// Returns an id as text, and converts an id in Extended JSON.
fn id_text(location: Location, mut id: Value) -> Result<String, ReadError> {
    // An object that is not Extended JSON stays an object.
    extended::convert(&mut id).ok();
    match id {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Object(_) => Err(document_error(location, "the id is an object")),
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            Err(document_error(location, "the id is neither text nor a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(format: Format) -> Rules {
        Rules {
            format,
            encoding: None,
            delimiter: None,
            id: None,
            names: Names::default(),
            text: false,
            plain: false,
            skip: 0,
            max_bytes: Some(1 << 20),
        }
    }

    fn read_by(rules: Rules, content: &[u8]) -> Result<Vec<Read>, ReadError> {
        let on_read: OnRead = Arc::new(|_, _| {});
        let source = Source::Stream(Box::new(Cursor::new(content.to_vec())));
        documents(source, rules, &on_read)?.collect()
    }

    fn read(format: Format, text: &str) -> Result<Vec<(Option<String>, Value)>, String> {
        let read = read_by(rules(format), text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(read.into_iter().map(|it| (it.id.map(Into::into), json!(it.body))).collect())
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
    fn id_of_a_csv_row_is_the_text_of_its_cell() {
        let text = "_id,sku,n\n10.00,007,1\n1e5,-0,2\ntrue,1e0,3\n";
        for (id, expected) in
            [(None, ["10.00", "1e5", "true"]), (Some("sku"), ["007", "-0", "1e0"])]
        {
            let rules = Rules { id: id.map(str::to_owned), ..rules(Format::Csv) };
            let read = read_by(rules, text.as_bytes()).unwrap();
            let ids = read.into_iter().map(|it| String::from(it.id.unwrap()));
            assert_eq!(ids.collect::<Vec<_>>(), expected);
        }
        let numbers = read(Format::Csv, "_id,n\n10,10.00\n9.99,9.99\n").unwrap();
        let expected = [("10", json!({"n": 10.0})), ("9.99", json!({"n": 9.99}))];
        assert_eq!(numbers, expected.map(|(id, body)| (Some(id.to_owned()), body)));
    }

    #[test]
    fn documents_are_skipped_in_every_format() {
        let (csv, jsonl, json) = (
            "a\nx\n1\n2\n",
            "{\"a\":\"x\"}\n\n{\"a\":1}\n{\"a\":2}",
            "[{bad}, {\"a\":1}, {\"a\":2}]",
        );
        for (format, text) in [(Format::Csv, csv), (Format::Jsonl, jsonl), (Format::Json, json)] {
            for (skip, count) in [(1, 2), (2, 1), (3, 0), (9, 0)] {
                let read = read_by(Rules { skip, ..rules(format) }, text.as_bytes()).unwrap();
                assert_eq!(read.len(), count, "{format:?}");
                let last = read.last().map(|it| it.body.text());
                // The type of a column is that of all rows.
                let expected = if format == Format::Csv { r#"{"a":"2"}"# } else { r#"{"a":2}"# };
                assert_eq!(last.as_deref(), (count > 0).then_some(expected));
            }
        }
    }

    #[test]
    fn csv_stream_in_batches_requires_text() {
        let batches = || Rules { max_bytes: None, ..rules(Format::Csv) };
        let message = read_by(batches(), b"a\n1\n").unwrap_err();
        assert!(message.to_string().contains("stdin can be read only once"), "{message}");
        let text = read_by(Rules { text: true, ..batches() }, b"a\n1\n").unwrap();
        assert_eq!(text[0].body.text(), r#"{"a":"1"}"#);
    }

    #[test]
    fn errors_name_the_location() {
        let wrong = |format, text: &str| read(format, text).unwrap_err();
        let number = wrong(Format::Jsonl, "{}\n\n{\"a\":1e400}");
        assert_eq!(number, "line 3: not JSON: number out of range at column 10");
        let large = wrong(Format::Jsonl, "{\"a\":18446744073709551616}");
        let message = "line 1: not JSON: the integer 18446744073709551616 needs more than 64 bits";
        assert_eq!(large, message);
        let list = wrong(Format::Json, "[{},\n{\"a\":1e400}]");
        assert_eq!(list, "not JSON: number out of range at line 2 column 10");
        assert_eq!(wrong(Format::Json, "[1]"), "document 1: expected an object");
        assert_eq!(wrong(Format::Csv, "a,a\n1,2\n"), "two columns have the name `a`");
        let id = wrong(Format::Jsonl, "{\"_id\":[]}");
        assert_eq!(id, "line 1: the id is neither text nor a number");
        let cells = wrong(Format::Csv, "a,b\n1,\"2\n3\"\n4\n");
        assert_eq!(cells, "line 4: expected 2 cells, found 1");
        let cut = wrong(Format::Csv, "a,b\n1,\"2\n3,4\n");
        assert_eq!(cut, "line 2: the file ends within quotes that start here");
        let rules = Rules { max_bytes: Some(3), ..rules(Format::Jsonl) };
        assert!(matches!(read_by(rules, b"{\"a\":1}"), Err(ReadError::TooLarge(3))));
    }
}
