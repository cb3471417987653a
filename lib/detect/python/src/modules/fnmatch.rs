//! `fnmatch`, as on POSIX: upper and lower case differ. Patterns are walked as they are; nothing is compiled.

use bumpalo::collections::Vec as BumpVec;

use super::args::bind;
use super::re;
use crate::cx::{Cx, R};
use crate::obj::{List, Obj};
use crate::program::Const;
use crate::registry::{Args, BuiltinFn, CallFn};
use crate::{iter, ops};

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "fnmatch",
        name,
        call,
        pure: true,
    }
}

static FUNCTIONS: &[BuiltinFn] = &[
    function("fnmatch", fnmatch),
    function("fnmatchcase", fnmatchcase),
    function("filter", filter),
];

/// What the module calls `name`.
#[must_use]
pub fn lookup(name: &str) -> Option<Const> {
    super::function(FUNCTIONS, name)
}

/// `fnmatch(name, pat)`
///
/// # Errors
/// What Python raises.
pub(super) fn fnmatch<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [name, pattern] = bind(cx, args, ["name", "pat"], 2)?;
    let name = path_text(cx, name)?;
    let pattern = path_text(cx, pattern)?;
    matches(cx, pattern, name).map(Obj::Bool)
}

fn fnmatchcase<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [name, pattern] = bind(cx, args, ["name", "pat"], 2)?;
    let Obj::Str(pattern) = ops::resolve(cx, pattern.unwrap_or(Obj::None))? else {
        return Err(cx.leave("such an object as a pattern of fnmatch"));
    };
    matches(cx, pattern, re::subject(cx, name)?).map(Obj::Bool)
}

fn filter<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [names, pattern] = bind(cx, args, ["names", "pat"], 2)?;
    let pattern = path_text(cx, pattern)?;
    // A pattern that is none raises even if there is nothing to compare it with.
    if !is_plain(pattern) {
        return Err(cx.leave("a set of fnmatch that differs by version"));
    }
    let mut found = BumpVec::new_in(cx.bump);
    let mut state = iter::iter(cx, names.unwrap_or(Obj::None))?;
    while let Some(name) = state.next(cx)? {
        if matches(cx, pattern, re::subject(cx, Some(name))?)? {
            found.push(name);
        }
    }
    Ok(List::object(cx, found))
}

/// `os.fspath` of a text.
fn path_text<'a>(cx: &Cx<'a>, value: Option<Obj<'a>>) -> R<'a, &'a str> {
    match ops::resolve(cx, value.unwrap_or(Obj::None))? {
        Obj::Str(text) => Ok(text),
        Obj::Bytes(_) | Obj::Native(_) | Obj::Const(_) | Obj::Class(_) => {
            Err(cx.leave("fnmatch of such an object"))
        }
        other => {
            let class = ops::class_of(cx, other)?;
            let name = ops::class_name(cx, class).unwrap_or_default();
            Err(cx.type_error(format_args!(
                "expected str, bytes or os.PathLike object, not {name}"
            )))
        }
    }
}

/// One element of a pattern, and where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'p> {
    /// `*`
    Star,
    /// `?`
    Any,
    /// This character.
    One(char),
    /// `[…]`: what is inside, after the `!` of one that is negated.
    Set { negated: bool, inside: &'p str },
}

/// The element of a pattern at a byte offset, and the offset of the next one.
pub(crate) fn token(pattern: &str, at: usize) -> Option<(Token<'_>, usize)> {
    let rest = pattern.get(at..)?;
    let first = rest.chars().next()?;
    let next = at + first.len_utf8();
    let token = match first {
        '*' => Token::Star,
        '?' => Token::Any,
        '[' => match set(pattern, next) {
            Some(found) => return Some(found),
            None => Token::One('['),
        },
        other => Token::One(other),
    };
    Some((token, next))
}

/// The set whose `[` stands before `from`; `None` when it is never closed.
fn set(pattern: &str, from: usize) -> Option<(Token<'_>, usize)> {
    let rest = pattern.get(from..)?;
    let negated = rest.starts_with('!');
    let inside = rest.get(usize::from(negated)..)?;
    // A `]` that comes first does not close it.
    let end = inside.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let inside = inside.get(..end)?;
    let next = from + usize::from(negated) + end + 1;
    Some((Token::Set { negated, inside }, next))
}

/// Ranges of a set: first, last.
fn ranges(inside: &str) -> impl Iterator<Item = (char, char)> {
    let mut rest = inside.chars();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let mut ahead = rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                rest = ahead;
                Some((first, last))
            }
            _ => Some((first, first)),
        }
    })
}

/// Whether all sets mean the same in all versions.
pub(crate) fn is_plain(pattern: &str) -> bool {
    let mut at = 0;
    while let Some((token, next)) = token(pattern, at) {
        if let Token::Set { inside, .. } = token
            && (inside.contains("--") || ranges(inside).any(|(first, last)| first > last))
        {
            return false;
        }
        at = next;
    }
    true
}

fn takes(token: Token<'_>, character: char) -> bool {
    match token {
        Token::Star | Token::Any => true,
        Token::One(one) => one == character,
        Token::Set { negated, inside } => {
            ranges(inside).any(|(first, last)| (first..=last).contains(&character)) != negated
        }
    }
}

/// Whether a text matches a pattern.
fn matches<'a>(cx: &Cx<'a>, pattern: &str, text: &str) -> R<'a, bool> {
    cx.use_fuel((pattern.len() + text.len()) as u64 / 16)?;
    if pattern.contains('[') && !is_plain(pattern) {
        return Err(cx.leave("a set of fnmatch that differs by version"));
    }
    let (mut at, mut place) = (0, 0);
    // Behind the last `*`, and where what it took ends.
    let mut star: Option<(usize, usize)> = None;
    let mut steps = 0_u64;
    loop {
        steps += 1;
        if steps.is_multiple_of(64) {
            cx.use_fuel(8)?;
        }
        let character = text.get(place..).and_then(|rest| rest.chars().next());
        match (token(pattern, at), character) {
            (None, None) => return Ok(true),
            (Some((Token::Star, next)), _) => {
                if next == pattern.len() {
                    return Ok(true);
                }
                star = Some((next, place));
                at = next;
                continue;
            }
            (Some((token, next)), Some(character)) if takes(token, character) => {
                at = next;
                place += character.len_utf8();
                continue;
            }
            (Some(_), None) => return Ok(false),
            _ => {}
        }
        let Some((behind, taken)) = star else {
            return Ok(false);
        };
        let Some(more) = text.get(taken..).and_then(|rest| rest.chars().next()) else {
            return Ok(false);
        };
        place = taken + more.len_utf8();
        at = behind;
        star = Some((behind, place));
    }
}
