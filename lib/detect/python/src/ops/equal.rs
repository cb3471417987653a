//! Identity and equality.

use std::cmp::Ordering;

use super::{big, map, setlike};
use crate::cx::{Cx, R};
use crate::iter::IterState;
use crate::obj::{DictKind, Obj};

/// `a is b`. Falls back where CPython's answer rests on interning or caching (texts, numbers, empty tuples).
///
/// # Errors
/// The fallback.
#[inline]
pub fn is<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    match (a, b) {
        (Obj::Bool(a), Obj::Bool(b)) => Ok(a == b),
        (Obj::None, Obj::None) => Ok(true),
        (Obj::Const(_), _) | (_, Obj::Const(_)) => consts(cx, a, b),
        (Obj::None | Obj::Bool(_), _) | (_, Obj::None | Obj::Bool(_)) => Ok(false),
        _ => match identical(a, b) {
            Some(same) => Ok(same),
            None => Err(cx.leave("the identity of equal constants")),
        },
    }
}

#[cold]
fn consts<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if let (Obj::Const(a), Obj::Const(b)) = (a, b)
        && a == b
    {
        return Ok(true);
    }
    let (a, b) = (super::resolve(cx, a)?, super::resolve(cx, b)?);
    match (a, b) {
        (Obj::None | Obj::Bool(_), _) | (_, Obj::None | Obj::Bool(_)) => Ok(false),
        _ => Err(cx.leave("the identity of a constant")),
    }
}

/// Whether two objects are one; `None` where that is CPython's secret.
fn identical<'a>(a: Obj<'a>, b: Obj<'a>) -> Option<bool> {
    use std::ptr::eq;
    Some(match (a, b) {
        (Obj::None, Obj::None)
        | (Obj::Ellipsis, Obj::Ellipsis)
        | (Obj::NotImplemented, Obj::NotImplemented) => true,
        (Obj::Bool(a), Obj::Bool(b)) => a == b,
        (Obj::Int(a), Obj::Int(b)) if a != b => false,
        // Small ones exist once.
        (Obj::Int(a), Obj::Int(_)) if (-5..=256).contains(&a) => true,
        (Obj::Big(a), Obj::Big(b)) if a.0 != b.0 => false,
        (Obj::Float(a), Obj::Float(b)) if a.to_bits() != b.to_bits() => false,
        (Obj::Str(a), Obj::Str(b)) if a != b => false,
        (Obj::Str(""), Obj::Str(_)) => true,
        (Obj::Bytes(a), Obj::Bytes(b)) if a != b => false,
        (Obj::Int(_), Obj::Int(_))
        | (Obj::Big(_), Obj::Big(_))
        | (Obj::Float(_), Obj::Float(_))
        | (Obj::Str(_), Obj::Str(_))
        | (Obj::Bytes(_), Obj::Bytes(_)) => return None,
        (Obj::NodeList(a), Obj::NodeList(b)) | (Obj::NodeDict(a), Obj::NodeDict(b)) => a == b,
        (Obj::ConstList(a), Obj::ConstList(b)) => eq(a, b),
        (Obj::ConstTuple(a), Obj::ConstTuple(b)) if a.items.len() == b.items.len() => {
            return eq(a, b).then_some(true);
        }
        (Obj::ConstDict(a), Obj::ConstDict(b)) => eq(a, b),
        (Obj::ConstSet(a), Obj::ConstSet(b)) => eq(a, b),
        (Obj::ConstFrozenSet(a), Obj::ConstFrozenSet(b)) => return eq(a, b).then_some(true),
        (Obj::Tuple(a), Obj::Tuple(b)) => a.len() == b.len() && (a.is_empty() || eq(a, b)),
        (Obj::Tuple(a), Obj::ConstTuple(b)) | (Obj::ConstTuple(b), Obj::Tuple(a)) => {
            a.is_empty() && b.items.is_empty()
        }
        (Obj::List(a), Obj::List(b)) => eq(a, b),
        (Obj::Dict(a), Obj::Dict(b)) => eq(a, b),
        (Obj::Set(a), Obj::Set(b)) if a.frozen && b.frozen && !eq(a, b) => {
            return (a.inner.borrow().live != b.inner.borrow().live).then_some(false);
        }
        (Obj::Set(a), Obj::Set(b)) => eq(a, b),
        (Obj::Set(a), Obj::ConstFrozenSet(_)) | (Obj::ConstFrozenSet(_), Obj::Set(a)) if a.frozen => {
            return None;
        }
        (Obj::Range(a), Obj::Range(b)) => eq(a, b),
        (Obj::Slice(a), Obj::Slice(b)) => eq(a, b),
        (Obj::View(a), Obj::View(b)) => eq(a, b),
        (Obj::Iter(a), Obj::Iter(b)) => eq(a, b),
        (Obj::Function(a), Obj::Function(b)) => a.id == b.id,
        (Obj::Closure(a), Obj::Closure(b)) => eq(a, b),
        (Obj::Method(a), Obj::Method(b)) => eq(a, b),
        (Obj::BuiltinMethod(a), Obj::BuiltinMethod(b)) => eq(a, b),
        (Obj::ConstPartial(a), Obj::ConstPartial(b)) => eq(a, b),
        (Obj::Builtin(a), Obj::Builtin(b)) => a.module == b.module && a.name == b.name,
        (
            Obj::Type(_) | Obj::Class(_) | Obj::NativeClass(_),
            Obj::Type(_) | Obj::Class(_) | Obj::NativeClass(_),
        ) => same_class(a, b),
        (Obj::Module(a), Obj::Module(b)) => a == b,
        (Obj::Exception(a), Obj::Exception(b)) => eq(a, b),
        // `re.compile` answers the same object for the same pattern.
        (Obj::Regex(a), Obj::Regex(b)) if a.pattern != b.pattern || a.flags != b.flags => false,
        (Obj::Regex(a), Obj::Regex(b)) => return eq(a, b).then_some(true),
        // Singletons of modules are made more than once here.
        (Obj::Native(a), Obj::Native(b)) => {
            let (x, y) = (a.class(), b.class());
            if std::ptr::addr_eq(a, b) || a.user_class().is_some() || b.user_class().is_some() {
                std::ptr::addr_eq(a, b)
            } else if x.name != y.name || x.module != y.module {
                false
            } else {
                return None;
            }
        }
        _ => false,
    })
}

