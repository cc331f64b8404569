//! What checking a value costs at most, before it is checked: the validator cannot be stopped.
//!
//! Time is unfolded paths. Where a subschema is reached on several paths, through `allOf` and
//! references for instance, the validator checks a value against it that many times: twenty
//! doublings in a kilobyte are a million checks of one value. So paths are counted, without
//! walking them: what a subschema costs is its own keywords and the sum of what it applies.
//!
//! # What is refused with the schema
//!
//! - What one value costs, through everything that applies to the *same* value. These
//!   subschemas form no circle (one that does is refused: it goes nowhere), so the sum is
//!   finite; beyond [`MAX_COST`] the schema is refused, naming the innermost place beyond it.
//! - How long such a path is, beyond [`MAX_STEPS`]: the validator uses stack for each step.
//!
//! # What is refused with the value
//!
//! Through `properties` and `items` a path goes on to a part of the value. There circles are
//! ordinary, and so are circles that branch: each kind of node of an expression tree refers
//! back to all of them. What they cost depends on how deep a value is, not on the schema:
//! refusing every schema that can be made to cost much would refuse all of those. So paths are
//! counted a second time on the value itself ([`Cost::affords`]): one pass over the value,
//! with the subschemas that apply to each part and on how many paths. A level is counted from
//! the one above it, so this ends soon where the paths themselves would not. The count is in
//! three currencies, as the validator has three ways of going through a value: asking whether
//! it holds stops counting at a recursive reference that was asked before, since the validator
//! remembers those answers; collecting all errors has no memory; and finding the first error
//! collects only what is below alternatives. Most values are small and most schemas simple: the
//! product of both bounds then says so, and nothing is counted ([`Count`] is the counting).

use serde_json::Value;

use super::compiled::SchemaError;
use super::count::Count;
use super::graph::{Graph, Node};
use super::price::HASHING;

/// What one value may cost, in units of [`Price`](super::price::Price).
const MAX_COST: u64 = 10_000;
/// How many subschemas for one value may lie inside one another.
const MAX_STEPS: usize = 64;
/// How deep a value can be.
const MAX_LEVELS: usize = 128;
/// What checking any value may cost; a unit takes about a nanosecond, at worst some.
const BASE: u64 = 32 << 20;
/// What it may cost more for each part and byte of the value.
const PER_BYTE: u64 = 64;
/// How many errors may have to be collected; one takes some 200 nanoseconds and 300 bytes.
const MAX_ERRORS: u64 = 1 << 18;

/// What is known about the cost of a schema.
#[derive(Debug)]
pub(super) struct Cost {
    /// For each node, its place in an order in which what applies comes after what is applied.
    pub(super) rank: Vec<usize>,
    /// The nodes in that order.
    pub(super) node: Vec<usize>,
    /// Which nodes the validator remembers answers of.
    pub(super) remembered: Vec<bool>,
    /// What any part of a value costs at most.
    worst: u64,
    /// How many subschemas for one value lie inside one another.
    pub(super) steps: usize,
}

/// How a value is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Until the first error.
    First = 0,
    /// Only whether it holds.
    Check = 1,
    /// To every error.
    Collect = 2,
}

impl Cost {
    /// Computes what a schema costs.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if that is too much, or references go in a circle.
    pub(super) fn of(graph: &Graph) -> Result<Self, SchemaError> {
        let mut walk = Walk { graph, state: vec![State::Unseen; graph.nodes.len()], order: vec![] };
        for node in 0..graph.nodes.len() {
            walk.visit(node, 1)?;
        }
        let mut rank = vec![0; graph.nodes.len()];
        for (place, node) in walk.order.iter().enumerate() {
            rank[*node] = place;
        }
        let steps = walk.state.iter().map(State::steps).max().unwrap_or(0);
        let mut cost =
            Self { rank, node: walk.order, remembered: remembered(graph), worst: 0, steps };
        cost.worst = cost.worst(graph, &cost.here(graph)?);
        Ok(cost)
    }

