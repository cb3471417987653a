//! `repr`.

use streamalert_value::{float_repr, write_python_repr};

use super::Text;
use crate::cx::{Cx, R};
use crate::methods::str::recent::any_recent;
use crate::obj::{Dict, DictKind, Obj, ViewKind};
use crate::registry::Args;
use crate::{iter, ops};

/// Deeper objects are CPython's: its own limit and `[...]` for cycles are not followed here.
const DEPTH_MAX: u32 = 100;

/// Appends `repr(value)`.
pub(super) fn write<'a>(cx: &Cx<'a>, value: Obj<'a>, out: &mut Text<'a>, depth: u32) -> R<'a, ()> {
    if depth > DEPTH_MAX {
        return Err(cx.leave("the text of something nested very deep"));
    }
    match value {
        Obj::None => out.push_str("None"),
        Obj::Bool(true) => out.push_str("True"),
        Obj::Bool(false) => out.push_str("False"),
        Obj::Ellipsis => out.push_str("Ellipsis"),
        Obj::NotImplemented => out.push_str("NotImplemented"),
        Obj::Int(number) => out.push_str(&number.to_string()),
        Obj::Big(_) => out.push_str(super::number::decimal(cx, value)?),
        Obj::Float(float) => out.push_str(&float_repr(float)),
        Obj::Str(text) => {
            cx.reserve(text.len() + 2)?;
            if any_recent(text) {
                return Err(cx.leave("characters that came to Unicode lately"));
            }
            let mut quoted = String::with_capacity(text.len() + 2);
            write_python_repr(text.chars().map(u32::from), &mut quoted);
            out.push_str(&quoted);
        }
        Obj::Bytes(bytes) => bytes_repr(cx, bytes, out)?,
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) => elements(cx, value, ["[", "]"], out, depth)?,
        Obj::Tuple(_) | Obj::ConstTuple(_) => {
            let close = if ops::len(cx, value)? == 1 { ",)" } else { ")" };
            elements(cx, value, ["(", close], out, depth)?;
        }
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => dict(cx, value, out, depth)?,
        Obj::Set(_) | Obj::ConstSet(_) | Obj::ConstFrozenSet(_) => set(cx, value, out, depth)?,
        Obj::View(view) => {
            let name = match view.kind {
                ViewKind::Keys => "dict_keys",
                ViewKind::Values => "dict_values",
                ViewKind::Items => "dict_items",
            };
            out.push_str(name);
            elements(cx, value, ["([", "])"], out, depth)?;
        }
        Obj::Range(range) => {
            out.push_str(&format!("range({}, {}", range.start, range.stop));
            if range.step != 1 {
                out.push_str(&format!(", {}", range.step));
            }
            out.push(')');
        }
        Obj::Slice(parts) => {
            out.push_str("slice(");
            for (at, part) in parts.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write(cx, *part, out, depth + 1)?;
            }
            out.push(')');
        }
        Obj::Exception(error) => {
            let name = match error.user {
                Some(class) => &*cx.program.classes[class as usize].name,
                None => error.kind.name(),
            };
            out.push_str(name);
            elements(cx, Obj::Tuple(error.args), ["(", ")"], out, depth)?;
        }
        Obj::Type(_) => {
            let Some(name) = ops::class_name(cx, value) else {
                return Err(cx.leave("the text of a class"));
            };
            match value {
                Obj::Type(crate::types::Type::Exc(kind)) if kind.module() != "builtins" => {
                    return Err(cx.leave("the text of a class"));
                }
                Obj::Type(
                    crate::types::Type::User(_)
                    | crate::types::Type::DefaultDict
                    | crate::types::Type::OrderedDict
                    | crate::types::Type::Counter
                    | crate::types::Type::Native(_)
                    | crate::types::Type::Partial,
                ) => return Err(cx.leave("the text of a class")),
                _ => out.push_str(&format!("<class '{name}'>")),
            }
        }
        Obj::Native(native) => out.push_str(native.repr(cx)?),
        _ => return Err(cx.leave("a text that holds an address")),
    }
    cx.reserve(0)
}

