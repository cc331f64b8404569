//! What a filter asks, and whether a document answers.
//!
//! Each question looks at a value of the document at most once for each list of alternatives;
//! so the work is at most the conditions of the filter times the values of the document.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::operator::Comparison;
use crate::fields::Fields;
use crate::order;
use crate::path::{Leaf, Path};

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
    Matches(Regex),
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
    pub(super) fn holds(&self, id: Option<&str>, fields: &dyn Fields) -> bool {
        match self {
            Self::All(clauses) => clauses.iter().all(|clause| clause.holds(id, fields)),
            Self::Any(clauses) => clauses.iter().any(|clause| clause.holds(id, fields)),
            Self::Nor(clauses) => !clauses.iter().any(|clause| clause.holds(id, fields)),
            Self::Field(path, test) => test.holds_at(path, fields),
            Self::Id(test) => test.holds_for(id.map_or(Found::Nothing, Found::Text)),
            Self::WithinId(test) => test.holds_for(Found::Nothing),
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
    fn holds_at(&self, path: &Path, fields: &dyn Fields) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.holds_at(path, fields)),
            Self::Not(test) => !test.holds_at(path, fields),
            Self::One(probe) => path.visit(fields, |leaf| match leaf {
                Leaf::Missing => probe.fits(Found::Nothing),
                Leaf::Inner(list) => probe.fits(list.into()),
                Leaf::Value(list @ Value::Array(items)) => {
                    items.iter().any(|item| probe.fits(item.into())) || probe.fits(list.into())
                }
                Leaf::Value(value) => probe.fits(value.into()),
            }),
            Self::Exists | Self::Size(_) | Self::Item(_) => path.visit(fields, |leaf| match leaf {
                Leaf::Missing => false,
                Leaf::Inner(value) | Leaf::Value(value) => self.holds_for(value.into()),
            }),
        }
    }

    /// Returns whether this holds for one value, without a look at the items of a list.
    fn holds_for(&self, found: Found<'_>) -> bool {
        match (self, found) {
            (Self::All(tests), _) => tests.iter().all(|test| test.holds_for(found)),
            (Self::Not(test), _) => !test.holds_for(found),
            (Self::One(probe), _) => probe.fits(found),
            (Self::Exists, _) => !matches!(found, Found::Nothing),
            (Self::Size(size), Found::Value(Value::Array(items))) => items.len() as u64 == *size,
            (Self::Item(wanted), Found::Value(Value::Array(items))) => {
                items.iter().any(|item| wanted.is(item))
            }
            (Self::Size(_) | Self::Item(_), _) => false,
        }
    }
}

impl Item {
    fn is(&self, item: &Value) -> bool {
        match self {
            Self::Object(clause) => {
                item.as_object().is_some_and(|fields| clause.holds(None, fields))
            }
            Self::Itself(test) => test.holds_for(item.into()),
        }
    }
}

impl Probe {
    fn fits(&self, found: Found<'_>) -> bool {
        match self {
            Self::Compare(Comparison::Equal, wanted) => equal(found, wanted),
            Self::Compare(comparison, bound) => {
                compare(found, bound).is_some_and(|order| comparison.fits(order))
            }
            Self::In(wanted) => wanted.binary_search_by(|one| place(one, found)).is_ok(),
            Self::Matches(pattern) => {
                matches!(found, Found::Text(text) if pattern.is_match(text))
            }
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
