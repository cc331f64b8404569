//! `ophost documents export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde_json::json;

use super::super::error::CliError;
use super::super::output;
use super::super::progress::Bar;
use super::{Meant, shown, told};
use crate::document::Document;
use crate::documents::Documents;
use crate::run::Progress;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    meant: Meant,
    /// The new file; one that is there is not written over [default: stdout].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Where documents go, and what became of it.
struct Export {
    to: Box<dyn Write + Send>,
    done: u64,
    total: u64,
    failed: Option<io::Error>,
    bar: Option<Bar>,
}

impl Export {
    /// Writes a document as a line.
    fn add(&mut self, document: &Document) -> ControlFlow<()> {
        self.failed = self.line(document).err();
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.report(&Progress { done: self.done, total: Some(self.total), message: None });
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn line(&mut self, document: &Document) -> io::Result<()> {
        let fields = shown(document).map_err(io::Error::other)?;
        serde_json::to_writer(&mut self.to, &fields)?;
        self.to.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<u64> {
        if let Some(bar) = self.bar.take() {
            bar.clear();
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.to.flush().map(|()| self.done),
        }
    }
}

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", file.display())]
pub(in crate::cli) struct NotExported {
    file: PathBuf,
    source: io::Error,
}

pub(super) async fn run(
    documents: &Documents<'_>,
    args: ExportArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let Meant { collection, filter } = args.meant;
    let collections = documents.collections().await?;
    let total = collections.into_iter().find(|(name, _)| *name == collection);
    let export = Export {
        to: open(args.output.as_ref())?,
        done: 0,
        total: total.map_or(0, |(_, count)| count),
        failed: None,
        bar: args.output.as_ref().and_then(|_| Bar::for_terminal()),
    };
    let export = Arc::new(Mutex::new(export));
    let adding = Arc::clone(&export);
    // Nobody else has the lock, and nothing that holds it can leave it half written.
    let lock = |export: &Mutex<Export>, document: &Document| {
        export.lock().unwrap_or_else(PoisonError::into_inner).add(document)
    };
    documents.each(collection, filter, move |document| lock(&adding, &document)).await?;
    let done = export.lock().unwrap_or_else(PoisonError::into_inner).end();
    finish(done, args.output, json)
}

fn open(file: Option<&PathBuf>) -> Result<Box<dyn Write + Send>, CliError> {
    let Some(path) = file else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file = File::create_new(path);
    let file = file.map_err(|source| NotExported { file: path.clone(), source })?;
    Ok(Box::new(BufWriter::new(file)))
}

fn finish(done: io::Result<u64>, file: Option<PathBuf>, json: bool) -> Result<ExitCode, CliError> {
    match (done, file) {
        (Ok(count), Some(file)) if json => {
            output::json(&json!({"file": file.display().to_string(), "documents": count}))?;
        }
        (Ok(count), Some(file)) => told(&format!("{count} documents in `{}`", file.display())),
        (Ok(_), None) => {}
        // Whoever reads from us and goes away has seen enough.
        (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => {}
        (Err(error), None) => return Err(CliError::Output(error)),
        (Err(source), Some(file)) => return Err(NotExported { file, source }.into()),
    }
    Ok(ExitCode::SUCCESS)
}
