//! Where two JSON values differ, in lines.

use serde_json::Value;

use ophost_document::text;

/// How many differences are shown.
const MAX_LINES: usize = 20;
/// How much of a value is shown, in characters.
const MAX_SHOWN: usize = 60;

/// Returns a line for each place where a value differs from an earlier one, the first twenty.
pub(super) fn differences(earlier: &Value, now: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", Some(earlier), Some(now), &mut lines);
    lines
}

fn compare(pointer: &str, earlier: Option<&Value>, now: Option<&Value>, lines: &mut Vec<String>) {
    if lines.len() == MAX_LINES || earlier == now {
        return;
    }
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (earlier, now) {
        let added = b.keys().filter(|key| !a.contains_key(*key));
        for key in a.keys().chain(added) {
            compare(&format!("{pointer}/{key}"), a.get(key), b.get(key), lines);
        }
        return;
    }
    let place = if pointer.is_empty() { "/" } else { pointer };
    lines.push(format!("{place}: it was {}, now it is {}", shown(earlier), shown(now)));
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("missing".to_owned(), |value| text::truncate_chars(&value.to_string(), MAX_SHOWN))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_told_with_both_values() {
        let earlier = json!({"a": 1, "b": {"c": "x", "d": [1]}, "e": null});
        let now = json!({"a": 1, "b": {"c": "y", "d": [1, 2]}, "f": true});
        let expected = [
            r#"/b/c: it was "x", now it is "y""#,
            "/b/d: it was [1], now it is [1,2]",
            "/e: it was null, now it is missing",
            "/f: it was missing, now it is true",
        ];
        assert_eq!(differences(&earlier, &now), expected);
        assert_eq!(differences(&now, &now), [""; 0]);
    }
}
