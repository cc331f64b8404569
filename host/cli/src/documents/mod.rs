//! `ophost documents`: shows, changes, imports and exports documents.

mod batches;
mod columns;
mod csv;
mod csv_export;
mod decode;
mod delimiter;
mod edit;
mod explain;
mod export;
mod history;
mod import;
mod index;
mod items;
mod names;
mod read;

pub(super) use self::import::NotImported;
pub(super) use self::index::incomplete as incomplete_indexes;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use serde_json::{Map, Value, json};

use ophost::config::Config;
use ophost::document::{
    Address, CollectionName, Document, DocumentId, Filter, Page, Path, Query, QueryError, Sort,
    SortBy,
};
use ophost::{DocumentReader, Host};
use ophost_document::suggest::{closest_match, is_misspelt};

use super::completion;
use super::error::CliError;
use super::output::{self, EscapedLine};
use super::table::{Overflow, table};
use super::{run, settings};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DocumentsArgs {
    #[command(subcommand)]
    command: DocumentsCommand,
}

const EXAMPLES: &str = "\
Examples:
  ophost documents collections
  ophost documents find jobs '{\"status\": \"open\"}' --sort -salary -n 5
  ophost documents get jobs 01a2b3
  ophost documents get jobs 01a2b3 --at 2h
  ophost documents history jobs 01a2b3
  ophost documents import jobs jobs.csv --id number
  ophost documents export jobs --output jobs.jsonl
  ophost documents index add jobs status

A filter is a JSON object in the query language of MongoDB: equality, $eq $ne $gt $gte $lt $lte
$in $nin $and $or $nor $not $exists $regex $size $elemMatch, dotted paths, and _id.";

#[derive(Debug, Subcommand)]
enum DocumentsCommand {
    /// List the collections with their number of documents.
    Collections,
    /// Print the documents that match a filter as JSON, one per line.
    Find(FindArgs),
    /// Print a document.
    Get(GetArgs),
    /// Show the changes of a document, newest first: the run, its time, and the changed fields.
    History(history::HistoryArgs),
    /// Print the number of documents that match a filter.
    Count(CountArgs),
    /// Change fields of a document in a recorded run.
    Set(Box<edit::SetArgs>),
    /// Delete documents in a recorded run.
    Delete(Box<edit::DeleteArgs>),
    /// Import the documents of a file in one recorded run, or with --batch in several runs.
    Import(Box<import::ImportArgs>),
    /// Print the documents of a collection or write them to a file.
    Export(export::ExportArgs),
    /// Add, list and remove indexes, which make queries faster.
    Index(index::IndexArgs),
}

/// A collection, and a filter for its documents.
#[derive(Debug, Args)]
struct CollectionSelector {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Filter for the documents [default: all documents].
    #[arg(value_name = "FILTER", value_parser = filter, default_value = "{}")]
    #[arg(hide_default_value = true)]
    filter: Filter,
}

#[derive(Debug, Args)]
struct FindArgs {
    #[command(flatten)]
    selector: CollectionSelector,
    /// Sort by these fields, `-FIELD` for descending [default: _id].
    #[arg(long, value_name = "FIELD,-FIELD", value_delimiter = ',', value_parser = sort_by)]
    #[arg(allow_hyphen_values = true)]
    sort: Vec<SortBy>,
    /// Maximum number of documents.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Cursor of the next page, from the output of the previous page.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Run the query, and print how it found the documents instead of the documents.
    #[arg(long)]
    explain: bool,
}

#[derive(Debug, Args)]
struct GetArgs {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Id of the document.
    #[arg(value_name = "ID")]
    id: DocumentId,
    /// Print the document as it was after this run, or at this time: an id of a run, a prefix of
    /// it, or `latest`; 2026-01-31, 2026-01-31T12:00, or 2h for an age [default: now].
    #[arg(long, value_name = "RUN|TIME", add = ArgValueCandidates::new(completion::runs))]
    at: Option<String>,
}

