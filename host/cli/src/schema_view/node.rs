//! Places in a schema, for those who show or fill them: references are followed and parts put
//! together, all within bounds, since a plugin writes its schemas as it likes.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use ophost_schema::{Branch, Tagging, Union};

/// How many parts of a schema are looked at in one place: references can make a small schema
/// endless.
const MAX_PARTS: usize = 1_000;
/// How many fields of one object are looked at.
const MAX_FIELDS: usize = 500;

/// Keywords whose schemas all hold.
const TOGETHER: [&str; 1] = ["allOf"];
/// Keywords whose schemas hold or may hold.
const ANY: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// A place in a schema, with the schema as a whole for its references.
#[derive(Clone)]
pub(super) struct Node<'a> {
    root: &'a Value,
    /// What is said of the place: several where each of several alternatives says something.
    schemas: Vec<&'a Value>,
}

impl<'a> Node<'a> {
    /// Returns the place that is the whole schema.
    pub(super) fn whole(root: &'a Value) -> Self {
        Self { root, schemas: vec![root] }
    }

    fn at(&self, schema: &'a Value) -> Self {
        Node { root: self.root, schemas: vec![schema] }
    }

    /// Returns the schema here and all that it is or may be made of, the nearest first.
    pub(super) fn parts(&self) -> Vec<&'a Value> {
        self.collect(&ANY)
    }

    fn collect(&self, keywords: &[&str]) -> Vec<&'a Value> {
        let mut queue = VecDeque::from(self.schemas.clone());
        let mut parts = Vec::new();
        while let Some(schema) = queue.pop_front() {
            parts.push(schema);
            let room = MAX_PARTS.saturating_sub(parts.len() + queue.len());
            let reference = schema.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|text| self.root.pointer(text.strip_prefix('#')?));
            let lists = keywords.iter().filter_map(|key| schema.get(key)?.as_array());
            queue.extend(target.into_iter().chain(lists.flatten()).take(room));
        }
        parts
    }

    /// Returns the first value that a part gives to a keyword.
    pub(super) fn keyword(&self, name: &str) -> Option<&'a Value> {
        self.parts().into_iter().find_map(|part| part.get(name))
    }

    /// Returns the first value that is given to a keyword for every value but null: of several
    /// alternatives each says something else.
    pub(super) fn certain(&self, name: &str) -> Option<&'a Value> {
        if self.schemas.len() > 1 {
            return None;
        }
        let mut parts = self.collect(&TOGETHER);
        let only = |part: &&'a Value| {
            let lists = ["anyOf", "oneOf"].iter().filter_map(|key| part.get(key)?.as_array());
            let mut others = lists.flatten().filter(|it| types_of(it) != ["null"]);
            others.next().filter(|_| others.next().is_none())
        };
        let alone: Vec<_> = parts.iter().filter_map(only).collect();
        parts.extend(alone.into_iter().flat_map(|it| self.at(it).collect(&TOGETHER)));
        parts.into_iter().find_map(|part| part.get(name))
    }

    /// Returns the place of a field: what is said of it for all values, else what alternatives say;
    /// `null`, which says nothing, where there is none.
    pub(super) fn field(&self, path: &[impl AsRef<str>]) -> Self {
        path.iter().fold(self.clone(), |node, name| {
            let of = |part: &&'a Value| part.get("properties")?.get(name.as_ref());
            if let Some(schema) = node.own_parts().iter().find_map(of) {
                return node.at(schema);
            }
            let parts = node.parts();
            let mut schemas: Vec<_> = parts.iter().filter_map(of).collect();
            schemas.dedup_by(|a, b| std::ptr::eq(*a, *b));
            if schemas.is_empty() {
                schemas.extend(parts.iter().find_map(|part| part.get("additionalProperties")));
            }
            if schemas.is_empty() {
                schemas.push(&Value::Null);
            }
            Node { root: self.root, schemas }
        })
    }

    /// Returns the fields of an object, also those that only alternatives have; those that are
    /// required first.
    pub(super) fn fields(&self) -> Vec<Field<'a>> {
        let mut fields = self.own_fields();
        let own = fields.len();
        let mut places: HashMap<_, _> = (0..own).map(|place| (fields[place].name, place)).collect();
        for part in self.parts() {
            for (name, schema) in properties(part) {
                match places.get(name) {
                    Some(place) if *place < own => {}
                    Some(place) => fields[*place].node.or(schema),
                    None if fields.len() < MAX_FIELDS => {
                        places.insert(name, fields.len());
                        fields.push(Field { name, is_required: false, node: self.at(schema) });
                    }
                    None => {}
                }
            }
        }
        fields
    }

    /// Returns the fields of an object that do not depend on alternatives, those that are required
    /// first.
    pub(super) fn own_fields(&self) -> Vec<Field<'a>> {
        let required = self.required();
        let mut seen = HashSet::new();
        let mut fields = Vec::new();
        for (name, schema) in self.own_parts().into_iter().flat_map(properties) {
            if fields.len() < MAX_FIELDS && seen.insert(name) {
                let is_required = required.contains(name);
                fields.push(Field { name, is_required, node: self.at(schema) });
            }
        }
        fields.sort_by_key(|field| !field.is_required);
        fields
    }

    /// Adds what another alternative says of the place.
    fn or(&mut self, schema: &'a Value) {
        if !self.schemas.last().is_some_and(|last| std::ptr::eq(*last, schema)) {
            self.schemas.push(schema);
        }
    }

    /// Returns the lists of alternatives of a place, each with what tells its objects apart.
    pub(super) fn alternatives(&self) -> Vec<Alternatives<'a>> {
        let mut all = Vec::new();
        for part in self.own_parts() {
            for keyword in ["oneOf", "anyOf"] {
                let Some(union) = Union::read(self.root, part, keyword) else { continue };
                let branches = union.branches.into_iter().filter(Branch::may_be_object);
                let branches = branches.map(|branch| (self.at(branch.schema), branch)).collect();
                all.push(Alternatives { tagging: union.tagging, branches });
            }
        }
        all
    }

    /// Returns the schemas that hold for every value; none where alternatives differ.
    fn own_parts(&self) -> Vec<&'a Value> {
        match self.schemas.as_slice() {
            [_] => self.collect(&TOGETHER),
            _ => Vec::new(),
        }
    }

    fn required(&self) -> HashSet<&'a str> {
        let parts = self.collect(&TOGETHER).into_iter();
        let lists = parts.filter_map(|part| part.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).take(MAX_FIELDS).collect()
    }

    /// Returns the schema of a list's items; `null` where there is none.
    pub(super) fn items(&self) -> Self {
        self.at(self.keyword("items").unwrap_or(&Value::Null))
    }

    /// Returns the names of the types that the schema takes; none if it does not say.
    pub(super) fn types(&self) -> Vec<&'a str> {
        in_order(self.parts().into_iter().flat_map(types_of).collect())
    }

    /// Returns the values that are allowed, and the types beside them.
    pub(super) fn choices(&self) -> (Vec<&'a Value>, Vec<&'a str>) {
        let mut values = Vec::new();
        let mut types = Vec::new();
        for part in self.parts() {
            let options = part.get("enum").and_then(Value::as_array);
            let constant = part.get("const");
            if options.is_none() && constant.is_none() {
                types.extend(types_of(part));
            }
            values.extend(options.into_iter().flatten().chain(constant).take(MAX_FIELDS));
        }
        values.truncate(MAX_FIELDS);
        (values, in_order(types))
    }

    /// Returns the first sentence or more that describes the place.
    pub(super) fn description(&self) -> &'a str {
        let text = |key| self.schemas.first().and_then(|schema| schema.get(key)?.as_str());
        let (own, title) = (text("description"), || text("title"));
        own.or_else(|| self.keyword("description")?.as_str()).or_else(title).unwrap_or_default()
    }
}

