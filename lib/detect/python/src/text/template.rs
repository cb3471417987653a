//! `str.format`.
//! Source: Python's library reference, "Format String Syntax".

use super::{Text, ascii, format, only, repr, str};
use crate::cx::{Cx, Limit, R, Raise};
use crate::obj::Obj;
use crate::ops;
use crate::registry::Args;
use crate::types::ExcKind;

/// Where fields find their values.
enum Fields<'s, 'a> {
    Args(&'s Args<'s, 'a>),
    Mapping(Obj<'a>),
}

/// Automatic and manual numbering do not mix.
#[derive(Clone, Copy, PartialEq)]
enum Numbering {
    Unknown,
    Automatic(usize),
    Manual,
}

/// `template.format(*args, **kwargs)`.
///
/// # Errors
/// What Python raises.
pub fn format_method<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let Obj::Str(template) = receiver else {
        return Err(cx.leave("a method of str on something else"));
    };
    let mut numbering = Numbering::Unknown;
    Ok(Obj::Str(fill(
        cx,
        template,
        &Fields::Args(args),
        &mut numbering,
        2,
    )?))
}

/// `template.format_map(mapping)`.
///
/// # Errors
/// What Python raises.
pub fn format_map_method<'a>(cx: &Cx<'a>, receiver: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let Obj::Str(template) = receiver else {
        return Err(cx.leave("a method of str on something else"));
    };
    let mapping = only(cx, args)?;
    let mut numbering = Numbering::Unknown;
    Ok(Obj::Str(fill(
        cx,
        template,
        &Fields::Mapping(mapping),
        &mut numbering,
        2,
    )?))
}

fn fill<'a>(
    cx: &Cx<'a>,
    template: &'a str,
    fields: &Fields<'_, 'a>,
    numbering: &mut Numbering,
    depth: u32,
) -> R<'a, &'a str> {
    let mut out = Text::new_in(cx.bump);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        if after.starts_with(brace) {
            out.push_str(brace);
            rest = &after[1..];
            continue;
        }
        if brace == "}" {
            return Err(cx.value_error(format_args!("Single '}}' encountered in format string")));
        }
        if depth == 0 {
            return Err(cx.value_error(format_args!("Max string recursion exceeded")));
        }
        let end = field_end(cx, after)?;
        let text = field(cx, &after[..end], fields, numbering, depth)?;
        cx.reserve(out.len() + text.len())?;
        if out.len() + text.len() > cx.limits.text_bytes {
            return Err(Raise::Limit(Limit::Memory));
        }
        out.push_str(text);
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out.into_bump_str())
}

/// The length of a field, up to the brace that closes it.
fn field_end<'a>(cx: &Cx<'a>, text: &str) -> R<'a, usize> {
    if text.is_empty() {
        return Err(cx.value_error(format_args!("Single '{{' encountered in format string")));
    }
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            b'[' => return Err(cx.leave("a subscript in a format field")),
            _ => {}
        }
        if open == 0 {
            return Ok(at);
        }
    }
    Err(cx.value_error(format_args!("expected '}}' before end of string")))
}

fn field<'a>(
    cx: &Cx<'a>,
    text: &'a str,
    fields: &Fields<'_, 'a>,
    numbering: &mut Numbering,
    depth: u32,
) -> R<'a, &'a str> {
    let end = text.find(['!', ':']).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    if name.contains(['.', '{']) {
        return Err(cx.leave("an attribute in a format field"));
    }
    let value = lookup(cx, name, fields, numbering)?;
    let mut value = value;
    if let Some(after) = rest.strip_prefix('!') {
        let mut characters = after.chars();
        value = match characters.next() {
            Some('s') => Obj::Str(str(cx, value)?),
            Some('r') => Obj::Str(repr(cx, value)?),
            Some('a') => Obj::Str(ascii(cx, value)?),
            _ => return Err(cx.leave("a conversion in a format field that is unknown")),
        };
        rest = characters.as_str();
        if !rest.is_empty() && !rest.starts_with(':') {
            return Err(cx.value_error(format_args!("expected ':' after conversion specifier")));
        }
    }
    let spec = rest.strip_prefix(':').unwrap_or("");
    let spec = if spec.contains(['{', '}']) {
        fill(cx, spec, fields, numbering, depth - 1)?
    } else {
        spec
    };
    format(cx, value, spec)
}

fn lookup<'a>(cx: &Cx<'a>, name: &'a str, fields: &Fields<'_, 'a>, numbering: &mut Numbering) -> R<'a> {
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let index = match (name.is_empty(), is_number, *numbering) {
        (true, _, Numbering::Manual) => {
            return Err(cx.value_error(format_args!(
                "cannot switch from manual field specification to automatic field numbering"
            )));
        }
        (true, _, Numbering::Unknown) => {
            *numbering = Numbering::Automatic(1);
            Some(0)
        }
        (true, _, Numbering::Automatic(next)) => {
            *numbering = Numbering::Automatic(next + 1);
            Some(next)
        }
        (false, true, Numbering::Automatic(_)) => {
            return Err(cx.value_error(format_args!(
                "cannot switch from automatic field numbering to manual field specification"
            )));
        }
        (false, true, _) => {
            *numbering = Numbering::Manual;
            Some(name.parse().unwrap_or(usize::MAX))
        }
        (false, false, _) => None,
    };
    match (fields, index) {
        (Fields::Args(args), Some(index)) => args.pos.get(index).copied().ok_or_else(|| {
            cx.raise(
                ExcKind::IndexError,
                format_args!("Replacement index {index} out of range for positional args tuple"),
            )
        }),
        (Fields::Args(args), None) => args.named(name).ok_or_else(|| cx.key_error(Obj::Str(name))),
        (Fields::Mapping(_), Some(_)) => {
            Err(cx.value_error(format_args!("Format string contains positional fields")))
        }
        (Fields::Mapping(mapping), None) => ops::get_item(cx, *mapping, Obj::Str(name)),
    }
}