    /// Returns what each node costs for one value.
    fn here(&self, graph: &Graph) -> Result<Vec<u64>, SchemaError> {
        let own = |node: usize| {
            let node = &graph.nodes[node];
            let patterns = node.patterns.iter().map(|(pattern, _)| pattern.price);
            node.price.value.max(1) + patterns.sum::<u64>()
        };
        let costs = self.sums(graph, own);
        let dear = |node: &&usize| costs[**node] > MAX_COST;
        match self.node.iter().find(dear) {
            None => Ok(costs),
            Some(node) => {
                let problem = format!(
                    "checking one value means applying more than {MAX_COST} keywords, counting \
                     each way on which references and alternatives lead to them"
                );
                Err(SchemaError { pointer: graph.pointer(*node), problem })
            }
        }
    }

    /// Adds up what each node has itself, and what it applies to the same value.
    fn sums(&self, graph: &Graph, own: impl Fn(usize) -> u64) -> Vec<u64> {
        let mut sums = vec![0_u64; graph.nodes.len()];
        let mut marks = vec![0_u64; graph.nodes.len()];
        for node in &self.node {
            let mut mark = own(*node);
            let mut sum = mark;
            for (_, inner) in &graph.nodes[*node].here {
                sum = sum.saturating_add(sums[*inner]);
                mark = mark.saturating_add(sums[*inner]).saturating_add(marks[*inner]);
            }
            marks[*node] = mark;
            sums[*node] = if graph.nodes[*node].marks() { sum.saturating_add(mark) } else { sum };
        }
        sums
    }

    /// Returns what any part of a value costs at most, however deep it is.
    fn worst(&self, graph: &Graph, here: &[u64]) -> u64 {
        let levels = MAX_LEVELS as u64;
        let extra = self.sums(graph, |node| {
            let price = graph.nodes[node].price;
            let unique = if price.unique { HASHING * levels } else { 0 };
            // Looking for what it remembers takes the validator longer the deeper it is.
            let asked = if self.remembered[node] { levels } else { 0 };
            price.byte + unique + asked
        });
        let here: Vec<u64> =
            here.iter().zip(&extra).map(|(here, extra)| here.saturating_add(*extra)).collect();
        let mut costs = here.clone();
        for _ in 0..MAX_LEVELS {
            let below = self.sums(graph, |node| below(&graph.nodes[node], &costs));
            let deeper: Vec<u64> = below.iter().zip(&here).map(|(a, b)| *a.max(b)).collect();
            if deeper == costs {
                break;
            }
            costs = deeper;
        }
        costs.first().copied().unwrap_or(0)
    }
}

/// Returns what a node's keywords cost for a part of its value, if each node costs that much.
fn below(node: &Node, costs: &[u64]) -> u64 {
    let of = |at: &Option<usize>| at.map_or(0, |at| costs[at]);
    let named = node.properties.values().map(|at| costs[*at]).max().unwrap_or(0);
    let patterns = node.patterns.iter().map(|(_, at)| costs[*at]);
    let first = node.first_items.iter().map(|at| costs[*at]).max().unwrap_or(0);
    [named.max(of(&node.additional)), of(&node.names), of(&node.unevaluated_properties)]
        .into_iter()
        .chain([first.max(of(&node.items)), of(&node.contains), of(&node.unevaluated_items)])
        .chain(patterns)
        .fold(0, u64::saturating_add)
}

#[derive(Clone, Copy)]
enum State {
    Unseen,
    Open,
    Done(usize),
}

impl State {
    fn steps(&self) -> usize {
        match self {
            Self::Unseen | Self::Open => 0,
            Self::Done(steps) => *steps,
        }
    }
}

/// Orders the nodes, and finds circles and long paths.
struct Walk<'a> {
    graph: &'a Graph,
    state: Vec<State>,
    order: Vec<usize>,
}

