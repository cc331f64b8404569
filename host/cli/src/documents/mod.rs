//! `ophost documents`: what runs read and change.

mod batches;
mod columns;
mod csv;
mod decode;
mod delimiter;
mod export;
mod import;
mod items;
mod names;
mod read;

pub(super) use self::import::NotImported;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use serde_json::{Map, Value, json};

use super::complete;
use super::error::CliError;
use super::output::{self, EscapedLine};
use super::table::{Overflow, table};
use super::{run, settings};
use ophost::DocumentReader;
use ophost::Host;
use ophost::config::Config;
use ophost::document::{
    Address, CollectionName, Document, DocumentId, Filter, Page, Path, Query, QueryError, Sort,
    SortBy,
};
use ophost_document::suggest::{closest_match, is_misspelt};

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
  ophost documents import jobs jobs.csv --id number
  ophost documents export jobs --output jobs.jsonl

A filter is a JSON object in the words of MongoDB: equality, $eq $ne $gt $gte $lt $lte $in $nin
$and $or $nor $not $exists $regex $size $elemMatch, dotted paths, and _id.";

#[derive(Debug, Subcommand)]
enum DocumentsCommand {
    /// List the collections, and how many documents each holds.
    Collections,
    /// Print the documents that a filter means, a JSON a line.
    Find(FindArgs),
    /// Print a document.
    Get(GetArgs),
    /// Print how many documents a filter means.
    Count(CountArgs),
    /// Put the documents of a file into a collection by a recorded run: all or none, or batch by
    /// batch.
    Import(import::ImportArgs),
    /// Print or write all documents of a collection.
    Export(export::ExportArgs),
}

/// Documents of one collection.
#[derive(Debug, Args)]
struct CollectionSelector {
    /// The collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(complete::collections))]
    collection: CollectionName,
    /// Which documents are meant [default: all].
    #[arg(value_name = "FILTER", value_parser = filter, default_value = "{}")]
    #[arg(hide_default_value = true)]
    filter: Filter,
}

