//! `ophost documents import`: imports the documents of a file in one run or in batches.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use encoding_rs::Encoding;
use tokio_util::sync::CancellationToken;

use ophost::document::CollectionName;
use ophost::{
    BatchImport, CallSettings, Event, Existing, Failure, FailureKind, Host, Import, Outcome,
    Progress, RunError, RunId, RunReport, StoreError,
};

use super::super::builtin::BuiltInArgs;
use super::super::error::{CliError, Exit};
use super::super::output::{self, EscapedLine, HINT, WARNING};
use super::super::progress::Bar;
use super::super::{changes, completion, interrupt, run};
use super::batches::{Batch, BatchReader, BatchSize};
use super::delimiter;
use super::names::{self, Names, Rename};
use super::read::{self, Format, Location, OnRead, Rules, Source};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// Collection, which is created with its first document.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    pub(super) collection: CollectionName,
    /// File of documents (.jsonl, .json, .csv or .tsv), or `-` for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Format of the file [default: by its extension].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Encoding of the file, such as utf-16, windows-1252 or shift_jis [default: by the byte order
    /// mark, else UTF-8].
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<&'static Encoding>,
    /// Delimiter of a CSV file, an ASCII character or `tab` [default: the one of , ; tab | that
    /// fits the first rows].
    #[arg(long, value_name = "CHAR", value_parser = delimiter::parse, allow_hyphen_values = true)]
    delimiter: Option<u8>,
    /// New name of a field or column; repeatable. An empty OLD is a column without a name.
    #[arg(long, value_name = "OLD=NEW", value_parser = names::rename, allow_hyphen_values = true)]
    rename: Vec<Rename>,
    /// Field or column that is not imported; repeatable.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    drop: Vec<String>,
    /// Store JSON unchanged: do not convert MongoDB Extended JSON, such as {"$date": ..}, and
    /// accept field names that a filter cannot use.
    #[arg(long)]
    plain_json: bool,
    /// Number of documents per run. If a batch fails, the batches before it stay imported [default:
    /// one run, which imports all documents or none].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    batch: Option<u64>,
    /// Number of documents to skip at the start of the file [default: 0].
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    skip: u64,
    /// Field with the id of the document. With another field than `_id`, the field `_id` is not
    /// imported [default: `_id`, else a new id].
    #[arg(long, value_name = "FIELD")]
    id: Option<String>,
    /// Action for a document whose id exists: fail the import, replace the existing document, or
    /// skip the new one.
    #[arg(long, value_enum, value_name = "ACTION", default_value_t = OnExisting::Fail)]
    existing: OnExisting,
    /// Import all values of a CSV file as text. By default, a column is numeric or boolean if every
    /// cell is an exact JSON number or boolean, and text otherwise, such as zip codes that include
    /// 01234. Empty cells give no field, and ids are always text.
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    call: BuiltInArgs,
}

/// The action for a document whose id exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnExisting {
    Fail,
    Replace,
    Skip,
}

impl From<OnExisting> for Existing {
    fn from(existing: OnExisting) -> Self {
        match existing {
            OnExisting::Fail => Self::Fail,
            OnExisting::Replace => Self::Replace,
            OnExisting::Skip => Self::Skip,
        }
    }
}

/// An error for a file that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[error("cannot import `{}`: {reason}", file.display())]
pub(crate) struct NotImported {
    file: PathBuf,
    reason: String,
    hint: Option<String>,
    is_host_fault: bool,
}

impl NotImported {
    /// Returns a hint for the user.
    pub(crate) fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    /// Returns the exit code.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_host_fault { Exit::Host } else { Exit::Usage }
    }
}

const EXAMPLES: &str = "\
Examples:
  ophost documents import jobs jobs.csv --id number
  ophost documents import jobs export.csv --delimiter ';' --encoding windows-1252
  ophost documents import jobs frame.csv --rename =index --rename a.b=a_b
  ophost documents import jobs large.jsonl --batch 10000

A batch sees the documents of earlier batches. If an id appears twice in the file, it counts as
existing in the later batch, but not in a dry run.";

fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label_no_replacement(name.as_bytes()).ok_or_else(|| {
        "unknown encoding; use a name such as utf-8, utf-16 or windows-1252".to_owned()
    })
}

pub(super) async fn run(
    host: &Host,
    args: ImportArgs,
    max_bytes: u64,
    json: bool,
) -> Result<ExitCode, CliError> {
    let bar = Bar::for_terminal().map(Arc::new);
    let (batch, cancel) = (args.batch, CancellationToken::new());
    let reader = start_reader(&args, max_bytes, bar.clone())?;
    interrupt::cancel_on_signal(cancel.clone())?;
    let template = Import::new(args.collection, Vec::new())
        .existing(args.existing.into())
        .source(args.file.display().to_string())
        .first(args.skip.saturating_add(1));
    let (file, is_dry, skip) = (args.file, args.call.is_dry(), args.skip);
    let settings = args.call.settings(cancel.clone());
    let importer = Importer { host, reader, file, cancel, bar, is_dry, skip, json };
    match batch {
        None => importer.all_at_once(template, settings).await,
        Some(size) => importer.in_batches(template.batch_size(size), settings).await,
    }
}

