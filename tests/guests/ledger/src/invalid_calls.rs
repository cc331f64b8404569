//! Document calls that the host must reject, and valid calls at the limits.

use std::collections::BTreeMap;

use ophost_sdk::macro_support::documents as raw;
use ophost_sdk::{Collection, DocumentError, ReadCollection, Result, model, operation};

/// A document with read and write access.
#[model]
pub(crate) struct Sample {}

/// A document with read access only.
#[model]
pub(crate) struct Locked {}

/// The host's answers to the calls.
#[model]
pub(crate) struct Answers {
    /// The answers by the description of the call.
    answers: BTreeMap<String, String>,
}

/// Makes invalid calls and returns the host's answers. Leaves two documents in `samples`: `good`
/// and the empty document `second`.
#[operation(name = "ledger.invalid_calls", category = "test", async_enabled = true)]
pub(crate) fn invalid_calls(
    _samples: Collection<Sample>,
    _lockeds: ReadCollection<Locked>,
) -> Answers {
    let mut answers = BTreeMap::new();
    for calls in [collections(), ids(), bodies(), conditions(), edits(), filters(), queries()] {
        answers.extend(calls.into_iter().map(|(call, answer)| (call.to_owned(), answer)));
    }
    Answers { answers }
}

/// Writes a document, reads an undeclared collection, and fails with the host's error.
#[operation(name = "ledger.read_undeclared", category = "test", async_enabled = true)]
pub(crate) fn read_undeclared(samples: Collection<Sample>) -> Result<Answers> {
    samples.insert(&Sample {})?;
    match raw::get("others", "1") {
        Err(raw::Error::Denied(why)) => Err(DocumentError::Denied(why).into()),
        result => Ok(Answers { answers: [("read".to_owned(), answer(result))].into() }),
    }
}

/// The filter of a count.
#[model]
pub(crate) struct CountFilter {
    /// The filter as JSON text.
    filter: String,
}

/// Counts the documents in `samples` that match a filter.
#[operation(name = "ledger.count_samples", category = "test", async_enabled = true)]
pub(crate) fn count_samples(input: CountFilter, _samples: Collection<Sample>) -> Answers {
    Answers { answers: [("count".to_owned(), answer(raw::count(SAMPLES, &input.filter)))].into() }
}

