//! Functions of the module and methods of a pattern: the same code, but for where the pattern comes from.

use std::cell::RefCell;

use bumpalo::collections::Vec as BumpVec;
use streamalert_regex::{Anchor, Captures, Engine, MatchError, Matches, escape as escaped};

use super::matched::{Match, Scope};
use super::{Compiled, Refusal, raise_invalid, replace};
use crate::builtins::{misfit, only};
use crate::cx::{Cx, R, Raise};
use crate::iter::{IterState, NextObj};
use crate::methods::str::{length, offset};
use crate::modules::args::bind;
use crate::obj::{BuiltinMethod, List, Obj};
use crate::ops;
use crate::registry::{Args, BuiltinFn, CallFn, MethodFn};

const fn function(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: "re",
        name,
        call,
        pure: true,
    }
}

pub(super) static FUNCTIONS: &[BuiltinFn] = &[
    function("search", |cx, args| run(cx, args, Anchor::Search)),
    function("match", |cx, args| run(cx, args, Anchor::Match)),
    function("fullmatch", |cx, args| run(cx, args, Anchor::Full)),
    function("findall", |cx, args| {
        let (regex, scope) = of_text(cx, args)?;
        find_all(cx, regex, scope)
    }),
    function("finditer", |cx, args| {
        let (regex, scope) = of_text(cx, args)?;
        Ok(find_iter(cx, regex, scope))
    }),
    function("split", |cx, args| {
        let [pattern, text, most, flags] = bind(cx, args, ["pattern", "string", "maxsplit", "flags"], 2)?;
        let regex = compiled(cx, pattern, flags)?;
        split(cx, regex, subject(cx, text)?, most)
    }),
    function("sub", |cx, args| Ok(substitute(cx, args)?.0)),
    function("subn", |cx, args| {
        let (text, count) = substitute(cx, args)?;
        Ok(Obj::Tuple(cx.bump.alloc([text, Obj::Int(count as i64)])))
    }),
    function("compile", |cx, args| {
        let [pattern, flags] = bind(cx, args, ["pattern", "flags"], 1)?;
        Ok(Obj::Regex(compiled(cx, pattern, flags)?))
    }),
    function("escape", escape),
];

fn run<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>, anchor: Anchor) -> R<'a> {
    let (regex, scope) = of_text(cx, args)?;
    find(cx, regex, anchor, scope)
}

/// The arguments `pattern, string, flags`.
fn of_text<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, (&'a Compiled, Scope<'a>)> {
    let [pattern, text, flags] = bind(cx, args, ["pattern", "string", "flags"], 2)?;
    let regex = compiled(cx, pattern, flags)?;
    Ok((regex, Scope::whole(subject(cx, text)?)))
}

fn substitute<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, (Obj<'a>, usize)> {
    let names = ["pattern", "repl", "string", "count", "flags"];
    let [pattern, new, text, count, flags] = bind(cx, args, names, 3)?;
    let regex = compiled(cx, pattern, flags)?;
    replace::substitute(cx, regex, given(new), given(text), limit(cx, count)?)
}

fn given<'a>(value: Option<Obj<'a>>) -> Obj<'a> {
    value.unwrap_or(Obj::None)
}

