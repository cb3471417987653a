/// Hash of an object key: decides quickly that two keys differ, and makes key-set hashes. It is the same in
/// every process and not meant to withstand an adversary; whoever finds equal hashes compares the bytes.
#[inline]
#[must_use]
pub fn key_hash(bytes: &[u8]) -> u32 {
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0xd6e8_feb8_6659_fd93;
    let len = bytes.len();
    let (mut a, b) = if len >= 8 {
        (word(bytes, 0), word(bytes, len - 8))
    } else if len >= 4 {
        (half(bytes, 0), half(bytes, len - 4))
    } else if len > 0 {
        (
            u64::from(bytes[0]) | u64::from(bytes[len / 2]) << 8,
            u64::from(bytes[len - 1]),
        )
    } else {
        (0, 0)
    };
    let mut at = 8;
    while at + 8 < len {
        a = fold(a ^ FIRST, word(bytes, at) ^ SECOND);
        at += 8;
    }
    let mixed = fold(a ^ FIRST, b ^ SECOND ^ (len as u64) << 32);
    (mixed ^ mixed >> 32) as u32
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    wide as u64 ^ (wide >> 64) as u64
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[inline]
fn half(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |chunk| u64::from(u32::from_le_bytes(*chunk)))
}
