//! Classes called.

use std::num::IntErrorKind;

use bumpalo::collections::Vec as BumpVec;
use streamalert_value::{parse_python_float, parse_python_int};

use super::misfit;
use crate::cx::{Cx, R, Raise};
use crate::obj::{Dict, List, Obj, Range, Set};
use crate::registry::Args;
use crate::types::{ExcKind, Type};
use crate::{iter, ops, text};

/// Calls a class: `int(…)`, `list(…)`, `ValueError(…)`.
///
/// # Errors
/// What Python raises.
pub fn construct<'a>(cx: &Cx<'a>, class: Type, args: &Args<'_, 'a>) -> R<'a> {
    if let Type::Exc(kind) = class {
        return exception(cx, kind, args);
    }
    if class == Type::Dict {
        return dict(cx, args);
    }
    match (class, args.pos, args.kw) {
        (Type::Bool, [], []) => Ok(Obj::Bool(false)),
        (Type::Bool, [value], []) => Ok(Obj::Bool(ops::truthy(cx, *value)?)),
        (Type::Str, [], []) => Ok(Obj::Str("")),
        (Type::Str, [value], []) => Ok(Obj::Str(text::str(cx, *value)?)),
        (Type::Int, [], []) => Ok(Obj::Int(0)),
        (Type::Int, [value], []) => int(cx, *value),
        (Type::Int, [Obj::Str(digits), Obj::Int(base)], [])
        | (Type::Int, [Obj::Str(digits)], [("base", Obj::Int(base))]) => int_of_base(cx, digits, *base),
        (Type::Float, [], []) => Ok(Obj::Float(0.0)),
        (Type::Float, [value], []) => float(cx, *value),
        (Type::List, [], []) => Ok(List::object(cx, BumpVec::new_in(cx.bump))),
        (Type::List, [values], []) => {
            let items = iter::collect(cx, *values)?;
            Ok(List::object(cx, items))
        }
        (Type::Tuple, [], []) => Ok(Obj::Tuple(&[])),
        (Type::Tuple, [values @ (Obj::Tuple(_) | Obj::ConstTuple(_))], []) => Ok(*values),
        (Type::Tuple, [values], []) => Ok(Obj::Tuple(iter::collect(cx, *values)?.into_bump_slice())),
        (Type::Set | Type::FrozenSet, [], []) => {
            Set::object(cx, BumpVec::new_in(cx.bump), class == Type::FrozenSet)
        }
        (Type::FrozenSet, [values @ Obj::ConstFrozenSet(_)], []) => Ok(*values),
        (Type::Set | Type::FrozenSet, [values], []) => {
            let items = iter::collect_in_any_order(cx, *values)?;
            Set::object(cx, items, class == Type::FrozenSet)
        }
        (Type::Range, [_, ..], []) => range(cx, args.pos),
        (Type::Slice, [stop], []) => Ok(Obj::Slice(cx.bump.alloc([Obj::None, *stop, Obj::None]))),
        (Type::Slice, [start, stop], []) => Ok(Obj::Slice(cx.bump.alloc([*start, *stop, Obj::None]))),
        (Type::Slice, [start, stop, step], []) => Ok(Obj::Slice(cx.bump.alloc([*start, *stop, *step]))),
        (Type::Type, [value], []) => ops::class_of(cx, *value),
        (Type::Bytes, [], []) => Ok(Obj::Bytes(&[])),
        (Type::Bytes, [value @ Obj::Bytes(_)], []) => Ok(*value),
        (Type::Bytes, [Obj::Str(text), Obj::Str("utf-8" | "utf8" | "UTF-8")], []) => {
            Ok(Obj::Bytes(text.as_bytes()))
        }
        (Type::Str, [Obj::Bytes(bytes), Obj::Str(encoding)], []) => {
            crate::methods::bytes::decoded(cx, bytes, encoding, "strict")
        }
        (Type::Str, [Obj::Bytes(bytes), Obj::Str(encoding), Obj::Str(errors)], []) => {
            crate::methods::bytes::decoded(cx, bytes, encoding, errors)
        }
        (Type::Bool | Type::Str | Type::Int | Type::Float | Type::List | Type::Tuple | Type::Set, ..) => {
            Err(misfit(cx))
        }
        (Type::Counter | Type::OrderedDict | Type::DefaultDict, ..) => {
            crate::modules::collections::construct(cx, class, args)
        }
        _ => Err(cx.leave("a class that is not called here")),
    }
}

