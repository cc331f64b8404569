//! Strict parser for untrusted JSON, and canonical JSON.
//!
//! Inputs of callers and outputs of guests are parsed with [`parse`], or with [`parse_within`],
//! which has a [`Budget`]. The parser rejects JSON that two parsers could interpret differently.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::budget::{Budget, Interruption};
use crate::text;

/// Maximum number of values in a document, with each list, each object and each value in them.
/// In memory, a value takes about 30 to 100 bytes, even if its text is short.
const MAX_VALUES: usize = 1_000_000;
/// Number of bytes that are written or skipped for one step of a budget.
const BYTES_PER_STEP: usize = 64;

/// The reason why a text cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// The text is not strict JSON.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
    /// The budget was used up.
    #[error(transparent)]
    Interrupted(#[from] Interruption),
}

/// Parses one JSON document.
///
/// An integer that fits into 64 bits is exact. A number with a fraction or an exponent becomes the
/// nearest 64-bit float: 1e-400 is 0.
///
/// # Errors
///
/// Returns an error, with line and column unless an integer is too large, for:
///
/// - text that is not JSON, or text after the end of the document,
/// - more than 127 levels of nesting,
/// - an integer that does not fit into 64 bits,
/// - a number outside the range of a 64-bit float,
/// - an object with a duplicate field,
/// - more than 1,000,000 values.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    match parse_within(text, &Budget::unlimited()) {
        Ok(value) => Ok(value),
        Err(ParseError::NotJson(error)) => Err(error),
        Err(ParseError::Interrupted(why)) => Err(serde_json::Error::custom(why)),
    }
}

/// Parses one JSON document as [`parse`] does, within a budget.
///
/// # Errors
///
/// Returns the error of [`parse`], and [`ParseError::Interrupted`] if the budget is used up.
pub fn parse_within(text: &str, budget: &Budget) -> Result<Value, ParseError> {
    if let Some(integer) = large_integer(text, budget)? {
        let problem = format!("the integer {integer} needs more than 64 bits");
        return Err(serde_json::Error::custom(problem).into());
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let state = ParseState { left: Cell::new(MAX_VALUES), budget, interrupted: Cell::new(None) };
    let value = Strict(&state).deserialize(&mut reader);
    if let Some(why) = state.interrupted.get() {
        return Err(why.into());
    }
    let value = value.map_err(|error| unexpected(text, &error).unwrap_or(error))?;
    reader.end()?;
    Ok(value)
}

/// Returns an error that names the unexpected word, such as `NaN`.
///
/// `error` is the error of the parser, which gives only a location. Returns `None` for errors about
/// other problems.
fn unexpected(text: &str, error: &serde_json::Error) -> Option<serde_json::Error> {
    let expected = ["expected value", "expected ident", "invalid number"];
    let message = error.to_string();
    expected.iter().find(|start| message.starts_with(**start))?;
    let lines_before = error.line().checked_sub(1)?;
    let line_start = match lines_before.checked_sub(1) {
        Some(before) => text.match_indices('\n').nth(before)?.0 + 1,
        None => 0,
    };
    // The reported column can be past the end of the line.
    let offset = text::boundary(text, (line_start + error.column()).checked_sub(1)?);
    let is_word_char = |c: char| c.is_alphanumeric() || "+-._".contains(c);
    let start = text[..offset].trim_end_matches(is_word_char).len();
    let rest = &text[start..];
    let word = match rest.find(|c| !is_word_char(c)) {
        Some(0) => &rest[..rest.chars().next()?.len_utf8()],
        end => &rest[..end.unwrap_or(rest.len())],
    };
    let line = 1 + text[..start].matches('\n').count();
    let column = 1 + start - text[..start].rfind('\n').map_or(0, |end| end + 1);
    let word = text::quote(word);
    let message = format!("unexpected `{word}` at line {line} column {column}");
    (!word.trim().is_empty()).then(|| serde_json::Error::custom(message))
}

/// Returns the first integer that does not fit into 64 bits. `serde_json` would round it to a float.
fn large_integer<'t>(text: &'t str, budget: &Budget) -> Result<Option<&'t str>, Interruption> {
    let mut rest = text;
    while let Some(start) = rest.find(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    {
        rest = &rest[start..];
        if rest.starts_with('"') {
            let after = after_string(rest);
            budget.spend(1 + (rest.len() - after.len()) / BYTES_PER_STEP)?;
            rest = after;
            continue;
        }
        budget.step()?;
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let is_integer = !number.contains(['.', 'e', 'E']);
        if is_integer && number.len() > 18 && number.parse::<i128>().is_ok_and(|n| !fits(n)) {
            return Ok(Some(number));
        }
        if is_integer && number.len() > 38 {
            return Ok(Some(&number[..38]));
        }
        rest = after;
    }
    Ok(None)
}

