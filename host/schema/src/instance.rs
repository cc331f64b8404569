//! Values for the validator. Each access is a step of a [`Budget`].
//!
//! The validator cannot be interrupted, but it reads values through the traits of
//! [`jsonschema::json`]. [`Instance`] implements them for a [`Value`], and takes a step for each
//! text, number, list, object, member and item that the validator reads. The work between two steps
//! is bounded by the cost of one value, see [`cost`](super::cost). When the budget is used up,
//! [`resume_unwind`] unwinds the validation without running the panic hook, and [`within`] returns
//! the reason.
//!
//! The budget belongs to the thread, because the validator also creates values itself, such as
//! property names, which cannot carry a budget.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp};
use ophost_document::{Budget, Interruption};
use serde_json::{Map, Number, Value};

/// Number of bytes of a text that one step covers.
const BYTES_PER_STEP: usize = 64;
/// Memory of an error, in bytes.
pub(super) const BYTES_PER_ERROR: usize = 300;
/// Maximum number of cached results of recursive references per check. Each takes about 40 bytes;
/// without the cache a check only takes longer.
const MAX_REMEMBERED: u32 = 1 << 20;

/// Limits of a check, in addition to its budget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Maximum number of errors. Each takes about [`BYTES_PER_ERROR`] and the path to its location.
    pub(super) errors: u32,
    /// Maximum length of a member name, in bytes. All patterns of a subschema are matched with a name
    /// without a check of the budget.
    pub(super) name: usize,
}

/// Reason for the early end of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Interrupted(Interruption),
    /// The maximum number of errors was exceeded.
    Errors,
    /// The name of a member is too long.
    Name,
    /// A text is too long for its pattern.
    Pattern,
}

/// Payload that unwinds a check. Only this module creates it.
struct Unwound(Ended);

/// State of the check of this thread.
struct Check {
    budget: Budget,
    bounds: Bounds,
}

thread_local! {
    static CHECK: RefCell<Option<Check>> = const { RefCell::new(None) };
    /// Number of steps before the next access to [`CHECK`].
    static STEPS: Cell<usize> = const { Cell::new(0) };
    static ERRORS: Cell<u32> = const { Cell::new(0) };
    static REMEMBERED: Cell<u32> = const { Cell::new(0) };
}

/// Number of steps between two checks of the budget.
const QUANTUM: usize = 256;

/// Runs a validator within a budget.
///
/// # Errors
///
/// Returns [`Ended`] if the budget is used up or a limit is exceeded.
pub(super) fn within<T>(
    budget: &Budget,
    bounds: Bounds,
    validate: impl FnOnce() -> T,
) -> Result<T, Ended> {
    let check = Check { budget: budget.clone(), bounds };
    CHECK.replace(Some(check));
    STEPS.set(0);
    ERRORS.set(bounds.errors);
    REMEMBERED.set(MAX_REMEMBERED);
    // A validation only changes its own state, which is dropped.
    let done = catch_unwind(AssertUnwindSafe(validate));
    CHECK.replace(None);
    done.map_err(|panic| match panic.downcast::<Unwound>() {
        Ok(unwound) => unwound.0,
        Err(panic) => resume_unwind(panic),
    })
}

/// Ends the check of this thread.
fn end(why: Ended) -> ! {
    resume_unwind(Box::new(Unwound(why)))
}

/// Takes steps of the check of this thread.
#[inline]
fn spend(steps: usize) {
    let left = STEPS.get();
    match left.checked_sub(steps) {
        Some(left) => STEPS.set(left),
        None => look(steps),
    }
}

#[cold]
fn look(steps: usize) {
    STEPS.set(QUANTUM);
    let spent = with_check(|check| check.budget.spend(steps.saturating_add(QUANTUM)));
    if let Some(Err(why)) = spent {
        end(Ended::Interrupted(why));
    }
}

/// Accesses the check of this thread. Without a check, nothing is limited.
fn with_check<T>(ask: impl FnOnce(&Check) -> T) -> Option<T> {
    CHECK.with_borrow(|check| check.as_ref().map(ask))
}

/// Runs a part of the check of this thread within its budget.
pub(super) fn with_budget<T>(work: impl FnOnce(&Budget) -> Result<T, Interruption>) -> T {
    let done = CHECK.with_borrow(|check| match check {
        Some(check) => work(&check.budget),
        None => work(&Budget::unlimited()),
    });
    done.unwrap_or_else(|why| end(Ended::Interrupted(why)))
}

/// Ends a check whose text is too long for a pattern.
pub(super) fn too_long() -> ! {
    end(Ended::Pattern)
}

/// The representation of checked values.
pub(super) struct Instances;

/// A checked value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instance<'a>(pub(super) &'a Value);

/// The members of a checked object.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(&'a Map<String, Value>);