/// Returns whether a bound of a number only says that it has 32 or 64 bits: an author who
/// means nothing by it did not choose it.
pub(super) fn is_of_bits(bound: &Value) -> bool {
    let signed = [i32::MIN.into(), i32::MAX.into(), i64::MIN, i64::MAX];
    let is_signed = bound.as_i64().is_some_and(|bound| signed.contains(&bound));
    is_signed || bound.as_u64().is_some_and(|bound| [u32::MAX.into(), u64::MAX].contains(&bound))
}

/// Sorts names of types, with `null` last, as people say it.
fn in_order(mut types: Vec<&str>) -> Vec<&str> {
    types.sort_unstable_by_key(|name| (*name == "null", *name));
    types.dedup();
    types
}

fn types_of(part: &Value) -> Vec<&str> {
    match part.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).take(7).collect(),
        _ => Vec::new(),
    }
}

/// Alternatives, those among them that may be objects.
pub(super) struct Alternatives<'a> {
    pub(super) tagging: Tagging<'a>,
    pub(super) branches: Vec<(Node<'a>, Branch<'a>)>,
}

/// Returns the properties that a schema itself declares.
fn properties(part: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = part.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().take(MAX_FIELDS).map(|(name, schema)| (name.as_str(), schema))
}

/// A field of an object.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) is_required: bool,
    pub(super) node: Node<'a>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_gathered_from_parts_with_the_required_first() {
        let schema = json!({
            "properties": {"a": {}, "b": {}},
            "allOf": [{"$ref": "#/$defs/more"}],
            "anyOf": [{"required": ["a"]}],
            "$defs": {"more": {"properties": {"c": {}, "a": {"type": "null"}}, "required": ["b"]}},
        });
        let fields = Node::whole(&schema).fields();
        let names: Vec<_> = fields.iter().map(|field| (field.name, field.is_required)).collect();
        assert_eq!(names, [("b", true), ("a", false), ("c", false)]);
    }

    #[test]
    fn a_circle_is_looked_at_for_a_while() {
        let schema = json!({"allOf": vec![json!({"$ref": "#"}); 50], "type": "object"});
        assert_eq!(Node::whole(&schema).types(), ["object"]);
        assert!(Node::whole(&schema).parts().len() <= MAX_PARTS);
    }

    #[test]
    fn choices_are_enums_and_constants_with_the_types_beside_them() {
        let schema = json!({"anyOf": [
            {"oneOf": [{"type": "string", "const": "a"}, {"enum": ["b", "c"]}]},
            {"type": "null"},
        ]});
        let (values, types) = Node::whole(&schema).choices();
        assert_eq!(values, [&json!("a"), &json!("b"), &json!("c")].map(|it| it).to_vec());
        assert_eq!(types, ["null"]);
    }
}
