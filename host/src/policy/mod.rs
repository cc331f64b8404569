//! What a run may use: limits and collections, and the only place that can say so.
//!
//! A [`Policy`] belongs to a host. [`Policy::grant`] weighs what an operation hints at and
//! what a caller asks for against it and makes the [`Grants`] of one run; nothing else
//! makes them, and the sandbox takes nothing else.

mod record;

pub use self::record::RecordPolicy;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::document::CollectionName;
use crate::model::limits::{Amount, LimitName, LimitRequest, Limits, OperationLimits};
use crate::model::operation::{Hints, Operation, OperationName};

/// The most that any host allows: a clock cannot count on for ever.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a host allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    defaults: Limits,
    maxima: Limits,
    operations: BTreeMap<OperationName, OperationLimits>,
}

impl Policy {
    /// Returns a policy of these defaults. A default above its maximum is cut to that.
    pub(crate) fn new(defaults: Limits, maxima: Limits) -> Self {
        Self { defaults, maxima, operations: BTreeMap::new() }
    }

    /// Says more of single operations.
    pub(crate) fn operations(
        mut self,
        operations: BTreeMap<OperationName, OperationLimits>,
    ) -> Self {
        self.operations = operations;
        self
    }

    /// Returns what a run of an operation may use.
    ///
    /// What the caller asks for wins; then what the host says of this operation; then the
    /// operation's hints, since its author could not know this host; then the defaults. All
    /// but the first are cut to the maxima.
    ///
    /// # Errors
    ///
    /// Returns [`PolicyError`] if the caller asks for nothing at all or for more than a
    /// maximum.
    pub(crate) fn grant(
        &self,
        operation: &Operation,
        asked: &LimitRequest,
    ) -> Result<Grants, PolicyError> {
        let maxima = self.maxima(&operation.name);
        let limits = self.limits(&operation.name, &operation.hints, asked)?;
        let at_maximum = at_maximum(&limits, &maxima);
        Ok(Grants { limits, at_maximum, collections: Collections::of(operation) })
    }

    /// Returns the most that this host allows, for an operation of its own.
    pub(crate) fn grant_maximum(&self, operation: &Operation) -> Grants {
        let timeout = self.maxima.timeout.min(MAX_TIMEOUT);
        let limits = Limits { timeout, ..self.maxima };
        let at_maximum = LimitName::ALL.to_vec();
        Grants { limits, at_maximum, collections: Collections::of(operation) }
    }

    fn maxima(&self, name: &OperationName) -> Limits {
        let own = self.operations.get(name);
        let maxima = merge(own.map(|own| &own.maxima), self.maxima);
        Limits { timeout: maxima.timeout.min(MAX_TIMEOUT), ..maxima }
    }

    fn limits(
        &self,
        name: &OperationName,
        hints: &Hints,
        asked: &LimitRequest,
    ) -> Result<Limits, PolicyError> {
        let own = self.operations.get(name);
        let maxima = self.maxima(name);
        let hinted = Limits {
            timeout: hints.timeout().unwrap_or(self.defaults.timeout),
            memory: hints.memory().unwrap_or(self.defaults.memory),
            ..self.defaults
        };
        let given = merge(own.map(|own| &own.defaults), hinted);
        Ok(Limits {
            timeout: resolve_limit(
                LimitName::Timeout,
                asked.timeout,
                given.timeout,
                maxima.timeout,
            )?,
            memory: resolve_limit(LimitName::Memory, asked.memory, given.memory, maxima.memory)?,
            output: resolve_limit(LimitName::Output, asked.output, given.output, maxima.output)?,
            effects: resolve_limit(
                LimitName::Effects,
                asked.effects,
                given.effects,
                maxima.effects,
            )?,
            log: resolve_limit(LimitName::Log, asked.log, given.log, maxima.log)?,
        })
    }
}

/// Returns which limits are no lower than their maxima.
fn at_maximum(limits: &Limits, maxima: &Limits) -> Vec<LimitName> {
    let is_reached = |limit: &LimitName| match limit {
        LimitName::Timeout => limits.timeout >= maxima.timeout,
        LimitName::Memory => limits.memory >= maxima.memory,
        LimitName::Output => limits.output >= maxima.output,
        LimitName::Effects => limits.effects >= maxima.effects,
        LimitName::Log => limits.log >= maxima.log,
    };
    LimitName::ALL.into_iter().filter(is_reached).collect()
}

/// Returns the limits that are said, and the others as they are.
fn merge(said: Option<&LimitRequest>, others: Limits) -> Limits {
    let Some(said) = said else { return others };
    Limits {
        timeout: said.timeout.unwrap_or(others.timeout),
        memory: said.memory.unwrap_or(others.memory),
        output: said.output.unwrap_or(others.output),
        effects: said.effects.unwrap_or(others.effects),
        log: said.log.unwrap_or(others.log),
    }
}

fn resolve_limit<T>(
    limit: LimitName,
    asked: Option<T>,
    otherwise: T,
    maximum: T,
) -> Result<T, PolicyError>
where
    T: Copy + Default + PartialOrd + Into<Amount>,
{
    match asked {
        None if otherwise > maximum => Ok(maximum),
        None => Ok(otherwise),
        Some(asked) if asked > maximum => {
            Err(PolicyError::AboveMaximum { limit, asked: asked.into(), maximum: maximum.into() })
        }
        Some(asked) if asked == T::default() => Err(PolicyError::Zero(limit)),
        Some(asked) => Ok(asked),
    }
}

