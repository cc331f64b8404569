//! The graph of a schema: subschemas, and the applicators between them.
//!
//! The validator does not publish its graph, and the cost of a check and the defaults need it.
//! References (pointers, also percent-encoded, anchors, `$id`) are resolved by the library of the
//! validator.

use std::collections::HashMap;

use referencing::{Draft, Registry, Resolver, uri};
use serde_json::{Map, Value};

use super::bounds;
use super::compiled::SchemaError;
use super::keyword_cost;
use super::pattern::Pattern;

/// Base URI of a schema without `$id`; different from that of the validator.
const BASE: &str = "schema:///";

/// The subschemas of a schema, its root first.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// Patterns of texts and of member names.
    pub(super) patterns: HashMap<String, Pattern>,
}

/// A subschema.
#[derive(Debug, Default)]
pub(super) struct Node {
    location: Location,
    /// Cost of its keywords, see [`keyword_cost`].
    pub(super) cost: u64,
    pub(super) default: Option<Value>,
    /// Whether its values are secrets.
    pub(super) is_secret: bool,
    /// The subschemas for the same value.
    pub(super) here: Vec<(Applicator, usize)>,
    pub(super) properties: HashMap<String, usize>,
    /// The names of the properties, in the order of the schema.
    pub(super) names_in_order: Vec<String>,
    pub(super) patterns: Vec<(Pattern, usize)>,
    pub(super) additional: Option<usize>,
    pub(super) names: Option<usize>,
    pub(super) first_items: Vec<usize>,
    pub(super) items: Option<usize>,
    pub(super) contains: Option<usize>,
    pub(super) unevaluated_properties: Option<usize>,
    pub(super) unevaluated_items: Option<usize>,
}

/// Location of a subschema, relative to another one. Pointers would repeat long names.
#[derive(Debug, Default)]
enum Location {
    /// Within another node, or within the root.
    Below(Option<usize>, String),
    /// Only reachable by a reference.
    At(String),
    /// Within a published meta-schema.
    #[default]
    Outside,
}

/// Kind of an applicator for the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applicator {
    /// Always applies: a reference, `allOf`.
    Always,
    /// May apply, or is only tested: all others.
    Perhaps,
}

impl Node {
    /// Returns the subschemas that apply to parts of the value.
    pub(super) fn below(&self) -> impl Iterator<Item = usize> {
        let single = [
            self.additional,
            self.names,
            self.items,
            self.contains,
            self.unevaluated_properties,
            self.unevaluated_items,
        ];
        let patterns = self.patterns.iter().map(|(_, node)| *node);
        let listed = self.properties.values().copied().chain(self.first_items.iter().copied());
        listed.chain(patterns).chain(single.into_iter().flatten())
    }

    /// Returns whether the node has `unevaluated*` keywords.
    pub(super) fn marks(&self) -> bool {
        self.unevaluated_properties.is_some() || self.unevaluated_items.is_some()
    }
}

/// Returns the index of the resolver library, which only contains the schema itself.
///
/// # Errors
///
/// Returns [`SchemaError`] if the schema has an external reference.
pub(super) fn index(document: &Value) -> Result<Registry<'_>, SchemaError> {
    let draft = Draft::default().detect(document);
    Ok(Registry::new().draft(draft).add(BASE, draft.create_resource_ref(document))?.prepare()?)
}

/// Returns the URI of the subschema at a JSON pointer of an indexed schema.
pub(super) fn address(pointer: &str) -> String {
    let mut address = format!("{BASE}#");
    for byte in pointer.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                address.push(char::from(byte));
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

impl Graph {
    /// Reads a schema and the targets of its references.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] for a dangling reference or an unsupported pattern.
    pub(super) fn read(document: &Value, index: &Registry<'_>) -> Result<Self, SchemaError> {
        let resolver = index.resolver(uri::from_str(BASE)?);
        let mut reader = Reader::new(document);
        reader.node(document, Location::Below(None, String::new()), resolver, Draft::default());
        // A larger schema is rejected later.
        while reader.graph.nodes.len() <= bounds::MAX_SUBSCHEMAS {
            if let Some(found) = reader.found.pop() {
                let node = found.node;
                reader.read(found).map_err(|error| error.or_at(|| reader.graph.pointer(node)))?;
            } else if let Some(reference) = reader.references.pop() {
                // References are followed last, so that their targets have a location.
                let node = reference.node;
                reader
                    .refer(&reference)
                    .map_err(|error| error.or_at(|| reader.graph.pointer(node)))?;
            } else {
                break;
            }
        }
        reader.join_dynamic()?;
        Ok(reader.graph)
    }

    /// Returns the JSON pointer to a node; that of the root for a node outside the schema.
    pub(super) fn pointer(&self, node: usize) -> String {
        let mut names = Vec::new();
        let mut at = Some(node);
        while let Some(node) = at {
            at = match &self.nodes[node].location {
                Location::Below(parent, name) => {
                    names.push(name.as_str());
                    *parent
                }
                Location::At(pointer) => {
                    names.push(pointer);
                    None
                }
                Location::Outside => None,
            };
        }
        names.reverse();
        names.concat()
    }
}

/// A subschema that is not read yet.
struct Found<'a> {
    node: usize,
    schema: &'a Value,
    resolver: Resolver<'a>,
    draft: Draft,
}

