//! The total order of JSON values.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// Compares two values of any type: null, numbers, texts, objects, lists, false, true.
///
/// - Numbers are compared exactly, 64-bit integers and floats alike; 1 equals 1.0.
/// - Texts are compared by their bytes.
/// - Objects are compared field by field, in the order of the names; of each field, first the
///   name, then the value. An object that is a prefix of another comes first. The order of the fields is ignored.
/// - Lists are compared item by item. A list that is a prefix of another comes first.
///
/// Allocates only to compare two objects. The stack use is proportional to the depth of the
/// shallower value.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => lists(a, b),
        (Value::Object(a), Value::Object(b)) => objects(a, b),
        _ => class(a).cmp(&class(b)),
    }
}

/// Returns whether two values are equal in this order. Allocates nothing.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let other = |name: &String, value| b.get(name).is_some_and(|other| equal(value, other));
            a.len() == b.len() && a.iter().all(|(name, value)| other(name, value))
        }
        _ => compare(a, b).is_eq(),
    }
}

/// The types of values, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Null,
    Number,
    Text,
    Object,
    List,
    Boolean,
}

pub(crate) fn class(value: &Value) -> Class {
    match value {
        Value::Null => Class::Null,
        Value::Number(_) => Class::Number,
        Value::String(_) => Class::Text,
        Value::Object(_) => Class::Object,
        Value::Array(_) => Class::List,
        Value::Bool(_) => Class::Boolean,
    }
}

fn numbers(a: &Number, b: &Number) -> Ordering {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return a.cmp(&b);
    }
    let ((a, a_above), (b, b_above)) = (exact(a), exact(b));
    a.total_cmp(&b).then(a_above.cmp(&b_above))
}

/// Returns a number as the greatest float that is not above the number, and the difference.
///
/// The order of numbers is the order of these pairs. The difference fits into 16 bits, because
/// neighbouring floats in the range of 64-bit integers differ by at most 2,048. Zero has no sign.
pub(crate) fn exact(number: &Number) -> (f64, u16) {
    let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    let Some(integer) = integer else {
        return (number.as_f64().unwrap_or_default() + 0.0, 0);
    };
    let nearest = integer as f64;
    let below = if nearest as i128 > integer { nearest.next_down() } else { nearest };
    (below, (integer - below as i128) as u16)
}

fn lists(a: &[Value], b: &[Value]) -> Ordering {
    let different = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
    different.unwrap_or(a.len().cmp(&b.len()))
}

fn objects(a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let (sorted_a, sorted_b) = (by_name(a), by_name(b));
    let pairs = sorted_a.iter().zip(&sorted_b);
    let different = pairs
        .map(|((a, a_value), (b, b_value))| a.cmp(b).then_with(|| compare(a_value, b_value)))
        .find(|order| order.is_ne());
    different.unwrap_or(a.len().cmp(&b.len()))
}

/// Returns the fields of an object, sorted by name.
pub(crate) fn by_name(object: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut fields: Vec<_> = object.iter().map(|(name, value)| (name.as_str(), value)).collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    fields
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// Returns lists of equal values, in ascending order.
    pub(crate) fn ladder() -> Vec<Vec<Value>> {
        vec![
            vec![json!(null)],
            vec![json!(-1e308)],
            vec![json!(i64::MIN), json!(-9_223_372_036_854_775_808.0)],
            vec![json!(i64::MIN + 1)],
            vec![json!(-1.5)],
            vec![json!(0), json!(0.0), json!(-0.0)],
            vec![json!(5e-324)],
            vec![json!(1), json!(1.0)],
            vec![json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_992.0)],
            vec![json!(9_007_199_254_740_993_u64)],
            vec![json!(9_007_199_254_740_994_u64), json!(9_007_199_254_740_994.0)],
            vec![json!(i64::MAX)],
            vec![json!(9_223_372_036_854_775_808_u64), json!(9_223_372_036_854_775_808.0)],
            vec![json!(9_223_372_036_854_775_809_u64)],
            vec![json!(u64::MAX)],
            vec![json!(18_446_744_073_709_551_616.0)],
            vec![json!("")],
            vec![json!("A")],
            vec![json!("a")],
            vec![json!("a\u{0}")],
            vec![json!("aa")],
            vec![json!("ä")],
            vec![json!("\u{ffff}")],
            vec![json!("\u{10000}")],
            vec![json!({})],
            vec![json!({"a": null})],
            vec![json!({"a": 1, "b": 2}), json!({"b": 2.0, "a": 1})],
            vec![json!({"a": 1, "c": 0})],
            vec![json!({"a": 2})],
            vec![json!({"b": null})],
            vec![json!([])],
            vec![json!([null])],
            vec![json!([1]), json!([1.0])],
            vec![json!([1, 0])],
            vec![json!([2])],
            vec![json!([[]])],
            vec![json!(false)],
            vec![json!(true)],
        ]
    }

    #[test]
    fn values_of_all_types_have_a_total_order() {
        let ladder = ladder();
        for (low, lower) in ladder.iter().enumerate() {
            for (high, higher) in ladder.iter().enumerate() {
                for (a, b) in lower.iter().flat_map(|a| higher.iter().map(move |b| (a, b))) {
                    assert_eq!(compare(a, b), low.cmp(&high), "{a} and {b}");
                    assert_eq!(equal(a, b), low == high, "{a} and {b}");
                }
            }
        }
    }

    #[test]
    fn equal_objects_have_the_same_fields_in_any_order() {
        assert!(equal(&json!({"a": [1], "b": null}), &json!({"b": null, "a": [1.0]})));
        assert!(!equal(&json!({"a": null}), &json!({"b": null})));
        assert!(!equal(&json!({"a": null}), &json!({})));
    }
}
