//! Limits and accessible collections of a run.
//!
//! [`Policy::grant`] resolves the limits of a run from the request, the operation's hints and the
//! host's maxima. It is the only constructor of [`Grants`], and the sandbox requires them.
//!
//! - `record`: [`RecordPolicy`], which runs are recorded.

mod record;

pub use self::record::RecordPolicy;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::document::CollectionName;
use crate::model::limits::{Amount, LimitName, LimitRequest, Limits, OperationLimits};
use crate::model::operation::{Hints, Operation, OperationName};

/// Maximum time limit of any host: one year, so that a deadline cannot overflow the clock.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Limits of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    defaults: Limits,
    maxima: Limits,
    operations: BTreeMap<OperationName, OperationLimits>,
}

impl Policy {
    /// Returns a policy with these defaults and maxima. A default above its maximum is lowered.
    pub(crate) fn new(defaults: Limits, maxima: Limits) -> Self {
        Self { defaults, maxima, operations: BTreeMap::new() }
    }

    /// Sets the limits of single operations.
    pub(crate) fn operations(
        mut self,
        operations: BTreeMap<OperationName, OperationLimits>,
    ) -> Self {
        self.operations = operations;
        self
    }

    /// Returns the grants of a run.
    ///
    /// Precedence: the request, the settings of the operation, the hints of the operation, the
    /// defaults. All but the requested limits are lowered to the maxima.
    ///
    /// # Errors
    ///
    /// Returns [`PolicyError`] if a requested limit is zero or above its maximum.
    pub(crate) fn grant(
        &self,
        operation: &Operation,
        requested: &LimitRequest,
    ) -> Result<Grants, PolicyError> {
        let maxima = self.maxima(&operation.name);
        let limits = self.limits(&operation.name, &operation.hints, requested)?;
        let at_maximum = at_maximum(&limits, &maxima);
        Ok(Grants { limits, at_maximum, collections: Collections::of(operation) })
    }

    /// Returns grants with the maximum limits, for a built-in operation. The limit `effects` is at
    /// least `min_effects` bytes.
    pub(crate) fn grant_builtin(&self, operation: &Operation, min_effects: u64) -> Grants {
        let timeout = self.maxima.timeout.min(MAX_TIMEOUT);
        let effects = self.maxima.effects.max(min_effects);
        let limits = Limits { timeout, effects, ..self.maxima };
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
        requested: &LimitRequest,
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
                requested.timeout,
                given.timeout,
                maxima.timeout,
            )?,
            memory: resolve_limit(
                LimitName::Memory,
                requested.memory,
                given.memory,
                maxima.memory,
            )?,
            output: resolve_limit(
                LimitName::Output,
                requested.output,
                given.output,
                maxima.output,
            )?,
            effects: resolve_limit(
                LimitName::Effects,
                requested.effects,
                given.effects,
                maxima.effects,
            )?,
            log: resolve_limit(LimitName::Log, requested.log, given.log, maxima.log)?,
        })
    }
}

/// Returns the limits that are not below their maxima.
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

/// Returns the requested limits, and `base` for those that are not requested.
fn merge(request: Option<&LimitRequest>, base: Limits) -> Limits {
    let Some(request) = request else { return base };
    Limits {
        timeout: request.timeout.unwrap_or(base.timeout),
        memory: request.memory.unwrap_or(base.memory),
        output: request.output.unwrap_or(base.output),
        effects: request.effects.unwrap_or(base.effects),
        log: request.log.unwrap_or(base.log),
    }
}

fn resolve_limit<T>(
    limit: LimitName,
    requested: Option<T>,
    otherwise: T,
    maximum: T,
) -> Result<T, PolicyError>
where
    T: Copy + Default + PartialOrd + Into<Amount>,
{
    match requested {
        None if otherwise > maximum => Ok(maximum),
        None => Ok(otherwise),
        Some(requested) if requested > maximum => Err(PolicyError::AboveMaximum {
            limit,
            requested: requested.into(),
            maximum: maximum.into(),
        }),
        Some(requested) if requested == T::default() => Err(PolicyError::Zero(limit)),
        Some(requested) => Ok(requested),
    }
}

