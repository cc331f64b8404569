//! The least and the greatest of many values.

use std::borrow::Borrow;

/// The least and the greatest of what was added; nothing as long as nothing was.
#[derive(Debug)]
pub(crate) struct Extremes<T>(Option<(T, T)>);

impl<T> Default for Extremes<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Extremes<T> {
    /// Adds a value, which is copied only where it is a new extreme.
    pub(crate) fn add<V>(&mut self, value: &V)
    where
        V: PartialOrd + ToOwned<Owned = T> + ?Sized,
        T: Borrow<V>,
    {
        match &mut self.0 {
            None => self.0 = Some((value.to_owned(), value.to_owned())),
            Some((least, _)) if *value < *(*least).borrow() => *least = value.to_owned(),
            Some((_, greatest)) if *value > *(*greatest).borrow() => *greatest = value.to_owned(),
            Some(_) => {}
        }
    }

    /// Returns both, each as `show` makes it.
    pub(crate) fn map<U>(&self, show: impl Fn(&T) -> U) -> (Option<U>, Option<U>) {
        let both = self.0.as_ref();
        (both.map(|(least, _)| show(least)), both.map(|(_, greatest)| show(greatest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_and_the_greatest_are_kept() {
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
