//! `copy`, of plain things.

use std::collections::HashMap;

use bumpalo::collections::Vec as BumpVec;

use crate::builtins::only;
use crate::cx::{Cx, R};
use crate::eval;
use crate::iter;
use crate::obj::{Dict, DictKind, List, Obj, Set};
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, BuiltinFn};

/// Containers within each other; CPython's own limit differs by version.
const DEPTH_MAX: u32 = 200;

static FUNCTIONS: &[BuiltinFn] = &[
    BuiltinFn {
        module: "copy",
        name: "copy",
        call: copy,
        pure: true,
    },
    BuiltinFn {
        module: "copy",
        name: "deepcopy",
        call: deepcopy,
        pure: true,
    },
];

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    super::function(FUNCTIONS, name)
}

/// Whether a copy is the thing itself.
fn is_atom(value: Obj<'_>) -> bool {
    matches!(
        value,
        Obj::None
            | Obj::Ellipsis
            | Obj::NotImplemented
            | Obj::Bool(_)
            | Obj::Int(_)
            | Obj::Big(_)
            | Obj::Float(_)
            | Obj::Str(_)
            | Obj::Bytes(_)
            | Obj::Function(_)
            | Obj::Closure(_)
            | Obj::Type(_)
            | Obj::Class(_)
            | Obj::NativeClass(_)
            | Obj::Regex(_)
    )
}

fn copy<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let value = ops::resolve(cx, only(cx, args)?)?;
    match value {
        _ if is_atom(value) => Ok(value),
        Obj::Tuple(_) | Obj::ConstTuple(_) | Obj::ConstFrozenSet(_) => Ok(value),
        Obj::NodeList(_)
        | Obj::NodeDict(_)
        | Obj::ConstList(_)
        | Obj::ConstDict(_)
        | Obj::ConstSet(_)
        | Obj::List(_)
        | Obj::Dict(_)
        | Obj::Set(_) => eval::call_method(cx, value, "copy", &Args::positional(&[])),
        _ => Err(cx.leave("a copy of such an object")),
    }
}

fn deepcopy<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    deep(cx, only(cx, args)?, &mut HashMap::new(), 0)
}

/// What tells a container from others: which kind, and its number or address.
type Identity = (u8, usize);

fn identity(value: Obj<'_>) -> Option<Identity> {
    fn address<T>(at: &T) -> usize {
        std::ptr::from_ref(at) as usize
    }
    Some(match value {
        Obj::NodeList(node) | Obj::NodeDict(node) => (0, node as usize),
        Obj::ConstList(seq) | Obj::ConstTuple(seq) => (1, address(seq)),
        Obj::ConstDict(dict) => (2, address(dict)),
        Obj::ConstSet(set) => (3, address(set)),
        Obj::List(list) => (4, address(list)),
        Obj::Dict(dict) => (5, address(dict)),
        Obj::Set(set) => (6, address(set)),
        // An empty tuple has no address of its own, and needs none.
        Obj::Tuple(items) if !items.is_empty() => (7, items.as_ptr() as usize),
        _ => return None,
    })
}

fn deep<'a>(cx: &Cx<'a>, value: Obj<'a>, known: &mut HashMap<Identity, Obj<'a>>, depth: u32) -> R<'a> {
    cx.tick()?;
    let value = ops::resolve(cx, value)?;
    if is_atom(value) {
        return Ok(value);
    }
    if depth > DEPTH_MAX {
        return Err(cx.leave("a copy of something nested very deep"));
    }
    let identity = identity(value);
    if let Some(copied) = identity.and_then(|identity| known.get(&identity)) {
        return Ok(*copied);
    }
    let mut keep = |copied| {
        if let Some(identity) = identity {
            known.insert(identity, copied);
        }
    };
    match value {
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) => {
            let copied = List::object(cx, BumpVec::new_in(cx.bump));
            keep(copied);
            for item in iter::collect(cx, value)? {
                let item = deep(cx, item, known, depth + 1)?;
                if let Obj::List(list) = copied {
                    list.items.borrow_mut().push(item);
                }
            }
            Ok(copied)
        }
        Obj::Dict(dict) if !matches!(dict.kind, DictKind::Plain) => {
            Err(cx.leave("a deep copy of a dictionary of collections"))
        }
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => {
            let copied = Dict::empty(cx);
            keep(copied);
            for key in iter::collect(cx, value)? {
                if let Some(item) = ops::dict_get(cx, value, key)? {
                    let key = deep(cx, key, known, depth + 1)?;
                    let item = deep(cx, item, known, depth + 1)?;
                    ops::set_item(cx, copied, key, item)?;
                }
            }
            Ok(copied)
        }
        Obj::Tuple(_) | Obj::ConstTuple(_) => {
            let items = iter::collect(cx, value)?;
            let mut copied = BumpVec::with_capacity_in(items.len(), cx.bump);
            let mut same = true;
            for item in &items {
                let new = deep(cx, *item, known, depth + 1)?;
                same &= is_atom(new) || are_one(*item, new);
                copied.push(new);
            }
            Ok(if same {
                value
            } else {
                Obj::Tuple(copied.into_bump_slice())
            })
        }
        Obj::ConstSet(set) => {
            let mut items = BumpVec::new_in(cx.bump);
            for (_, item) in &set.entries {
                let item = cx.constant(*item);
                if !is_atom(item) {
                    return Err(cx.leave("a deep copy of such a set"));
                }
                items.push(item);
            }
            Set::object(cx, items, false)
        }
        _ => Err(cx.leave("a deep copy of such an object")),
    }
}

/// Whether two containers are one.
fn are_one(one: Obj<'_>, two: Obj<'_>) -> bool {
    let one = identity(one);
    one.is_some() && one == identity(two)
}
