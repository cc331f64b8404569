//! What a run changed of documents, or would have in a dry run, for people and for programs.

use std::fmt::Write as _;

use ophost_document::diff;
use serde_json::{Value, json};

use super::output::{DIM, EscapedLine, NAME, OK, WARNING};
use ophost::document::{Address, ChangeCount, ChangeKind, ChangeSet, DocumentChange};
use ophost_document::text::truncate_chars;

/// How many documents, and fields of each, are shown to people.
const DOCUMENTS: usize = 20;
const FIELDS: usize = 20;
/// How much of a value is shown, in characters.
const VALUE: usize = 60;

/// Returns changes as JSON.
pub(super) fn as_json(changes: &ChangeSet) -> Value {
    let change = |(address, change): (&Address, &DocumentChange)| {
        json!({
            "collection": address.collection,
            "document_id": address.id,
            "change": change.kind(),
            "before": change.before,
            "after": change.after,
        })
    };
    changes.iter().map(change).collect()
}

/// Adds what a dry run would have changed.
pub(super) fn dry_run(text: &mut String, changes: &ChangeSet) {
    let count = counted(ChangeCount::of(changes));
    let _ = writeln!(text, "{WARNING}DRY RUN{WARNING:#}: nothing is kept; it would have {count}");
    documents(text, changes);
}

/// Adds what was changed in each document.
pub(super) fn documents(text: &mut String, changes: &ChangeSet) {
    for (address, change) in changes.iter().take(DOCUMENTS) {
        document(text, address, change);
    }
    if let Some(more) = changes.len().checked_sub(DOCUMENTS).filter(|more| *more > 0) {
        let _ = writeln!(text, "  {DIM}and {more} more; `--json` prints all{DIM:#}");
    }
}

/// Returns how many documents were changed, in words.
pub(super) fn counted(count: ChangeCount) -> String {
    let ChangeCount { created, updated, deleted, .. } = count;
    let parts = [(created, "created"), (updated, "updated"), (deleted, "deleted")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts.map(|(count, done)| format!("{done} {count}")).collect();
    match parts.len() {
        0 => "changed no document".to_owned(),
        _ if created + updated + deleted == 1 => format!("{} document", parts.join(", ")),
        _ => format!("{} documents", parts.join(", ")),
    }
}

fn document(text: &mut String, address: &Address, change: &DocumentChange) {
    let (style, sign) = match change.kind() {
        Some(ChangeKind::Created) => (OK, '+'),
        Some(ChangeKind::Deleted) => (super::output::ERROR, '-'),
        Some(ChangeKind::Updated) | None => (WARNING, '~'),
    };
    let (collection, id) = (&address.collection, EscapedLine(address.id.as_str()));
    let _ = writeln!(text, "{style}{sign}{style:#} {NAME}{collection}/{id}{NAME:#}");
    let differences = diff::changes(change.before.as_deref(), change.after.as_deref(), FIELDS);
    for difference in &differences.listed {
        let value = |value: &Option<Value>| value.as_ref().map(shown);
        let sides = match (value(&difference.before), value(&difference.after)) {
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => String::new(),
        };
        let _ = writeln!(text, "    {}: {}", EscapedLine(&difference.path), EscapedLine(&sides));
    }
    if differences.rest > 0 {
        let _ = writeln!(text, "    {DIM}and {} more fields{DIM:#}", differences.rest);
    }
}

fn shown(value: &Value) -> String {
    truncate_chars(&value.to_string(), VALUE)
}
