//! Why something is not a filter.

use std::fmt;

use super::{MAX_COMPILED, MAX_CONDITIONS, MAX_PATTERN};
use crate::body::MAX_LEVELS;
use crate::extended::ExtendedProblem;
use crate::path::PathError;
use crate::text;

/// Why something is not a filter, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {place}: {problem}")]
pub struct FilterError {
    /// The place, from the top, such as `$.salary.$gte`.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at one place of a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not JSON, or not strictly.
    #[error("it is not JSON: {}", text::single_line(.0))]
    NotJson(String),
    /// A value of the wrong type.
    #[error("{expected} is needed, here is {found}")]
    Expected {
        /// What is needed.
        expected: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// A list or an object that has to hold something.
    #[error("{0} is needed, here is nothing")]
    Empty(&'static str),
    /// An operator that there is not.
    #[error("there is no such operator; {}", way_out(*suggestion))]
    Unknown {
        /// The one that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// An operator for a field, where fields stand.
    #[error("this operator belongs to a field: {{\"FIELD\": {{\"{0}\": ..}}}}")]
    NeedsField(&'static str),
    /// An operator that combines filters, in one field.
    #[error("this operator combines whole filters and stands beside fields, not in one")]
    CombinesFilters,
    /// Operators and fields in one object.
    #[error("operators, which begin with $, and fields are mixed in one object")]
    Mixed,
    /// An operator in a value that is compared as a whole.
    #[error(
        "this operator is inside a value that is compared as a whole; a field within another is \
         named by a path, such as \"a.b\""
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
    /// An object whose names begin with `$` and that stands for no value.
    #[error(transparent)]
    Extended(ExtendedProblem),
    /// A value of Extended JSON where an operator is needed.
    #[error("this is a value, not an operator; {{\"$eq\": VALUE}} compares with one")]
    NotAnOperator,
    /// Options of a pattern that is not there.
    #[error("$options is for a $regex beside it")]
    OptionsAlone,
    /// A letter that is no option of a pattern.
    #[error("the options of a pattern are i, m, s and x, not {0:?}")]
    Option(char),
    /// A name that is no path.
    #[error(transparent)]
    Path(PathError),
    /// A pattern that cannot be used.
    #[error("not a pattern: {}", text::single_line(.0))]
    Pattern(String),
    /// A pattern that is too long.
    #[error("a pattern has at most {MAX_PATTERN} bytes")]
    LongPattern,
    /// Patterns that are too large when compiled.
    #[error(
        "the patterns of a filter need at most {} KiB when compiled, these need more",
        MAX_COMPILED >> 10
    )]
    LargePatterns,
    /// Too many conditions.
    #[error("a filter has at most {MAX_CONDITIONS} conditions")]
    ManyConditions,
    /// Lists and objects within each other.
    #[error("a filter has at most {MAX_LEVELS} levels")]
    TooDeep,
    /// Too long a text.
    #[error("a filter has at most 64 KiB")]
    TooLarge,
}

fn way_out(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(operator) => format!("did you mean {operator}?"),
        None => format!("there are {}", super::operator::names().join(", ")),
    }
}

/// A place in a filter that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// The filter itself.
    Top,
    /// A name in what is at a place.
    Name(&'a Place<'a>, &'a str),
    /// An item of the list at a place.
    Item(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    /// Returns the place of another name beside this one.
    pub(super) fn beside(&self, name: &'a str) -> Place<'a> {
        match self {
            Self::Name(above, _) => Place::Name(above, name),
            Self::Top | Self::Item(..) => *self,
        }
    }

    /// Says that something is wrong below here.
    pub(super) fn problem_below(&self, below: impl fmt::Display, problem: Problem) -> FilterError {
        FilterError { place: format!("{self}{below}"), problem }
    }

    /// Says that something is wrong here.
    pub(super) fn problem(&self, problem: Problem) -> FilterError {
        FilterError { place: self.to_string(), problem }
    }
}

/// It has as many parts as the filter has levels.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => f.write_str("$"),
            Self::Name(above, name) => write!(f, "{above}.{}", text::quote(name)),
            Self::Item(above, number) => write!(f, "{above}[{number}]"),
        }
    }
}
