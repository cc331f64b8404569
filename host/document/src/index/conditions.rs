//! The key ranges that a filter selects in an index.

use serde_json::Value;

use super::bounds::{Bounds, KeyRange, after};
use super::field::IndexField;
use super::key::IndexKey;
use crate::filter::{Clause, Comparison, Filter, Item, Pattern, Probe, Test};
use crate::path::Path;
use crate::sort::encode_text_prefix;
use crate::text;

/// Returns bounds of which each contains a key of every document that the filter matches. Empty if
/// the filter does not restrict the keys.
///
/// Different items of a list can satisfy different conditions. With `has_lists`, conditions are
/// therefore not combined, and the caller chooses one of the bounds. Without it, every document
/// must have exactly one key.
pub fn bounds_of(filter: &Filter, field: &IndexField, has_lists: bool) -> Vec<Bounds> {
    let mut found = Vec::new();
    add_clause(filter.clause(), field.path(), &mut found);
    match has_lists {
        true => found,
        false => found.into_iter().reduce(Bounds::intersect).into_iter().collect(),
    }
}

fn add_clause(clause: &Clause, path: &Path, found: &mut Vec<Bounds>) {
    match clause {
        Clause::All(clauses) => clauses.iter().for_each(|it| add_clause(it, path, found)),
        Clause::Field(at, test) if at == path => add_test(test, found),
        Clause::Field(..)
        | Clause::Any(_)
        | Clause::Nor(_)
        | Clause::Id(_)
        | Clause::WithinId(_) => {}
    }
}

fn add_test(test: &Test, found: &mut Vec<Bounds>) {
    match test {
        Test::All(tests) => tests.iter().for_each(|test| add_test(test, found)),
        Test::One(probe) => found.extend(of_probe(probe)),
        Test::Not(test) if matches!(**test, Test::Exists) => {
            found.push(Bounds::new(vec![point(&Value::Null)], "missing".to_owned()));
        }
        Test::Item(item) => match &**item {
            Item::Itself(test) => found.extend(of_item(test)),
            Item::Object(_) => {}
        },
        Test::Not(_) | Test::Exists | Test::Size(_) => {}
    }
}

/// Returns the bounds of an item of a list, which satisfies all tests itself.
fn of_item(test: &Test) -> Option<Bounds> {
    match test {
        Test::All(tests) => tests.iter().filter_map(of_item).reduce(Bounds::intersect),
        Test::One(probe) => of_probe(probe),
        Test::Not(_) | Test::Exists | Test::Size(_) | Test::Item(_) => None,
    }
}

fn of_probe(probe: &Probe) -> Option<Bounds> {
    match probe {
        Probe::Compare(comparison, value) => Some(of_comparison(*comparison, value)),
        Probe::In(values) => {
            // The values are in ascending order. Truncated keys can be equal.
            let mut points: Vec<_> = values.iter().map(point).collect();
            points.dedup();
            let noun = if values.len() == 1 { "value" } else { "values" };
            Some(Bounds::new(points, format!("in {} {noun}", values.len())))
        }
        Probe::Matches(pattern) => of_pattern(pattern),
    }
}

fn of_pattern(pattern: &Pattern) -> Option<Bounds> {
    let prefix = pattern.literal_prefix()?;
    let from = encode_text_prefix(prefix);
    let range = KeyRange::new(from.clone(), after(&from));
    Some(Bounds::new(vec![range], format!("begins with {}", shown(&Value::from(prefix)))))
}

fn of_comparison(comparison: Comparison, value: &Value) -> Bounds {
    let key = IndexKey::of(value);
    let (first, end) = type_range(&key);
    let (before, behind) = (key.as_bytes().to_vec(), after(key.as_bytes()));
    // Values on both sides can have the key if it is truncated.
    let is_exact = !key.is_truncated();
    let (range, operator) = match comparison {
        Comparison::Equal => (KeyRange::point(&key), "="),
        Comparison::Greater => (KeyRange::new(if is_exact { behind } else { before }, end), ">"),
        Comparison::GreaterOrEqual => (KeyRange::new(before, end), ">="),
        Comparison::Less => (KeyRange::new(first, if is_exact { before } else { behind }), "<"),
        Comparison::LessOrEqual => (KeyRange::new(first, behind), "<="),
    };
    Bounds::new(vec![range], format!("{operator} {}", shown(value)))
}