/// The pattern that a pattern argument and a flags argument stand for.
fn compiled<'a>(cx: &Cx<'a>, pattern: Option<Obj<'a>>, flags: Option<Obj<'a>>) -> R<'a, &'a Compiled> {
    let flags = match flags.map(|flags| ops::resolve(cx, flags)).transpose()? {
        None => 0,
        Some(Obj::Int(flags)) => u32::try_from(flags).map_err(|_| cx.leave("such flags of a pattern"))?,
        Some(Obj::Bool(flag)) => u32::from(flag),
        Some(value) if super::flag::bits(value).is_some() => super::flag::bits(value).unwrap_or(0),
        Some(_) => return Err(cx.leave("such flags of a pattern")),
    };
    match ops::resolve(cx, given(pattern))? {
        Obj::Str(text) => {
            let Some(known) = cx.env.regexes.get(text, flags, cx.program.version) else {
                return Err(cx.leave("more regular expressions than are kept"));
            };
            match known {
                Ok(compiled) => Ok(compiled),
                Err(Refusal::Invalid(invalid)) => Err(raise_invalid(cx, text, invalid)),
                Err(Refusal::Untranslatable(reason)) => Err(cx.leave(reason)),
            }
        }
        Obj::Regex(_) if flags != 0 => Err(cx.value_error(format_args!(
            "cannot process flags argument with a compiled pattern"
        ))),
        Obj::Regex(compiled) => Ok(compiled),
        Obj::None | Obj::Int(_) | Obj::Bool(_) | Obj::Float(_) => {
            Err(cx.type_error(format_args!("first argument must be string or compiled pattern")))
        }
        _ => Err(cx.leave("such an object as a pattern")),
    }
}

/// The text to be searched.
pub(in crate::modules) fn subject<'a>(cx: &Cx<'a>, text: Option<Obj<'a>>) -> R<'a, &'a str> {
    match text {
        Some(Obj::Str(text)) => Ok(text),
        other => no_subject(cx, given(other)),
    }
}

#[cold]
fn no_subject<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, &'a str> {
    match ops::resolve(cx, value)? {
        Obj::Str(text) => Ok(text),
        Obj::Bytes(_) | Obj::Native(_) => Err(cx.leave("a regular expression on such an object")),
        _ if cx.program.version.minor < 11 => {
            Err(cx.type_error(format_args!("expected string or bytes-like object")))
        }
        other => {
            let name = ops::type_name(cx, other);
            Err(cx.type_error(format_args!("expected string or bytes-like object, got '{name}'")))
        }
    }
}

/// A `count` or `maxsplit`: `None` for no limit.
pub(super) fn limit<'a>(cx: &Cx<'a>, value: Option<Obj<'a>>) -> R<'a, Option<usize>> {
    match value.map(|value| ops::resolve(cx, value)).transpose()? {
        None | Some(Obj::Int(0) | Obj::Bool(false)) => Ok(None),
        Some(Obj::Bool(true)) => Ok(Some(1)),
        // Below 0 is as many as there were already.
        Some(Obj::Int(number)) => Ok(Some(usize::try_from(number).unwrap_or(0))),
        Some(_) => Err(cx.leave("such an object as a count")),
    }
}

/// Steps for one search.
pub(super) fn charge<'a>(cx: &Cx<'a>, regex: &Compiled, bytes: usize) -> R<'a, ()> {
    let bytes = bytes as u64;
    cx.use_fuel(match regex.regex.engine() {
        Engine::Linear => 1 + bytes / 16,
        Engine::Backtracking => 10 + bytes / 2,
    })
}

#[cold]
pub(super) fn no_answer<'a>(cx: &Cx<'a>, error: MatchError) -> Raise<'a> {
    cx.leave(match error {
        MatchError::Backtracking => "a regular expression that backtracks a lot",
        MatchError::Region => "a regular expression on a region that ends before it begins",
    })
}

/// Whether there is a match; its groups are looked for when they are asked for, which they mostly are not.
fn find<'a>(cx: &Cx<'a>, regex: &'a Compiled, anchor: Anchor, scope: Scope<'a>) -> R<'a> {
    charge(cx, regex, scope.end - scope.start.min(scope.end))?;
    match regex
        .regex
        .is_match_at(anchor, scope.text, scope.start, scope.end)
    {
        Ok(true) => Ok(Obj::Native(cx.bump.alloc(Match::found(regex, anchor, scope)))),
        Ok(false) => Ok(Obj::None),
        Err(error) => Err(no_answer(cx, error)),
    }
}

