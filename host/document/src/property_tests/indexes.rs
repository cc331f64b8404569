//! Property tests of index keys and bounds.

use super::{Random, id};
use crate::filter::Filter;
use crate::index::{IndexField, IndexKey, bounds_of, keys_of};
use crate::order;
use serde_json::{Map, Value, json};

/// Length at which the keys of texts are truncated, in bytes.
const TRUNCATED: usize = 511;

/// Replaces some texts by long texts with a common start.
fn lengthen(random: &mut Random, value: &mut Value) {
    match value {
        Value::String(text) if random.below(2) == 0 => {
            let start = TRUNCATED - random.below(3);
            *text = format!("{}{text}", "x".repeat(start));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| lengthen(random, item)),
        Value::Object(fields) => fields.values_mut().for_each(|field| lengthen(random, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns a random field without a list position.
fn field(random: &mut Random) -> IndexField {
    let parts: Vec<_> = (0..=random.below(2)).map(|_| random.one_of(&["a", "b", "c"])).collect();
    parts.join(".").parse().unwrap()
}

fn document(random: &mut Random) -> Map<String, Value> {
    let mut document: Map<_, _> =
        ["a", "b", "c"].map(|name| (name.to_owned(), random.value(2))).into_iter().collect();
    document.remove(random.one_of(&["a", "b", "c", "d"]));
    document.values_mut().for_each(|value| lengthen(random, value));
    document
}

#[test]
fn index_keys_have_the_order_of_their_values() {
    let mut random = Random::new();
    let mut values: Vec<_> = (0..300).map(|_| random.value(3)).collect();
    values.iter_mut().for_each(|value| lengthen(&mut random, value));
    for a in &values {
        for b in &values {
            let (order, [a_key, b_key]) = (order::compare(a, b), [a, b].map(IndexKey::of));
            let keys = a_key.cmp(&b_key);
            let is_cut = keys.is_eq() && a_key.is_truncated();
            assert!(keys == order || is_cut, "{a} and {b}");
        }
    }
}

#[test]
fn every_matching_document_has_a_key_in_the_bounds() {
    let mut random = Random::new();
    let (mut used, mut excluded) = (0, 0);
    for _ in 0..20_000 {
        let (field, mut source) = (field(&mut random), random.filter(1));
        source[field.to_string()] = match random.below(3) {
            0 => random.value(2),
            _ => random.operators(1),
        };
        lengthen(&mut random, &mut source);
        let Ok(filter) = Filter::parse(&source) else { continue };
        for number in 0..10 {
            let document = document(&mut random);
            let keys = keys_of(&field, &document);
            let is_match = filter.matches(&id(number), &document);
            for bounds in bounds_of(&filter, &field, keys.len() > 1) {
                let is_within = keys.iter().any(|key| bounds.contains(key));
                used += usize::from(is_match);
                excluded += usize::from(!is_within);
                assert!(!is_match || is_within, "{source} {field} {}", json!(document));
            }
        }
    }
    assert!(used > 2_000 && excluded > 10_000, "{used} {excluded}");
}

#[test]
fn documents_with_a_common_value_match_the_same_filter_for_equality() {
    let mut random = Random::new();
    let mut found = 0;
    for _ in 0..20_000 {
        let (field, [a, b]) = (field(&mut random), [(); 2].map(|()| document(&mut random)));
        let common = field.common_value(&a, &b);
        let has_common_key = !keys_of(&field, &a).is_disjoint(&keys_of(&field, &b));
        assert!(common.is_none() || has_common_key);
        if let Some(value) = common {
            found += 1;
            let filter = Filter::parse(&json!({field.to_string(): {"$eq": value}})).unwrap();
            assert!(filter.matches(&id(0), &a) && filter.matches(&id(1), &b), "{filter:?}");
        }
    }
    assert!(found > 100, "{found}");
}
