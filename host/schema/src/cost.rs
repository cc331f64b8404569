//! Upper bound of the cost of checking one value, computed from the schema.
//!
//! The validator checks a value against a subschema once for each path to it. With 20 doublings
//! through `allOf` and references, a schema of one kilobyte causes a million checks. The cost of a
//! subschema is therefore the cost of its own keywords and the sum of the subschemas that it
//! applies, which counts paths without walking them.
//!
//! Only subschemas that apply to the *same* value count. They form no cycle, because a cycle is
//! rejected, so the sum is finite. A schema with a subschema above [`MAX_COST`] is rejected with the
//! innermost such location. A schema with a path longer than [`MAX_STEPS`] is rejected too, because
//! the validator uses stack for each step.
//!
//! The cost of a whole value is not computed: a check has a budget, and
//! [`instance`](super::instance) ends it.

use super::compiled::SchemaError;
use super::graph::{Graph, Node};

/// Maximum cost of one value, in units of [`cost`](super::keyword_cost).
const MAX_COST: u64 = 10_000;
/// Maximum nesting of subschemas for one value.
const MAX_STEPS: usize = 64;
/// Stack of one subschema for one level of a value, in bytes.
const STACK_PER_STEP: usize = 2 << 10;
/// Maximum cost of matching the patterns of a subschema with one name: about 10 ms.
const MAX_NAME_COST: u64 = 16 << 20;

/// Cost of a schema.
#[derive(Debug)]
pub(super) struct Cost {
    /// Nesting of subschemas for one value.
    steps: usize,
    /// Maximum length of a member name for the patterns of every subschema.
    pub(super) longest_name: usize,
}

impl Cost {
    /// Computes the cost of a schema.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if the cost is above a limit, or references form a cycle.
    pub(super) fn of(graph: &Graph) -> Result<Self, SchemaError> {
        let mut walk = Walk { graph, state: vec![State::Unseen; graph.nodes.len()], order: vec![] };
        for node in 0..graph.nodes.len() {
            walk.visit(node, 1)?;
        }
        check(graph, &walk.order)?;
        let steps = walk.state.iter().map(State::steps).max().unwrap_or(0);
        let tries = graph.nodes.iter().map(of_patterns).max().unwrap_or(0).max(1);
        let longest_name = usize::try_from(MAX_NAME_COST / tries).unwrap_or(usize::MAX);
        Ok(Self { steps, longest_name })
    }

    /// Returns the stack for a check of a value with this number of levels, in bytes.
    pub(super) fn stack(&self, levels: usize) -> usize {
        self.steps * levels * STACK_PER_STEP
    }
}

/// Returns the cost of the patterns of a subschema for each byte of a name.
fn of_patterns(node: &Node) -> u64 {
    node.patterns.iter().map(|(pattern, _)| pattern.cost).sum()
}

/// Checks the cost of each node for one value. In `order`, a node follows the nodes that it applies.
fn check(graph: &Graph, order: &[usize]) -> Result<(), SchemaError> {
    let mut sums = vec![0_u64; graph.nodes.len()];
    let mut marks = vec![0_u64; graph.nodes.len()];
    for place in order {
        let node = &graph.nodes[*place];
        let mut mark = node.cost + of_patterns(node);
        let mut sum = mark;
        for (_, inner) in &node.here {
            sum = sum.saturating_add(sums[*inner]);
            mark = mark.saturating_add(sums[*inner]).saturating_add(marks[*inner]);
        }
        // `unevaluated*` keywords apply the other keywords once more.
        marks[*place] = mark;
        sums[*place] = if node.marks() { sum.saturating_add(mark) } else { sum };
        if sums[*place] > MAX_COST {
            let problem = format!(
                "checking one value applies more than {MAX_COST} keywords, counted for each path of \
                 references and alternatives"
            );
            return Err(SchemaError::at(graph.pointer(*place), problem));
        }
    }
    Ok(())
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

/// Orders the nodes, and finds cycles and long paths.
struct Walk<'a> {
    graph: &'a Graph,
    state: Vec<State>,
    order: Vec<usize>,
}