fn fits(number: i128) -> bool {
    i64::try_from(number).is_ok() || u64::try_from(number).is_ok()
}

/// Returns the rest of a text after the string at its start.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[index + 1..],
            _ => {}
        }
    }
    ""
}

/// The limits and the interruption of one parse.
struct ParseState<'a> {
    /// Number of values that the rest of the document may have.
    left: Cell<usize>,
    budget: &'a Budget,
    /// Set if the budget caused the error of the parser.
    interrupted: Cell<Option<Interruption>>,
}

/// Deserialises a value and rejects objects with duplicate fields.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a ParseState<'a>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let ParseState { left, budget, interrupted } = self.0;
        let fewer = left.get().checked_sub(1).ok_or_else(|| {
            D::Error::custom(format!("more than {MAX_VALUES} values in one document"))
        })?;
        left.set(fewer);
        budget.step().map_err(|why| {
            interrupted.set(Some(why));
            D::Error::custom(why)
        })?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self)?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate field `{}`", text::quote(&key))));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Returns the canonical JSON text of a value, which is the same for equal values.
///
/// The text has no white space, and the fields of objects are sorted by the bytes of their names.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    // A budget without a limit is never used up.
    write_canonical(value, &mut |part| text.push_str(part), &Budget::unlimited()).ok();
    text
}

/// Writes the text that [`canonical`] returns to `out`, in parts and within a budget.
///
/// # Errors
///
/// Returns [`Interruption`] if the budget is used up.
pub fn write_canonical(
    value: &Value,
    out: &mut impl FnMut(&str),
    budget: &Budget,
) -> Result<(), Interruption> {
    // The recursion is bounded, because `parse` limits the depth of values.
    match value {
        Value::Array(items) => {
            out("[");
            for (index, item) in items.iter().enumerate() {
                out(if index == 0 { "" } else { "," });
                write_canonical(item, out, budget)?;
            }
            out("]");
        }
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            budget.spend(entries.len())?;
            entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out("{");
            for (index, (key, value)) in entries.into_iter().enumerate() {
                out(if index == 0 { "" } else { "," });
                write_text(key, out, budget)?;
                out(":");
                write_canonical(value, out, budget)?;
            }
            out("}");
        }
        Value::String(text) => write_text(text, out, budget)?,
        Value::Null | Value::Bool(_) | Value::Number(_) => out(&value.to_string()),
    }
    budget.step()
}

