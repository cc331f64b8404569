//! Random schemas and values: what is counted before a check changes no verdict.

use serde_json::{Map, Value, json};

use super::adversarial::check;
use crate::Schema;
use crate::simple::{self, Verdict};

/// How many schemas are tried; a hundred thousand found nothing more.
const SCHEMAS: usize = 3_000;

/// Pseudo-random schemas and values: the same in every run.
struct Random(fastrand::Rng);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.u64(..limit)
    }

    fn document(&mut self) -> Value {
        let count = 1 + self.below(8);
        let all: Map<_, _> =
            (0..count).map(|name| (name.to_string(), self.schema(count, 3))).collect();
        json!({"$ref": "#/$defs/0", "$defs": all})
    }

    fn schema(&mut self, definitions: u64, depth: u64) -> Value {
        if depth == 0 || self.below(4) == 0 {
            return match self.below(6) {
                0 => json!({"type": "number"}),
                1 => json!({"type": "object"}),
                2 => json!({"maximum": self.below(3)}),
                3 => json!(self.below(2) == 0),
                _ => json!({"$ref": format!("#/$defs/{}", self.below(definitions))}),
            };
        }
        let mut schema = Map::new();
        for _ in 0..=self.below(3) {
            let (keyword, inner) = self.keyword(definitions, depth - 1);
            schema.insert(keyword.to_owned(), inner);
        }
        Value::Object(schema)
    }

    fn keyword(&mut self, definitions: u64, depth: u64) -> (&'static str, Value) {
        let one = self.schema(definitions, depth);
        let other = self.schema(definitions, depth);
        match self.below(16) {
            0 => ("allOf", json!([one, other])),
            1 => ("anyOf", json!([one, other])),
            2 => ("oneOf", json!([one, other])),
            3 => ("not", one),
            4 => ("if", one),
            5 => ("then", one),
            6 => ("else", one),
            7 => ("items", one),
            8 => ("contains", one),
            9 => ("additionalProperties", one),
            10 => ("patternProperties", json!({"^x": one})),
            11 => ("unevaluatedProperties", one),
            12 => ("unevaluatedItems", one),
            13 => ("dependentSchemas", json!({"x": one})),
            _ => ("properties", json!({"x": one, "y": other})),
        }
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.below(if depth == 0 { 1 } else { 5 }) {
            0 => json!(self.below(4)),
            1 => json!([self.value(depth - 1)]),
            2 => json!([self.value(depth - 1), 1]),
            3 => json!({"x": self.value(depth - 1)}),
            _ => json!({"x": self.value(depth - 1), "y": self.value(depth - 1)}),
        }
    }
}

#[test]
fn random_schemas_give_the_verdict_of_the_validator_alone() {
    let mut random = Random(fastrand::Rng::with_seed(1));
    let mut verdicts = [0; 2];
    // Validation of a schema whose parts all refer to several others can exceed its budget.
    let mut unchecked = 0;
    for _ in 0..SCHEMAS {
        let document = random.document();
        let Ok(schema) = Schema::compile(document.clone()) else { continue };
        let plain = jsonschema::options().build(&document).unwrap();
        for _ in 0..3 {
            let value = random.value(5);
            let valid = plain.is_valid(&value);
            let simple = simple::check(&document, &value);
            assert!(
                simple == Verdict::Unknown || (simple == Verdict::Valid) == valid,
                "{document}"
            );
            let result = check(&schema, &value);
            if result.as_ref().is_err_and(|violations| violations.unchecked) {
                unchecked += 1;
                continue;
            }
            assert_eq!(result.is_ok(), valid, "{result:?} for {value} of {document}");
            verdicts[usize::from(valid)] += 1;
        }
    }
    assert!(unchecked < 10, "{unchecked} of {verdicts:?}");
    assert!(verdicts.iter().all(|count| *count > 1_000), "{verdicts:?}");
}
