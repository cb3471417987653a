//! Finding the end of a JSON text, eight bytes at a time in plain integer arithmetic.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const QUOTES: u64 = ONES * b'"' as u64;
const BACKSLASHES: u64 = ONES * b'\\' as u64;
const SPACES: u64 = ONES * 0x20;

/// Marks zero bytes with their high bit. Only the lowest mark is certain: a borrow can make false ones above.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Index of the first quote, backslash or control character at or after `at`; the length when there is none.
#[inline(always)]
pub(crate) fn text_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let marks =
            zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES) | word.wrapping_sub(SPACES) & !word & HIGHS;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

/// How many of the eight bytes come before the first backslash; eight when there is none.
#[inline(always)]
pub(crate) const fn first_backslash(word: u64) -> usize {
    (zeros(word ^ BACKSLASHES).trailing_zeros() / 8) as usize
}
