//! Regular expressions and wildcards on a field: which texts it must hold to match.

use super::analysis::Analysis;
use super::cond::{Cond, Fact};
use super::expr::Abs;
use super::shape::{Absent, Change, Other, Shape};
use crate::modules::fnmatch::{Token, token};
use crate::modules::re::{Anchor, Compiled};
use crate::program::{Const, PathId};

/// What must be so of a text that matches: one of these. `None`: nothing is known.
type Needs = Option<Vec<Need>>;

/// What may be so of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    Is(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
}

impl Need {
    fn fact(self, change: Change) -> Fact {
        match (self, change) {
            (Self::Is(text), Change::None) => Fact::Text(text.into()),
            (Self::Prefix(text), Change::None) => Fact::Prefix(text.into()),
            (Self::Suffix(text), Change::None) => Fact::Suffix(text.into()),
            (Self::Contains(text), Change::None) => Fact::Contains(text.into()),
            (Self::Is(text), _) => Fact::Lower(text.into()),
            (Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text), _) => {
                Fact::LowerContains(text.into())
            }
        }
    }

    fn holds(&self, of: &str) -> bool {
        match self {
            Self::Is(text) => text == of,
            Self::Prefix(text) => of.starts_with(&**text),
            Self::Suffix(text) => of.ends_with(&**text),
            Self::Contains(text) => of.contains(&**text),
        }
    }
}

fn anchor(name: &str) -> Option<Anchor> {
    Some(match name {
        "search" => Anchor::Search,
        "match" => Anchor::Match,
        "fullmatch" => Anchor::Full,
        _ => return None,
    })
}

fn needs_of_regex(regex: &Compiled, anchor: Anchor) -> Needs {
    let shortest = |texts: &[String]| texts.iter().map(String::len).min().unwrap_or(0);
    let anywhere = regex.required_literals();
    if anchor != Anchor::Search
        && let Some(prefixes) = regex.literal_prefixes()
        && anywhere
            .as_deref()
            .is_none_or(|texts| shortest(texts) <= shortest(&prefixes).max(2))
    {
        return Some(prefixes.into_iter().map(Need::Prefix).collect());
    }
    Some(anywhere?.into_iter().map(Need::Contains).collect())
}

/// The wildcard's longest literal, or the one at its beginning or end when that is hardly shorter.
fn needs_of_wildcard(pattern: &str) -> Needs {
    let mut runs = vec![String::new()];
    let mut at = 0;
    while let Some((token, next)) = token(pattern, at) {
        match (token, runs.last_mut()) {
            (Token::One(character), Some(run)) => run.push(character),
            _ => runs.push(String::new()),
        }
        at = next;
    }
    let last = runs.len() - 1;
    if last == 0 {
        return runs.pop().map(|text| vec![Need::Is(text)]);
    }
    let (place, text) = runs.into_iter().enumerate().max_by_key(|(place, run)| {
        let at_an_end = *place == 0 || *place == last;
        run.len() + 2 * usize::from(at_an_end && !run.is_empty())
    })?;
    if text.is_empty() {
        return None;
    }
    Some(vec![match place {
        0 => Need::Prefix(text),
        _ if place == last => Need::Suffix(text),
        _ => Need::Contains(text),
    }])
}

impl Analysis<'_, '_> {
    /// A call of a function of `re` or `fnmatch`. `None`: nothing is known of it.
    pub(super) fn pattern_call(&self, module: &str, name: &str, args: &[Abs]) -> Option<Abs> {
        match (module, args) {
            ("re", [pattern, subject, flags @ ..]) => {
                let anchor = anchor(name)?;
                let (Shape::Const(pattern), [] | [_]) = (&pattern.shape, flags) else {
                    return None;
                };
                let flags = match flags.first().map(|flags| &flags.shape) {
                    None => 0,
                    Some(Shape::Const(id)) => match self.program.consts[*id as usize] {
                        Const::Int(flags) => u32::try_from(flags).ok()?,
                        _ => return None,
                    },
                    Some(_) => return None,
                };
                match &self.program.consts[*pattern as usize] {
                    Const::Regex(regex) if flags == 0 => self.matched(needs_of_regex(regex, anchor), subject),
                    Const::Str(text) => {
                        let regex = Compiled::new(text, flags, self.program.version).ok()?;
                        self.matched(needs_of_regex(&regex, anchor), subject)
                    }
                    _ => None,
                }
            }
            ("fnmatch", [subject, pattern]) if matches!(name, "fnmatch" | "fnmatchcase") => {
                let Shape::Const(id) = pattern.shape else {
                    return None;
                };
                let Const::Str(pattern) = &self.program.consts[id as usize] else {
                    return None;
                };
                // Sets with odd ranges leave on every text.
                let plain = crate::modules::fnmatch::is_plain(pattern);
                self.matched(plain.then(|| needs_of_wildcard(pattern))?, subject)
            }
            _ => None,
        }
    }