/// The matches from left to right, each paid for.
pub(super) struct Walk<'a> {
    regex: &'a Compiled,
    matches: Matches<'a, 'a>,
    end: usize,
    /// Where the last match ended.
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(regex: &'a Compiled, scope: Scope<'a>) -> Self {
        Self {
            regex,
            matches: regex.regex.find_iter(scope.text, scope.start, scope.end),
            end: scope.end,
            at: scope.start,
        }
    }

    /// Finds the next match; false when there is none.
    pub(super) fn next(&mut self, cx: &Cx<'a>, captures: &mut Captures) -> R<'a, bool> {
        let found = self
            .matches
            .next_match(captures)
            .map_err(|error| no_answer(cx, error))?;
        let to = match captures.get(0) {
            Some((_, to)) if found => to,
            _ => self.end,
        };
        charge(cx, self.regex, to.saturating_sub(self.at))?;
        self.at = to;
        Ok(found)
    }
}

fn find_all<'a>(cx: &Cx<'a>, regex: &'a Compiled, scope: Scope<'a>) -> R<'a> {
    let mut items = BumpVec::new_in(cx.bump);
    let mut walk = Walk::new(regex, scope);
    let mut captures = Captures::default();
    while walk.next(cx, &mut captures)? {
        let group = |group| Obj::Str(captures.text(scope.text, group).unwrap_or_default());
        cx.tick()?;
        items.push(match regex.regex.groups() {
            0 => group(0),
            1 => group(1),
            groups => Obj::Tuple(BumpVec::from_iter_in((1..=groups).map(group), cx.bump).into_bump_slice()),
        });
    }
    Ok(List::object(cx, items))
}

struct FindIter<'a> {
    regex: &'a Compiled,
    scope: Scope<'a>,
    walk: RefCell<Walk<'a>>,
}

impl<'a> NextObj<'a> for FindIter<'a> {
    fn next(&'a self, cx: &Cx<'a>) -> R<'a, Option<Obj<'a>>> {
        cx.env.regexes.with_captures(|captures| {
            let found = self.walk.borrow_mut().next(cx, captures)?;
            Ok(found.then(|| Match::object(cx, self.regex, self.scope, captures)))
        })
    }
}

fn find_iter<'a>(cx: &Cx<'a>, regex: &'a Compiled, scope: Scope<'a>) -> Obj<'a> {
    let state = FindIter {
        regex,
        scope,
        walk: RefCell::new(Walk::new(regex, scope)),
    };
    IterState::Dyn(cx.bump.alloc(state)).object(cx, "callable_iterator")
}

fn split<'a>(cx: &Cx<'a>, regex: &'a Compiled, text: &'a str, most: Option<Obj<'a>>) -> R<'a> {
    let most = limit(cx, most)?;
    let mut parts = BumpVec::new_in(cx.bump);
    let mut walk = Walk::new(regex, Scope::whole(text));
    let mut captures = Captures::default();
    let (mut from, mut splits) = (0, 0);
    while most.is_none_or(|most| splits < most) && walk.next(cx, &mut captures)? {
        let Some((start, end)) = captures.get(0) else {
            break;
        };
        parts.push(Obj::Str(text.get(from..start).unwrap_or_default()));
        let groups = (1..=regex.regex.groups()).map(|group| captures.text(text, group));
        parts.extend(groups.map(|group| group.map_or(Obj::None, Obj::Str)));
        from = end;
        splits += 1;
        cx.tick()?;
    }
    parts.push(Obj::Str(text.get(from..).unwrap_or_default()));
    Ok(List::object(cx, parts))
}

fn escape<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [pattern] = bind(cx, args, ["pattern"], 1)?;
    match ops::resolve(cx, given(pattern))? {
        Obj::Str(text) => {
            cx.reserve(text.len() * 2)?;
            cx.str(&escaped(text))
        }
        _ => Err(cx.leave("re.escape of such an object")),
    }
}

