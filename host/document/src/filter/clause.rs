//! The syntax tree of a filter, and its evaluation.
//!
//! A condition visits each value of the document at most once for each list of alternatives. So the
//! work is at most the number of conditions times the number of values.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;

use super::operator::Comparison;
use super::pattern::Pattern;
use crate::budget::{Budget, Interruption, all, any};
use crate::matcher::Search;
use crate::order;
use crate::path::{Leaf, Path};
use crate::projection::Fields;

/// A condition on a document, or on an object in a list of a document.
///
/// See [`Filter::clause`](super::Filter::clause).
#[derive(Clone, Debug)]
pub enum Clause {
    /// All clauses hold. Without clauses the condition always holds.
    All(Box<[Clause]>),
    /// At least one clause holds.
    Any(Box<[Clause]>),
    /// No clause holds.
    Nor(Box<[Clause]>),
    /// The test holds for the values at the path. If a value along the path is a list, an index
    /// selects an item, and a name selects the field of each item that is an object. Without a
    /// value, the test is applied to a missing value.
    Field(Path, Test),
    /// The test holds for the id of the document, which is a text.
    Id(Test),
    /// The test holds for a missing value, because a path below `_id` never has one.
    WithinId(Test),
}

/// A condition on the values at a path.
#[derive(Clone, Debug)]
pub enum Test {
    /// All tests hold. Different values can satisfy them.
    All(Box<[Test]>),
    /// The test holds for none of the values.
    Not(Box<Test>),
    /// A value, or an item of a value that is a list, satisfies the probe. An item of a list that
    /// an index selects does not count.
    One(Probe),
    /// A value exists. It can be null.
    Exists,
    /// A value is a list with this number of items.
    Size(u64),
    /// A value is a list with an item that satisfies the condition.
    Item(Box<Item>),
}

/// A condition on an item of a list.
#[derive(Clone, Debug)]
pub enum Item {
    /// The item is an object for which the clause holds. `_id` is an ordinary field of it, so the
    /// clause has neither [`Clause::Id`] nor [`Clause::WithinId`].
    Object(Clause),
    /// The test holds for the item itself.
    Itself(Test),
}

/// A condition on a single value.
#[derive(Clone, Debug)]
pub enum Probe {
    /// The value has the type of this value, and the comparison with it holds. A missing value
    /// counts as null. Values have the order of [`order::compare`].
    Compare(Comparison, Value),
    /// The value equals one of these values, which are in the order of [`order::compare`]. A
    /// missing value counts as null.
    In(Box<[Value]>),
    /// The value is a text that the pattern matches.
    Matches(Pattern),
}

/// One value of a document. The id has the variant `Text`, because it is not a [`Value`].
#[derive(Clone, Copy, Debug)]
enum Found<'v> {
    Missing,
    Text(&'v str),
    Value(&'v Value),
}

impl<'v> From<&'v Value> for Found<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            other => Self::Value(other),
        }
    }
}

impl Clause {
    /// Returns the only ids for which the clause can hold; `None` if it does not restrict them.
    pub(super) fn ids(&self) -> Option<Vec<&str>> {
        match self {
            Self::All(clauses) => clauses.iter().find_map(Self::ids),
            Self::Id(test) => test.texts(),
            Self::Any(_) | Self::Nor(_) | Self::Field(..) | Self::WithinId(_) => None,
        }
    }

    /// Adds the names of the document fields that the clause reads.
    pub(super) fn add_names<'c>(&'c self, names: &mut BTreeSet<&'c str>) {
        match self {
            Self::All(clauses) | Self::Any(clauses) | Self::Nor(clauses) => {
                clauses.iter().for_each(|clause| clause.add_names(names));
            }
            Self::Field(path, _) => drop(names.insert(path.first())),
            Self::Id(_) | Self::WithinId(_) => {}
        }
    }

    /// Returns whether the clause holds. `id` is `None` for an object in a document.
    pub(super) fn holds(
        &self,
        id: Option<&str>,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<bool, Interruption> {
        budget.step()?;
        let holds = |clause: &Self| clause.holds(id, fields, budget);
        match self {
            Self::All(clauses) => all(clauses, holds),
            Self::Any(clauses) => any(clauses, holds),
            Self::Nor(clauses) => Ok(!any(clauses, holds)?),
            Self::Field(path, test) => test.holds_at(path, fields, budget),
            Self::Id(test) => test.holds_for(id.map_or(Found::Missing, Found::Text), budget),
            Self::WithinId(test) => test.holds_for(Found::Missing, budget),
        }
    }
}

impl Test {
    /// Returns the only texts for which the test can hold; `None` if it does not restrict them.
    fn texts(&self) -> Option<Vec<&str>> {
        let equal = match self {
            Self::All(tests) => return tests.iter().find_map(Self::texts),
            Self::One(Probe::Compare(Comparison::Equal, value)) => std::slice::from_ref(value),
            Self::One(Probe::In(values)) => values,
            Self::One(Probe::Compare(..) | Probe::Matches(_))
            | Self::Not(_)
            | Self::Exists
            | Self::Size(_)
            | Self::Item(_) => return None,
        };
        Some(equal.iter().filter_map(Value::as_str).collect())
    }

