//! How often each value occurs, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;

/// The most different values that are kept of one column.
pub(crate) const MAX_DISTINCT: usize = 100_000;
/// What a value costs besides its text: its entry, and the growth of the table it stands in.
const ENTRY: usize = 64;

/// The memory, in bytes, that all columns together may use for their values.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes the cost of keeping `text`; returns false, and takes nothing, where too little
    /// is left.
    fn take(&mut self, text: &str) -> bool {
        let left = self.0.checked_sub(ENTRY + text.len());
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// How often each value occurs. Beyond the bounds, values that are new are no longer kept.
#[derive(Debug, Default)]
pub(crate) struct Frequencies {
    counts: HashMap<Box<str>, u64>,
    overflown: bool,
}

impl Frequencies {
    /// Counts a value; a new one is paid for from `budget`.
    pub(crate) fn add(&mut self, value: &str, budget: &mut Budget) {
        if let Some(count) = self.counts.get_mut(value) {
            *count += 1;
        } else if self.counts.len() < MAX_DISTINCT && budget.take(value) {
            self.counts.insert(value.into(), 1);
        } else {
            self.overflown = true;
        }
    }

    /// How many different values are kept.
    pub(crate) fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// Whether every value was kept.
    pub(crate) fn is_exact(&self) -> bool {
        !self.overflown
    }

    /// Returns the `top` most frequent values; of equally frequent ones the first by alphabet.
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
    fn the_most_frequent_come_first_then_by_alphabet() {
        let (mut frequencies, mut budget) = (Frequencies::default(), Budget::new(1 << 20));
        for value in ["b", "c", "a", "c"] {
            frequencies.add(value, &mut budget);
        }
        assert_eq!(frequencies.most_frequent(2), [("c", 2), ("a", 1)]);
        assert_eq!((frequencies.distinct(), frequencies.is_exact()), (3, true));
    }

    #[test]
    fn columns_share_a_budget_and_known_values_stay_counted() {
        let mut budget = Budget::new(2 * (ENTRY + 1));
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
    fn a_column_keeps_so_many_and_no_more() {
        let (mut frequencies, mut budget) = (Frequencies::default(), Budget::new(1 << 30));
        (0..MAX_DISTINCT).for_each(|n| frequencies.add(&n.to_string(), &mut budget));
        assert!(frequencies.is_exact());
        frequencies.add("one more", &mut budget);
        assert_eq!((frequencies.distinct(), frequencies.is_exact()), (MAX_DISTINCT, false));
    }
}