fn same_class<'a>(a: Obj<'a>, b: Obj<'a>) -> bool {
    use crate::types::Type;
    let class = |value| match value {
        Obj::Class(class) => Type::User(class),
        Obj::NativeClass(class) => Type::Native(class),
        Obj::Type(class) => class,
        _ => Type::Object,
    };
    class(a) == class(b)
}

/// `a == b`.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn eq<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    match (a, b) {
        (Obj::Str(a), Obj::Str(b)) => Ok(a == b),
        (Obj::Int(a), Obj::Int(b)) => Ok(a == b),
        (Obj::None, Obj::None) => Ok(true),
        (Obj::None, Obj::Str(_)) | (Obj::Str(_), Obj::None) => Ok(false),
        (Obj::Bool(a), Obj::Bool(b)) => Ok(a == b),
        _ => slow(cx, a, b),
    }
}

/// `a is b or a == b`, as containers compare their elements.
///
/// # Errors
/// What Python raises; falls back on NaN, whose identity is not kept.
#[inline]
pub fn same_or_eq<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    match (a, b) {
        (Obj::Str(a), Obj::Str(b)) => Ok(a == b),
        (Obj::Int(a), Obj::Int(b)) => Ok(a == b),
        _ => same_or_eq_slow(cx, a, b),
    }
}

#[cold]
fn same_or_eq_slow<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if let (Obj::Float(x), Obj::Float(y)) = (a, b)
        && x.is_nan()
        && x.to_bits() == y.to_bits()
    {
        return Err(cx.leave("the identity of NaN"));
    }
    if identical(a, b) == Some(true) {
        return Ok(true);
    }
    eq(cx, a, b)
}