/// The part of a text that `pos` and `endpos` choose.
fn scope<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, Scope<'a>> {
    if let ([Obj::Str(text)], []) = (args.pos, args.kw) {
        return Ok(Scope::whole(text));
    }
    let [text, start, end] = bind(cx, args, ["string", "pos", "endpos"], 1)?;
    let place = |value: Option<Obj<'a>>, text: &str| match value {
        None => Ok(None),
        Some(Obj::Int(place)) => {
            let place = usize::try_from(place).unwrap_or(0).min(length(text));
            Ok(Some((place, offset(text, place))))
        }
        Some(_) => Err(cx.leave("such an object as a position")),
    };
    let text = subject(cx, text)?;
    let whole = Scope::whole(text);
    let (pos, start) = place(start, text)?.unwrap_or((0, 0));
    let (endpos, end) = match place(end, text)? {
        Some((endpos, end)) => (Some(endpos), end),
        None => (whole.endpos, whole.end),
    };
    Ok(Scope {
        text,
        start,
        end,
        pos,
        endpos,
    })
}

/// A method of a pattern; `None` when there is no such method.
pub fn pattern_method<'a>(
    cx: &Cx<'a>,
    regex: &'a Compiled,
    name: &str,
    args: &Args<'_, 'a>,
) -> Option<R<'a>> {
    let of_scope = |anchor| find(cx, regex, anchor, scope(cx, args)?);
    Some(match name {
        "search" => of_scope(Anchor::Search),
        "match" => of_scope(Anchor::Match),
        "fullmatch" => of_scope(Anchor::Full),
        "findall" => scope(cx, args).and_then(|scope| find_all(cx, regex, scope)),
        "finditer" => scope(cx, args).map(|scope| find_iter(cx, regex, scope)),
        "split" => bind(cx, args, ["string", "maxsplit"], 1)
            .and_then(|[text, most]| split(cx, regex, subject(cx, text)?, most)),
        "sub" => substitute_method(cx, regex, args).map(|(text, _)| text),
        "subn" => substitute_method(cx, regex, args)
            .map(|(text, count)| Obj::Tuple(cx.bump.alloc([text, Obj::Int(count as i64)]))),
        "__copy__" | "__deepcopy__" => match only(cx, args) {
            Ok(_) => Ok(Obj::Regex(regex)),
            Err(_) => Err(misfit(cx)),
        },
        _ => return None,
    })
}

fn substitute_method<'a>(cx: &Cx<'a>, regex: &'a Compiled, args: &Args<'_, 'a>) -> R<'a, (Obj<'a>, usize)> {
    let [new, text, count] = bind(cx, args, ["repl", "string", "count"], 2)?;
    replace::substitute(cx, regex, given(new), given(text), limit(cx, count)?)
}

/// A method of a pattern as an object.
macro_rules! bound {
    ($name:ident; $($method:literal),*) => {
        match $name {
            $($method => Some(|cx, receiver, args| match receiver {
                Obj::Regex(regex) => pattern_method(cx, regex, $method, args).unwrap_or_else(|| Err(misfit(cx))),
                _ => Err(misfit(cx)),
            }),)*
            _ => None,
        }
    };
}

/// An attribute of a pattern.
///
/// # Errors
/// What Python raises.
pub fn pattern_attr<'a>(cx: &Cx<'a>, regex: &'a Compiled, name: &str) -> R<'a, Option<Obj<'a>>> {
    Ok(Some(match name {
        "pattern" => Obj::Str(&regex.pattern),
        "flags" => Obj::Int(i64::from(regex.flags)),
        "groups" => Obj::Int(regex.regex.groups() as i64),
        _ => {
            let method: Option<MethodFn> =
                bound!(name; "search", "match", "fullmatch", "findall", "finditer", "split", "sub", "subn");
            let Some(call) = method else {
                return Ok(None);
            };
            Obj::BuiltinMethod(cx.bump.alloc(BuiltinMethod {
                receiver: Obj::Regex(regex),
                name: cx.bump.alloc_str(name),
                call,
            }))
        }
    }))
}
