//! Checks values by the common keywords, without the validator.
//!
//! Building the validator takes much longer than checking a small value. This module reads the
//! schema document as it is. It knows the keywords that most schemas consist of, and only draft
//! 2020-12. For everything else the verdict is [`Verdict::Unknown`], and the validator decides. The
//! validator also finds the violations, so this module has no messages.
//!
//! A subschema with an unknown keyword is [`Verdict::Unknown`] as a whole, because keywords such as
//! `$id`, `prefixItems` and `patternProperties` change the meaning of others.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::instance;

/// The dialect that the module knows.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Maximum number of applied keywords, members and items. A larger value is left to the validator,
/// which checks its budget.
const MAX_STEPS: usize = 10_000;
/// Maximum nesting of subschemas, because the check runs on the stack of the caller.
const MAX_DEPTH: usize = 64;
/// Number of text bytes that count as one step.
const BYTES_PER_STEP: usize = 64;

/// Result of a check by the common keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Valid,
    Invalid,
    /// Only the validator can decide.
    Unknown,
}

impl From<bool> for Verdict {
    fn from(is_valid: bool) -> Self {
        if is_valid { Self::Valid } else { Self::Invalid }
    }
}

impl Verdict {
    /// Returns the verdict on a value that all parts must accept. Stops at the first rejection.
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        let mut verdict = Self::Valid;
        for part in parts {
            match part {
                Self::Valid => {}
                Self::Invalid => return Self::Invalid,
                Self::Unknown => verdict = Self::Unknown,
            }
        }
        verdict
    }

    /// Returns the verdict on a value that one part must accept.
    fn any(parts: impl Iterator<Item = Self>) -> Self {
        let mut verdict = Self::Invalid;
        for part in parts {
            match part {
                Self::Valid => return Self::Valid,
                Self::Invalid => {}
                Self::Unknown => verdict = Self::Unknown,
            }
        }
        verdict
    }

    /// Returns the verdict on a value that exactly one part must accept.
    fn one(parts: impl Iterator<Item = Self>) -> Self {
        let (mut accepted, mut unknown) = (0, 0);
        for part in parts {
            match part {
                Self::Valid => accepted += 1,
                Self::Invalid => {}
                Self::Unknown => unknown += 1,
            }
        }
        match (accepted, unknown) {
            (2.., _) => Self::Invalid,
            (accepted, 0) => (accepted == 1).into(),
            _ => Self::Unknown,
        }
    }
}

/// Checks a value against a schema document that is valid.
pub(super) fn check(document: &Value, value: &Value) -> Verdict {
    if document.get("$schema").is_some_and(|dialect| dialect != DIALECT) {
        return Verdict::Unknown;
    }
    let (steps_left, depth_left) = (Cell::new(MAX_STEPS), Cell::new(MAX_DEPTH));
    Checker { document, steps_left, depth_left }.check(document, value)
}