#[cold]
fn slow<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if let (Obj::Const(_), _) | (_, Obj::Const(_)) = (a, b) {
        return slow(cx, super::resolve(cx, a)?, super::resolve(cx, b)?);
    }
    if let (Obj::Native(_), _) | (_, Obj::Native(_)) = (a, b) {
        return natives(cx, a, b);
    }
    if let Some(order) = big::compare_numbers(a, b) {
        return Ok(order == Some(Ordering::Equal));
    }
    if is_sequence(a) && is_sequence(b) {
        return sequences(cx, a, b);
    }
    if setlike::is(a) && setlike::is(b) {
        return super::nested(cx, || setlike::equal(cx, a, b));
    }
    Ok(match (a, b) {
        (Obj::Str(a), Obj::Str(b)) => a == b,
        (Obj::Bytes(a), Obj::Bytes(b)) => a == b,
        (
            Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_),
            Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_),
        ) => return super::nested(cx, || dicts(cx, a, b)),
        (Obj::Range(a), Obj::Range(b)) => {
            let count = a.count();
            count == b.count() && (count == 0 || a.start == b.start) && (count < 2 || a.step == b.step)
        }
        (Obj::Slice(a), Obj::Slice(b)) => {
            for (x, y) in a.iter().zip(b) {
                if !same_or_eq(cx, *x, *y)? {
                    return Ok(false);
                }
            }
            true
        }
        (Obj::Method(_), Obj::Method(_)) | (Obj::BuiltinMethod(_), Obj::BuiltinMethod(_)) => {
            return Err(cx.leave("bound methods compared"));
        }
        (Obj::Class(_), other) | (other, Obj::Class(_)) => {
            if !matches!(other, Obj::Class(_)) && super::class_name(cx, other).is_none() {
                return Ok(false);
            }
            same_class(a, b)
        }
        _ => match identical(a, b) {
            Some(same) => same,
            None => return Err(cx.leave("two objects compared")),
        },
    })
}

fn is_sequence(value: Obj<'_>) -> bool {
    matches!(
        value,
        Obj::NodeList(_) | Obj::ConstList(_) | Obj::List(_) | Obj::Tuple(_) | Obj::ConstTuple(_)
    )
}

fn is_tuple(value: Obj<'_>) -> bool {
    matches!(value, Obj::Tuple(_) | Obj::ConstTuple(_))
}

fn natives<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if let Obj::Native(native) = a
        && let Some(answer) = native.eq(cx, b)?
    {
        return Ok(answer);
    }
    if let Obj::Native(native) = b
        && let Some(answer) = native.eq(cx, a)?
    {
        return Ok(answer);
    }
    let (x, y) = (as_tuple(a), as_tuple(b));
    if is_tuple(x) && is_tuple(y) {
        return sequences(cx, x, y);
    }
    Ok(match (a, b) {
        (Obj::Native(a), Obj::Native(b)) => std::ptr::addr_eq(a, b),
        _ => false,
    })
}

/// A named tuple as the tuple that it is; anything else as it is.
#[must_use]
pub fn as_tuple(value: Obj<'_>) -> Obj<'_> {
    match value {
        Obj::Native(native) => native.as_tuple().map_or(value, Obj::Tuple),
        value => value,
    }
}

fn sequences<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    if is_tuple(a) != is_tuple(b) {
        return Ok(false);
    }
    super::nested(cx, || {
        if super::len(cx, a)? != super::len(cx, b)? {
            return Ok(false);
        }
        let (mut left, mut right) = (IterState::sequence(cx, a), IterState::sequence(cx, b));
        loop {
            match (left.next(cx)?, right.next(cx)?) {
                (Some(x), Some(y)) if same_or_eq(cx, x, y)? => {}
                (Some(_), Some(_)) => return Ok(false),
                _ => return Ok(true),
            }
        }
    })
}

fn dicts<'a>(cx: &Cx<'a>, a: Obj<'a>, b: Obj<'a>) -> R<'a, bool> {
    let kind = |value| match value {
        Obj::Dict(dict) => dict.kind,
        _ => DictKind::Plain,
    };
    match (kind(a), kind(b)) {
        (DictKind::Counter, DictKind::Counter) if cx.program.version.minor >= 10 => {
            return super::counter::equal(cx, a, b);
        }
        _ => {}
    }
    if super::len(cx, a)? != super::len(cx, b)? {
        return Ok(false);
    }
    let mut members = map::Members::of(cx, a);
    while let Some((key, value)) = members.next(cx)? {
        match super::dict_get(cx, b, key)? {
            Some(other) if same_or_eq(cx, value, other)? => {}
            _ => return Ok(false),
        }
    }
    if let (DictKind::Ordered, DictKind::Ordered) = (kind(a), kind(b)) {
        let (mut left, mut right) = (map::Members::of(cx, a), map::Members::of(cx, b));
        while let (Some((x, _)), Some((y, _))) = (left.next(cx)?, right.next(cx)?) {
            if !same_or_eq(cx, x, y)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
