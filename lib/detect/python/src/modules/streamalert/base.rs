//! `rules.helpers.base`: what StreamAlert's own repository offers its rules.

use bumpalo::collections::Vec as BumpVec;

use super::{function, normalize};
use crate::cx::{Cx, R, Raise};
use crate::eval;
use crate::iter;
use crate::modules::args::bind;
use crate::modules::{fnmatch, json};
use crate::obj::{Dict, List, Obj, ViewKind};
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn};
use crate::types::{ExcKind, Type};

const MODULE: &str = "rules.helpers.base";

/// All but those of paths, of GitHub's messages and of chance.
pub(super) static FUNCTIONS: &[BuiltinFn] = &[
    function(MODULE, "contains_any", contains_any),
    function(MODULE, "data_has_value", data_has_value),
    function(
        MODULE,
        "data_has_value_from_substring_list",
        data_has_value_from_substring_list,
    ),
    function(
        MODULE,
        "data_has_value_with_substring",
        data_has_value_with_substring,
    ),
    function(MODULE, "data_has_value_from_list", data_has_value_from_list),
    function(MODULE, "ends_with_any", ends_with_any),
    function(MODULE, "fetch_values_by_datatype", fetch_values_by_datatype),
    function(MODULE, "in_set", in_set),
    BuiltinFn {
        module: MODULE,
        name: "last_hour",
        call: last_hour,
        pure: false,
    },
    function(MODULE, "matches_any", matches_any),
    function(MODULE, "safe_json_loads", safe_json_loads),
    function(MODULE, "select_key", select_key),
    function(MODULE, "starts_with_any", starts_with_any),
];

/// Whether `text` is a text for which the method answers true with one of `needles`.
fn any_text<'a>(
    cx: &Cx<'a>,
    text: Option<Obj<'a>>,
    needles: Option<Obj<'a>>,
    test: fn(&str, &str) -> bool,
) -> R<'a> {
    let Obj::Str(text) = ops::resolve(cx, text.unwrap_or(Obj::None))? else {
        return Ok(Obj::Bool(false));
    };
    let mut needles = iter::iter(cx, needles.unwrap_or(Obj::None))?;
    while let Some(needle) = needles.next(cx)? {
        let Obj::Str(needle) = ops::resolve(cx, needle)? else {
            return Err(cx.leave("something other than texts to look for"));
        };
        if test(text, needle) {
            return Ok(Obj::Bool(true));
        }
    }
    Ok(Obj::Bool(false))
}

fn starts_with_any<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [text, needles] = bind(cx, args, ["text", "prefixes"], 2)?;
    any_text(cx, text, needles, |text, prefix| text.starts_with(prefix))
}

fn ends_with_any<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [text, needles] = bind(cx, args, ["text", "suffixes"], 2)?;
    any_text(cx, text, needles, |text, suffix| text.ends_with(suffix))
}

fn contains_any<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [text, needles] = bind(cx, args, ["text", "substrings"], 2)?;
    any_text(cx, text, needles, |text, part| text.contains(part))
}

/// Whether something matches one of these wildcard patterns.
fn any_match<'a>(cx: &Cx<'a>, value: Obj<'a>, patterns: Obj<'a>) -> R<'a, bool> {
    let mut patterns = iter::iter(cx, patterns)?;
    while let Some(pattern) = patterns.next(cx)? {
        if ops::truthy(cx, fnmatch::fnmatch(cx, &Args::positional(&[value, pattern]))?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn matches_any<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [text, patterns] = bind(cx, args, ["text", "patterns"], 2)?;
    match ops::resolve(cx, text.unwrap_or(Obj::None))? {
        text @ Obj::Str(_) => any_match(cx, text, patterns.unwrap_or(Obj::None)).map(Obj::Bool),
        _ => Ok(Obj::Bool(false)),
    }
}

fn in_set<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, patterns] = bind(cx, args, ["data", "whitelist"], 2)?;
    any_match(cx, data.unwrap_or(Obj::None), patterns.unwrap_or(Obj::None)).map(Obj::Bool)
}

fn data_has_value_from_list<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, patterns] = bind(cx, args, ["data", "needle_list"], 2)?;
    let patterns = patterns.unwrap_or(Obj::None);
    let test = |leaf| match leaf {
        Obj::Str("") => Ok(false),
        Obj::Str(_) => any_match(cx, leaf, patterns),
        _ => Ok(false),
    };
    any_leaf(cx, data.unwrap_or(Obj::None), &test).map(Obj::Bool)
}

fn safe_json_loads<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data] = bind(cx, args, ["data"], 1)?;
    let Some(Const::Builtin(loads)) = json::lookup("loads") else {
        return Err(cx.leave("json.loads is not known"));
    };
    match (loads.call)(cx, &Args::positional(&[data.unwrap_or(Obj::None)])) {
        Err(Raise::Exception(exception)) if exception.kind.is_subclass(ExcKind::ValueError) => {
            Ok(Dict::empty(cx))
        }
        other => other,
    }
}

