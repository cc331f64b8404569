//! Counting how often the subschemas of a schema are applied to the parts of a value.
//!
//! Values are long lists and objects of a few kinds, so the same subschemas apply as often to
//! many parts: such a set is computed once, and what it leads to for the parts of a part.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::cost::{Cost, Way};
use super::graph::{Graph, Node, Step};
use super::price::{HASHING, parts};

/// What computing a set costs for each subschema in it.
const COMPUTING: u64 = 16;
/// What an error costs for each step of a long path to it: the validator writes paths down.
const PATH: u64 = 16;
/// How many steps a path has before it is long.
const SHORT_PATH: u64 = 64;
/// For how many names of members a set remembers what it leads to.
const MAX_NAMES: usize = 1_000;

/// How often, for each [`Way`]; the fourth is what `unevaluated...` asks of the others.
type Times = [u64; 4];
const MARK: usize = 3;

/// Which nodes are applied to a value, by rank, and how often.
type Applied = BTreeMap<usize, Times>;

/// All nodes that apply to a value, together.
#[derive(Default)]
struct Set {
    /// What they cost for any value, and for each byte of a text.
    value: u64,
    byte: u64,
    /// How often the items are compared with each other.
    unique: u64,
    /// How often what was looked at is marked.
    marks: u64,
    /// How often a node is asked that the validator remembers answers of.
    asked: u64,
    /// The errors there can be, for each kind of value.
    errors: [u64; 5],
    /// What trying the patterns costs for each byte of a member's name.
    patterns: u64,
    /// The nodes that apply others to parts of the value.
    inward: Vec<(usize, Times)>,
    /// How many items have nodes of their own.
    first_items: usize,
    /// Which set applies to each other item: for a scalar, and for a list or object.
    items: [Option<usize>; 2],
    members: HashMap<String, [Option<usize>; 2]>,
}

/// What is left while the paths through a value are counted.
pub(super) struct Count<'a> {
    graph: &'a Graph,
    cost: &'a Cost,
    sets: Vec<Set>,
    known: HashMap<(Vec<(usize, Times)>, bool), usize>,
    units: u64,
    errors: u64,
}

impl<'a> Count<'a> {
    /// Begins to count, up to that many units and errors.
    pub(super) fn new(graph: &'a Graph, cost: &'a Cost, units: u64, errors: u64) -> Self {
        Self { graph, cost, sets: Vec::new(), known: HashMap::new(), units, errors }
    }

    /// Whether going through a value that way is not too much.
    pub(super) fn affords(mut self, node: usize, way: Way, value: &Value) -> bool {
        let mut times = [0; 4];
        times[way as usize] = 1;
        let applied = Applied::from([(self.cost.rank[node], times)]);
        let set = self.set(applied, value);
        set.and_then(|set| self.visit(set, value, 1)).is_some()
    }