fn elements<'a>(
    cx: &Cx<'a>,
    value: Obj<'a>,
    [open, close]: [&str; 2],
    out: &mut Text<'a>,
    depth: u32,
) -> R<'a, ()> {
    out.push_str(open);
    let mut state = iter::iter(cx, value)?;
    let mut first = true;
    while let Some(item) = state.next(cx)? {
        out.push_str(if first { "" } else { ", " });
        first = false;
        write(cx, item, out, depth + 1)?;
        check(cx, out)?;
    }
    out.push_str(close);
    Ok(())
}

fn dict<'a>(cx: &Cx<'a>, value: Obj<'a>, out: &mut Text<'a>, depth: u32) -> R<'a, ()> {
    if let Obj::Dict(dict) = value
        && !matches!(dict.kind, DictKind::Plain)
    {
        return of_collections(cx, value, dict, out, depth);
    }
    members(cx, value, out, depth)
}

/// The text of a dictionary of `collections`.
fn of_collections<'a>(
    cx: &Cx<'a>,
    value: Obj<'a>,
    dict: &'a Dict<'a>,
    out: &mut Text<'a>,
    depth: u32,
) -> R<'a, ()> {
    match dict.kind {
        DictKind::Default(factory) => {
            out.push_str("defaultdict(");
            write(cx, factory, out, depth + 1)?;
            out.push_str(", ");
            members(cx, value, out, depth)?;
        }
        DictKind::Counter if dict.is_empty() => out.push_str("Counter("),
        DictKind::Ordered if dict.is_empty() => out.push_str("OrderedDict("),
        DictKind::Counter => {
            // In order of the counts, which are integers where this is known.
            let pairs = crate::eval::call_method(cx, value, "most_common", &Args::positional(&[]))?;
            let sorted = Dict::of_kind(cx, DictKind::Plain);
            for pair in iter::collect(cx, pairs)? {
                if let Obj::Tuple([key, count]) = pair {
                    sorted.insert(cx, *key, *count)?;
                }
            }
            out.push_str("Counter(");
            members(cx, Obj::Dict(sorted), out, depth)?;
        }
        DictKind::Ordered if cx.program.version.minor >= 12 => {
            out.push_str("OrderedDict(");
            members(cx, value, out, depth)?;
        }
        DictKind::Ordered => {
            let items = iter::members(cx, value, ViewKind::Items).object(cx, "odict_iterator");
            elements(cx, items, ["OrderedDict([", "]"], out, depth)?;
        }
        DictKind::Plain => return members(cx, value, out, depth),
    }
    out.push(')');
    Ok(())
}

fn members<'a>(cx: &Cx<'a>, value: Obj<'a>, out: &mut Text<'a>, depth: u32) -> R<'a, ()> {
    out.push('{');
    let mut state = iter::iter(cx, value)?;
    let mut first = true;
    while let Some(key) = state.next(cx)? {
        out.push_str(if first { "" } else { ", " });
        first = false;
        write(cx, key, out, depth + 1)?;
        out.push_str(": ");
        let item = ops::dict_get(cx, value, key)?.unwrap_or(Obj::None);
        write(cx, item, out, depth + 1)?;
        check(cx, out)?;
    }
    out.push('}');
    Ok(())
}

fn set<'a>(cx: &Cx<'a>, value: Obj<'a>, out: &mut Text<'a>, depth: u32) -> R<'a, ()> {
    let frozen = match value {
        Obj::ConstFrozenSet(_) => true,
        Obj::Set(set) => set.frozen,
        _ => false,
    };
    match (ops::len(cx, value)?, frozen) {
        (0, false) => out.push_str("set()"),
        (0, true) => out.push_str("frozenset()"),
        (_, false) => elements(cx, value, ["{", "}"], out, depth)?,
        (_, true) => elements(cx, value, ["frozenset({", "})"], out, depth)?,
    }
    Ok(())
}

fn bytes_repr<'a>(cx: &Cx<'a>, bytes: &[u8], out: &mut Text<'a>) -> R<'a, ()> {
    cx.reserve(bytes.len().saturating_mul(4))?;
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            byte if char::from(*byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    Ok(())
}

/// The text so far counts against the limit.
fn check<'a>(cx: &Cx<'a>, out: &Text<'a>) -> R<'a, ()> {
    if out.len() > cx.limits.text_bytes {
        return Err(crate::cx::Raise::Limit(crate::cx::Limit::Memory));
    }
    cx.tick()
}