/// Returns the start and the end of the keys of values with the same type.
fn type_range(key: &IndexKey) -> (Vec<u8>, Vec<u8>) {
    let first_byte = |value: Value| IndexKey::of(&value).as_bytes()[..1].to_vec();
    let [no, yes] = [false, true].map(|value| first_byte(Value::Bool(value)));
    let own = key.as_bytes()[..1].to_vec();
    match own == no || own == yes {
        true => (no, after(&yes)),
        false => (own.clone(), after(&own)),
    }
}

fn point(value: &Value) -> KeyRange {
    KeyRange::point(&IndexKey::of(value))
}

fn shown(value: &Value) -> String {
    text::quote(&value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bounds(filter: &Value, has_lists: bool) -> Vec<Bounds> {
        let filter = Filter::parse(filter).unwrap();
        bounds_of(&filter, &"a".parse().unwrap(), has_lists)
    }

    fn conditions(filter: &Value) -> String {
        let bounds = bounds(filter, false);
        bounds.iter().flat_map(Bounds::conditions).cloned().collect::<Vec<_>>().join(" and ")
    }

    #[test]
    fn conditions_of_a_conjunction_are_used() {
        for (filter, expected) in [
            (json!({"a": 1, "b": 2}), "= 1"),
            (json!({"a": {"$gte": 1, "$lt": "x"}}), ">= 1 and < \"x\""),
            (json!({"$and": [{"b": 1}, {"a": {"$in": [3, 1]}}]}), "in 2 values"),
            (json!({"a": {"$exists": false}}), "missing"),
            (json!({"a": null}), "= null"),
            (json!({"a": {"$regex": "^ab.c"}}), "begins with \"ab\""),
            (json!({"a": {"$elemMatch": {"$gt": 1, "$lt": 5}}}), "> 1 and < 5"),
        ] {
            assert_eq!(conditions(&filter), expected, "{filter}");
        }
    }

    #[test]
    fn other_conditions_are_not_used() {
        for filter in [
            json!({}),
            json!({"b": 1, "a.b": 1}),
            json!({"a": {"$ne": 1}}),
            json!({"a": {"$nin": [1]}}),
            json!({"a": {"$not": {"$gt": 1}}}),
            json!({"a": {"$exists": true}}),
            json!({"a": {"$size": 1}}),
            json!({"a": {"$regex": "b"}}),
            json!({"a": {"$elemMatch": {"b": 1}}}),
            json!({"$or": [{"a": 1}, {"a": 2}]}),
            json!({"$nor": [{"a": 1}]}),
        ] {
            assert!(bounds(&filter, false).is_empty(), "{filter}");
        }
    }

    #[test]
    fn conditions_on_lists_are_alternatives() {
        let range = json!({"a": {"$gte": 5, "$lt": 9}});
        assert_eq!(bounds(&range, true).len(), 2);
        assert_eq!(bounds(&range, false).len(), 1);
        assert_eq!(bounds(&json!({"a": {"$elemMatch": {"$gte": 5, "$lt": 9}}}), true).len(), 1);
    }

    #[test]
    fn literal_start_of_a_pattern_is_its_prefix() {
        let prefix = |pattern: &Value| {
            let filter = Filter::parse(&json!({"a": pattern})).unwrap();
            let Clause::Field(_, Test::One(Probe::Matches(pattern))) = filter.clause() else {
                panic!("{filter:?}");
            };
            pattern.literal_prefix().map(ToOwned::to_owned)
        };
        let of = |source: &str| prefix(&json!({"$regex": source}));
        for (source, expected) in [
            ("^ab", "ab"),
            ("^ab$", "ab"),
            ("^ab*", "a"),
            ("^ab+", "ab"),
            ("^aä?", "a"),
            ("^ab{0,2}", "a"),
            ("^a\\.b", "a"),
            ("^a(?i)b", "a"),
        ] {
            assert_eq!(of(source).as_deref(), Some(expected), "{source}");
        }
        for source in ["ab", "^", "^a|b", "^(?i)ab", "^a?", "(?i)^ab", "^[ab]", "^.a", "^\\x41"] {
            assert_eq!(of(source), None, "{source}");
        }
        assert_eq!(prefix(&json!({"$regex": "^ab", "$options": "s"})).as_deref(), Some("ab"));
        for options in ["i", "m", "x", "si"] {
            assert_eq!(prefix(&json!({"$regex": "^ab", "$options": options})), None, "{options}");
        }
    }
}