/// The items of a checked list.
#[derive(Clone, Copy)]
pub(super) struct Items<'a>(&'a [Value]);

impl Json for Instances {
    type Node<'a> = Instance<'a>;
    type PreparedKey = String;
    type StringBuffer = Value;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Value,
        string: &str,
        f: impl FnOnce(Instance<'_>) -> T,
    ) -> T {
        *buffer = Value::from(string);
        f(Instance(buffer))
    }
}

impl<'a> Node<'a, Instances> for Instance<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        spend(1);
        self.0.as_object().map(Members)
    }

    fn as_array(&self) -> Option<Items<'a>> {
        spend(1);
        self.0.as_array().map(|items| Items(items))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = self.0.as_str();
        spend(1 + text.map_or(0, |text| text.len() / BYTES_PER_STEP));
        text.map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        spend(1);
        self.0.as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        self.0.as_bool()
    }

    fn is_null(&self) -> bool {
        self.0.is_null()
    }

    fn json_type(&self) -> JsonType {
        JsonType::from(self.0)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equal(self.0, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        // The validator only calls this to build an error. Some errors contain a copy of the text.
        let errors = 1 + self.0.as_str().map_or(0, |text| text.len() / BYTES_PER_ERROR);
        let errors = u32::try_from(errors).unwrap_or(u32::MAX);
        match ERRORS.get().checked_sub(errors) {
            Some(left) => ERRORS.set(left),
            None => end(Ended::Errors),
        }
        Cow::Borrowed(self.0)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.0).addr()))
    }

    /// The validator caches at most one result for it.
    fn container_identity(&self) -> Option<NodeIdentity> {
        let is_container = self.0.is_array() || self.0.is_object();
        let left = REMEMBERED.get().checked_sub(1).filter(|_| is_container)?;
        REMEMBERED.set(left);
        self.identity()
    }
}

impl<'a> Object<'a, Instances> for Members<'a> {
    type Node = Instance<'a>;
    type MemberName = &'a str;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Instance<'a>> {
        spend(1 + key.len() / BYTES_PER_STEP);
        self.0.get(key).map(Instance)
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter(self.0.iter())
    }
}

impl<'a> Array<'a, Instances> for Items<'a> {
    type Node = Instance<'a>;
    type ElementsIter = ItemsIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> ItemsIter<'a> {
        ItemsIter(self.0.iter())
    }

    fn is_unique(&self) -> bool {
        is_unique(self.0)
    }
}

pub(super) struct MembersIter<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for MembersIter<'a> {
    type Item = (&'a str, Instance<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next()?;
        spend(1 + name.len() / BYTES_PER_STEP);
        if name.len() > BYTES_PER_STEP
            && with_check(|check| name.len() > check.bounds.name) == Some(true)
        {
            end(Ended::Name);
        }
        Some((name, Instance(value)))
    }
}

pub(super) struct ItemsIter<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for ItemsIter<'a> {
    type Item = Instance<'a>;

    fn next(&mut self) -> Option<Instance<'a>> {
        spend(1);
        self.0.next().map(Instance)
    }
}

/// Returns whether two values are equal in JSON Schema: numbers by their mathematical value.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    spend(1);
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| equal(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        (Value::String(a), Value::String(b)) => {
            spend(a.len().min(b.len()) / BYTES_PER_STEP);
            a == b
        }
        _ => cmp::equal(a, b),
    }
}

/// Maximum number of items that are compared pairwise, which is faster than hashing.
const FEW: usize = 16;

/// Returns whether all items differ.
fn is_unique(items: &[Value]) -> bool {
    if items.len() <= FEW {
        let mut rest = items;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| equal(first, other)) {
                return false;
            }
            rest = others;
        }
        return true;
    }
    let hasher = RandomState::new();
    let mut seen = HashSet::with_capacity_and_hasher(items.len().min(QUANTUM), hasher.clone());
    items.iter().all(|value| seen.insert(Hashed { value, hasher: &hasher }))
}

/// A value in a set.
struct Hashed<'a> {
    value: &'a Value,
    hasher: &'a RandomState,
}

impl PartialEq for Hashed<'_> {
    fn eq(&self, other: &Self) -> bool {
        equal(self.value, other.value)
    }
}

