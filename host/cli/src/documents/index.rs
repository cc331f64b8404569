//! `ophost documents index`: adds, lists and removes indexes.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use serde_json::{Value, json};

use ophost::config::{Config, RequestedIndex};
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
    /// Add the indexes that `[collections.NAME]` in `ophost.toml` requests and that do not exist.
    Sync,
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
pub(super) async fn run(
    host: &Host,
    args: IndexArgs,
    config: &Config,
    json: bool,
) -> Result<ExitCode, CliError> {
    let indexes = host.indexes().ok_or_else(super::missing_data)?;
    match args.command {
        IndexCommand::Add(args) => add(host, &indexes, args, json).await,
        IndexCommand::List(args) => list((&indexes, config), &args, json).await,
        IndexCommand::Remove(args) => remove(&indexes, args, json).await,
        IndexCommand::Sync => sync(&indexes, config, json).await,
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
    if json {
        output::json(&as_json(&index, added))?;
        return Ok(ExitCode::SUCCESS);
    }
    report(&index, added);
    Ok(ExitCode::SUCCESS)
}

fn as_json(NewIndex { collection, field, unique }: &NewIndex, added: AddedIndex) -> Value {
    let is_new = added == AddedIndex::Built;
    json!({"collection": collection, "field": field, "unique": unique, "built": is_new})
}

fn report(NewIndex { collection, field, .. }: &NewIndex, added: AddedIndex) {
    let what = match added {
        AddedIndex::Built => "built the index",
        AddedIndex::Existing => "nothing to do; there is an index",
    };
    let field = field.to_string();
    output::stderr(&format!("{what} `{}` of `{collection}`\n", EscapedLine(&field)));
}

/// Adds the requested indexes that are not complete. Continues after an index that cannot be added.
async fn sync(indexes: &Indexes<'_>, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let (mut added, mut exit) = (Vec::new(), ExitCode::SUCCESS);
    let missing = incomplete(&indexes.list().await?, config);
    if missing.is_empty() && !json {
        output::stderr("nothing to do; all requested indexes exist\n");
    }
    for index in missing {
        match build(indexes, &index).await {
            Ok(result) if json => added.push(as_json(&index, result)),
            Ok(result) => report(&index, result),
            Err(error @ CliError::Store(_)) => return Err(error),
            Err(error) if json => {
                exit = error.exit().into();
                let mut failed = as_json(&index, AddedIndex::Existing);
                failed["error"] = error.envelope()["error"].clone();
                added.push(failed);
            }
            Err(error) => exit = error.report(false),
        }
    }
    if json {
        output::json(&json!({"indexes": added}))?;
    }
    Ok(exit)
}

/// Returns the indexes that the settings request and that are not complete, or not with the same
/// uniqueness.
pub(in super::super) fn incomplete(known: &[IndexInfo], config: &Config) -> Vec<NewIndex> {
    let is_complete = |new: &NewIndex| {
        known.iter().any(|it| {
            let is_same = it.collection == new.collection && it.field == new.field;
            is_same && it.unique == new.unique && it.state == IndexState::Ready
        })
    };
    requested(config).into_iter().filter(|index| !is_complete(index)).collect()
}

fn requested(config: &Config) -> Vec<NewIndex> {
    let mut requested = Vec::new();
    for (collection, settings) in &config.collections {
        for RequestedIndex { field, unique } in &settings.indexes.value {
            let (collection, field, unique) = (collection.clone(), field.clone(), *unique);
            let index = NewIndex { collection, field, unique };
            if !requested.contains(&index) {
                requested.push(index);
            }
        }
    }
    requested
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
            "change one of the documents, or add an index that is not unique".to_owned()
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

async fn list(
    (indexes, config): (&Indexes<'_>, &Config),
    args: &ListArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let is_listed = |of: &CollectionName| args.collection.as_ref().is_none_or(|it| it == of);
    let mut known = indexes.list().await?;
    known.retain(|index| is_listed(&index.collection));
    let is_known = |new: &NewIndex| {
        known.iter().any(|it| it.collection == new.collection && it.field == new.field)
    };
    let missing: Vec<_> = requested(config)
        .into_iter()
        .filter(|new| is_listed(&new.collection) && !is_known(new))
        .collect();
    if json {
        let missing = missing.iter().map(|NewIndex { collection, field, unique }| {
            json!({
                "collection": collection, "field": field, "unique": unique, "state": "requested",
            })
        });
        let all: Vec<_> = known.iter().map(|index| json!(index)).chain(missing).collect();
        output::json(&json!({"indexes": all}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows: Vec<_> = known.iter().map(row).collect();
    rows.extend(missing.iter().map(|NewIndex { collection, field, unique }| {
        cells(collection, field, *unique, "requested, not built".to_owned())
    }));
    output::stdout(&table(&rows, 0, Overflow::Truncate, output::width()))?;
    if rows.is_empty() {
        output::stderr("No indexes. Add one with `ophost documents index add`.\n");
    } else if !missing.is_empty() {
        output::stderr("Build the requested indexes with `ophost documents index sync`.\n");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(index: &IndexInfo) -> [String; 4] {
    let state = match index.state {
        IndexState::Building { done, total } => format!("building, {done} of {total} documents"),
        IndexState::Ready => "ready".to_owned(),
        IndexState::Removing => "removing".to_owned(),
    };
    cells(&index.collection, &index.field, index.unique, state)
}

fn cells(
    collection: &CollectionName,
    field: &IndexField,
    unique: bool,
    state: String,
) -> [String; 4] {
    let unique = if unique { "unique" } else { "" };
    [collection.to_string(), field.to_string(), unique.to_owned(), state]
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