    /// Returns whether the test holds for the values at a path.
    fn holds_at(
        &self,
        path: &Path,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<bool, Interruption> {
        budget.step()?;
        match self {
            Self::All(tests) => all(tests, |test| test.holds_at(path, fields, budget)),
            Self::Not(test) => Ok(!test.holds_at(path, fields, budget)?),
            Self::One(probe) => path.visit(fields, budget, |leaf| match leaf {
                Leaf::Missing => probe.matches(Found::Missing, budget),
                Leaf::Inner(list) => probe.matches(list.into(), budget),
                Leaf::Value(list @ Value::Array(items)) => {
                    Ok(any(items, |item| probe.matches(item.into(), budget))?
                        || probe.matches(list.into(), budget)?)
                }
                Leaf::Value(value) => probe.matches(value.into(), budget),
            }),
            Self::Exists | Self::Size(_) | Self::Item(_) => {
                path.visit(fields, budget, |leaf| match leaf {
                    Leaf::Missing => Ok(false),
                    Leaf::Inner(value) | Leaf::Value(value) => self.holds_for(value.into(), budget),
                })
            }
        }
    }

    /// Returns whether the test holds for one value. The items of a list are not tested.
    fn holds_for(&self, found: Found<'_>, budget: &Budget) -> Result<bool, Interruption> {
        budget.step()?;
        match (self, found) {
            (Self::All(tests), _) => all(tests, |test| test.holds_for(found, budget)),
            (Self::Not(test), _) => Ok(!test.holds_for(found, budget)?),
            (Self::One(probe), _) => probe.matches(found, budget),
            (Self::Exists, _) => Ok(!matches!(found, Found::Missing)),
            (Self::Size(size), Found::Value(Value::Array(items))) => {
                Ok(items.len() as u64 == *size)
            }
            (Self::Item(condition), Found::Value(Value::Array(items))) => {
                any(items, |item| condition.holds_for(item, budget))
            }
            (Self::Size(_) | Self::Item(_), _) => Ok(false),
        }
    }
}

impl Item {
    fn holds_for(&self, item: &Value, budget: &Budget) -> Result<bool, Interruption> {
        match self {
            Self::Object(clause) => match item.as_object() {
                Some(fields) => clause.holds(None, fields, budget),
                None => budget.step().map(|()| false),
            },
            Self::Itself(test) => test.holds_for(item.into(), budget),
        }
    }
}

impl Probe {
    fn matches(&self, found: Found<'_>, budget: &Budget) -> Result<bool, Interruption> {
        match self {
            Self::Compare(comparison, operand) => {
                found.spend_for_comparison(operand, budget)?;
                Ok(match comparison {
                    Comparison::Equal => equal(found, operand),
                    _ => compare(found, operand).is_some_and(|order| comparison.accepts(order)),
                })
            }
            Self::In(candidates) => {
                let mut spent = budget.step();
                let position = candidates.binary_search_by(|candidate| {
                    spent = spent.and_then(|()| found.spend_for_comparison(candidate, budget));
                    // After an interruption, `Equal` ends the search early. The error is returned.
                    if spent.is_ok() { compare_any(candidate, found) } else { Ordering::Equal }
                });
                spent.map(|()| position.is_ok())
            }
            Self::Matches(pattern) => match found {
                // Patterns have only ASCII word boundaries, so the search is always supported.
                Found::Text(text) => Ok(pattern.search(text, budget)? == Search::Done(true)),
                Found::Missing | Found::Value(_) => budget.step().map(|()| false),
            },
        }
    }
}

impl Found<'_> {
    /// Spends the steps of a comparison. Its time is bounded by the smaller of the two values.
    fn spend_for_comparison(self, other: &Value, budget: &Budget) -> Result<(), Interruption> {
        match (self, other) {
            (Self::Value(Value::Array(_)), Value::Array(_))
            | (Self::Value(Value::Object(_)), Value::Object(_)) => budget.check(),
            _ => budget.step(),
        }
    }
}

/// Returns whether two values are equal. A missing value equals null.
fn equal(found: Found<'_>, operand: &Value) -> bool {
    match (found, operand) {
        (Found::Missing, operand) => operand.is_null(),
        (Found::Text(text), Value::String(operand)) => text == operand,
        (Found::Text(_), _) => false,
        (Found::Value(value), operand) => order::equal(value, operand),
    }
}

/// Compares two values of the same type. Returns `None` for values of different types.
fn compare(found: Found<'_>, operand: &Value) -> Option<Ordering> {
    match (found, operand) {
        (Found::Missing, Value::Null) => Some(Ordering::Equal),
        (Found::Text(text), Value::String(operand)) => Some(text.cmp(operand)),
        (Found::Value(value), operand) if order::class(value) == order::class(operand) => {
            Some(order::compare(value, operand))
        }
        (Found::Missing | Found::Text(_) | Found::Value(_), _) => None,
    }
}

/// Compares two values of any types, in the order of [`order::compare`].
fn compare_any(candidate: &Value, found: Found<'_>) -> Ordering {
    match (candidate, found) {
        (candidate, Found::Missing) => order::compare(candidate, &Value::Null),
        (Value::String(candidate), Found::Text(text)) => candidate.as_str().cmp(text),
        (candidate, Found::Text(_)) => order::class(candidate).cmp(&order::Class::Text),
        (candidate, Found::Value(value)) => order::compare(candidate, value),
    }
}
