//! Reading JSON that comes from outside.
//!
//! [`parse`] is the one way in, for callers' inputs and guests' answers alike. It reads
//! strictly: what two readers could understand differently is refused, not guessed at.
//! [`parse_within`] does so within a [`Budget`].

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::budget::{Budget, Interruption};
use crate::text;

/// How many values a document may consist of, counting each list, object and what is in them.
/// In memory one takes some 30 to 100 bytes, however short it is as text.
const MAX_VALUES: usize = 1_000_000;
/// How many bytes are written, or passed over, for one step of a budget.
const BYTES_PER_STEP: usize = 64;

/// A text that was not read.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// The text is not JSON, or not strictly.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
    /// There was no time to read it.
    #[error(transparent)]
    Interrupted(#[from] Interruption),
}

/// Reads one JSON document.
///
/// An integer of 64 bits stays exactly what it is. A number with a fraction or an exponent
/// becomes the nearest 64-bit float, as everywhere: 1e-400 is 0.
///
/// # Errors
///
/// Returns what is wrong, with line and column: text that is not JSON or goes on after its
/// end, more than 127 levels of nesting, an integer outside 64 bits, a number outside a
/// 64-bit float's range, a key that an object holds twice, more than 1,000,000 values.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    match parse_within(text, &Budget::unlimited()) {
        Ok(value) => Ok(value),
        Err(ParseError::NotJson(error)) => Err(error),
        Err(ParseError::Interrupted(why)) => Err(serde_json::Error::custom(why)),
    }
}

/// Reads one JSON document as [`parse`] does, within a budget.
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
    let reading = Reading { left: Cell::new(MAX_VALUES), budget, interrupted: Cell::new(None) };
    let value = Strict(&reading).deserialize(&mut reader);
    if let Some(why) = reading.interrupted.get() {
        return Err(why.into());
    }
    let value = value.map_err(|error| unexpected(text, &error).unwrap_or(error))?;
    reader.end()?;
    Ok(value)
}

/// Returns an error that names the word where a value was expected, such as `NaN` or `None`, for
/// one that only says where.
fn unexpected(text: &str, error: &serde_json::Error) -> Option<serde_json::Error> {
    let expected = ["expected value", "expected ident", "invalid number"];
    let what = error.to_string();
    expected.iter().find(|start| what.starts_with(**start))?;
    let lines_before = error.line().checked_sub(1)?;
    let line_start = match lines_before.checked_sub(1) {
        Some(before) => text.match_indices('\n').nth(before)?.0 + 1,
        None => 0,
    };
    // The reader may stand behind the line's end already.
    let place = text::boundary(text, (line_start + error.column()).checked_sub(1)?);
    let is_of_word = |c: char| c.is_alphanumeric() || "+-._".contains(c);
    let start = text[..place].trim_end_matches(is_of_word).len();
    let rest = &text[start..];
    let word = match rest.find(|c| !is_of_word(c)) {
        Some(0) => &rest[..rest.chars().next()?.len_utf8()],
        end => &rest[..end.unwrap_or(rest.len())],
    };
    let line = 1 + text[..start].matches('\n').count();
    let column = 1 + start - text[..start].rfind('\n').map_or(0, |end| end + 1);
    let word = text::quote(word);
    let what = format!("unexpected `{word}` at line {line} column {column}");
    (!word.trim().is_empty()).then(|| serde_json::Error::custom(what))
}

/// Returns the first integer outside 64 bits: the reader would make a rounded float of it.
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

/// Returns what follows the string that the text begins with.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[place + 1..],
            _ => {}
        }
    }
    ""
}

/// What is left while a document is read.
struct Reading<'a> {
    /// How many more values there may be.
    left: Cell<usize>,
    budget: &'a Budget,
    /// Why the reader's error is none of the text.
    interrupted: Cell<Option<Interruption>>,
}

/// Reads a value whose objects hold each key once.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Reading<'a>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Reading { left, budget, interrupted } = self.0;
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
                return Err(A::Error::custom(format!(
                    "the key {:?} stands twice",
                    text::quote(&key)
                )));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Returns a value as the one text that every equal value has: without white space, the keys of
/// objects in the order of their bytes.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    // A budget without a limit is never used up.
    write_canonical(value, &mut |part| text.push_str(part), &Budget::unlimited()).ok();
    text
}

