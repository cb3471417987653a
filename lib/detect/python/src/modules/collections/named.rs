//! `namedtuple`: classes made when it is called, and their instances.

use bumpalo::collections::Vec as BumpVec;

use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::eval;
use crate::iter;
use crate::modules::args::bind;
use crate::obj::{Dict, Obj};
use crate::ops;
use crate::registry::{Args, BuiltinFn, Native, NativeClass};
use crate::text;
use crate::types::ExcKind;

/// `collections.namedtuple`
pub(super) static NAMEDTUPLE: BuiltinFn = BuiltinFn {
    module: "collections",
    name: "namedtuple",
    call: make,
    pure: true,
};

/// Stands for all classes of named tuples; each tells its own name.
static CLASS: NativeClass = NativeClass {
    module: "builtins",
    name: "type",
    bases: &[],
    new: |cx, _| Err(cx.leave("a class of named tuples")),
    attr: |_| None,
};

static TUPLE: NativeClass = NativeClass {
    module: "collections",
    name: "a named tuple",
    bases: &["tuple"],
    new: |cx, _| Err(cx.leave("a named tuple")),
    attr: |_| None,
};

/// More fields are left to CPython.
const FIELDS_MAX: usize = 64;

/// Words that are no names, in any version.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// A class of named tuples.
struct Class<'a> {
    name: &'a str,
    fields: &'a [&'a str],
}

/// A named tuple.
struct Named<'a> {
    class: &'a Class<'a>,
    items: &'a [Obj<'a>],
}

/// `namedtuple(typename, field_names)`
fn make<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [name, fields] = bind(cx, args, ["typename", "field_names"], 2)?;
    let (Some(Obj::Str(name)), Some(fields)) = (name, fields) else {
        return Err(misfit(cx));
    };
    let mut names: BumpVec<'a, &'a str> = BumpVec::new_in(cx.bump);
    match ops::resolve(cx, fields)? {
        Obj::Str(text) if text.is_ascii() => {
            let blank = |one: char| one == ',' || one.is_ascii_whitespace() || one == '\x0b';
            names.extend(text.split(blank).filter(|field| !field.is_empty()));
        }
        value @ (Obj::List(_) | Obj::ConstList(_) | Obj::Tuple(_) | Obj::ConstTuple(_)) => {
            for field in iter::collect(cx, value)? {
                match field {
                    Obj::Str(field) => names.push(field),
                    _ => return Err(misfit(cx)),
                }
            }
        }
        _ => return Err(misfit(cx)),
    }
    let is_unique = |(at, field): (usize, &&str)| !names.iter().take(at).any(|other| other == field);
    let is_fine = is_name(name)
        && names.len() <= FIELDS_MAX
        && names
            .iter()
            .all(|field| is_name(field) && !field.starts_with('_'))
        && names.iter().enumerate().all(is_unique);
    if !is_fine {
        return Err(cx.leave("the names of a named tuple"));
    }
    let made: &'a Class<'a> = cx.bump.alloc(Class {
        name,
        fields: names.into_bump_slice(),
    });
    Ok(Obj::Native(made))
}

fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(word)
        && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
        && !KEYWORDS.contains(&text)
}

impl<'a> Class<'a> {
    fn with(&'a self, cx: &Cx<'a>, items: &'a [Obj<'a>]) -> Obj<'a> {
        let made: &'a Named<'a> = cx.bump.alloc(Named { class: self, items });
        Obj::Native(made)
    }

    fn construct(&'a self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
        if args.pos.len() + args.kw.len() != self.fields.len() {
            return Err(misfit(cx));
        }
        let mut items = BumpVec::from_iter_in(args.pos.iter().copied(), cx.bump);
        for field in self.fields.iter().skip(args.pos.len()) {
            match args.named(field) {
                Some(value) => items.push(value),
                None => return Err(misfit(cx)),
            }
        }
        Ok(self.with(cx, items.into_bump_slice()))
    }

    fn names(&self, cx: &Cx<'a>) -> Obj<'a> {
        let names = self.fields.iter().map(|field| Obj::Str(field));
        Obj::Tuple(BumpVec::from_iter_in(names, cx.bump).into_bump_slice())
    }
}

