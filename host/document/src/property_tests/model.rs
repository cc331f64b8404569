//! A simple model of filters, sort orders and merges, which is correct but not fast.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::sort::SortBy;

/// Compares two values of any type.
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            // The numbers of these tests are multiples of a half, so their doubles are integers.
            let exact = |number: &serde_json::Number| match number.as_i64() {
                Some(integer) => i128::from(integer) * 2,
                None => (number.as_f64().unwrap() * 2.0) as i128,
            };
            exact(a).cmp(&exact(b))
        }
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => sequence(a.iter().cloned(), b.iter().cloned()),
        (Value::Object(a), Value::Object(b)) => {
            let fields = |object: &Map<String, Value>| {
                let mut fields: Vec<_> = object.clone().into_iter().collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields.into_iter().map(|(name, value)| json!([name, value]))
            };
            sequence(fields(a), fields(b))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn sequence(a: impl Iterator<Item = Value>, b: impl Iterator<Item = Value>) -> Ordering {
    let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
    for (a, b) in a.iter().zip(&b) {
        if compare(a, b).is_ne() {
            return compare(a, b);
        }
    }
    a.len().cmp(&b.len())
}

fn rank(value: &Value) -> usize {
    let ranks = [Value::is_null, Value::is_number, Value::is_string, Value::is_object];
    ranks.iter().position(|is| is(value)).unwrap_or(if value.is_array() { 4 } else { 5 })
}

/// A value that a path selects, and whether the path selects it by its index in a list.
type Branch = (Option<Value>, bool);

fn branches(value: &Value, parts: &[&str]) -> Vec<Branch> {
    let Some((first, rest)) = parts.split_first() else {
        return vec![(Some(value.clone()), false)];
    };
    match value {
        Value::Object(fields) => {
            fields.get(*first).map_or_else(|| vec![(None, false)], |value| branches(value, rest))
        }
        Value::Array(items) => match first.parse::<usize>() {
            Ok(index) => match items.get(index) {
                Some(item) if rest.is_empty() => vec![(Some(item.clone()), true)],
                Some(item) => branches(item, rest),
                None => vec![],
            },
            Err(_) => {
                let objects = items.iter().filter(|item| item.is_object());
                objects.flat_map(|item| branches(item, parts)).collect()
            }
        },
        _ => vec![(None, false)],
    }
}

fn all_branches(document: &Map<String, Value>, path: &str) -> Vec<Branch> {
    let parts: Vec<_> = path.split('.').collect();
    let branches = branches(&Value::Object(document.clone()), &parts);
    if branches.is_empty() { vec![(None, false)] } else { branches }
}

/// Returns the values that a comparison tests: the selected values, and the items of lists.
fn spread(branches: &[Branch]) -> Vec<Value> {
    let mut values = Vec::new();
    for (value, is_by_index) in branches {
        let value = value.clone().unwrap_or(Value::Null);
        if let (Value::Array(items), false) = (&value, is_by_index) {
            values.extend(items.clone());
        }
        values.push(value);
    }
    values
}

/// Returns whether a document matches a valid filter without `_id`.
pub(super) fn matches(filter: &Value, document: &Map<String, Value>) -> bool {
    filter.as_object().unwrap().iter().all(|(name, value)| {
        let results = || value.as_array().unwrap().iter().map(|filter| matches(filter, document));
        match name.as_str() {
            "$and" => results().all(|matches| matches),
            "$or" => results().any(|matches| matches),
            "$nor" => !results().any(|matches| matches),
            path => {
                let branches = all_branches(document, path);
                let values = spread(&branches);
                let whole: Vec<_> = branches.into_iter().filter_map(|(value, _)| value).collect();
                holds(value, &values, &whole)
            }
        }
    })
}

/// Returns whether a condition holds. `values` are the values for comparisons, and `whole` are the
/// existing values without the items of lists.
fn holds(condition: &Value, values: &[Value], whole: &[Value]) -> bool {
    let operators =
        condition.as_object().filter(|condition| condition.keys().any(|key| key.starts_with('$')));
    let Some(operators) = operators else {
        return values.iter().any(|value| compare(value, condition).is_eq());
    };
    operators.iter().all(|(operator, argument)| holds_one(operator, argument, values, whole))
}

fn holds_one(operator: &str, argument: &Value, values: &[Value], whole: &[Value]) -> bool {
    let compares = |accepts: fn(Ordering) -> bool| {
        let mut same = values.iter().filter(|value| rank(value) == rank(argument));
        same.any(|value| accepts(compare(value, argument)))
    };
    let is_in = || {
        let mut candidates = argument.as_array().unwrap().iter();
        candidates.any(|candidate| values.iter().any(|value| compare(value, candidate).is_eq()))
    };
    let mut lists = whole.iter().filter_map(Value::as_array);
    match operator {
        "$ne" => !compares(Ordering::is_eq),
        "$gt" => compares(Ordering::is_gt),
        "$gte" => compares(Ordering::is_ge),
        "$lt" => compares(Ordering::is_lt),
        "$lte" => compares(Ordering::is_le),
        "$in" => is_in(),
        "$nin" => !is_in(),
        "$exists" => whole.is_empty() != argument.as_bool().unwrap(),
        "$size" => lists.any(|list| Some(list.len() as u64) == argument.as_u64()),
        "$regex" => {
            let pattern = Regex::new(argument.as_str().unwrap()).unwrap();
            values.iter().filter_map(Value::as_str).any(|text| pattern.is_match(text))
        }
        "$not" => !holds(argument, values, whole),
        "$elemMatch" => lists.any(|list| list.iter().any(|item| is_item(argument, item))),
        other => panic!("the model does not support {other}"),
    }
}

fn is_item(condition: &Value, item: &Value) -> bool {
    let combines = |key: &String| ["$and", "$or", "$nor"].contains(&key.as_str());
    let mut names = condition.as_object().unwrap().keys();
    if names.any(|name| name.starts_with('$') && !combines(name)) {
        return holds(condition, std::slice::from_ref(item), std::slice::from_ref(item));
    }
    item.as_object().is_some_and(|fields| matches(condition, fields))
}

/// Compares two documents by one field.
pub(super) fn compare_by(by: &SortBy, a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    // `None` stands for an empty list, which comes before all other values.
    let sort_value = |document: &Map<String, Value>| {
        let branches = all_branches(document, &by.path.to_string());
        let mut values: Vec<Option<Value>> = Vec::new();
        for (value, _) in branches {
            match value.unwrap_or(Value::Null) {
                Value::Array(items) if items.is_empty() => values.push(None),
                Value::Array(items) => values.extend(items.into_iter().map(Some)),
                value => values.push(Some(value)),
            }
        }
        values.sort_by(|a, b| optional(a.as_ref(), b.as_ref()));
        if by.descending { values.pop().unwrap() } else { values.swap_remove(0) }
    };
    let order = optional(sort_value(a).as_ref(), sort_value(b).as_ref());
    if by.descending { order.reverse() } else { order }
}

fn optional(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// The algorithm of RFC 7396, section 2.
pub(super) fn merge(target: Option<&Value>, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut target = target.and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in patch {
        if value.is_null() {
            target.shift_remove(name);
        } else {
            let merged = merge(target.get(name), value);
            target.insert(name.clone(), merged);
        }
    }
    Value::Object(target)
}