impl Walk<'_> {
    /// Returns the length of the longest path from a node.
    fn visit(&mut self, node: usize, depth: usize) -> Result<usize, SchemaError> {
        match self.state[node] {
            State::Unseen => {}
            State::Open => {
                return Err(
                    self.rejection(node, "applies itself to the same value again".to_owned())
                );
            }
            State::Done(steps) => return Ok(steps),
        }
        self.state[node] = State::Open;
        let mut steps = 1;
        for (_, inner) in &self.graph.nodes[node].here {
            // The recursion is bounded here too, because it uses stack.
            let inner = if depth > MAX_STEPS { MAX_STEPS } else { self.visit(*inner, depth + 1)? };
            steps = steps.max(1 + inner);
        }
        if steps > MAX_STEPS {
            let problem = format!(
                "more than {MAX_STEPS} nested references, `allOf` and other applicators for one value"
            );
            return Err(self.rejection(node, problem));
        }
        self.state[node] = State::Done(steps);
        self.order.push(node);
        Ok(steps)
    }

    fn rejection(&self, node: usize, problem: String) -> SchemaError {
        SchemaError::at(self.graph.pointer(node), problem)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Schema;
    use crate::tests::adversarial::{chain, check};

    fn rejection(document: Value) -> String {
        Schema::compile(document).unwrap_err().to_string()
    }

    #[test]
    fn exponential_paths_are_rejected() {
        let doubles: [fn(Value) -> Value; 6] = [
            |next| json!({"allOf": [next, next]}),
            |next| json!({"anyOf": [next, next]}),
            |next| json!({"oneOf": [next, {"not": next}]}),
            |next| json!({"not": {"allOf": [next, next]}}),
            |next| json!({"if": next, "then": next, "else": next}),
            |next| json!({"dependentSchemas": {"a": next, "b": next}}),
        ];
        for double in doubles {
            let message = rejection(chain(20, double, json!({"type": "object"})));
            assert!(
                message.starts_with("not a valid schema at `/$defs/")
                    && message.contains("more than 10000 keywords"),
                "{message}"
            );
            Schema::compile(chain(5, double, json!({"type": "object"}))).unwrap();
        }
    }

    #[test]
    fn unevaluated_properties_count_the_other_keywords_again() {
        let link = |next| json!({"allOf": [next], "unevaluatedProperties": {"type": "null"}});
        assert!(rejection(chain(15, link, json!({}))).contains("more than 10000 keywords"));
        Schema::compile(chain(3, link, json!({}))).unwrap();
    }

    #[test]
    fn a_cycle_for_the_same_value_is_rejected() {
        let cycles = [
            json!({"$ref": "#"}),
            json!({"anyOf": [{"type": "null"}, {"$ref": "#"}]}),
            json!({"not": {"$ref": "#"}}),
            json!({"$ref": "#a", "$defs": {"a": {"$anchor": "a", "if": {"$dynamicRef": "#a"}}}}),
        ];
        for cycle in cycles {
            let message = rejection(cycle);
            assert!(message.contains("applies itself to the same value again"), "{message}");
        }
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        Schema::compile(tree).unwrap();
    }

    #[test]
    fn a_long_path_to_a_keyword_is_rejected() {
        let link = |next| next;
        let message = rejection(chain(2_000, link, json!({})));
        assert!(message.contains("more than 64 nested references"), "{message}");
        Schema::compile(chain(62, link, json!({}))).unwrap();
    }

    #[test]
    fn deep_trees_are_checked() {
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
        assert_eq!(check(&schema, &tree(json!(2))), Ok(()));
        let violations = check(&schema, &tree(json!("two"))).unwrap_err();
        assert_eq!(violations.to_string(), "breaks its schema in at least 1 place");
    }
}
