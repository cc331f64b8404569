//! Document changes of a run, as text and as JSON.

use std::fmt::{self, Write as _};

use ophost::document::{Address, ChangeCount, ChangeKind, ChangeSet, DocumentChange};
use ophost_document::diff::{self, FieldChange};
use ophost_document::text::truncate_chars;
use serde_json::{Map, Value, json};

use super::output::{DIM, ERROR, EscapedLine, NAME, OK, WARNING};

/// Maximum number of printed documents.
const MAX_DOCUMENTS: usize = 20;
/// Maximum number of printed fields of each document.
const MAX_FIELDS: usize = 20;
/// Maximum number of printed characters of a value.
const MAX_VALUE: usize = 60;

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

/// Adds the changes of a dry run.
pub(super) fn dry_run(text: &mut String, changes: &ChangeSet) {
    let count = counted(ChangeCount::of(changes));
    let _ =
        writeln!(text, "{WARNING}DRY RUN{WARNING:#}: no change was committed; would have {count}");
    documents(text, changes);
}

/// Adds the changes of each document.
pub(super) fn documents(text: &mut String, changes: &ChangeSet) {
    for (address, change) in changes.iter().take(MAX_DOCUMENTS) {
        document(text, address, change);
    }
    if let Some(more) = changes.len().checked_sub(MAX_DOCUMENTS).filter(|more| *more > 0) {
        let _ = writeln!(text, "  {DIM}and {more} more; use `--json` to print all{DIM:#}");
    }
}

/// Returns the number of changed documents as text.
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
    let sign = Sign(change.kind().unwrap_or(ChangeKind::Updated));
    let (collection, id) = (&address.collection, EscapedLine(address.id.as_str()));
    let _ = writeln!(text, "{sign} {NAME}{collection}/{id}{NAME:#}");
    fields(text, change);
}

/// Prints the sign of a change: `+`, `~` or `-`.
pub(super) struct Sign(pub(super) ChangeKind);

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (style, sign) = match self.0 {
            ChangeKind::Created => (OK, '+'),
            ChangeKind::Deleted => (ERROR, '-'),
            ChangeKind::Updated => (WARNING, '~'),
        };
        write!(f, "{style}{sign}{style:#}")
    }
}

impl Sign {
    /// Returns the sign of an added, removed or replaced value.
    fn of(change: &FieldChange) -> Self {
        Self(match (&change.before, &change.after) {
            (None, _) => ChangeKind::Created,
            (Some(_), None) => ChangeKind::Deleted,
            (Some(_), Some(_)) => ChangeKind::Updated,
        })
    }
}

/// Adds the changed fields of a document, one per line.
pub(super) fn fields(text: &mut String, change: &DocumentChange) {
    let diff = diff::changes(change.before.as_deref(), change.after.as_deref(), MAX_FIELDS);
    for field in &diff.listed {
        let (sign, path, values) = (Sign::of(field), &field.path, values(field));
        let _ = writeln!(text, "    {sign} {}: {}", EscapedLine(path), EscapedLine(&values));
    }
    if diff.rest > 0 {
        let _ = writeln!(text, "    {DIM}and {} more fields{DIM:#}", diff.rest);
    }
}

/// Returns the new value, the old value if it was removed, or both if it was replaced.
fn values(change: &FieldChange) -> String {
    let both = [&change.before, &change.after].into_iter().flatten();
    both.map(shown).collect::<Vec<_>>().join(" -> ")
}

/// Returns the differences between two inputs, one per line, at most 20.
pub(super) fn input_differences(before: &Value, after: &Value) -> Vec<String> {
    const MAX_LINES: usize = 20;
    let (before, after) = match (before, after) {
        (Value::Object(before), Value::Object(after)) => (before.clone(), after.clone()),
        _ => {
            let wrapped = |value: &Value| Map::from_iter([("input".to_owned(), value.clone())]);
            (wrapped(before), wrapped(after))
        }
    };
    let side = |value: &Option<Value>| value.as_ref().map_or("missing".to_owned(), shown);
    let diff = diff::changes(Some(&before), Some(&after), MAX_LINES);
    let line =
        |it: &FieldChange| format!("{}: {} -> {}", it.path, side(&it.before), side(&it.after));
    let mut lines: Vec<_> = diff.listed.iter().map(line).collect();
    if diff.rest > 0 {
        lines.push(format!("and {} more", diff.rest));
    }
    lines
}

fn shown(value: &Value) -> String {
    truncate_chars(&value.to_string(), MAX_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_between_inputs_are_lines() {
        let before = json!({"a": 1, "b": {"c": "x", "d": [1]}, "e": null});
        let after = json!({"a": 1, "b": {"c": "y", "d": [1, 2]}, "f": true});
        let expected = [
            r#"b.c: "x" -> "y""#,
            "b.d.1: missing -> 2",
            "e: null -> missing",
            "f: missing -> true",
        ];
        assert_eq!(input_differences(&before, &after), expected);
        assert_eq!(input_differences(&after, &after), [""; 0]);
        assert_eq!(input_differences(&json!(1), &json!("1")), [r#"input: 1 -> "1""#]);
    }
}