fn last_hour<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [time, hours] = bind(cx, args, ["unixtime", "hours"], 1)?;
    let time = ops::resolve(cx, time.unwrap_or(Obj::None))?;
    if !ops::truthy(cx, time)? {
        return Ok(Obj::Bool(false));
    }
    let hours = match hours {
        None => 1,
        Some(Obj::Int(hours)) => hours,
        Some(_) => return Err(cx.leave("hours that are no integer")),
    };
    let time = match crate::builtins::construct(cx, Type::Int, &Args::positional(&[time]))? {
        Obj::Int(time) => time,
        _ => return Err(cx.leave("a time beyond 64 bits")),
    };
    // `int` cuts towards zero, and the time is after 1970.
    let now = (cx.env.now_micros)() / 1_000_000;
    let recent = i128::from(now) - i128::from(time) <= i128::from(hours) * 3600;
    Ok(Obj::Bool(recent))
}

/// Goes through what is no container, anywhere within `data`, until `test` is true. The classes of containers that
/// CPython would go into are those that a record has.
fn any_leaf<'a>(cx: &Cx<'a>, data: Obj<'a>, test: &dyn Fn(Obj<'a>) -> R<'a, bool>) -> R<'a, bool> {
    let data = ops::resolve(cx, data)?;
    let mut items = match data {
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => iter::members(cx, data, ViewKind::Values),
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) => iter::iter(cx, data)?,
        leaf => return test(leaf),
    };
    ops::nested(cx, || {
        while let Some(item) = items.next(cx)? {
            if any_leaf(cx, item, test)? {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

fn data_has_value<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, wanted] = bind(cx, args, ["data", "search_value"], 2)?;
    let wanted = wanted.unwrap_or(Obj::None);
    any_leaf(cx, data.unwrap_or(Obj::None), &|leaf| ops::eq(cx, leaf, wanted)).map(Obj::Bool)
}

fn data_has_value_with_substring<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, part] = bind(cx, args, ["data", "search_value"], 2)?;
    let part = part.unwrap_or(Obj::None);
    let test = |leaf| match leaf {
        Obj::Str(_) => ops::contains(cx, leaf, part),
        _ => Ok(false),
    };
    any_leaf(cx, data.unwrap_or(Obj::None), &test).map(Obj::Bool)
}

fn data_has_value_from_substring_list<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, needles] = bind(cx, args, ["data", "needle_list"], 2)?;
    let needles = needles.unwrap_or(Obj::None);
    let test = |leaf| {
        if !ops::truthy(cx, leaf)? {
            return Ok(false);
        }
        let mut needles = iter::iter(cx, needles)?;
        while let Some(needle) = needles.next(cx)? {
            if ops::contains(cx, leaf, needle)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    any_leaf(cx, data.unwrap_or(Obj::None), &test).map(Obj::Bool)
}

fn fetch_values_by_datatype<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [record, datatype] = bind(cx, args, ["rec", "datatype"], 2)?;
    let found = normalize::of_type(cx, record.unwrap_or(Obj::None), datatype.unwrap_or(Obj::None))?;
    if !ops::truthy(cx, found)? {
        return Ok(List::object(cx, BumpVec::new_in(cx.bump)));
    }
    Ok(List::object(cx, iter::collect(cx, found)?))
}

fn select_key<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [data, key, results] = bind(cx, args, ["data", "search_key", "results"], 2)?;
    let results = match results {
        None | Some(Obj::None) => List::object(cx, BumpVec::new_in(cx.bump)),
        Some(results) => results,
    };
    select(cx, data.unwrap_or(Obj::None), key.unwrap_or(Obj::None), results)?;
    Ok(results)
}

fn select<'a>(cx: &Cx<'a>, data: Obj<'a>, key: Obj<'a>, results: Obj<'a>) -> R<'a, ()> {
    let data = ops::resolve(cx, data)?;
    match data {
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) => ops::nested(cx, || {
            let mut items = iter::iter(cx, data)?;
            while let Some(item) = items.next(cx)? {
                select(cx, item, key, results)?;
            }
            Ok(())
        }),
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => ops::nested(cx, || {
            let mut members = iter::members(cx, data, ViewKind::Items);
            while let Some(pair) = members.next(cx)? {
                let Obj::Tuple([name, value]) = pair else {
                    continue;
                };
                let value = ops::resolve(cx, *value)?;
                if is_container(value) {
                    select(cx, value, key, results)?;
                } else if ops::eq(cx, *name, key)? {
                    eval::call_method(cx, results, "append", &Args::positional(&[value]))?;
                }
            }
            Ok(())
        }),
        _ => Ok(()),
    }
}

fn is_container(value: Obj<'_>) -> bool {
    matches!(
        value,
        Obj::NodeDict(_)
            | Obj::ConstDict(_)
            | Obj::Dict(_)
            | Obj::NodeList(_)
            | Obj::ConstList(_)
            | Obj::List(_)
    )
}
