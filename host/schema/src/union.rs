//! Unions: the alternatives of a schema (`anyOf`, `oneOf`) and their tags.
//!
//! Rust enums and discriminated unions become alternatives with a tag: a property with a constant
//! (internally and adjacently tagged), or the name of the only required property (externally
//! tagged). Schemas come from plugins, so all work is bounded. Beyond a bound, messages are less
//! precise.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Maximum number of alternatives of a union.
const MAX_BRANCHES: usize = 100;
/// Maximum number of schemas of an alternative: those of its references and its `allOf`.
const MAX_PARTS: usize = 10;
/// Maximum number of alternatives, including nested ones.
const MAX_LEAVES: usize = 200;
/// Maximum depth of nested alternatives.
const MAX_DEPTH: usize = 4;
/// Maximum number of properties that are tried as a tag.
const MAX_CANDIDATES: usize = 8;
/// Maximum length of a tag, in bytes.
const MAX_TAG: usize = 256;
/// Maximum number of fields of an object that are compared with an alternative.
const MAX_COMPARED: usize = 20;

/// The alternatives of one keyword.
#[derive(Debug)]
pub struct Union<'a> {
    /// In the order of the schema.
    pub branches: Vec<Branch<'a>>,
    /// The tag of the objects.
    pub tagging: Tagging<'a>,
}

/// The tag of the objects among the alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagging<'a> {
    /// The value of this property is the tag.
    Property(&'a str),
    /// The name of the only property is the tag.
    Key,
    /// The objects have no tag.
    None,
}

/// An alternative of a union.
#[derive(Debug)]
pub struct Branch<'a> {
    /// The schema in the list.
    pub schema: &'a Value,
    /// Values of the tag, with [`Tagging::Property`].
    pub tags: Vec<&'a Value>,
    /// Name of the property, with [`Tagging::Key`].
    pub key: Option<&'a str>,
    /// Its simple alternatives: one, or several if it consists of alternatives.
    leaves: Vec<Leaf<'a>>,
}

impl<'a> Union<'a> {
    /// Reads the alternatives of `keyword` in the schema `holder`; `None` if there are none. References
    /// are resolved in `root`.
    pub fn read(root: &'a Value, holder: &'a Value, keyword: &str) -> Option<Self> {
        let list = holder.get(keyword)?.as_array().filter(|list| !list.is_empty())?;
        let mut room = MAX_LEAVES;
        let branch = |schema: &'a Value| {
            let mut leaves = Vec::new();
            add_leaves(root, schema, (MAX_DEPTH, room), &mut leaves);
            room -= leaves.len();
            Branch { schema, tags: Vec::new(), key: None, leaves }
        };
        let branches: Vec<_> = list.iter().take(MAX_BRANCHES).map(branch).collect();
        let mut union = Self { branches, tagging: Tagging::None };
        let declared = holder.get("discriminator").and_then(|it| it.get("propertyName")?.as_str());
        let candidates = declared.into_iter().chain(union.candidates());
        let candidates: Vec<_> = candidates.take(MAX_CANDIDATES).collect();
        if !candidates.into_iter().any(|name| union.tag_by(name)) {
            union.tag_by_key();
        }
        Some(union)
    }

    /// Returns the object alternatives.
    pub fn objects(&self) -> impl Iterator<Item = &Branch<'a>> {
        self.branches.iter().filter(|branch| branch.is_object())
    }

    /// Returns the properties of the first object that can be a tag.
    fn candidates(&self) -> Vec<&'a str> {
        let first = self.objects().next().and_then(|branch| branch.leaves.first());
        first.into_iter().flat_map(Leaf::constants).take(MAX_CANDIDATES).collect()
    }

    /// Uses a property as the tag, if its values differ between all objects.
    fn tag_by(&mut self, name: &'a str) -> bool {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for branch in self.objects() {
            let Some(tags) = branch.values_of(name) else { return false };
            let texts: BTreeSet<_> = tags.iter().map(ToString::to_string).collect();
            if !texts.is_disjoint(&seen) {
                return false;
            }
            seen.extend(texts);
            all.push(tags);
        }
        // A single object needs no tag.
        if all.len() < 2 {
            return false;
        }
        let objects = self.branches.iter_mut().filter(|branch| branch.is_object());
        objects.zip(all).for_each(|(branch, tags)| branch.tags = tags);
        self.tagging = Tagging::Property(name);
        true
    }

    /// Uses property names as the tag, if each object requires exactly one, different property.
    fn tag_by_key(&mut self) {
        let keys: Option<Vec<_>> = self.objects().map(Branch::only_key).collect();
        let Some(keys) = keys.filter(|keys| keys.len() > 1) else { return };
        if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
            return;
        }
        let objects = self.branches.iter_mut().filter(|branch| branch.is_object());
        objects.zip(keys).for_each(|(branch, key)| branch.key = Some(key));
        self.tagging = Tagging::Key;
    }
}

