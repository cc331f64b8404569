//! Secrets of a value: parts whose schema has `writeOnly` or `x-secret` set to true.
//!
//! A part is a secret if any subschema that may apply to it says so, also under `anyOf` or `then`,
//! because an unnecessary mask is better than a published secret. A null is not a secret.

use std::collections::HashSet;

use ophost_document::{Budget, Interruption};
use serde_json::Value;

use super::graph::{Graph, Node};

/// Maximum depth of the search, in levels: the maximum depth of a parsed value.
const MAX_DEPTH: usize = 128;
/// Budget of the search for the secrets of a value, in steps.
const MAX_STEPS: u64 = 4 << 20;
/// Maximum number of separate masks in a value. A mask is larger than a short secret.
pub(super) const MAX_MASKS: usize = 1_000;

/// Returns the mask of a secret.
pub(crate) type MakeMask<'a> = dyn Fn(&Value) -> Result<Value, Interruption> + 'a;

/// The secrets of a schema.
#[derive(Debug)]
pub(super) struct Secrets {
    /// For each node, whether it or a node below it is a secret.
    leads: Vec<bool>,
}

impl Secrets {
    /// Finds the secrets of a schema.
    pub(super) fn of(graph: &Graph) -> Self {
        let mut above = vec![Vec::new(); graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            let here = node.here.iter().map(|(_, inner)| *inner);
            here.chain(node.below()).for_each(|inner| above[inner].push(index));
        }
        let mut leads: Vec<_> = graph.nodes.iter().map(|node| node.is_secret).collect();
        let mut open: Vec<_> = (0..leads.len()).filter(|index| leads[*index]).collect();
        while let Some(found) = open.pop() {
            for index in &above[found] {
                if !std::mem::replace(&mut leads[*index], true) {
                    open.push(*index);
                }
            }
        }
        Self { leads }
    }

    /// Returns whether a value can have secrets.
    pub(super) fn exist(&self) -> bool {
        self.leads.first().is_some_and(|leads| *leads)
    }

    /// Returns a value with each secret replaced by the result of `mask`; `None` if there is none.
    /// Masks the whole value if it has more than [`MAX_MASKS`] secrets or the search takes too long.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub(super) fn masked(
        &self,
        graph: &Graph,
        value: &Value,
        mask: &MakeMask<'_>,
        budget: &Budget,
    ) -> Result<Option<Value>, Interruption> {
        if !self.exist() {
            return Ok(None);
        }
        let steps = budget.with_steps(MAX_STEPS);
        let leads = &self.leads;
        let mut search =
            Search { graph, leads, budget: &steps, path: Vec::new(), found: Vec::new() };
        match search.visit(&[0], value, MAX_DEPTH) {
            Ok(()) if search.found.is_empty() => Ok(None),
            Ok(()) => replaced(value, &search.found, mask).map(Some),
            Err(SearchEnd::Whole | SearchEnd::Interrupted(Interruption::Steps)) => {
                mask(value).map(Some)
            }
            Err(SearchEnd::Interrupted(why)) => Err(why),
        }
    }
}

