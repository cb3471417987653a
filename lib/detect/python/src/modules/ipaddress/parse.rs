//! Addresses, prefixes and masks as text. The rules are those of CPython's `ipaddress`, for in many small points they
//! are stricter or laxer than those of others.

use crate::program::PyVersion;

/// Why a text is no IPv4 address; the octet where one is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum V4Error<'t> {
    Empty,
    NotFour,
    EmptyOctet,
    NoDigits(&'t str),
    Long(&'t str),
    LeadingZero(&'t str),
    Large(u32),
    /// Decided by a patch release that nobody uses any more.
    Unsure,
}

/// Reads an IPv4 address: four decimal octets.
pub(crate) fn v4(version: PyVersion, text: &str) -> Result<u32, V4Error<'_>> {
    if text.is_empty() {
        return Err(V4Error::Empty);
    }
    if text.bytes().filter(|byte| *byte == b'.').count() != 3 {
        return Err(V4Error::NotFour);
    }
    text.split('.')
        .try_fold(0, |sum, part| Ok(sum << 8 | octet(version, part)?))
}

fn octet(version: PyVersion, part: &str) -> Result<u32, V4Error<'_>> {
    if part.is_empty() {
        return Err(V4Error::EmptyOctet);
    }
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(V4Error::NoDigits(part));
    }
    if part.len() > 3 {
        return Err(V4Error::Long(part));
    }
    if part.len() > 1 && part.starts_with('0') {
        let refused = match version.minor {
            ..=7 => false,
            8 => version.patch >= 12,
            9 => version.patch >= 5,
            _ => true,
        };
        return Err(if refused {
            V4Error::LeadingZero(part)
        } else {
            V4Error::Unsure
        });
    }
    let number = part
        .bytes()
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    if number > 255 {
        return Err(V4Error::Large(number));
    }
    Ok(number)
}

/// Why a text is no IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum V6Error<'t> {
    Empty,
    FewParts,
    V4(V4Error<'t>, &'t str),
    ManyColons,
    TwoGaps,
    LeadingColon,
    TrailingColon,
    ManyWithGap,
    NotEight,
    NoHex(&'t str),
    Long(&'t str),
}

/// An address has 8 parts of 16 bits; a gap at either end makes one more colon.
const PARTS_MAX: usize = 9;

/// The parts between colons; those of a dotted end are counted in `tail`.
struct Parts<'t> {
    texts: [&'t str; PARTS_MAX],
    count: usize,
    tail: usize,
    low: u32,
}

impl<'t> Parts<'t> {
    fn of(version: PyVersion, text: &'t str) -> Result<Self, V6Error<'t>> {
        let mut parts = Self {
            texts: [""; PARTS_MAX],
            count: 0,
            tail: 0,
            low: 0,
        };
        let all = text.bytes().filter(|byte| *byte == b':').count() + 1;
        if all < 3 {
            return Err(V6Error::FewParts);
        }
        let last = text.rsplit(':').next().unwrap_or_default();
        if last.contains('.') {
            parts.low = v4(version, last).map_err(|error| V6Error::V4(error, last))?;
            parts.tail = 2;
        }
        let texts = if parts.tail == 0 { all } else { all - 1 };
        if texts + parts.tail > PARTS_MAX {
            return Err(V6Error::ManyColons);
        }
        for (place, part) in parts.texts.iter_mut().zip(text.split(':').take(texts)) {
            *place = part;
        }
        parts.count = texts;
        Ok(parts)
    }

    fn total(&self) -> usize {
        self.count + self.tail
    }

    fn is_empty(&self, place: usize) -> bool {
        place < self.count && self.texts.get(place).is_some_and(|text| text.is_empty())
    }

    fn word(&self, place: usize) -> Result<u128, V6Error<'t>> {
        if place >= self.count {
            let word = if place == self.count {
                self.low >> 16
            } else {
                self.low & 0xffff
            };
            return Ok(u128::from(word));
        }
        let text = self.texts.get(place).copied().unwrap_or_default();
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(V6Error::NoHex(text));
        }
        if text.len() > 4 {
            return Err(V6Error::Long(text));
        }
        Ok(u128::from(u16::from_str_radix(text, 16).unwrap_or(0)))
    }
}

