//! A position in a JSON schema, with references and combined schemas resolved.
//!
//! All work is bounded, because a plugin can declare any schema.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use ophost_schema::{Branch, Tagging, Union};

/// The maximum number of subschemas that are read at one position. References can make a small
/// schema endless.
const MAX_PARTS: usize = 1_000;
/// The maximum number of fields of one object.
const MAX_FIELDS: usize = 500;

/// Keywords whose subschemas all apply.
const ALWAYS: [&str; 1] = ["allOf"];
/// Keywords whose subschemas apply always or in some cases.
const ANY: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// A position in a schema, with the root schema for its references.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    root: &'a Value,
    /// The schemas of the position; more than one if several alternatives declare it.
    schemas: Vec<&'a Value>,
}

impl<'a> Node<'a> {
    /// Returns the root of a schema.
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root, schemas: vec![root] }
    }

    fn at(&self, schema: &'a Value) -> Self {
        Node { root: self.root, schemas: vec![schema] }
    }

    /// Returns the schemas of the position and all their subschemas, breadth first.
    pub(super) fn parts(&self) -> Vec<&'a Value> {
        self.collect(&ANY)
    }

    fn collect(&self, keywords: &[&str]) -> Vec<&'a Value> {
        let mut queue = VecDeque::from(self.schemas.clone());
        let mut parts = Vec::new();
        while let Some(schema) = queue.pop_front() {
            parts.push(schema);
            let free = MAX_PARTS.saturating_sub(parts.len() + queue.len());
            let reference = schema.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|text| self.root.pointer(text.strip_prefix('#')?));
            let lists = keywords.iter().filter_map(|key| schema.get(key)?.as_array());
            queue.extend(target.into_iter().chain(lists.flatten()).take(free));
        }
        parts
    }

    /// Returns the first value of a keyword in any subschema.
    pub(super) fn keyword(&self, name: &str) -> Option<&'a Value> {
        self.parts().into_iter().find_map(|part| part.get(name))
    }

    /// Returns the first value of a keyword that applies to every value except null, which
    /// excludes the keywords of only one of several alternatives.
    pub(super) fn unconditional(&self, name: &str) -> Option<&'a Value> {
        if self.schemas.len() > 1 {
            return None;
        }
        let mut parts = self.collect(&ALWAYS);
        let only_branch = |part: &&'a Value| {
            let lists = ["anyOf", "oneOf"].iter().filter_map(|key| part.get(key)?.as_array());
            let mut branches = lists.flatten().filter(|it| types_of(it) != ["null"]);
            branches.next().filter(|_| branches.next().is_none())
        };
        let alone: Vec<_> = parts.iter().filter_map(only_branch).collect();
        parts.extend(alone.into_iter().flat_map(|it| self.at(it).collect(&ALWAYS)));
        parts.into_iter().find_map(|part| part.get(name))
    }

    /// Returns the position of a field: the schema that always applies, else those of the
    /// alternatives. An unknown field has the schema `null`.
    pub(crate) fn field(&self, path: &[impl AsRef<str>]) -> Self {
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

    /// Returns the fields of an object and of its alternatives, required fields first.
    pub(crate) fn fields(&self) -> Vec<Field<'a>> {
        let mut fields = self.own_fields();
        let own = fields.len();
        let mut indices: HashMap<_, _> =
            (0..own).map(|index| (fields[index].name, index)).collect();
        for part in self.parts() {
            for (name, schema) in properties(part) {
                match indices.get(name) {
                    Some(index) if *index < own => {}
                    Some(index) => fields[*index].node.add_schema(schema),
                    None if fields.len() < MAX_FIELDS => {
                        indices.insert(name, fields.len());
                        fields.push(Field { name, is_required: false, node: self.at(schema) });
                    }
                    None => {}
                }
            }
        }
        fields
    }

    /// Returns the fields of an object without those of its alternatives, required fields first.
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

    /// Adds the schema that another alternative declares.
    fn add_schema(&mut self, schema: &'a Value) {
        if !self.schemas.last().is_some_and(|last| std::ptr::eq(*last, schema)) {
            self.schemas.push(schema);
        }
    }

    /// Returns the unions of the position, each with the tag of its branches.
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

    /// Returns the schemas that apply to every value; none if the position has several schemas.
    fn own_parts(&self) -> Vec<&'a Value> {
        match self.schemas.as_slice() {
            [_] => self.collect(&ALWAYS),
            _ => Vec::new(),
        }
    }

    fn required(&self) -> HashSet<&'a str> {
        let parts = self.collect(&ALWAYS).into_iter();
        let lists = parts.filter_map(|part| part.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).take(MAX_FIELDS).collect()
    }

    /// Returns the position of an array's items, which has the schema `null` if there is none.
    pub(crate) fn items(&self) -> Self {
        self.at(self.keyword("items").unwrap_or(&Value::Null))
    }

    /// Returns the names of the accepted types; none if the schema declares no type.
    pub(crate) fn types(&self) -> Vec<&'a str> {
        sorted_types(self.parts().into_iter().flat_map(types_of).collect())
    }

    /// Returns the values of `enum` and `const`, and the types of the other subschemas.
    pub(crate) fn choices(&self) -> (Vec<&'a Value>, Vec<&'a str>) {
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
        (values, sorted_types(types))
    }

    /// Returns the description, else the title.
    pub(crate) fn description(&self) -> &'a str {
        let text = |key| self.schemas.first().and_then(|schema| schema.get(key)?.as_str());
        let (own, title) = (text("description"), || text("title"));
        own.or_else(|| self.keyword("description")?.as_str()).or_else(title).unwrap_or_default()
    }
}

