//! The bounds on what one instance may hold.
//!
//! wasmtime's own `StoreLimits` bounds each memory by itself; a component has many. This
//! one bounds the sum, and remembers what it refused: the trap that follows a refused
//! growth looks like any other.

use wasmtime::ResourceLimiter;

use super::failure;

/// Table elements, summed over all tables of an instance. A JavaScript engine compiled to
/// wasm has 8,000.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Core instances in a component. A Python component has up to 38.
const MAX_INSTANCES: usize = 100;
pub(super) const MAX_TABLES: usize = 100;
pub(super) const MAX_MEMORIES: usize = 16;

/// What was refused first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrowthDenied {
    /// Memory over the bound.
    Memory,
    /// Table elements over the bound.
    Table,
}

/// Counts what an instance holds.
pub(super) struct Limiter {
    memory_bound: usize,
    memory: usize,
    memory_peak: usize,
    table_elements: usize,
    refused: Option<GrowthDenied>,
}

impl Limiter {
    /// Returns a limiter for one store, of at most `memory` bytes.
    pub(super) fn new(memory: u64) -> Self {
        Self {
            memory_bound: usize::try_from(memory).unwrap_or(usize::MAX),
            memory: 0,
            memory_peak: 0,
            table_elements: 0,
            refused: None,
        }
    }

    /// Returns the most memory that was held at once, in bytes.
    pub(super) fn memory_peak(&self) -> u64 {
        self.memory_peak as u64
    }

    /// Returns what was refused, if anything was.
    pub(super) fn denied_growth(&self) -> Option<GrowthDenied> {
        self.refused
    }

    fn refuse(&mut self, what: GrowthDenied) -> bool {
        self.refused.get_or_insert(what);
        false
    }
}

/// Returns `held` after one part of it grew, if that stays within `bound`.
fn grown(held: usize, current: usize, desired: usize, bound: usize) -> Option<usize> {
    let total = held.saturating_sub(current).checked_add(desired)?;
    (total <= bound).then_some(total)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Over the memory's own maximum: the engine refuses, and nothing was allocated.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(match grown(self.memory, current, desired, self.memory_bound) {
            Some(total) => {
                self.memory = total;
                self.memory_peak = self.memory_peak.max(total);
                true
            }
            None => self.refuse(GrowthDenied::Memory),
        })
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // What the host has no memory for is not the guest's to deal with.
        if failure::shortage(&error).is_some() { Err(error) } else { Ok(()) }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(match grown(self.table_elements, current, desired, MAX_TABLE_ELEMENTS) {
            Some(total) => {
                self.table_elements = total;
                true
            }
            None => self.refuse(GrowthDenied::Table),
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
    fn memories_are_summed() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 41, None).unwrap(), "a second memory");
        assert_eq!(limiter.denied_growth(), Some(GrowthDenied::Memory));
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.memory_peak(), 100);
    }

    #[test]
    fn growth_over_a_memory_s_own_maximum_is_not_our_refusal() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.memory_growing(10, 60, Some(50)).unwrap());
        assert_eq!((limiter.denied_growth(), limiter.memory_peak()), (None, 0));
    }

    #[test]
    fn tables_are_summed() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.denied_growth(), Some(GrowthDenied::Table));
    }
}
