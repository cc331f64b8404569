//! The documents of a file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use encoding_rs::Encoding;
use ophost_document::{extended, json};
use serde_json::{Map, Value};

use super::super::stdio;
use super::batches::DOCUMENT;
use super::columns::Column;
use super::csv::{Content, Row, Rows};
use super::decode::{Decoded, NotText};
use super::delimiter;
use super::items::{Item, ItemError, Items, MAX_TEXT};
use super::names::{self, BadNames, Names};
use ophost::document::{Body, DocumentId};
use ophost::os_error;

/// The field that holds a document's id.
const ID: &str = "_id";
/// How much of a CSV file is looked at to detect its delimiter, in bytes.
const HEAD: usize = 64 << 10;
/// The way out where an object is no Extended JSON.
const PLAIN: &str = "`--plain-json` keeps names that begin with `$` as they are";

/// How documents stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A JSON object a line.
    Jsonl,
    /// A JSON array of objects, or objects one after the other.
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
            "csv" | "tsv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// What is made of what stands in a file.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) format: Format,
    pub(super) encoding: Option<&'static Encoding>,
    /// What is between the cells of a CSV file; `None` to detect it.
    pub(super) delimiter: Option<u8>,
    /// The field whose value is the id.
    pub(super) id: Option<String>,
    pub(super) names: Names,
    /// Whether the values of a CSV file stay text.
    pub(super) text: bool,
    /// Whether JSON is taken as it stands: without Extended JSON, with any name of a field.
    pub(super) plain: bool,
    /// How many documents are passed over.
    pub(super) skip: u64,
    /// The most bytes; `None` if the documents are imported in batches.
    pub(super) most: Option<u64>,
}

impl Rules {
    /// Returns whether the field that is to be the id is also renamed or left out. Then no other
    /// field takes its place.
    fn names_id(&self) -> bool {
        self.id.as_deref().is_some_and(|id| self.names.concern(id))
    }
}

/// Hears how many bytes were read, and for what.
pub(super) type Seen = Arc<dyn Fn(u64, &'static str) + Send + Sync>;

/// The documents of a file, one after the other. After an error there are none.
pub(super) type Documents = Box<dyn Iterator<Item = Result<Read, ReadError>>>;

/// A document that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) place: Place,
    pub(super) id: Option<DocumentId>,
    pub(super) body: Body,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot read it: {}", os_error::text(.0))]
    Io(io::Error),
    #[error("{0}")]
    NotText(NotText),
    #[error("its first {} are more than one run may write", bytesize::ByteSize(*.0))]
    TooLarge(u64),
    #[error(
        "its documents up to {place} are more than the {} that one run may write, by the limit \
         `effects`", bytesize::ByteSize(*.most)
    )]
    TooMany { place: Place, most: u64, is_batch: bool },
    #[error("{problem}")]
    Whole { problem: String, hint: Option<String> },
    #[error("{place}: {problem}")]
    Document { place: Place, problem: String, hint: Option<String> },
}

impl ReadError {
    /// Returns the way out.
    pub(super) fn hint(&self) -> Option<String> {
        let more = "`effects` in `[limits.max]` of the settings allows more";
        match self {
            Self::TooLarge(_) | Self::TooMany { is_batch: false, .. } => {
                Some(format!("`--batch 10000` imports it in runs of 10000 documents; {more}"))
            }
            Self::TooMany { is_batch: true, .. } => {
                Some(format!("use a smaller `--batch`; {more}"))
            }
            Self::NotText(NotText::Nul) => Some("`--encoding utf-16` reads UTF-16".to_owned()),
            Self::NotText(NotText::Utf32) => {
                Some("convert it: `iconv -f UTF-32 -t UTF-8` does".to_owned())
            }
            Self::NotText(NotText::NulAt { .. }) => {
                Some("`--encoding` names the one that the file is written in".to_owned())
            }
            Self::NotText(NotText::Malformed { .. }) => {
                Some("name its encoding, such as `--encoding windows-1252`".to_owned())
            }
            Self::Whole { hint, .. } | Self::Document { hint, .. } => hint.clone(),
            Self::Io(error) => os_error::hint(error).map(ToOwned::to_owned),
        }
    }

