//! Property tests: compares the optimised code with a simple model, for random inputs.

mod indexes;
mod model;

use std::cmp::Ordering;
use std::convert::Infallible;
use std::ops::ControlFlow;

use serde::de::DeserializeSeed;
use serde_json::{Map, Value, json};

use crate::body::Body;
use crate::filter::Filter;
use crate::find::{Document, PageBuilder};
use crate::name::{CollectionName, DocumentId};
use crate::path::Path;
use crate::projection::{Fields, ProjectedFields, Projection};
use crate::query::{Cursor, Query};
use crate::sort::{Sort, SortBy};
use crate::{diff, edit, order};

/// A generator of pseudo-random values and filters, which are the same in every run.
struct Random(fastrand::Rng);

impl Random {
    fn new() -> Self {
        Self(fastrand::Rng::with_seed(1))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Returns a value from a small range, so that equal and similar values are frequent.
    fn value(&mut self, depth: usize) -> Value {
        let small = self.below(4);
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => json!(null),
            1 => json!(small < 2),
            2 => json!(small),
            3 => json!(small as f64 / 2.0),
            4 => json!(9_007_199_254_740_992_u64 + small as u64),
            5 => json!(self.one_of(&["", "a", "ab", "b\u{0}", "ä", "A"])),
            6 | 7 => (0..small).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(self.object(depth - 1)),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let count = self.below(4);
        (0..count)
            .map(|_| (self.one_of(&["a", "b", "c", "0", "1"]).to_owned(), self.value(depth)))
            .collect()
    }

    fn path(&mut self) -> String {
        let parts = 1 + self.below(3);
        let parts: Vec<_> =
            (0..parts).map(|_| self.one_of(&["a", "b", "c", "0", "1", "a"])).collect();
        parts.join(".")
    }

    /// Returns a valid filter.
    fn filter(&mut self, depth: usize) -> Value {
        let mut filter = Map::new();
        for _ in 0..self.below(3) {
            match self.below(if depth == 0 { 3 } else { 5 }) {
                0 => drop(filter.insert(self.path(), self.value(2))),
                1 | 2 => drop(filter.insert(self.path(), self.operators(depth))),
                _ => {
                    let operator = self.one_of(&["$and", "$or", "$nor"]).to_owned();
                    let count = 1 + self.below(3);
                    let filters = (0..count).map(|_| self.filter(depth - 1)).collect();
                    filter.insert(operator, filters);
                }
            }
        }
        Value::Object(filter)
    }

    fn operators(&mut self, depth: usize) -> Value {
        let mut operators = Map::new();
        for _ in 0..=self.below(2) {
            let (operator, argument) = match self.below(if depth == 0 { 10 } else { 13 }) {
                0 => ("$ne", self.value(2)),
                1 => ("$gt", self.value(2)),
                2 => ("$gte", self.value(2)),
                3 => ("$lt", self.value(2)),
                4 => ("$lte", self.value(2)),
                5 => ("$in", (0..self.below(4)).map(|_| self.value(2)).collect()),
                6 => ("$nin", (0..self.below(4)).map(|_| self.value(2)).collect()),
                7 => ("$exists", json!(self.below(2) == 0)),
                8 => ("$size", json!(self.below(3))),
                9 => ("$regex", json!(self.one_of(&["a", "^b", "ä$", ""]))),
                10 => ("$not", self.operators(depth - 1)),
                11 => ("$elemMatch", self.filter(depth - 1)),
                _ => ("$elemMatch", self.operators(depth - 1)),
            };
            operators.insert(operator.to_owned(), argument);
        }
        Value::Object(operators)
    }

    /// Returns a value that resembles a filter but is usually invalid.
    fn malformed_filter(&mut self, depth: usize) -> Value {
        const NAMES: [&str; 22] = [
            "$eq",
            "$ne",
            "$gt",
            "$gte",
            "$lt",
            "$lte",
            "$in",
            "$nin",
            "$and",
            "$or",
            "$nor",
            "$not",
            "$exists",
            "$regex",
            "$options",
            "$size",
            "$elemMatch",
            "$",
            "$x",
            "a",
            "a..b",
            "",
        ];
        if depth == 0 || self.below(5) == 0 {
            return self.value(1);
        }
        let count = self.below(3);
        match self.below(3) {
            0 => (0..count).map(|_| self.malformed_filter(depth - 1)).collect(),
            _ => Value::Object(
                (0..count)
                    .map(|_| (self.one_of(&NAMES).to_owned(), self.malformed_filter(depth - 1)))
                    .collect(),
            ),
        }
    }
}

fn id(number: usize) -> DocumentId {
    DocumentId::new(format!("{number:05}")).unwrap()
}

#[test]
fn order_is_total_and_transitive() {
    let mut random = Random::new();
    let values: Vec<_> = (0..150).map(|_| random.value(3)).collect();
    for a in &values {
        assert!(order::equal(a, a) && order::compare(a, a).is_eq(), "{a}");
        for b in &values {
            let order = order::compare(a, b);
            assert_eq!(order, order::compare(b, a).reverse(), "{a} and {b}");
            assert_eq!(order.is_eq(), order::equal(a, b), "{a} and {b}");
            assert_eq!(order, model::compare(a, b), "{a} and {b}");
            for c in values.iter().filter(|c| order.is_le() && order::compare(b, c).is_le()) {
                assert!(order::compare(a, c).is_le(), "{a}, {b} and {c}");
            }
        }
    }
}

#[test]
fn filter_survives_a_round_trip() {
    let mut random = Random::new();
    for _ in 0..3_000 {
        let source = random.filter(3);
        let filter = Filter::parse(&source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(Filter::parse(filter.source()).unwrap(), filter);
        assert_eq!(Filter::parse_text(&filter.source().to_string()).unwrap(), filter);
    }
}

/// Replaces a random part of a value by an operator.
fn insert_operator(random: &mut Random, value: &mut Value) {
    let descends = random.below(3) > 0;
    let inner = match value {
        Value::Array(items) if descends => items.last_mut(),
        Value::Object(fields) if descends => fields.values_mut().last(),
        _ => None,
    };
    match inner {
        Some(inner) => insert_operator(random, inner),
        None => *value = json!({"$gt": random.value(1)}),
    }
}

#[test]
fn operator_inside_a_value_is_rejected() {
    let mut random = Random::new();
    for _ in 0..3_000 {
        let mut value = random.value(4);
        insert_operator(&mut random, &mut value);
        let operator = random.one_of(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]);
        for condition in [
            json!({operator: value}),
            json!({"$in": [1, value]}),
            json!({"$nin": [value]}),
            json!({"b": value}),
            json!([value]),
        ] {
            for filter in [
                json!({"a": condition}),
                json!({"$nor": [{"a": {"$not": {"$ne": condition}}}]}),
                json!({"a": {"$elemMatch": {"b": condition}}}),
            ] {
                assert!(Filter::parse(&filter).is_err(), "{filter}");
            }
        }
    }
}

#[test]
fn filters_match_the_same_documents_as_the_model() {
    let mut random = Random::new();
    let mut results = [0; 2];
    for _ in 0..5_000 {
        let source = random.filter(3);
        let filter = Filter::parse(&source).unwrap_or_else(|error| panic!("{source}: {error}"));
        let projection = filter.scan().projection;
        for number in 0..10 {
            let document = random.object(4);
            let expected = model::matches(&source, &document);
            let whole = filter.matches(&id(number), &document);
            let projected = filter.matches(&id(number), &project(&projection, &document));
            let document = Value::Object(document);
            assert_eq!([whole, projected], [expected; 2], "{source} and {document}");
            results[usize::from(whole)] += 1;
        }
    }
    assert!(results.iter().all(|count| *count > 10_000), "{results:?}");
}

#[test]
fn malformed_filter_does_not_panic() {
    let mut random = Random::new();
    let mut valid = 0;
    for _ in 0..20_000 {
        let source = random.malformed_filter(5);
        if let Ok(filter) = Filter::parse(&source) {
            valid += 1;
            filter.matches(&id(0), &random.object(4));
        }
    }
    assert!(valid > 1_000, "{valid}");
}

#[test]
fn malformed_text_does_not_panic() {
    let mut random = Random::new();
    let good = r#"{"a.b": {"$in": [1, "x\u00e4"], "$regex": "^a|b", "$options": "i"}}"#;
    let cursor = "01f10de31f43ee00997861";
    for _ in 0..20_000 {
        let mut broken = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=random.below(3) {
                let index = random.below(bytes.len());
                match random.below(3) {
                    0 => bytes[index] = random.below(256) as u8,
                    1 => bytes.truncate(index + 1),
                    _ => bytes.insert(index, random.one_of(b"{}[]\",:$.01\\")),
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if let Ok(filter) = Filter::parse_text(&broken(good)) {
            assert_eq!(Filter::parse(filter.source()).unwrap(), filter);
        }
        if let Ok(body) = Body::parse(&broken(good)) {
            assert_eq!(Body::parse(&body.text()).unwrap(), body);
        }
        if let Ok(path) = Path::parse(&broken("a.b.0")) {
            assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
        }
        if let Ok(read) = Cursor::parse(&broken(cursor)) {
            assert_eq!(Cursor::parse(&read.to_string()).unwrap(), read);
        }
    }
}

/// Returns the projected fields of a document, deserialised from its text.
fn project(projection: &Projection, document: &Map<String, Value>) -> ProjectedFields {
    let text = serde_json::to_string(document).unwrap();
    let read = projection.deserialize(&mut serde_json::Deserializer::from_str(&text)).unwrap();
    assert_eq!(read, projection.select(document));
    read
}

fn offer(builder: &mut PageBuilder, id: &DocumentId, fields: &dyn Fields) -> ControlFlow<()> {
    let whole = || Document { id: id.clone(), revision: 1, body: String::new() };
    let Ok(flow) = builder.offer(id, fields, || Ok::<_, Infallible>(whole()));
    flow
}

/// Returns the ids of all documents of a query, page by page.
fn all_pages(
    random: &mut Random,
    documents: &[Map<String, Value>],
    (filter, sort): (&Filter, &Sort),
) -> Vec<DocumentId> {
    let collection = CollectionName::new("jobs").unwrap();
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let limit = 1 + random.below(7) as u32;
        let query =
            Query::new(&collection, filter.clone(), sort.clone(), Some(limit), cursor.as_deref());
        let query = query.unwrap();
        let projection = query.scan().projection;
        let mut builder = PageBuilder::new(query);
        for (number, document) in documents.iter().enumerate() {
            if offer(&mut builder, &id(number), &project(&projection, document)).is_break() {
                break;
            }
        }
        let page = builder.page();
        assert!(page.documents.len() <= limit as usize);
        ids.extend(page.documents.into_iter().map(|document| document.id));
        match page.next {
            Some(next) => cursor = Some(next.to_string()),
            None => return ids,
        }
    }
}

#[test]
fn pages_of_a_query_contain_all_matching_documents_in_order() {
    let mut random = Random::new();
    for _ in 0..300 {
        let documents: Vec<_> = (0..random.below(40)).map(|_| random.object(3)).collect();
        let filter = Filter::parse(&random.filter(1)).unwrap();
        let by = |random: &mut Random| SortBy {
            path: Path::parse(&random.path()).unwrap(),
            descending: random.below(2) == 0,
        };
        let sort: Vec<_> = (0..random.below(4)).map(|_| by(&mut random)).collect();
        let mut expected: Vec<_> = (0..documents.len())
            .filter(|number| filter.matches(&id(*number), &documents[*number]))
            .collect();
        expected.sort_by(|a, b| {
            let compare = |by: &SortBy| model::compare_by(by, &documents[*a], &documents[*b]);
            sort.iter().map(compare).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        let sort = Sort::new(sort).unwrap();
        assert_eq!(all_pages(&mut random, &documents, (&filter, &sort)), expected, "{sort:?}");
    }
}

#[test]
fn merge_agrees_with_the_algorithm_of_the_rfc() {
    let mut random = Random::new();
    for _ in 0..3_000 {
        let (document, patch) = (random.object(4), Value::Object(random.object(4)));
        let merged = edit::merge(&document.clone().try_into().unwrap(), &patch).unwrap();
        let expected = model::merge(Some(&Value::Object(document)), &patch);
        assert_eq!(Value::Object(Map::clone(&merged)), expected);
    }
}

#[test]
fn set_changes_only_the_given_path() {
    let mut random = Random::new();
    let mut set = 0;
    for _ in 0..5_000 {
        let before: Body = random.object(3).try_into().unwrap();
        let (path, value) = (random.path(), random.value(1));
        let fields = [(Path::parse(&path).unwrap(), value.clone())];
        let Ok(after) = edit::set(&before, &fields) else { continue };
        set += 1;
        let after = Value::Object(Map::clone(&after));
        assert_eq!(after.pointer(&format!("/{}", path.replace('.', "/"))), Some(&value));
        let changes = diff::changes(Some(&before), after.as_object(), usize::MAX);
        let is_related = |change: &str| path.starts_with(change) || change.starts_with(&path);
        assert!(changes.listed.iter().all(|change| is_related(&change.path)), "{changes:?}");
    }
    assert!(set > 2_000, "{set}");
}

#[test]
fn diff_is_symmetric_and_empty_only_for_equal_documents() {
    let mut random = Random::new();
    for _ in 0..3_000 {
        let (before, after) = (random.object(2), random.object(2));
        let forward = diff::changes(Some(&before), Some(&after), usize::MAX).listed;
        assert_eq!(forward.is_empty(), before == after);
        let mut backward = diff::changes(Some(&after), Some(&before), usize::MAX).listed;
        for change in &mut backward {
            std::mem::swap(&mut change.before, &mut change.after);
        }
        let sorted = |mut changes: Vec<diff::FieldChange>| {
            changes.sort_by(|a, b| a.path.cmp(&b.path));
            changes
        };
        assert_eq!(sorted(backward), sorted(forward));
    }
}

fn job(number: usize) -> Map<String, Value> {
    let status = ["open", "closed", "draft"][number % 3];
    let job = json!({
        "title": format!("Job {number}"), "company": {"name": "Acme", "size": 12},
        "status": status, "remote": true,
        "tags": ["rust", "wasm"], "salary": number % 2_000, "url": "https://example.org/jobs",
        "notes": null, "posted": "2026-01-01", "score": 0.5
    });
    job.as_object().unwrap().clone()
}

/// Prints the time for each document of a scan.
///
/// The documents of the first scan fit into the CPU cache, those of the second do not. Run it with `cargo test -p ophost-document cost -- --ignored --nocapture`.
#[test]
#[ignore = "prints times and checks nothing"]
fn cost_of_a_document() {
    for (count, rounds) in [(100, 1_000), (100_000, 1)] {
        let documents: Vec<_> = (0..count).map(|number| (id(number), job(number))).collect();
        let time = |label: &str, scan: &mut dyn FnMut(&DocumentId, &Map<String, Value>)| {
            let start = std::time::Instant::now();
            for _ in 0..rounds {
                documents.iter().for_each(|(id, document)| scan(id, document));
            }
            let each = start.elapsed().as_nanos() / (count * rounds) as u128;
            println!("{each:5} ns for each of {count} documents: {label}");
        };
        for source in [
            json!({"status": "open", "salary": {"$gte": 1000}}),
            json!({"company.name": "Acme", "tags": {"$in": ["rust", "go"]}}),
            json!({"title": {"$regex": "9$"}}),
            json!({"_id": "00007"}),
        ] {
            let filter = Filter::parse(&source).unwrap();
            time(&source.to_string(), &mut |id, document| {
                std::hint::black_box(filter.matches(id, document));
            });
        }
        let by = |path| SortBy { path: Path::parse(path).unwrap(), descending: true };
        let sort = Sort::new(vec![by("salary"), by("title")]).unwrap();
        let name = CollectionName::new("jobs").unwrap();
        let query = Query::new(&name, Filter::all(), sort, None, None).unwrap();
        let mut builder = PageBuilder::new(query);
        time("sorted by two fields", &mut |id, document| {
            assert!(offer(&mut builder, id, document).is_continue());
        });
    }
}
