//! The format specification mini-language: reading a specification, and texts by it. Numbers are in [`super::layout`].
//! Source: Python's library reference, "Format Specification Mini-Language".

use super::layout;
use crate::cx::{Cx, Limit, R, Raise};
use crate::methods::str::{length, offset};
use crate::obj::Obj;
use crate::ops;

/// Digits after the point beyond which the pair falls back.
const PRECISION_MAX: usize = 1000;

/// A specification.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) fill: char,
    pub(super) align: char,
    pub(super) sign: Option<char>,
    /// `z`: a zero has no minus.
    pub(super) no_minus_zero: bool,
    pub(super) alternate: bool,
    pub(super) width: usize,
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

/// `format(value, spec)` with a spec that is not empty.
pub(super) fn format<'a>(cx: &Cx<'a>, value: Obj<'a>, text: &str) -> R<'a, &'a str> {
    match value {
        Obj::Str(_) | Obj::Int(_) | Obj::Big(_) | Obj::Float(_) | Obj::Bool(_) => {}
        Obj::Native(native) => {
            return match native.format(cx, text) {
                Some(result) => result,
                None => Err(cx.leave("a format specification of an object of a module")),
            };
        }
        Obj::Const(_) | Obj::Regex(_) | Obj::NativeClass(_) | Obj::Class(_) | Obj::ConstPartial(_) => {
            return Err(cx.leave("a format specification of such an object"));
        }
        _ => {
            let name = ops::type_name(cx, value);
            return Err(cx.type_error(format_args!(
                "unsupported format string passed to {name}.__format__"
            )));
        }
    }
    let spec = parse(cx, value, text)?;
    if spec.width > cx.limits.text_bytes {
        return Err(Raise::Limit(Limit::Memory));
    }
    if spec.precision.is_some_and(|precision| precision > PRECISION_MAX) && !matches!(value, Obj::Str(_)) {
        return Err(cx.leave("a format with very many digits"));
    }
    match value {
        Obj::Str(text) => of_text(cx, text, &spec),
        Obj::Float(float) => layout::float(cx, value, float, &spec),
        _ => layout::int(cx, value, &spec),
    }
}

/// Takes one of these characters from the front.
fn take(rest: &mut &str, wanted: &str) -> Option<char> {
    let first = rest.chars().next().filter(|first| wanted.contains(*first))?;
    *rest = rest.get(first.len_utf8()..).unwrap_or_default();
    Some(first)
}

/// Takes leading digits.
fn number<'a>(cx: &Cx<'a>, rest: &mut &str) -> R<'a, Option<usize>> {
    let end = rest
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    if after.chars().next().is_some_and(char::is_numeric) {
        return Err(cx.leave("digits beyond ascii in a format specification"));
    }
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    match digits.parse::<i64>() {
        Ok(number) => Ok(usize::try_from(number).ok()),
        Err(_) => Err(cx.value_error(format_args!("Too many decimal digits in format string"))),
    }
}