impl<'a> Branch<'a> {
    /// Returns whether all its values are objects.
    pub fn is_object(&self) -> bool {
        !self.leaves.is_empty() && self.leaves.iter().all(|leaf| leaf.types() == ["object"])
    }

    /// Returns whether its values can be objects with declared fields.
    pub fn may_be_object(&self) -> bool {
        self.leaves.iter().any(|leaf| leaf.types().contains(&"object"))
    }

    /// Returns whether its values can have the type of `value`.
    pub(super) fn takes_type_of(&self, value: &Value) -> bool {
        let types = types_of(value);
        self.leaves
            .iter()
            .map(Leaf::types)
            .any(|known| known.is_empty() || known.iter().any(|known| types.contains(known)))
    }

    /// Returns whether it is a list of allowed values.
    pub(super) fn is_choice(&self) -> bool {
        !self.leaves.is_empty() && self.leaves.iter().all(|leaf| leaf.choices().is_some())
    }

    /// Returns the allowed values.
    pub(super) fn choices(&self) -> impl Iterator<Item = &'a Value> {
        self.leaves.iter().filter_map(Leaf::choices).flatten()
    }

    /// Returns descriptions of its values without [`Self::choices`]. `is_short` omits required
    /// properties.
    pub(super) fn words(&self, is_short: bool) -> impl Iterator<Item = String> {
        let others = self.leaves.iter().filter(|leaf| leaf.choices().is_none());
        others.map(move |leaf| leaf.words(is_short))
    }

    /// Returns the similarity of an object by the names of its fields: the number of known fields, and
    /// the negative number of missing required fields.
    pub(super) fn likeness(&self, object: &Map<String, Value>) -> (usize, isize) {
        let of = |leaf: &Leaf<'a>| {
            let names = object.keys().take(MAX_COMPARED);
            let known = names.filter(|name| leaf.property(name).is_some()).count();
            let required = leaf.required().into_iter();
            (known, -required.map(|name| isize::from(!object.contains_key(name))).sum::<isize>())
        };
        self.leaves.iter().map(of).max().unwrap_or_default()
    }

    /// Returns the title of the schema.
    pub fn title(&self) -> Option<&'a str> {
        match self.leaves.as_slice() {
            [leaf] => leaf.parts.iter().find_map(|part| part.get("title")?.as_str()),
            _ => self.schema.get("title")?.as_str(),
        }
    }

    /// Returns the required values of a property.
    fn values_of(&self, name: &str) -> Option<Vec<&'a Value>> {
        let each: Option<Vec<_>> = self.leaves.iter().map(|leaf| leaf.values_of(name)).collect();
        let mut values = Vec::new();
        for value in each?.into_iter().flatten().take(MAX_BRANCHES) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Some(values)
    }

    fn only_key(&self) -> Option<&'a str> {
        match self.leaves.as_slice() {
            [leaf] => match leaf.required().as_slice() {
                [name] if leaf.property(name).is_some() => Some(name),
                _ => None,
            },
            _ => None,
        }
    }
}

/// An alternative without nested alternatives.
#[derive(Debug)]
struct Leaf<'a> {
    root: &'a Value,
    /// The schema and the schemas that apply with it.
    parts: Vec<&'a Value>,
}

/// Adds a schema, or its alternatives, up to the limits of depth and number.
fn add_leaves<'a>(
    root: &'a Value,
    schema: &'a Value,
    (depth, room): (usize, usize),
    to: &mut Vec<Leaf<'a>>,
) {
    if to.len() >= room {
        return;
    }
    let parts = parts(root, schema);
    let list = parts.iter().find_map(|part| part.get("oneOf").or(part.get("anyOf"))?.as_array());
    // An object with properties and alternatives is treated as one object.
    let is_own =
        |part: &&Value| ["properties", "const", "enum"].iter().any(|key| part.get(key).is_some());
    match list {
        Some(list) if depth > 0 && !parts.iter().any(is_own) => {
            let inner = list.iter().take(MAX_BRANCHES);
            inner.for_each(|inner| add_leaves(root, inner, (depth - 1, room), to));
        }
        _ => to.push(Leaf { root, parts }),
    }
}

