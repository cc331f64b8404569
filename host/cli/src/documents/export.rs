//! `ophost documents export`: writes documents to stdout or a new file.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use ophost::document::{CollectionName, Document, Filter};
use ophost::{DocumentReader, PinnedDocuments, Progress};

use super::super::atomic_file::{AtomicFile, CreateFileError};
use super::super::error::{CliError, Exit};
use super::super::escape::{EscapedText, Json};
use super::super::interrupt;
use super::super::output;
use super::super::progress::Bar;
use super::super::stdio::{self, Waiting};
use super::csv_export::Columns;
use super::delimiter;
use super::read::Format;
use super::{CollectionSelector, report, report_if_missing, shown};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    selector: CollectionSelector,
    /// Output file, which must not exist [default: stdout].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format of the documents [default: by the extension of the output file, else jsonl].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<ExportFormat>,
    /// Delimiter of CSV, an ASCII character or `tab` [default: comma, or tab for a .tsv file].
    #[arg(long, value_name = "CHAR", value_parser = delimiter::parse, allow_hyphen_values = true)]
    delimiter: Option<u8>,
    /// Columns of CSV: names of fields, or paths such as salary.max [default: `_id`, and the other
    /// fields in alphabetical order].
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    columns: Vec<String>,
}

const HELP: &str = "\
Examples:
  ophost documents export jobs --output jobs.jsonl
  ophost documents export jobs '{\"status\": \"new\"}' --output jobs.csv
  ophost documents export jobs --format csv --columns _id,title,salary.max

In CSV, null, an empty text and a missing field are empty cells, and objects and lists are
JSON. JSON Lines keep all values.";

/// A format of exported documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One JSON object per line.
    Jsonl,
    /// Rows below a header.
    Csv,
}

impl ExportArgs {
    fn format(&self) -> ExportFormat {
        let is_csv = self.delimiter.is_some() || !self.columns.is_empty();
        let by_file = self.output.as_deref().and_then(Format::of);
        self.format.unwrap_or(match by_file {
            Some(Format::Csv) => ExportFormat::Csv,
            None if is_csv => ExportFormat::Csv,
            Some(Format::Jsonl | Format::Json) | None => ExportFormat::Jsonl,
        })
    }

    fn delimiter(&self) -> u8 {
        let is_tsv =
            |file: &PathBuf| file.extension().is_some_and(|it| it.eq_ignore_ascii_case("tsv"));
        let by_file = if self.output.as_ref().is_some_and(is_tsv) { b'\t' } else { b',' };
        self.delimiter.unwrap_or(by_file)
    }

    /// Returns the columns of CSV; `None` for another format.
    async fn columns(&self, documents: &PinnedDocuments) -> Result<Option<Columns>, CliError> {
        let CollectionSelector { collection, filter } = &self.selector;
        match self.format() {
            ExportFormat::Jsonl if self.delimiter.is_some() || !self.columns.is_empty() => {
                Err(CliError::usage("`--columns` and `--delimiter` need `--format csv`"))
            }
            ExportFormat::Jsonl => Ok(None),
            ExportFormat::Csv if self.columns.is_empty() => {
                let selection = (collection.clone(), filter.clone());
                let columns = Columns::of_documents(documents, selection, self.delimiter());
                Ok(Some(columns.await?))
            }
            ExportFormat::Csv => Ok(Some(Columns::new(self.columns.clone(), self.delimiter()))),
        }
    }
}

/// The destination of the documents.
enum Target {
    Stdout { writer: BufWriter<Waiting<Stdout>>, is_terminal: bool },
    File(AtomicFile),
}

impl Target {
    fn open(file: Option<&PathBuf>) -> Result<Self, CreateFileError> {
        file.map_or_else(
            || {
                let is_terminal = io::stdout().is_terminal();
                Ok(Self::Stdout { writer: BufWriter::new(stdio::stdout()), is_terminal })
            },
            |file| AtomicFile::create(file).map(Self::File),
        )
    }

    /// Writes lines. On a terminal, the text is escaped by `escape`.
    fn write(&mut self, lines: &[u8], escape: impl FnOnce(&str) -> String) -> io::Result<()> {
        match self {
            Self::Stdout { writer, is_terminal: true } => {
                let lines = escape(&String::from_utf8_lossy(lines));
                writer.write_all(lines.as_bytes())
            }
            Self::Stdout { writer, is_terminal: false } => writer.write_all(lines),
            Self::File(file) => file.write_all(lines),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout { mut writer, .. } => writer.flush(),
            Self::File(file) => file.persist_noclobber(),
        }
    }
}

