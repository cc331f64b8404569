//! Finds the alternative that is nearest to an invalid value.

use std::collections::HashMap;

use jsonschema::ValidationError;
use serde_json::{Map, Value};

use super::union::{Branch, Tagging, Union};
use super::violation::{
    GOT, MISSING, Violation, below, cut, listed, nearest, not_an_option, shown,
};

/// The alternative that is nearest to a value.
pub(super) enum Nearest<'e> {
    /// The errors of the nearest alternative.
    Branch(&'e [ValidationError<'static>]),
    /// No alternative is near, for this reason.
    None(Violation),
    /// The schema gives no information.
    Unknown,
}

/// Finds the nearest alternatives of one schema.
pub(super) struct Reader<'a> {
    schema: &'a Value,
    /// By the location of the keyword, because a list of 1,000 items uses the same union.
    known: HashMap<String, Option<Union<'a>>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(schema: &'a Value) -> Self {
        Self { schema, known: HashMap::new() }
    }

    /// Returns the alternative that is nearest to the value of an error. `context` has the errors of
    /// each alternative.
    pub(super) fn nearest<'e>(
        &mut self,
        error: &ValidationError<'_>,
        context: &'e [Vec<ValidationError<'static>>],
    ) -> Nearest<'e> {
        let path = error.schema_path().to_string();
        let schema = self.schema;
        let known = self.known.entry(path);
        let union = known.or_insert_with_key(|path| {
            let (holder, keyword) = path.rsplit_once('/')?;
            Union::read(schema, schema.pointer(holder)?, keyword)
        });
        let Some(union) = union else { return Nearest::Unknown };
        let pointer = cut(error.instance_path().to_string());
        let location = Location { pointer, value: error.instance() };
        let checked = union
            .branches
            .iter()
            .zip(context)
            .map(|(branch, errors)| CheckedBranch { branch, errors });
        let fitting: Vec<_> =
            checked.filter(|it| it.branch.takes_type_of(location.value)).collect();
        location.nearest(union, &fitting)
    }
}

/// An alternative and its errors.
#[derive(Clone, Copy)]
struct CheckedBranch<'u, 'a, 'e> {
    branch: &'u Branch<'a>,
    errors: &'e [ValidationError<'static>],
}

/// A value and its location.
struct Location<'v> {
    pointer: String,
    value: &'v Value,
}

impl Location<'_> {
    /// Selects among the alternatives with the type of the value.
    fn nearest<'e>(&self, union: &Union<'_>, fitting: &[CheckedBranch<'_, '_, 'e>]) -> Nearest<'e> {
        if fitting.iter().all(|it| it.branch.is_choice()) {
            return Nearest::None(self.not_an_option(union));
        }
        match (fitting, self.value) {
            ([one], _) => Nearest::Branch(one.errors),
            (_, Value::Object(fields)) => self.nearest_object(union, fields, fitting),
            _ => Nearest::None(self.not_an_option(union)),
        }
    }

    fn nearest_object<'e>(
        &self,
        union: &Union<'_>,
        fields: &Map<String, Value>,
        fitting: &[CheckedBranch<'_, '_, 'e>],
    ) -> Nearest<'e> {
        let found = match union.tagging {
            Tagging::Property(name) => {
                let tags: Vec<_> = union.objects().flat_map(|it| it.tags.iter().copied()).collect();
                let Some(tag) = fields.get(name) else {
                    let problem = format!("{MISSING}: one of {}", listed(&tags, &[]));
                    return Nearest::None(self.below(name, problem, None));
                };
                let Some(it) = fitting.iter().find(|it| it.branch.tags.contains(&tag)) else {
                    let pointer = below(&self.pointer, name);
                    return Nearest::None(not_an_option(pointer, &tags, &[], tag));
                };
                Some(it)
            }
            Tagging::Key => {
                let has_key = |it: &&CheckedBranch<'_, '_, '_>| {
                    it.branch.key.is_some_and(|key| fields.contains_key(key))
                };
                let Some(it) = fitting.iter().find(has_key) else {
                    return Nearest::None(self.no_key(union, fields));
                };
                Some(it)
            }
            Tagging::None => most_alike(fields, fitting),
        };
        match found {
            Some(it) => Nearest::Branch(it.errors),
            None => Nearest::None(self.not_an_option(union)),
        }
    }

    fn below(&self, name: &str, problem: String, did_you_mean: Option<String>) -> Violation {
        Violation { pointer: below(&self.pointer, name), problem, did_you_mean }
    }

    /// Returns the violation of an object without a field that is a tag.
    fn no_key(&self, union: &Union<'_>, fields: &Map<String, Value>) -> Violation {
        let keys: Vec<_> = union.objects().filter_map(|branch| branch.key).collect();
        let named: Vec<_> = keys.iter().map(|key| Value::from(*key)).collect();
        let list = listed(&named.iter().collect::<Vec<_>>(), &[]);
        let mut given = fields.keys();
        match (given.next(), given.next()) {
            (Some(name), None) => {
                let problem = format!("expected one of the fields {list}");
                self.below(name, problem, nearest(name, keys.into_iter()))
            }
            _ => {
                let pointer = self.pointer.clone();
                let problem =
                    format!("expected one of the fields {list}{GOT}{}", shown(self.value));
                Violation { pointer, problem, did_you_mean: None }
            }
        }
    }

    /// Returns the violation of a value that is near no alternative. It lists all of them.
    fn not_an_option(&self, union: &Union<'_>) -> Violation {
        let choices: Vec<_> = union.branches.iter().flat_map(Branch::choices).collect();
        let mut words = Vec::new();
        let is_tagged = union.tagging != Tagging::None;
        let object = |branch: &Branch<'_>| is_tagged && branch.is_object();
        for word in union.branches.iter().flat_map(|it| it.words(object(it))) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        not_an_option(self.pointer.clone(), &choices, &words, self.value)
    }
}