impl Walk<'_> {
    /// Returns how many steps there are from a node.
    fn visit(&mut self, node: usize, depth: usize) -> Result<usize, SchemaError> {
        match self.state[node] {
            State::Unseen => {}
            State::Open => {
                return Err(self.refuse(node, "applies itself to the same value again".to_owned()));
            }
            State::Done(steps) => return Ok(steps),
        }
        self.state[node] = State::Open;
        let mut steps = 1;
        for (_, inner) in &self.graph.nodes[node].here {
            // Also here, since walking on uses stack.
            let inner = if depth > MAX_STEPS { MAX_STEPS } else { self.visit(*inner, depth + 1)? };
            steps = steps.max(1 + inner);
        }
        if steps > MAX_STEPS {
            let problem = format!(
                "more than {MAX_STEPS} references, `allOf` and the like for one value lie inside \
                 one another"
            );
            return Err(self.refuse(node, problem));
        }
        self.state[node] = State::Done(steps);
        self.order.push(node);
        Ok(steps)
    }

    fn refuse(&self, node: usize, problem: String) -> SchemaError {
        SchemaError { pointer: self.graph.pointer(node), problem }
    }
}

/// Returns which nodes close a circle: the validator remembers, for each part of a value, what
/// it found out about those.
fn remembered(graph: &Graph) -> Vec<bool> {
    let next = |node: usize| -> Vec<usize> {
        let node = &graph.nodes[node];
        node.here.iter().map(|(_, inner)| *inner).chain(node.below()).collect()
    };
    let mut remembered = vec![false; graph.nodes.len()];
    let mut state = vec![State::Unseen; graph.nodes.len()];
    let mut open = vec![(0, next(0))];
    state[0] = State::Open;
    // Not recursive: this goes as deep as the schema has subschemas.
    while let Some((node, rest)) = open.last_mut() {
        let Some(inner) = rest.pop() else {
            state[*node] = State::Done(0);
            open.pop();
            continue;
        };
        match state[inner] {
            State::Unseen => {
                state[inner] = State::Open;
                open.push((inner, next(inner)));
            }
            State::Open => remembered[inner] = true,
            State::Done(_) => {}
        }
    }
    remembered
}

/// How large a value is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Its parts and the bytes of its texts.
    bytes: u64,
    /// How deep it is.
    pub(super) levels: usize,
}

impl Size {
    /// Measures a value.
    pub(super) fn of(value: &Value) -> Self {
        let mut size = Self { bytes: 1, levels: 1 };
        match value {
            Value::String(text) => size.bytes += text.len() as u64,
            Value::Array(items) => items.iter().for_each(|item| size.hold(0, Self::of(item))),
            Value::Object(members) => {
                members.iter().for_each(|(name, inner)| size.hold(name.len(), Self::of(inner)));
            }
            _ => {}
        }
        size
    }

    fn hold(&mut self, name: usize, inner: Self) {
        self.bytes += name as u64 + inner.bytes;
        self.levels = self.levels.max(1 + inner.levels);
    }
}

