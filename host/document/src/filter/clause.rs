//! What a filter asks, and whether a document answers.
//!
//! Each question looks at a value of the document at most once for each list of alternatives;
//! so the work is at most the conditions of the filter times the values of the document.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;

use super::operator::Comparison;
use crate::budget::{Budget, Interruption, all, any};
use crate::matcher::{Matcher, Search};
use crate::order;
use crate::path::{Leaf, Path};
use crate::projection::Fields;

/// What is asked of a document, or of an object within one.
#[derive(Clone, Debug)]
pub(super) enum Clause {
    /// All of these hold.
    All(Box<[Clause]>),
    /// One of these holds.
    Any(Box<[Clause]>),
    /// None of these holds.
    Nor(Box<[Clause]>),
    /// Something holds for what is at a path.
    Field(Path, Test),
    /// Something holds for the id of the document.
    Id(Test),
    /// Something holds for what the id of a document has within it, which is nothing.
    WithinId(Test),
}

/// What is asked of what is at a path.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// All of these hold.
    All(Box<[Test]>),
    /// This does not hold.
    Not(Box<Test>),
    /// A value there, or an item of a list there, fits.
    One(Probe),
    /// There is a value.
    Exists,
    /// There is a list of so many items.
    Size(u64),
    /// There is a list with an item that fits.
    Item(Box<Item>),
}

/// What is asked of the items of a list.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// It is an object for which this holds.
    Object(Clause),
    /// This holds for the item itself.
    Itself(Test),
}

/// What is asked of one value.
#[derive(Clone, Debug)]
pub(super) enum Probe {
    /// It is of the type of this value, and compares so with it.
    Compare(Comparison, Value),
    /// It equals one of these, which are sorted.
    In(Box<[Value]>),
    /// It is a text that this matches.
    Matches(Matcher),
}

/// One value of a document; the id is a text without being a [`Value`].
#[derive(Clone, Copy, Debug)]
enum Found<'v> {
    Nothing,
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
    /// Returns the only ids for which this can hold; `None` if it does not say.
    pub(super) fn ids(&self) -> Option<Vec<&str>> {
        match self {
            Self::All(clauses) => clauses.iter().find_map(Self::ids),
            Self::Id(test) => test.texts(),
            Self::Any(_) | Self::Nor(_) | Self::Field(..) | Self::WithinId(_) => None,
        }
    }

    /// Adds the fields of a document that this looks at.
    pub(super) fn add_names<'c>(&'c self, names: &mut BTreeSet<&'c str>) {
        match self {
            Self::All(clauses) | Self::Any(clauses) | Self::Nor(clauses) => {
                clauses.iter().for_each(|clause| clause.add_names(names));
            }
            Self::Field(path, _) => drop(names.insert(path.first())),
            Self::Id(_) | Self::WithinId(_) => {}
        }
    }

    /// Returns whether this holds. An object within a document has no `id`.
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
            Self::Id(test) => test.holds_for(id.map_or(Found::Nothing, Found::Text), budget),
            Self::WithinId(test) => test.holds_for(Found::Nothing, budget),
        }
    }
}

impl Test {
    /// Returns the only texts for which this can hold; `None` if it does not say.
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

    /// Returns whether this holds for what is at a path.
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
                Leaf::Missing => probe.fits(Found::Nothing, budget),
                Leaf::Inner(list) => probe.fits(list.into(), budget),
                Leaf::Value(list @ Value::Array(items)) => {
                    Ok(any(items, |item| probe.fits(item.into(), budget))?
                        || probe.fits(list.into(), budget)?)
                }
                Leaf::Value(value) => probe.fits(value.into(), budget),
            }),
            Self::Exists | Self::Size(_) | Self::Item(_) => {
                path.visit(fields, budget, |leaf| match leaf {
                    Leaf::Missing => Ok(false),
                    Leaf::Inner(value) | Leaf::Value(value) => self.holds_for(value.into(), budget),
                })
            }
        }
    }

    /// Returns whether this holds for one value, without a look at the items of a list.
    fn holds_for(&self, found: Found<'_>, budget: &Budget) -> Result<bool, Interruption> {
        budget.step()?;
        match (self, found) {
            (Self::All(tests), _) => all(tests, |test| test.holds_for(found, budget)),
            (Self::Not(test), _) => Ok(!test.holds_for(found, budget)?),
            (Self::One(probe), _) => probe.fits(found, budget),
            (Self::Exists, _) => Ok(!matches!(found, Found::Nothing)),
            (Self::Size(size), Found::Value(Value::Array(items))) => {
                Ok(items.len() as u64 == *size)
            }
            (Self::Item(wanted), Found::Value(Value::Array(items))) => {
                any(items, |item| wanted.is(item, budget))
            }
            (Self::Size(_) | Self::Item(_), _) => Ok(false),
        }
    }
}

impl Item {
    fn is(&self, item: &Value, budget: &Budget) -> Result<bool, Interruption> {
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
    fn fits(&self, found: Found<'_>, budget: &Budget) -> Result<bool, Interruption> {
        match self {
            Self::Compare(comparison, wanted) => {
                found.pay(wanted, budget)?;
                Ok(match comparison {
                    Comparison::Equal => equal(found, wanted),
                    _ => compare(found, wanted).is_some_and(|order| comparison.fits(order)),
                })
            }
            Self::In(wanted) => {
                let mut paid = budget.step();
                let there = wanted.binary_search_by(|one| {
                    paid = paid.and_then(|()| found.pay(one, budget));
                    // Without time left, any answer ends the search.
                    if paid.is_ok() { place(one, found) } else { Ordering::Equal }
                });
                paid.map(|()| there.is_ok())
            }
            Self::Matches(pattern) => match found {
                // All its word boundaries are those of ASCII.
                Found::Text(text) => Ok(pattern.search(text, budget)? == Search::Done(true)),
                Found::Nothing | Found::Value(_) => budget.step().map(|()| false),
            },
        }
    }
}

impl Found<'_> {
    /// Pays for comparing with a value: that takes as long as both are large.
    fn pay(self, other: &Value, budget: &Budget) -> Result<(), Interruption> {
        match (self, other) {
            (Self::Value(Value::Array(_)), Value::Array(_))
            | (Self::Value(Value::Object(_)), Value::Object(_)) => budget.check(),
            _ => budget.step(),
        }
    }
}

/// Nothing is null.
fn equal(found: Found<'_>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Found::Nothing, wanted) => wanted.is_null(),
        (Found::Text(text), Value::String(wanted)) => text == wanted,
        (Found::Text(_), _) => false,
        (Found::Value(value), wanted) => order::equal(value, wanted),
    }
}

/// Compares values of one type; `None` if they are of two.
fn compare(found: Found<'_>, bound: &Value) -> Option<Ordering> {
    match (found, bound) {
        (Found::Nothing, Value::Null) => Some(Ordering::Equal),
        (Found::Text(text), Value::String(bound)) => Some(text.cmp(bound)),
        (Found::Value(value), bound) if order::class(value) == order::class(bound) => {
            Some(order::compare(value, bound))
        }
        (Found::Nothing | Found::Text(_) | Found::Value(_), _) => None,
    }
}

/// Compares one of a list of values with a value of any type.
fn place(one: &Value, found: Found<'_>) -> Ordering {
    match (one, found) {
        (one, Found::Nothing) => order::compare(one, &Value::Null),
        (Value::String(one), Found::Text(text)) => one.as_str().cmp(text),
        (one, Found::Text(_)) => order::class(one).cmp(&order::Class::Text),
        (one, Found::Value(value)) => order::compare(one, value),
    }
}
