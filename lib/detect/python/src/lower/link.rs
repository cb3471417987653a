//! Exported objects become constants of the same number.

use std::collections::BTreeMap;

use num_bigint::BigInt;

use super::class;
use super::unit::Shared;
use crate::export::{Export, Object, ObjectId};
use crate::modules::re::Compiled;
use crate::program::{CodeId, Const, ConstFunction, ConstId, ConstPartial, ConstSeq};
use crate::registry::ClassAttr;

/// A function that has to be lowered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) object: ObjectId,
    pub(super) code: CodeId,
}

/// Links all objects; answers the functions, whose code is reserved and not made yet.
pub(super) fn link(shared: &mut Shared<'_>, export: &Export) -> Vec<Wanted> {
    // Every object has its number before containers are hashed and names are looked up.
    for id in 0..export.objects.len() {
        shared.pool.consts.push(Const::None);
        debug_assert_eq!(shared.pool.consts.len(), id + 1);
    }
    let mut wanted = Vec::new();
    let mut later = Vec::new();
    for (id, object) in export.objects.iter().enumerate() {
        let id = id as ConstId;
        match object {
            Object::Set { .. } | Object::Frozenset { .. } | Object::Dict { .. } | Object::Class { .. } => {
                later.push(id)
            }
            _ => {
                let value = plain(shared, id, object, &mut wanted);
                put(shared, id, value);
            }
        }
    }
    class::link(shared, export);
    let mut sets = Sets {
        done: vec![false; export.objects.len()],
    };
    for id in later {
        sets.make(shared, id, 0);
    }
    wanted
}

fn put(shared: &mut Shared<'_>, id: ConstId, value: Const) {
    if let Some(place) = shared.pool.consts.get_mut(id as usize) {
        *place = value;
    }
}

/// A frozenset may be an element of another set, or a key, perhaps within a tuple: those within are made first.
struct Sets {
    done: Vec<bool>,
}

/// Sets within sets, and tuples between them, beyond this are not followed.
const SETS_DEPTH_MAX: u32 = 50;

impl Sets {
    fn make(&mut self, shared: &mut Shared<'_>, id: ObjectId, depth: u32) {
        let Some(done) = self.done.get_mut(id as usize) else {
            return;
        };
        if std::mem::replace(done, true) {
            return;
        }
        let objects = shared.objects;
        let Some(object) = objects.get(id as usize) else {
            return;
        };
        let within = |this: &mut Self, shared: &mut Shared<'_>, item: ObjectId| {
            if matches!(
                objects.get(item as usize),
                Some(Object::Frozenset { .. } | Object::Tuple { .. })
            ) {
                this.make(shared, item, depth + 1);
            }
        };
        if depth > SETS_DEPTH_MAX {
            let value = unsupported(shared, "tuples and sets nested too deeply");
            put(shared, id, value);
            return;
        }
        match object {
            Object::Set { v } | Object::Frozenset { v } | Object::Tuple { v } => {
                v.iter().for_each(|item| within(self, shared, *item));
            }
            Object::Dict { v } => v.iter().for_each(|(key, _)| within(self, shared, *key)),
            _ => {}
        }
        if let Some(value) = hashed(shared, id, object) {
            put(shared, id, value);
        }
    }
}

fn unsupported(shared: &mut Shared<'_>, reason: impl Into<String>) -> Const {
    Const::Unsupported(shared.pool.point(0, 0, reason, ""))
}

fn known(export_len: usize, ids: &[ObjectId]) -> bool {
    ids.iter().all(|id| (*id as usize) < export_len)
}

fn plain(shared: &mut Shared<'_>, id: ConstId, object: &Object, wanted: &mut Vec<Wanted>) -> Const {
    let len = shared.objects.len();
    match object {
        Object::None => Const::None,
        Object::Bool { v } => Const::Bool(*v),
        Object::Int { v } => match BigInt::parse_bytes(v.as_bytes(), 10) {
            Some(value) => super::pool::integer(&value),
            None => unsupported(shared, "a number that is none"),
        },
        Object::Float { v } => match v.parse::<f64>() {
            Ok(value) => Const::Float(value),
            Err(_) => unsupported(shared, "a number that is none"),
        },
        Object::Str { v } => Const::Str(v.as_str().into()),
        Object::Bytes { v } => match base64(v) {
            Some(data) => Const::Bytes(data.into()),
            None => unsupported(shared, "bytes that are not base64"),
        },
        Object::List { v } if known(len, v) => Const::List(ConstSeq {
            id,
            items: v.as_slice().into(),
        }),
        Object::Tuple { v } if known(len, v) => Const::Tuple(ConstSeq {
            id,
            items: v.as_slice().into(),
        }),
        Object::Regex { pattern, flags } => regex(shared, *pattern, *flags),
        Object::Module { name, .. } => Const::Module(name.as_str().into()),
        Object::Builtin { module, name } => builtin(shared, module, name),
        Object::Function {
            defaults,
            kwdefaults,
            closure,
            ..
        } => {
            let named = kwdefaults
                .values()
                .chain(closure.values())
                .copied()
                .collect::<Vec<_>>();
            if !known(len, defaults) || !known(len, &named) {
                return unsupported(shared, "a function of a broken export");
            }
            shared.codes.push(None);
            let code = (shared.codes.len() - 1) as CodeId;
            wanted.push(Wanted { object: id, code });
            Const::Function(ConstFunction {
                id,
                code,
                defaults: defaults.as_slice().into(),
                kwdefaults: named_values(kwdefaults),
                closure: Box::default(),
            })
        }
        // Within a class these are resolved; elsewhere static methods are what they hold.
        Object::Staticmethod { .. } | Object::Classmethod { .. } => {
            unsupported(shared, "a static or class method outside of its class")
        }
        Object::Method { func, receiver } if known(len, &[*func, *receiver]) => {
            Const::Method(*func, *receiver)
        }
        Object::Partial { func, args, kwargs } => {
            let named = kwargs.values().copied().collect::<Vec<_>>();
            if !known(len, &[*func]) || !known(len, args) || !known(len, &named) {
                return unsupported(shared, "a partial of a broken export");
            }
            Const::Partial(Box::new(ConstPartial {
                func: *func,
                args: args.as_slice().into(),
                kwargs: named_values(kwargs),
            }))
        }
        Object::EnumMember { name, value, class } => {
            let is_flag = match shared.objects.get(*class as usize) {
                Some(Object::Builtin { module, name }) => module == "re" && name == "RegexFlag",
                _ => false,
            };
            if is_flag && known(len, &[*value]) {
                return Const::Made(Box::new(ConstPartial {
                    func: *class,
                    args: Box::new([*value]),
                    kwargs: Box::default(),
                }));
            }
            unsupported(
                shared,
                format!("the enum member {name} is not known to the native engine"),
            )
        }
        Object::Unsupported {
            reason,
            call,
            args,
            func,
            ..
        } => match made(shared, *call, args).or_else(|| cached(shared, *func)) {
            Some(made) => made,
            None => unsupported(shared, reason.as_str()),
        },
        _ => unsupported(shared, "an object of a broken export"),
    }
}

