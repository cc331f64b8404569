//! Calls that no host should serve.

use std::collections::BTreeMap;

use ophost_sdk::macro_support::documents as raw;
use ophost_sdk::{Collection, DocumentError, ReadCollection, Result, model, operation};

/// What may be written.
#[model]
pub(crate) struct Odd {}

/// What may be read.
#[model]
pub(crate) struct Locked {}

/// What the host said to each call.
#[model]
pub(crate) struct Answers {
    /// By what was odd in the call.
    answers: BTreeMap<String, String>,
}

/// Makes odd calls, and returns what the host says to each. Afterwards there are two
/// documents in `odds`: `good`, and an empty one.
#[operation(name = "ledger.odd_documents", category = "test", async_enabled = true)]
pub(crate) fn odd_documents(_odds: Collection<Odd>, _lockeds: ReadCollection<Locked>) -> Answers {
    let mut answers = BTreeMap::new();
    for calls in [collections(), ids(), bodies(), conditions(), edits(), filters(), queries()] {
        answers.extend(calls.into_iter().map(|(what, answer)| (what.to_owned(), answer)));
    }
    Answers { answers }
}

/// Writes, then reads a collection that no model of it is in, and fails as the host says.
#[operation(name = "ledger.reach", category = "test", async_enabled = true)]
pub(crate) fn reach(odds: Collection<Odd>) -> Result<Answers> {
    odds.insert(&Odd {})?;
    match raw::get("others", "1") {
        Err(raw::Error::Denied(why)) => Err(DocumentError::Denied(why).into()),
        answered => Ok(Answers { answers: [("reach".to_owned(), answer(answered))].into() }),
    }
}

/// A filter.
#[model]
pub(crate) struct Asked {
    /// Its JSON text.
    filter: String,
}

/// Counts the documents in `odds` that a filter matches.
#[operation(name = "ledger.count_odds", category = "test", async_enabled = true)]
pub(crate) fn count_odds(input: Asked, _odds: Collection<Odd>) -> Answers {
    Answers { answers: [("count".to_owned(), answer(raw::count(ODDS, &input.filter)))].into() }
}

