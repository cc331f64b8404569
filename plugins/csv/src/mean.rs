//! The mean of many numbers.

/// A mean that stays exact where a plain sum would lose the small numbers: what each
/// addition rounds away is summed up too (Neumaier).
#[derive(Debug, Default)]
pub(crate) struct Mean {
    sum: f64,
    lost: f64,
    count: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        self.lost += if self.sum.abs() >= number.abs() {
            (self.sum - sum) + number
        } else {
            (number - sum) + self.sum
        };
        self.sum = sum;
        self.count += 1;
    }

    /// Returns the mean; nothing where there are no numbers or their sum is too large.
    pub(crate) fn get(&self) -> Option<f64> {
        let mean = (self.sum + self.lost) / self.count as f64;
        mean.is_finite().then_some(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut mean = Mean::default();
        numbers.into_iter().for_each(|number| mean.add(number));
        mean.get()
    }

    #[test]
    fn small_numbers_beside_large_ones_count() {
        assert_eq!(mean([1e16, 1.0, 1.0, -1e16]), Some(0.5));
        assert_eq!(mean([1.0, 1e100, 1.0, -1e100]), Some(0.5));
    }

    #[test]
    fn many_additions_do_not_add_up_their_rounding() {
        assert_eq!(mean(std::iter::repeat_n(0.1, 1_000_000)), Some(0.1));
    }

    #[test]
    fn there_is_no_mean_of_nothing_or_beyond_what_a_number_holds() {
        assert_eq!(mean([]), None);
        assert_eq!(mean([f64::MAX, f64::MAX]), None);
    }
}