#[derive(Debug, Args)]
struct CountArgs {
    #[command(flatten)]
    selector: CollectionSelector,
    /// Count the documents, and print how they were found instead of their number.
    #[arg(long)]
    explain: bool,
}

fn filter(text: &str) -> Result<Filter, String> {
    Filter::parse_text(text).map_err(|error| error.to_string())
}

fn sort_by(text: &str) -> Result<SortBy, String> {
    let (path, descending) = match text.strip_prefix('-') {
        Some(path) => (path, true),
        None => (text, false),
    };
    let path = Path::parse(path).map_err(|error| error.to_string())?;
    Ok(SortBy { path, descending })
}

pub(super) fn run(args: DocumentsArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let host = settings::store_builder(config)?.build_without_plugins()?;
    super::runtime()?.block_on(async {
        let code = dispatch(&host, args.command, config, json).await;
        host.prune_step().await;
        code
    })
}

async fn dispatch(
    host: &Host,
    command: DocumentsCommand,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    let documents = host.documents().ok_or_else(missing_data)?;
    match command {
        DocumentsCommand::Collections => collections(&documents, json).await,
        DocumentsCommand::Find(args) => find(&documents, args, json).await,
        DocumentsCommand::Get(args) => get((host, &documents), args, json).await,
        DocumentsCommand::History(args) => history::run(&documents, args, json).await,
        DocumentsCommand::Count(args) => count(&documents, args, json).await,
        DocumentsCommand::Set(args) => edit::set(host, *args, json).await,
        DocumentsCommand::Delete(args) => edit::delete(host, *args, json).await,
        DocumentsCommand::Import(args) => {
            let max_bytes = config.max_limits().effects;
            let collection = &args.collection;
            if let Missing::Similar(name) = find_missing(&documents, collection).await
                && is_misspelt(collection.as_str(), name.as_str())
            {
                output::warn(&format!(
                    "`{collection}` is a new collection; did you mean `{name}`?"
                ));
            }
            import::run(host, *args, max_bytes, json).await
        }
        DocumentsCommand::Export(args) => export::run(&documents, args, json).await,
        DocumentsCommand::Index(args) => index::run(host, args, config, json).await,
    }
}

/// Returns the error of a host without a data directory.
fn missing_data() -> CliError {
    CliError::usage("no data directory is set")
}