type Calls = Vec<(&'static str, String)>;

const ODDS: &str = "odds";
const GOOD: &str = r#"{"list":[1],"text":"a"}"#;
const MIB: usize = 1 << 20;

fn collections() -> Calls {
    let read = |collection: &str| answer(raw::get(collection, "1"));
    vec![
        ("collection: empty", read("")),
        ("collection: a path", read("../odds")),
        ("collection: with a slash", read("odds/1")),
        ("collection: in capitals", read("Odds")),
        ("collection: with a control character", read("odds\n")),
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
        ("id: empty", answer(raw::get(ODDS, ""))),
        ("id: 255 bytes", answer(raw::get(ODDS, &"i".repeat(255)))),
        ("id: 256 bytes", answer(raw::get(ODDS, &"i".repeat(256)))),
        ("id: a mebibyte", answer(put(ODDS, &"i".repeat(MIB), GOOD))),
        ("id: with a zero", answer(put(ODDS, "a\0b", GOOD))),
        ("id: with an escape", answer(raw::delete(ODDS, "\u{1b}[31m"))),
        ("id: deleted, not there", answer(raw::delete(ODDS, "no"))),
    ]
}

fn bodies() -> Calls {
    let put = |body: &str| answer(put(ODDS, "body", body));
    let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let long = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
    vec![
        ("body: empty", put("")),
        ("body: cut off", put(r#"{"a":"#)),
        ("body: two of them", put("{} {}")),
        ("body: a list", put("[]")),
        ("body: null", put("null")),
        ("body: with an id", put(r#"{"_id":"1"}"#)),
        ("body: a key twice", put(r#"{"a":1,"a":2}"#)),
        ("body: an integer of 65 bits", put(r#"{"a":18446744073709551616}"#)),
        ("body: an integer of a mebibyte", put(&format!(r#"{{"a":{}}}"#, "9".repeat(MIB / 2)))),
        ("body: infinite", put(r#"{"a":1e400}"#)),
        ("body: NaN", put(r#"{"a":NaN}"#)),
        ("body: half a character", put(r#"{"a":"\ud800"}"#)),
        ("body: 65 levels", put(&deep(65))),
        ("body: 100,000 levels", put(&deep(100_000))),
        ("body: a byte too long", put(&long(MIB + 1))),
        ("body: 4 mebibytes", put(&long(4 * MIB))),
        ("body: as large as can be", put(&long(MIB))),
        ("body: as deep as can be", put(&deep(64))),
        ("body: deleted", answer(raw::delete(ODDS, "body"))),
    ]
}

fn conditions() -> Calls {
    let put = |id, condition| answer(raw::put(ODDS, id, GOOD, condition));
    let good = Some("good");
    vec![
        ("condition: present, none there", put(good, raw::Condition::Present)),
        ("condition: a revision, none there", put(good, raw::Condition::At(1))),
        ("condition: present, new", put(None, raw::Condition::Present)),
        ("condition: a revision, new", put(None, raw::Condition::At(0))),
        ("condition: absent", put(good, raw::Condition::Absent)),
        ("condition: absent, one there", put(good, raw::Condition::Absent)),
        ("condition: another revision", put(good, raw::Condition::At(u64::MAX))),
        ("condition: the revision of what is not kept", put(good, raw::Condition::At(0))),
    ]
}

fn edits() -> Calls {
    let set = |fields: &[(&str, &str)]| answer(set(ODDS, fields));
    let merge = |patch: &str| answer(raw::merge(ODDS, "good", patch));
    let deep = vec!["a"; 65].join(".");
    let long = format!(r#""{}""#, "x".repeat(MIB));
    vec![
        ("set: nothing there", answer(raw::set(ODDS, "no", &[("a".into(), "1".into())]))),
        ("set: an empty path", set(&[("", "1")])),
        ("set: an empty name", set(&[("a..b", "1")])),
        ("set: the id", set(&[("_id", r#""1""#)])),
        ("set: through a text", set(&[("text.a", "1")])),
        ("set: by name in a list", set(&[("list.a", "1")])),
        ("set: behind the end of a list", set(&[("list.2", "1")])),
        ("set: one within the other", set(&[("a", "{}"), ("a.b", "1")])),
        ("set: one good, one bad", set(&[("a", "1"), ("text.a", "1")])),
        ("set: not JSON", set(&[("a", "{")])),
        ("set: infinite", set(&[("a", "1e400")])),
        ("set: too deep", set(&[(&deep, "1")])),
        ("set: too large", set(&[("a", &long)])),
        ("merge: nothing there", answer(raw::merge(ODDS, "no", "{}"))),
        ("merge: a list", merge("[]")),
        ("merge: not JSON", merge("{")),
        ("merge: the id", merge(r#"{"_id":"1"}"#)),
        ("merge: too large", merge(&format!(r#"{{"a":{long}}}"#))),
        ("edits: what is left", answer(raw::get(ODDS, "good").map(|it| it.map(|it| it.body)))),
    ]
}

fn filters() -> Calls {
    let count = |filter: &str| answer(raw::count(ODDS, filter));
    let deep = format!("{}{{}}{}", r#"{"$and":["#.repeat(200), "]}".repeat(200));
    let deepest = format!("{}{{}}{}", r#"{"$and":["#.repeat(100_000), "]}".repeat(100_000));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MIB));
    let alternatives = format!(r#"{{"$or":[{}{{}}]}}"#, "{},".repeat(20_000));
    vec![
        ("filter: empty", count("")),
        ("filter: a list", count("[]")),
        ("filter: not JSON", count("{'a':1}")),
        ("filter: a program", count(r#"{"$where":"sleep(1000)"}"#)),
        ("filter: an operator that is none", count(r#"{"a":{"$near":1}}"#)),
        ("filter: operators and fields", count(r#"{"a":{"$gt":1,"b":2}}"#)),
        ("filter: no list", count(r#"{"a":{"$in":1}}"#)),
        ("filter: an infinite bound", count(r#"{"a":{"$gt":1e400}}"#)),
        ("filter: an empty path", count(r#"{"":1}"#)),
        ("filter: a pattern that is none", count(r#"{"a":{"$regex":"("}}"#)),
        ("filter: a pattern without end", count(r#"{"a":{"$regex":"(a{1000}){1000}"}}"#)),
        ("filter: 200 levels", count(&deep)),
        ("filter: 100,000 levels", count(&deepest)),
        ("filter: a mebibyte", count(&long)),
        ("filter: 20,000 alternatives", count(&alternatives)),
        ("filter: all", count("{}")),
    ]
}

fn queries() -> Calls {
    let find = |query| answer(raw::find(ODDS, &query).map(|page| page.documents.len()));
    let all = || query("{}");
    let sorted = |path: &str, times: usize| raw::Query {
        sort: vec![raw::SortKey { path: path.to_owned(), descending: true }; times],
        ..all()
    };
    let at = |cursor: &str| raw::Query { cursor: Some(cursor.to_owned()), ..all() };
    vec![
        ("query: a page of none", find(raw::Query { limit: Some(0), ..all() })),
        ("query: a page of 1,001", find(raw::Query { limit: Some(1_001), ..all() })),
        ("query: a page of everything", find(raw::Query { limit: Some(u32::MAX), ..all() })),
        ("query: no filter", find(query("[]"))),
        ("query: sorted by an empty path", find(sorted("", 1))),
        ("query: sorted by 9 fields", find(sorted("a", 9))),
        ("query: sorted by 8 fields", find(sorted("a", 8))),
        ("query: an empty cursor", find(at(""))),
        ("query: a cursor that is none", find(at("AAAA"))),
        ("query: a cursor of a mebibyte", find(at(&"A".repeat(MIB)))),
        (
            "query: a cursor of another query",
            find(raw::Query { cursor: cursor(), ..sorted("a", 1) }),
        ),
        ("query: a cursor of its own", find(raw::Query { cursor: cursor(), ..all() })),
    ]
}

/// Returns where the second page of all documents begins.
fn cursor() -> Option<String> {
    put(ODDS, "second", "{}").ok()?;
    raw::find(ODDS, &raw::Query { limit: Some(1), ..query("{}") }).ok()?.next
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

/// Returns what the host said, in a line.
fn answer<T: std::fmt::Debug>(answer: Result<T, raw::Error>) -> String {
    match answer {
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

    /// What is not `invalid`.
    const OTHERS: [(&str, &str); 31] = [
        ("body: 4 mebibytes", "too large"),
        ("body: a byte too long", "too large"),
        ("body: as deep as can be", "ok"),
        ("body: as large as can be", "ok"),
        ("body: deleted", "ok"),
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
        ("condition: a revision, none there", "stale"),
        ("condition: absent", "ok"),
        ("condition: absent, one there", "exists"),
        ("condition: another revision", "stale"),
        ("condition: present, none there", "not found"),
        ("condition: the revision of what is not kept", "ok"),
        ("edits: what is left", "ok"),
        ("filter: all", "ok"),
        ("id: 255 bytes", "ok"),
        ("id: deleted, not there", "ok"),
        ("merge: nothing there", "not found"),
        ("merge: too large", "too large"),
        ("query: a cursor of its own", "ok"),
        ("query: sorted by 8 fields", "ok"),
        ("set: nothing there", "not found"),
        ("set: too large", "too large"),
    ];

    #[test]
    fn odd_calls_are_refused_as_what_they_are() {
        let output = odd_documents::OPERATION.invoke("{}").unwrap();
        let Answers { answers } = serde_json::from_str(&output).unwrap();
        assert_eq!(answers["edits: what is left"], format!("ok: Some({GOOD:?})"));
        let kind = |answer: &str| answer.split(':').next().unwrap().to_owned();
        let kinds = answers.iter().map(|(what, answer)| (what.as_str(), kind(answer)));
        let others: Vec<_> = kinds.filter(|(_, kind)| kind != "invalid").collect();
        let expected: Vec<_> = OTHERS.map(|(what, kind)| (what, kind.to_owned())).into();
        assert_eq!(others, expected);
        assert!(answers.values().all(|answer| answer.len() < 400), "{output}");
    }
}
