//! Which patterns a backtracking engine may work on without end: a repeated group whose body can be taken apart in
//! more than one way. Conservative: a pattern that this cannot read is not complained of.

/// Bits of the ASCII characters that an atom can begin with; everything beyond ASCII counts as one of 18 more.
type Set = u128;

/// The estimate is for rules' patterns, not for lists of words.
const PATTERN_BYTES_MAX: usize = 10_000;

/// One atom of a sequence.
#[derive(Debug, Clone, Copy)]
struct Atom {
    set: Set,
    is_optional: bool,
    is_unbounded: bool,
}

/// A group that is being read.
#[derive(Debug, Default)]
struct Group {
    begin: usize,
    branches: Vec<Vec<Atom>>,
    branch: Vec<Atom>,
    is_lookaround: bool,
}

/// The part of a pattern that may be repeated within repetition, on a text that does not match in the end; `None` when
/// there is none. `pattern` is in Python's syntax.
#[must_use]
pub fn backtracks(pattern: &str) -> Option<&str> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let bytes = pattern.as_bytes();
    let mut open: Vec<Group> = vec![Group::default()];
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let (set, end) = match byte {
            b'(' => {
                let (length, is_lookaround) = group_head(pattern.get(at..)?);
                open.push(Group {
                    begin: at,
                    is_lookaround,
                    ..Group::default()
                });
                at += length;
                continue;
            }
            b'|' => {
                let group = open.last_mut()?;
                let branch = std::mem::take(&mut group.branch);
                group.branches.push(branch);
                at += 1;
                continue;
            }
            b')' => {
                if open.len() < 2 {
                    return None;
                }
                let mut group = open.pop()?;
                group.branches.push(std::mem::take(&mut group.branch));
                let (quantifier, length) = quantifier(bytes, at + 1);
                let end = at + 1 + length;
                let fails = bytes
                    .get(end..)
                    .is_some_and(|rest| rest.iter().any(|byte| *byte != b')'));
                if quantifier.is_unbounded && !group.is_lookaround && fails && group.is_ambiguous() {
                    return pattern.get(group.begin..end);
                }
                if !group.is_lookaround {
                    let atom = group.as_atom(quantifier);
                    open.last_mut()?.branch.push(atom);
                }
                at = end;
                continue;
            }
            b'^' | b'$' => {
                at += 1;
                continue;
            }
            b'[' => class(bytes, at)?,
            b'\\' => match escape(bytes, at) {
                Some(found) => found,
                // \b, \A, \Z, back references: nothing that repeats.
                None => {
                    at += 2;
                    continue;
                }
            },
            b'.' => (!0, at + 1),
            byte if byte.is_ascii() => (1 << byte, at + 1),
            _ => {
                let letter = pattern.get(at..)?.chars().next()?;
                (
                    1 << (FIRST_BEYOND + u32::from(letter) % 18),
                    at + letter.len_utf8(),
                )
            }
        };
        let (quantifier, length) = quantifier(bytes, end);
        open.last_mut()?.branch.push(Atom {
            set,
            is_optional: quantifier.is_optional,
            is_unbounded: quantifier.is_unbounded,
        });
        at = end + length;
    }
    None
}

impl Group {
    /// Whether repeating it can take one text apart in several ways.
    fn is_ambiguous(&self) -> bool {
        let within = self.branches.iter().any(|branch| {
            branch.iter().enumerate().any(|(at, atom)| {
                let others = branch.iter().enumerate().filter(|(other, _)| *other != at);
                let mut needed = others.filter(|(_, other)| !other.is_optional);
                atom.is_unbounded && needed.all(|(_, other)| other.set & atom.set != 0)
            })
        });
        let single = |branch: &Vec<Atom>| match branch.as_slice() {
            [atom] => Some(atom.set),
            _ => None,
        };
        let sets: Vec<Set> = self.branches.iter().filter_map(single).collect();
        let between = sets
            .iter()
            .enumerate()
            .any(|(at, one)| sets.iter().skip(at + 1).any(|two| one & two != 0));
        within || between
    }

