//! `re.Match`.

use std::cell::Cell;

use bumpalo::collections::Vec as BumpVec;
use streamalert_regex::{Anchor, Captures, Template, TemplateError};

use super::functions::{charge, no_answer};
use super::{Compiled, MATCH, raise_invalid};
use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::methods::str::length;
use crate::modules::args::bind;
use crate::obj::{BuiltinMethod, Dict, Obj};
use crate::registry::{Args, MethodFn, Native, NativeClass};
use crate::types::ExcKind;
use crate::{ops, text};

/// What is searched: a text and the part of it that `pos` and `endpos` choose.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) text: &'a str,
    /// First byte.
    pub(super) start: usize,
    /// End, in bytes.
    pub(super) end: usize,
    /// `Match.pos`, in characters.
    pub(super) pos: usize,
    /// `Match.endpos`, in characters; `None` for the length of the text.
    pub(super) endpos: Option<usize>,
}

impl<'a> Scope<'a> {
    pub(super) const fn whole(text: &'a str) -> Self {
        Self {
            text,
            start: 0,
            end: text.len(),
            pos: 0,
            endpos: None,
        }
    }
}

/// Byte offsets of a group that took part.
type Span = Option<(u32, u32)>;

/// A match.
pub(super) struct Match<'a> {
    regex: &'a Compiled,
    scope: Scope<'a>,
    anchor: Anchor,
    /// The groups, the whole match first; not yet looked for while `None`.
    spans: Cell<Option<&'a [Span]>>,
}

fn spans_of<'a>(cx: &Cx<'a>, regex: &Compiled, captures: &Captures) -> &'a [Span] {
    let span = |group| captures.get(group).map(|(start, end)| (start as u32, end as u32));
    BumpVec::from_iter_in((0..=regex.regex.groups()).map(span), cx.bump).into_bump_slice()
}

impl<'a> Match<'a> {
    /// A match that is known to be there.
    pub(super) const fn found(regex: &'a Compiled, anchor: Anchor, scope: Scope<'a>) -> Self {
        Self {
            regex,
            scope,
            anchor,
            spans: Cell::new(None),
        }
    }

    /// The match that was just found.
    pub(super) fn object(cx: &Cx<'a>, regex: &'a Compiled, scope: Scope<'a>, captures: &Captures) -> Obj<'a> {
        let found = Self::found(regex, Anchor::Search, scope);
        found.spans.set(Some(spans_of(cx, regex, captures)));
        Obj::Native(cx.bump.alloc(found))
    }

    fn spans(&self, cx: &Cx<'a>) -> R<'a, &'a [Span]> {
        if let Some(spans) = self.spans.get() {
            return Ok(spans);
        }
        let Scope { text, start, end, .. } = self.scope;
        charge(cx, self.regex, end.saturating_sub(start))?;
        let spans = cx.env.regexes.with_captures(|captures| {
            let found = self.regex.regex.run(self.anchor, text, start, end, captures);
            match found {
                Ok(true) => Ok(spans_of(cx, self.regex, captures)),
                Ok(false) => Err(cx.leave("a match that is not found again")),
                Err(error) => Err(no_answer(cx, error)),
            }
        })?;
        self.spans.set(Some(spans));
        Ok(spans)
    }

    fn group_text(&self, span: Span) -> Option<&'a str> {
        let (start, end) = span?;
        self.scope.text.get(start as usize..end as usize)
    }

