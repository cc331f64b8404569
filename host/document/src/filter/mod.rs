//! Filters of documents: parses and matches them.

mod clause;
mod error;
mod operator;
#[cfg(test)]
mod parse_errors;
mod pattern;
mod read;
#[cfg(test)]
mod semantics;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use self::clause::{Clause, Item, Probe, Test};
use self::error::Location;
pub use self::error::{FilterError, Problem};
pub use self::operator::Comparison;
pub use self::pattern::Pattern;
use crate::body::{ByteBudget, MAX_LEVELS, is_within};
use crate::budget::{Budget, Interruption};
use crate::json;
use crate::name::DocumentId;
use crate::projection::{Fields, Projection};
use crate::scan::Scan;

/// Maximum length of the text of a filter, in bytes.
pub const MAX_FILTER: usize = 64 << 10;
/// Maximum number of conditions of a filter.
///
/// A condition is an operator of a field, a value that a field must equal, or an empty filter.
pub const MAX_CONDITIONS: usize = 1_000;
/// Maximum length of a pattern, in bytes.
pub const MAX_PATTERN: usize = 1_000;
/// Maximum total size of the compiled patterns of a filter, in bytes. A short pattern takes about
/// 1,000 bytes.
pub const MAX_COMPILED: usize = 64 << 10;

/// A filter in a subset of MongoDB's query language, which `wit/README.md` describes.
///
/// Clones share the parsed filter and its compiled patterns.
#[derive(Clone, Debug)]
pub struct Filter(Arc<ParsedFilter>);

#[derive(Debug)]
struct ParsedFilter {
    source: Value,
    clause: Clause,
}

impl Filter {
    /// Returns the filter that matches every document.
    pub fn all() -> Self {
        Self::new(Value::Object(Map::new()), Clause::All(Box::new([])))
    }

    fn new(source: Value, clause: Clause) -> Self {
        Self(Arc::new(ParsedFilter { source, clause }))
    }

    /// Parses a filter.
    ///
    /// # Errors
    ///
    /// Returns [`FilterError`], with the location, for:
    ///
    /// - an unknown or misplaced operator,
    /// - an argument of the wrong type,
    /// - an invalid pattern, or patterns that are too large,
    /// - an invalid path, or malformed Extended JSON,
    /// - more than 64 KiB of text, 64 levels or 1,000 conditions.
    pub fn parse(source: &Value) -> Result<Self, FilterError> {
        if !is_within(source, MAX_LEVELS) {
            return Err(Location::Top.problem(Problem::TooDeep));
        }
        if serde_json::to_writer(ByteBudget(MAX_FILTER), source).is_err() {
            return Err(Location::Top.problem(Problem::TooLarge));
        }
        Ok(Self::new(source.clone(), read::read(source)?))
    }

    /// Parses a filter from JSON text of at most 64 KiB, as strictly as [`json::parse`].
    ///
    /// # Errors
    ///
    /// Returns [`FilterError`] if the text is not JSON, or for the reasons of [`Filter::parse`].
    pub fn parse_text(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_FILTER {
            return Err(Location::Top.problem(Problem::TooLarge));
        }
        let source = json::parse(text)
            .map_err(|error| Location::Top.problem(Problem::NotJson(error.to_string())))?;
        Self::parse(&source)
    }

    /// Returns whether the filter matches a document.
    ///
    /// Allocates only if `$gt`, `$gte`, `$lt`, `$lte` or `$in` compares objects.
    pub fn matches(&self, id: &DocumentId, fields: &dyn Fields) -> bool {
        // A budget without a limit is never used up.
        self.matches_within(id, fields, &Budget::unlimited()).unwrap_or(false)
    }

