//! `ophost documents import`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use encoding_rs::Encoding;
use tokio_util::sync::CancellationToken;

use super::super::error::{CliError, Exit};
use super::super::orchestration::OrchestrationArgs;
use super::super::output::{self, EscapedLine, HINT, WARNING};
use super::super::progress::Bar;
use super::super::{changes, complete, interrupt, run};
use super::batches::{Batch, Reading, Size};
use super::delimiter;
use super::names::{self, Names, Rename};
use super::read::{self, Format, Place, Rules, Seen, Source};
use ophost::Caller;
use ophost::RunId;
use ophost::StoreError;
use ophost::document::CollectionName;
use ophost::{BatchImport, Host, RunError, RunReport};
use ophost::{Event, Failure, FailureKind, Flags, Outcome, Progress};
use ophost::{Existing, Import};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// The collection; it is made with its first document.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(complete::collections))]
    pub(super) collection: CollectionName,
    /// A file of documents, .jsonl, .json, .csv or .tsv; or - for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the documents stand there [default: as the file's name says].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Encoding of the file, such as utf-16, windows-1252 or shift_jis [default: UTF-8, or as the
    /// byte order mark says].
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<&'static Encoding>,
    /// Character between the cells of a CSV file, or `tab` [default: the one of , ; tab | that fits
    /// the first rows].
    #[arg(long, value_name = "CHAR", value_parser = delimiter::parse, allow_hyphen_values = true)]
    delimiter: Option<u8>,
    /// Give a field or column another name; several times for several. An empty OLD is the column
    /// without a name.
    #[arg(long, value_name = "OLD=NEW", value_parser = names::rename, allow_hyphen_values = true)]
    rename: Vec<Rename>,
    /// Leave a field or column out; several times for several.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    drop: Vec<String>,
    /// Store JSON exactly as it stands: do not convert MongoDB Extended JSON, such as
    /// {"$date": ..}, and accept names of fields that no filter can name.
    #[arg(long)]
    plain_json: bool,
    /// Import this many documents by a run of its own, one batch after the other. The batches
    /// before a failure stay [default: all documents by one run, or none].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    batch: Option<u64>,
    /// Pass over the first documents of the file.
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    skip: u64,
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
pub(crate) struct NotImported {
    file: PathBuf,
    reason: String,
    hint: Option<String>,
    is_of_host: bool,
}

impl NotImported {
    /// Returns the way out.
    pub(crate) fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    /// Returns the number to exit with.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_of_host { Exit::Host } else { Exit::Usage }
    }
}

const EXAMPLES: &str = "\
Examples:
  ophost documents import jobs jobs.csv --id number
  ophost documents import jobs export.csv --delimiter ';' --encoding windows-1252
  ophost documents import jobs frame.csv --rename =index --rename a.b=a_b
  ophost documents import jobs large.jsonl --batch 10000

A batch sees what the ones before it imported: an id that stands twice in the file is an existing
one in the later batch, but not in a dry run.";

fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label_no_replacement(name.as_bytes())
        .ok_or_else(|| "unknown; expected a name such as utf-8, utf-16 or windows-1252".to_owned())
}

pub(super) async fn run(
    host: &Host,
    args: ImportArgs,
    most: u64,
    json: bool,
) -> Result<ExitCode, CliError> {
    let bar = Bar::for_terminal().map(Arc::new);
    let (batch, cancel) = (args.batch, CancellationToken::new());
    let reading = reading(&args, most, bar.clone())?;
    interrupt::cancels(cancel.clone())?;
    let flags = Flags { dry_run: args.dry_run, ..Flags::default() };
    let caller = Caller { user_id: args.user, flags, ..Caller::at("cli") };
    let like = Import::new(args.collection, Vec::new())
        .existing(args.existing.into())
        .source(args.file.display().to_string())
        .first(args.skip.saturating_add(1))
        .caller(caller)
        .context(args.orchestration.context())
        .cancellation_token(cancel.clone());
    let (file, is_dry, skip) = (args.file, args.dry_run, args.skip);
    let importer = Importer { host, reading, file, cancel, bar, is_dry, skip, json };
    match batch {
        None => importer.all_at_once(like).await,
        Some(size) => importer.in_batches(like.batch_size(size)).await,
    }
}