struct Checker<'a> {
    document: &'a Value,
    steps_left: Cell<usize>,
    depth_left: Cell<usize>,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value) -> Verdict {
        let Some(deeper) = self.depth_left.get().checked_sub(1) else { return Verdict::Unknown };
        self.depth_left.set(deeper);
        let verdict = self.check_keywords(schema, value);
        self.depth_left.set(deeper + 1);
        verdict
    }

    fn check_keywords(&self, schema: &Value, value: &Value) -> Verdict {
        let keywords = match schema {
            _ if !self.spend(1) => return Verdict::Unknown,
            Value::Bool(accepts) => return (*accepts).into(),
            Value::Object(keywords) => keywords,
            _ => return Verdict::Unknown,
        };
        let is_root = std::ptr::eq(schema, self.document);
        let is_known =
            |key: &String| is_assertion(key) || is_annotation(key) || (is_root && key == "$schema");
        if !keywords.keys().all(is_known) || !self.spend(keywords.len()) {
            return Verdict::Unknown;
        }
        Verdict::all(keywords.iter().map(|(key, keyword)| match key.as_str() {
            "type" => has_type(keyword, value),
            "const" => self.is_listed(std::slice::from_ref(keyword), value),
            "enum" => self.is_listed(keyword.as_array().map_or(&[], Vec::as_slice), value),
            "$ref" => self.check_reference(keyword, value),
            "allOf" => Verdict::all(self.each(keyword, value)),
            "anyOf" => Verdict::any(self.each(keyword, value)),
            "oneOf" => Verdict::one(self.each(keyword, value)),
            "required" | "properties" | "additionalProperties" => match value {
                Value::Object(members) => self.check_members((key, keyword), keywords, members),
                _ => Verdict::Valid,
            },
            "items" => match value {
                Value::Array(items) => {
                    Verdict::all(items.iter().map(|item| self.check(keyword, item)))
                }
                _ => Verdict::Valid,
            },
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                is_in_range((key, keyword), value)
            }
            _ => self.check_size((key, keyword), value),
        }))
    }

    /// Checks a value against the target of a reference. A target below a definition may belong to
    /// an embedded schema with other rules.
    fn check_reference(&self, reference: &Value, value: &Value) -> Verdict {
        let target = match reference.as_str() {
            Some("#") => Some(self.document),
            Some(reference) => {
                let path = reference.strip_prefix("#/").and_then(|path| path.split_once('/'));
                let path = path.filter(|(definitions, name)| {
                    ["$defs", "definitions"].contains(definitions)
                        && !name.contains(['/', '~', '%'])
                });
                path.and_then(|(definitions, name)| self.document.get(definitions)?.get(name))
            }
            None => None,
        };
        target.map_or(Verdict::Unknown, |target| self.check(target, value))
    }

    /// Returns the verdict of each schema of a list.
    fn each(&self, schemas: &Value, value: &Value) -> impl Iterator<Item = Verdict> {
        let schemas = schemas.as_array().filter(|schemas| !schemas.is_empty());
        let malformed = schemas.is_none().then_some(Verdict::Unknown);
        let each = schemas.into_iter().flatten().map(|schema| self.check(schema, value));
        malformed.into_iter().chain(each)
    }

    /// Returns whether a value is one of the options. Comparing lists and objects can take long.
    fn is_listed(&self, options: &[Value], value: &Value) -> Verdict {
        let bytes = value.as_str().map_or(0, str::len);
        let is_unknown = options.is_empty() || value.is_array() || value.is_object();
        if is_unknown || !self.spend(options.len() + bytes / BYTES_PER_STEP) {
            return Verdict::Unknown;
        }
        options.iter().any(|option| instance::equal(value, option)).into()
    }

    fn check_members(
        &self,
        (key, keyword): (&str, &Value),
        keywords: &Map<String, Value>,
        members: &Map<String, Value>,
    ) -> Verdict {
        let properties = match keywords.get("properties") {
            None => None,
            Some(Value::Object(properties)) => Some(properties),
            Some(_) => return Verdict::Unknown,
        };
        let property = |name: &str| properties.and_then(|properties| properties.get(name));
        if !self.spend(members.len()) {
            return Verdict::Unknown;
        }
        match (key, keyword) {
            ("required", Value::Array(names)) if self.spend(names.len()) => {
                Verdict::all(names.iter().map(|name| match name.as_str() {
                    Some(name) => members.contains_key(name).into(),
                    None => Verdict::Unknown,
                }))
            }
            ("properties", _) => Verdict::all(members.iter().filter_map(|(name, inner)| {
                property(name).map(|schema| self.check(schema, inner))
            })),
            ("additionalProperties", schema) => {
                let additional = members.iter().filter(|(name, _)| property(name).is_none());
                Verdict::all(additional.map(|(_, inner)| self.check(schema, inner)))
            }
            _ => Verdict::Unknown,
        }
    }

    /// Checks the keywords of sizes. A length counts Unicode characters.
    fn check_size(&self, (key, keyword): (&str, &Value), value: &Value) -> Verdict {
        let size = match (key, value) {
            (key, _) if is_annotation(key) || key == "$schema" => return Verdict::Valid,
            ("minLength" | "maxLength", Value::String(text)) => {
                if !self.spend(text.len() / BYTES_PER_STEP) {
                    return Verdict::Unknown;
                }
                text.chars().count()
            }
            ("minItems" | "maxItems", Value::Array(items)) => items.len(),
            ("minProperties" | "maxProperties", Value::Object(members)) => members.len(),
            _ => return Verdict::Valid,
        };
        match keyword.as_u64() {
            Some(limit) if key.starts_with("min") => (size as u64 >= limit).into(),
            Some(limit) => (size as u64 <= limit).into(),
            None => Verdict::Unknown,
        }
    }

    fn spend(&self, steps: usize) -> bool {
        let left = self.steps_left.get().checked_sub(steps);
        self.steps_left.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Returns whether the module checks a keyword.
fn is_assertion(key: &str) -> bool {
    matches!(
        key,
        "type"
            | "const"
            | "enum"
            | "$ref"
            | "allOf"
            | "anyOf"
            | "oneOf"
            | "required"
            | "properties"
            | "additionalProperties"
            | "items"
            | "minimum"
            | "maximum"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "minLength"
            | "maxLength"
            | "minItems"
            | "maxItems"
            | "minProperties"
            | "maxProperties"
    )
}

/// Returns whether a keyword accepts every value. In draft 2020-12, `format` is an annotation.
fn is_annotation(key: &str) -> bool {
    matches!(
        key,
        "title"
            | "description"
            | "default"
            | "examples"
            | "format"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "$comment"
            | "$defs"
            | "definitions"
    ) || key.starts_with("x-")
}

fn has_type(keyword: &Value, value: &Value) -> Verdict {
    match keyword {
        Value::String(name) => has_type_named(name, value),
        Value::Array(names) => Verdict::any(names.iter().map(|name| match name.as_str() {
            Some(name) => has_type_named(name, value),
            None => Verdict::Unknown,
        })),
        _ => Verdict::Unknown,
    }
}

fn has_type_named(name: &str, value: &Value) -> Verdict {
    match (name, value) {
        // A float can have the value of an integer.
        ("integer", Value::Number(number)) if number.is_f64() => Verdict::Unknown,
        ("integer" | "number", _) => value.is_number().into(),
        ("string", _) => value.is_string().into(),
        ("boolean", _) => value.is_boolean().into(),
        ("null", _) => value.is_null().into(),
        ("array", _) => value.is_array().into(),
        ("object", _) => value.is_object().into(),
        _ => Verdict::Unknown,
    }
}

/// Checks the keywords of ranges, for integers.
fn is_in_range((key, keyword): (&str, &Value), value: &Value) -> Verdict {
    if !value.is_number() {
        return Verdict::Valid;
    }
    let (Some(number), Some(limit)) = (value.as_i64(), keyword.as_i64()) else {
        return Verdict::Unknown;
    };
    match key {
        "minimum" => (number >= limit).into(),
        "maximum" => (number <= limit).into(),
        "exclusiveMinimum" => (number > limit).into(),
        "exclusiveMaximum" => (number < limit).into(),
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Verdict::{Invalid, Unknown, Valid};
    use super::*;

    fn verdicts<const N: usize>(schema: &Value, values: [Value; N]) -> [Verdict; N] {
        values.map(|value| check(schema, &value))
    }

    #[test]
    fn common_keywords_are_decided() {
        let schema = json!({
            "$schema": DIALECT,
            "title": "T",
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 3},
                "count": {"type": ["integer", "null"], "minimum": 0, "format": "uint8"},
                "kind": {"oneOf": [{"const": "a"}, {"enum": ["b", "c"]}]},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "list": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
            },
            "required": ["name"],
            "additionalProperties": false,
            "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        });
        let valid = [
            json!({"name": "äöü"}),
            json!({"name": "a", "count": 0, "kind": "c", "list": [true, false]}),
            json!({"name": "a", "count": null, "next": {"next": {"x": 1}}}),
        ];
        assert_eq!(verdicts(&schema, valid), [Valid; 3]);
        let invalid = [
            json!([]),
            json!({}),
            json!({"name": ""}),
            json!({"name": "abcd"}),
            json!({"name": "a", "count": -1}),
            json!({"name": "a", "kind": "d"}),
            json!({"name": "a", "next": {"next": 1}}),
            json!({"name": "a", "list": [true, true, true]}),
            json!({"name": "a", "list": [0]}),
            json!({"name": "a", "more": 1}),
        ];
        assert_eq!(verdicts(&schema, invalid), [Invalid; 10]);
    }

    #[test]
    fn other_keywords_dialects_and_references_are_left_to_the_validator() {
        for schema in [
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            json!({"$id": "https://example.com/x"}),
            json!({"pattern": "a"}),
            json!({"items": {}, "prefixItems": [{}]}),
            json!({"properties": {"a": {"$schema": DIALECT}}}),
            json!({"$ref": "#/$defs/a/properties/b", "$defs": {"a": {"properties": {"b": {}}}}}),
            json!({"$ref": "#anchor"}),
            json!({"const": [1]}),
            json!({"minimum": 0.5}),
        ] {
            let of = |value: Value| check(&schema, &value);
            assert!(
                [of(json!({"a": 1})), of(json!([1])), of(json!(1))].contains(&Unknown),
                "{schema}"
            );
        }
        assert_eq!(check(&json!({"type": "integer"}), &json!(1.0)), Unknown);
    }

    #[test]
    fn a_large_or_deep_value_is_left_to_the_validator() {
        let deep = (0..MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
        for (schema, value) in [
            (json!({"items": {"$ref": "#"}}), deep),
            (json!({"items": true}), json!(vec![1; MAX_STEPS])),
            (json!({"minLength": 1}), json!("x".repeat(MAX_STEPS * BYTES_PER_STEP))),
            (json!({"items": {"enum": vec![1; 100]}}), json!(vec![1; 100])),
        ] {
            assert_eq!(check(&schema, &value), Unknown, "{schema}");
        }
    }
}
