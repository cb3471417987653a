//! The fuzzer's bytes as the choices of a grammar: whoever changes a byte changes one choice.

/// Choices from bytes; when they are used up, numbers that follow from all of them.
pub struct Random {
    bytes: std::vec::IntoIter<u8>,
    state: u64,
}

impl Random {
    /// Choices from these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let state = bytes.iter().fold(0, |state: u64, byte| {
            state.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte)
        });
        Self {
            bytes: bytes.to_vec().into_iter(),
            state,
        }
    }

    /// From 0, less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end.max(1);
        if let Some(byte) = self.bytes.next() {
            return usize::from(byte) % end;
        }
        // SplitMix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// True in `percent` of a hundred calls.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}