impl<'a> Native<'a> for Class<'a> {
    fn class(&self) -> &'static NativeClass {
        &CLASS
    }

    fn own_name(&'a self) -> Option<&'a str> {
        Some("type")
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        Ok(match name {
            "_fields" => Some(self.names(cx)),
            "__name__" => Some(Obj::Str(self.name)),
            _ => None,
        })
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let make = || {
            let [values] = bind(cx, args, ["iterable"], 1)?;
            let items = iter::collect(cx, values.unwrap_or(Obj::None))?;
            if items.len() != self.fields.len() {
                return Err(misfit(cx));
            }
            Ok(self.with(cx, items.into_bump_slice()))
        };
        (name == "_make").then(make)
    }

    fn truthy(&'a self, _cx: &Cx<'a>) -> R<'a, bool> {
        Ok(true)
    }

    fn len(&'a self, cx: &Cx<'a>) -> Option<R<'a, usize>> {
        Some(Err(cx.leave("the length of a class")))
    }

    fn iter(&'a self, cx: &Cx<'a>) -> Option<R<'a, iter::IterState<'a>>> {
        Some(Err(cx.leave("a class gone through")))
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        match other {
            Obj::Native(_) => Err(cx.leave("classes of named tuples compared")),
            _ => Ok(None),
        }
    }

    fn hash(&'a self, cx: &Cx<'a>) -> R<'a, Option<u64>> {
        Err(cx.leave("the hash of a class of named tuples"))
    }

    fn index(&'a self, cx: &Cx<'a>, _index: Obj<'a>) -> Option<R<'a>> {
        Some(Err(cx.leave("a class with an index")))
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("a class of named tuples as text"))
    }

    fn call(&'a self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> Option<R<'a>> {
        Some(self.construct(cx, args))
    }
}

impl<'a> Named<'a> {
    fn field(&self, name: &str) -> Option<Obj<'a>> {
        let place = self.class.fields.iter().position(|known| *known == name)?;
        self.items.get(place).copied()
    }

    fn as_dict(&self, cx: &Cx<'a>) -> R<'a> {
        let made = Dict::empty(cx);
        if let Obj::Dict(dict) = made {
            for (field, item) in self.class.fields.iter().zip(self.items) {
                dict.insert(cx, Obj::Str(field), *item)?;
            }
        }
        Ok(made)
    }

    fn replaced(&self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
        let is_known = |(name, _): &(&str, _)| self.class.fields.contains(name);
        if !args.pos.is_empty() || !args.kw.iter().all(is_known) {
            return Err(misfit(cx));
        }
        let fields = self.class.fields.iter().zip(self.items);
        let items = fields.map(|(field, item)| args.named(field).unwrap_or(*item));
        let items = BumpVec::from_iter_in(items, cx.bump).into_bump_slice();
        Ok(self.class.with(cx, items))
    }
}

impl<'a> Native<'a> for Named<'a> {
    fn class(&self) -> &'static NativeClass {
        &TUPLE
    }

    fn own_name(&'a self) -> Option<&'a str> {
        Some(self.class.name)
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        if let Some(item) = self.field(name) {
            return Ok(Some(item));
        }
        match name {
            "_fields" => Ok(Some(self.class.names(cx))),
            "count" | "index" => Err(cx.leave("a method of a named tuple, not called")),
            name if name.starts_with('_') => Ok(None),
            name => {
                let class = self.class.name;
                Err(cx.raise(
                    ExcKind::AttributeError,
                    format_args!("'{class}' object has no attribute '{name}'"),
                ))
            }
        }
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        if self.field(name).is_some() {
            return None;
        }
        Some(match name {
            "_asdict" if args.pos.is_empty() && args.kw.is_empty() => self.as_dict(cx),
            "_replace" => self.replaced(cx, args),
            "count" => eval::call_method(cx, Obj::Tuple(self.items), "count", args),
            "index" => eval::call_method(cx, Obj::Tuple(self.items), "index", args),
            _ => return None,
        })
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        ops::nested(cx, || {
            let mut out = format!("{}(", self.class.name);
            for (place, (field, item)) in self.class.fields.iter().zip(self.items).enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                out.push_str(comma);
                out.push_str(field);
                out.push('=');
                out.push_str(text::repr(cx, *item)?);
            }
            out.push(')');
            cx.text(&out)
        })
    }

    fn as_tuple(&'a self) -> Option<&'a [Obj<'a>]> {
        Some(self.items)
    }
}
