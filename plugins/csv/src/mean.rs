//! The mean of many numbers.

/// The mean of the added numbers, with Neumaier's compensated summation.
///
/// A plain sum would lose small numbers, so the rounding errors are summed separately.
#[derive(Debug, Default)]
pub(crate) struct Mean {
    sum: f64,
    compensation: f64,
    count: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        self.compensation += if self.sum.abs() >= number.abs() {
            (self.sum - sum) + number
        } else {
            (number - sum) + self.sum
        };
        self.sum = sum;
        self.count += 1;
    }

    /// Returns the mean, or `None` if there are no numbers or the sum overflows.
    pub(crate) fn get(&self) -> Option<f64> {
        let mean = (self.sum + self.compensation) / self.count as f64;
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
    fn small_numbers_are_not_lost_in_a_large_sum() {
        assert_eq!(mean([1e16, 1.0, 1.0, -1e16]), Some(0.5));
        assert_eq!(mean([1.0, 1e100, 1.0, -1e100]), Some(0.5));
    }

    #[test]
    fn rounding_errors_do_not_accumulate() {
        assert_eq!(mean(std::iter::repeat_n(0.1, 1_000_000)), Some(0.1));
    }

    #[test]
    fn an_empty_or_overflowing_sum_has_no_mean() {
        assert_eq!(mean([]), None);
        assert_eq!(mean([f64::MAX, f64::MAX]), None);
    }
}
