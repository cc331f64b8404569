//! The budget of host work: how long it may go on.
//!
//! Work on values that come from outside takes as long as these are large. A loop over them calls
//! [`Budget::step`] for each part that it looks at, and ends with the [`Interruption`] that it
//! returns. The clock is read once in 1,024 steps, so that a step costs about a nanosecond.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// How many steps are taken between two looks at the clock. A step takes at most some
/// microseconds.
const QUANTUM: u32 = 1024;

/// How long work may go on: until a deadline, until its caller cancels it, for so many steps.
///
/// A clone has the same deadline and caller, and the steps that are left.
#[derive(Clone)]
pub struct Budget {
    deadline: Option<Instant>,
    is_cancelled: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    /// The steps that may be taken before the clock is read.
    until_look: Cell<u32>,
    /// The steps that may be taken after that.
    steps: Cell<u64>,
}

/// Why work ends before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// Its deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// Its caller cancelled it.
    #[error("the caller cancelled")]
    Cancelled,
    /// It took all the steps that it had.
    #[error("too many steps")]
    Steps,
}

impl Budget {
    /// Returns the budget of work that nothing ends.
    pub fn unlimited() -> Self {
        // There is nothing to look at.
        let (until_look, steps) = (Cell::new(u32::MAX), Cell::new(u64::MAX));
        Self { deadline: None, is_cancelled: None, until_look, steps }
    }

    /// Returns the budget of work that ends at a deadline, or when `is_cancelled` says so.
    pub fn until(
        deadline: Instant,
        is_cancelled: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let is_cancelled: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(is_cancelled);
        let (deadline, is_cancelled) = (Some(deadline), Some(is_cancelled));
        Self { deadline, is_cancelled, until_look: Cell::new(0), ..Self::unlimited() }
    }

    /// Returns the same budget, but for so many steps at most.
    #[must_use]
    pub fn with_steps(&self, steps: u64) -> Self {
        Self { until_look: Cell::new(0), steps: Cell::new(steps), ..self.clone() }
    }

    /// Takes a step.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the work has to end.
    #[inline]
    pub fn step(&self) -> Result<(), Interruption> {
        self.spend(1)
    }

    /// Takes several steps at once: for work in proportion to a length.
    ///
    /// # Errors
    ///
    /// As [`Self::step`].
    #[inline]
    pub fn spend(&self, steps: usize) -> Result<(), Interruption> {
        let left = self.until_look.get();
        match u32::try_from(steps) {
            Ok(steps) if steps <= left => {
                self.until_look.set(left - steps);
                Ok(())
            }
            _ => self.look(steps),
        }
    }

    /// Looks at the clock, whatever was spent before: after work that was not counted.
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
    fn look(&self, steps: usize) -> Result<(), Interruption> {
        let all = self.steps.get().saturating_add(self.until_look.get().into());
        let left = all.checked_sub(steps as u64).ok_or(Interruption::Steps)?;
        let until_look = u32::try_from(left).unwrap_or(QUANTUM).min(QUANTUM);
        self.until_look.set(until_look);
        self.steps.set(left - u64::from(until_look));
        self.check()
    }
}

/// Returns whether something holds for one of these, looked at until it does.
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

/// Returns whether something holds for all of these, looked at until it does not.
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

    /// Returns how many steps can be taken, of at most so many.
    fn steps(budget: &Budget, most: usize) -> (usize, Option<Interruption>) {
        let taken = (0..most).find_map(|taken| budget.step().err().map(|error| (taken, error)));
        taken.map_or((most, None), |(taken, error)| (taken, Some(error)))
    }

    #[test]
    fn work_without_a_limit_goes_on() {
        assert_eq!(steps(&Budget::unlimited(), 1_000_000), (1_000_000, None));
        assert!(Budget::unlimited().spend(usize::MAX).is_ok());
    }

    #[test]
    fn work_takes_the_steps_that_it_has() {
        for most in [0, 1, 1023, 1024, 1025, 5000] {
            let budget = Budget::unlimited().with_steps(most);
            assert_eq!(steps(&budget, 10_000), (most as usize, Some(Interruption::Steps)));
            assert_eq!(budget.step(), Err(Interruption::Steps), "it stays so");
        }
        let budget = Budget::unlimited().with_steps(5000);
        assert_eq!((budget.spend(4000), budget.spend(1001)), (Ok(()), Err(Interruption::Steps)));
        assert_eq!(budget.spend(1000), Ok(()));
    }

    #[test]
    fn work_ends_soon_after_its_deadline_or_when_it_is_cancelled() {
        let never = || false;
        let budget = Budget::until(Instant::now(), never);
        assert_eq!(budget.step(), Err(Interruption::Deadline));
        let cancel = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&cancel);
        let later = Instant::now() + Duration::from_secs(3600);
        let budget = Budget::until(later, move || seen.load(Ordering::Relaxed));
        assert_eq!(steps(&budget, 10_000), (10_000, None));
        cancel.store(true, Ordering::Relaxed);
        let (taken, why) = steps(&budget, 10_000);
        assert_eq!(why, Some(Interruption::Cancelled));
        assert!(taken <= QUANTUM as usize, "{taken}");
        assert_eq!(budget.with_steps(5).check(), Err(Interruption::Cancelled));
    }
}