fn exception<'a>(cx: &Cx<'a>, kind: ExcKind, args: &Args<'_, 'a>) -> R<'a> {
    let special = [
        ExcKind::OSError,
        ExcKind::SyntaxError,
        ExcKind::ImportError,
        ExcKind::UnicodeDecodeError,
        ExcKind::UnicodeEncodeError,
        ExcKind::StopIteration,
        ExcKind::SystemExit,
        ExcKind::ReError,
        ExcKind::JsonDecodeError,
    ];
    let own_fields = special.iter().any(|class| kind.is_subclass(*class));
    if !args.kw.is_empty() || (own_fields && args.pos.len() > 1) {
        return Err(cx.leave("an exception with fields of its own"));
    }
    if matches!(
        kind,
        ExcKind::JsonDecodeError | ExcKind::UnicodeDecodeError | ExcKind::UnicodeEncodeError
    ) {
        return Err(cx.leave("an exception with fields of its own"));
    }
    Ok(Obj::Exception(cx.exception(kind, args.pos)))
}

fn int<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    match value {
        Obj::Int(_) | Obj::Big(_) => Ok(value),
        Obj::Bool(flag) => Ok(Obj::Int(i64::from(flag))),
        Obj::Float(float) => match streamalert_value::integer_of_float(float) {
            Some(digits) => ops::int_from_decimal(cx, &digits),
            None if float.is_nan() => {
                Err(cx.value_error(format_args!("cannot convert float NaN to integer")))
            }
            None => Err(cx.raise(
                ExcKind::OverflowError,
                format_args!("cannot convert float infinity to integer"),
            )),
        },
        Obj::Str(text) => int_of_text(cx, text),
        Obj::Native(native) => match native.regex_flags() {
            Some(bits) => Ok(Obj::Int(i64::from(bits))),
            None => Err(cx.leave("int of such an object")),
        },
        Obj::Bytes(_) => Err(cx.leave("int of such an object")),
        _ => {
            let name = ops::type_name(cx, value);
            let wanted = if cx.program.version.minor >= 10 {
                "a real number"
            } else {
                "a number"
            };
            Err(cx.type_error(format_args!(
                "int() argument must be a string, a bytes-like object or {wanted}, not '{name}'"
            )))
        }
    }
}

/// Digits beyond which CPython from 3.11 on refuses and older versions take their time.
const DIGITS_MAX: usize = 4300;

fn int_of_text<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a> {
    if text.len() > DIGITS_MAX {
        return Err(cx.leave("an int of very many digits"));
    }
    // The usual case allocates nothing.
    if text.len() < 18 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        let number = text
            .bytes()
            .fold(0, |number: i64, digit| number * 10 + i64::from(digit - b'0'));
        return Ok(Obj::Int(number));
    }
    match parse_python_int(text) {
        Some(digits) => ops::int_from_decimal(cx, &digits),
        None => Err(invalid_int(cx, text, 10)),
    }
}

/// How many characters of a text a message of `int` shows, quotes and escapes included.
const SHOWN_MAX: usize = 200;

fn invalid_int<'a>(cx: &Cx<'a>, text: &'a str, base: i64) -> Raise<'a> {
    const LONG: &str = "a long text that is no int";
    if text.chars().count() > SHOWN_MAX {
        return cx.leave(LONG);
    }
    match text::repr(cx, Obj::Str(text)) {
        // CPython cuts it off.
        Ok(shown) if shown.chars().count() > SHOWN_MAX => cx.leave(LONG),
        Ok(shown) => cx.value_error(format_args!(
            "invalid literal for int() with base {base}: {shown}"
        )),
        Err(raise) => raise,
    }
}