/// Returns the alternative with the most known fields of an object, then with the fewest missing
/// fields, if there is one. Values do not count, because the choice would reveal secrets.
fn most_alike<'j, 'u, 'a, 'e>(
    fields: &Map<String, Value>,
    fitting: &'j [CheckedBranch<'u, 'a, 'e>],
) -> Option<&'j CheckedBranch<'u, 'a, 'e>> {
    let rank = |it: &CheckedBranch<'_, '_, '_>| it.branch.likeness(fields);
    let ranked: Vec<_> = fitting.iter().map(|it| (rank(it), it)).collect();
    let best = ranked.iter().map(|(rank, _)| *rank).max().filter(|(known, _)| *known > 0)?;
    let mut alike = ranked.into_iter().filter(|(rank, _)| *rank == best);
    let (_, it) = alike.next()?;
    alike.next().is_none().then_some(it)
}

#[cfg(test)]
mod tests {
    use ophost_document::Budget;
    use serde_json::{Value, json};

    use super::super::{CheckError, Schema, Violations};

    fn violations(schema: &Value, value: &Value) -> Violations {
        let schema = Schema::compile(schema.clone()).unwrap();
        match schema.check(value, &Budget::unlimited()) {
            Err(CheckError::Violations(violations)) => violations,
            other => panic!("{other:?}"),
        }
    }

    fn problems(schema: &Value, value: &Value) -> Vec<String> {
        violations(schema, value).list.iter().map(ToString::to_string).collect()
    }