    /// Returns whether the host failed, and not what it was given.
    pub(super) fn is_of_host(&self) -> bool {
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
        match error.downcast::<NotText>() {
            Ok(error) => Self::NotText(error),
            Err(error) => match error.downcast::<TooLarge>() {
                Ok(TooLarge(most)) => Self::TooLarge(most),
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

/// Where the bytes of a file come from.
pub(super) enum Source {
    /// A file that can be read again.
    File(PathBuf),
    /// What can be read once: stdin, a pipe, a device.
    Stream(Box<dyn io::Read + Send>),
    /// Content that is in memory already.
    Memory(Arc<Vec<u8>>),
}

impl Source {
    /// Opens a file, or stdin for `-`, and says how large it is, if that is known.
    ///
    /// # Errors
    ///
    /// Returns the system's error if it cannot be opened.
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

    /// Begins to read.
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
/// Returns [`ReadError`] if what stands before the first document is wrong; the documents say which
/// of them is wrong, and how.
pub(super) fn documents(source: Source, rules: Rules, seen: &Seen) -> Result<Documents, ReadError> {
    let rules = Arc::new(rules);
    let skip = rules.skip;
    let placed: Box<dyn Iterator<Item = Result<Placed, ReadError>>> = match rules.format {
        Format::Jsonl => {
            let lines = after(skip, Lines { reader: text(source, &rules, seen)?, number: 0 });
            let rules = Arc::clone(&rules);
            Box::new(lines.map(move |line| of_line(&line?, &rules)))
        }
        Format::Json => {
            let items = Items::new(text(source, &rules, seen)?).enumerate();
            let items = items.map(|(at, item)| Ok((Place::Document(at + 1), item?)));
            let rules = Arc::clone(&rules);
            Box::new(after(skip, items).map(move |item| of_item(&item?, &rules)))
        }
        Format::Csv => {
            let (table, columns) = table_with_types(source, &rules, seen)?;
            let (names, ids) = (table.names, table.ids);
            let rows = after(skip, table.rows.map(|row| cells(row?)));
            Box::new(rows.map(move |row| of_row(row?, (&names, &columns), &ids)))
        }
    };
    Ok(Box::new(placed.map(move |placed| document(placed?, rules.id.as_deref()))))
}

/// Returns what comes after so many items.
fn after<T>(
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

type Text = Decoded<Counted<Box<dyn io::Read + Send>>>;

/// Returns a reader of a file's text.
fn text(source: Source, rules: &Rules, seen: &Seen) -> Result<Text, ReadError> {
    text_for(source, rules, seen, "bytes read")
}

fn text_for(
    source: Source,
    rules: &Rules,
    seen: &Seen,
    what: &'static str,
) -> Result<Text, ReadError> {
    let inner = source.reader()?;
    let counted = Counted { inner, read: 0, most: rules.most, seen: Arc::clone(seen), what };
    Ok(Decoded::new(counted, rules.encoding))
}

/// Tells how much was read, and ends where that is too much.
struct Counted<R> {
    inner: R,
    read: u64,
    most: Option<u64>,
    seen: Seen,
    what: &'static str,
}

/// More bytes than may be read.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes")]
struct TooLarge(u64);

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if let Some(most) = self.most.filter(|most| self.read > *most) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TooLarge(most)));
        }
        (self.seen)(self.read, self.what);
        Ok(count)
    }
}

fn wrong(place: Place, problem: impl Into<String>) -> ReadError {
    ReadError::Document { place, problem: problem.into(), hint: None }
}

fn bad_names(place: Place, bad: BadNames) -> ReadError {
    ReadError::Document { place, problem: bad.problem, hint: bad.hint }
}

/// The lines of a text that are not empty, with their numbers.
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
                return Err(wrong(Place::Line(self.number), "it is longer than 16 MiB"));
            }
            if !line.trim_ascii().is_empty() {
                // The reader gives whole characters up to the end of a line.
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

fn of_line((number, line): &(usize, String), rules: &Rules) -> Result<Placed, ReadError> {
    let place = Place::Line(*number);
    // The reader says where in a line it is only if the line does not go on.
    let line = line.trim_end_matches(['\n', '\r']);
    let value = json::parse(line).map_err(|error| wrong(place, not_json(&error)))?;
    object(place, value, rules)
}

/// Says why a line is not JSON. The reader knows of no other line.
fn not_json(error: &serde_json::Error) -> String {
    let (reason, column) = reason(error);
    match column {
        Some((_, column)) => format!("not JSON: {reason} at column {column}"),
        None => format!("not JSON: {reason}"),
    }
}

/// Returns what is wrong with JSON, and at which line and column of it, if that is known.
fn reason(error: &serde_json::Error) -> (String, Option<(usize, usize)>) {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(reason) => (reason.to_owned(), Some((error.line(), error.column()))),
        None => (text, None),
    }
}

fn of_item((place, item): &(Place, Item), rules: &Rules) -> Result<Placed, ReadError> {
    let value = json::parse(&item.text).map_err(|error| {
        let (reason, at) = reason(&error);
        match at.map(|(line, column)| item.place(line, column)) {
            Some((line, column)) => {
                ReadError::whole(format!("not JSON: {reason} at line {line} column {column}"))
            }
            None => wrong(*place, format!("not JSON: {reason}")),
        }
    })?;
    object(*place, value, rules)
}