/// An export in progress.
struct Export {
    /// `None` after the export has finished or was interrupted.
    target: Option<Target>,
    done: u64,
    total: Option<u64>,
    failed: Option<io::Error>,
    bar: Option<Bar>,
    /// The columns of CSV; `None` for JSON Lines.
    columns: Option<Columns>,
}

impl Export {
    /// Writes a document as a line.
    fn add(&mut self, document: &Document) -> ControlFlow<()> {
        self.failed = self.line(document).err();
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.report(&Progress { done: self.done, total: self.total, message: None });
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn line(&mut self, document: &Document) -> io::Result<()> {
        let target = self.target.as_mut().ok_or(io::ErrorKind::Interrupted)?;
        let fields = shown(document).map_err(io::Error::other)?;
        match &self.columns {
            Some(columns) => {
                target.write(&columns.row(&fields), |row| EscapedText(row).to_string())
            }
            None => {
                let mut line = serde_json::to_vec(&fields)?;
                line.push(b'\n');
                target.write(&line, |line| Json(line).to_string())
            }
        }
    }

    /// Writes the header of CSV.
    fn begin(&mut self) -> io::Result<()> {
        match (&mut self.target, &self.columns) {
            (Some(target), Some(columns)) => {
                target.write(&columns.header(), |header| EscapedText(header).to_string())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<u64> {
        let target = self.close();
        match (self.failed.take(), target) {
            (Some(error), _) => Err(error),
            (None, Some(target)) => target.finish().map(|()| self.done),
            (None, None) => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    /// Ends the progress bar and returns the target. Dropping it removes an unfinished file.
    fn close(&mut self) -> Option<Target> {
        if let Some(bar) = self.bar.take() {
            bar.clear();
        }
        self.target.take()
    }
}

pub(super) async fn run(
    documents: &DocumentReader<'_>,
    args: ExportArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let cancel = CancellationToken::new();
    if args.output.is_some() {
        // Without this, a signal would terminate the process and leave the temporary file.
        interrupt::cancel_on_signal(cancel.clone())?;
    }
    let target = Some(Target::open(args.output.as_ref())?);
    // The columns and the rows are those of one snapshot.
    let snapshot = documents.pin().await?;
    let columns = args.columns(&snapshot).await?;
    let CollectionSelector { collection, filter } = args.selector;
    let bar = args.output.as_ref().and_then(|_| Bar::for_terminal());
    // The number of matches of a filter is known only after the scan.
    let total = match bar {
        Some(_) if filter == Filter::all() => document_count(documents, &collection).await?,
        _ => None,
    };
    let mut export = Export { target, done: 0, total, failed: None, bar, columns };
    if let Err(error) = export.begin() {
        return print_result(Err(error), args.output, json);
    }
    let export = Arc::new(Mutex::new(export));
    let writing = Arc::clone(&export);
    // The lock has no contention, and a panic while it is held leaves the export consistent.
    let add = |export: &Mutex<Export>, document: &Document| {
        export.lock().unwrap_or_else(PoisonError::into_inner).add(document)
    };
    let scan = snapshot.each(collection.clone(), filter, move |document| add(&writing, &document));
    tokio::select! {
        scanned = scan => scanned?,
        () = cancel.cancelled() => {
            drop(export.lock().unwrap_or_else(PoisonError::into_inner).close());
            return Ok(Exit::Interrupted.into());
        }
    }
    let done = export.lock().unwrap_or_else(PoisonError::into_inner).finish();
    if matches!(done, Ok(0)) {
        report_if_missing(documents, &collection).await;
    }
    print_result(done, args.output, json)
}

async fn document_count(
    documents: &DocumentReader<'_>,
    collection: &CollectionName,
) -> Result<Option<u64>, CliError> {
    let mut all = documents.collections().await?.into_iter();
    Ok(all.find(|(name, _)| name == collection).map(|(_, count)| count))
}

fn print_result(
    done: io::Result<u64>,
    file: Option<PathBuf>,
    json: bool,
) -> Result<ExitCode, CliError> {
    match (done, file) {
        (Ok(count), Some(file)) if json => {
            output::json(&json!({"file": file.display().to_string(), "documents": count}))?;
        }
        (Ok(count), Some(file)) => {
            let noun = if count == 1 { "document" } else { "documents" };
            report(&format!("{count} {noun} in `{}`", file.display()));
        }
        (Ok(_), None) => {}
        // A reader that closes the pipe, such as `head`, has enough lines.
        (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => {}
        (Err(error), None) => return Err(CliError::Output(error)),
        (Err(source), Some(file)) => {
            return Err(CreateFileError::Unfinished { file, source }.into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
