//! `LookupTables`. What is in no table of the environment is left to CPython: it logs, or it raises what the table's
//! driver raises. So is changing a list or dictionary of a table, which CPython's rules share.

use std::cell::RefCell;

use bumpalo::collections::Vec as BumpVec;
use streamalert_value::{Map, Value};

use super::normalize::without_class;
use crate::cx::{Cx, R};
use crate::modules::args::bind;
use crate::obj::{self, Dict, DictKind, List, Obj};
use crate::ops;
use crate::registry::{Args, BuiltinFn, CallFn, ClassAttr, Native, NativeClass};

const MODULE: &str = "streamalert.shared.lookup_tables.core";

/// `LookupTables`
pub(super) static TABLES: NativeClass = NativeClass {
    module: MODULE,
    name: "LookupTables",
    bases: &[],
    new: no_instance,
    attr: |name| match name {
        "get" => Some(ClassAttr::Function(&GET)),
        "get_instance" => Some(ClassAttr::Function(&GET_INSTANCE)),
        _ => None,
    },
};

static CORE: NativeClass = class(MODULE, "LookupTablesCore");
static TABLE: NativeClass = class("streamalert.shared.lookup_tables.table", "LookupTable");

const fn class(module: &'static str, name: &'static str) -> NativeClass {
    NativeClass {
        module,
        name,
        bases: &[],
        new: no_instance,
        attr: |_| None,
    }
}

static GET: BuiltinFn = method("LookupTables.get", get);
static GET_INSTANCE: BuiltinFn = method("LookupTables.get_instance", get_instance);

const fn method(name: &'static str, call: CallFn) -> BuiltinFn {
    BuiltinFn {
        module: MODULE,
        name,
        call,
        // Tables may be read anew between two events.
        pure: false,
    }
}

fn no_instance<'a>(cx: &Cx<'a>, _args: &Args<'_, 'a>) -> R<'a> {
    Err(cx.leave("an instance of a class of StreamAlert's"))
}

fn get<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [table, key, default] = bind(cx, &without_class(args), ["table_name", "key", "default"], 2)?;
    let table = named(cx, table.unwrap_or(Obj::None))?;
    value(cx, table, key.unwrap_or(Obj::None), default)
}

fn get_instance<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let args = without_class(args);
    if !args.pos.is_empty() || !args.kw.is_empty() {
        return Err(cx.leave("lookup tables of another configuration"));
    }
    let core: &'a Core = cx.bump.alloc(Core);
    Ok(Obj::Native(core))
}

/// The table of this name.
fn named<'a>(cx: &Cx<'a>, name: Obj<'a>) -> R<'a, &'a Map> {
    match ops::resolve(cx, name)? {
        Obj::Str(name) => match cx.env.tables.get(name) {
            Some(table) => Ok(table),
            None => Err(cx.leave("a lookup table that is not in a file here")),
        },
        _ => Err(cx.leave("a lookup table whose name is no text")),
    }
}

fn value<'a>(cx: &Cx<'a>, table: &'a Map, key: Obj<'a>, default: Option<Obj<'a>>) -> R<'a> {
    let key = ops::resolve(cx, key)?;
    let found = match key {
        // Half a surrogate pair is this character in a table, and cannot be told from it.
        Obj::Str(text) if text.contains('\u{fffd}') => {
            return Err(cx.leave("an unusual key of a lookup table"));
        }
        Obj::Str(text) => table.get(text),
        other => {
            ops::hash(cx, other)?;
            None
        }
    };
    match found {
        None => Ok(default.unwrap_or(Obj::None)),
        Some(value) => object(cx, value, 0),
    }
}

/// Elements of a list or dictionary beyond which CPython answers: it does not copy them.
const ELEMENTS_MAX: usize = 20_000;
/// Lists within lists beyond this are left to CPython.
const DEPTH_MAX: u32 = 50;

/// A list or dictionary, which is the same object whenever it is asked for.
fn container<'a>(cx: &Cx<'a>, value: &'a Value, depth: u32) -> R<'a> {
    let address = std::ptr::from_ref(value) as usize;
    if let Some(known) = cx.looked_up.borrow().get(&address) {
        return Ok(*known);
    }
    let count = match value {
        Value::List(items) => items.len(),
        Value::Map(members) => members.len(),
        _ => 0,
    };
    if count > ELEMENTS_MAX || depth > DEPTH_MAX {
        return Err(cx.leave("a large list or dictionary of a lookup table"));
    }
    cx.reserve(count * size_of::<Obj<'_>>())?;
    let made = match value {
        Value::Map(members) => {
            let mut table = obj::Table::new(cx.bump);
            for (key, value) in members.iter() {
                let key = text(cx, key)?;
                table.push(cx, ops::hash(cx, key)?, key, object(cx, value, depth + 1)?)?;
            }
            Obj::Dict(cx.bump.alloc(Dict {
                inner: RefCell::new(table),
                kind: DictKind::Plain,
                is_shared: true,
            }))
        }
        Value::List(given) => {
            let mut items = BumpVec::with_capacity_in(given.len(), cx.bump);
            for item in given {
                items.push(object(cx, item, depth + 1)?);
            }
            Obj::List(cx.bump.alloc(List {
                items: RefCell::new(items),
                is_shared: true,
            }))
        }
        _ => Obj::None,
    };
    cx.looked_up.borrow_mut().insert(address, made);
    Ok(made)
}

fn text<'a>(cx: &Cx<'a>, text: &'a str) -> R<'a> {
    if text.contains('\u{fffd}') {
        return Err(cx.leave("an unusual text of a lookup table"));
    }
    Ok(Obj::Str(text))
}

fn object<'a>(cx: &Cx<'a>, value: &'a Value, depth: u32) -> R<'a> {
    Ok(match value {
        Value::Null => Obj::None,
        Value::Bool(flag) => Obj::Bool(*flag),
        Value::Int(number) => Obj::Int(*number),
        Value::BigInt(digits) => ops::int_from_decimal(cx, digits)?,
        Value::Float(number) => Obj::Float(*number),
        Value::Str(given) => text(cx, given)?,
        Value::List(_) | Value::Map(_) => container(cx, value, depth)?,
    })
}

/// `LookupTablesCore`
struct Core;

impl<'a> Native<'a> for Core {
    fn class(&self) -> &'static NativeClass {
        &CORE
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        Some(match name {
            "get" => get(cx, args),
            "get_table" | "table" => table(cx, args),
            _ => return None,
        })
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("an object's address as text"))
    }
}

fn table<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [name] = bind(cx, args, ["table_name"], 1)?;
    let name = ops::resolve(cx, name.unwrap_or(Obj::None))?;
    let values = named(cx, name)?;
    let table: &'a Table<'a> = cx.bump.alloc(Table { name, values });
    Ok(Obj::Native(table))
}

/// `LookupTable`
struct Table<'a> {
    name: Obj<'a>,
    values: &'a Map,
}

impl<'a> Native<'a> for Table<'a> {
    fn class(&self) -> &'static NativeClass {
        &TABLE
    }

    fn attr(&'a self, _cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        Ok((name == "table_name").then_some(self.name))
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        let get = || {
            let [key, default] = bind(cx, args, ["key", "default"], 1)?;
            value(cx, self.values, key.unwrap_or(Obj::None), default)
        };
        (name == "get").then(get)
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("an object's address as text"))
    }
}

#[cfg(test)]
mod tests;
