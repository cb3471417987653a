//! A rule's context: a fresh copy of its initial value before, JSON after.

use streamalert_value::{Map, Value, float_repr};

use crate::cx::{Cx, R, Raise};
use crate::obj::{Dict, List, Obj, Set};
use crate::program::{Const, ConstId};
use crate::types::ExcKind;
use crate::{iter, ops, text};

/// Nesting of contexts: `json.dumps` ends at CPython's recursion limit, which nobody reaches on purpose.
const DEPTH_MAX: u32 = 200;

/// `copy.deepcopy` of a constant.
pub(super) fn thaw<'a>(cx: &Cx<'a>, id: ConstId) -> R<'a> {
    let mut known = Vec::new();
    thaw_at(cx, id, &mut known, 0)
}

fn thaw_at<'a>(cx: &Cx<'a>, id: ConstId, known: &mut Vec<(ConstId, Obj<'a>)>, depth: u32) -> R<'a> {
    if depth > DEPTH_MAX {
        return Err(cx.leave("a context nested very deep"));
    }
    if let Some((_, object)) = known.iter().find(|(seen, _)| *seen == id) {
        return Ok(*object);
    }
    let object = match &cx.program.consts[id as usize] {
        Const::Dict(dict) => {
            let object = Dict::empty(cx);
            known.push((id, object));
            for (_, key, value) in &dict.entries {
                let key = thaw_at(cx, *key, known, depth + 1)?;
                let value = thaw_at(cx, *value, known, depth + 1)?;
                ops::set_item(cx, object, key, value)?;
            }
            return Ok(object);
        }
        Const::List(seq) => {
            let object = List::object(cx, bumpalo::collections::Vec::new_in(cx.bump));
            known.push((id, object));
            for item in &seq.items {
                let item = thaw_at(cx, *item, known, depth + 1)?;
                if let Obj::List(list) = object {
                    list.items.borrow_mut().push(item);
                }
            }
            return Ok(object);
        }
        Const::Set(set) => {
            let mut items = bumpalo::collections::Vec::new_in(cx.bump);
            for (_, item) in &set.entries {
                items.push(cx.constant(*item));
            }
            Set::object(cx, items, false)?
        }
        Const::Tuple(seq) if seq.items.iter().any(|item| is_container(cx, *item)) => {
            let mut items = bumpalo::collections::Vec::new_in(cx.bump);
            for item in &seq.items {
                items.push(thaw_at(cx, *item, known, depth + 1)?);
            }
            Obj::Tuple(items.into_bump_slice())
        }
        _ => crate::eval::constant(cx, id)?,
    };
    known.push((id, object));
    Ok(object)
}

fn is_container(cx: &Cx<'_>, id: ConstId) -> bool {
    matches!(
        cx.program.consts[id as usize],
        Const::Dict(_) | Const::List(_) | Const::Set(_) | Const::Tuple(_)
    )
}

/// The context as JSON, as CPython workers write it: `json.dumps(context, default=list or str, skipkeys=True)`; an
/// empty dictionary when it is none.
pub(super) fn to_value<'a>(cx: &Cx<'a>, context: Obj<'a>) -> R<'a, Value> {
    match value_of(cx, context, 0) {
        Ok(value) => Ok(value),
        // Circular, or not iterable after all: left out of the alert.
        Err(Raise::Exception(_)) => Ok(Value::Map(Map::new())),
        Err(raise) => Err(raise),
    }
}

fn value_of<'a>(cx: &Cx<'a>, value: Obj<'a>, depth: u32) -> R<'a, Value> {
    cx.tick()?;
    if depth > DEPTH_MAX {
        return Err(cx.raise(
            ExcKind::RecursionError,
            format_args!("a context nested very deep"),
        ));
    }
    Ok(match value {
        Obj::None => Value::Null,
        Obj::Bool(flag) => Value::Bool(flag),
        Obj::Int(number) => Value::Int(number),
        Obj::Big(_) => {
            let digits = text::repr(cx, value)?;
            Value::BigInt(digits.into())
        }
        Obj::Float(float) => Value::Float(float),
        Obj::Str(text) => Value::Str(text.to_owned()),
        Obj::NodeDict(index) | Obj::NodeList(index) => cx.node(index).to_value(),
        Obj::List(_) | Obj::ConstList(_) | Obj::Tuple(_) | Obj::ConstTuple(_) => list_of(cx, value, depth)?,
        Obj::Dict(_) | Obj::ConstDict(_) => map_of(cx, value, depth)?,
        Obj::Function(_) | Obj::Closure(_) | Obj::Builtin(_) | Obj::BuiltinMethod(_) | Obj::Method(_) => {
            return Err(cx.leave("a function within the context"));
        }
        _ => match iter::iter(cx, value) {
            Ok(_) => list_of(cx, value, depth)?,
            Err(Raise::Exception(_)) => Value::Str(text::str(cx, value)?.to_owned()),
            Err(raise) => return Err(raise),
        },
    })
}

fn list_of<'a>(cx: &Cx<'a>, value: Obj<'a>, depth: u32) -> R<'a, Value> {
    let mut items = Vec::new();
    for item in iter::collect(cx, value)? {
        items.push(value_of(cx, item, depth + 1)?);
    }
    Ok(Value::List(items))
}

fn map_of<'a>(cx: &Cx<'a>, dict: Obj<'a>, depth: u32) -> R<'a, Value> {
    let mut map = Map::new();
    for key in iter::collect(cx, dict)? {
        let name = match key {
            Obj::Str(text) => text.to_owned(),
            Obj::None => "null".to_owned(),
            Obj::Bool(flag) => flag.to_string(),
            Obj::Int(number) => number.to_string(),
            Obj::Big(_) => text::repr(cx, key)?.to_owned(),
            Obj::Float(float) => match float {
                _ if float.is_nan() => "NaN".to_owned(),
                f64::INFINITY => "Infinity".to_owned(),
                f64::NEG_INFINITY => "-Infinity".to_owned(),
                _ => float_repr(float),
            },
            _ => continue,
        };
        if let Some(value) = ops::dict_get(cx, dict, key)? {
            let value = value_of(cx, value, depth + 1)?;
            map.insert(name, value);
        }
    }
    Ok(Value::Map(map))
}