/// Returns whether a bound is the limit of a 32 or 64 bit integer. Schema generators write these
/// limits, and the author did not choose them.
pub(super) fn is_integer_limit(bound: &Value) -> bool {
    let signed = [i32::MIN.into(), i32::MAX.into(), i64::MIN, i64::MAX];
    let is_signed = bound.as_i64().is_some_and(|bound| signed.contains(&bound));
    is_signed || bound.as_u64().is_some_and(|bound| [u32::MAX.into(), u64::MAX].contains(&bound))
}

/// Sorts and deduplicates names of types, with `null` last.
fn sorted_types(mut types: Vec<&str>) -> Vec<&str> {
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

/// A union, with the branches that may be objects.
pub(super) struct Alternatives<'a> {
    pub(super) tagging: Tagging<'a>,
    pub(super) branches: Vec<(Node<'a>, Branch<'a>)>,
}

/// Returns the properties of one schema, without those of its subschemas.
fn properties(part: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = part.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().take(MAX_FIELDS).map(|(name, schema)| (name.as_str(), schema))
}

/// A field of an object.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_required: bool,
    pub(crate) node: Node<'a>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_subschemas_are_merged_with_required_fields_first() {
        let schema = json!({
            "properties": {"a": {}, "b": {}},
            "allOf": [{"$ref": "#/$defs/more"}],
            "anyOf": [{"required": ["a"]}],
            "$defs": {"more": {"properties": {"c": {}, "a": {"type": "null"}}, "required": ["b"]}},
        });
        let fields = Node::new(&schema).fields();
        let names: Vec<_> = fields.iter().map(|field| (field.name, field.is_required)).collect();
        assert_eq!(names, [("b", true), ("a", false), ("c", false)]);
    }

    #[test]
    fn reference_cycle_is_bounded() {
        let schema = json!({"allOf": vec![json!({"$ref": "#"}); 50], "type": "object"});
        assert_eq!(Node::new(&schema).types(), ["object"]);
        assert!(Node::new(&schema).parts().len() <= MAX_PARTS);
    }

    #[test]
    fn choices_are_enum_and_const_values_and_other_types() {
        let schema = json!({"anyOf": [
            {"oneOf": [{"type": "string", "const": "a"}, {"enum": ["b", "c"]}]},
            {"type": "null"},
        ]});
        let (values, types) = Node::new(&schema).choices();
        assert_eq!(values, [&json!("a"), &json!("b"), &json!("c")].map(|it| it).to_vec());
        assert_eq!(types, ["null"]);
    }
}
