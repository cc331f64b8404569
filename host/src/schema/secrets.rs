//! Which parts of a value its schema calls secret: `writeOnly` or `x-secret`, where true.
//!
//! They are looked for wherever a subschema may apply, also where it perhaps does not, such as
//! under `anyOf` or `then`: what is masked for nothing is a nuisance, what is shown cannot be
//! taken back. A null is no secret.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::graph::{Graph, Node};

/// How deep a value is looked into, in levels: as deep as a value that is read.
const MAX_DEPTH: usize = 128;
/// How often a schema is looked at to mask one value.
const MAX_STEPS: usize = 4 << 20;

/// Where the secrets of a schema are.
#[derive(Debug)]
pub(super) struct Secrets {
    /// For each node, whether it or something that it leads to is one.
    leads: Vec<bool>,
}

impl Secrets {
    /// Finds them.
    pub(super) fn of(graph: &Graph) -> Self {
        let mut above = vec![Vec::new(); graph.nodes.len()];
        for (place, node) in graph.nodes.iter().enumerate() {
            let here = node.here.iter().map(|(_, inner)| *inner);
            here.chain(node.below()).for_each(|inner| above[inner].push(place));
        }
        let mut leads: Vec<_> = graph.nodes.iter().map(|node| node.is_secret).collect();
        let mut open: Vec<_> = (0..leads.len()).filter(|place| leads[*place]).collect();
        while let Some(found) = open.pop() {
            for place in &above[found] {
                if !std::mem::replace(&mut leads[*place], true) {
                    open.push(*place);
                }
            }
        }
        Self { leads }
    }

    /// Returns whether a value may hold any.
    pub(super) fn are_there(&self) -> bool {
        self.leads.first().is_some_and(|leads| *leads)
    }

    /// Returns a value with each secret in it replaced by what `mask` makes of it; `None` if
    /// there is none. Where looking would take too long, the value as a whole is a secret.
    pub(super) fn masked(
        &self,
        graph: &Graph,
        value: &Value,
        mask: &dyn Fn(&Value) -> Value,
    ) -> Option<Value> {
        if !self.are_there() {
            return None;
        }
        let leads = &self.leads;
        let mut masker = Masker { graph, leads, mask, steps_left: MAX_STEPS, has_found: false };
        let mut masked = value.clone();
        match masker.mask(&[0], &mut masked, MAX_DEPTH) {
            Ok(()) => masker.has_found.then_some(masked),
            Err(TooLong) => Some(mask(value)),
        }
    }
}

/// Looking at all parts would take too long.
struct TooLong;

struct Masker<'a> {
    graph: &'a Graph,
    leads: &'a [bool],
    mask: &'a dyn Fn(&Value) -> Value,
    steps_left: usize,
    has_found: bool,
}

impl Masker<'_> {
    fn mask(&mut self, nodes: &[usize], value: &mut Value, left: usize) -> Result<(), TooLong> {
        if nodes.is_empty() || value.is_null() {
            return Ok(());
        }
        let left = left.checked_sub(1).ok_or(TooLong)?;
        let applied = self.applied(nodes)?;
        if applied.iter().any(|node| self.graph.nodes[*node].is_secret) {
            *value = (self.mask)(value);
            self.has_found = true;
            return Ok(());
        }
        match value {
            Value::Object(members) => self.mask_members(&applied, members, left),
            Value::Array(items) => self.mask_items(&applied, items, left),
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn mask_members(
        &mut self,
        applied: &[usize],
        members: &mut Map<String, Value>,
        left: usize,
    ) -> Result<(), TooLong> {
        for (name, inner) in members {
            let mut below = Vec::new();
            for node in applied {
                self.step()?;
                below.extend(of_member(&self.graph.nodes[*node], name));
            }
            self.mask(&self.leading(below), inner, left)?;
        }
        Ok(())
    }

    fn mask_items(
        &mut self,
        applied: &[usize],
        items: &mut [Value],
        left: usize,
    ) -> Result<(), TooLong> {
        for (place, item) in items.iter_mut().enumerate() {
            let mut below = Vec::new();
            for node in applied {
                self.step()?;
                below.extend(of_item(&self.graph.nodes[*node], place));
            }
            self.mask(&self.leading(below), item, left)?;
        }
        Ok(())
    }

    fn leading(&self, mut nodes: Vec<usize>) -> Vec<usize> {
        nodes.retain(|node| self.leads[*node]);
        nodes
    }

    /// Returns the nodes and all that may apply to the same value, as far as they lead to a
    /// secret, each once.
    fn applied(&mut self, nodes: &[usize]) -> Result<Vec<usize>, TooLong> {
        let mut applied = self.leading(nodes.to_vec());
        let mut seen: HashSet<_> = applied.iter().copied().collect();
        let mut next = 0;
        while let Some(node) = applied.get(next) {
            for (_, inner) in &self.graph.nodes[*node].here {
                self.step()?;
                if self.leads[*inner] && seen.insert(*inner) {
                    applied.push(*inner);
                }
            }
            next += 1;
        }
        Ok(applied)
    }

    fn step(&mut self) -> Result<(), TooLong> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(TooLong)?;
        Ok(())
    }
}

