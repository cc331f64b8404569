//! `ophost documents import`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use tokio_util::sync::CancellationToken;

use super::super::complete;
use super::super::error::CliError;
use super::super::orchestration::OrchestrationArgs;
use super::super::progress::Bar;
use super::super::{interrupt, run, stdio};
use super::read::{self, Format, ReadError, Rules};
use crate::caller::Caller;
use crate::document::CollectionName;
use crate::host::Host;
use crate::import::{Existing, Import};
use crate::run::{Event, Flags, Progress};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The collection; it is made with its first document.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(complete::collections))]
    pub(super) collection: CollectionName,
    /// A file of documents, .jsonl, .json or .csv; or - for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the documents stand there [default: as the file's name says].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// The field whose value is the document's id; with another than `_id`, what stands there is
    /// left out [default: `_id`, else a new one].
    #[arg(long, value_name = "FIELD")]
    id: Option<String>,
    /// What becomes of a document whose id is taken: the import fails, or it replaces the one
    /// that is there, or is left out.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnExisting::Refuse)]
    existing: OnExisting,
    /// Keep the values of a CSV file as text. Else a column is numbers, or true and false, if each
    /// of its cells is one as JSON writes it and exact; any other column is text, such as zip codes
    /// one of which is 01234. An empty cell is no field; ids stay as they are written.
    #[arg(long)]
    text: bool,
    /// Show what would be put in, and keep nothing of it.
    #[arg(long)]
    dry_run: bool,
    /// The user on whose behalf this happens.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    #[command(flatten)]
    orchestration: OrchestrationArgs,
}

/// What becomes of a document whose id is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnExisting {
    Refuse,
    Replace,
    Skip,
}

impl From<OnExisting> for Existing {
    fn from(existing: OnExisting) -> Self {
        match existing {
            OnExisting::Refuse => Self::Refuse,
            OnExisting::Replace => Self::Replace,
            OnExisting::Skip => Self::Skip,
        }
    }
}

/// A file that cannot be imported; nothing of it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot import `{}`: {reason}", file.display())]
pub(in crate::cli) struct NotImported {
    file: PathBuf,
    reason: String,
}

pub(super) async fn run(
    host: &Host,
    args: ImportArgs,
    most: u64,
    json: bool,
) -> Result<ExitCode, CliError> {
    let bar = Bar::for_terminal().map(Arc::new);
    let documents = documents(&args, most, bar.as_deref())?;
    let cancel = CancellationToken::new();
    interrupt::cancels(cancel.clone())?;
    let flags = Flags { dry_run: args.dry_run, ..Flags::default() };
    let caller = Caller { user_id: args.user, flags, ..Caller::at("cli") };
    let mut import = Import::new(args.collection, documents)
        .existing(args.existing.into())
        .source(args.file.display().to_string())
        .caller(caller)
        .context(args.orchestration.context())
        .cancel_by(cancel);
    if let Some(bar) = bar.clone() {
        import = import.observe(move |event| {
            if let Event::Progress(progress) = event {
                bar.report(progress);
            }
        });
    }
    let report = host.import(import).await;
    if let Some(bar) = bar {
        bar.clear();
    }
    run::answer(&report?, false, json)
}

fn documents(
    args: &ImportArgs,
    most: u64,
    bar: Option<&Bar>,
) -> Result<Vec<read::Found>, CliError> {
    let failed = |reason: String| NotImported { file: args.file.clone(), reason };
    let unknown = || failed("its name does not say what it holds: use --format".to_owned());
    let format = args.format.or_else(|| Format::of(&args.file)).ok_or_else(unknown)?;
    let rules = Rules { format, id: args.id.clone(), text: args.text, most };
    let seen = |total| {
        move |done| {
            let message = Some("bytes read".to_owned());
            let progress = Progress { done, total, message };
            bar.into_iter().for_each(|bar| bar.report(&progress));
        }
    };
    let read = if args.file.as_os_str() == "-" {
        read::documents(stdio::stdin(), &rules, seen(None))
    } else {
        read::open(&args.file)
            .map_err(ReadError::Io)
            .and_then(|(file, length)| read::documents(file, &rules, seen(Some(length))))
    };
    Ok(read.map_err(|error| failed(text(&error)))?)
}

fn text(error: &ReadError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