    /// A method of a pattern. `None`: nothing is known of it.
    pub(super) fn pattern_method(&self, receiver: &Abs, name: &str, args: &[Abs]) -> Option<Abs> {
        let (Shape::Const(id), [subject]) = (&receiver.shape, args) else {
            return None;
        };
        let Const::Regex(regex) = &self.program.consts[*id as usize] else {
            return None;
        };
        self.matched(needs_of_regex(regex, anchor(name)?), subject)
    }

    /// Whether the subject matches. That the backtracking engine may leave is no matter: then CPython answers the
    /// same, and without what is needed that is "no".
    fn matched(&self, needs: Needs, subject: &Abs) -> Option<Abs> {
        let Shape::Field(path, change, absent) = &subject.shape else {
            return None;
        };
        if !matches!(change, Change::None | Change::Lower) {
            return None;
        }
        let at = |fact: Fact| Cond::atom(*path, fact);
        let (default_t, default_r) = self.of_default(*path, absent.as_ref(), needs.as_deref());
        let t = match needs {
            Some(needs) => Cond::any(needs.into_iter().map(|need| at(need.fact(*change)))),
            None => at(Fact::Present),
        };
        // `lower` raises before on what is no text.
        let wrong = at(Fact::NotText).or(default_r);
        Some(Abs {
            t: t.or(default_t),
            f: Cond::True,
            r: subject.r.clone().or(wrong.clone()),
            x: subject.x.clone().or(wrong),
            shape: Shape::Unknown,
        })
    }

    /// When the value in place of an absent field may match, and when it may raise.
    fn of_default(&self, path: PathId, absent: Option<&Absent>, needs: Option<&[Need]>) -> (Cond, Cond) {
        // Without a default the lookup itself raises, which the field's own conditions say.
        let Some(absent) = absent else {
            return (Cond::False, Cond::False);
        };
        let text: &str = match &absent.value {
            Other::Text(text) => text,
            Other::EmptyDict | Other::EmptyList | Other::Raised => {
                return (absent.when(path), absent.when(path));
            }
            Other::Const(id) => match &self.program.consts[*id as usize] {
                Const::Str(text) => text,
                _ => return (absent.when(path), absent.when(path)),
            },
        };
        let may = needs.is_none_or(|needs| needs.iter().any(|need| need.holds(text)));
        let t = if may { absent.when(path) } else { Cond::False };
        (t, Cond::False)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::PyVersion;

    fn regex(pattern: &str, name: &str) -> Needs {
        let compiled = Compiled::new(pattern, 0, PyVersion { minor: 11, patch: 0 }).unwrap();
        needs_of_regex(&compiled, anchor(name).unwrap())
    }

    #[test]
    fn a_search_needs_one_of_its_literals() {
        let contains = |text: &str| Need::Contains(text.to_owned());
        assert_eq!(
            regex(r"\d+(foo|bar)baz$", "search"),
            Some(vec![contains("barbaz"), contains("foobaz")])
        );
        assert_eq!(regex(r"\w*", "search"), None);
    }

    #[test]
    fn a_match_needs_its_beginning() {
        let prefix = Need::Prefix("arn:aws:".to_owned());
        assert_eq!(regex(r"arn:aws:\w+", "match"), Some(vec![prefix.clone()]));
        assert_eq!(regex(r"arn:aws:\w+:x", "fullmatch"), Some(vec![prefix]));
    }

    #[test]
    fn a_wildcard_needs_its_longest_literal() {
        let of = |pattern: &str| needs_of_wildcard(pattern).map(|mut needs| needs.remove(0));
        assert_eq!(of("abc"), Some(Need::Is("abc".to_owned())));
        assert_eq!(of("arn:aws:*:x*"), Some(Need::Prefix("arn:aws:".to_owned())));
        assert_eq!(of("*.exe"), Some(Need::Suffix(".exe".to_owned())));
        assert_eq!(of("a*long text*b"), Some(Need::Contains("long text".to_owned())));
        assert_eq!(of("?[ab]*"), None);
        assert_eq!(of(""), Some(Need::Is(String::new())));
    }
}