    /// The group that an argument names.
    fn span(&self, cx: &Cx<'a>, group: Obj<'a>) -> R<'a, Span> {
        let spans = self.spans(cx)?;
        let place = match ops::resolve(cx, group)? {
            Obj::Int(number) => usize::try_from(number).ok(),
            Obj::Bool(flag) => Some(usize::from(flag)),
            Obj::Str(name) => self.regex.regex.group_index(name),
            Obj::None | Obj::Float(_) => None,
            _ => return Err(cx.leave("such an object as a group")),
        };
        match place.and_then(|place| spans.get(place)) {
            Some(span) => Ok(*span),
            None => Err(cx.raise(ExcKind::IndexError, format_args!("no such group"))),
        }
    }

    fn group(&self, cx: &Cx<'a>, group: Obj<'a>) -> R<'a> {
        let span = self.span(cx, group)?;
        Ok(self.group_text(span).map_or(Obj::None, Obj::Str))
    }

    fn groups(&self, cx: &Cx<'a>, absent: Obj<'a>) -> R<'a> {
        let spans = self.spans(cx)?.get(1..).unwrap_or_default();
        let texts = spans
            .iter()
            .map(|span| self.group_text(*span).map_or(absent, Obj::Str));
        Ok(Obj::Tuple(
            BumpVec::from_iter_in(texts, cx.bump).into_bump_slice(),
        ))
    }

    fn group_dict(&self, cx: &Cx<'a>, absent: Obj<'a>) -> R<'a> {
        let spans = self.spans(cx)?;
        let dict = Dict::empty(cx);
        for (name, group) in self.regex.regex.group_names() {
            let span = spans.get(group).copied().flatten();
            let value = self.group_text(span).map_or(absent, Obj::Str);
            ops::set_item(cx, dict, Obj::Str(name), value)?;
        }
        Ok(dict)
    }

    /// A byte offset as Python counts.
    fn place(&self, cx: &Cx<'a>, offset: u32) -> R<'a, i64> {
        let before = self.scope.text.get(..offset as usize).unwrap_or_default();
        cx.use_fuel(before.len() as u64 / 64)?;
        Ok(length(before) as i64)
    }

    fn places(&self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, (i64, i64)> {
        let span = match (args.pos, args.kw) {
            ([], []) => self.span(cx, Obj::Int(0))?,
            ([group], []) => self.span(cx, *group)?,
            _ => return Err(misfit(cx)),
        };
        match span {
            Some((start, end)) => Ok((self.place(cx, start)?, self.place(cx, end)?)),
            None => Ok((-1, -1)),
        }
    }

    fn expand(&self, cx: &Cx<'a>, template: Obj<'a>) -> R<'a> {
        let Obj::Str(template) = ops::resolve(cx, template)? else {
            return Err(cx.leave("a template that is no text"));
        };
        let parsed = match Template::new(&self.regex.regex, template) {
            Ok(parsed) => parsed,
            Err(TemplateError::Invalid(invalid)) => return Err(raise_invalid(cx, template, &invalid)),
            Err(TemplateError::Untranslatable { reason }) => return Err(cx.leave(reason)),
        };
        let Scope { text, start, end, .. } = self.scope;
        // The template takes the engine's captures, so the match is searched for where it is.
        let from = match self.spans(cx)?.first() {
            Some(Some((from, _))) => *from as usize,
            _ => start,
        };
        charge(cx, self.regex, end.saturating_sub(from))?;
        cx.reserve(text.len() + template.len())?;
        let mut out = String::new();
        let spans = self.spans(cx)?;
        cx.env.regexes.with_captures(|captures| {
            let anchor = match self.anchor {
                Anchor::Search => Anchor::Match,
                other => other,
            };
            let found = self.regex.regex.run(anchor, text, from, end, captures);
            match found {
                // An empty match may have been refused there once, in favour of a longer one.
                Ok(true) if spans_of(cx, self.regex, captures) == spans => {
                    parsed.expand(text, captures, &mut out);
                    Ok(())
                }
                Ok(_) => Err(cx.leave("a match that is not found again")),
                Err(error) => Err(no_answer(cx, error)),
            }
        })?;
        cx.str(&out)
    }

    /// `lastindex`: the group that was closed last. Clear with one group that took part.
    fn last_group(&self, cx: &Cx<'a>) -> R<'a, Option<usize>> {
        let spans = self.spans(cx)?;
        let mut present = (1..spans.len()).filter(|group| spans.get(*group).is_some_and(Option::is_some));
        let first = present.next();
        match (first, present.next()) {
            (_, None) if spans.len() <= 2 || first.is_some() => Ok(first),
            _ => Err(cx.leave("Match.lastindex with several groups")),
        }
    }
}

/// A method of a match as an object.
macro_rules! bound {
    ($name:ident; $($method:literal),*) => {
        match $name {
            $($method => Some(|cx, receiver, args| match receiver {
                Obj::Native(native) => native.method(cx, $method, args).unwrap_or_else(|| Err(misfit(cx))),
                _ => Err(misfit(cx)),
            }),)*
            _ => None,
        }
    };
}

impl<'a> Native<'a> for Match<'a> {
    fn class(&self) -> &'static NativeClass {
        &MATCH
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        Ok(Some(match name {
            "string" => Obj::Str(self.scope.text),
            "re" => Obj::Regex(self.regex),
            "pos" => Obj::Int(self.scope.pos as i64),
            "endpos" => {
                let end = self.scope.endpos.unwrap_or_else(|| length(self.scope.text));
                Obj::Int(end as i64)
            }
            "lastindex" => match self.last_group(cx)? {
                Some(group) => Obj::Int(group as i64),
                None => Obj::None,
            },
            "lastgroup" => {
                let last = self.last_group(cx)?;
                let mut names = self.regex.regex.group_names();
                match names.find(|(_, group)| Some(*group) == last) {
                    Some((name, _)) => Obj::Str(name),
                    None => Obj::None,
                }
            }
            _ => {
                let method: Option<MethodFn> =
                    bound!(name; "group", "groups", "groupdict", "start", "end", "span", "expand");
                let Some(call) = method else {
                    return Ok(None);
                };
                Obj::BuiltinMethod(cx.bump.alloc(BuiltinMethod {
                    receiver: Obj::Native(self),
                    name: cx.bump.alloc_str(name),
                    call,
                }))
            }
        }))
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        Some(match name {
            "group" => match (args.pos, args.kw) {
                ([], []) => self.group(cx, Obj::Int(0)),
                ([group], []) => self.group(cx, *group),
                (groups, []) => {
                    let mut texts = BumpVec::new_in(cx.bump);
                    for group in groups {
                        match self.group(cx, *group) {
                            Ok(text) => texts.push(text),
                            Err(raise) => return Some(Err(raise)),
                        }
                    }
                    Ok(Obj::Tuple(texts.into_bump_slice()))
                }
                _ => Err(misfit(cx)),
            },
            "groups" => bind(cx, args, ["default"], 0)
                .and_then(|[absent]| self.groups(cx, absent.unwrap_or(Obj::None))),
            "groupdict" => bind(cx, args, ["default"], 0)
                .and_then(|[absent]| self.group_dict(cx, absent.unwrap_or(Obj::None))),
            "start" => self.places(cx, args).map(|(start, _)| Obj::Int(start)),
            "end" => self.places(cx, args).map(|(_, end)| Obj::Int(end)),
            "span" => self
                .places(cx, args)
                .map(|(start, end)| Obj::Tuple(cx.bump.alloc([Obj::Int(start), Obj::Int(end)]))),
            "expand" => bind(cx, args, ["template"], 1)
                .and_then(|[template]| self.expand(cx, template.unwrap_or(Obj::None))),
            _ => return None,
        })
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let (start, end) = self.places(cx, &Args::positional(&[]))?;
        let text = text::repr(cx, self.group(cx, Obj::Int(0))?)?;
        let shown: String = text.chars().take(50).collect();
        cx.text(&format!(
            "<re.Match object; span=({start}, {end}), match={shown}>"
        ))
    }

    fn index(&'a self, cx: &Cx<'a>, index: Obj<'a>) -> Option<R<'a>> {
        Some(self.group(cx, index))
    }
}