fn object(place: Place, value: Value, rules: &Rules) -> Result<Placed, ReadError> {
    let Value::Object(mut fields) = value else {
        return Err(wrong(place, "it is not an object"));
    };
    if !rules.plain {
        extended::convert_fields(&mut fields).map_err(|error| {
            let (problem, hint) = (error.to_string(), Some(PLAIN.to_owned()));
            ReadError::Document { place, problem, hint }
        })?;
    }
    // By its name in the file, before that is another's, or no one's.
    let named = rules.id.as_deref().and_then(|id| fields.get(id)).cloned();
    let mut fields = rules.names.of_fields(fields).map_err(|bad| bad_names(place, bad))?;
    let named = named.or_else(|| rules.id.as_deref().and_then(|id| fields.get(id)).cloned());
    let virtual_id = fields.shift_remove(ID);
    let id = named.or(virtual_id.filter(|_| !rules.names_id()));
    if !rules.plain {
        names::check_fields(&fields).map_err(|bad| bad_names(place, bad))?;
    }
    Ok(Placed { place, id, fields })
}

/// A CSV file whose first row was read.
struct Table {
    rows: Rows<io::Chain<Cursor<Vec<u8>>, Text>>,
    /// The names of the columns; `None` for those that are left out.
    names: Vec<Option<String>>,
    /// The columns whose first value is a row's id.
    ids: Vec<usize>,
}

/// Reads the first row, and what the columns are, which takes all other rows.
fn table_with_types(
    source: Source,
    rules: &Rules,
    seen: &Seen,
) -> Result<(Table, Vec<Column>), ReadError> {
    if rules.text {
        let table = table(text(source, rules, seen)?, rules)?;
        let columns = vec![Column::Text; table.names.len()];
        return Ok((table, columns));
    }
    let (first, second) = match source {
        Source::File(file) => (Source::File(file.clone()), Source::File(file)),
        Source::Stream(stream) => {
            let bytes = Arc::new(in_memory(stream, rules, seen)?);
            (Source::Memory(Arc::clone(&bytes)), Source::Memory(bytes))
        }
        Source::Memory(bytes) => (Source::Memory(Arc::clone(&bytes)), Source::Memory(bytes)),
    };
    let first = table(text_for(first, rules, seen, "bytes looked at")?, rules)?;
    let columns = columns(first)?;
    Ok((table(text(second, rules, seen)?, rules)?, columns))
}

/// Reads all of a stream, if it is imported by one run.
fn in_memory(
    stream: Box<dyn io::Read + Send>,
    rules: &Rules,
    seen: &Seen,
) -> Result<Vec<u8>, ReadError> {
    let Some(most) = rules.most else {
        let problem = "the type of a column depends on all its values, and stdin is read once";
        let hint = "`--text` keeps all values as text; a file can be read twice".to_owned();
        return Err(ReadError::Whole { problem: problem.to_owned(), hint: Some(hint) });
    };
    let (seen, what) = (Arc::clone(seen), "bytes read");
    let mut counted = Counted { inner: stream, read: 0, most: Some(most), seen, what };
    let (mut bytes, mut lines) = (Vec::new(), 0);
    loop {
        let before = bytes.len();
        (&mut counted).take(HEAD as u64).read_to_end(&mut bytes)?;
        if bytes.len() == before {
            return Ok(bytes);
        }
        lines += memchr::memchr_iter(b'\n', &bytes[before..]).count();
        if lines as u64 * DOCUMENT > most {
            return Err(ReadError::TooMany { place: Place::Line(lines), most, is_batch: false });
        }
    }
}

fn table(mut reader: Text, rules: &Rules) -> Result<Table, ReadError> {
    let (mut head, is_whole) = head(&mut reader)?;
    let shown = String::from_utf8_lossy(&head);
    let named = delimiter::named_in(&shown);
    let delimiter = match rules.delimiter.or(named.map(|(delimiter, _)| delimiter)) {
        Some(delimiter) => delimiter,
        None => delimiter::detect(&shown, is_whole).map_err(|several| ambiguous(&several))?,
    };
    head.drain(..named.map_or(0, |(_, length)| length));
    let line = 1 + usize::from(named.is_some());
    let mut rows = Rows::new(io::Read::chain(Cursor::new(head), reader), delimiter, line);
    let header = rows.next().transpose()?.map(cells).transpose()?;
    let header = header.map(|(_, header)| header).unwrap_or_default();
    let id = rules.id.as_deref();
    let of_id = header.iter().position(|name| Some(name.as_str()) == id);
    let names = rules.names.of_columns(&header).map_err(ReadError::names)?;
    let column = |wanted: &str| names.iter().position(|name| name.as_deref() == Some(wanted));
    // By its name in the file, before that is another's, or no one's.
    let of_id = of_id.or_else(|| id.and_then(column));
    let virtual_id = column(ID).filter(|_| !rules.names_id());
    let ids = of_id.into_iter().chain(virtual_id).collect();
    Ok(Table { rows, names, ids })
}