    fn as_atom(&self, quantifier: Quantifier) -> Atom {
        let atoms = || self.branches.iter().flatten();
        let is_optional = self
            .branches
            .iter()
            .any(|branch| branch.iter().all(|atom| atom.is_optional));
        // A group of several atoms is no run of one: only where it is a single one does its own repetition count.
        let inner = matches!(self.branches.as_slice(), [branch] if matches!(branch.as_slice(), [one] if one.is_unbounded));
        Atom {
            set: atoms().fold(0, |set, atom| set | atom.set),
            is_optional: is_optional || quantifier.is_optional,
            is_unbounded: quantifier.is_unbounded || inner,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Quantifier {
    is_optional: bool,
    is_unbounded: bool,
}

/// Repetitions from which on a counted one is as bad as one without end.
const MANY: usize = 25;

/// The quantifier at a place and its length.
fn quantifier(bytes: &[u8], at: usize) -> (Quantifier, usize) {
    let (is_optional, is_unbounded, length) = match bytes.get(at) {
        Some(b'*') => (true, true, 1),
        Some(b'+') => (false, true, 1),
        Some(b'?') => (true, false, 1),
        Some(b'{') => {
            let rest = bytes.get(at + 1..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'}') else {
                return (Quantifier::default(), 0);
            };
            let body = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
            let (low, high) = body.split_once(',').unwrap_or((body, body));
            let number = |text: &str, default: usize| {
                if text.is_empty() {
                    Some(default)
                } else {
                    text.parse().ok()
                }
            };
            let (Some(low), Some(high)) = (number(low, 0), number(high, usize::MAX)) else {
                return (Quantifier::default(), 0);
            };
            // A fixed number of them is no choice.
            (low == 0, high >= MANY && low != high, end + 2)
        }
        _ => return (Quantifier::default(), 0),
    };
    let quantifier = Quantifier {
        is_optional,
        is_unbounded,
    };
    match bytes.get(at + length) {
        Some(b'?') => (quantifier, length + 1),
        // Possessive: it never gives back, so it never backtracks.
        Some(b'+') => (
            Quantifier {
                is_optional,
                is_unbounded: false,
            },
            length + 1,
        ),
        _ => (quantifier, length),
    }
}

/// The length of what opens a group, and whether it takes no characters or never gives back.
fn group_head(text: &str) -> (usize, bool) {
    let named = |prefix: &str| {
        let rest = text.strip_prefix(prefix)?;
        rest.find('>').map(|end| prefix.len() + end + 1)
    };
    if let Some(length) = named("(?P<") {
        return (length, false);
    }
    for (head, is_lookaround) in [
        ("(?<=", true),
        ("(?<!", true),
        ("(?=", true),
        ("(?!", true),
        ("(?>", true),
        ("(?:", false),
    ] {
        if text.starts_with(head) {
            return (head.len(), is_lookaround);
        }
    }
    // Flags such as `(?i)` and `(?i:`; of back references and comments the rest is read as text, which is harmless.
    if text.starts_with("(?") {
        let length = text.find([':', ')']).unwrap_or(1);
        let is_group = text.as_bytes().get(length) == Some(&b':');
        return (if is_group { length + 1 } else { length }, false);
    }
    (1, false)
}

const DIGITS: Set = ((1 << 10) - 1) << b'0';
const LOWER: Set = ((1 << 26) - 1) << b'a';
const UPPER: Set = ((1 << 26) - 1) << b'A';
/// Control characters that no pattern names lend their bits to what is beyond ASCII.
const FIRST_BEYOND: u32 = 14;
const BEYOND: Set = ((1 << 18) - 1) << FIRST_BEYOND;
const WORD: Set = DIGITS | LOWER | UPPER | (1 << b'_') | BEYOND;
const SPACE: Set = (1 << b' ') | (1 << b'\t') | (1 << b'\n') | (1 << b'\r') | (1 << 0x0b) | (1 << 0x0c);

/// The characters of an escape and where it ends; `None` when it takes none.
fn escape(bytes: &[u8], at: usize) -> Option<(Set, usize)> {
    let set = match bytes.get(at + 1)? {
        b'd' => DIGITS,
        b'D' => !DIGITS,
        b'w' => WORD,
        b'W' => !WORD,
        b's' => SPACE,
        b'S' => !SPACE,
        b't' => 1 << b'\t',
        b'n' => 1 << b'\n',
        b'r' => 1 << b'\r',
        b'b' | b'B' | b'A' | b'Z' | b'1'..=b'9' => return None,
        // Codes and names of characters: any, for what it matters.
        b'x' | b'u' | b'U' | b'N' => !0,
        byte if byte.is_ascii() => 1 << byte,
        _ => BEYOND,
    };
    Some((set, at + 2))
}

const fn of_byte(byte: u8) -> Set {
    if byte.is_ascii() { 1 << byte } else { BEYOND }
}

/// The characters of a class and where it ends; `None` when it does not.
fn class(bytes: &[u8], at: usize) -> Option<(Set, usize)> {
    let mut next = at + 1;
    let is_negated = bytes.get(next) == Some(&b'^');
    next += usize::from(is_negated);
    let first = next;
    let mut set: Set = 0;
    loop {
        let byte = *bytes.get(next)?;
        match byte {
            b']' if next > first => break,
            b'\\' => {
                let (escaped, end) = escape(bytes, next).unwrap_or((0, next + 2));
                set |= escaped;
                next = end;
            }
            _ => {
                let high = bytes
                    .get(next + 2)
                    .copied()
                    .filter(|high| *high != b']' && *high != b'\\');
                if let (Some(b'-'), Some(high)) = (bytes.get(next + 1), high) {
                    for one in byte..=high {
                        set |= of_byte(one);
                    }
                    next += 3;
                } else {
                    set |= of_byte(byte);
                    next += 1;
                }
            }
        }
    }
    Some((if is_negated { !set } else { set }, next + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_within_repetition_is_seen_and_told() {
        for (pattern, part) in [
            (r"(a+)+$", "(a+)+"),
            (r"^(\w+\s?)*$", r"(\w+\s?)*"),
            (r"x(?:[a-z]*)*y", "(?:[a-z]*)*"),
            (r"(a|a)*b", "(a|a)*"),
            (r"(\w|\d)+!", r"(\w|\d)+"),
            (r"(.*,)+x", "(.*,)+"),
            (r"((a+))+$", "((a+))+"),
            (r"(?P<n>a+){1,50}$", "(?P<n>a+){1,50}"),
            (r"(?i)(a+)+$", "(a+)+"),
            (r"((?:ab)+)+c", "((?:ab)+)+"),
        ] {
            assert_eq!(backtracks(pattern), Some(part), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_are_taken_apart_in_one_way_are_fine() {
        for pattern in [
            r"^Failed password for (?:invalid user )?(\S+) from (\S+) port",
            r"(\w+\s)+$",
            r"([^,]*,)+x",
            r"(a+b)+$",
            r"(\d{1,3}\.){3}\d{1,3}",
            r"(a|b)*c",
            r"(foo|bar|baz)+x",
            r"(a+)+",
            r"(a++)+$",
            r"(?=a+)+$",
            r"a+b+c+$",
            r"(",
            r")+",
            r"[a",
            r"\",
            r"(?P<x",
            r"(é+è)+ü$",
            r"{2}(a{,}x)+y",
        ] {
            assert_eq!(backtracks(pattern), None, "{pattern}");
        }
    }
}