impl Eq for Hashed<'_> {}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let of = |value| Hashed { value, hasher: self.hasher };
        spend(1);
        std::mem::discriminant(self.value).hash(state);
        match self.value {
            Value::Null => {}
            Value::Bool(truth) => truth.hash(state),
            // Equal numbers have the same nearest float, and zero has no sign.
            Value::Number(number) => (number.as_f64().unwrap_or(0.0) + 0.0).to_bits().hash(state),
            Value::String(text) => {
                spend(text.len() / BYTES_PER_STEP);
                text.hash(state);
            }
            Value::Array(items) => items.iter().for_each(|item| of(item).hash(state)),
            // The order of members is irrelevant.
            Value::Object(members) => {
                let all =
                    members.iter().map(|(name, value)| self.hasher.hash_one((name, of(value))));
                all.fold(0, |all: u64, one| all.wrapping_add(one)).hash(state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOUNDS: Bounds = Bounds { errors: 10, name: 100 };

    fn check(schema: &Value, value: &Value, budget: &Budget) -> Result<bool, Ended> {
        let validator = jsonschema::options_for::<Instances>().build(schema).unwrap();
        within(budget, BOUNDS, || validator.is_valid(Instance(value)))
    }

    #[test]
    fn a_check_ends_when_its_budget_is_used_up_and_the_next_check_continues() {
        let schema = json!({"items": {"type": "integer"}});
        let value = json!(vec![1; 10_000]);
        let few = Budget::unlimited().with_steps(5_000);
        assert_eq!(check(&schema, &value, &few), Err(Ended::Interrupted(Interruption::Steps)));
        assert_eq!(check(&schema, &value, &Budget::unlimited()), Ok(true));
        assert_eq!(check(&schema, &json!(["x"]), &few), Ok(false));
    }

    #[test]
    fn every_expensive_keyword_takes_steps() {
        let list = json!((0..2_000).collect::<Vec<_>>());
        let object: Map<_, _> = (0..2_000).map(|n| (n.to_string(), json!(n))).collect();
        let object = Value::Object(object);
        let names: Vec<_> = (0..2_000).map(|n| n.to_string()).collect();
        for (schema, value) in [
            (json!({"uniqueItems": true}), &list),
            (json!({"const": list}), &list),
            (json!({"const": object}), &object),
            (json!({"enum": [1, list]}), &list),
            (json!({"required": names}), &object),
            (json!({"contains": {"const": 1_999}}), &list),
            (json!({"items": {"not": {"type": "string"}}}), &list),
            (json!({"additionalProperties": {"minimum": 0}}), &object),
            (json!({"unevaluatedProperties": {"minimum": 0}}), &object),
            (json!({"propertyNames": {"maxLength": 9}}), &object),
            (json!({"patternProperties": {"^[0-9]+$": true}}), &object),
            (json!({"prefixItems": vec![json!({"minimum": 0}); 2_000]}), &list),
        ] {
            let few = Budget::unlimited().with_steps(1_000);
            let ended = Err(Ended::Interrupted(Interruption::Steps));
            assert_eq!(check(&schema, value, &few), ended, "{schema}");
            assert_eq!(check(&schema, value, &Budget::unlimited()), Ok(true), "{schema}");
        }
    }

    #[test]
    fn the_number_of_errors_is_limited() {
        let schema = json!({"items": {"type": "string"}});
        let validator = jsonschema::options_for::<Instances>().build(&schema).unwrap();
        let count = |value: &Value| {
            let all = || validator.iter_errors(Instance(value)).count();
            within(&Budget::unlimited(), BOUNDS, all)
        };
        assert_eq!(count(&json!(vec![1; 10])), Ok(10));
        assert_eq!(count(&json!(vec![1; 11])), Err(Ended::Errors));
    }

    #[test]
    fn the_length_of_a_name_is_limited() {
        let of = |length: usize| json!({"k".repeat(length): 1});
        let schema = json!({"patternProperties": {"^k": {}, "k$": {}}});
        assert_eq!(check(&schema, &of(100), &Budget::unlimited()), Ok(true));
        assert_eq!(check(&schema, &of(101), &Budget::unlimited()), Err(Ended::Name));
    }

    #[test]
    fn a_foreign_panic_is_propagated() {
        let panics = || within(&Budget::unlimited(), BOUNDS, || panic!("boom"));
        let panic = catch_unwind(panics).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"boom"));
    }

    #[test]
    fn items_are_compared_by_the_rules_of_json_schema() {
        let unique = |items: Value| {
            let items = items.as_array().unwrap();
            // Short and long lists use different algorithms.
            let more = (0..FEW).map(|n| json!({"more": n}));
            let many: Vec<_> = items.iter().cloned().chain(more).collect();
            assert_eq!(is_unique(items), is_unique(&many), "{items:?}");
            is_unique(items)
        };
        assert!(unique(json!([1, true, "1", [1], {"a": 1}, null, 0, false])));
        for items in [
            json!([1, 1.0]),
            json!([0, -0.0]),
            json!([[1, {"a": 1, "b": 2}], [1.0, {"b": 2, "a": 1.0}]]),
            json!(["ä", "ä"]),
        ] {
            assert!(!unique(items.clone()), "{items}");
        }
        assert!(unique(json!([9_007_199_254_740_993_u64, 9_007_199_254_740_992_u64])));
    }
}
