//! Hashes of plain values, as keys of dictionaries and sets: one function for constants (hashed when compiling) and
//! for objects (hashed while running). Equal values of different classes (`1`, `1.0`, `True`) hash equal.
//!
//! Not CPython's hashes, the same in every process, and not meant to withstand an adversary: whoever searches among
//! equal hashes pays fuel for each comparison.

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;
/// The prime that large numbers are reduced by, so that an `int` and the `float` equal to it meet.
const PRIME: u64 = (1 << 61) - 1;

/// Hash of a `str`.
#[inline]
#[must_use]
pub fn hash_str(text: &str) -> u64 {
    bytes(text.as_bytes(), FIRST)
}

/// Hash of `bytes`.
#[inline]
#[must_use]
pub fn hash_bytes(data: &[u8]) -> u64 {
    bytes(data, SECOND)
}

/// Hash of an `int` of 64 bits, and of a `bool` as 0 or 1.
#[inline]
#[must_use]
pub const fn hash_int(number: i64) -> u64 {
    fold(number as u64 ^ FIRST, SECOND)
}

/// Hash of a larger `int`, laid out as [`crate::obj::Big`].
#[must_use]
pub fn hash_big(digits: &[u32]) -> u64 {
    let Some((sign, magnitude)) = digits.split_first() else {
        return hash_int(0);
    };
    let reduced = magnitude.iter().rev().fold(0_u64, |sum, digit| {
        let wide = u128::from(sum) << 32 | u128::from(*digit);
        (wide % u128::from(PRIME)) as u64
    });
    large(*sign != 0, reduced)
}

/// Hash of a `float`. All NaNs hash alike; they are equal by identity alone.
#[must_use]
pub fn hash_float(number: f64) -> u64 {
    // 2^63 is exact as float; from there on a whole float equals a large int, below a small one.
    if number.trunc() == number && number.abs() < 9_223_372_036_854_775_808.0
        || number == -9_223_372_036_854_775_808.0
    {
        return hash_int(number as i64);
    }
    let bits = number.to_bits();
    if number.is_nan() {
        return fold(FIRST, SECOND ^ 1);
    }
    if number.is_infinite() || number.trunc() != number {
        return fold(bits ^ SECOND, FIRST);
    }
    let exponent = (bits >> 52 & 0x7ff) - 1075;
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let power = 1_u64 << (exponent % 61);
    let reduced = u128::from(mantissa) * u128::from(power) % u128::from(PRIME);
    large(number < 0.0, reduced as u64)
}

const fn large(negative: bool, reduced: u64) -> u64 {
    fold(reduced ^ FIRST, SECOND ^ if negative { 3 } else { 2 })
}

/// Hash of `None`, and of whatever there is one of, by its qualified name: built-in classes and functions.
#[must_use]
pub fn hash_name(module: &str, name: &str) -> u64 {
    fold(hash_str(module) ^ SECOND, hash_str(name))
}

/// Hash of what is equal to itself alone, by a number that nothing else of its kind has.
#[must_use]
pub const fn hash_identity(kind: u8, id: u64) -> u64 {
    fold(id ^ FIRST, SECOND ^ (kind as u64) << 8 ^ 5)
}

/// Hash of a `tuple` from its elements' hashes in order.
#[must_use]
pub fn hash_tuple(elements: impl IntoIterator<Item = u64>) -> u64 {
    let (hash, count) = elements
        .into_iter()
        .fold((FIRST, 0_u64), |(hash, count), element| {
            (fold(hash ^ FIRST, element ^ SECOND), count + 1)
        });
    fold(hash ^ SECOND, count ^ FIRST)
}

/// Hash of a `frozenset` from its elements' hashes in any order.
#[must_use]
pub fn hash_frozenset(elements: impl IntoIterator<Item = u64>) -> u64 {
    let (sum, count) = elements
        .into_iter()
        .fold((0_u64, 0_u64), |(sum, count), element| {
            (sum.wrapping_add(fold(element ^ FIRST, SECOND)), count + 1)
        });
    fold(sum ^ FIRST, count ^ SECOND)
}

#[inline]
fn bytes(data: &[u8], seed: u64) -> u64 {
    let len = data.len();
    let (mut a, b) = if len >= 8 {
        (word(data, 0), word(data, len - 8))
    } else if len >= 4 {
        (half(data, 0), half(data, len - 4))
    } else if let (Some(first), Some(middle), Some(last)) = (data.first(), data.get(len / 2), data.last()) {
        (u64::from(*first) | u64::from(*middle) << 8, u64::from(*last))
    } else {
        (0, 0)
    };
    let mut at = 8;
    while at + 8 < len {
        a = fold(a ^ seed, word(data, at) ^ SECOND);
        at += 8;
    }
    // Twice, since one multiplication leaves texts that differ in few bits close to each other.
    let mixed = fold(a ^ seed, b ^ SECOND ^ (len as u64) << 32);
    fold(mixed ^ SECOND, FIRST)
}

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let wide = a as u128 * b as u128;
    wide as u64 ^ (wide >> 64) as u64
}

#[inline]
fn word(data: &[u8], at: usize) -> u64 {
    data.get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[inline]
fn half(data: &[u8], at: usize) -> u64 {
    data.get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |chunk| u64::from(u32::from_le_bytes(*chunk)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn equal_numbers_of_different_classes_hash_equal() {
        for number in [0, 1, -1, 255, 1 << 52, -(1 << 52), i64::MIN] {
            assert_eq!(hash_float(number as f64), hash_int(number), "{number}");
        }
        assert_eq!(hash_float(-0.0), hash_int(0));
        // 2^63, 2^64, 2^100 and their negatives.
        for (float, digits) in [
            (2_f64.powi(63), vec![0, 0, 1 << 31]),
            (2_f64.powi(64), vec![0, 0, 0, 1]),
            (-2_f64.powi(64), vec![1, 0, 0, 1]),
            (2_f64.powi(100), vec![0, 0, 0, 0, 16]),
            (3.0 * 2_f64.powi(70), vec![0, 0, 0, 192]),
        ] {
            assert_eq!(hash_float(float), hash_big(&digits), "{float}");
        }
        assert_ne!(hash_float(2_f64.powi(64)), hash_float(-2_f64.powi(64)));
    }

    #[test]
    fn texts_hash_apart() {
        let mut seen = HashSet::new();
        for number in 0..20_000 {
            assert!(seen.insert(hash_str(&format!("{number}"))), "{number}");
            assert!(seen.insert(hash_str(&format!("a longer text {number} on both sides"))));
            assert!(seen.insert(hash_int(number)));
        }
        assert!(seen.insert(hash_str("")));
        assert!(seen.insert(hash_bytes(b"")));
    }

    #[test]
    fn a_tuple_has_an_order_and_a_frozenset_has_none() {
        let (a, b) = (hash_str("a"), hash_str("b"));
        assert_ne!(hash_tuple([a, b]), hash_tuple([b, a]));
        assert_eq!(hash_frozenset([a, b]), hash_frozenset([b, a]));
        assert_ne!(hash_tuple([]), hash_frozenset([]));
    }
}