/// Returns what a node applies to a member.
fn of_member(node: &Node, name: &str) -> Vec<usize> {
    let mut below: Vec<_> = node.properties.get(name).copied().into_iter().collect();
    if !node.patterns.is_empty() {
        let name = Value::from(name);
        let fitting = node.patterns.iter().filter(|(pattern, _)| pattern.matches(&name));
        below.extend(fitting.map(|(_, inner)| *inner));
    }
    let is_additional = below.is_empty();
    below.extend(node.additional.filter(|_| is_additional));
    below.extend(node.unevaluated_properties);
    below
}

/// Returns what a node applies to the item at a place.
fn of_item(node: &Node, place: usize) -> impl Iterator<Item = usize> {
    let listed = node.first_items.get(place).copied().or(node.items);
    [listed, node.contains, node.unevaluated_items].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::graph;
    use super::*;

    /// Returns the value with `"*"` for each secret.
    fn masked(schema: &Value, value: &Value) -> Option<Value> {
        let index = graph::index(schema).unwrap();
        let graph = Graph::read(schema, &index).unwrap();
        Secrets::of(&graph).masked(&graph, value, &|_| json!("*"))
    }

    #[test]
    fn i4_secrets_are_found_wherever_a_schema_may_apply() {
        let secret = json!({"x-secret": true});
        let schema = json!({
            "properties": {
                "own": {"type": "string", "writeOnly": true},
                "list": {"items": secret},
                "first": {"prefixItems": [{}, secret]},
                "map": {"additionalProperties": secret, "properties": {"open": {}}},
                "some": {"patternProperties": {"^s": secret}},
                "all": {"allOf": [{"properties": {"x": secret}}]},
                "any": {"anyOf": [{"type": "null"}, {"oneOf": [secret]}]},
                "then": {"if": true, "then": {"properties": {"x": secret}}, "else": {"properties": {"y": secret}}},
                "refers": {"$ref": "#/$defs/place"},
                "off": {"writeOnly": false, "x-secret": "yes"},
            },
            "$defs": {"place": {"properties": {"x": {"$ref": "#/$defs/secret"}}}, "secret": secret},
        });
        let xy = json!({"x": 1, "y": {"z": 2}});
        let value = json!({
            "own": "a", "list": [1, [2]], "first": [1, 2, 3], "map": {"open": 1, "a": 2},
            "some": {"s": 1, "t": 2}, "all": xy, "any": 1, "then": xy, "refers": xy, "off": 1,
            "other": 1,
        });
        let expected = json!({
            "own": "*", "list": ["*", "*"], "first": [1, "*", 3], "map": {"open": 1, "a": "*"},
            "some": {"s": "*", "t": 2}, "all": {"x": "*", "y": {"z": 2}}, "any": "*",
            "then": {"x": "*", "y": "*"}, "refers": {"x": "*", "y": {"z": 2}}, "off": 1,
            "other": 1,
        });
        assert_eq!(masked(&schema, &value), Some(expected));
    }

    #[test]
    fn i4_where_there_is_no_secret_nothing_is_masked() {
        let schema = json!({"properties": {"a": {"x-secret": true}, "b": {}}});
        assert_eq!(masked(&schema, &json!({"a": null, "b": 1})), None);
        assert_eq!(masked(&schema, &json!([1])), None);
        assert_eq!(masked(&json!({"$defs": {"a": {"x-secret": true}}}), &json!(1)), None);
        assert_eq!(masked(&json!({"x-secret": true}), &json!(1)), Some(json!("*")));
    }

    #[test]
    fn i4_circles_end_and_what_would_take_too_long_is_masked_as_a_whole() {
        let schema = json!({
            "properties": {"next": {"$ref": "#"}, "a": {"x-secret": true}},
            "allOf": [{"$ref": "#"}],
        });
        let value = json!({"next": {"a": 1, "next": {"a": 2}}});
        let expected = json!({"next": {"a": "*", "next": {"a": "*"}}});
        assert_eq!(masked(&schema, &value), Some(expected));
        let deep = (0..MAX_DEPTH).fold(json!({"a": 1}), |inside, _| json!({"next": inside}));
        assert_eq!(masked(&schema, &deep), Some(json!("*")));
        let all: Vec<_> =
            (0..1000).map(|_| json!({"additionalProperties": {"x-secret": true}})).collect();
        let wide: Map<_, _> = (0..5000).map(|n| (n.to_string(), json!([]))).collect();
        assert_eq!(masked(&json!({"anyOf": all}), &Value::Object(wide)), Some(json!("*")));
    }
}