fn start_reader(
    args: &ImportArgs,
    max_bytes: u64,
    bar: Option<Arc<Bar>>,
) -> Result<BatchReader, CliError> {
    let unknown = || {
        let (reason, hint) = ("unknown file extension".to_owned(), "use `--format`".to_owned());
        NotImported { file: args.file.clone(), reason, hint: Some(hint), is_host_fault: false }
    };
    let format = args.format.or_else(|| Format::of(&args.file)).ok_or_else(unknown)?;
    let rules = Rules {
        format,
        encoding: args.encoding,
        delimiter: args.delimiter,
        id: args.id.clone(),
        names: Names { renames: args.rename.clone(), drops: args.drop.clone() },
        text: args.text,
        plain: args.plain_json,
        skip: args.skip,
        max_bytes: args.batch.is_none().then_some(max_bytes),
    };
    let file = args.file.clone();
    let open = move || {
        let (source, length) = Source::open(&file)?;
        let on_read: OnRead = Arc::new(move |done, unit: &str| {
            let progress = Progress { done, total: length, message: Some(unit.to_owned()) };
            bar.iter().for_each(|bar| bar.report(&progress));
        });
        read::documents(source, rules, &on_read)
    };
    Ok(BatchReader::start(open, args.skip, BatchSize { documents: args.batch, max_bytes })?)
}

/// Imports the batches of a reader.
struct Importer<'h> {
    host: &'h Host,
    reader: BatchReader,
    file: PathBuf,
    cancel: CancellationToken,
    bar: Option<Arc<Bar>>,
    is_dry: bool,
    skip: u64,
    json: bool,
}

/// The end of an import in batches.
enum BatchesEnd {
    Complete,
    Cancelled,
    /// A batch failed.
    Failed(Failure),
    /// The file cannot be read further.
    ReadFailed(NotImported),
    /// The host could not run a batch of this many documents, or could not record its result.
    Host(RunError, u64),
}

impl Importer<'_> {
    /// Imports all documents in one run, or none.
    async fn all_at_once(
        self,
        mut import: Import,
        mut settings: CallSettings,
    ) -> Result<ExitCode, CliError> {
        let Some(batch) = self.next().await? else { return self.cancelled(&import) };
        import.documents = batch.map(|batch| batch.documents).unwrap_or_default();
        if let Some(bar) = self.bar.clone() {
            settings = settings.on_event(move |event| {
                if let Event::Progress(progress) = event {
                    bar.report(progress);
                }
            });
        }
        let report = self.host.import(import, settings).await;
        self.clear_bar();
        run::print_report(&report?, false, self.json)
    }

    /// Imports the documents in batches. The parent run starts after the first batch was read.
    async fn in_batches(
        self,
        template: Import,
        settings: CallSettings,
    ) -> Result<ExitCode, CliError> {
        let Some(first) = self.next().await? else { return self.cancelled(&template) };
        let mut parent = self.host.begin_batch_import(template, settings).await?;
        let (end, last) = self.all_batches(&mut parent, first).await;
        self.clear_bar();
        self.finish(parent, end, last).await
    }

    /// Reads the next batch. The outer `None` means that the import was cancelled.
    async fn next(&self) -> Result<Option<Option<Batch>>, NotImported> {
        let next = self.cancel.run_until_cancelled(self.reader.next()).await.transpose();
        next.map_err(|error| {
            self.clear_bar();
            let (reason, hint) = (error.to_string(), error.hint());
            NotImported {
                file: self.file.clone(),
                reason,
                hint,
                is_host_fault: error.is_host_fault(),
            }
        })
    }

    /// Imports all batches, and returns the location of the last imported document.
    async fn all_batches(
        &self,
        parent: &mut BatchImport<'_>,
        first: Option<Batch>,
    ) -> (BatchesEnd, Option<Location>) {
        let (mut next, mut last) = (first, None);
        while let Some(Batch { first, locations, documents }) = next {
            let count = documents.len() as u64;
            match parent.run(first, documents).await {
                Ok(RunReport { outcome: Outcome::Success(_), .. }) => {}
                Ok(RunReport { outcome: Outcome::Cancelled, .. }) => {
                    return (BatchesEnd::Cancelled, last);
                }
                Ok(RunReport { outcome: Outcome::Failed(failure), .. }) => {
                    return (BatchesEnd::Failed(with_locations(failure, locations)), last);
                }
                Err(error) => return (BatchesEnd::Host(error, count), last),
            }
            last = locations.map(|(_, location)| location).or(last);
            next = match self.next().await {
                Ok(Some(next)) => next,
                Ok(None) => return (BatchesEnd::Cancelled, last),
                Err(error) => return (BatchesEnd::ReadFailed(error), last),
            };
        }
        (BatchesEnd::Complete, last)
    }

    /// Finishes the parent run and prints its result.
    async fn finish(
        self,
        parent: BatchImport<'_>,
        end: BatchesEnd,
        last: Option<Location>,
    ) -> Result<ExitCode, CliError> {
        let skip = self.skip + parent.done();
        let resume = match last {
            Some(last) => {
                format!("the documents up to {last} are imported; use `--skip {skip}` to continue")
            }
            None => "no document was imported; run the import again".to_owned(),
        };
        let failure = |message: String| Failure::new(FailureKind::Error, message);
        let (outcome, exit, hint) = match end {
            BatchesEnd::Complete => {
                let report = parent.finish(Ok(()), None).await?;
                let exit = run::print_report(&report, false, self.json)?;
                self.report_dry_run(&report);
                return Ok(exit);
            }
            BatchesEnd::Cancelled => (None, None, None),
            BatchesEnd::Failed(failure) => {
                let is_large = matches!(failure.kind, FailureKind::Effects | FailureKind::Timeout);
                let hint = is_large.then(|| "use a smaller `--batch`".to_owned());
                (Some(failure), None, hint)
            }
            BatchesEnd::ReadFailed(error) => {
                let hint = error.hint();
                (Some(failure(error.to_string())), Some(error.exit()), hint)
            }
            BatchesEnd::Host(error, count) => {
                let resume = resume_hint(&error, (skip, count)).unwrap_or(resume);
                let result = Err(Some(failure(error.to_string())));
                // The same cause may prevent this write. The first error is returned.
                parent.finish(result, Some(resume.clone())).await.ok();
                print_hint(&resume);
                return Err(error.into());
            }
        };
        let report = parent.finish(Err(outcome), Some(resume.clone())).await?;
        let code = run::print_report(&report, false, self.json)?;
        if !self.json {
            hint.iter().chain([&resume]).for_each(|hint| print_hint(hint));
        }
        Ok(exit.map_or(code, ExitCode::from))
    }

    /// Prints the number of changes that a dry run would have made.
    fn report_dry_run(&self, report: &RunReport) {
        if self.is_dry && !self.json {
            let count = changes::counted(report.changes);
            let text = format!("nothing was stored; the import would have {count}");
            output::stderr(&format!("{WARNING}DRY RUN{WARNING:#}: {text}\n"));
        }
    }

    /// Reports that the import was cancelled before a run started.
    fn cancelled(&self, import: &Import) -> Result<ExitCode, CliError> {
        self.clear_bar();
        if self.json {
            return Err(RunError::Cancelled { operation: import.operation().name }.into());
        }
        output::stderr(&format!("{WARNING}cancelled{WARNING:#}: nothing was imported\n"));
        Ok(Exit::Interrupted.into())
    }

    fn clear_bar(&self) {
        self.bar.iter().for_each(|bar| bar.clear());
    }
}