fn reading(args: &ImportArgs, most: u64, bar: Option<Arc<Bar>>) -> Result<Reading, CliError> {
    let unknown = || {
        let reason = "its name does not say what it holds: use --format".to_owned();
        NotImported { file: args.file.clone(), reason, hint: None, is_of_host: false }
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
        most: args.batch.is_none().then_some(most),
    };
    let file = args.file.clone();
    let open = move || {
        let (source, length) = Source::open(&file)?;
        let seen: Seen = Arc::new(move |done, what: &str| {
            let progress = Progress { done, total: length, message: Some(what.to_owned()) };
            bar.iter().for_each(|bar| bar.report(&progress));
        });
        read::documents(source, rules, &seen)
    };
    Ok(Reading::begin(open, args.skip, Size { documents: args.batch, most })?)
}

/// Imports what a thread reads.
struct Importer<'h> {
    host: &'h Host,
    reading: Reading,
    file: PathBuf,
    cancel: CancellationToken,
    bar: Option<Arc<Bar>>,
    is_dry: bool,
    skip: u64,
    json: bool,
}

/// How an import in batches ended.
enum Ended {
    All,
    Cancelled,
    /// A batch was not imported.
    Failed(Failure),
    /// The file cannot be read any further.
    Unread(NotImported),
    /// A batch of so many documents could not be run, or its end not recorded.
    Host(RunError, u64),
}

impl Importer<'_> {
    /// Imports all documents by one run, or none.
    async fn all_at_once(self, mut import: Import) -> Result<ExitCode, CliError> {
        let Some(batch) = self.next().await? else { return self.cancelled(&import) };
        import.documents = batch.map(|batch| batch.documents).unwrap_or_default();
        if let Some(bar) = self.bar.clone() {
            import = import.on_event(move |event| {
                if let Event::Progress(progress) = event {
                    bar.report(progress);
                }
            });
        }
        let report = self.host.import(import).await;
        self.clear_bar();
        run::print_report(&report?, false, self.json)
    }

    /// Imports the documents batch by batch. Nothing is recorded before the first was read.
    async fn in_batches(self, like: Import) -> Result<ExitCode, CliError> {
        let Some(first) = self.next().await? else { return self.cancelled(&like) };
        let mut parent = self.host.begin_batch_import(like).await?;
        let (ended, last) = self.all_batches(&mut parent, first).await;
        self.clear_bar();
        self.finish(parent, ended, last).await
    }

    /// Reads the next batch; the outer `None` if the import was cancelled.
    async fn next(&self) -> Result<Option<Option<Batch>>, NotImported> {
        let next = self.cancel.run_until_cancelled(self.reading.next()).await.transpose();
        next.map_err(|error| {
            self.clear_bar();
            let (reason, hint) = (error.to_string(), error.hint());
            NotImported { file: self.file.clone(), reason, hint, is_of_host: error.is_of_host() }
        })
    }

    /// Imports one batch after the other, and returns where the last imported document is.
    async fn all_batches(
        &self,
        parent: &mut BatchImport<'_>,
        first: Option<Batch>,
    ) -> (Ended, Option<Place>) {
        let (mut next, mut last) = (first, None);
        while let Some(Batch { first, places, documents }) = next {
            let count = documents.len() as u64;
            match parent.run(first, documents).await {
                Ok(RunReport { outcome: Outcome::Success(_), .. }) => {}
                Ok(RunReport { outcome: Outcome::Cancelled, .. }) => {
                    return (Ended::Cancelled, last);
                }
                Ok(RunReport { outcome: Outcome::Failed(failure), .. }) => {
                    return (Ended::Failed(of_batch(failure, places)), last);
                }
                Err(error) => return (Ended::Host(error, count), last),
            }
            last = places.map(|(_, place)| place).or(last);
            next = match self.next().await {
                Ok(Some(next)) => next,
                Ok(None) => return (Ended::Cancelled, last),
                Err(error) => return (Ended::Unread(error), last),
            };
        }
        (Ended::All, last)
    }

    /// Ends the parent run, and prints how.
    async fn finish(
        self,
        parent: BatchImport<'_>,
        ended: Ended,
        last: Option<Place>,
    ) -> Result<ExitCode, CliError> {
        let skip = self.skip + parent.done();
        let way_out = match last {
            Some(last) => {
                format!("the documents up to {last} are imported: `--skip {skip}` goes on")
            }
            None => "no document was imported".to_owned(),
        };
        let failure = |message: String| Failure::new(FailureKind::Error, message);
        let (outcome, exit, hint) = match ended {
            Ended::All => {
                let report = parent.finish(Ok(()), None).await?;
                let exit = run::print_report(&report, false, self.json)?;
                self.say_dry(&report);
                return Ok(exit);
            }
            Ended::Cancelled => (None, None, None),
            Ended::Failed(failure) => {
                let is_large = matches!(failure.kind, FailureKind::Effects | FailureKind::Timeout);
                let hint = is_large.then(|| "use a smaller `--batch`".to_owned());
                (Some(failure), None, hint)
            }
            Ended::Unread(error) => {
                let hint = error.hint();
                (Some(failure(error.to_string())), Some(error.exit()), hint)
            }
            Ended::Host(error, count) => {
                let way_out = way_out_after(&error, (skip, count)).unwrap_or(way_out);
                let ended = Err(Some(failure(error.to_string())));
                // What stopped the batch may stop this, too. The first error is the one to know.
                parent.finish(ended, Some(way_out.clone())).await.ok();
                say(&way_out);
                return Err(error.into());
            }
        };
        let report = parent.finish(Err(outcome), Some(way_out.clone())).await?;
        let code = run::print_report(&report, false, self.json)?;
        if !self.json {
            hint.iter().chain([&way_out]).for_each(|hint| say(hint));
        }
        Ok(exit.map_or(code, ExitCode::from))
    }

    /// Says what the batches of a dry run would have changed.
    fn say_dry(&self, report: &RunReport) {
        if self.is_dry && !self.json {
            let count = changes::counted(report.changes);
            let text = format!("nothing is kept; the batches would have {count}");
            output::stderr(&format!("{WARNING}DRY RUN{WARNING:#}: {text}\n"));
        }
    }

    /// Says that the import was cancelled before a run began.
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

