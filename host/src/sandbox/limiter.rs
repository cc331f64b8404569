//! Limits on the memories and tables of a store.
//!
//! wasmtime's `StoreLimits` limits each memory separately, but a component can have several.
//! [`Limiter`] limits the sum. It also records the first denied growth, because the trap that
//! follows a denied growth does not name the cause.

use wasmtime::ResourceLimiter;

use super::failure;

/// Maximum number of table elements, summed over all tables of a store. A JavaScript engine
/// compiled to wasm has 8,000.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Maximum number of core instances. A Python component has up to 38.
pub(super) const MAX_INSTANCES: usize = 100;
pub(super) const MAX_TABLES: usize = 100;
pub(super) const MAX_MEMORIES: usize = 16;

/// The first growth request that was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrowthDenied {
    /// Memory over the limit.
    Memory,
    /// Table elements over the limit.
    Table,
}

/// Counts and limits the memory and table elements of a store.
pub(super) struct Limiter {
    max_memory: usize,
    memory: usize,
    peak_memory: usize,
    table_elements: usize,
    denied_growth: Option<GrowthDenied>,
}

impl Limiter {
    /// Returns a limiter for one store with at most `max_memory` bytes of memory.
    pub(super) fn new(max_memory: u64) -> Self {
        Self {
            max_memory: usize::try_from(max_memory).unwrap_or(usize::MAX),
            memory: 0,
            peak_memory: 0,
            table_elements: 0,
            denied_growth: None,
        }
    }

    /// Returns the peak memory use, in bytes.
    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory as u64
    }

    /// Returns the first denied growth.
    pub(super) fn denied_growth(&self) -> Option<GrowthDenied> {
        self.denied_growth
    }

    fn deny(&mut self, growth: GrowthDenied) -> bool {
        self.denied_growth.get_or_insert(growth);
        false
    }
}

/// Returns the new sum if one part of `sum` grows from `current` to `desired`, or `None` if the new
/// sum exceeds `max`.
fn grown(sum: usize, current: usize, desired: usize, max: usize) -> Option<usize> {
    let total = sum.saturating_sub(current).checked_add(desired)?;
    (total <= max).then_some(total)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The growth exceeds the memory's own maximum, so the engine denies it.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(match grown(self.memory, current, desired, self.max_memory) {
            Some(total) => {
                self.memory = total;
                self.peak_memory = self.peak_memory.max(total);
                true
            }
            None => self.deny(GrowthDenied::Memory),
        })
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // If the host is out of memory, the execution ends: the guest cannot handle that.
        if failure::shortage(&error).is_some() { Err(error) } else { Ok(()) }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A table of a pool has at most the limit as its maximum, so a growth over the limit is
        // recorded whatever the maximum is.
        if desired <= MAX_TABLE_ELEMENTS && maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(match grown(self.table_elements, current, desired, MAX_TABLE_ELEMENTS) {
            Some(total) => {
                self.table_elements = total;
                true
            }
            None => self.deny(GrowthDenied::Table),
        })
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limit_applies_to_the_sum_of_memories() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 41, None).unwrap(), "a second memory");
        assert_eq!(limiter.denied_growth(), Some(GrowthDenied::Memory));
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.peak_memory(), 100);
    }

    #[test]
    fn growth_over_the_maximum_of_a_memory_is_not_recorded_as_denied() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.memory_growing(10, 60, Some(50)).unwrap());
        assert_eq!((limiter.denied_growth(), limiter.peak_memory()), (None, 0));
    }

    #[test]
    fn table_limit_applies_to_the_sum_of_tables() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.denied_growth(), Some(GrowthDenied::Table));
    }

    #[test]
    fn only_a_growth_within_the_limit_can_exceed_the_maximum_of_a_table() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.table_growing(0, 6, Some(5)).unwrap());
        assert_eq!(limiter.denied_growth(), None);
        assert!(!limiter.table_growing(0, MAX_TABLE_ELEMENTS + 1, Some(5)).unwrap());
        assert_eq!(limiter.denied_growth(), Some(GrowthDenied::Table));
    }
}
