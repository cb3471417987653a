//! Sets of code points, and Python's categories as such sets.

use std::sync::{Arc, OnceLock};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use crate::ast::Category;
use crate::flags::PyVersion;

/// The last code point.
pub(crate) const LAST: u32 = 0x10_ffff;

/// A set of code points: sorted ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CharSet {
    ranges: Vec<(u32, u32)>,
    /// The members below 128, one bit each, since most text is ASCII.
    ascii: u128,
}

impl CharSet {
    pub(crate) fn new(mut ranges: Vec<(u32, u32)>) -> CharSet {
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        let mut ascii = 0;
        for &(low, high) in merged.iter().take_while(|(low, _)| *low < 128) {
            for code in low..=high.min(127) {
                ascii |= 1_u128 << code;
            }
        }
        CharSet {
            ranges: merged,
            ascii,
        }
    }

    pub(crate) fn negated(&self) -> CharSet {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut from = 0;
        for &(low, high) in &self.ranges {
            if low > from {
                ranges.push((from, low - 1));
            }
            from = high.saturating_add(1);
        }
        if from <= LAST {
            ranges.push((from, LAST));
        }
        CharSet::new(ranges)
    }

    pub(crate) fn contains(&self, code: u32) -> bool {
        if code < 128 {
            return self.ascii >> code & 1 == 1;
        }
        self.holds_beyond_ascii(code)
    }

    fn holds_beyond_ascii(&self, code: u32) -> bool {
        let after = self.ranges.partition_point(|(low, _)| *low <= code);
        after
            .checked_sub(1)
            .and_then(|at| self.ranges.get(at))
            .is_some_and(|(_, high)| code <= *high)
    }

    /// The ranges that both sets hold.
    pub(crate) fn common(&self, other: &CharSet) -> Vec<(u32, u32)> {
        let mut both = Vec::new();
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.ranges.get(i), other.ranges.get(j)) {
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            if low <= high {
                both.push((low, high));
            }
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        both
    }

    pub(crate) fn overlaps(&self, other: &CharSet) -> bool {
        !self.common(other).is_empty()
    }

    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// The set for the linear engine. Surrogates are left out: no `str` of Rust holds one.
    pub(crate) fn to_class(&self) -> ClassUnicode {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        for &(low, high) in &self.ranges {
            for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
                if let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high))
                    && low <= high
                {
                    ranges.push(ClassUnicodeRange::new(low, high));
                }
            }
        }
        ClassUnicode::new(ranges)
    }
}

/// The set that `syntax` stands for in the `regex` crate. Used with constants only.
fn of_syntax(syntax: &str) -> Vec<(u32, u32)> {
    let hir = regex_syntax::parse(syntax).expect("the syntax is a constant that a test compiles");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => class
            .ranges()
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
        _ => Vec::new(),
    }
}

/// The code points that this version's Unicode assigns.
pub(crate) fn assigned(version: PyVersion) -> &'static CharSet {
    static SETS: [OnceLock<CharSet>; 6] = [const { OnceLock::new() }; 6];
    let build = || CharSet::new(of_syntax(&format!(r"\p{{Age={}}}", version.unicode())));
    SETS[slot(version)].get_or_init(build)
}

fn slot(version: PyVersion) -> usize {
    usize::from(version.minor.clamp(PyVersion::MIN.minor, PyVersion::MAX.minor) - PyVersion::MIN.minor)
}

/// Python's category: `\w` is `str.isalnum()` and `_`, `\d` is `str.isdecimal()`, `\s` is `str.isspace()`.
/// In terms of general categories these are `L`, `N`; `Nd`; and a list that has not changed since Unicode 6.3.
pub(crate) fn category(category: Category, ascii: bool, version: PyVersion) -> Arc<CharSet> {
    if ascii {
        return Arc::new(CharSet::new(match category {
            Category::Digit => vec![(0x30, 0x39)],
            Category::Space => vec![(9, 13), (32, 32)],
            Category::Word => vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        }));
    }
    static DIGITS: [OnceLock<Arc<CharSet>>; 6] = [const { OnceLock::new() }; 6];
    static WORDS: [OnceLock<Arc<CharSet>>; 6] = [const { OnceLock::new() }; 6];
    let build = |class: &str| {
        let age = version.unicode();
        Arc::new(CharSet::new(of_syntax(&format!(r"[{class}&&\p{{Age={age}}}]"))))
    };
    match category {
        Category::Digit => DIGITS[slot(version)].get_or_init(|| build(r"\p{Nd}")).clone(),
        Category::Word => WORDS[slot(version)]
            .get_or_init(|| build(r"[\p{L}\p{N}_]"))
            .clone(),
        Category::Space => Arc::new(CharSet::new(vec![
            (0x9, 0xd),
            (0x1c, 0x20),
            (0x85, 0x85),
            (0xa0, 0xa0),
            (0x1680, 0x1680),
            (0x2000, 0x200a),
            (0x2028, 0x2029),
            (0x202f, 0x202f),
            (0x205f, 0x205f),
            (0x3000, 0x3000),
        ])),
    }
}