/// Reads an IPv6 address without scope.
pub(crate) fn v6(version: PyVersion, text: &str) -> Result<u128, V6Error<'_>> {
    if text.is_empty() {
        return Err(V6Error::Empty);
    }
    let parts = Parts::of(version, text)?;
    let total = parts.total();
    let mut gap = None;
    for place in 1..total - 1 {
        if parts.is_empty(place) {
            if gap.is_some() {
                return Err(V6Error::TwoGaps);
            }
            gap = Some(place);
        }
    }
    let (first, last) = (parts.is_empty(0), parts.is_empty(total - 1));
    let (mut high, mut low) = match gap {
        Some(gap) => (gap, total - gap - 1),
        None if total != 8 => return Err(V6Error::NotEight),
        None => (8, 0),
    };
    if first {
        high -= 1;
        if gap.is_none() || high > 0 {
            return Err(V6Error::LeadingColon);
        }
    }
    if last {
        if gap.is_none() || low > 1 {
            return Err(V6Error::TrailingColon);
        }
        low = 0;
    }
    if gap.is_some() && high + low > 7 {
        return Err(V6Error::ManyWithGap);
    }
    let mut bits = 0;
    for place in 0..high {
        bits = bits << 16 | parts.word(place)?;
    }
    if gap.is_some() {
        bits = bits.checked_shl(16 * (8 - high - low) as u32).unwrap_or(0);
    }
    for place in total - low..total {
        bits = bits << 16 | parts.word(place)?;
    }
    Ok(bits)
}

/// What C's `inet_aton` reads: one to four numbers, the last of which fills what is left, each decimal, octal after
/// `0` or hexadecimal after `0x`; anything may follow after white space.
pub(crate) fn inet_aton(text: &str) -> Option<u32> {
    if text.contains('\0') {
        return None;
    }
    let mut rest = text.as_bytes();
    let mut high: u32 = 0;
    let mut count = 0;
    loop {
        let (number, after) = number(rest)?;
        if let Some((b'.', after)) = after.split_first() {
            if count == 3 || number > 0xff {
                return None;
            }
            high |= number << (24 - 8 * count);
            count += 1;
            rest = after;
            continue;
        }
        if !matches!(after.first(), None | Some(b' ' | b'\t'..=b'\r')) {
            return None;
        }
        return (number <= u32::MAX >> (8 * count)).then_some(high | number);
    }
}

fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    let hex_after = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] if hex_after(rest.first()) => (16, rest),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let end = digits
        .iter()
        .position(|byte| !char::from(*byte).is_digit(radix))
        .unwrap_or(digits.len());
    let (digits, after) = digits.split_at(end);
    let number = digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        sum.checked_mul(radix)?.checked_add(digit)
    })?;
    Some((number, after))
}

/// A prefix length in decimal, as far as it is one and not too long.
pub(crate) fn prefix(text: &str, max: u8) -> Option<u8> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok().filter(|length| *length <= max)
}

/// The prefix length of an IPv4 netmask or, failing that, hostmask.
pub(crate) fn mask_prefix(mask: u32) -> Option<u8> {
    let as_netmask =
        |mask: u32| (mask.leading_ones() + mask.trailing_zeros() >= 32).then(|| mask.leading_ones() as u8);
    as_netmask(mask).or_else(|| as_netmask(!mask))
}

/// The network mask of a prefix length.
pub(crate) const fn mask4(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
}

/// The network mask of a prefix length.
pub(crate) const fn mask6(prefix: u8) -> u128 {
    if prefix == 0 {
        0
    } else {
        u128::MAX << (128 - prefix)
    }
}