/// Returns a value with masks at these paths.
fn replaced(
    value: &Value,
    paths: &[Vec<Part<'_>>],
    mask: &MakeMask<'_>,
) -> Result<Value, Interruption> {
    let mut replaced = value.clone();
    for path in paths {
        let found = path.iter().try_fold(&mut replaced, |value, part| match part {
            Part::Name(name) => value.get_mut(*name),
            Part::Index(index) => value.get_mut(*index),
        });
        if let Some(secret) = found {
            *secret = mask(secret)?;
        }
    }
    Ok(replaced)
}

/// A step of a path: a field or an item.
#[derive(Clone, Copy)]
enum Part<'v> {
    Name(&'v str),
    Index(usize),
}

/// Reason for the early end of a search.
enum SearchEnd {
    /// The whole value must be masked.
    Whole,
    Interrupted(Interruption),
}

impl From<Interruption> for SearchEnd {
    fn from(why: Interruption) -> Self {
        Self::Interrupted(why)
    }
}

struct Search<'a, 'v> {
    graph: &'a Graph,
    leads: &'a [bool],
    budget: &'a Budget,
    /// The current path.
    path: Vec<Part<'v>>,
    /// The paths of secrets.
    found: Vec<Vec<Part<'v>>>,
}

impl<'v> Search<'_, 'v> {
    fn visit(&mut self, nodes: &[usize], value: &'v Value, left: usize) -> Result<(), SearchEnd> {
        if nodes.is_empty() || value.is_null() {
            return Ok(());
        }
        let left = left.checked_sub(1).ok_or(SearchEnd::Whole)?;
        let applied = self.applied(nodes)?;
        if applied.iter().any(|node| self.graph.nodes[*node].is_secret) {
            if self.found.len() == MAX_MASKS {
                return Err(SearchEnd::Whole);
            }
            self.found.push(self.path.clone());
            return Ok(());
        }
        match value {
            Value::Object(members) => members.iter().try_for_each(|(name, inner)| {
                let below = self
                    .below(&applied, |node, below, budget| of_member(node, name, below, budget))?;
                self.part(Part::Name(name), &below, inner, left)
            }),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                let below = self.below(&applied, |node, below, _| {
                    below.extend(of_item(node, index));
                    Ok(())
                })?;
                self.part(Part::Index(index), &below, item, left)
            }),
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn part(
        &mut self,
        part: Part<'v>,
        nodes: &[usize],
        value: &'v Value,
        left: usize,
    ) -> Result<(), SearchEnd> {
        self.path.push(part);
        self.visit(nodes, value, left)?;
        self.path.pop();
        Ok(())
    }

    /// Returns the nodes that apply to a part and lead to a secret.
    fn below(
        &self,
        applied: &[usize],
        of: impl Fn(&Node, &mut Vec<usize>, &Budget) -> Result<(), Interruption>,
    ) -> Result<Vec<usize>, Interruption> {
        let mut below = Vec::new();
        for node in applied {
            self.budget.step()?;
            of(&self.graph.nodes[*node], &mut below, self.budget)?;
        }
        below.retain(|node| self.leads[*node]);
        Ok(below)
    }

    /// Returns the nodes, and all nodes that may apply to the same value, that lead to a secret;
    /// each once.
    fn applied(&self, nodes: &[usize]) -> Result<Vec<usize>, Interruption> {
        let mut applied = nodes.to_vec();
        applied.retain(|node| self.leads[*node]);
        let mut seen: HashSet<_> = applied.iter().copied().collect();
        let mut next = 0;
        while let Some(node) = applied.get(next) {
            for (_, inner) in &self.graph.nodes[*node].here {
                self.budget.step()?;
                if self.leads[*inner] && seen.insert(*inner) {
                    applied.push(*inner);
                }
            }
            next += 1;
        }
        Ok(applied)
    }
}

/// Adds the nodes that a node applies to a member.
fn of_member(
    node: &Node,
    name: &str,
    below: &mut Vec<usize>,
    budget: &Budget,
) -> Result<(), Interruption> {
    let before = below.len();
    below.extend(node.properties.get(name));
    for (pattern, inner) in &node.patterns {
        if pattern.may_match(name, budget)? {
            below.push(*inner);
        }
    }
    if below.len() == before {
        below.extend(node.additional);
    }
    below.extend(node.unevaluated_properties);
    Ok(())
}

/// Returns the nodes that a node applies to the item at an index.
fn of_item(node: &Node, index: usize) -> impl Iterator<Item = usize> {
    let listed = node.first_items.get(index).copied().or(node.items);
    [listed, node.contains, node.unevaluated_items].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::super::graph;
    use super::*;

    /// Returns the value with `"*"` for each secret.
    fn masked(schema: &Value, value: &Value) -> Option<Value> {
        let index = graph::index(schema).unwrap();
        let graph = Graph::read(schema, &index).unwrap();
        let mask = |_: &Value| Ok(json!("*"));
        Secrets::of(&graph).masked(&graph, value, &mask, &Budget::unlimited()).unwrap()
    }

    #[test]
    fn secrets_are_found_in_every_subschema_that_may_apply() {
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
    fn a_value_without_secrets_is_not_masked() {
        let schema = json!({"properties": {"a": {"x-secret": true}, "b": {}}});
        assert_eq!(masked(&schema, &json!({"a": null, "b": 1})), None);
        assert_eq!(masked(&schema, &json!([1])), None);
        assert_eq!(masked(&json!({"$defs": {"a": {"x-secret": true}}}), &json!(1)), None);
        assert_eq!(masked(&json!({"x-secret": true}), &json!(1)), Some(json!("*")));
    }

    #[test]
    fn many_secrets_are_masked_as_one() {
        let schema = json!({"additionalProperties": {"writeOnly": true}});
        let of =
            |count: usize| Value::Object((0..count).map(|n| (n.to_string(), json!(n))).collect());
        let most = masked(&schema, &of(MAX_MASKS)).unwrap();
        assert_eq!(most["0"], "*");
        assert_eq!(most.as_object().unwrap().len(), MAX_MASKS);
        assert_eq!(masked(&schema, &of(MAX_MASKS + 1)), Some(json!("*")));
    }

    #[test]
    fn cycles_end_and_a_long_search_masks_the_whole_value() {
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
