//! What IGNORECASE means in Python: a pattern's characters become lower case, and so does each character of
//! the text before it is compared. The mapping is Unicode's simple one (one character to one character).
//! A few lower-case letters are equal too because they share an upper-case one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::charset::{CharSet, assigned};
use crate::flags::PyVersion;

/// All letters with a case are below this. A test compares all code points with CPython.
const CASED_END: u32 = 0x1_f000;

/// Lower-case letters that match each other, by every version from 3.8.
const EQUAL: [&[u32]; 16] = [
    &[0x69, 0x131],
    &[0x73, 0x17f],
    &[0xb5, 0x3bc],
    &[0x345, 0x3b9, 0x1fbe],
    &[0x390, 0x1fd3],
    &[0x3b0, 0x1fe3],
    &[0x3b2, 0x3d0],
    &[0x3b5, 0x3f5],
    &[0x3b8, 0x3d1],
    &[0x3ba, 0x3f0],
    &[0x3c0, 0x3d6],
    &[0x3c1, 0x3f1],
    &[0x3c2, 0x3c3],
    &[0x3c6, 0x3d5],
    &[0x1e61, 0x1e9b],
    &[0xfb05, 0xfb06],
];

/// Those that came with 3.9: Cyrillic.
const EQUAL_SINCE_9: [&[u32]; 8] = [
    &[0x432, 0x1c80],
    &[0x434, 0x1c81],
    &[0x43e, 0x1c82],
    &[0x441, 0x1c83],
    &[0x442, 0x1c84, 0x1c85],
    &[0x44a, 0x1c86],
    &[0x463, 0x1c87],
    &[0x1c88, 0xa64b],
];

/// The mappings of one version. A letter that its Unicode lacks has none.
struct Table {
    /// Upper to lower, only where they differ.
    lower: BTreeMap<u32, u32>,
    /// Lower to all that map to it.
    upper: BTreeMap<u32, Vec<u32>>,
    /// A letter to all that are equal to it, itself among them.
    equal: BTreeMap<u32, &'static [u32]>,
}

fn build(version: PyVersion) -> Table {
    let assigned = assigned(version);
    let mut table = Table {
        lower: BTreeMap::new(),
        upper: BTreeMap::new(),
        equal: BTreeMap::new(),
    };
    for c in (0..CASED_END).filter_map(char::from_u32) {
        let code = u32::from(c);
        let lower = c.to_lowercase().next().map_or(code, u32::from);
        if lower != code && assigned.contains(code) && assigned.contains(lower) {
            table.lower.insert(code, lower);
            table.upper.entry(lower).or_default().push(code);
        }
    }
    let newer = if version.minor >= 9 {
        &EQUAL_SINCE_9[..]
    } else {
        &[]
    };
    for row in EQUAL.iter().chain(newer) {
        for &code in *row {
            table.equal.insert(code, row);
        }
    }
    table
}

fn table(version: PyVersion) -> &'static Table {
    static TABLES: [OnceLock<Table>; 6] = [const { OnceLock::new() }; 6];
    let minor = version.minor.clamp(PyVersion::MIN.minor, PyVersion::MAX.minor);
    TABLES[usize::from(minor - PyVersion::MIN.minor)].get_or_init(|| build(version))
}

/// How letters of different case compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// They differ.
    None,
    /// `A` to `Z` only.
    Ascii,
    Unicode(PyVersion),
}

impl Fold {
    pub(crate) fn lower(self, code: u32) -> u32 {
        match self {
            Fold::None => code,
            Fold::Ascii => match code {
                0x41..=0x5a => code + 32,
                _ => code,
            },
            Fold::Unicode(version) => table(version).lower.get(&code).copied().unwrap_or(code),
        }
    }

    /// All characters that a literal matches.
    pub(crate) fn closure(self, code: u32) -> CharSet {
        let lower = self.lower(code);
        let mut codes = vec![lower];
        match self {
            Fold::None => {}
            Fold::Ascii if (0x61..=0x7a).contains(&lower) => codes.push(lower - 32),
            Fold::Ascii => {}
            Fold::Unicode(version) => {
                let table = table(version);
                codes.extend(table.equal.get(&lower).copied().unwrap_or_default());
                let upper: Vec<u32> = codes
                    .iter()
                    .filter_map(|code| table.upper.get(code))
                    .flatten()
                    .copied()
                    .collect();
                codes.extend(upper);
            }
        }
        CharSet::new(codes.into_iter().map(|code| (code, code)).collect())
    }

    /// All characters that a class matches which holds these ranges and these categories.
    pub(crate) fn class(self, ranges: &[(u32, u32)], categories: Vec<(u32, u32)>) -> CharSet {
        if self == Fold::None {
            return CharSet::new([ranges, &categories].concat());
        }
        let given = CharSet::new(ranges.to_vec());
        let mut tested = [ranges, &categories].concat();
        let lower_of = |code| self.lower(code);
        let pairs = self.pairs();
        for &(upper, _) in &pairs {
            if given.contains(upper) {
                tested.push((lower_of(upper), lower_of(upper)));
            }
        }
        if let Fold::Unicode(version) = self {
            let table = table(version);
            for (code, row) in &table.equal {
                // Only what the pattern spells has equals: a category is tested as it is.
                let mut uppers = table.upper.get(code).into_iter().flatten();
                if given.contains(*code) || uppers.any(|&upper| given.contains(upper)) {
                    tested.extend(row.iter().map(|&code| (code, code)));
                }
            }
        }
        let tested = CharSet::new(tested);
        let mut matched = Vec::new();
        let mut removed = Vec::new();
        for &(upper, lower) in &pairs {
            let list = if tested.contains(lower) {
                &mut matched
            } else {
                &mut removed
            };
            list.push((upper, upper));
        }
        let removed = CharSet::new(removed);
        let kept = tested.common(&removed.negated());
        matched.extend(kept);
        CharSet::new(matched)
    }

    /// (upper, lower) for all that differ.
    fn pairs(self) -> Vec<(u32, u32)> {
        match self {
            Fold::None => Vec::new(),
            Fold::Ascii => (0x41..=0x5a).map(|code| (code, code + 32)).collect(),
            Fold::Unicode(version) => table(version).lower.iter().map(|(&u, &l)| (u, l)).collect(),
        }
    }

    /// True when a range holds a letter beyond the basic plane that has another case. Python's classes
    /// treat those in a way of their own.
    pub(crate) fn is_odd(self, low: u32, high: u32) -> bool {
        let Fold::Unicode(version) = self else {
            return false;
        };
        if high <= 0xffff {
            return false;
        }
        let from = low.max(0x1_0000);
        let table = table(version);
        table.lower.range(from..=high).next().is_some() || table.upper.range(from..=high).next().is_some()
    }
}