/// Returns a schema and the schemas that apply with it, nearest first.
fn parts<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut parts = vec![schema];
    let mut place = 0;
    while let Some(part) = parts.get(place).copied() {
        let reference = part.get("$ref").and_then(Value::as_str);
        let target = reference.and_then(|text| root.pointer(text.strip_prefix('#')?));
        let all = part.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let room = MAX_PARTS.saturating_sub(parts.len());
        parts.extend(target.into_iter().chain(all).take(room));
        place += 1;
    }
    parts
}

impl<'a> Leaf<'a> {
    /// Returns the allowed types; empty if all are allowed.
    fn types(&self) -> Vec<&'a str> {
        let declared = self.parts.iter().find_map(|part| match part.get("type")? {
            Value::String(one) => Some(vec![one.as_str()]),
            Value::Array(several) => {
                Some(several.iter().filter_map(Value::as_str).take(7).collect())
            }
            _ => None,
        });
        let is_object = || ["properties", "required"].iter().any(|key| self.keyword(key).is_some());
        declared.unwrap_or_else(|| match self.choices() {
            Some(choices) => choices.iter().flat_map(|choice| types_of(choice)).copied().collect(),
            None if is_object() => vec!["object"],
            None => Vec::new(),
        })
    }

    fn keyword(&self, name: &str) -> Option<&'a Value> {
        self.parts.iter().find_map(|part| part.get(name))
    }

    fn choices(&self) -> Option<Vec<&'a Value>> {
        choices(&self.parts)
    }

    /// Returns the properties with constants. One of them can be the tag.
    fn constants(&self) -> impl Iterator<Item = &'a str> {
        let named = self.properties().take(MAX_BRANCHES);
        named.filter(|(name, _)| self.values_of(name).is_some()).map(|(name, _)| name)
    }

    fn properties(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let maps = self.parts.iter().filter_map(|part| part.get("properties")?.as_object());
        maps.flatten().map(|(name, schema)| (name.as_str(), schema))
    }

    fn property(&self, name: &str) -> Option<&'a Value> {
        self.parts.iter().find_map(|part| part.get("properties")?.get(name))
    }

    /// Returns the required values of a property. Returns `None` for a secret, because the reported
    /// alternative would reveal it.
    fn values_of(&self, name: &str) -> Option<Vec<&'a Value>> {
        let parts = parts(self.root, self.property(name)?);
        let is_set = |key| parts.iter().any(|part| part.get(key) == Some(&Value::Bool(true)));
        let values = choices(&parts).filter(|_| !is_set("writeOnly") && !is_set("x-secret"))?;
        values.iter().all(|value| is_tag(value)).then_some(values)
    }

    /// Returns the first required properties.
    fn required(&self) -> Vec<&'a str> {
        let lists = self.parts.iter().filter_map(|part| part.get("required")?.as_array());
        let mut names: Vec<_> = lists.flatten().filter_map(Value::as_str).take(MAX_PARTS).collect();
        names.dedup();
        names
    }

    fn words(&self, is_short: bool) -> String {
        let types = self.types();
        let required = self.required();
        if !is_short && types == ["object"] && !required.is_empty() {
            let shown: Vec<_> = required.iter().take(3).map(|name| format!("`{name}`")).collect();
            let more = if required.len() > 3 { ", ..." } else { "" };
            return format!("object with {}{more}", shown.join(", "));
        }
        if types.is_empty() { "another value".to_owned() } else { types.join(" or ") }
    }
}

/// Returns the allowed values of schemas that apply together, if they list them.
fn choices<'a>(parts: &[&'a Value]) -> Option<Vec<&'a Value>> {
    parts.iter().find_map(|part| match (part.get("const"), part.get("enum")) {
        (Some(constant), _) => Some(vec![constant]),
        (None, Some(options)) => Some(options.as_array()?.iter().take(MAX_BRANCHES).collect()),
        (None, None) => None,
    })
}

fn is_tag(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_TAG,
        Value::Bool(_) | Value::Number(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Returns the names of the types of a value.
fn types_of(value: &Value) -> &'static [&'static str] {
    match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(number) if number.is_f64() => &["number"],
        Value::Number(_) => &["integer", "number"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    }
}
