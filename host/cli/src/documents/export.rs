//! `ophost documents export`.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::atomic_file::{AtomicFile, CreateFileError};
use super::super::error::CliError;
use super::super::escape::Json;
use super::super::output;
use super::super::progress::Bar;
use super::super::stdio::{self, Waiting};
use super::{CollectionSelector, report, shown, tell_if_missing};
use ophost::DocumentReader;
use ophost::Progress;
use ophost::document::{CollectionName, Document, Filter};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    meant: CollectionSelector,
    /// The new file; one that is there is not written over [default: stdout].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Where documents go.
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
        let to: &mut dyn Write = match self {
            Self::Stdout { writer, is_terminal: true } => {
                return writeln!(writer, "{}", Json(&serde_json::to_string(fields)?));
            }
            Self::Stdout { writer, is_terminal: false } => writer,
            Self::File(file) => file,
        };
        serde_json::to_writer(&mut *to, fields)?;
        to.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout { writer, .. } => writer.flush(),
            Self::File(file) => file.persist(),
        }
    }
}

/// Documents on their way, and what became of it.
struct Export {
    to: Target,
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
        self.to.line(&shown(document).map_err(io::Error::other)?)
    }

    fn end(&mut self) -> io::Result<u64> {
        if let Some(bar) = self.bar.take() {
            bar.clear();
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.to.end().map(|()| self.done),
        }
    }
}

pub(super) async fn run(
    documents: &DocumentReader<'_>,
    args: ExportArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let CollectionSelector { collection, filter } = args.meant;
    let to = Target::open(args.output.as_ref())?;
    let bar = args.output.as_ref().and_then(|_| Bar::for_terminal());
    // How many a filter means is known only when all were looked at.
    let total = match bar {
        Some(_) if filter == Filter::all() => size(documents, &collection).await?,
        _ => None,
    };
    let export = Arc::new(Mutex::new(Export { to, done: 0, total, failed: None, bar }));
    let adding = Arc::clone(&export);
    // Nobody else has the lock, and nothing that holds it can leave it half written.
    let lock = |export: &Mutex<Export>, document: &Document| {
        export.lock().unwrap_or_else(PoisonError::into_inner).add(document)
    };
    documents.each(collection.clone(), filter, move |document| lock(&adding, &document)).await?;
    let done = export.lock().unwrap_or_else(PoisonError::into_inner).end();
    if matches!(done, Ok(0)) {
        tell_if_missing(documents, &collection).await;
    }
    finish(done, args.output, json)
}

async fn size(
    documents: &DocumentReader<'_>,
    collection: &CollectionName,
) -> Result<Option<u64>, CliError> {
    let mut all = documents.collections().await?.into_iter();
    Ok(all.find(|(name, _)| name == collection).map(|(_, count)| count))
}

fn finish(done: io::Result<u64>, file: Option<PathBuf>, json: bool) -> Result<ExitCode, CliError> {
    match (done, file) {
        (Ok(count), Some(file)) if json => {
            output::json(&json!({"file": file.display().to_string(), "documents": count}))?;
        }
        (Ok(count), Some(file)) => report(&format!("{count} documents in `{}`", file.display())),
        (Ok(_), None) => {}
        // Whoever reads from us and goes away has seen enough.
        (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => {}
        (Err(error), None) => return Err(CliError::Output(error)),
        (Err(source), Some(file)) => {
            return Err(CreateFileError::Unfinished { file, source }.into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