/// Returns the way out after an error with a batch of so many documents, where it leaves unknown
/// what the store holds. `skip` documents are before the batch.
fn way_out_after(error: &RunError, (skip, count): (u64, u64)) -> Option<String> {
    match error {
        RunError::Store(error) => way_out_of(error, None, (skip, count)),
        RunError::Unrecorded(unrecorded) => {
            way_out_of(&unrecorded.source, Some(unrecorded.run_id), (skip, count))
        }
        _ => None,
    }
}

/// Returns the same for an error of the store. A batch whose run did not begin is not imported.
fn way_out_of(
    error: &StoreError,
    begun: Option<RunId>,
    (skip, count): (u64, u64),
) -> Option<String> {
    match (error, begun) {
        (StoreError::Replaced, _) => Some(
            "the store was removed or replaced, and what is imported now is unknown: import the \
             file again without `--skip`"
                .to_owned(),
        ),
        (StoreError::OutcomeUnknown(_), Some(run)) => Some(format!(
            "whether the last batch is imported, `ophost runs show {run}` says: if it is, \
             `--skip {}` goes on, else `--skip {skip}`",
            skip + count
        )),
        _ => None,
    }
}

fn say(hint: &str) {
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(hint)));
}

/// Returns the failure of a batch with its place in the file.
fn of_batch(failure: Failure, places: Option<(Place, Place)>) -> Failure {
    let message = match places {
        Some((first, last)) => format!("batch from {first} to {last}: {}", failure.message),
        None => failure.message,
    };
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_is_not_said_where_that_is_unknown() {
        let told = |error: StoreError| way_out_after(&RunError::Store(error), (20, 10));
        assert!(told(StoreError::Replaced).unwrap().contains("again without `--skip`"));
        // Its run did not begin.
        assert_eq!(told(StoreError::OutcomeUnknown(RunId::new())), None);
        assert_eq!(told(StoreError::Full), None);
        let run = RunId::new();
        let told = way_out_of(&StoreError::OutcomeUnknown(run), Some(run), (20, 10)).unwrap();
        for part in
            [format!("`ophost runs show {run}`"), "`--skip 30`".into(), "`--skip 20`".into()]
        {
            assert!(told.contains(&part), "{told}");
        }
    }
}
