//! String functions for constants, which can use neither iterators nor `==` on strings.

/// Returns whether two strings are equal.
pub(crate) const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut i = 0;
    while i < left.len() && i < right.len() && left[i] == right[i] {
        i += 1;
    }
    i == left.len() && i == right.len()
}

/// A set of at most `N` names, in order.
pub struct Names<const N: usize> {
    names: [&'static str; N],
    count: usize,
}

impl<const N: usize> Names<N> {
    /// Returns `names` in the same order, without duplicates.
    pub const fn distinct(mut names: [&'static str; N]) -> Self {
        let (mut count, mut i) = (0, 0);
        while i < N {
            let mut j = 0;
            while j < count && !equal(names[i], names[j]) {
                j += 1;
            }
            if j == count {
                names[count] = names[i];
                count += 1;
            }
            i += 1;
        }
        Self { names, count }
    }

    /// Returns the names.
    pub const fn as_slice(&self) -> &[&'static str] {
        self.names.split_at(self.count).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_compares_whole_strings() {
        assert!(equal("job", "job") && equal("", ""));
        assert!(!equal("job", "jobs") && !equal("jobs", "job") && !equal("job", "jab"));
    }

    #[test]
    fn distinct_keeps_the_first_occurrence_of_each_name() {
        const NAMES: Names<5> = Names::distinct(["b", "a", "b", "c", "a"]);
        assert_eq!(NAMES.as_slice(), ["b", "a", "c"]);
        assert_eq!(Names::distinct([]).as_slice(), [""; 0]);
    }
}