fn named_values(values: &BTreeMap<String, ObjectId>) -> Box<[(Box<str>, ConstId)]> {
    values
        .iter()
        .map(|(name, id)| (name.as_str().into(), *id))
        .collect()
}

fn hashed(shared: &mut Shared<'_>, id: ConstId, object: &Object) -> Option<Const> {
    let len = shared.objects.len();
    Some(match object {
        Object::Set { v } | Object::Frozenset { v } => {
            let set = known(len, v).then(|| shared.pool.set_of(id, v)).flatten();
            match (set, object) {
                (Some(set), Object::Set { .. }) => Const::Set(set),
                (Some(set), _) => Const::FrozenSet(set),
                (None, _) => unsupported(
                    shared,
                    "a set with elements that are not known to the native engine",
                ),
            }
        }
        Object::Dict { v } => {
            let whole = v.iter().all(|(key, value)| known(len, &[*key, *value]));
            let dict = whole.then(|| shared.pool.dict_of(id, v)).flatten();
            match dict {
                Some(dict) => Const::Dict(dict),
                None => unsupported(
                    shared,
                    "a dictionary with keys that are not known to the native engine",
                ),
            }
        }
        _ => return None,
    })
}

fn regex(shared: &mut Shared<'_>, pattern: ObjectId, flags: u32) -> Const {
    let Some(Object::Str { v }) = shared.objects.get(pattern as usize) else {
        return unsupported(
            shared,
            "a regular expression over bytes is not known to the native engine",
        );
    };
    match Compiled::new(v, flags, shared.version) {
        Ok(compiled) => Const::Regex(Box::new(compiled)),
        Err(why) => unsupported(shared, format!("the regular expression {v:?}: {why}")),
    }
}

/// A value of a class of ours whose values never change.
fn made(shared: &Shared<'_>, call: Option<ObjectId>, args: &[ObjectId]) -> Option<Const> {
    let func = call?;
    let Some(Object::Builtin { module, name }) = shared.objects.get(func as usize) else {
        return None;
    };
    let is_ours = matches!(module.as_str(), "ipaddress" | "datetime")
        && matches!(crate::modules::lookup(module, name), Some(Const::NativeClass(_)));
    let is_range = module == "builtins" && name == "range";
    let is_named = module == "collections" && name == "namedtuple";
    let is_logger = module == "logging" && name == "getLogger";
    ((is_ours || is_range || is_named || is_logger) && known(shared.objects.len(), args)).then(|| {
        Const::Made(Box::new(ConstPartial {
            func,
            args: args.into(),
            kwargs: Box::default(),
        }))
    })
}

/// A function that remembers its answers.
fn cached(shared: &mut Shared<'_>, func: Option<ObjectId>) -> Option<Const> {
    let func = func?;
    matches!(shared.objects.get(func as usize), Some(Object::Function { .. })).then(|| {
        let class = shared
            .pool
            .named("functools", "_lru_cache_wrapper", crate::modules::cached());
        Const::Made(Box::new(ConstPartial {
            func: class,
            args: Box::new([func]),
            kwargs: Box::default(),
        }))
    })
}

/// What a module of Python's or ours knows under a qualified name.
fn builtin(shared: &mut Shared<'_>, module: &str, name: &str) -> Const {
    let look_up = |name: &str| match (module, name) {
        ("builtins", "Ellipsis") => Some(Const::Ellipsis),
        ("builtins", "NotImplemented") => Some(Const::NotImplemented),
        ("builtins", _) => crate::builtins::lookup(name),
        _ => crate::modules::lookup(module, name),
    };
    if let Some(found) = look_up(name) {
        return found;
    }
    if let Some((class, attr)) = name.split_once('.')
        && let Some(Const::NativeClass(class)) = look_up(class)
        && let Some(ClassAttr::Function(function)) = (class.attr)(attr)
    {
        return Const::Builtin(function);
    }
    unsupported(
        shared,
        format!("{module}.{name} is not known to the native engine"),
    )
}

/// Decodes base64 with padding; `None` for anything else.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let mut bits = 0_u32;
    let mut have = 0;
    for byte in digits.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    Some(out)
}
