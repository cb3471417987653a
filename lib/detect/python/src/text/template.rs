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
        if after.is_empty() {
            return Err(cx.value_error(format_args!("Single '{{' encountered in format string")));
        }
        let (field, after) = parse(cx, after)?;
        let text = shown(cx, &field, fields, numbering, depth)?;
        cx.reserve(out.len() + text.len())?;
        if out.len() + text.len() > cx.limits.text_bytes {
            return Err(Raise::Limit(Limit::Memory));
        }
        out.push_str(text);
        rest = after;
    }
    out.push_str(rest);
    Ok(out.into_bump_str())
}

/// A field's parts.
struct Field<'a> {
    name: &'a str,
    conversion: Option<char>,
    spec: &'a str,
}

/// Takes a field apart, from behind its opening brace; answers what follows the closing one.
fn parse<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a, (Field<'a>, &'a str)> {
    let mut in_brackets = false;
    let end = text.char_indices().find(|(_, character)| match character {
        ']' => {
            in_brackets = false;
            false
        }
        '[' => {
            in_brackets = true;
            false
        }
        '{' | '}' | ':' | '!' => !in_brackets,
        _ => false,
    });
    let Some((end, stop)) = end else {
        return Err(cx.value_error(format_args!("expected '}}' before end of string")));
    };
    let (name, mut rest) = (&text[..end], &text[end + 1..]);
    let mut field = Field {
        name,
        conversion: None,
        spec: "",
    };
    match stop {
        '{' => return Err(cx.value_error(format_args!("unexpected '{{' in field name"))),
        '}' => return Ok((field, rest)),
        '!' => {
            let mut characters = rest.chars();
            field.conversion = characters.next();
            if field.conversion.is_none() {
                return Err(cx.value_error(format_args!(
                    "end of string while looking for conversion specifier"
                )));
            }
            match characters.next() {
                Some('}') => return Ok((field, characters.as_str())),
                Some(':') | None => rest = characters.as_str(),
                Some(_) => {
                    return Err(cx.value_error(format_args!("expected ':' after conversion specifier")));
                }
            }
        }
        _ => {}
    }
    let mut open = 1;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            field.spec = &rest[..at];
            return Ok((field, &rest[at + 1..]));
        }
    }
    Err(cx.value_error(format_args!("unmatched '{{' in format spec")))
}

fn shown<'a>(
    cx: &Cx<'a>,
    field: &Field<'a>,
    fields: &Fields<'_, 'a>,
    numbering: &mut Numbering,
    depth: u32,
) -> R<'a, &'a str> {
    let value = value_of(cx, field.name, fields, numbering)?;
    let value = match field.conversion {
        None => value,
        Some('s') => Obj::Str(str(cx, value)?),
        Some('r') => Obj::Str(repr(cx, value)?),
        Some('a') => Obj::Str(ascii(cx, value)?),
        Some(other @ '!'..='~') => {
            return Err(cx.value_error(format_args!("Unknown conversion specifier {other}")));
        }
        Some(_) => return Err(cx.leave("a conversion in a format field that is unknown")),
    };
    let spec = if field.spec.contains('{') {
        fill(cx, field.spec, fields, numbering, depth - 1)?
    } else {
        field.spec
    };
    format(cx, value, spec)
}

/// A field's value: the name up to the first point or bracket, then attributes and subscripts.
fn value_of<'a>(cx: &Cx<'a>, name: &'a str, fields: &Fields<'_, 'a>, numbering: &mut Numbering) -> R<'a> {
    let (first, mut rest) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
    let mut value = lookup(cx, first, fields, numbering)?;
    while let Some(kind) = rest.chars().next() {
        cx.tick()?;
        let after = &rest[kind.len_utf8()..];
        let part;
        match kind {
            '.' => {
                (part, rest) = after.split_at(after.find(['.', '[']).unwrap_or(after.len()));
            }
            '[' => {
                let Some(end) = after.find(']') else {
                    return Err(cx.value_error(format_args!("Missing ']' in format string")));
                };
                (part, rest) = (&after[..end], &after[end + 1..]);
            }
            _ => {
                return Err(cx.value_error(format_args!(
                    "Only '.' or '[' may follow ']' in format field specifier"
                )));
            }
        }
        if part.is_empty() {
            return Err(cx.value_error(format_args!("Empty attribute in format string")));
        }
        value = if kind == '.' {
            crate::eval::attribute(cx, value, part)?
        } else {
            let index = match integer(cx, part)? {
                Some(number) => Obj::Int(number),
                None => Obj::Str(part),
            };
            ops::get_item(cx, value, index)?
        };
    }
    Ok(value)
}

/// The number that a name is, if it consists of digits.
fn integer<'a>(cx: &Cx<'a>, name: &str) -> R<'a, Option<i64>> {
    if name
        .chars()
        .any(|character| !character.is_ascii() && character.is_numeric())
    {
        return Err(cx.leave("digits beyond ascii in a format field"));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match name.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(cx.value_error(format_args!("Too many decimal digits in format string"))),
    }
}

fn lookup<'a>(cx: &Cx<'a>, name: &'a str, fields: &Fields<'_, 'a>, numbering: &mut Numbering) -> R<'a> {
    let number = integer(cx, name)?;
    let index = match (name.is_empty(), number.is_some(), *numbering) {
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
            number.and_then(|number| usize::try_from(number).ok())
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
