//! Counts the occurrences of each value, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;

/// The maximum number of distinct values of one column.
pub(crate) const MAX_DISTINCT: usize = 100_000;
/// The memory of a value in bytes, in addition to its text: the entry and the growth of the map.
const ENTRY_BYTES: usize = 64;

/// The remaining memory for the values of all columns, in bytes.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes the memory of `text`. Takes nothing and returns false if the budget is too small.
    fn take(&mut self, text: &str) -> bool {
        let remaining = self.0.checked_sub(ENTRY_BYTES + text.len());
        self.0 = remaining.unwrap_or(self.0);
        remaining.is_some()
    }
}

/// The number of occurrences of each value. New values beyond the limits are ignored.
#[derive(Debug, Default)]
pub(crate) struct Frequencies {
    counts: HashMap<Box<str>, u64>,
    has_overflowed: bool,
}

impl Frequencies {
    /// Counts a value. A new value takes memory from `budget`.
    pub(crate) fn add(&mut self, value: &str, budget: &mut Budget) {
        if let Some(count) = self.counts.get_mut(value) {
            *count += 1;
        } else if self.counts.len() < MAX_DISTINCT && budget.take(value) {
            self.counts.insert(value.into(), 1);
        } else {
            self.has_overflowed = true;
        }
    }

    /// Returns the number of distinct values that are counted.
    pub(crate) fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// Returns whether every value has been counted.
    pub(crate) fn is_exact(&self) -> bool {
        !self.has_overflowed
    }

    /// Returns the `top` most frequent values. Values of equal frequency are in alphabetical order.
    pub(crate) fn most_frequent(&self, top: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(value, count)| (&**value, *count)).collect();
        all.sort_unstable_by_key(|&(value, count)| (Reverse(count), value));
        all.truncate(top);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sorted_by_frequency_then_alphabet() {
        let (mut frequencies, mut budget) = (Frequencies::default(), Budget::new(1 << 20));
        for value in ["b", "c", "a", "c"] {
            frequencies.add(value, &mut budget);
        }
        assert_eq!(frequencies.most_frequent(2), [("c", 2), ("a", 1)]);
        assert_eq!((frequencies.distinct(), frequencies.is_exact()), (3, true));
    }

    #[test]
    fn columns_share_a_budget_and_known_values_are_still_counted() {
        let mut budget = Budget::new(2 * (ENTRY_BYTES + 1));
        let (mut first, mut second) = (Frequencies::default(), Frequencies::default());
        first.add("a", &mut budget);
        second.add("long", &mut budget);
        second.add("b", &mut budget);
        first.add("c", &mut budget);
        first.add("a", &mut budget);
        assert_eq!(first.most_frequent(5), [("a", 2)]);
        assert_eq!(second.most_frequent(5), [("b", 1)]);
        assert!(!first.is_exact() && !second.is_exact());
    }

    #[test]
    fn distinct_values_of_a_column_are_limited() {
        let (mut frequencies, mut budget) = (Frequencies::default(), Budget::new(1 << 30));
        (0..MAX_DISTINCT).for_each(|n| frequencies.add(&n.to_string(), &mut budget));
        assert!(frequencies.is_exact());
        frequencies.add("one more", &mut budget);
        assert_eq!((frequencies.distinct(), frequencies.is_exact()), (MAX_DISTINCT, false));
    }
}
