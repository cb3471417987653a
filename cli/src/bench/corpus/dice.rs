/// Numbers that look random and are the same for the same seed on every machine: `SplitMix64` (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(in crate::bench) struct Dice {
    state: u64,
}

impl Dice {
    pub(in crate::bench) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub(in crate::bench) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `count`, all alike; 0 when there is nothing to choose from.
    pub(in crate::bench) fn below(&mut self, count: u64) -> u64 {
        // The high half of a product: no division, and a bias too small to matter here.
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }

    /// Below `count`, the small ones far likelier: the density falls with the square root.
    pub(in crate::bench) fn skewed(&mut self, count: u64) -> u64 {
        let first = self.below(count.max(1));
        self.below(first + 1)
    }

    /// True in so many of a thousand throws.
    pub(in crate::bench) fn per_mille(&mut self, share: u64) -> bool {
        self.below(1_000) < share
    }

    /// One of them; `None` of none.
    pub(in crate::bench) fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        // The first outputs for seed 1234567 as listed with the reference implementation.
        let mut dice = Dice::new(1_234_567);
        assert_eq!(dice.next(), 6_457_827_717_110_365_317);
        assert_eq!(dice.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn skewed_numbers_stay_below_the_bound_and_favour_small_ones() {
        let mut dice = Dice::new(1);
        let thrown: Vec<u64> = (0..10_000).map(|_| dice.skewed(100)).collect();
        assert!(thrown.iter().all(|number| *number < 100));
        let small = thrown.iter().filter(|number| **number < 25).count();
        assert!((5_000..7_000).contains(&small), "{small}");
    }
}