#[derive(Debug, Args)]
struct FindArgs {
    #[command(flatten)]
    meant: CollectionSelector,
    /// In which order: fields, `-` before one means the greatest first [default: _id].
    #[arg(long, value_name = "FIELD,-FIELD", value_delimiter = ',', value_parser = sort_by)]
    #[arg(allow_hyphen_values = true)]
    sort: Vec<SortBy>,
    /// At most so many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on after a page: what that page named as `next`.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

#[derive(Debug, Args)]
struct GetArgs {
    /// The collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(complete::collections))]
    collection: CollectionName,
    /// The document's id.
    #[arg(value_name = "ID")]
    id: DocumentId,
}

#[derive(Debug, Args)]
struct CountArgs {
    #[command(flatten)]
    meant: CollectionSelector,
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
    super::runtime()?.block_on(dispatch(&host, args.command, config, json))
}

async fn dispatch(
    host: &Host,
    command: DocumentsCommand,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    let none = || CliError::usage("there is no data directory");
    let documents = host.documents().ok_or_else(none)?;
    match command {
        DocumentsCommand::Collections => collections(&documents, json).await,
        DocumentsCommand::Find(args) => find(&documents, args, json).await,
        DocumentsCommand::Get(args) => get(&documents, args, json).await,
        DocumentsCommand::Count(args) => count(&documents, args, json).await,
        DocumentsCommand::Import(args) => {
            let most = config.max_limits().effects;
            let made = &args.collection;
            if let Missing::Similar(name) = missing(&documents, made).await
                && is_misspelt(made.as_str(), name.as_str())
            {
                output::warn(&format!("`{made}` is a new collection; did you mean `{name}`?"));
            }
            import::run(host, args, most, json).await
        }
        DocumentsCommand::Export(args) => export::run(&documents, args, json).await,
    }
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
        output::stderr("No documents. Operations make them, or `ophost documents import`.\n");
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(
    documents: &DocumentReader<'_>,
    args: FindArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let FindArgs { meant: CollectionSelector { collection, filter }, sort, limit, after } = args;
    let sort = Sort::new(sort).map_err(|error| CliError::usage(&error.to_string()))?;
    let query = Query::new(&collection, filter, sort, Some(limit), after.as_deref())
        .map_err(|error| not_a_question(&error))?;
    let Page { documents: found, next } = documents.find(collection.clone(), query).await?;
    let next = next.map(|next| next.to_string());
    let list = found.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    if list.is_empty() {
        tell_if_missing(documents, &collection).await;
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
        output::stderr(&format!("There are more: `--after {next}`\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn not_a_question(error: &QueryError) -> CliError {
    let message = error.to_string();
    match error {
        QueryError::Cursor(_) => {
            let hint = "begin without `--after`, or repeat what the page was asked for".to_owned();
            CliError::Usage { message, hint }
        }
        _ => CliError::usage(&message),
    }
}

/// Whether a collection that was named is missing.
enum Missing {
    No,
    Yes,
    /// And another one has a similar name.
    Similar(CollectionName),
}

/// Looks whether a collection is missing. An error counts as no: the command's own answer does not
/// depend on it.
async fn missing(documents: &DocumentReader<'_>, collection: &CollectionName) -> Missing {
    let Ok(all) = documents.collections().await else { return Missing::No };
    if all.iter().any(|(name, _)| name == collection) {
        return Missing::No;
    }
    let similar = closest_match(collection.as_str(), all.iter().map(|(name, _)| name.as_str()));
    let named = |similar| all.iter().find(|(name, _)| name.as_str() == similar);
    similar.and_then(named).map_or(Missing::Yes, |(name, _)| Missing::Similar(name.clone()))
}

/// Tells that the collection in which nothing was found does not exist: always where its name is
/// probably misspelt, else on a terminal alone, since scripts may look before there is any.
async fn tell_if_missing(documents: &DocumentReader<'_>, collection: &CollectionName) {
    match missing(documents, collection).await {
        Missing::No => {}
        Missing::Yes => run::note(&format!("there is no collection `{collection}`")),
        Missing::Similar(similar) => {
            report(&format!("there is no collection `{collection}`; did you mean `{similar}`?"))
        }
    }
}

async fn get(
    documents: &DocumentReader<'_>,
    args: GetArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let GetArgs { collection, id } = args;
    let address = Address { collection: collection.clone(), id: id.clone() };
    let Some(document) = documents.get(address).await? else {
        let similar = match missing(documents, &collection).await {
            Missing::Similar(similar) => Some(similar),
            Missing::No | Missing::Yes => None,
        };
        return Err(CliError::NoSuchDocument { collection, id, similar });
    };
    if json {
        let (id, revision, body) = (&document.id, document.revision, fields(&document)?);
        let head = json!({"collection": collection, "id": id, "revision": revision, "body": body});
        output::json(&head)?;
    } else {
        output::json(&shown(&document)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn count(
    documents: &DocumentReader<'_>,
    args: CountArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let CollectionSelector { collection, filter } = args.meant;
    let count = documents.count(collection.clone(), filter).await?;
    if count == 0 {
        tell_if_missing(documents, &collection).await;
    }
    match json {
        true => output::json(&json!({"count": count}))?,
        false => output::stdout(&format!("{count}\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn fields(document: &Document) -> Result<Map<String, Value>, CliError> {
    // It was written by the store itself.
    serde_json::from_str(&document.body).map_err(|error| CliError::Output(error.into()))
}

/// Returns a document as people write them: with its id as its first field.
fn shown(document: &Document) -> Result<Map<String, Value>, CliError> {
    let mut shown = Map::new();
    shown.insert("_id".to_owned(), json!(document.id));
    shown.extend(fields(document)?);
    Ok(shown)
}

/// Says what was done with a file.
fn report(text: &str) {
    output::stderr(&format!("{}\n", EscapedLine(text)));
}
