//! `ophost documents set` and `delete`.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use clap_complete::engine::ArgValueCandidates;
use serde_json::Value;

use ophost::document::{Address, Body, CollectionName, DocumentId, Filter, Path};
use ophost::{DeleteDocuments, Host, SetFields};
use ophost_document::edit::{self, EditError};
use ophost_document::path::is_field;
use ophost_document::{json, text};

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
    check_edit(&fields, merge.as_ref())?;
    let set = SetFields::new(Address { collection, id }, fields).create(create);
    let set = match merge {
        Some(patch) => set.patch(patch),
        None => set,
    };
    call.run(json, async |settings| host.set_fields(set, settings).await).await
}

/// Parses a field and its value.
fn assignment(text: &str) -> Result<(Path, Value), CliError> {
    let hint = || "use `--merge` to set a field with another name".to_owned();
    let (names, value) = input::field(text)?;
    if let Some(name) = names.iter().find(|name| !is_field(name)) {
        let message = format!("a filter cannot use the field name `{}`", text::quote(name));
        return Err(CliError::Usage { message, hint: hint() });
    }
    let path = Path::parse(&names.join("."));
    let path = path.map_err(|error| CliError::Usage { message: error.to_string(), hint: hint() });
    Ok((path?, value))
}

/// Rejects an edit that fails for every document.
fn check_edit(fields: &[(Path, Value)], patch: Option<&Value>) -> Result<(), CliError> {
    let usage = |error: EditError| CliError::Usage {
        message: error.to_string(),
        hint: "run `ophost documents set --help` for examples".to_owned(),
    };
    // The current document decides about other errors.
    if let Err(error @ (EditError::Id | EditError::Conflict { .. })) =
        edit::set(&Body::default(), fields)
    {
        return Err(usage(error));
    }
    let patched = patch.map(|patch| edit::merge(&Body::default(), patch));
    patched.transpose().map(drop).map_err(usage)
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
