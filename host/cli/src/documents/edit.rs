//! `ophost documents set` and `delete`.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use clap_complete::engine::ArgValueCandidates;
use serde_json::Value;

use ophost::document::{Address, CollectionName, DocumentId, Filter, Path};
use ophost::{DeleteDocuments, Host, SetFields};
use ophost_document::json;

use crate::builtin::BuiltInArgs;
use crate::error::CliError;
use crate::{completion, input};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").multiple(true).required(true))]
#[command(override_usage = "ophost documents set [OPTIONS] <COLLECTION> <ID> <FIELD=VALUE>...")]
#[command(after_help = SET_HELP)]
pub(super) struct SetArgs {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Id of the document.
    #[arg(value_name = "ID")]
    id: DocumentId,
    /// Field and its new value: `field=text` or `field:=json`; `@FILE` as the value reads a file.
    #[arg(value_name = "FIELD=VALUE", group = "change")]
    fields: Vec<String>,
    /// JSON merge patch (RFC 7396), applied after the fields. A null removes a field.
    #[arg(long, value_name = "JSON", group = "change", value_parser = patch)]
    merge: Option<Value>,
    /// Create the document if it does not exist [default: fail].
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    call: BuiltInArgs,
}

const SET_HELP: &str = "\
Examples:
  ophost documents set jobs 01a2b3 status=applied salary.max:=70000
  ophost documents set jobs 01a2b3 --merge '{\"notes\": null}'
  ophost documents set people ann name=Ann --create

The change is a recorded run of `ophost.set`. `ophost runs undo` reverts it.";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("selection").required(true))]
#[command(override_usage = "ophost documents delete [OPTIONS] <COLLECTION> <ID>...")]
#[command(after_help = DELETE_HELP)]
pub(super) struct DeleteArgs {
    /// Collection.
    #[arg(value_name = "COLLECTION", add = ArgValueCandidates::new(completion::collections))]
    collection: CollectionName,
    /// Ids of the documents. If one does not exist, no document is deleted.
    #[arg(value_name = "ID", group = "selection")]
    ids: Vec<DocumentId>,
    /// Delete the documents that match this filter.
    #[arg(long, value_name = "FILTER", group = "selection", value_parser = filter)]
    filter: Option<ParsedFilter>,
    #[command(flatten)]
    call: BuiltInArgs,
}

const DELETE_HELP: &str = "\
Examples:
  ophost documents delete jobs 01a2b3 01a2b4
  ophost documents delete jobs --filter '{\"status\": \"rejected\"}' --dry-run

The deletion is a recorded run of `ophost.delete`. `ophost runs undo` reverts it.";

/// A filter and its JSON.
#[derive(Clone, Debug)]
struct ParsedFilter {
    filter: Filter,
    json: Value,
}

fn filter(text: &str) -> Result<ParsedFilter, String> {
    let filter = super::filter(text)?;
    let json = json::parse(text).map_err(|error| error.to_string())?;
    Ok(ParsedFilter { filter, json })
}

fn patch(text: &str) -> Result<Value, String> {
    json::parse(text).map_err(|error| error.to_string())
}

/// Runs `ophost documents set`.
pub(super) async fn set(host: &Host, args: SetArgs, json: bool) -> Result<ExitCode, CliError> {
    let SetArgs { collection, id, fields, merge, create, call } = args;
    let fields = fields.iter().map(|field| assignment(field)).collect::<Result<Vec<_>, _>>()?;
    let set = SetFields::new(Address { collection, id }, fields).create(create);
    let set = match merge {
        Some(patch) => set.patch(patch),
        None => set,
    };
    call.run(json, async |settings| host.set_fields(set, settings).await).await
}

/// Parses a field and its value.
fn assignment(text: &str) -> Result<(Path, Value), CliError> {
    let (name, value) = input::field(text)?;
    let path = Path::parse(&name).map_err(|error| CliError::usage(&error.to_string()))?;
    Ok((path, value))
}

/// Runs `ophost documents delete`.
pub(super) async fn delete(
    host: &Host,
    args: DeleteArgs,
    json: bool,
) -> Result<ExitCode, CliError> {
    let DeleteArgs { collection, ids, filter, call } = args;
    let delete = match filter {
        Some(ParsedFilter { filter, json }) => DeleteDocuments::matching(collection, filter, json),
        None => DeleteDocuments::with_ids(collection, ids),
    };
    call.run(json, async |settings| host.delete_documents(delete, settings).await).await
}
