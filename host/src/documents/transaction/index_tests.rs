//! Property test: queries of random documents with indexes, compared with a model without indexes.

use fastrand::Rng;
use ophost_document::Collection;
use serde_json::{Map, Value, json};

use super::tests::{commit, job, put, transaction_with};
use super::*;
use crate::documents::reader::DocumentReader;
use crate::documents::transaction::DocumentTransaction;
use crate::model::document::{Sort, SortBy};
use crate::store::{
    BuildIndexOutcome, CreateIndexOutcome, NewIndex, ShutdownMode, Store, StoreHandle,
};
use crate::util::private_dir::DataDir;

/// Length at which the keys of texts are truncated, in bytes.
const TRUNCATED: usize = 511;
/// Names of documents, so that the later ones of a test replace earlier ones.
const IDS: usize = 60;

/// A generator of pseudo-random documents and queries.
struct Random(Rng);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Returns a value from a small range, so that equal and similar values are frequent.
    fn value(&mut self, depth: usize) -> Value {
        let small = self.below(4);
        match self.below(if depth == 0 { 7 } else { 10 }) {
            0 => json!(null),
            1 => json!(small < 2),
            2 => json!(small),
            3 => json!(small as f64 / 2.0),
            4 => json!(9_007_199_254_740_992_u64 + small as u64),
            5 => json!(self.one_of(&["", "a", "ab", "ä"])),
            6 => json!(format!("{}{small}", "x".repeat(TRUNCATED - self.below(3)))),
            7 | 8 => (0..small).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(self.object(depth - 1)),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let names: Vec<_> = ["a", "b"].into_iter().filter(|_| self.0.bool()).collect();
        names.into_iter().map(|name| (name.to_owned(), self.value(depth))).collect()
    }

    fn condition(&mut self) -> Value {
        let operator = self.one_of(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$exists"]);
        let argument = match operator {
            "$in" => (0..self.below(4)).map(|_| self.value(1)).collect(),
            "$exists" => json!(self.0.bool()),
            _ => self.value(1),
        };
        match self.below(7) {
            0 => json!({"$elemMatch": {operator: argument}}),
            1 => json!({"$not": {operator: argument}}),
            2 => json!({"$regex": self.one_of(&["^a", "^x", "b", "^ab?", "^a|b"])}),
            3 => json!({operator: argument, "$lt": self.value(1)}),
            4 => json!({"$gte": self.below(4), "$lt": self.below(4)}),
            _ => json!({operator: argument}),
        }
    }

    fn filter(&mut self) -> Filter {
        let mut filter = Map::new();
        for _ in 0..=self.below(2) {
            filter.insert(self.one_of(&["a", "b", "a.b", "b.a"]).to_owned(), self.condition());
        }
        if self.below(5) == 0 {
            filter = Map::from_iter([("$or".to_owned(), json!([filter, {"a": self.value(1)}]))]);
        }
        Filter::parse(&Value::Object(filter)).unwrap()
    }

    fn sort(&mut self) -> Sort {
        let by = |random: &mut Self| SortBy {
            path: Path::parse(random.one_of(&["a", "b", "a.b", "_id"])).unwrap(),
            descending: random.0.bool(),
        };
        Sort::new((0..self.below(3)).map(|_| by(self)).collect()).unwrap()
    }
}

async fn add_index(store: &dyn Store, path: &str) {
    let (collection, field) = (job("x").collection, path.parse().unwrap());
    let index = NewIndex { collection, field, unique: false };
    assert_eq!(store.create_index(&index).await.unwrap(), CreateIndexOutcome::Building);
    while let BuildIndexOutcome::Building { .. } =
        store.build_index(&index.collection, &index.field).await.unwrap()
    {}
}

/// Writes or deletes some documents.
async fn change(random: &mut Random, transaction: &DocumentTransaction, model: &mut Collection) {
    for _ in 0..random.below(8) {
        let address = job(&format!("{:02}", random.below(IDS)));
        if random.below(4) == 0 {
            let existed = transaction.delete(&address).await.unwrap();
            assert_eq!(model.delete(&address.id), existed);
        } else {
            let body = Value::Object(random.object(3));
            put(transaction, address.id.as_str(), body.clone()).await.unwrap();
            model.put(address.id, body.try_into().unwrap(), Condition::Always).unwrap();
        }
    }
}

/// Compares all pages of a random query, and a count.
async fn compare(
    random: &mut Random,
    find: impl AsyncFn(Query) -> Page,
    count: impl AsyncFn(Filter) -> u64,
    model: &Collection,
) {
    let collection = job("x").collection;
    let (filter, sort, limit) = (random.filter(), random.sort(), 1 + random.below(20) as u32);
    assert_eq!(count(filter.clone()).await, model.count(&filter), "{filter:?}");
    let mut cursor = None::<String>;
    loop {
        let query = || {
            let (filter, sort) = (filter.clone(), sort.clone());
            Query::new(&collection, filter, sort, Some(limit), cursor.as_deref()).unwrap()
        };
        let (found, expected) = (find(query()).await, model.find(query()));
        let content = |page: &Page| {
            let of = |it: &Document| (it.id.clone(), it.body.clone());
            page.documents.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(content(&found), content(&expected), "{filter:?} {sort:?}");
        assert_eq!(found.next, expected.next);
        match found.next {
            Some(next) => cursor = Some(next.to_string()),
            None => return,
        }
    }
}

async fn compare_transaction(
    random: &mut Random,
    transaction: &DocumentTransaction,
    model: &Collection,
) {
    let collection = &job("x").collection;
    let find = async |query| transaction.find(collection, query).await.unwrap();
    let count = async |filter| transaction.count(collection, filter).await.unwrap();
    compare(random, find, count, model).await;
}

async fn compare_reader(random: &mut Random, store: &StoreHandle, model: &Collection) {
    let (reader, collection) = (DocumentReader::new(store), job("x").collection);
    let find = async |query| reader.find(collection.clone(), query).await.unwrap();
    let count = async |filter| reader.count(collection.clone(), filter).await.unwrap();
    compare(random, find, count, model).await;
}

#[tokio::test]
async fn queries_with_indexes_have_the_results_of_a_full_scan() {
    let directory = tempfile::tempdir().unwrap();
    let handle = StoreHandle::new(&DataDir::new(directory.path()), ShutdownMode::Clean);
    let store = handle.store();
    let (mut random, mut model) = (Random(Rng::with_seed(1)), Collection::default());
    for round in 0..400 {
        match round {
            40 => add_index(&**store, "a").await,
            80 => add_index(&**store, "a.b").await,
            120 => add_index(&**store, "b").await,
            _ => {}
        }
        let transaction = transaction_with(store, 1 << 20);
        for _ in 0..4 {
            compare_reader(&mut random, &handle, &model).await;
            compare_transaction(&mut random, &transaction, &model).await;
        }
        change(&mut random, &transaction, &mut model).await;
        for _ in 0..4 {
            compare_transaction(&mut random, &transaction, &model).await;
        }
        assert!(commit(store, &transaction).await);
    }
    let problems = handle.maintenance("check").unwrap().check().await.unwrap();
    assert_eq!(problems, [""; 0]);
}
