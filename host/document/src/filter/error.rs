//! Why something is not a filter.

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
    /// It is no JSON.
    #[error("{0}")]
    NotJson(String),
}
