use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A hash map by ids, alike in every run: ids are hashes already, so one multiplication spreads them. Whoever wants ids
/// that collide here must search for them with BLAKE3, one for each bit of the map, and gains a longer look-up.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A hash set of ids; see [`IdMap`].
pub type IdSet<K> = HashSet<K, BuildHasherDefault<IdHasher>>;

/// Spreads the bits of an id.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdHasher(u64);

/// An odd number without pattern (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, bits: u64) {
        // Maps take the place from the low bits and a mark from the high ones. The product's low bits depend on few
        // of the id's, which those of one shard have in common; its middle ones on most.
        self.0 = (self.0 ^ bits).wrapping_mul(SPREAD).rotate_left(26);
    }

    fn write_u128(&mut self, bits: u128) {
        let [low, high] = [bits, bits >> 64].map(|half| (half & u128::from(u64::MAX)) as u64);
        self.write_u64(low ^ high);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::Hash;

    use super::*;
    use crate::{AlertId, RecordId};

    fn hash(id: AlertId) -> u64 {
        let mut hasher = IdHasher::default();
        id.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn ids_of_one_shard_are_spread_over_a_map() {
        let ids = (0..).map(|number| AlertId::new(RecordId::from_u128(number), "rule"));
        let of_shard = ids.filter(|id| id.as_u128() % 256 == 7).take(4_096);
        let (mut low, mut high) = (BTreeSet::new(), BTreeSet::new());
        for hash in of_shard.map(hash) {
            low.insert(hash & 0xfff);
            high.insert(hash >> 57);
        }
        // 4,096 balls into as many boxes leave 37 % empty.
        assert!((2_450..2_730).contains(&low.len()), "{}", low.len());
        assert_eq!(high.len(), 128);
    }

    #[test]
    fn small_numbers_do_not_collide_either() {
        let hashes: BTreeSet<u64> = (0..1_000).map(AlertId::from_u128).map(hash).collect();
        assert_eq!(hashes.len(), 1_000);
    }
}
