//! Applies the defaults of a schema, because the validator only checks.
//!
//! A default is inserted for a missing property, and the defaults of the inserted value are applied
//! too. The schemas of a value are found through `properties`, `items`, `prefixItems`, `allOf` and
//! references. Defaults under `anyOf`, `oneOf` and `if` are not applied, because these subschemas
//! may not apply.
//!
//! The default of a property is that of its own schema, else the nearest one that `$ref` and
//! `allOf` lead to: fewer steps first, then in the order of the schema. If several schemas of an
//! object describe a property, the nearest one with a default is used.

use std::collections::{HashMap, HashSet};

use ophost_document::{Budget, Interruption};
use serde_json::{Map, Value};

use super::graph::{Applicator, Graph};

/// Maximum depth of a value with its defaults, in levels: the maximum depth of a parsed value.
const MAX_DEPTH: usize = 128;
/// Maximum size of the inserted defaults of a value, in bytes.
const MAX_FILLED: usize = 8 << 20;

/// Error of applying defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FillError {
    Defaults(DefaultsError),
    Interrupted(Interruption),
}

impl From<DefaultsError> for FillError {
    fn from(error: DefaultsError) -> Self {
        Self::Defaults(error)
    }
}

impl From<Interruption> for FillError {
    fn from(why: Interruption) -> Self {
        Self::Interrupted(why)
    }
}

/// Defaults that exceed a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DefaultsError {
    #[error("the defaults are nested more than {MAX_DEPTH} levels deep")]
    Deep,
    #[error("the defaults exceed {}", bytesize::ByteSize(MAX_FILLED as u64))]
    Large,
}

/// Applies the defaults to a value of a node.
///
/// # Errors
///
/// Returns [`FillError`] if a limit is exceeded or the budget is used up. The value may have some of
/// its defaults then.
pub(super) fn fill(
    graph: &Graph,
    node: usize,
    value: &mut Value,
    budget: &Budget,
) -> Result<(), FillError> {
    if each(graph).next().is_none() {
        return Ok(());
    }
    let mut filler = Filler { graph, nearest: HashMap::new(), bytes_left: MAX_FILLED, budget };
    filler.fill(&[node], value, MAX_DEPTH)
}

/// Returns every default that [`fill`] can use, with the node that declares it.
pub(super) fn each(graph: &Graph) -> impl Iterator<Item = (usize, &Value)> {
    let nodes = graph.nodes.iter().enumerate();
    nodes.filter_map(|(place, node)| Some((place, node.default.as_ref()?)))
}

struct Filler<'a> {
    graph: &'a Graph,
    /// Defaults of the properties that were missing so far; `None` for a property without a default.
    nearest: HashMap<usize, Option<&'a Value>>,
    bytes_left: usize,
    budget: &'a Budget,
}

impl<'a> Filler<'a> {
    fn fill(&mut self, nodes: &[usize], value: &mut Value, left: usize) -> Result<(), FillError> {
        let left = left.checked_sub(1).ok_or(DefaultsError::Deep)?;
        match value {
            Value::Object(members) => self.fill_members(nodes, members, left),
            Value::Array(items) => self.fill_items(nodes, items, left),
            _ => Ok(()),
        }
    }

    fn fill_members(
        &mut self,
        nodes: &[usize],
        members: &mut Map<String, Value>,
        left: usize,
    ) -> Result<(), FillError> {
        let applied = self.applied(nodes)?;
        for node in &applied {
            let node = &self.graph.nodes[*node];
            for name in &node.names_in_order {
                self.budget.step()?;
                if !members.contains_key(name) {
                    self.fill_in(name, node.properties[name], members)?;
                }
            }
        }
        for (name, inner) in members {
            let mut below = Vec::new();
            for node in &applied {
                self.budget.step()?;
                below.extend(self.graph.nodes[*node].properties.get(name));
            }
            if !below.is_empty() {
                self.fill(&below, inner, left)?;
            }
        }
        Ok(())
    }