/// Descriptions of calls, each with the host's answer.
type Calls = Vec<(&'static str, String)>;

const SAMPLES: &str = "samples";
const GOOD: &str = r#"{"list":[1],"text":"a"}"#;
const MIB: usize = 1 << 20;

fn collections() -> Calls {
    let read = |collection: &str| answer(raw::get(collection, "1"));
    vec![
        ("collection: empty", read("")),
        ("collection: a path", read("../samples")),
        ("collection: with a slash", read("samples/1")),
        ("collection: in capitals", read("Samples")),
        ("collection: with a control character", read("samples\n")),
        ("collection: a mebibyte", read(&"o".repeat(MIB))),
        ("collection: not declared", read("others")),
        ("collection: of the host", read("runs")),
        ("collection: found, not declared", answer(raw::find("others", &query("{}")))),
        ("collection: counted, not declared", answer(raw::count("others", "{}"))),
        ("collection: written, not declared", answer(put("others", "1", GOOD))),
        ("collection: read, for reading", read("lockeds")),
        ("collection: put, for reading", answer(put("lockeds", "1", GOOD))),
        ("collection: set, for reading", answer(set("lockeds", &[("a", "1")]))),
        ("collection: merged, for reading", answer(raw::merge("lockeds", "1", "{}"))),
        ("collection: deleted, for reading", answer(raw::delete("lockeds", "1"))),
    ]
}

fn ids() -> Calls {
    vec![
        ("id: empty", answer(raw::get(SAMPLES, ""))),
        ("id: 255 bytes", answer(raw::get(SAMPLES, &"i".repeat(255)))),
        ("id: 256 bytes", answer(raw::get(SAMPLES, &"i".repeat(256)))),
        ("id: a mebibyte", answer(put(SAMPLES, &"i".repeat(MIB), GOOD))),
        ("id: with a zero", answer(put(SAMPLES, "a\0b", GOOD))),
        ("id: with an escape", answer(raw::delete(SAMPLES, "\u{1b}[31m"))),
        ("id: deleted, missing", answer(raw::delete(SAMPLES, "no"))),
    ]
}

fn bodies() -> Calls {
    let put = |body: &str| answer(put(SAMPLES, "body", body));
    let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let long = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
    vec![
        ("body: empty", put("")),
        ("body: truncated", put(r#"{"a":"#)),
        ("body: two values", put("{} {}")),
        ("body: a list", put("[]")),
        ("body: null", put("null")),
        ("body: with an id", put(r#"{"_id":"1"}"#)),
        ("body: a key twice", put(r#"{"a":1,"a":2}"#)),
        ("body: an integer of 65 bits", put(r#"{"a":18446744073709551616}"#)),
        ("body: an integer of a mebibyte", put(&format!(r#"{{"a":{}}}"#, "9".repeat(MIB / 2)))),
        ("body: infinite", put(r#"{"a":1e400}"#)),
        ("body: NaN", put(r#"{"a":NaN}"#)),
        ("body: an unpaired surrogate", put(r#"{"a":"\ud800"}"#)),
        ("body: 65 levels", put(&deep(65))),
        ("body: 100,000 levels", put(&deep(100_000))),
        ("body: a byte too long", put(&long(MIB + 1))),
        ("body: 4 mebibytes", put(&long(4 * MIB))),
        ("body: maximum size", put(&long(MIB))),
        ("body: maximum depth", put(&deep(64))),
        ("body: deleted", answer(raw::delete(SAMPLES, "body"))),
    ]
}

fn conditions() -> Calls {
    let put = |id, condition| answer(raw::put(SAMPLES, id, GOOD, condition));
    let good = Some("good");
    vec![
        ("condition: present, no document", put(good, raw::Condition::Present)),
        ("condition: a revision, no document", put(good, raw::Condition::At(1))),
        ("condition: present, new", put(None, raw::Condition::Present)),
        ("condition: a revision, new", put(None, raw::Condition::At(0))),
        ("condition: absent", put(good, raw::Condition::Absent)),
        ("condition: absent, existing document", put(good, raw::Condition::Absent)),
        ("condition: another revision", put(good, raw::Condition::At(u64::MAX))),
        ("condition: revision 0 of an uncommitted document", put(good, raw::Condition::At(0))),
    ]
}

fn edits() -> Calls {
    let set = |fields: &[(&str, &str)]| answer(set(SAMPLES, fields));
    let merge = |patch: &str| answer(raw::merge(SAMPLES, "good", patch));
    let deep = vec!["a"; 65].join(".");
    let long = format!(r#""{}""#, "x".repeat(MIB));
    vec![
        ("set: no document", answer(raw::set(SAMPLES, "no", &[("a".into(), "1".into())]))),
        ("set: an empty path", set(&[("", "1")])),
        ("set: an empty name", set(&[("a..b", "1")])),
        ("set: the id", set(&[("_id", r#""1""#)])),
        ("set: through a text", set(&[("text.a", "1")])),
        ("set: by name in a list", set(&[("list.a", "1")])),
        ("set: beyond the end of a list", set(&[("list.2", "1")])),
        ("set: overlapping paths", set(&[("a", "{}"), ("a.b", "1")])),
        ("set: one valid, one invalid", set(&[("a", "1"), ("text.a", "1")])),
        ("set: not JSON", set(&[("a", "{")])),
        ("set: infinite", set(&[("a", "1e400")])),
        ("set: too deep", set(&[(&deep, "1")])),
        ("set: too large", set(&[("a", &long)])),
        ("merge: no document", answer(raw::merge(SAMPLES, "no", "{}"))),
        ("merge: a list", merge("[]")),
        ("merge: not JSON", merge("{")),
        ("merge: the id", merge(r#"{"_id":"1"}"#)),
        ("merge: too large", merge(&format!(r#"{{"a":{long}}}"#))),
        ("edits: result", answer(raw::get(SAMPLES, "good").map(|it| it.map(|it| it.body)))),
    ]
}

fn filters() -> Calls {
    let count = |filter: &str| answer(raw::count(SAMPLES, filter));
    let deep = format!("{}{{}}{}", r#"{"$and":["#.repeat(200), "]}".repeat(200));
    let deepest = format!("{}{{}}{}", r#"{"$and":["#.repeat(100_000), "]}".repeat(100_000));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MIB));
    let alternatives = format!(r#"{{"$or":[{}{{}}]}}"#, "{},".repeat(20_000));
    vec![
        ("filter: empty", count("")),
        ("filter: a list", count("[]")),
        ("filter: not JSON", count("{'a':1}")),
        ("filter: JavaScript", count(r#"{"$where":"sleep(1000)"}"#)),
        ("filter: an unknown operator", count(r#"{"a":{"$near":1}}"#)),
        ("filter: operators and fields", count(r#"{"a":{"$gt":1,"b":2}}"#)),
        ("filter: not a list", count(r#"{"a":{"$in":1}}"#)),
        ("filter: an infinite bound", count(r#"{"a":{"$gt":1e400}}"#)),
        ("filter: an empty path", count(r#"{"":1}"#)),
        ("filter: an invalid pattern", count(r#"{"a":{"$regex":"("}}"#)),
        ("filter: a pattern that is too large", count(r#"{"a":{"$regex":"(a{1000}){1000}"}}"#)),
        ("filter: 200 levels", count(&deep)),
        ("filter: 100,000 levels", count(&deepest)),
        ("filter: a mebibyte", count(&long)),
        ("filter: 20,000 alternatives", count(&alternatives)),
        ("filter: all", count("{}")),
    ]
}

fn queries() -> Calls {
    let find = |query| answer(raw::find(SAMPLES, &query).map(|page| page.documents.len()));
    let all = || query("{}");
    let sorted = |path: &str, times: usize| raw::Query {
        sort: vec![raw::SortKey { path: path.to_owned(), descending: true }; times],
        ..all()
    };
    let at = |cursor: &str| raw::Query { cursor: Some(cursor.to_owned()), ..all() };
    vec![
        ("query: a page of 0", find(raw::Query { limit: Some(0), ..all() })),
        ("query: a page of 1,001", find(raw::Query { limit: Some(1_001), ..all() })),
        (
            "query: a page of the maximum number",
            find(raw::Query { limit: Some(u32::MAX), ..all() }),
        ),
        ("query: an invalid filter", find(query("[]"))),
        ("query: sorted by an empty path", find(sorted("", 1))),
        ("query: sorted by 9 fields", find(sorted("a", 9))),
        ("query: sorted by 8 fields", find(sorted("a", 8))),
        ("query: an empty cursor", find(at(""))),
        ("query: an invalid cursor", find(at("AAAA"))),
        ("query: a cursor of a mebibyte", find(at(&"A".repeat(MIB)))),
        (
            "query: a cursor of another query",
            find(raw::Query { cursor: cursor(), ..sorted("a", 1) }),
        ),
        ("query: a valid cursor", find(raw::Query { cursor: cursor(), ..all() })),
    ]
}

/// Returns the cursor of the second page of all documents.
fn cursor() -> Option<String> {
    put(SAMPLES, "second", "{}").ok()?;
    raw::find(SAMPLES, &raw::Query { limit: Some(1), ..query("{}") }).ok()?.next
}

fn query(filter: &str) -> raw::Query {
    raw::Query { filter: filter.to_owned(), sort: Vec::new(), limit: None, cursor: None }
}

fn put(collection: &str, id: &str, body: &str) -> Result<String, raw::Error> {
    raw::put(collection, Some(id), body, raw::Condition::Always)
}

fn set(collection: &str, fields: &[(&str, &str)]) -> Result<(), raw::Error> {
    let fields: Vec<_> =
        fields.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    raw::set(collection, "good", &fields)
}

/// Formats the result of a call as one line.
fn answer<T: std::fmt::Debug>(result: Result<T, raw::Error>) -> String {
    match result {
        Ok(value) => format!("ok: {value:?}"),
        Err(raw::Error::Denied(why)) => format!("denied: {why}"),
        Err(raw::Error::NotFound) => "not found".to_owned(),
        Err(raw::Error::Exists) => "exists".to_owned(),
        Err(raw::Error::Stale(revision)) => format!("stale: {revision:?}"),
        Err(raw::Error::Invalid(why)) => format!("invalid: {why}"),
        Err(raw::Error::TooLarge(why)) => format!("too large: {why}"),
        Err(raw::Error::Other((code, message))) => format!("{code}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json;

    use super::*;

    /// The calls whose answer is not `invalid`, with the kind of the answer.
    const OTHERS: [(&str, &str); 31] = [
        ("body: 4 mebibytes", "too large"),
        ("body: a byte too long", "too large"),
        ("body: deleted", "ok"),
        ("body: maximum depth", "ok"),
        ("body: maximum size", "ok"),
        ("collection: counted, not declared", "denied"),
        ("collection: deleted, for reading", "denied"),
        ("collection: found, not declared", "denied"),
        ("collection: merged, for reading", "denied"),
        ("collection: not declared", "denied"),
        ("collection: of the host", "denied"),
        ("collection: put, for reading", "denied"),
        ("collection: read, for reading", "ok"),
        ("collection: set, for reading", "denied"),
        ("collection: written, not declared", "denied"),
        ("condition: a revision, no document", "stale"),
        ("condition: absent", "ok"),
        ("condition: absent, existing document", "exists"),
        ("condition: another revision", "stale"),
        ("condition: present, no document", "not found"),
        ("condition: revision 0 of an uncommitted document", "ok"),
        ("edits: result", "ok"),
        ("filter: all", "ok"),
        ("id: 255 bytes", "ok"),
        ("id: deleted, missing", "ok"),
        ("merge: no document", "not found"),
        ("merge: too large", "too large"),
        ("query: a valid cursor", "ok"),
        ("query: sorted by 8 fields", "ok"),
        ("set: no document", "not found"),
        ("set: too large", "too large"),
    ];

    #[test]
    fn invalid_calls_are_rejected_with_the_matching_error() {
        let output = invalid_calls::OPERATION.invoke("{}").unwrap();
        let Answers { answers } = serde_json::from_str(&output).unwrap();
        assert_eq!(answers["edits: result"], format!("ok: Some({GOOD:?})"));
        let kind = |answer: &str| answer.split(':').next().unwrap().to_owned();
        let kinds = answers.iter().map(|(call, answer)| (call.as_str(), kind(answer)));
        let others: Vec<_> = kinds.filter(|(_, kind)| kind != "invalid").collect();
        let expected: Vec<_> = OTHERS.map(|(call, kind)| (call, kind.to_owned())).into();
        assert_eq!(others, expected);
        assert!(answers.values().all(|answer| answer.len() < 400), "{output}");
    }
}
