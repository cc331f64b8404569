//! Time and step limits of host work.
//!
//! The time of work on untrusted values grows with their size. A loop over such a value calls
//! [`Budget::step`] for each part, and stops if the call returns an [`Interruption`]. The clock is
//! read once in 1,024 steps, so that a step costs about a nanosecond.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Number of steps between two checks of the deadline. A step takes at most a few microseconds.
const CHECK_INTERVAL: u32 = 1024;

/// Limits of work: a deadline, a cancellation by the caller and a number of steps.
///
/// A clone has the same deadline and cancellation, and a copy of the remaining steps.
#[derive(Clone)]
pub struct Budget {
    deadline: Option<Instant>,
    is_cancelled: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    /// Number of steps until the next check.
    until_check: Cell<u32>,
    /// Number of steps after the next check.
    steps: Cell<u64>,
}

/// The reason why work is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// The deadline has passed.
    #[error("the deadline passed")]
    Deadline,
    /// The caller cancelled the work.
    #[error("the caller cancelled")]
    Cancelled,
    /// All steps are used up.
    #[error("too many steps")]
    Steps,
}

impl Budget {
    /// Returns a budget without limits.
    pub fn unlimited() -> Self {
        // `u32::MAX` steps between checks, because checks have no effect without limits.
        let (until_check, steps) = (Cell::new(u32::MAX), Cell::new(u64::MAX));
        Self { deadline: None, is_cancelled: None, until_check, steps }
    }

    /// Returns a budget that ends at a deadline, or when `is_cancelled` returns true.
    pub fn until(
        deadline: Instant,
        is_cancelled: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let is_cancelled: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(is_cancelled);
        let (deadline, is_cancelled) = (Some(deadline), Some(is_cancelled));
        Self { deadline, is_cancelled, until_check: Cell::new(0), ..Self::unlimited() }
    }

    /// Returns a copy of the budget with this maximum number of steps.
    #[must_use]
    pub fn with_steps(&self, steps: u64) -> Self {
        Self { until_check: Cell::new(0), steps: Cell::new(steps), ..self.clone() }
    }

    /// Spends one step.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the work must stop.
    #[inline]
    pub fn step(&self) -> Result<(), Interruption> {
        self.spend(1)
    }

    /// Spends several steps at once, for work that is proportional to a length.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    #[inline]
    pub fn spend(&self, steps: usize) -> Result<(), Interruption> {
        let left = self.until_check.get();
        match u32::try_from(steps) {
            Ok(steps) if steps <= left => {
                self.until_check.set(left - steps);
                Ok(())
            }
            _ => self.spend_and_check(steps),
        }
    }

    /// Checks the deadline and the cancellation now. For use after work that spends no steps.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    pub fn check(&self) -> Result<(), Interruption> {
        if self.is_cancelled.as_ref().is_some_and(|is_cancelled| is_cancelled()) {
            return Err(Interruption::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Interruption::Deadline);
        }
        Ok(())
    }

    #[cold]
    fn spend_and_check(&self, steps: usize) -> Result<(), Interruption> {
        let all = self.steps.get().saturating_add(self.until_check.get().into());
        let left = all.checked_sub(steps as u64).ok_or(Interruption::Steps)?;
        let until_check = u32::try_from(left).unwrap_or(CHECK_INTERVAL).min(CHECK_INTERVAL);
        self.until_check.set(until_check);
        self.steps.set(left - u64::from(until_check));
        self.check()
    }
}

/// Returns whether `holds` is true for one of the items. Stops at the first such item.
///
/// # Errors
///
/// Returns the first error of `holds`.
pub(crate) fn any<T>(
    items: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> Result<bool, Interruption>,
) -> Result<bool, Interruption> {
    for item in items {
        if holds(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether `holds` is true for all items. Stops at the first item for which it is not.
///
/// # Errors
///
/// Returns the first error of `holds`.
pub(crate) fn all<T>(
    items: impl IntoIterator<Item = T>,
    mut holds: impl FnMut(T) -> Result<bool, Interruption>,
) -> Result<bool, Interruption> {
    Ok(!any(items, |item| Ok(!holds(item)?))?)
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    /// Spends up to `max` steps. Returns the number of spent steps, and the interruption.
    fn steps(budget: &Budget, max: usize) -> (usize, Option<Interruption>) {
        let spent = (0..max).find_map(|spent| budget.step().err().map(|error| (spent, error)));
        spent.map_or((max, None), |(spent, error)| (spent, Some(error)))
    }

    #[test]
    fn unlimited_budget_is_never_used_up() {
        assert_eq!(steps(&Budget::unlimited(), 1_000_000), (1_000_000, None));
        assert!(Budget::unlimited().spend(usize::MAX).is_ok());
    }

    #[test]
    fn budget_is_used_up_after_its_steps() {
        for max in [0, 1, 1023, 1024, 1025, 5000] {
            let budget = Budget::unlimited().with_steps(max);
            assert_eq!(steps(&budget, 10_000), (max as usize, Some(Interruption::Steps)));
            assert_eq!(budget.step(), Err(Interruption::Steps), "the budget stays used up");
        }
        let budget = Budget::unlimited().with_steps(5000);
        assert_eq!((budget.spend(4000), budget.spend(1001)), (Ok(()), Err(Interruption::Steps)));
        assert_eq!(budget.spend(1000), Ok(()));
    }

    #[test]
    fn budget_ends_soon_after_its_deadline_or_its_cancellation() {
        let never = || false;
        let budget = Budget::until(Instant::now(), never);
        assert_eq!(budget.step(), Err(Interruption::Deadline));
        let cancel = Arc::new(AtomicBool::new(false));
        let is_cancelled = Arc::clone(&cancel);
        let later = Instant::now() + Duration::from_secs(3600);
        let budget = Budget::until(later, move || is_cancelled.load(Ordering::Relaxed));
        assert_eq!(steps(&budget, 10_000), (10_000, None));
        cancel.store(true, Ordering::Relaxed);
        let (spent, why) = steps(&budget, 10_000);
        assert_eq!(why, Some(Interruption::Cancelled));
        assert!(spent <= CHECK_INTERVAL as usize, "{spent}");
        assert_eq!(budget.with_steps(5).check(), Err(Interruption::Cancelled));
    }
}