fn write_text(text: &str, out: &mut impl FnMut(&str), budget: &Budget) -> Result<(), Interruption> {
    budget.spend(1 + text.len() / BYTES_PER_STEP)?;
    // `serde_json` escapes the text as in all other JSON of the host.
    out(&serde_json::to_string(text).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parsing_preserves_values_and_field_order() {
        let text = r#"{"b":[1,-2,2.5,true,null],"a":{"x":"\u00e4"}}"#;
        let value = parse(text).unwrap();
        assert_eq!(value, json!({"b": [1, -2, 2.5, true, null], "a": {"x": "ä"}}));
        assert_eq!(
            value.as_object().unwrap().keys().next().unwrap(),
            "b",
            "the order is preserved"
        );
    }

    #[test]
    fn integers_of_64_bits_are_exact_and_other_numbers_are_floats() {
        let text = "[18446744073709551615,-9223372036854775808,9007199254740993]";
        assert_eq!(parse(text).unwrap().to_string(), text);
        assert_eq!(parse("[0.1,1.0000000000000000001,1e-400]").unwrap(), json!([0.1, 1.0, 0.0]));
        let other = [r#""18446744073709551616""#, "1.8446744073709551616e19", r#""\\""#];
        assert!(other.iter().all(|text| parse(text).is_ok()));
    }

    #[test]
    fn ambiguous_json_is_rejected() {
        let problem = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(problem(r#"{"a":1,"a":2}"#), "duplicate field `a` at line 1 column 13");
        assert_eq!(problem("1 2"), "trailing characters at line 1 column 3");
        assert_eq!(problem("1e400"), "number out of range at line 1 column 5");
        let large = "the integer 18446744073709551616 needs more than 64 bits";
        assert_eq!(problem(r#"{"\"1": [18446744073709551616]}"#), large);
        assert!(problem(&"9".repeat(400)).starts_with("the integer 9999"));
        assert!(problem("-9223372036854775809").starts_with("the integer -9223372036854775809"));
        assert!(problem(&"[".repeat(200)).starts_with("recursion limit exceeded"));
    }

    #[test]
    fn errors_name_an_unexpected_word() {
        let problem = |text: &str| parse(text).unwrap_err().to_string();
        let words = ["NaN", "nan", "Infinity", "-Infinity", "+1", "01", "1.", "None", "True", "'"];
        for word in words {
            let expected = format!("unexpected `{word}` at line 2 column 6");
            assert_eq!(problem(&format!("{{\n\"ä\":{word}\n}}")), expected);
        }
        assert_eq!(problem("\u{feff}{}"), "unexpected `\u{feff}` at line 1 column 1");
        assert_eq!(problem("[1,,2]"), "unexpected `,` at line 1 column 4");
        assert!(problem(&"x".repeat(1 << 20)).len() < 200);
        for (text, expected) in
            [("{a: 1}", "key must be a string"), ("[1", "EOF while"), ("", "EOF while")]
        {
            assert!(problem(text).starts_with(expected), "{}", problem(text));
        }
    }

    #[test]
    fn document_has_at_most_a_million_values() {
        let of = |items: usize| format!("[{}1]", "1,".repeat(items - 1));
        assert!(parse(&of(999_999)).is_ok());
        let problem = parse(&of(1_000_000)).unwrap_err().to_string();
        assert!(problem.starts_with("more than 1000000 values in one document at line 1"));
        let flood = format!(
            "{{{}}}",
            (0..600_000).map(|n| format!("\"{n}\":[]")).collect::<Vec<_>>().join(",")
        );
        assert!(parse(&flood).is_ok());
        let nested = flood.replace("[]", "[[]]");
        assert!(parse(&nested).unwrap_err().to_string().starts_with("more than 1000000 values"));
    }

    #[test]
    fn canonical_text_is_compact_with_sorted_fields() {
        let text = canonical(&json!({"b": [{"z": 1, "y": null}], "a": 18446744073709551615_u64}));
        assert_eq!(text, r#"{"a":18446744073709551615,"b":[{"y":null,"z":1}]}"#);
    }

    #[test]
    fn parsing_and_writing_stop_when_the_budget_is_used_up() {
        let list = format!("[{}1]", "1,".repeat(50_000));
        let value = parse(&list).unwrap();
        let few = Budget::unlimited().with_steps(1000);
        let read = parse_within(&list, &few);
        assert!(matches!(read, Err(ParseError::Interrupted(Interruption::Steps))), "{read:?}");
        let few = Budget::unlimited().with_steps(60_000);
        assert!(matches!(parse_within(&list, &few), Err(ParseError::Interrupted(_))));
        let written = write_canonical(&value, &mut |_| (), &few);
        assert!(matches!(written, Err(Interruption::Steps)));
        let text = format!("[\"{}\"]", "x".repeat(1 << 20));
        assert!(parse_within(&text, &Budget::unlimited().with_steps(1000)).is_err());
        assert!(parse_within(&text, &Budget::unlimited().with_steps(20_000)).is_ok());
    }

    #[test]
    fn long_duplicate_field_is_truncated_in_the_message() {
        let key = "k".repeat(1 << 20);
        let problem = parse(&format!(r#"{{"{key}":1,"{key}":2}}"#)).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("duplicate field `{}", &key[..100])));
        assert!(problem.len() < 200, "{problem}");
    }

    #[test]
    fn document_of_maximum_depth_needs_little_stack() {
        let deepest = format!("{}{}", "[".repeat(127), "]".repeat(127));
        let read = move || drop(parse(&deepest).unwrap());
        std::thread::Builder::new().stack_size(256 << 10).spawn(read).unwrap().join().unwrap();
    }
}