    /// Counts a value and all that is in it. `None` if it is too much.
    fn visit(&mut self, set: usize, value: &Value, depth: u64) -> Option<()> {
        self.pay(set, value, depth)?;
        if self.sets[set].inward.is_empty() {
            return Some(());
        }
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    let inner = self.item_set(set, place, item)?;
                    self.visit(inner, item, depth + 1)?;
                }
            }
            Value::Object(members) => {
                for (name, inner) in members {
                    self.visit_name(set, name, depth)?;
                    let inner_set = self.member_set(set, name, inner)?;
                    self.visit(inner_set, inner, depth + 1)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn pay(&mut self, set: usize, value: &Value, depth: u64) -> Option<()> {
        let set = &self.sets[set];
        let (kind, length, inside) = match value {
            Value::Null | Value::Bool(_) => (4, 0, 0),
            Value::Number(_) => (0, 0, 0),
            Value::String(text) => (1, text.len(), 0),
            Value::Array(items) => (2, 0, items.len()),
            Value::Object(members) => (3, 0, members.len()),
        };
        let mut units = set
            .value
            .saturating_add(set.byte.saturating_mul(length as u64))
            .saturating_add(set.marks.saturating_mul(1 + 4 * inside as u64))
            .saturating_add(set.asked.saturating_mul(depth));
        if set.unique > 0 && inside > 0 {
            let once = HASHING.saturating_mul(parts(value));
            units = units.saturating_add(set.unique.saturating_mul(once));
        }
        let path = depth.saturating_mul(self.cost.steps as u64).saturating_sub(SHORT_PATH);
        let paths = set.errors[kind].saturating_mul(path).saturating_mul(PATH);
        self.units = self.units.checked_sub(units.saturating_add(paths))?;
        self.errors = self.errors.checked_sub(set.errors[kind])?;
        Some(())
    }

    /// Returns the set for an item.
    fn item_set(&mut self, set: usize, place: usize, item: &Value) -> Option<usize> {
        let inside = usize::from(is_container(item));
        let ordinary = place >= self.sets[set].first_items;
        if let (true, Some(known)) = (ordinary, self.sets[set].items[inside]) {
            return Some(known);
        }
        let mut applied = Applied::new();
        for (node, times) in &self.sets[set].inward {
            self.units = self.units.checked_sub(COMPUTING)?;
            let node = &self.graph.nodes[*node];
            let listed = node.first_items.get(place).copied().or(node.items);
            for at in listed.into_iter().chain(node.unevaluated_items) {
                add(&mut applied, self.cost.rank[at], through(Step::Always, *times));
            }
            if let Some(at) = node.contains {
                add(&mut applied, self.cost.rank[at], through(Step::Test, *times));
            }
        }
        let found = self.set(applied, item)?;
        if ordinary {
            self.sets[set].items[inside] = Some(found);
        }
        Some(found)
    }

    /// Returns the set for a member.
    fn member_set(&mut self, set: usize, name: &str, member: &Value) -> Option<usize> {
        let inside = usize::from(is_container(member));
        if let Some(Some(known)) = self.sets[set].members.get(name).map(|known| known[inside]) {
            return Some(known);
        }
        let text = Value::from(name);
        let mut applied = Applied::new();
        for (node, times) in &self.sets[set].inward {
            self.units = self.units.checked_sub(COMPUTING)?;
            for at in applied_to(&self.graph.nodes[*node], name, &text) {
                add(&mut applied, self.cost.rank[at], through(Step::Always, *times));
            }
        }
        let found = self.set(applied, member)?;
        let members = &mut self.sets[set].members;
        if members.len() < MAX_NAMES {
            members.entry(name.to_owned()).or_default()[inside] = Some(found);
        }
        Some(found)
    }

    /// Counts what is applied to the name of a member.
    fn visit_name(&mut self, set: usize, name: &str, depth: u64) -> Option<()> {
        let patterns = self.sets[set].patterns.saturating_mul(1 + name.len() as u64);
        self.units = self.units.checked_sub(patterns)?;
        let mut applied = Applied::new();
        for (node, times) in &self.sets[set].inward {
            if let Some(at) = self.graph.nodes[*node].names {
                add(&mut applied, self.cost.rank[at], through(Step::Always, *times));
            }
        }
        if applied.is_empty() {
            return Some(());
        }
        let text = Value::from(name);
        let set = self.set(applied, &text)?;
        self.visit(set, &text, depth + 1)
    }

    /// Returns the set of these nodes and all that they apply to the same value.
    fn set(&mut self, mut applied: Applied, value: &Value) -> Option<usize> {
        let inside = is_container(value);
        let key = (applied.iter().map(|(rank, times)| (*rank, *times)).collect(), inside);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let mut set = Set::default();
        while let Some((rank, mut times)) = applied.pop_last() {
            self.units = self.units.checked_sub(COMPUTING)?;
            let at = self.cost.node[rank];
            let node = &self.graph.nodes[at];
            set.add(node, times);
            if self.cost.remembered[at] {
                set.asked = set.asked.saturating_add(all(times));
                if inside {
                    times[Way::Check as usize] = times[Way::Check as usize].min(1);
                }
            }
            if node.marks() && inside {
                times[MARK] = all(times).saturating_add(times[MARK]);
            }
            let here = node.here.iter().filter(|(step, _)| inside || *step != Step::Depending);
            for (step, inner) in here {
                add(&mut applied, self.cost.rank[*inner], through(*step, times));
            }
            if node.below().next().is_some() {
                set.inward.push((at, times));
            }
        }
        self.sets.push(set);
        self.known.insert(key, self.sets.len() - 1);
        Some(self.sets.len() - 1)
    }
}

impl Set {
    /// Adds what a node itself costs.
    fn add(&mut self, node: &Node, times: Times) {
        let visits = all(times);
        let once = |price: u64| visits.saturating_mul(price);
        self.value = self.value.saturating_add(once(node.price.value));
        self.byte = self.byte.saturating_add(once(node.price.byte));
        self.unique = self.unique.saturating_add(once(u64::from(node.price.unique)));
        self.marks = self.marks.saturating_add(times[MARK]);
        let patterns = node.patterns.iter().map(|(pattern, _)| pattern.price).sum();
        self.patterns = self.patterns.saturating_add(once(patterns));
        self.first_items = self.first_items.max(node.first_items.len());
        for (sum, errors) in self.errors.iter_mut().zip(node.price.errors) {
            let collected = times[Way::Collect as usize].saturating_mul(errors);
            *sum = sum.saturating_add(collected);
        }
    }
}

fn is_container(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// Returns the nodes that a node applies to the member with that name.
fn applied_to(node: &Node, name: &str, text: &Value) -> Vec<usize> {
    let mut found: Vec<usize> = node.properties.get(name).copied().into_iter().collect();
    let matching = node.patterns.iter().filter(|(pattern, _)| pattern.matches(text));
    found.extend(matching.map(|(_, at)| *at));
    if found.is_empty() {
        found.extend(node.additional);
    }
    found.extend(node.unevaluated_properties);
    found
}

fn add(applied: &mut Applied, rank: usize, times: Times) {
    let sums = applied.entry(rank).or_default();
    for (sum, times) in sums.iter_mut().zip(times) {
        *sum = sum.saturating_add(times);
    }
}

/// Returns how often a node is gone through in any way.
fn all([first, check, collect, _]: Times) -> u64 {
    first.saturating_add(check).saturating_add(collect)
}

/// Returns how often a subschema is applied if what applies it is that often.
fn through(step: Step, times: Times) -> Times {
    let [first, check, collect, mark] = times;
    let asked = all(times).saturating_add(mark);
    match step {
        Step::Always | Step::Perhaps | Step::Depending => {
            [first, check.saturating_add(mark), collect, mark]
        }
        // Asked whether one holds, and if none does, why.
        Step::Choice => [0, asked, first.saturating_add(collect), mark],
        Step::Test => [0, asked, 0, mark],
    }
}
