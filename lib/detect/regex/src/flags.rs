//! Flags of a pattern and the version of Python whose rules hold.

use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// Flags of `re`, with the numbers that Python gives them (`int(re.I)` is 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// `re.TEMPLATE`, gone since Python 3.13. No pattern with it is translated.
    pub const TEMPLATE: Flags = Flags(1);
    /// `re.IGNORECASE`.
    pub const IGNORECASE: Flags = Flags(2);
    /// `re.LOCALE`, an error for every `str` pattern.
    pub const LOCALE: Flags = Flags(4);
    /// `re.MULTILINE`.
    pub const MULTILINE: Flags = Flags(8);
    /// `re.DOTALL`.
    pub const DOTALL: Flags = Flags(16);
    /// `re.UNICODE`, the default of a `str` pattern.
    pub const UNICODE: Flags = Flags(32);
    /// `re.VERBOSE`.
    pub const VERBOSE: Flags = Flags(64);
    /// `re.DEBUG`, which prints. No pattern with it is translated.
    pub const DEBUG: Flags = Flags(128);
    /// `re.ASCII`.
    pub const ASCII: Flags = Flags(256);

    /// The flags that choose an alphabet. At most one of them may hold.
    pub(crate) const ALPHABET: Flags = Flags(4 | 32 | 256);

    /// Flags by Python's number, as in `re.compile(p, 2 | 8)`. Bits without a name are kept.
    pub const fn from_bits(bits: u32) -> Flags {
        Flags(bits)
    }

    /// Python's number, as in `Pattern.flags`.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// True when any flag of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags within a group `(?add-del:...)`.
    pub(crate) fn scoped(self, add: Flags, del: Flags) -> Flags {
        let base = if add.has(Flags::ALPHABET) {
            self & !Flags::ALPHABET
        } else {
            self
        };
        (base | add) & !del
    }

    /// The flag that a letter stands for in `(?letters)`.
    pub(crate) fn of_letter(letter: char, version: PyVersion) -> Option<Flags> {
        Some(match letter {
            'i' => Flags::IGNORECASE,
            'L' => Flags::LOCALE,
            'm' => Flags::MULTILINE,
            's' => Flags::DOTALL,
            'x' => Flags::VERBOSE,
            'a' => Flags::ASCII,
            'u' => Flags::UNICODE,
            't' if version.minor < 13 => Flags::TEMPLATE,
            _ => return None,
        })
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl BitAnd for Flags {
    type Output = Flags;
    fn bitand(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Flags;
    fn not(self) -> Flags {
        Flags(!self.0)
    }
}

/// A version of Python: 3.`minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PyVersion {
    /// 11 is Python 3.11.
    pub minor: u8,
}

impl PyVersion {
    /// The oldest version whose `re` this crate was compared with.
    pub const MIN: PyVersion = PyVersion { minor: 8 };
    /// The newest version whose `re` this crate was compared with.
    pub const MAX: PyVersion = PyVersion { minor: 13 };

    /// The version of Unicode that this Python's `str` follows, as `\p{Age=...}` spells it.
    pub(crate) fn unicode(self) -> &'static str {
        match self.minor {
            ..=8 => "12.1",
            9 | 10 => "13.0",
            11 => "14.0",
            12 => "15.0",
            _ => "15.1",
        }
    }
}
