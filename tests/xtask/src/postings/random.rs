//! A deterministic generator of numbers.

/// SplitMix64, by Steele, Lea and Flood: the same numbers for a seed on every machine.
#[derive(Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// Returns the generator with a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to `end - 1`. The bias is below `end` in 2^64.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Returns a number from `start` to `end - 1`.
    pub(super) fn between(&mut self, start: usize, end: usize) -> usize {
        start + self.below(end - start)
    }

    /// Returns true in `permille` of 1,000 calls.
    pub(super) fn chance(&mut self, permille: usize) -> bool {
        self.below(1_000) < permille
    }

    /// Returns a text, each with the same probability.
    ///
    /// # Panics
    ///
    /// Panics if there are no texts.
    pub(super) fn pick(&mut self, texts: &[&'static str]) -> &'static str {
        texts[self.below(texts.len())]
    }

    /// Returns an item with the probability of its weight.
    ///
    /// # Panics
    ///
    /// Panics if the sum of the weights is zero.
    pub(super) fn weighted<'a, T>(
        &mut self,
        items: &'a [T],
        weight: impl Fn(&T) -> usize,
    ) -> &'a T {
        let mut rest = self.below(items.iter().map(&weight).sum());
        let found = items.iter().find(|item| {
            let is_found = rest < weight(item);
            rest = rest.saturating_sub(weight(item));
            is_found
        });
        found.expect("the number is below the sum of the weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference_implementation() {
        let mut random = Random::new(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn weights_are_probabilities() {
        let mut random = Random::new(1);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[*random.weighted(&[0, 1, 2], |item| [70, 0, 30][*item])] += 1;
        }
        assert!((6_800..7_200).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
    }
}
