//! `in`.

use super::{map, setlike};
use crate::cx::{Cx, R, Raise};
use crate::iter;
use crate::obj::Obj;
use crate::program::{Const, ConstSeq};

/// `item in container`.
///
/// # Errors
/// What Python raises.
#[inline]
pub fn contains<'a>(cx: &Cx<'a>, container: Obj<'a>, item: Obj<'a>) -> R<'a, bool> {
    match (container, item) {
        (Obj::Str(text), Obj::Str(part)) => {
            if text.len() > 4096 {
                cx.use_fuel(text.len() as u64 / 64)?;
            }
            Ok(text.contains(part))
        }
        (Obj::ConstSet(_) | Obj::ConstFrozenSet(_), Obj::Str(_)) => setlike::contains(cx, container, item),
        (Obj::ConstTuple(seq) | Obj::ConstList(seq), Obj::Str(text)) => const_seq_has(cx, seq, text),
        (Obj::NodeDict(_), Obj::Str(text)) => Ok(in_record(cx, container, text)),
        _ => slow(cx, container, item),
    }
}

#[inline]
fn in_record<'a>(cx: &Cx<'a>, dict: Obj<'a>, text: &str) -> bool {
    match dict {
        Obj::NodeDict(node) => cx
            .node(node)
            .get_hashed(streamalert_value::key_hash(text.as_bytes()), text)
            .is_some(),
        _ => false,
    }
}

#[inline]
fn const_seq_has<'a>(cx: &Cx<'a>, seq: &'a ConstSeq, text: &'a str) -> R<'a, bool> {
    for id in &seq.items {
        match cx.program.consts.get(*id as usize) {
            Some(Const::Str(other)) if &**other == text => return Ok(true),
            Some(Const::Str(_)) => {}
            Some(Const::Unsupported(_) | Const::Singleton(_) | Const::Made(_))
                if super::eq(cx, cx.constant(*id), Obj::Str(text))? =>
            {
                return Ok(true);
            }
            _ => {}
        }
    }
    Ok(false)
}

#[inline(never)]
fn slow<'a>(cx: &Cx<'a>, container: Obj<'a>, item: Obj<'a>) -> R<'a, bool> {
    let item = super::resolve(cx, item)?;
    match container {
        Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_) => {
            Ok(map::dict_get(cx, container, item)?.is_some())
        }
        Obj::Set(_) | Obj::ConstSet(_) | Obj::ConstFrozenSet(_) => setlike::contains(cx, container, item),
        Obj::View(view) => setlike::in_view(cx, view, item),
        Obj::Str(text) => match item {
            Obj::Str(part) => Ok(text.contains(part)),
            _ => Err(no_text(cx, item)),
        },
        Obj::Bytes(bytes) => in_bytes(cx, bytes, item),
        Obj::Range(range) => match item {
            Obj::Int(number) => Ok(range.place_of(number).is_some()),
            Obj::Bool(flag) => Ok(range.place_of(i64::from(flag)).is_some()),
            Obj::Big(_) => Ok(false),
            item => any_equal(cx, container, item),
        },
        Obj::Const(_) => contains(cx, super::resolve(cx, container)?, item),
        Obj::Native(native) => match native.contains(cx, item) {
            Some(answer) => answer,
            None if native.as_tuple().is_some() => any_equal(cx, container, item),
            None => match native.iter(cx) {
                Some(_) => any_equal(cx, container, item),
                None => Err(not_iterable(cx, container)),
            },
        },
        Obj::NodeList(_)
        | Obj::ConstList(_)
        | Obj::List(_)
        | Obj::Tuple(_)
        | Obj::ConstTuple(_)
        | Obj::Iter(_) => any_equal(cx, container, item),
        Obj::Class(_) => Err(cx.leave("what a class contains")),
        _ => Err(not_iterable(cx, container)),
    }
}

/// Goes through what can be iterated; an iterator stops after the element found.
fn any_equal<'a>(cx: &Cx<'a>, container: Obj<'a>, item: Obj<'a>) -> R<'a, bool> {
    let mut state = iter::iter(cx, container)?;
    while let Some(element) = state.next(cx)? {
        if super::same_or_eq(cx, element, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn in_bytes<'a>(cx: &Cx<'a>, bytes: &[u8], item: Obj<'a>) -> R<'a, bool> {
    match item {
        Obj::Bytes(part) => {
            cx.use_fuel(bytes.len() as u64 / 64)?;
            Ok(find_bytes(bytes, part))
        }
        Obj::Int(_) | Obj::Bool(_) | Obj::Big(_) => match super::small_int(item).map(u8::try_from) {
            Some(Ok(byte)) => Ok(bytes.contains(&byte)),
            _ => Err(cx.value_error(format_args!("byte must be in range(0, 256)"))),
        },
        _ => {
            let name = super::type_name(cx, item);
            Err(cx.type_error(format_args!("a bytes-like object is required, not '{name}'")))
        }
    }
}

fn find_bytes(bytes: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return true;
    };
    bytes
        .windows(part.len())
        .any(|window| window.first() == Some(first) && window == part)
}

#[cold]
fn no_text<'a>(cx: &Cx<'a>, item: Obj<'a>) -> Raise<'a> {
    let name = super::type_name(cx, item);
    cx.type_error(format_args!(
        "'in <string>' requires string as left operand, not {name}"
    ))
}

#[cold]
fn not_iterable<'a>(cx: &Cx<'a>, container: Obj<'a>) -> Raise<'a> {
    let name = super::type_name(cx, container);
    cx.type_error(format_args!("argument of type '{name}' is not iterable"))
}
