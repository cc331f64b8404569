//! `ophost documents index`: adds, lists and removes indexes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use serde_json::json;

use ophost::document::CollectionName;
use ophost::{
    AddedIndex, Host, IndexError, IndexInfo, IndexState, IndexViolation, Indexes, NewIndex,
    Progress,
};
use ophost_document::IndexField;

use super::super::completion;
use super::super::error::CliError;
use super::super::output::{self, EscapedLine};
use super::super::progress::Bar;
use super::super::table::{Overflow, table};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct IndexArgs {
    #[command(subcommand)]
    command: IndexCommand,
}

const EXAMPLES: &str = "\
Examples:
  ophost documents index add jobs status
  ophost documents index add users email --unique
  ophost documents index list
  ophost documents index remove jobs status

`ophost documents find --explain` shows whether a query uses an index.";

#[derive(Debug, Subcommand)]
enum IndexCommand {
    /// Add an index to a collection. Continues an interrupted build.
    Add(AddArgs),
    /// List the indexes and their states.
    List(ListArgs),
    /// Remove an index.
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Path of the field, such as `status` or `address.city`.
    #[arg(value_name = "FIELD")]
    field: IndexField,
    /// Reject documents with a value that another document has. Null and missing values are exempt.
    #[arg(long)]
    unique: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only the indexes of this collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: Option<CollectionName>,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Path of the field.
    #[arg(value_name = "FIELD", add = ArgValueCandidates::new(completion::index_fields))]
    field: IndexField,
}

/// Runs the command.
pub(super) async fn run(host: &Host, args: IndexArgs, json: bool) -> Result<ExitCode, CliError> {
    let indexes = host.indexes().ok_or_else(super::missing_data)?;
    match args.command {
        IndexCommand::Add(args) => add(host, &indexes, args, json).await,
        IndexCommand::List(args) => list(&indexes, &args, json).await,
        IndexCommand::Remove(args) => remove(&indexes, args, json).await,
    }
}

async fn add(
    host: &Host,
    indexes: &Indexes<'_>,
    args: AddArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let AddArgs { collection, field, unique } = args;
    if let Some(documents) = host.documents() {
        super::report_if_missing(&documents, &collection).await;
    }
    let index = NewIndex { collection, field, unique };
    let added = build(indexes, &index).await?;
    let NewIndex { collection, field, unique } = &index;
    if json {
        let is_new = added == AddedIndex::Built;
        output::json(&json!({
            "collection": collection, "field": field, "unique": unique, "state": "ready",
            "built": is_new,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let what = match added {
        AddedIndex::Built => "built the index",
        AddedIndex::Existing => "nothing to do; there is an index",
    };
    output::stderr(&format!("{what} `{}` of `{collection}`\n", EscapedLine(&field.to_string())));
    Ok(ExitCode::SUCCESS)
}

/// Builds an index, with a progress bar on a terminal.
async fn build(indexes: &Indexes<'_>, index: &NewIndex) -> Result<AddedIndex, CliError> {
    let bar = Bar::for_terminal();
    let progress = |done: u64, total: u64| {
        let message = Some("documents".to_owned());
        let progress = Progress { done, total: Some(total.max(done)), message };
        bar.iter().for_each(|bar| bar.report(&progress));
    };
    indexes.add(index, progress).await.map_err(index_error)
}

fn index_error(error: IndexError) -> CliError {
    let message = error.to_string();
    let hint = match &error {
        IndexError::Violation(IndexViolation::Duplicate(_)) => {
            "change one of the documents, or add the index without `--unique`".to_owned()
        }
        IndexError::Violation(IndexViolation::ListOfLists { at, .. }) => {
            format!("a path goes through the objects of a list only; index `{at}` itself")
        }
        IndexError::Mismatch { collection, field, .. } => {
            format!("remove it first: `ophost documents index remove {collection} {field}`")
        }
        IndexError::TooMany(collection) => {
            format!("remove one first; `ophost documents index list {collection}` shows them")
        }
        IndexError::Store(_) | IndexError::Removed | _ => "add the index again".to_owned(),
    };
    match error {
        IndexError::Store(error) => CliError::Store(error),
        _ => CliError::Usage { message, hint },
    }
}

async fn list(indexes: &Indexes<'_>, args: &ListArgs, json: bool) -> Result<ExitCode, CliError> {
    let is_listed = |index: &IndexInfo| {
        args.collection.as_ref().is_none_or(|collection| index.collection == *collection)
    };
    let known: Vec<_> = indexes.list().await?.into_iter().filter(is_listed).collect();
    if json {
        output::json(&json!({"indexes": known}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = known.iter().map(row).collect();
    output::stdout(&table(&rows, 0, Overflow::Truncate, output::width()))?;
    if rows.is_empty() {
        output::stderr("No indexes. Add one with `ophost documents index add`.\n");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(index: &IndexInfo) -> [String; 4] {
    let unique = if index.unique { "unique" } else { "" };
    let state = match index.state {
        IndexState::Building { done, total } => format!("building, {done} of {total} documents"),
        IndexState::Ready => "ready".to_owned(),
        IndexState::Removing => "removing".to_owned(),
    };
    [index.collection.to_string(), index.field.to_string(), unique.to_owned(), state]
}

async fn remove(indexes: &Indexes<'_>, args: RemoveArgs, json: bool) -> Result<ExitCode, CliError> {
    let RemoveArgs { collection, field } = args;
    if !indexes.remove(&collection, &field).await? {
        let message = format!("`{collection}` has no index `{field}`");
        let hint = "run `ophost documents index list` to list the indexes".to_owned();
        return Err(CliError::Usage { message, hint });
    }
    match json {
        true => output::json(&json!({"collection": collection, "field": field}))?,
        false => output::stderr(&format!(
            "removed the index `{}` of `{collection}`\n",
            EscapedLine(&field.to_string())
        )),
    }
    Ok(ExitCode::SUCCESS)
}
