//! The minimum and the maximum of many values.

use std::borrow::Borrow;

/// The minimum and the maximum of the added values, or `None` before the first value.
#[derive(Debug)]
pub(crate) struct Extremes<T>(Option<(T, T)>);

impl<T> Default for Extremes<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Extremes<T> {
    /// Adds a value, and copies the value only if it is a new extreme.
    pub(crate) fn add<V>(&mut self, value: &V)
    where
        V: PartialOrd + ToOwned<Owned = T> + ?Sized,
        T: Borrow<V>,
    {
        match &mut self.0 {
            None => self.0 = Some((value.to_owned(), value.to_owned())),
            Some((min, _)) if *value < *(*min).borrow() => *min = value.to_owned(),
            Some((_, max)) if *value > *(*max).borrow() => *max = value.to_owned(),
            Some(_) => {}
        }
    }

    /// Returns the minimum and the maximum, both converted by `f`.
    pub(crate) fn map<U>(&self, f: impl Fn(&T) -> U) -> (Option<U>, Option<U>) {
        let extremes = self.0.as_ref();
        (extremes.map(|(min, _)| f(min)), extremes.map(|(_, max)| f(max)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_and_the_maximum_are_returned() {
        let mut extremes = Extremes::<String>::default();
        assert_eq!(extremes.map(String::clone), (None, None));
        for text in ["m", "z", "a", "k"] {
            extremes.add(text);
        }
        assert_eq!(extremes.map(String::clone), (Some("a".to_owned()), Some("z".to_owned())));
    }

    #[test]
    fn integers_are_compared_exactly() {
        let mut extremes = Extremes::default();
        for number in [9_007_199_254_740_993_i128, 9_007_199_254_740_992, u64::MAX.into()] {
            extremes.add(&number);
        }
        assert_eq!(extremes.map(|n| *n), (Some(9_007_199_254_740_992), Some(u64::MAX.into())));
    }
}