/// Passes the text that [`canonical`] returns to `out`, part by part, within a budget.
///
/// # Errors
///
/// Returns [`Interruption`] if the budget is used up.
pub fn write_canonical(
    value: &Value,
    out: &mut impl FnMut(&str),
    budget: &Budget,
) -> Result<(), Interruption> {
    // The depth of a value that was read here is bounded.
    match value {
        Value::Array(items) => {
            out("[");
            for (place, item) in items.iter().enumerate() {
                out(if place == 0 { "" } else { "," });
                write_canonical(item, out, budget)?;
            }
            out("]");
        }
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            budget.spend(entries.len())?;
            entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out("{");
            for (place, (key, value)) in entries.into_iter().enumerate() {
                out(if place == 0 { "" } else { "," });
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
    // Escaping as every other text is.
    out(&serde_json::to_string(text).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_read_as_it_stands() {
        let text = r#"{"b":[1,-2,2.5,true,null],"a":{"x":"\u00e4"}}"#;
        let value = parse(text).unwrap();
        assert_eq!(value, json!({"b": [1, -2, 2.5, true, null], "a": {"x": "ä"}}));
        assert_eq!(value.as_object().unwrap().keys().next().unwrap(), "b", "order is kept");
    }

    #[test]
    fn integers_of_64_bits_are_kept_exactly_and_other_numbers_as_floats() {
        let text = "[18446744073709551615,-9223372036854775808,9007199254740993]";
        assert_eq!(parse(text).unwrap().to_string(), text);
        assert_eq!(parse("[0.1,1.0000000000000000001,1e-400]").unwrap(), json!([0.1, 1.0, 0.0]));
        let other = [r#""18446744073709551616""#, "1.8446744073709551616e19", r#""\\""#];
        assert!(other.iter().all(|text| parse(text).is_ok()));
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        let problem = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(problem(r#"{"a":1,"a":2}"#), "the key \"a\" stands twice at line 1 column 13");
        assert_eq!(problem("1 2"), "trailing characters at line 1 column 3");
        assert_eq!(problem("1e400"), "number out of range at line 1 column 5");
        let large = "the integer 18446744073709551616 needs more than 64 bits";
        assert_eq!(problem(r#"{"\"1": [18446744073709551616]}"#), large);
        assert!(problem(&"9".repeat(400)).starts_with("the integer 9999"));
        assert!(problem("-9223372036854775809").starts_with("the integer -9223372036854775809"));
        assert!(problem(&"[".repeat(200)).starts_with("recursion limit exceeded"));
    }

    #[test]
    fn a_word_that_json_does_not_have_is_named() {
        let problem = |text: &str| parse(text).unwrap_err().to_string();
        let words = ["NaN", "nan", "Infinity", "-Infinity", "+1", "01", "1.", "None", "True", "'"];
        for word in words {
            let expected = format!("unexpected `{word}` at line 2 column 6");
            assert_eq!(problem(&format!("{{\n\"ä\":{word}\n}}")), expected);
        }
        assert_eq!(problem("\u{feff}{}"), "unexpected `\u{feff}` at line 1 column 1");
        assert_eq!(problem("[1,,2]"), "unexpected `,` at line 1 column 4");
        assert!(problem(&"x".repeat(1 << 20)).len() < 200);
        for (text, told) in
            [("{a: 1}", "key must be a string"), ("[1", "EOF while"), ("", "EOF while")]
        {
            assert!(problem(text).starts_with(told), "{}", problem(text));
        }
    }

    #[test]
    fn a_document_has_at_most_a_million_values() {
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
    fn equal_values_have_one_canonical_text() {
        let text = canonical(&json!({"b": [{"z": 1, "y": null}], "a": 18446744073709551615_u64}));
        assert_eq!(text, r#"{"a":18446744073709551615,"b":[{"y":null,"z":1}]}"#);
    }

    #[test]
    fn reading_and_writing_end_when_there_is_no_time_left() {
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
    fn a_long_key_is_cut_in_the_message() {
        let key = "k".repeat(1 << 20);
        let problem = parse(&format!(r#"{{"{key}":1,"{key}":2}}"#)).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("the key \"{}", &key[..100])));
    }

    #[test]
    fn the_deepest_document_is_read_and_dropped_with_little_stack() {
        let deepest = format!("{}{}", "[".repeat(127), "]".repeat(127));
        let read = move || drop(parse(&deepest).unwrap());
        std::thread::Builder::new().stack_size(256 << 10).spawn(read).unwrap().join().unwrap();
    }
}