fn ambiguous(several: &[u8]) -> ReadError {
    let names: Vec<_> = several.iter().map(|one| format!("`{}`", delimiter::name(*one))).collect();
    let problem = format!("its cells may be separated by {}", names.join(" or "));
    ReadError::Whole { problem, hint: Some("`--delimiter` names the one".to_owned()) }
}

/// Reads the beginning of a text, and says whether that is all.
fn head(reader: &mut impl BufRead) -> io::Result<(Vec<u8>, bool)> {
    let mut head = Vec::new();
    while head.len() < HEAD {
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

/// Returns what the columns are: that takes all rows below the names.
fn columns(table: Table) -> Result<Vec<Column>, ReadError> {
    let mut columns = vec![Column::default(); table.names.len()];
    for row in table.rows {
        if let Content::Cells(cells) = row?.content {
            for (column, cell) in columns.iter_mut().zip(&cells) {
                *column = column.with(cell);
            }
        }
    }
    Ok(columns)
}

fn of_row(
    (place, cells): (Place, Vec<String>),
    (names, columns): (&[Option<String>], &[Column]),
    ids: &[usize],
) -> Result<Placed, ReadError> {
    if cells.len() != names.len() {
        let problem = format!("cells: expected {}, got {}", names.len(), cells.len());
        return Err(wrong(place, problem));
    }
    // Letter by letter as it stands there, whatever its column is.
    let id = ids.iter().map(|at| cells[*at].as_str()).find(|cell| !cell.is_empty());
    let id = id.map(Value::from);
    let mut fields = Map::new();
    for ((name, column), cell) in names.iter().zip(columns).zip(cells) {
        if let Some(name) = name.as_ref().filter(|name| *name != ID && !cell.is_empty()) {
            fields.insert(name.clone(), column.value(cell));
        }
    }
    Ok(Placed { place, id, fields })
}

fn cells(row: Row) -> Result<(Place, Vec<String>), ReadError> {
    let place = Place::Line(row.line);
    match row.content {
        Content::Cells(cells) => Ok((place, cells)),
        Content::Cut => Err(wrong(place, "the file ends within quotes that begin here")),
        Content::TooLong => {
            Err(wrong(place, "the row is longer than 16 MiB; a quote may be missing"))
        }
    }
}

fn document(placed: Placed, id_field: Option<&str>) -> Result<Read, ReadError> {
    let Placed { place, id, fields } = placed;
    if let (Some(field), None) = (id_field, &id) {
        return Err(wrong(place, format!("it has no field `{field}`")));
    }
    let id = id.map(|id| id_text(place, id)).transpose()?;
    let id =
        id.map(DocumentId::new).transpose().map_err(|error| wrong(place, error.to_string()))?;
    // A map that grew has room for more: a small document would take three times the memory.
    let fields: Map<_, _> = fields.into_iter().collect();
    let body = Body::try_from(fields).map_err(|error| wrong(place, error.to_string()))?;
    Ok(Read { place, id, body })
}

/// Returns an id as text, also one of Extended JSON that was kept elsewhere.
fn id_text(place: Place, mut id: Value) -> Result<String, ReadError> {
    // What is none stays an object.
    extended::convert(&mut id).ok();
    match id {
        Value::String(text) => Ok(text),
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
            most: Some(1 << 20),
        }
    }

    fn read_by(rules: Rules, content: &[u8]) -> Result<Vec<Read>, ReadError> {
        let seen: Seen = Arc::new(|_, _| {});
        let source = Source::Stream(Box::new(Cursor::new(content.to_vec())));
        documents(source, rules, &seen)?.collect()
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
    fn an_id_of_a_csv_file_is_what_stands_there() {
        let text = "_id,sku,n\n10.00,007,1\n1e5,-0,2\ntrue,,3\n";
        for (id, expected) in
            [(None, ["10.00", "1e5", "true"]), (Some("sku"), ["007", "-0", "true"])]
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
    fn documents_are_passed_over_in_every_format() {
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
    fn a_csv_stream_in_batches_has_to_stay_text() {
        let batches = || Rules { most: None, ..rules(Format::Csv) };
        let told = read_by(batches(), b"a\n1\n").unwrap_err();
        assert!(told.to_string().contains("stdin is read once"), "{told}");
        let text = read_by(Rules { text: true, ..batches() }, b"a\n1\n").unwrap();
        assert_eq!(text[0].body.text(), r#"{"a":"1"}"#);
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
        let rules = Rules { most: Some(3), ..rules(Format::Jsonl) };
        assert!(matches!(read_by(rules, b"{\"a\":1}"), Err(ReadError::TooLarge(3))));
    }
}