/// Returns how to continue if an error leaves it unknown whether a batch was imported. `skip` is
/// the number of documents before the batch, and `count` is the number of its documents.
fn resume_hint(error: &RunError, (skip, count): (u64, u64)) -> Option<String> {
    match error {
        RunError::Store(error) => resume_hint_for_store(error, None, (skip, count)),
        RunError::Unrecorded(unrecorded) => {
            resume_hint_for_store(&unrecorded.source, Some(unrecorded.run_id), (skip, count))
        }
        _ => None,
    }
}

/// Returns the same for a store error. `started` is the run of the batch. A batch whose run did not
/// start is not imported.
fn resume_hint_for_store(
    error: &StoreError,
    started: Option<RunId>,
    (skip, count): (u64, u64),
) -> Option<String> {
    match (error, started) {
        (StoreError::Replaced, _) => Some(
            "the store was removed or replaced, so the imported documents are unknown; import the \
             file again without `--skip`"
                .to_owned(),
        ),
        (StoreError::OutcomeUnknown(_), Some(run)) => Some(format!(
            "run `ophost runs show {run}` to see whether the last batch was imported; if so, use \
             `--skip {}` to continue, else `--skip {skip}`",
            skip + count
        )),
        _ => None,
    }
}

fn print_hint(hint: &str) {
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(hint)));
}

/// Returns the failure of a batch with the location of the batch in its message.
fn with_locations(failure: Failure, locations: Option<(Location, Location)>) -> Failure {
    let message = match locations {
        Some((first, last)) => format!("batch from {first} to {last}: {}", failure.message),
        None => failure.message,
    };
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_hint_is_conditional_if_the_outcome_is_unknown() {
        let hint = |error: StoreError| resume_hint(&RunError::Store(error), (20, 10));
        assert!(hint(StoreError::Replaced).unwrap().contains("again without `--skip`"));
        // The run of the batch did not start.
        assert_eq!(hint(StoreError::OutcomeUnknown(RunId::new())), None);
        assert_eq!(hint(StoreError::Full), None);
        let run = RunId::new();
        let hint =
            resume_hint_for_store(&StoreError::OutcomeUnknown(run), Some(run), (20, 10)).unwrap();
        for part in
            [format!("`ophost runs show {run}`"), "`--skip 30`".into(), "`--skip 20`".into()]
        {
            assert!(hint.contains(&part), "{hint}");
        }
    }
}
