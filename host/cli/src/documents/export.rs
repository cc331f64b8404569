//! `ophost documents export`: writes documents to stdout or a new file.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use ophost::document::{CollectionName, Document, Filter};
use ophost::{DocumentReader, Progress};

use super::super::atomic_file::{AtomicFile, CreateFileError};
use super::super::error::{CliError, Exit};
use super::super::escape::Json;
use super::super::interrupt;
use super::super::output;
use super::super::progress::Bar;
use super::super::stdio::{self, Waiting};
use super::{CollectionSelector, report, report_if_missing, shown};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    selector: CollectionSelector,
    /// Output file, which must not exist [default: stdout].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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

    /// Writes a document as a line.
    fn line(&mut self, fields: &Map<String, Value>) -> io::Result<()> {
        let writer: &mut dyn Write = match self {
            Self::Stdout { writer, is_terminal: true } => {
                return writeln!(writer, "{}", Json(&serde_json::to_string(fields)?));
            }
            Self::Stdout { writer, is_terminal: false } => writer,
            Self::File(file) => file,
        };
        serde_json::to_writer(&mut *writer, fields)?;
        writer.write_all(b"\n")
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
        target.line(&shown(document).map_err(io::Error::other)?)
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
    let CollectionSelector { collection, filter } = args.selector;
    let cancel = CancellationToken::new();
    if args.output.is_some() {
        // Without this, a signal would terminate the process and leave the temporary file.
        interrupt::cancel_on_signal(cancel.clone())?;
    }
    let target = Some(Target::open(args.output.as_ref())?);
    let bar = args.output.as_ref().and_then(|_| Bar::for_terminal());
    // The number of matches of a filter is known only after the scan.
    let total = match bar {
        Some(_) if filter == Filter::all() => document_count(documents, &collection).await?,
        _ => None,
    };
    let export = Arc::new(Mutex::new(Export { target, done: 0, total, failed: None, bar }));
    let writing = Arc::clone(&export);
    // The lock has no contention, and a panic while it is held leaves the export consistent.
    let add = |export: &Mutex<Export>, document: &Document| {
        export.lock().unwrap_or_else(PoisonError::into_inner).add(document)
    };
    let scan = documents.each(collection.clone(), filter, move |document| add(&writing, &document));
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