/// Grants of a run. Only [`Policy`] creates them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grants {
    limits: Limits,
    at_maximum: Vec<LimitName>,
    collections: Collections,
}

impl Grants {
    /// Returns the limits of the run.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the limits that are equal to their maxima.
    pub(crate) fn at_maximum(&self) -> &[LimitName] {
        &self.at_maximum
    }

    /// Returns the accessible collections.
    pub(crate) fn collections(&self) -> &Collections {
        &self.collections
    }
}

/// Collections that a run can access: those of the models of its operation.
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

    /// Returns whether the run can write to the collection.
    pub(crate) fn writes(&self, collection: &CollectionName) -> bool {
        self.write.contains(collection)
    }

    /// Returns whether the run can read the collection.
    pub(crate) fn reads(&self, collection: &CollectionName) -> bool {
        self.read.contains(collection) || self.writes(collection)
    }
}

/// Error of a request for limits that are not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The requested limit is above the maximum.
    #[error("{requested} for `{limit}` is above the maximum of {maximum}")]
    AboveMaximum {
        /// Name of the limit.
        limit: LimitName,
        /// The requested value.
        requested: Amount,
        /// The maximum.
        maximum: Amount,
    },
    /// The requested limit is zero.
    #[error("`{0}` must be greater than zero")]
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
    fn a_request_overrides_the_hint_and_the_hint_overrides_the_default() {
        let timeout = |hints: &Hints, requested| {
            let requested = LimitRequest { timeout: requested, ..LimitRequest::default() };
            policy().limits(&name(), hints, &requested).unwrap().timeout
        };
        let seconds = Duration::from_secs;
        assert_eq!(timeout(&Hints::default(), None), seconds(30));
        assert_eq!(timeout(&hints(5_000), None), seconds(5));
        assert_eq!(timeout(&hints(5_000), Some(seconds(60))), seconds(60));
    }

    #[test]
    fn a_hint_is_lowered_to_the_maximum_and_a_request_above_it_is_rejected() {
        let nothing = LimitRequest::default();
        let granted = policy().limits(&name(), &hints(600_000), &nothing).unwrap();
        assert_eq!(granted.timeout, Duration::from_secs(60));
        let requested = LimitRequest { timeout: Some(Duration::from_secs(61)), ..nothing };
        let error = policy().limits(&name(), &Hints::default(), &requested).unwrap_err();
        assert_eq!(error.to_string(), "1m 1s for `timeout` is above the maximum of 1m");
    }

    #[test]
    fn the_maximum_timeout_is_one_year() {
        let maxima = Limits { timeout: Duration::MAX, ..Limits::DEFAULT_MAXIMA };
        let policy = Policy::new(Limits { timeout: Duration::MAX, ..Limits::DEFAULT }, maxima);
        let granted = policy.limits(&name(), &Hints::default(), &LimitRequest::default()).unwrap();
        assert_eq!(granted.timeout, MAX_TIMEOUT);
    }

    #[test]
    fn a_limit_of_zero_is_rejected() {
        let requested = LimitRequest { memory: Some(0), ..LimitRequest::default() };
        assert_eq!(
            policy().limits(&name(), &Hints::default(), &requested),
            Err(PolicyError::Zero(LimitName::Memory))
        );
    }

    #[test]
    fn the_limits_of_an_operation_override_its_hints_and_the_maxima() {
        let seconds = Duration::from_secs;
        let request = |timeout| LimitRequest { timeout: Some(timeout), ..LimitRequest::default() };
        let own = |default, maximum| OperationLimits {
            defaults: request(seconds(default)),
            maxima: request(seconds(maximum)),
        };
        let policy = |own| policy().operations(BTreeMap::from([(name(), own)]));
        let nothing = LimitRequest::default();
        let timeout = |policy: Policy, requested: &LimitRequest| {
            policy.limits(&name(), &hints(5_000), requested).map(|limits| limits.timeout)
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