    /// Returns whether the filter matches a document, within a budget.
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
        self.0.clause.holds(Some(id.as_str()), fields, budget)
    }

    /// Returns the documents and fields that [`Filter::matches`] needs.
    pub fn scan(&self) -> Scan {
        Scan { projection: Projection::new(self.names()), ids: self.ids(), after: None }
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.0.clause.add_names(&mut names);
        names
    }

    /// Returns the ids that a matching document can have; `None` if the filter does not restrict
    /// them. Texts that are not valid ids are left out.
    pub(crate) fn ids(&self) -> Option<BTreeSet<DocumentId>> {
        let ids = self.0.clause.ids()?;
        Some(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Returns the syntax tree of the filter, for a store that translates filters to a language of
    /// its own.
    ///
    /// The tree is simpler than the source: `$ne` is a [`Test::Not`] of an equality, `$nin` of a
    /// [`Probe::In`], and `{"$exists": false}` of [`Test::Exists`]. Extended JSON is converted to
    /// plain JSON. Stores that differ in the meaning of a condition can evaluate it with
    /// [`Filter::matches_within`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ophost_document::Filter;
    /// use ophost_document::filter::{Clause, Comparison, Item, Probe, Test};
    /// use serde_json::json;
    ///
    /// fn render(clause: &Clause) -> String {
    ///     let join = |clauses: &[Clause], word: &str| {
    ///         let parts: Vec<_> = clauses.iter().map(render).collect();
    ///         format!("({})", parts.join(word))
    ///     };
    ///     match clause {
    ///         Clause::All(clauses) if clauses.is_empty() => "true".to_owned(),
    ///         Clause::All(clauses) => join(clauses, " and "),
    ///         Clause::Any(clauses) => join(clauses, " or "),
    ///         Clause::Nor(clauses) => format!("not {}", join(clauses, " or ")),
    ///         Clause::Field(path, test) => render_test(&path.to_string(), test),
    ///         Clause::Id(test) => render_test("_id", test),
    ///         Clause::WithinId(test) => render_test("missing", test),
    ///     }
    /// }
    ///
    /// fn render_test(subject: &str, test: &Test) -> String {
    ///     match test {
    ///         Test::All(tests) => {
    ///             let parts: Vec<_> = tests.iter().map(|test| render_test(subject, test)).collect();
    ///             parts.join(" and ")
    ///         }
    ///         Test::Not(test) => format!("not ({})", render_test(subject, test)),
    ///         Test::One(probe) => format!("{subject} {}", render_probe(probe)),
    ///         Test::Exists => format!("exists {subject}"),
    ///         Test::Size(size) => format!("size {subject} = {size}"),
    ///         Test::Item(item) => match &**item {
    ///             Item::Object(clause) => format!("some {subject} with {}", render(clause)),
    ///             Item::Itself(test) => format!("some {}", render_test(subject, test)),
    ///         },
    ///     }
    /// }
    ///
    /// fn render_probe(probe: &Probe) -> String {
    ///     match probe {
    ///         Probe::Compare(comparison, value) => {
    ///             let operator = match comparison {
    ///                 Comparison::Equal => "=",
    ///                 Comparison::Greater => ">",
    ///                 Comparison::GreaterOrEqual => ">=",
    ///                 Comparison::Less => "<",
    ///                 Comparison::LessOrEqual => "<=",
    ///             };
    ///             format!("{operator} {value}")
    ///         }
    ///         Probe::In(values) => format!("in {}", json!(values)),
    ///         Probe::Matches(pattern) => format!("~ /{}/{}", pattern.source(), pattern.options()),
    ///     }
    /// }
    ///
    /// let filter = Filter::parse(&json!({
    ///     "status": {"$ne": "draft"},
    ///     "$or": [{"salary": {"$gte": 1000}}, {"tags": {"$in": ["b", "a"]}}],
    ///     "title": {"$regex": "^job", "$options": "i"},
    ///     "offers": {"$elemMatch": {"city": "Rome"}},
    /// }))?;
    /// assert_eq!(
    ///     render(filter.clause()),
    ///     "(not (status = \"draft\") and (salary >= 1000 or tags in [\"a\",\"b\"]) \
    ///      and title ~ /^job/i and some offers with city = \"Rome\")"
    /// );
    /// # Ok::<_, ophost_document::FilterError>(())
    /// ```
    pub fn clause(&self) -> &Clause {
        &self.0.clause
    }

    pub(crate) fn source(&self) -> &Value {
        &self.0.source
    }
}

/// Filters are equal if their JSON is equal.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}
