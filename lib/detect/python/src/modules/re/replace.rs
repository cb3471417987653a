//! `sub` and `subn`.

use bumpalo::collections::String as Text;
use streamalert_regex::{Captures, Template, TemplateError};

use super::functions::{Walk, subject};
use super::matched::{Match, Scope};
use super::{Compiled, raise_invalid};
use crate::cx::{Cx, R};
use crate::eval;
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;

/// What stands for a match.
enum New<'a> {
    /// This text.
    Text(&'a str),
    /// A text with groups.
    Template(Template),
    /// What this answers.
    Function(Obj<'a>),
}

fn new_text<'a>(cx: &Cx<'a>, regex: &Compiled, new: Obj<'a>) -> R<'a, New<'a>> {
    match ops::resolve(cx, new)? {
        Obj::Str(template) if !template.contains('\\') => Ok(New::Text(template)),
        Obj::Str(template) => match Template::new(&regex.regex, template) {
            Ok(parsed) => Ok(New::Template(parsed)),
            Err(TemplateError::Invalid(invalid)) => Err(raise_invalid(cx, template, &invalid)),
            Err(TemplateError::Untranslatable { reason }) => Err(cx.leave(reason)),
        },
        function @ (Obj::Function(_)
        | Obj::Closure(_)
        | Obj::Builtin(_)
        | Obj::BuiltinMethod(_)
        | Obj::Method(_)
        | Obj::ConstPartial(_)) => Ok(New::Function(function)),
        _ => Err(cx.leave("such an object as a replacement")),
    }
}

/// The new text and the number of replacements; `most` is their limit.
pub(super) fn substitute<'a>(
    cx: &Cx<'a>,
    regex: &'a Compiled,
    new: Obj<'a>,
    text: Obj<'a>,
    most: Option<usize>,
) -> R<'a, (Obj<'a>, usize)> {
    // The text is looked at first in some versions and the replacement in others.
    if !matches!(text, Obj::Str(_)) && !matches!(ops::resolve(cx, new)?, Obj::Str(new) if !new.contains('\\'))
    {
        return Err(cx.leave("a replacement in what is no text"));
    }
    let text = subject(cx, Some(text))?;
    let new = new_text(cx, regex, new)?;
    let scope = Scope::whole(text);
    let mut out = Text::new_in(cx.bump);
    let mut walk = Walk::new(regex, scope);
    let mut captures = Captures::default();
    let (mut from, mut replaced) = (0, 0);
    while most.is_none_or(|most| replaced < most) && walk.next(cx, &mut captures)? {
        let Some((start, end)) = captures.get(0) else {
            break;
        };
        out.push_str(text.get(from..start).unwrap_or_default());
        let before = out.len();
        match &new {
            New::Text(new) => out.push_str(new),
            New::Template(template) => {
                let mut expanded = String::new();
                template.expand(text, &captures, &mut expanded);
                out.push_str(&expanded);
            }
            New::Function(function) => {
                let found = Match::object(cx, regex, scope, &captures);
                match eval::call(cx, *function, &Args::positional(&[found]))? {
                    Obj::Str(new) => out.push_str(new),
                    Obj::None => {}
                    _ => return Err(cx.leave("a replacement that is no text")),
                }
            }
        }
        cx.reserve(out.len() - before)?;
        if out.len() > cx.limits.text_bytes {
            cx.reserve(out.len())?;
        }
        from = end;
        replaced += 1;
    }
    if replaced == 0 {
        return Ok((Obj::Str(text), 0));
    }
    out.push_str(text.get(from..).unwrap_or_default());
    cx.reserve(out.len())?;
    Ok((Obj::Str(out.into_bump_str()), replaced))
}