impl Cost {
    /// Whether going through a value that way takes a bounded time.
    pub(super) fn affords(&self, graph: &Graph, node: usize, value: &Value, way: Way) -> bool {
        let size = Size::of(value);
        let units = BASE.saturating_add(PER_BYTE.saturating_mul(size.bytes));
        if way == Way::Check && self.worst.saturating_mul(size.bytes) <= units && node == 0 {
            return true;
        }
        Count::new(graph, self, units, MAX_ERRORS).affords(node, way, value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Schema;
    use super::super::attacks::{chain, nested};
    use super::*;

    fn refused(document: Value) -> String {
        Schema::compile(document).unwrap_err().to_string()
    }

    #[test]
    fn doubling_is_refused_whatever_doubles() {
        let doubles: [fn(Value) -> Value; 6] = [
            |next| json!({"allOf": [next, next]}),
            |next| json!({"anyOf": [next, next]}),
            |next| json!({"oneOf": [next, {"not": next}]}),
            |next| json!({"not": {"allOf": [next, next]}}),
            |next| json!({"if": next, "then": next, "else": next}),
            |next| json!({"dependentSchemas": {"a": next, "b": next}}),
        ];
        for double in doubles {
            let message = refused(chain(20, double, json!({"type": "object"})));
            assert!(
                message.starts_with("not a valid schema at `/$defs/")
                    && message.contains("more than 10000 keywords"),
                "{message}"
            );
            Schema::compile(chain(5, double, json!({"type": "object"}))).unwrap();
        }
    }

    #[test]
    fn what_unevaluated_properties_asks_again_is_counted() {
        let link = |next| json!({"allOf": [next], "unevaluatedProperties": {"type": "null"}});
        assert!(refused(chain(15, link, json!({}))).contains("more than 10000 keywords"));
        Schema::compile(chain(3, link, json!({}))).unwrap();
    }

    #[test]
    fn a_circle_that_goes_nowhere_is_refused() {
        let circles = [
            json!({"$ref": "#"}),
            json!({"anyOf": [{"type": "null"}, {"$ref": "#"}]}),
            json!({"not": {"$ref": "#"}}),
            json!({"$ref": "#a", "$defs": {"a": {"$anchor": "a", "if": {"$dynamicRef": "#a"}}}}),
        ];
        for circle in circles {
            let message = refused(circle);
            assert!(message.contains("applies itself to the same value again"), "{message}");
        }
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        Schema::compile(tree).unwrap();
    }

    #[test]
    fn a_long_way_to_a_keyword_is_refused() {
        let link = |next| next;
        let message = refused(chain(2_000, link, json!({})));
        assert!(message.contains("more than 64 references"), "{message}");
        Schema::compile(chain(62, link, json!({}))).unwrap();
    }

    #[test]
    fn ordinary_trees_are_checked_however_deep() {
        let operator = |name: &str| {
            json!({
                "type": "object",
                "properties": {
                    "kind": {"const": name},
                    "x": {"$ref": "#/$defs/expression"},
                    "right": {"$ref": "#/$defs/expression"},
                },
                "required": ["kind", "x", "right"],
            })
        };
        let names = (0..20).map(|number| operator(&number.to_string()));
        let alternatives: Vec<_> =
            std::iter::once(json!({"type": "number"})).chain(names).collect();
        let schema = Schema::compile(json!({
            "$ref": "#/$defs/expression",
            "$defs": {"expression": {"anyOf": alternatives}},
        }))
        .unwrap();
        let tree = |leaf: Value| {
            (0..100).fold(leaf, |inner, _| json!({"kind": "7", "x": inner, "right": 1}))
        };
        assert_eq!(schema.check(&tree(json!(2))), Ok(()));
        let violations = schema.check(&tree(json!("two"))).unwrap_err();
        assert_eq!(violations.to_string(), "breaks its schema in at least 1 place");
    }

    #[test]
    fn a_value_that_would_take_too_long_is_not_checked() {
        let all: Vec<_> = (0..2_000).map(|limit| json!({"maximum": limit})).collect();
        let schema = Schema::compile(json!({"items": {"allOf": all}})).unwrap();
        assert_eq!(schema.check(&json!([0, 0, 0])), Ok(()));
        let violations = schema.check(&json!(vec![0; 500_000])).unwrap_err();
        assert_eq!(violations.to_string(), "cannot be checked against its schema");
        assert_eq!(
            violations.list[0].problem,
            "takes too long to check: too many parts of its schema apply to it"
        );
    }

    #[test]
    fn paths_through_parts_of_a_value_are_counted() {
        // Each level doubles what applies to the next.
        let link =
            |next| json!({"allOf": [{"properties": {"x": next}}, {"properties": {"x": next}}]});
        let schema = Schema::compile(chain(40, link, json!({"type": "null"}))).unwrap();
        assert_eq!(schema.check(&nested(8, json!({}))), Ok(()));
        assert!(schema.check(&nested(41, json!({}))).unwrap_err().unchecked);
    }
}