async fn collections(documents: &DocumentReader<'_>, json: bool) -> Result<ExitCode, CliError> {
    let collections = documents.collections().await?;
    if json {
        let list: Vec<_> = collections
            .iter()
            .map(|(name, count)| json!({"collection": name, "documents": count}))
            .collect();
        output::json(&json!({"collections": list}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> =
        collections.iter().map(|(name, count)| [name.to_string(), count.to_string()]).collect();
    output::stdout(&table(&rows, 0, Overflow::Truncate, output::width()))?;
    if rows.is_empty() {
        output::stderr(
            "No documents. Run an operation that writes documents, or `ophost documents import`.\n",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(
    documents: &DocumentReader<'_>,
    args: FindArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let FindArgs { selector, sort, limit, after, explain } = args;
    let CollectionSelector { collection, filter } = selector;
    let sort = Sort::new(sort).map_err(|error| CliError::usage(&error.to_string()))?;
    let query = Query::new(&collection, filter, sort, Some(limit), after.as_deref())
        .map_err(|error| query_error(&error))?;
    let (page, explanation) = documents.find_explained(collection.clone(), query).await?;
    if explain {
        return explain::print(&explanation, page.documents.len() as u64, json);
    }
    let Page { documents: found, next } = page;
    let next = next.map(|next| next.to_string());
    let list = found.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    if list.is_empty() {
        report_if_missing(documents, &collection).await;
    }
    if json {
        output::json(&json!({"documents": list, "next": next}))?;
        return Ok(ExitCode::SUCCESS);
    }
    list.iter().try_for_each(output::json_line)?;
    if list.is_empty() {
        output::stderr("No document matches.\n");
    }
    if let Some(next) = next {
        output::stderr(&format!("More documents exist; use `--after {next}` for the next page.\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn query_error(error: &QueryError) -> CliError {
    let message = error.to_string();
    match error {
        QueryError::Cursor(_) => {
            let hint = "omit `--after`, or use the collection, filter and `--sort` of the \
                        previous page"
                .to_owned();
            CliError::Usage { message, hint }
        }
        _ => CliError::usage(&message),
    }
}

/// Whether a collection is missing.
enum Missing {
    No,
    Yes,
    /// The collection is missing, and another collection has a similar name.
    Similar(CollectionName),
}

/// Returns whether a collection is missing, and [`Missing::No`] if that is unknown because of an
/// error. The result is used only for hints.
async fn find_missing(documents: &DocumentReader<'_>, collection: &CollectionName) -> Missing {
    let Ok(all) = documents.collections().await else { return Missing::No };
    if all.iter().any(|(name, _)| name == collection) {
        return Missing::No;
    }
    let similar = closest_match(collection.as_str(), all.iter().map(|(name, _)| name.as_str()));
    let by_name = |similar| all.iter().find(|(name, _)| name.as_str() == similar);
    similar.and_then(by_name).map_or(Missing::Yes, |(name, _)| Missing::Similar(name.clone()))
}

/// Reports that the collection does not exist, for commands that found no documents.
///
/// Without a similar name this is printed only on a terminal, because scripts can query a
/// collection before its first document is written.
async fn report_if_missing(documents: &DocumentReader<'_>, collection: &CollectionName) {
    match find_missing(documents, collection).await {
        Missing::No => {}
        Missing::Yes => run::note(&format!("collection `{collection}` does not exist")),
        Missing::Similar(similar) => {
            report(&format!("collection `{collection}` does not exist; did you mean `{similar}`?"))
        }
    }
}

async fn get(
    (host, documents): (&Host, &DocumentReader<'_>),
    args: GetArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let GetArgs { collection, id, at } = args;
    let address = Address { collection, id };
    let document = match &at {
        Some(at) => history::document_at((host, documents), address.clone(), at).await?,
        None => match documents.get(address.clone()).await? {
            Some(document) => document,
            None => return Err(no_such_document(documents, address).await),
        },
    };
    if json {
        let (id, revision, body) = (&document.id, document.revision, fields(&document)?);
        let collection = &address.collection;
        let head = json!({"collection": collection, "id": id, "revision": revision, "body": body});
        output::json(&head)?;
    } else {
        output::json(&shown(&document)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the error for a document that does not exist.
async fn no_such_document(documents: &DocumentReader<'_>, address: Address) -> CliError {
    let Address { collection, id } = address;
    let similar = match find_missing(documents, &collection).await {
        Missing::Similar(similar) => Some(similar),
        Missing::No | Missing::Yes => None,
    };
    CliError::NoSuchDocument { collection, id, similar }
}

async fn count(
    documents: &DocumentReader<'_>,
    args: CountArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let CollectionSelector { collection, filter } = args.selector;
    let (count, explanation) = documents.count_explained(collection.clone(), filter).await?;
    if args.explain {
        return explain::print(&explanation, count, json);
    }
    if count == 0 {
        report_if_missing(documents, &collection).await;
    }
    match json {
        true => output::json(&json!({"count": count}))?,
        false => output::stdout(&format!("{count}\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn fields(document: &Document) -> Result<Map<String, Value>, CliError> {
    // The store writes only valid JSON objects.
    serde_json::from_str(&document.body).map_err(|error| CliError::Output(error.into()))
}

/// Returns a document with its id as the first field.
fn shown(document: &Document) -> Result<Map<String, Value>, CliError> {
    let mut shown = Map::new();
    shown.insert("_id".to_owned(), json!(document.id));
    shown.extend(fields(document)?);
    Ok(shown)
}

/// Prints a line to stderr.
fn report(text: &str) {
    output::stderr(&format!("{}\n", EscapedLine(text)));
}
