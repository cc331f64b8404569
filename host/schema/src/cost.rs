//! What checking one value costs at most, known with the schema.
//!
//! Where a subschema is reached on several paths, through `allOf` and references for instance, the
//! validator checks a value against it that many times: twenty doublings in a kilobyte are a
//! million checks of one value. So paths are counted, without walking them: what a subschema costs
//! is its own keywords and the sum of what it applies.
//!
//! Only what applies to the *same* value is counted. These subschemas form no circle (one that
//! does is refused: it goes nowhere), so the sum is finite; beyond [`MAX_COST`] the schema is
//! refused, naming the innermost place beyond it. So is one in which such a path is longer than
//! [`MAX_STEPS`]: the validator uses stack for each step.
//!
//! How long a whole value takes is not counted beforehand: a check has a budget, and
//! [`instance`](super::instance) ends it.

use super::compiled::SchemaError;
use super::graph::{Graph, Node};

/// What one value may cost, in units of [`price`](super::price).
const MAX_COST: u64 = 10_000;
/// How many subschemas for one value may lie inside one another.
const MAX_STEPS: usize = 64;
/// How much stack one subschema takes for one level of a value, in bytes.
const STACK_PER_STEP: usize = 2 << 10;
/// What trying the patterns of a subschema on one name may cost, in the same units: some ten
/// milliseconds.
const MAX_NAME_COST: u64 = 16 << 20;

/// What is known about the cost of a schema.
#[derive(Debug)]
pub(super) struct Cost {
    /// How many subschemas for one value lie inside one another.
    steps: usize,
    /// The longest name of a member that all patterns of a subschema can be tried on at once.
    pub(super) longest_name: usize,
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
        check(graph, &walk.order)?;
        let steps = walk.state.iter().map(State::steps).max().unwrap_or(0);
        let tries = graph.nodes.iter().map(of_patterns).max().unwrap_or(0).max(1);
        let longest_name = usize::try_from(MAX_NAME_COST / tries).unwrap_or(usize::MAX);
        Ok(Self { steps, longest_name })
    }

    /// Returns how much stack a check of a value of so many levels takes, in bytes.
    pub(super) fn stack(&self, levels: usize) -> usize {
        self.steps * levels * STACK_PER_STEP
    }
}

/// Returns what trying the patterns of a subschema costs for each byte of a name.
fn of_patterns(node: &Node) -> u64 {
    node.patterns.iter().map(|(pattern, _)| pattern.price).sum()
}

/// Checks what each node costs for one value; the order has what is applied before what applies.
fn check(graph: &Graph, order: &[usize]) -> Result<(), SchemaError> {
    let mut sums = vec![0_u64; graph.nodes.len()];
    let mut marks = vec![0_u64; graph.nodes.len()];
    for place in order {
        let node = &graph.nodes[*place];
        let mut mark = node.price + of_patterns(node);
        let mut sum = mark;
        for (_, inner) in &node.here {
            sum = sum.saturating_add(sums[*inner]);
            mark = mark.saturating_add(sums[*inner]).saturating_add(marks[*inner]);
        }
        // Keywords that ask what the others have looked at apply them once more.
        marks[*place] = mark;
        sums[*place] = if node.marks() { sum.saturating_add(mark) } else { sum };
        if sums[*place] > MAX_COST {
            let problem = format!(
                "checking one value means applying more than {MAX_COST} keywords, counting each \
                 way on which references and alternatives lead to them"
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
        SchemaError::at(self.graph.pointer(node), problem)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Schema;
    use super::super::adversarial::{chain, check};

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
        assert_eq!(check(&schema, &tree(json!(2))), Ok(()));
        let violations = check(&schema, &tree(json!("two"))).unwrap_err();
        assert_eq!(violations.to_string(), "breaks its schema in at least 1 place");
    }
}
