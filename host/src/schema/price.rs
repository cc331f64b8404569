//! What the keywords of one subschema cost, without those of others.
//!
//! The unit is a few nanoseconds: what a simple keyword takes. Measured on the validator, and
//! rounded up.

use serde_json::Value;

/// What comparing with one part of an `enum` or `const` costs.
const COMPARING: u64 = 2;
/// What hashing one part of a value costs, for `uniqueItems`.
pub(super) const HASHING: u64 = 8;
/// What checking a format costs for each byte of text.
const FORMAT: u64 = 4;

/// What the own keywords of a subschema cost for one value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Price {
    /// For any value.
    pub(super) value: u64,
    /// For each byte of a text.
    pub(super) byte: u64,
    /// Whether the items are compared with each other.
    pub(super) unique: bool,
    /// How many errors its keywords can find: in a number, text, list, object, any other.
    pub(super) errors: [u64; 5],
}

/// The kinds of value that keywords are for.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Text,
    List,
    Object,
}

impl Price {
    /// Returns the price of a subschema, without that of its pattern.
    pub(super) fn of(schema: &Value) -> Self {
        let mut price = Self { value: 1, ..Self::default() };
        match schema {
            Value::Object(keywords) => {
                keywords.iter().for_each(|(key, keyword)| price.add(key, keyword));
            }
            _ => price.errors = [1; 5],
        }
        price
    }

    fn add(&mut self, key: &str, keyword: &Value) {
        let (price, errors, kind) = match key {
            "enum" | "const" if looked_up(keyword) => (4, 1, None),
            "enum" | "const" => (COMPARING * parts(keyword), 1, None),
            "type" | "anyOf" | "oneOf" | "not" => (1, 1, None),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                (2, 1, Some(Kind::Number))
            }
            "minLength" | "maxLength" | "pattern" | "format" | "contentEncoding"
            | "contentMediaType" => (1, 1, Some(Kind::Text)),
            "minItems" | "maxItems" | "uniqueItems" | "contains" | "additionalItems"
            | "unevaluatedItems" | "items" => (1, 1, Some(Kind::List)),
            "required" | "dependentRequired" | "dependencies" => {
                (parts(keyword), parts(keyword), Some(Kind::Object))
            }
            "minProperties"
            | "maxProperties"
            | "additionalProperties"
            | "unevaluatedProperties" => (1, 1, Some(Kind::Object)),
            _ => (1, 0, None),
        };
        self.value += price;
        match kind {
            Some(kind) => self.errors[kind as usize] += errors,
            None => self.errors.iter_mut().for_each(|all| *all += errors),
        }
        match key {
            "minLength" | "maxLength" => self.byte += 1,
            "format" | "contentEncoding" | "contentMediaType" => self.byte += FORMAT,
            "uniqueItems" => self.unique = keyword == &Value::Bool(true),
            _ => {}
        }
    }
}

/// Whether the validator looks a value up among these instead of comparing it with each.
fn looked_up(options: &Value) -> bool {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    let all = |is: fn(&Value) -> bool| options.iter().all(|option| option.is_null() || is(option));
    all(Value::is_string) || all(Value::is_i64)
}

/// Returns how many values a value consists of, itself among them.
pub(super) fn parts(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(parts).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(parts).sum::<u64>(),
        _ => 1,
    }
}
