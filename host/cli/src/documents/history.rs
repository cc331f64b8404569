//! `ophost documents history`, and `get --at`.

use std::fmt::Write as _;
use std::process::ExitCode;

use chrono::Local;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use serde_json::{Value, json};

use ophost::document::{Address, CollectionName, Document, DocumentId};
use ophost::{
    ChangeAuthor, DocumentReader, FindError, HistoryEntry, HistoryPage, Host, PastDocument,
    PointInTime, RunId, RunRecord,
};

use super::no_such_document;
use crate::error::CliError;
use crate::output::{self, DIM, EscapedLine, NAME};
use crate::runs::time::parse_time;
use crate::{changes, completion};

/// Maximum number of changes that are read at once.
const PAGE: usize = 100;

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Id of the document.
    #[arg(value_name = "ID")]
    id: DocumentId,
    /// Maximum number of changes.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Cursor of the next page, from the output of the previous page.
    #[arg(long, value_name = "CURSOR")]
    after: Option<u64>,
}

/// Runs `ophost documents history`.
pub(super) async fn run(
    documents: &DocumentReader<'_>,
    args: HistoryArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let HistoryArgs { collection, id, limit, after } = args;
    let address = Address { collection, id };
    let HistoryPage { entries, next } = read(documents, &address, after, limit as usize).await?;
    if entries.is_empty() && after.is_none() && documents.get(address.clone()).await?.is_none() {
        return Err(no_such_document(documents, address).await);
    }
    if json {
        let Address { collection, id } = address;
        let history: Vec<_> = entries.iter().map(as_json).collect();
        output::json(&json!({
            "collection": collection, "id": id, "history": history, "next": next,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::stdout(&entries.iter().fold(String::new(), |mut text, entry| {
        change(&mut text, entry);
        text
    }))?;
    if let Some(next) = next {
        output::stderr(&format!("More changes exist; use `--after {next}` for the next page.\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads at most `limit` changes.
async fn read(
    documents: &DocumentReader<'_>,
    address: &Address,
    after: Option<u64>,
    limit: usize,
) -> Result<HistoryPage, CliError> {
    let mut all = HistoryPage { entries: Vec::new(), next: after };
    loop {
        let rest = limit - all.entries.len();
        let page = documents.history(address, all.next, rest.min(PAGE)).await?;
        all.entries.extend(page.entries);
        all.next = page.next;
        if all.next.is_none() || all.entries.len() == limit {
            return Ok(all);
        }
    }
}

fn as_json(entry: &HistoryEntry) -> Value {
    let mut json = json!(entry);
    // Retention may have removed the content, which differs from an absent document.
    json["content_removed"] = entry.content.is_none().into();
    json
}

fn change(text: &mut String, entry: &HistoryEntry) {
    let sign = changes::Sign(entry.change);
    let _ = match &entry.author {
        Some(author) => writeln!(text, "{sign} {}", heading(entry, author)),
        None => writeln!(text, "{sign} {} {DIM}author unknown{DIM:#}", entry.change.as_str()),
    };
    match &entry.content {
        Some(content) => changes::fields(text, content),
        None => {
            let _ = writeln!(text, "    {DIM}the content was removed by retention{DIM:#}");
        }
    }
}

fn heading(entry: &HistoryEntry, author: &ChangeAuthor) -> String {
    let time = author.at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S");
    let (change, operation) = (entry.change.as_str(), &author.operation);
    let run = match author.run_id {
        Some(run) => format!("run {run}"),
        None => "a run without a record".to_owned(),
    };
    let user = author.actor.user_id.as_deref();
    let user = user.map(|user| format!(" for {}", EscapedLine(user))).unwrap_or_default();
    format!("{time} {change} by {NAME}{operation}{NAME:#}, {run}{user}")
}

/// Returns a document as it was at `at`: the name of a run, or a time.
pub(super) async fn document_at(
    (host, documents): (&Host, &DocumentReader<'_>),
    address: Address,
    at: &str,
) -> Result<Document, CliError> {
    let moment = match moment(host, at).await {
        Err(CliError::Find(FindError::None { name })) => {
            // The record of the run may have been removed. The history still names the run.
            let revision = revision_of(documents, &address, at).await?;
            PointInTime::Revision(revision.ok_or(FindError::None { name })?)
        }
        moment => moment?,
    };
    match documents.at(&address, moment).await? {
        PastDocument::Existed(revision, body) => {
            Ok(Document { id: address.id, revision, body: body.text() })
        }
        PastDocument::Absent => Err(CliError::NoSuchVersion { address, at: at.to_owned() }),
        PastDocument::Removed => Err(CliError::ContentRemoved { address, at: at.to_owned() }),
    }
}

/// Returns the revision of a run in the history of a document.
async fn revision_of(
    documents: &DocumentReader<'_>,
    address: &Address,
    run: &str,
) -> Result<Option<u64>, CliError> {
    let Ok(run) = run.parse::<RunId>() else { return Ok(None) };
    let is_of_run = |entry: &HistoryEntry| {
        entry.author.as_ref().is_some_and(|author| author.run_id == Some(run))
    };
    let mut before = None;
    loop {
        let page = documents.history(address, before, PAGE).await?;
        if let Some(entry) = page.entries.iter().find(|entry| is_of_run(entry)) {
            return Ok(Some(entry.revision));
        }
        before = page.next;
        if before.is_none() {
            return Ok(None);
        }
    }
}

/// Parses `latest`, the id of a run, a time, or the prefix of an id.
async fn moment(host: &Host, at: &str) -> Result<PointInTime, CliError> {
    let is_run = at == "latest" || at.parse::<RunId>().is_ok();
    let time = match parse_time(at) {
        Ok(time) if !is_run => return Ok(PointInTime::Time(time)),
        time => time,
    };
    let runs = host.runs().ok_or_else(|| CliError::usage("no data directory is set"))?;
    let run = match (runs.find(at).await, time) {
        (Ok(run), _) => run,
        (Err(FindError::None { .. }), Err(problem)) if !is_run => {
            let message = format!("no run has this id, and {problem}");
            let hint = "run `ophost runs list` to list the runs".to_owned();
            return Err(CliError::Usage { message, hint });
        }
        (Err(error), _) => return Err(error.into()),
    };
    after_run(&run)
}

/// Returns the moment after the commit of a run, or after its end if it changed nothing.
fn after_run(run: &RunRecord) -> Result<PointInTime, CliError> {
    let revision = run.changes.and_then(|count| count.revision).map(PointInTime::Revision);
    let moment = revision.or(run.state.finished_at().map(PointInTime::Time));
    moment.ok_or_else(|| CliError::run_state(run, "has not ended"))
}
