//! Hashes of objects and constants.

use super::key::{
    hash_big, hash_bytes, hash_float, hash_frozenset, hash_identity, hash_int, hash_name, hash_str,
    hash_tuple,
};
use crate::cx::{Cx, R, Raise};
use crate::obj::{Obj, Range, ViewKind};
use crate::program::{Const, ConstId};
use crate::types::Type;

/// Containers nested deeper than this have no constant hash.
const DEPTH_MAX: u32 = 64;
/// Kinds of identities, for [`hash_identity`].
const FUNCTION: u8 = 1;
const USER_CLASS: u8 = 2;
const ADDRESS: u8 = 3;

/// A hash, equal for equal values (`1`, `1.0`, `True`). Not CPython's: whoever asks for `hash(x)` falls back.
///
/// # Errors
/// `TypeError` for what is unhashable.
#[inline]
pub fn hash<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, u64> {
    match value {
        Obj::Str(text) => Ok(hash_str(text)),
        Obj::Int(number) => Ok(hash_int(number)),
        _ => slow(cx, value),
    }
}

#[cold]
fn slow<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, u64> {
    Ok(match value {
        Obj::Str(text) => hash_str(text),
        Obj::Int(number) => hash_int(number),
        Obj::Bool(flag) => hash_int(i64::from(flag)),
        Obj::Big(big) => hash_big(big.0),
        Obj::Float(float) => hash_float(float),
        Obj::Bytes(bytes) => hash_bytes(bytes),
        Obj::None => none(),
        Obj::Ellipsis => hash_name("builtins", "Ellipsis"),
        Obj::NotImplemented => hash_name("builtins", "NotImplemented"),
        Obj::Tuple(items) => return tuple(cx, items.len(), items.iter().copied()),
        Obj::ConstTuple(seq) => {
            let items = seq.items.iter().map(|id| cx.constant(*id));
            return tuple(cx, seq.items.len(), items);
        }
        Obj::ConstFrozenSet(set) => hash_frozenset(set.entries.iter().map(|(hash, _)| *hash)),
        Obj::Set(set) if set.frozen => {
            hash_frozenset(set.inner.borrow().live_entries().map(|(hash, ..)| hash))
        }
        Obj::Range(range) => range_hash(range),
        Obj::Slice(parts) if cx.program.version.minor >= 12 => {
            return tuple(cx, 3, parts.iter().copied());
        }
        Obj::View(view) if view.kind == ViewKind::Values => address(std::ptr::from_ref(view)),
        Obj::Iter(iter) => address(std::ptr::from_ref(iter)),
        Obj::Function(function) => hash_identity(FUNCTION, u64::from(function.id)),
        Obj::Closure(closure) => address(std::ptr::from_ref(closure)),
        Obj::Exception(exception) => address(std::ptr::from_ref(exception)),
        Obj::Builtin(function) => hash_name(function.module, function.name),
        Obj::Type(class) => class_hash(class),
        Obj::NativeClass(class) => class_hash(Type::Native(class)),
        Obj::Class(class) => hash_identity(USER_CLASS, u64::from(class)),
        Obj::Module(name) => hash_name("module", name),
        Obj::Regex(regex) => hash_str(&regex.pattern) ^ u64::from(regex.flags),
        Obj::Native(native) => match native.as_tuple() {
            Some(items) => return tuple(cx, items.len(), items.iter().copied()),
            None => return native.hash(cx)?.ok_or_else(|| unhashable(cx, value)),
        },
        Obj::Const(_) => return hash(cx, super::resolve(cx, value)?),
        Obj::Method(_) | Obj::BuiltinMethod(_) | Obj::ConstPartial(_) | Obj::Unbound => {
            return Err(cx.leave("the hash of a bound method"));
        }
        _ => return Err(unhashable(cx, value)),
    })
}

fn none() -> u64 {
    hash_name("builtins", "None")
}

fn address<T>(at: *const T) -> u64 {
    hash_identity(ADDRESS, at as usize as u64)
}

#[cold]
fn unhashable<'a>(cx: &Cx<'a>, value: Obj<'a>) -> Raise<'a> {
    let name = super::type_name(cx, value);
    cx.type_error(format_args!("unhashable type: '{name}'"))
}

fn tuple<'a>(cx: &Cx<'a>, len: usize, items: impl Iterator<Item = Obj<'a>>) -> R<'a, u64> {
    super::nested(cx, || {
        cx.use_fuel(len as u64)?;
        let mut failed = None;
        let hash = hash_tuple(items.map_while(|item| match hash(cx, item) {
            Ok(hash) => Some(hash),
            Err(raise) => {
                failed = Some(raise);
                None
            }
        }));
        failed.map_or(Ok(hash), Err)
    })
}

/// Equal ranges hold the same numbers.
fn range_hash(range: &Range) -> u64 {
    let count = range.count();
    let parts = [
        hash_int(count as i64),
        if count > 0 { hash_int(range.start) } else { none() },
        if count > 1 { hash_int(range.step) } else { none() },
    ];
    hash_tuple(parts)
}

fn class_hash(class: Type) -> u64 {
    match class {
        Type::User(class) => hash_identity(USER_CLASS, u64::from(class)),
        Type::Exc(kind) => hash_name(kind.module(), kind.name()),
        Type::Native(class) => hash_name(class.module, class.name),
        class => hash_name("builtins", super::builtin_name(class)),
    }
}

/// Hash of a constant, the same as that of its object; `None` when it is unhashable or its hash is not known when
/// compiling (objects of modules): a set or dictionary that holds it must become a fallback.
#[must_use]
pub fn hash_const(consts: &[Const], id: ConstId) -> Option<u64> {
    const_hash(consts, id, 0)
}

fn const_hash(consts: &[Const], id: ConstId, depth: u32) -> Option<u64> {
    if depth > DEPTH_MAX {
        return None;
    }
    Some(match consts.get(id as usize)? {
        Const::None => none(),
        Const::Ellipsis => hash_name("builtins", "Ellipsis"),
        Const::NotImplemented => hash_name("builtins", "NotImplemented"),
        Const::Bool(flag) => hash_int(i64::from(*flag)),
        Const::Int(number) => hash_int(*number),
        Const::Big(big) => hash_big(big),
        Const::Float(float) => hash_float(*float),
        Const::Str(text) => hash_str(text),
        Const::Bytes(bytes) => hash_bytes(bytes),
        Const::Tuple(seq) => {
            let hashes: Option<Vec<u64>> = seq
                .items
                .iter()
                .map(|item| const_hash(consts, *item, depth + 1))
                .collect();
            hash_tuple(hashes?)
        }
        Const::FrozenSet(set) => hash_frozenset(set.entries.iter().map(|(hash, _)| *hash)),
        Const::Function(function) => hash_identity(FUNCTION, u64::from(function.id)),
        Const::Builtin(function) => hash_name(function.module, function.name),
        Const::Type(class) => class_hash(*class),
        Const::NativeClass(class) => class_hash(Type::Native(class)),
        Const::Class(class) => hash_identity(USER_CLASS, u64::from(*class)),
        Const::Module(name) => hash_name("module", name),
        Const::Regex(regex) => hash_str(&regex.pattern) ^ u64::from(regex.flags),
        _ => return None,
    })
}