/// A reference that is not followed yet.
struct Reference<'a> {
    node: usize,
    text: &'a str,
    resolver: Resolver<'a>,
}

struct Reader<'a> {
    document: &'a Value,
    graph: Graph,
    /// Node of each value of the document.
    known: HashMap<*const Value, usize>,
    found: Vec<Found<'a>>,
    /// Possible targets of dynamic references, by name.
    dynamic: HashMap<String, Vec<usize>>,
    /// Nodes with a dynamic reference, and its name.
    dynamic_references: Vec<(usize, String)>,
    references: Vec<Reference<'a>>,
    pattern_size: usize,
}

impl<'a> Reader<'a> {
    fn new(document: &'a Value) -> Self {
        Self {
            document,
            graph: Graph::default(),
            known: HashMap::new(),
            found: Vec::new(),
            dynamic: HashMap::new(),
            dynamic_references: Vec::new(),
            references: Vec::new(),
            pattern_size: 0,
        }
    }

    fn node(
        &mut self,
        schema: &'a Value,
        location: Location,
        resolver: Resolver<'a>,
        draft: Draft,
    ) -> usize {
        if let Some(node) = self.known.get(&std::ptr::from_ref(schema)) {
            return *node;
        }
        let node = self.graph.nodes.len();
        self.graph.nodes.push(Node { location, ..Node::default() });
        self.known.insert(schema, node);
        self.found.push(Found { node, schema, resolver, draft });
        node
    }

    /// Returns the node of the subschema at `name` in a keyword of another node.
    fn below(&mut self, found: &Found<'a>, key: &str, name: &str, schema: &'a Value) -> usize {
        let location = match self.graph.nodes[found.node].location {
            Location::Outside => Location::Outside,
            _ => Location::Below(Some(found.node), format!("/{key}{name}")),
        };
        self.node(schema, location, found.resolver.clone(), found.draft)
    }

    fn read(&mut self, mut found: Found<'a>) -> Result<(), SchemaError> {
        found.draft = found.draft.detect(found.schema);
        let resource = found.draft.create_resource_ref(found.schema);
        found.resolver = found.resolver.in_subresource(resource)?;
        self.graph.nodes[found.node].cost = keyword_cost::of(found.schema);
        let Some(schema) = found.schema.as_object() else { return Ok(()) };
        // Before draft 2019-09, keywords beside a reference are ignored.
        let old = matches!(found.draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7);
        let alone = old && schema.get("$ref").is_some_and(Value::is_string);
        self.read_references(&found, schema);
        if !alone {
            self.read_here(&found, schema);
            self.read_properties(&found, schema)?;
            self.read_items(&found, schema);
            self.read_pattern(schema)?;
        }
        let node = &mut self.graph.nodes[found.node];
        let is = |key: &str| schema.get(key) == Some(&Value::Bool(true));
        node.is_secret = is("writeOnly") || is("x-secret");
        if !matches!(node.location, Location::Outside) {
            node.default = schema.get("default").cloned();
        }
        // Definitions are checked even if no reference leads to them.
        for key in ["$defs", "definitions"] {
            self.members(&found, key);
        }
        Ok(())
    }

