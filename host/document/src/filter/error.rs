//! Errors of filters, and their locations.

use std::fmt;

use super::{MAX_COMPILED, MAX_CONDITIONS, MAX_PATTERN};
use crate::body::MAX_LEVELS;
use crate::extended::ExtendedProblem;
use crate::path::PathError;
use crate::text;

/// The reason why a filter is invalid, and the location of the problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {location}: {problem}")]
pub struct FilterError {
    /// The location, such as `$.salary.$gte`. `$` is the filter itself.
    pub location: String,
    /// The problem at the location.
    pub problem: Problem,
}

/// A problem at one location of a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A text that is not strict JSON.
    #[error("not JSON: {}", text::single_line(.0))]
    NotJson(String),
    /// A value of the wrong type.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// The expected type.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
    /// An empty list or object.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// An unknown operator.
    #[error("unknown operator; {}", operator_hint(*suggestion))]
    Unknown {
        /// A known operator with a similar name.
        suggestion: Option<&'static str>,
    },
    /// An operator of a field in place of a field.
    #[error("this operator requires a field: {{\"FIELD\": {{\"{0}\": ..}}}}")]
    NeedsField(&'static str),
    /// An operator that combines filters, inside a field.
    #[error("this operator combines whole filters and cannot be used inside a field")]
    CombinesFilters,
    /// Operators and fields in one object.
    #[error("cannot mix fields and operators, which begin with $, in one object")]
    Mixed,
    /// An operator in a value that is compared as a whole.
    #[error(
        "this operator is inside a value that is compared as a whole; use a path such as \"a.b\" \
         for a field of an object"
    )]
    Inside,
    /// An operator in the argument of an operator that takes values.
    #[error(
        "cannot nest {nested} under {operator}, which takes values; $and, $or and $nor combine \
         conditions"
    )]
    Nested {
        /// The operator in the argument.
        nested: &'static str,
        /// The operator whose argument has it.
        operator: &'static str,
    },
    /// An object with a field that begins with `$`, and that is not valid Extended JSON.
    #[error(transparent)]
    Extended(ExtendedProblem),
    /// An Extended JSON value in place of an operator.
    #[error("expected an operator, found a value; use {{\"$eq\": VALUE}}")]
    NotAnOperator,
    /// `$options` without a pattern.
    #[error("$options requires a $regex in the same object")]
    OptionsAlone,
    /// An unknown option of a pattern.
    #[error("unknown pattern option {0:?}; expected i, m, s or x")]
    Option(char),
    /// An invalid path.
    #[error(transparent)]
    Path(PathError),
    /// An invalid pattern.
    #[error("invalid pattern: {}", text::single_line(.0))]
    Pattern(String),
    /// A pattern over [`MAX_PATTERN`].
    #[error("the pattern is longer than {MAX_PATTERN} bytes")]
    LongPattern,
    /// Compiled patterns over [`MAX_COMPILED`].
    #[error("the compiled patterns of the filter are larger than {} KiB", MAX_COMPILED >> 10)]
    LargePatterns,
    /// More than [`MAX_CONDITIONS`] conditions.
    #[error("the filter has more than {MAX_CONDITIONS} conditions")]
    ManyConditions,
    /// More than [`MAX_LEVELS`] levels.
    #[error("the filter has more than {MAX_LEVELS} levels")]
    TooDeep,
    /// A text over [`MAX_FILTER`](super::MAX_FILTER).
    #[error("the filter is larger than 64 KiB")]
    TooLarge,
}

fn operator_hint(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(operator) => format!("did you mean {operator}?"),
        None => format!("expected one of {}", super::operator::names().join(", ")),
    }
}

/// A location in a filter that is being parsed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Location<'a> {
    /// The filter itself.
    Top,
    /// A field of the object at a location.
    Name(&'a Location<'a>, &'a str),
    /// An item of the list at a location.
    Item(&'a Location<'a>, usize),
}

impl<'a> Location<'a> {
    /// Returns the location of another field of the same object.
    pub(super) fn sibling(&self, name: &'a str) -> Location<'a> {
        match self {
            Self::Name(parent, _) => Location::Name(parent, name),
            Self::Top | Self::Item(..) => *self,
        }
    }

    /// Returns the error for a problem at a relative location below this one.
    pub(super) fn problem_below(&self, below: impl fmt::Display, problem: Problem) -> FilterError {
        FilterError { location: format!("{self}{below}"), problem }
    }

    /// Returns the error for a problem at this location.
    pub(super) fn problem(&self, problem: Problem) -> FilterError {
        FilterError { location: self.to_string(), problem }
    }
}

/// The recursion is bounded by the levels of the filter.
impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => f.write_str("$"),
            Self::Name(parent, name) => write!(f, "{parent}.{}", text::quote(name)),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