    /// The schema that schemars generates for an internally tagged enum.
    fn internal() -> Value {
        json!({"oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"type": "string", "const": "circle"}, "radius": {"type": "number"}},
                "required": ["kind", "radius"],
            },
            {
                "type": "object",
                "properties": {"kind": {"type": "string", "enum": ["square"]}, "side": {"type": "number"}},
                "required": ["kind", "side"],
                "additionalProperties": false,
            },
        ]})
    }

    #[test]
    fn the_alternative_of_an_internally_tagged_enum_is_found_by_its_tag() {
        let schema = internal();
        assert_eq!(
            problems(&schema, &json!({"kind": "circle"})),
            ["/radius: missing, but required"]
        );
        assert_eq!(
            problems(&schema, &json!({"kind": "square", "side": "x", "sid": 1})),
            ["/side: expected number, got \"x\"", "/sid: unknown field; did you mean `side`?",]
        );
        assert_eq!(
            problems(&schema, &json!({"kind": "cirlce", "radius": 1})),
            [
                "/kind: expected one of \"circle\", \"square\", got \"cirlce\"; did you mean `circle`?"
            ]
        );
        assert_eq!(
            problems(&schema, &json!({"radius": 1})),
            ["/kind: missing, but required: one of \"circle\", \"square\""]
        );
        assert_eq!(problems(&schema, &json!("circle")), ["/: expected object, got \"circle\""]);
    }

    #[test]
    fn the_alternative_of_an_externally_tagged_enum_is_found_by_its_key() {
        let variant = |name: &str, inner: &str| {
            json!({
                "type": "object",
                "properties": {name: {"type": "object", "properties": {inner: {"type": "integer"}}, "required": [inner]}},
                "required": [name],
                "additionalProperties": false,
            })
        };
        let units = json!({"type": "string", "enum": ["Nothing", "All"]});
        let schema =
            json!({"oneOf": [units, variant("Circle", "radius"), variant("Square", "side")]});
        assert_eq!(
            problems(&schema, &json!({"Circle": {}})),
            ["/Circle/radius: missing, but required"]
        );
        assert_eq!(
            problems(&schema, &json!({"Circel": {"radius": 1}})),
            ["/Circel: expected one of the fields \"Circle\", \"Square\"; did you mean `Circle`?"]
        );
        assert_eq!(
            problems(&schema, &json!({})),
            ["/: expected one of the fields \"Circle\", \"Square\", got {}"]
        );
        let [extra] =
            problems(&schema, &json!({"Circle": {"radius": 1}, "x": 1})).try_into().unwrap();
        assert_eq!(extra, "/x: unknown field");
        assert_eq!(
            problems(&schema, &json!("Nothign")),
            [
                "/: expected one of \"Nothing\", \"All\", object, got \"Nothign\"; did you mean `Nothing`?"
            ]
        );
        assert_eq!(
            problems(&schema, &json!(5)),
            ["/: expected one of \"Nothing\", \"All\", object, got 5"]
        );
    }

    #[test]
    fn the_alternative_of_adjacently_tagged_enums_and_pydantic_unions_is_found_by_its_tag() {
        let variant = |tag: &str, content: Value| {
            json!({
                "type": "object",
                "properties": {"t": {"type": "string", "const": tag}, "c": content},
                "required": ["t", "c"],
            })
        };
        let adjacent = json!({"oneOf": [
            variant("number", json!({"type": "integer"})), variant("text", json!({"type": "string"})),
        ]});
        assert_eq!(
            problems(&adjacent, &json!({"t": "number", "c": "x"})),
            ["/c: expected integer, got \"x\""]
        );
        assert_eq!(problems(&adjacent, &json!({"t": "text"})), ["/c: missing, but required"]);
        let pydantic = json!({
            "$defs": {
                "BlackCat": {"type": "object", "properties": {
                    "pet_type": {"const": "cat"}, "color": {"const": "black"}, "name": {"type": "string"},
                }, "required": ["pet_type", "color", "name"]},
                "WhiteCat": {"type": "object", "properties": {
                    "pet_type": {"const": "cat"}, "color": {"const": "white"}, "age": {"type": "integer"},
                }, "required": ["pet_type", "color", "age"]},
                "Dog": {"type": "object", "properties": {
                    "pet_type": {"enum": ["dog", "puppy"]}, "size": {"type": "integer"},
                }, "required": ["pet_type", "size"]},
                "Cat": {
                    "discriminator": {"propertyName": "color"},
                    "oneOf": [{"$ref": "#/$defs/BlackCat"}, {"$ref": "#/$defs/WhiteCat"}],
                },
            },
            "properties": {"pets": {"type": "array", "items": {
                "discriminator": {"propertyName": "pet_type"},
                "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            }}},
        });
        let pets = json!({"pets": [
            {"pet_type": "cat", "color": "black"},
            {"pet_type": "cat", "color": "red"},
            {"pet_type": "puppy"},
            {"pet_type": "bird"},
            {"pet_type": "dog", "size": 1},
        ]});
        assert_eq!(
            problems(&pydantic, &pets),
            [
                "/pets/0/name: missing, but required",
                "/pets/1/color: expected one of \"black\", \"white\", got \"red\"",
                "/pets/2/size: missing, but required",
                "/pets/3/pet_type: expected one of \"cat\", \"dog\", \"puppy\", got \"bird\"",
            ]
        );
    }

    #[test]
    fn the_alternative_of_an_untagged_enum_is_found_by_type_and_fields() {
        let object = |name: &str| {
            json!({
                "type": "object",
                "properties": {name: {"type": "string"}, "mode": {"type": "integer"}},
                "required": [name, "mode"],
            })
        };
        let schema = json!({"anyOf": [
            {"type": "string", "maxLength": 3}, {"type": "integer"}, object("file"), object("url"),
        ]});
        assert_eq!(
            problems(&schema, &json!("long")),
            ["/: expected at most 3 characters, got \"long\""]
        );
        assert_eq!(problems(&schema, &json!({"file": "x"})), ["/mode: missing, but required"]);
        let all = "string, integer, object with `file`, `mode`, object with `url`, `mode`";
        assert_eq!(problems(&schema, &json!({})), [format!("/: expected one of {all}, got {{}}")]);
        assert_eq!(
            problems(&schema, &json!(null)),
            [format!("/: expected one of {all}, got null")]
        );
    }

    #[test]
    fn the_violation_of_an_optional_enum_lists_its_choices() {
        let documented =
            json!({"oneOf": [{"const": "red"}, {"const": "green", "description": "d"}]});
        let plain = json!({"type": "string", "enum": ["red", "green"]});
        for color in [plain, documented] {
            let schema = json!({
                "properties": {"color": {"anyOf": [{"$ref": "#/$defs/Color"}, {"type": "null"}]}},
                "$defs": {"Color": color},
            });
            assert_eq!(
                problems(&schema, &json!({"color": "rde"})),
                [
                    "/color: expected one of \"red\", \"green\", null, got \"rde\"; did you mean `red`?"
                ]
            );
            assert_eq!(
                problems(&schema, &json!({"color": 5})),
                ["/color: expected one of \"red\", \"green\", null, got 5"]
            );
        }
        let optional = json!({"anyOf": [{"$ref": "#/$defs/Shape"}, {"type": "null"}], "$defs": {"Shape": internal()}});
        assert_eq!(
            problems(&optional, &json!({"kind": "circle"})),
            ["/radius: missing, but required"]
        );
    }

    #[test]
    fn a_missing_required_tag_gives_one_violation() {
        let flat = json!({
            "properties": {"name": {"type": "string"}},
            "required": ["name", "kind"],
            "oneOf": internal()["oneOf"],
        });
        assert_eq!(
            problems(&flat, &json!({"name": "x"})),
            ["/kind: missing, but required: one of \"circle\", \"square\""]
        );
    }

    #[test]
    fn alternatives_reveal_no_secret() {
        let variant = |tag: &str, field: &str| {
            json!({
                "properties": {"kind": {"const": tag, "writeOnly": true}, field: {"type": "integer"}},
                "required": ["kind", field],
            })
        };
        let schema = json!({"oneOf": [variant("hunter1", "a"), variant("hunter2", "b")]});
        for value in [json!({"kind": "hunter2"}), json!({"kind": "hunter3"})] {
            let problems = problems(&schema, &value).join(" ");
            assert!(!problems.contains("hunter2,") && !problems.contains("/b"), "{problems}");
            assert!(!problems.contains("hunter3") && !problems.contains("mean"), "{problems}");
        }
        let inner = json!({"properties": {"s": {"x-secret": true, "oneOf": internal()["oneOf"]}}});
        for value in [json!({"kind": "circle"}), json!({"kind": "hunter2"}), json!("hunter2")] {
            let problems = problems(&inner, &json!({"s": value})).join(" ");
            assert!(!problems.contains("hunter") && !problems.contains("/s/"), "{problems}");
        }
    }

    /// An adversarial schema: many alternatives of many alternatives with many tags.
    #[test]
    fn the_search_for_the_nearest_alternative_is_bounded() {
        let constants: serde_json::Map<_, _> =
            (0..100).map(|n| (format!("tag{n}"), json!({"const": "x".repeat(200)}))).collect();
        let leaf = json!({"type": "object", "properties": constants, "required": ["no"]});
        let inner = json!({"anyOf": vec![json!({"$ref": "#/$defs/leaf"}); 30]});
        let schema = json!({
            "items": {"anyOf": vec![json!({"$ref": "#/$defs/inner"}); 30]},
            "$defs": {"leaf": leaf, "inner": inner},
        });
        let value = json!(vec![json!({"tag1": 1}); 100]);
        let started = std::time::Instant::now();
        let violations = violations(&schema, &value);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
        assert!(violations.list.len() <= 100, "{violations:?}");
    }
}
