//! Queries: taken apart and put together.

use bumpalo::collections::Vec as BumpVec;

use super::quote::{default_codec, quoted, safe_text, unquoted_plus};
use super::{is_early, is_plain, text};
use crate::cx::{Cx, R};
use crate::iter::{self, members};
use crate::modules::args::bind;
use crate::obj::{Dict, List, Obj, ViewKind};
use crate::ops;
use crate::registry::Args;
use crate::text as shown;

const NAMES: [&str; 7] = [
    "qs",
    "keep_blank_values",
    "strict_parsing",
    "encoding",
    "errors",
    "max_num_fields",
    "separator",
];

/// `parse_qsl(qs, keep_blank_values=False, strict_parsing=False, …, separator='&')`
pub(super) fn parse_qsl<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let mut items = BumpVec::new_in(cx.bump);
    for (name, value) in pairs(cx, args)? {
        items.push(Obj::Tuple(cx.bump.alloc([Obj::Str(name), Obj::Str(value)])));
    }
    Ok(List::object(cx, items))
}

/// `parse_qs(…)`: the values of each name in a list.
pub(super) fn parse_qs<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let made = Dict::empty(cx);
    let Obj::Dict(dict) = made else {
        return Ok(made);
    };
    for (name, value) in pairs(cx, args)? {
        match dict.get(cx, Obj::Str(name))? {
            Some(Obj::List(list)) => list.items.borrow_mut().push(Obj::Str(value)),
            _ => {
                let mut values = BumpVec::new_in(cx.bump);
                values.push(Obj::Str(value));
                dict.insert(cx, Obj::Str(name), List::object(cx, values))?;
            }
        }
    }
    Ok(made)
}

fn pairs<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a, BumpVec<'a, (&'a str, &'a str)>> {
    let [query, blank, strict, encoding, errors, most, separator] = bind(cx, args, NAMES, 1)?;
    default_codec(cx, [encoding, errors])?;
    if !matches!(most, None | Some(Obj::None)) {
        return Err(cx.leave("a limit of the fields of a query"));
    }
    let flag = |value: Option<Obj<'a>>| value.map_or(Ok(false), |value| ops::truthy(cx, value));
    let (blank, strict) = (flag(blank)?, flag(strict)?);
    let separator = match separator {
        None => "&",
        Some(separator) => match text(cx, separator)? {
            Some(separator) if !separator.is_empty() => separator,
            _ => return Err(cx.leave("an unusual separator of a query")),
        },
    };
    let mut found = BumpVec::new_in(cx.bump);
    let query = ops::resolve(cx, query.unwrap_or(Obj::None))?;
    let Obj::Str(query) = query else {
        if is_plain(query) && !ops::truthy(cx, query)? {
            return Ok(found);
        }
        return Err(cx.leave("a query that is no text"));
    };
    if query.contains(';') && is_early(cx) {
        return Err(cx.leave("a query with semicolons, in an early release"));
    }
    cx.reserve(query.len())?;
    if query.is_empty() {
        // Before 3.11 the empty query had one part, which was empty; 3.13 asks first as well.
        if strict && cx.program.version.minor < 11 {
            return Err(cx.value_error(format_args!("bad query field: ''")));
        }
        if strict && is_early(cx) {
            return Err(cx.leave("an empty query, in an early release"));
        }
        return Ok(found);
    }
    for part in query.split(separator) {
        cx.tick()?;
        match part.split_once('=') {
            None if strict => {
                let part = shown::repr(cx, Obj::Str(part))?;
                return Err(cx.value_error(format_args!("bad query field: {part}")));
            }
            None if blank && !part.is_empty() => found.push((unquoted_plus(cx, part)?, "")),
            Some((name, value)) if blank || !value.is_empty() => {
                found.push((unquoted_plus(cx, name)?, unquoted_plus(cx, value)?));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// `urlencode(query, doseq=False, safe='', encoding=None, errors=None)`
pub(super) fn urlencode<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [query, each, safe, encoding, errors] =
        bind(cx, args, ["query", "doseq", "safe", "encoding", "errors"], 1)?;
    default_codec(cx, [encoding, errors])?;
    let safe = safe_text(cx, safe, "")?;
    let each = match each {
        None => false,
        Some(each) => ops::truthy(cx, each)?,
    };
    let query = ops::resolve(cx, query.unwrap_or(Obj::None))?;
    let mut out = bumpalo::collections::String::new_in(cx.bump);
    let mut parts = elements(cx, query)?;
    while let Some(pair) = parts.next(cx)? {
        let [key, value] = iter::collect(cx, pair_of(cx, pair)?)?[..] else {
            return Err(cx.leave("a query of other things than pairs"));
        };
        let key = encoded(cx, key, safe)?;
        let mut add = |value: &str| -> R<'a, ()> {
            cx.reserve(out.len() + key.len() + value.len())?;
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(key);
            out.push('=');
            out.push_str(value);
            Ok(())
        };
        match ops::resolve(cx, value)? {
            values @ (Obj::NodeList(_)
            | Obj::List(_)
            | Obj::ConstList(_)
            | Obj::Tuple(_)
            | Obj::ConstTuple(_)
            | Obj::NodeDict(_)
            | Obj::ConstDict(_)
            | Obj::Dict(_))
                if each =>
            {
                let mut values = iter::iter(cx, values)?;
                while let Some(value) = values.next(cx)? {
                    add(encoded(cx, value, safe)?)?;
                }
            }
            value if each && !is_plain(value) && !matches!(value, Obj::Str(_) | Obj::Bytes(_)) => {
                return Err(cx.leave("a query with an unusual value"));
            }
            value => add(encoded(cx, value, safe)?)?,
        }
    }
    Ok(Obj::Str(out.into_bump_str()))
}

fn pair_of<'a>(cx: &Cx<'a>, pair: Obj<'a>) -> R<'a> {
    match pair {
        Obj::Tuple(_) | Obj::ConstTuple(_) | Obj::NodeList(_) | Obj::List(_) | Obj::ConstList(_) => Ok(pair),
        _ => Err(cx.leave("a query of other things than pairs")),
    }
}

/// What a query consists of: members of a dictionary, or tuples.
fn elements<'a>(cx: &Cx<'a>, query: Obj<'a>) -> R<'a, iter::IterState<'a>> {
    let first_is_tuple = match query {
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => {
            return Ok(members(cx, query, ViewKind::Items));
        }
        Obj::NodeList(_) | Obj::List(_) | Obj::ConstList(_) | Obj::Tuple(_) | Obj::ConstTuple(_) => {
            match iter::IterState::sequence(cx, query).next(cx)? {
                None | Some(Obj::Tuple(_) | Obj::ConstTuple(_)) => true,
                Some(Obj::Native(_)) => return Err(cx.leave("a query of objects")),
                Some(_) => false,
            }
        }
        Obj::Str(text) => text.is_empty(),
        _ if is_plain(query) => false,
        _ => return Err(cx.leave("a query of an unusual type")),
    };
    if first_is_tuple {
        return iter::iter(cx, query);
    }
    Err(cx.type_error(format_args!("not a valid non-string sequence or mapping object")))
}

/// A key or value: bytes as they are, anything else as text.
fn encoded<'a>(cx: &Cx<'a>, value: Obj<'a>, safe: &str) -> R<'a, &'a str> {
    let value = match ops::resolve(cx, value)? {
        value @ Obj::Bytes(_) => value,
        value => Obj::Str(shown::str(cx, value)?),
    };
    match quoted(cx, value, safe, true)? {
        Obj::Str(text) => Ok(text),
        _ => Err(cx.leave("a query with an unusual value")),
    }
}
