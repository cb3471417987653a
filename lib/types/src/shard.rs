use crate::OutputName;

/// One of the N virtual shards that merge keys hash to. A merger owns it by the lease `merger/<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// One of the N slots that outputs hash to. A dispatcher owns it by the lease `dispatcher/<number>`, so that one node
/// alone paces an output and counts its failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u16);

impl SlotId {
    /// The slot of `output` in a deployment of `slots` slots. Mergers and dispatchers of all versions must agree:
    /// the first eight bytes of the name's BLAKE3 hash, little-endian, modulo `slots`.
    #[must_use]
    pub fn of(output: &OutputName, slots: u16) -> Self {
        let hash = blake3::hash(output.as_str().as_bytes());
        let head = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
        let slot = u64::from_le_bytes(*head) % u64::from(slots.max(1));
        Self(u16::try_from(slot).expect("a remainder of a u16 fits a u16"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_keep_the_slots_that_they_have_always_had() {
        let slot = |name: &str| SlotId::of(&name.parse().expect("a name"), 64).0;
        let slots = ["slack:soc", "pagerduty:page", "aws-firehose:alerts"].map(slot);
        assert_eq!(slots, [50, 50, 6]);
    }

    #[test]
    fn no_slots_count_as_one() {
        assert_eq!(SlotId::of(&OutputName::history(), 0), SlotId(0));
    }
}