/// What one run may use. Made by [`Policy::grant`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grants {
    limits: Limits,
    at_maximum: Vec<LimitName>,
    collections: Collections,
}

impl Grants {
    /// Returns the run's bounds.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns which of them are the highest that the host allows.
    pub(crate) fn at_maximum(&self) -> &[LimitName] {
        &self.at_maximum
    }

    /// Returns which documents it reaches.
    pub(crate) fn collections(&self) -> &Collections {
        &self.collections
    }
}

/// Which collections a run reaches: those of the models that its operation names. Another one
/// is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collections {
    read: BTreeSet<CollectionName>,
    write: BTreeSet<CollectionName>,
}

impl Collections {
    fn of(operation: &Operation) -> Self {
        let of = |models: &[String]| {
            models.iter().filter_map(|model| operation.collection(model)).collect()
        };
        Self { read: of(&operation.models_in), write: of(&operation.models_out) }
    }

    /// Returns whether documents of the collection may be changed.
    pub(crate) fn writes(&self, collection: &CollectionName) -> bool {
        self.write.contains(collection)
    }

    /// Returns whether documents of the collection may be read.
    pub(crate) fn reads(&self, collection: &CollectionName) -> bool {
        self.read.contains(collection) || self.writes(collection)
    }
}

/// A call that asks for what the host does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than the maximum.
    #[error("{asked} for `{limit}` is above this host's maximum of {maximum}")]
    AboveMaximum {
        /// Which limit.
        limit: LimitName,
        /// What the caller asked for.
        asked: Amount,
        /// The most that it may ask for.
        maximum: Amount,
    },
    /// A limit under which nothing can run.
    #[error("a limit of zero for `{0}` lets nothing run")]
    Zero(LimitName),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::new(
            Limits::DEFAULT,
            Limits { timeout: Duration::from_secs(60), ..Limits::DEFAULT_MAXIMA },
        )
    }

    fn name() -> OperationName {
        OperationName::new("a").unwrap()
    }

    fn hints(timeout_ms: u64) -> Hints {
        Hints { timeout_ms: Some(timeout_ms), ..Hints::default() }
    }

    #[test]
    fn the_caller_wins_over_the_hint_and_the_hint_over_the_default() {
        let timeout = |hints: &Hints, asked| {
            let asked = LimitRequest { timeout: asked, ..LimitRequest::default() };
            policy().limits(&name(), hints, &asked).unwrap().timeout
        };
        let seconds = Duration::from_secs;
        assert_eq!(timeout(&Hints::default(), None), seconds(30));
        assert_eq!(timeout(&hints(5_000), None), seconds(5));
        assert_eq!(timeout(&hints(5_000), Some(seconds(60))), seconds(60));
    }

    #[test]
    fn a_hint_is_cut_to_the_maximum_but_a_call_above_it_is_refused() {
        let nothing = LimitRequest::default();
        let granted = policy().limits(&name(), &hints(600_000), &nothing).unwrap();
        assert_eq!(granted.timeout, Duration::from_secs(60));
        let asked = LimitRequest { timeout: Some(Duration::from_secs(61)), ..nothing };
        let error = policy().limits(&name(), &Hints::default(), &asked).unwrap_err();
        assert_eq!(error.to_string(), "1m 1s for `timeout` is above this host's maximum of 1m");
    }

    #[test]
    fn a_maximum_without_end_is_a_year() {
        let maxima = Limits { timeout: Duration::MAX, ..Limits::DEFAULT_MAXIMA };
        let policy = Policy::new(Limits { timeout: Duration::MAX, ..Limits::DEFAULT }, maxima);
        let granted = policy.limits(&name(), &Hints::default(), &LimitRequest::default()).unwrap();
        assert_eq!(granted.timeout, MAX_TIMEOUT);
    }

    #[test]
    fn a_limit_of_zero_is_refused() {
        let asked = LimitRequest { memory: Some(0), ..LimitRequest::default() };
        assert_eq!(
            policy().limits(&name(), &Hints::default(), &asked),
            Err(PolicyError::Zero(LimitName::Memory))
        );
    }

    #[test]
    fn what_is_said_of_an_operation_wins_over_its_hints_and_the_maxima() {
        let seconds = Duration::from_secs;
        let request = |timeout| LimitRequest { timeout: Some(timeout), ..LimitRequest::default() };
        let own = |default, maximum| OperationLimits {
            defaults: request(seconds(default)),
            maxima: request(seconds(maximum)),
        };
        let policy = |own| policy().operations(BTreeMap::from([(name(), own)]));
        let nothing = LimitRequest::default();
        let timeout = |policy: Policy, asked: &LimitRequest| {
            policy.limits(&name(), &hints(5_000), asked).map(|limits| limits.timeout)
        };
        assert_eq!(timeout(policy(own(2, 90)), &nothing), Ok(seconds(2)));
        assert_eq!(timeout(policy(own(2, 1)), &nothing), Ok(seconds(1)));
        assert_eq!(timeout(policy(own(2, 90)), &request(seconds(90))), Ok(seconds(90)));
        assert!(timeout(policy(own(2, 3)), &request(seconds(4))).is_err());
        let other = OperationName::new("b").unwrap();
        let granted = policy(own(2, 3)).limits(&other, &hints(5_000), &nothing).unwrap();
        assert_eq!(granted.timeout, seconds(5));
    }
}