fn parse<'a>(cx: &Cx<'a>, value: Obj<'a>, text: &str) -> R<'a, Spec> {
    let is_text = matches!(value, Obj::Str(_));
    let minor = cx.program.version.minor;
    let mut rest = text;
    let (mut fill, mut align) = (None, None);
    let mut characters = text.chars();
    let (first, second) = (characters.next(), characters.next());
    let is_align = |character: &char| "<>=^".contains(*character);
    if second.as_ref().is_some_and(is_align) {
        (fill, align) = (first, second);
        rest = characters.as_str();
    } else if first.as_ref().is_some_and(is_align) {
        align = first;
        rest = text.get(1..).unwrap_or_default();
    }
    let sign = take(&mut rest, "+- ");
    let no_minus_zero = minor >= 11 && take(&mut rest, "z").is_some();
    let alternate = take(&mut rest, "#").is_some();
    if fill.is_none() && take(&mut rest, "0").is_some() {
        fill = Some('0');
        // Up to 3.9 also for texts, which refuse it.
        if align.is_none() && (!is_text || minor < 10) {
            align = Some('=');
        }
    }
    let width = number(cx, &mut rest)?.unwrap_or(0);
    let mut grouping = take(&mut rest, ",");
    let underscore = take(&mut rest, "_");
    let overlap = grouping.is_some() && underscore.is_some();
    // Up to 3.9 a second comma counts as one after an underscore.
    let doubled = rest.starts_with(',') && (underscore.is_some() || minor < 10 && grouping.is_some());
    if overlap || doubled {
        return Err(cx.value_error(format_args!("Cannot specify both ',' and '_'.")));
    }
    grouping = grouping.or(underscore);
    let mut precision = None;
    if take(&mut rest, ".").is_some() {
        precision = number(cx, &mut rest)?;
        if precision.is_none() {
            return Err(cx.value_error(format_args!("Format specifier missing precision")));
        }
    }
    let mut characters = rest.chars();
    let kind = characters.next();
    if characters.next().is_some() {
        let name = ops::type_name(cx, value);
        return Err(if minor >= 10 {
            cx.value_error(format_args!(
                "Invalid format specifier '{text}' for object of type '{name}'"
            ))
        } else {
            cx.value_error(format_args!("Invalid format specifier"))
        });
    }
    let default = match value {
        Obj::Str(_) => Some('s'),
        Obj::Float(_) => None,
        _ => Some('d'),
    };
    let kind = kind.or(default);
    if let Some(separator) = grouping {
        check_grouping(cx, separator, kind)?;
    }
    Ok(Spec {
        fill: fill.unwrap_or(' '),
        align: align.unwrap_or(if is_text { '<' } else { '>' }),
        sign,
        no_minus_zero,
        alternate,
        width,
        grouping,
        precision,
        kind,
    })
}

fn check_grouping<'a>(cx: &Cx<'a>, separator: char, kind: Option<char>) -> R<'a, ()> {
    match kind {
        None | Some('d' | 'e' | 'f' | 'g' | 'E' | 'G' | '%' | 'F') => Ok(()),
        Some('b' | 'o' | 'x' | 'X') if separator == '_' => Ok(()),
        Some(kind @ '!'..='\x7f') => {
            Err(cx.value_error(format_args!("Cannot specify '{separator}' with '{kind}'.")))
        }
        Some(kind) => {
            let code = u32::from(kind);
            Err(cx.value_error(format_args!("Cannot specify '{separator}' with '\\x{code:x}'.")))
        }
    }
}

/// A type that the value does not have.
#[cold]
pub(super) fn unknown<'a>(cx: &Cx<'a>, value: Obj<'a>, kind: char) -> Raise<'a> {
    let name = ops::type_name(cx, value);
    if matches!(kind, '!'..='\x7f') {
        return cx.value_error(format_args!(
            "Unknown format code '{kind}' for object of type '{name}'"
        ));
    }
    let code = u32::from(kind);
    cx.value_error(format_args!(
        "Unknown format code '\\x{code:x}' for object of type '{name}'"
    ))
}

fn of_text<'a>(cx: &Cx<'a>, text: &'a str, spec: &Spec) -> R<'a, &'a str> {
    if let Some(kind) = spec.kind.filter(|kind| *kind != 's') {
        return Err(unknown(cx, Obj::Str(text), kind));
    }
    let refused = match spec.sign {
        Some(' ') if cx.program.version.minor >= 10 => Some("Space"),
        Some(_) => Some("Sign"),
        None if spec.no_minus_zero => Some("Negative zero coercion (z)"),
        None if spec.alternate => Some("Alternate form (#)"),
        None if spec.align == '=' => Some("'=' alignment"),
        None => None,
    };
    if let Some(what) = refused {
        return Err(cx.value_error(format_args!("{what} not allowed in string format specifier")));
    }
    let text = match spec.precision {
        Some(most) => text.get(..offset(text, most)).unwrap_or(text),
        None => text,
    };
    let missing = spec.width.saturating_sub(length(text));
    let (before, after) = match spec.align {
        '<' => (0, missing),
        '>' => (missing, 0),
        _ => (missing / 2, missing - missing / 2),
    };
    crate::methods::str::padded_both(cx, text, before, spec.fill, after)
}