fn int_of_base<'a>(cx: &Cx<'a>, digits: &'a str, base: i64) -> R<'a> {
    let Some(radix) = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)) else {
        return Err(cx.leave("int with a rare base"));
    };
    if base == 10 {
        return int_of_text(cx, digits);
    }
    if digits.len() > 15 || !digits.is_ascii() {
        return Err(cx.leave("a long int of a base other than ten"));
    }
    let plain = digits.trim_matches(|character: char| matches!(character, ' ' | '\t'..='\r'));
    let (negative, plain) = match plain.as_bytes().first() {
        Some(b'-') => (true, &plain[1..]),
        Some(b'+') => (false, &plain[1..]),
        _ => (false, plain),
    };
    let prefix = match radix {
        2 => ["0b", "0B"],
        8 => ["0o", "0O"],
        16 => ["0x", "0X"],
        _ => ["\0", "\0"],
    };
    let plain = prefix
        .iter()
        .find_map(|prefix| plain.strip_prefix(prefix))
        .unwrap_or(plain);
    if plain.contains('_') || plain.starts_with(['+', '-']) {
        return Err(cx.leave("an int with underscores"));
    }
    match i64::from_str_radix(plain, radix) {
        Ok(number) => Ok(Obj::Int(if negative { -number } else { number })),
        Err(error) if matches!(error.kind(), IntErrorKind::PosOverflow) => {
            Err(cx.leave("a long int of a base other than ten"))
        }
        Err(_) => Err(invalid_int(cx, digits, base)),
    }
}

fn float<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a> {
    match value {
        Obj::Float(_) => Ok(value),
        Obj::Int(number) => Ok(Obj::Float(number as f64)),
        Obj::Bool(flag) => Ok(Obj::Float(f64::from(u8::from(flag)))),
        Obj::Str(text) => match parse_python_float(text) {
            Some(float) => Ok(Obj::Float(float)),
            None => {
                // Before 3.10 a text of blanks is shown as the empty one it is stripped to.
                let stripped = cx.program.version.minor < 10 && text.chars().all(char::is_whitespace);
                let shown = if stripped { "''" } else { text::repr(cx, value)? };
                Err(cx.value_error(format_args!("could not convert string to float: {shown}")))
            }
        },
        Obj::Big(_) | Obj::Bytes(_) | Obj::Native(_) => Err(cx.leave("float of such an object")),
        _ => {
            let name = ops::type_name(cx, value);
            let wanted = if cx.program.version.minor >= 10 {
                "a real number"
            } else {
                "a number"
            };
            Err(cx.type_error(format_args!(
                "float() argument must be a string or {wanted}, not '{name}'"
            )))
        }
    }
}

fn range<'a>(cx: &Cx<'a>, args: &[Obj<'a>]) -> R<'a> {
    let number = |value: Obj<'a>| match value {
        Obj::Int(number) => Ok(number),
        Obj::Bool(_) if cx.program.version.minor < 11 => Err(cx.leave("a range of bool")),
        Obj::Bool(flag) => Ok(i64::from(flag)),
        Obj::Big(_) => Err(cx.leave("a range beyond 64 bits")),
        Obj::Native(_) => Err(cx.leave("a range of such an object")),
        other => {
            let name = ops::type_name(cx, other);
            Err(cx.type_error(format_args!(
                "'{name}' object cannot be interpreted as an integer"
            )))
        }
    };
    let (start, stop, step) = match args {
        [stop] => (0, number(*stop)?, 1),
        [start, stop] => (number(*start)?, number(*stop)?, 1),
        [start, stop, step] => (number(*start)?, number(*stop)?, number(*step)?),
        _ => return Err(misfit(cx)),
    };
    if step == 0 {
        return Err(cx.value_error(format_args!("range() arg 3 must not be zero")));
    }
    Ok(Obj::Range(cx.bump.alloc(Range { start, stop, step })))
}

fn dict<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let dict = Dict::empty(cx);
    match args.pos {
        [] => {}
        [source] => {
            let update = [*source];
            if matches!(source, Obj::Native(_)) {
                return Err(cx.leave("a dict of such an object"));
            }
            crate::eval::call_method(cx, dict, "update", &Args::positional(&update))?;
        }
        _ => return Err(misfit(cx)),
    }
    for (name, value) in args.kw {
        ops::set_item(cx, dict, Obj::Str(name), *value)?;
    }
    Ok(dict)
}

/// `dict.fromkeys(keys, value=None)`.
pub(super) fn fromkeys<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let (keys, value) = match (args.pos, args.kw) {
        ([keys], []) => (*keys, Obj::None),
        ([keys, value], []) => (*keys, *value),
        _ => return Err(misfit(cx)),
    };
    let dict = Dict::empty(cx);
    let mut state = iter::iter(cx, keys)?;
    while let Some(key) = state.next(cx)? {
        ops::set_item(cx, dict, key, value)?;
    }
    Ok(dict)
}
