//! Which documents are meant.

mod clause;
mod error;
mod operator;
mod pattern;
mod read;
#[cfg(test)]
mod semantics;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use self::clause::Clause;
use self::error::Place;
pub use self::error::{FilterError, Problem};
use crate::body::{ByteBudget, MAX_LEVELS, is_within};
use crate::budget::{Budget, Interruption};
use crate::json;
use crate::name::DocumentId;
use crate::projection::{Fields, Projection};
use crate::scan::Scan;

/// The longest text of a filter, in bytes.
pub const MAX_FILTER: usize = 64 << 10;
/// The most conditions of a filter: each operator of a field and each value that a field has to
/// equal is one, and so is an empty filter.
pub const MAX_CONDITIONS: usize = 1_000;
/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 1_000;
/// What the patterns of a filter may need together when compiled, in bytes. A short one needs
/// some 1,000.
pub const MAX_COMPILED: usize = 64 << 10;

/// Which documents are meant: a filter in a subset of MongoDB's language, which
/// `wit/README.md` describes.
#[derive(Clone, Debug)]
pub struct Filter {
    source: Value,
    clause: Clause,
}

impl Filter {
    /// Returns the filter that means every document.
    pub fn all() -> Self {
        Self { source: Value::Object(Map::new()), clause: Clause::All(Box::new([])) }
    }

    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// Returns [`FilterError`], with the place, if it is none: an operator that there is not or
    /// that stands in a wrong place, an argument of a wrong type, a pattern that cannot be used,
    /// more than 64 KiB of text, 64 levels or 1,000 conditions.
    pub fn parse(source: &Value) -> Result<Self, FilterError> {
        if !is_within(source, MAX_LEVELS) {
            return Err(Place::Top.problem(Problem::TooDeep));
        }
        if serde_json::to_writer(ByteBudget(MAX_FILTER), source).is_err() {
            return Err(Place::Top.problem(Problem::TooLarge));
        }
        Ok(Self { source: source.clone(), clause: read::read(source)? })
    }

    /// Reads a filter from JSON text of at most 64 KiB, as strictly as [`json::parse`].
    ///
    /// # Errors
    ///
    /// Returns [`FilterError`] if it is none.
    pub fn parse_text(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_FILTER {
            return Err(Place::Top.problem(Problem::TooLarge));
        }
        let source = json::parse(text)
            .map_err(|error| Place::Top.problem(Problem::NotJson(error.to_string())))?;
        Self::parse(&source)
    }

    /// Returns whether a document is meant. Allocates nothing, but where `$gt` and its like, or
    /// `$in`, compare objects.
    pub fn matches(&self, id: &DocumentId, fields: &dyn Fields) -> bool {
        // A budget without a limit is never used up.
        self.matches_within(id, fields, &Budget::unlimited()).unwrap_or(false)
    }

    /// Returns whether a document is meant, found out within a budget.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub fn matches_within(
        &self,
        id: &DocumentId,
        fields: &dyn Fields,
        budget: &Budget,
    ) -> Result<bool, Interruption> {
        self.clause.holds(Some(id.as_str()), fields, budget)
    }

    /// Returns what [`Filter::matches`] has to be asked of.
    pub fn scan(&self) -> Scan {
        Scan { wanted: Projection::new(self.names()), ids: self.ids(), after: None, before: None }
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.clause.add_names(&mut names);
        names
    }

    /// Returns the only ids that documents can have that are meant, in their order; `None` if
    /// the filter does not say. What names no document is left out.
    pub(crate) fn ids(&self) -> Option<BTreeSet<DocumentId>> {
        let ids = self.clause.ids()?;
        Some(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    pub(crate) fn source(&self) -> &Value {
        &self.source
    }
}

/// Filters are equal if they are the same JSON.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}