    fn fill_in(
        &mut self,
        name: &str,
        property: usize,
        members: &mut Map<String, Value>,
    ) -> Result<(), FillError> {
        if let Some(default) = self.nearest(property)? {
            let bytes = name.len() + default.to_string().len();
            self.budget.spend(bytes)?;
            self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(DefaultsError::Large)?;
            members.insert(name.to_owned(), default.clone());
        }
        Ok(())
    }

    /// Returns the default of a missing property.
    fn nearest(&mut self, property: usize) -> Result<Option<&'a Value>, FillError> {
        if let Some(known) = self.nearest.get(&property) {
            return Ok(*known);
        }
        let graph = self.graph;
        let declared = self.applied(&[property])?;
        let nearest = declared.iter().find_map(|node| graph.nodes[*node].default.as_ref());
        self.nearest.insert(property, nearest);
        Ok(nearest)
    }

    fn fill_items(
        &mut self,
        nodes: &[usize],
        items: &mut [Value],
        left: usize,
    ) -> Result<(), FillError> {
        let applied = self.applied(nodes)?;
        for (place, item) in items.iter_mut().enumerate() {
            let mut below = Vec::new();
            for node in &applied {
                self.budget.step()?;
                let node = &self.graph.nodes[*node];
                below.extend(node.first_items.get(place).copied().or(node.items));
            }
            if !below.is_empty() {
                self.fill(&below, item, left)?;
            }
        }
        Ok(())
    }

    /// Returns the nodes, and all nodes that certainly apply to the same value; each once, nearest
    /// first.
    fn applied(&mut self, nodes: &[usize]) -> Result<Vec<usize>, FillError> {
        let mut applied = nodes.to_vec();
        let mut seen: HashSet<_> = nodes.iter().copied().collect();
        let mut next = 0;
        while let Some(node) = applied.get(next) {
            for (step, inner) in &self.graph.nodes[*node].here {
                self.budget.step()?;
                if *step == Applicator::Always && seen.insert(*inner) {
                    applied.push(*inner);
                }
            }
            next += 1;
        }
        Ok(applied)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::graph;
    use super::*;

    fn filled(schema: &Value, mut value: Value) -> Result<Value, DefaultsError> {
        let index = graph::index(schema).unwrap();
        let graph = Graph::read(schema, &index).unwrap();
        match fill(&graph, 0, &mut value, &Budget::unlimited()) {
            Ok(()) => Ok(value),
            Err(FillError::Defaults(error)) => Err(error),
            Err(FillError::Interrupted(why)) => panic!("{why}"),
        }
    }

    #[test]
    fn defaults_are_found_through_properties_items_all_of_and_references() {
        let schema = json!({
            "properties": {
                "a": {"default": 1},
                "list": {"items": {"properties": {"b": {"default": "x"}}}},
                "place": {"$ref": "#/$defs/place"},
                "made": {"$ref": "#/$defs/place", "default": {}},
            },
            "allOf": [{"properties": {"c": {"default": null}}}],
            "anyOf": [{"properties": {"d": {"default": 4}}}, true],
            "$defs": {"place": {"properties": {"city": {"default": "Rome"}}}},
        });
        let value = json!({"list": [{}, {"b": "y"}, 3], "place": {}});
        assert_eq!(
            filled(&schema, value).unwrap(),
            json!({
                "list": [{"b": "x"}, {"b": "y"}, 3],
                "place": {"city": "Rome"},
                "c": null,
                "a": 1,
                "made": {"city": "Rome"},
            })
        );
    }

    #[test]
    fn the_nearest_default_of_a_property_is_used() {
        let schema = json!({
            "properties": {
                "own": {"$ref": "#/$defs/two", "default": 1},
                "reference": {"$ref": "#/$defs/two"},
                "part": {"allOf": [{"$ref": "#/$defs/two"}, {"default": 3}]},
                "twice": {"$ref": "#/$defs/reference"},
                "perhaps": {"anyOf": [{"default": 5}]},
            },
            "allOf": [{"properties": {"own": {"default": 6}, "other": {"default": 7}}}],
            "$defs": {"two": {"default": 2}, "reference": {"$ref": "#/$defs/two"}},
        });
        assert_eq!(
            filled(&schema, json!({})).unwrap(),
            json!({"own": 1, "reference": 2, "part": 3, "twice": 2, "other": 7})
        );
    }

    #[test]
    fn every_kind_of_reference_is_followed() {
        let schema = json!({
            "properties": {
                "pointer": {"$ref": "#/elsewhere/a%20b/~0%25"},
                "anchor": {"$ref": "#named"},
                "id": {"$ref": "other.json#/$defs/c"},
            },
            "elsewhere": {"a b": {"~%": {"default": 1}}},
            "$defs": {
                "a": {"$anchor": "named", "default": 2},
                "b": {"$id": "other.json", "$defs": {"c": {"default": 3}}},
            },
        });
        let expected = json!({"pointer": 1, "anchor": 2, "id": 3});
        assert_eq!(filled(&schema, json!({})).unwrap(), expected);
    }

    #[test]
    fn prefix_items_have_their_own_defaults() {
        let schema = json!({
            "prefixItems": [{"properties": {"a": {"default": 1}}}],
            "items": {"properties": {"a": {"default": 2}}},
        });
        let expected = json!([{"a": 1}, {"a": 2}, {"a": 2}]);
        assert_eq!(filled(&schema, json!([{}, {}, {}])).unwrap(), expected);
    }

    #[test]
    fn an_existing_value_is_not_replaced() {
        let schema = json!({"properties": {"a": {"default": 1}}});
        for given in [json!({"a": null}), json!([]), json!("text")] {
            assert_eq!(filled(&schema, given.clone()), Ok(given));
        }
    }

    #[test]
    fn recursive_defaults_end() {
        let growing = json!({"properties": {"next": {"$ref": "#", "default": {}}}});
        assert_eq!(filled(&growing, json!({})), Err(DefaultsError::Deep));
        let doubling = json!({"properties": {"a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}}});
        assert_eq!(filled(&doubling, json!({})), Err(DefaultsError::Deep));
        let large = json!({"properties": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$defs": {"a": {"properties": {"b": {"default": "x".repeat(1000)}}}}});
        assert_eq!(filled(&large, json!({"a": vec![json!({}); 9_000]})), Err(DefaultsError::Large));
        let recursive = json!({"properties": {"next": {"$ref": "#"}, "a": {"default": 1}}});
        assert_eq!(filled(&recursive, json!({"next": {}})), Ok(json!({"next": {"a": 1}, "a": 1})));
    }

    #[test]
    fn shared_subschemas_are_visited_once() {
        assert_eq!(
            filled(&json!({"$ref": "#/$defs/a", "$defs": doubled(40)}), json!({})),
            Ok(json!({"a": 1}))
        );
    }

    fn doubled(count: usize) -> Value {
        let mut all = Map::new();
        for place in 0..count {
            let next = json!({"$ref": format!("#/$defs/{}", place + 1)});
            all.insert(place.to_string(), json!({"allOf": [next, next]}));
        }
        all.insert(count.to_string(), json!({"properties": {"a": {"default": 1}}}));
        all.insert("a".to_owned(), json!({"$ref": "#/$defs/0"}));
        Value::Object(all)
    }

    #[test]
    fn every_default_is_listed_with_its_location() {
        let schema = json!({
            "properties": {"a/b": {"default": 1}},
            "items": {"default": 2},
            "$defs": {"x": {"allOf": [{"default": 3}]}},
            "anyOf": [{"default": 4}],
            "$ref": "#/elsewhere/0",
            "elsewhere": [{"default": 5}],
        });
        let index = graph::index(&schema).unwrap();
        let graph = Graph::read(&schema, &index).unwrap();
        let mut seen: Vec<_> = each(&graph)
            .map(|(node, default)| (default.to_string(), graph.pointer(node)))
            .collect();
        seen.sort();
        let seen: Vec<_> = seen.iter().map(|(_, pointer)| pointer.as_str()).collect();
        assert_eq!(
            seen,
            ["/properties/a~1b", "/items", "/$defs/x/allOf/0", "/anyOf/0", "/elsewhere/0"]
        );
    }
}