    fn read_references(&mut self, found: &Found<'a>, schema: &'a Map<String, Value>) {
        let text = |key| schema.get(key).and_then(Value::as_str);
        let dynamic = match found.draft {
            Draft::Draft202012 => text("$dynamicRef"),
            Draft::Draft201909 => text("$recursiveRef"),
            _ => None,
        };
        if let Some(reference) = dynamic {
            let name = reference.rsplit('#').next().unwrap_or_default().to_owned();
            self.dynamic_references.push((found.node, name));
        }
        for text in text("$ref").into_iter().chain(dynamic) {
            let resolver = found.resolver.clone();
            self.references.push(Reference { node: found.node, text, resolver });
        }
        if let Some(name) = text("$dynamicAnchor") {
            self.dynamic.entry(name.to_owned()).or_default().push(found.node);
        }
        if schema.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
            self.dynamic.entry(String::new()).or_default().push(found.node);
        }
    }

    fn refer(&mut self, reference: &Reference<'a>) -> Result<(), SchemaError> {
        let (schema, resolver, draft) = reference.resolver.lookup(reference.text)?.into_inner();
        let known = self.known.contains_key(&std::ptr::from_ref(schema));
        let pointer = if known { None } else { pointer_to(self.document, schema) };
        let target =
            self.node(schema, pointer.map_or(Location::Outside, Location::At), resolver, draft);
        self.graph.nodes[reference.node].here.push((Applicator::Always, target));
        Ok(())
    }

    /// Connects each dynamic reference with all its possible targets.
    fn join_dynamic(&mut self) -> Result<(), SchemaError> {
        let mut joined = 0;
        for (node, name) in std::mem::take(&mut self.dynamic_references) {
            let targets = self.dynamic.get(&name).map_or(&[][..], Vec::as_slice);
            let here = &mut self.graph.nodes[node].here;
            let known = here.clone();
            let all = targets.iter().map(|target| (Applicator::Always, *target));
            here.extend(all.filter(|step| !known.contains(step)));
            joined += targets.len();
            bounds::check_joined(joined)?;
        }
        Ok(())
    }

    fn read_here(&mut self, found: &Found<'a>, schema: &'a Map<String, Value>) {
        let mut here = Vec::new();
        for (key, step) in [
            ("allOf", Applicator::Always),
            ("anyOf", Applicator::Perhaps),
            ("oneOf", Applicator::Perhaps),
        ] {
            here.extend(self.list(found, key).into_iter().map(|node| (step, node)));
        }
        for key in ["if", "not", "then", "else"] {
            // Without `if`, `then` and `else` are ignored.
            let says = matches!(key, "if" | "not") || schema.contains_key("if");
            if let Some(inner) = schema.get(key).filter(|_| says) {
                here.push((Applicator::Perhaps, self.below(found, key, "", inner)));
            }
        }
        for key in ["dependentSchemas", "dependencies"] {
            here.extend(
                self.members(found, key).into_iter().map(|(_, node)| (Applicator::Perhaps, node)),
            );
        }
        self.graph.nodes[found.node].here.extend(here);
    }

    fn read_properties(
        &mut self,
        found: &Found<'a>,
        schema: &'a Map<String, Value>,
    ) -> Result<(), SchemaError> {
        let properties = self.members(found, "properties");
        let mut patterns = Vec::new();
        for (pattern, node) in self.members(found, "patternProperties") {
            patterns.push((self.pattern(pattern)?, node));
        }
        let mut single = |key| Some(self.below(found, key, "", schema.get(key)?));
        let additional = single("additionalProperties");
        let unevaluated = single("unevaluatedProperties");
        let names = single("propertyNames");
        let node = &mut self.graph.nodes[found.node];
        node.names_in_order = properties.iter().map(|(name, _)| (*name).clone()).collect();
        node.properties = properties.into_iter().map(|(name, at)| (name.clone(), at)).collect();
        node.patterns = patterns;
        node.additional = additional;
        node.unevaluated_properties = unevaluated;
        node.names = names;
        Ok(())
    }

    fn read_pattern(&mut self, schema: &'a Map<String, Value>) -> Result<(), SchemaError> {
        if let Some(text) = schema.get("pattern").and_then(Value::as_str) {
            self.pattern(text)?;
        }
        Ok(())
    }

    /// Returns a pattern, and compiles each pattern once.
    fn pattern(&mut self, text: &'a str) -> Result<Pattern, SchemaError> {
        if let Some(known) = self.graph.patterns.get(text) {
            return Ok(known.clone());
        }
        let pattern = Pattern::compile(text)?;
        self.pattern_size += pattern.size;
        bounds::check_patterns(self.pattern_size)?;
        self.graph.patterns.insert(text.to_owned(), pattern.clone());
        Ok(pattern)
    }

    fn read_items(&mut self, found: &Found<'a>, schema: &'a Map<String, Value>) {
        // Up to draft 2019-09, a list in `items` has the meaning of `prefixItems`.
        let old = schema.get("items").is_some_and(Value::is_array);
        let first_items = self.list(found, if old { "items" } else { "prefixItems" });
        let mut single = |key| Some(self.below(found, key, "", schema.get(key)?));
        let items = single(if old { "additionalItems" } else { "items" });
        let contains = single("contains");
        let unevaluated = single("unevaluatedItems");
        let node = &mut self.graph.nodes[found.node];
        node.first_items = first_items;
        node.items = items;
        node.contains = contains;
        node.unevaluated_items = unevaluated;
    }

    /// Returns the nodes of a keyword with a list of schemas.
    fn list(&mut self, found: &Found<'a>, key: &str) -> Vec<usize> {
        let list = found.schema.get(key).and_then(Value::as_array);
        let list = list.into_iter().flatten().enumerate();
        list.map(|(at, inner)| self.below(found, key, &format!("/{at}"), inner)).collect()
    }

    /// Returns the nodes of a keyword with schemas by name.
    fn members(&mut self, found: &Found<'a>, key: &str) -> Vec<(&'a String, usize)> {
        let schema: &'a Value = found.schema;
        let members = schema.get(key).and_then(Value::as_object);
        let schemas = members.into_iter().flatten().filter(|(_, inner)| !inner.is_array());
        let escaped = |name: &str| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        schemas.map(|(name, inner)| (name, self.below(found, key, &escaped(name), inner))).collect()
    }
}

/// Returns the JSON pointer to a part of a document, if the document contains it.
fn pointer_to(document: &Value, part: &Value) -> Option<String> {
    if std::ptr::eq(document, part) {
        return Some(String::new());
    }
    match document {
        Value::Object(members) => members.iter().find_map(|(name, inner)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            pointer_to(inner, part).map(|rest| format!("/{name}{rest}"))
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, inner)| pointer_to(inner, part).map(|rest| format!("/{at}{rest}"))),
        _ => None,
    }
}
