//! `datetime`. What depends on the local time zone, and the class `time`, are left to CPython.

mod civil;
mod delta;
mod iso;
mod moment;
mod operate;
mod strftime;
mod strptime;
mod zone;

use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{BuiltinFn, CallFn, Singleton};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
const DAY: i64 = 86_400 * SECOND;

/// A fixed time zone: microseconds east of UTC, and the name if it was given one.
#[derive(Debug, Clone, Copy)]
pub struct Zone<'a> {
    offset: i64,
    name: Option<&'a str>,
}

/// UTC.
const UTC: Zone<'static> = Zone {
    offset: 0,
    name: None,
};

/// What an object of this module is.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// `datetime`: microseconds since the start of year 1 by its own clock.
    Moment(i64, Option<Zone<'a>>),
    /// `date`: days since the first of year 1.
    Date(i64),
    /// `timedelta`: microseconds.
    Delta(i128),
    /// `timezone`
    Zone(Zone<'a>),
}

/// The value of an object, when it is one of this module.
fn of<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, Option<Value<'a>>> {
    Ok(match ops::resolve(cx, value)? {
        Obj::Native(native) => native.time_value(),
        _ => None,
    })
}

/// The object of a value.
fn object<'a>(cx: &Cx<'a>, value: Value<'a>) -> Obj<'a> {
    let value: &'a Value<'a> = cx.bump.alloc(value);
    Obj::Native(value)
}

/// A time zone argument: `None` or a `timezone`.
fn zone_of<'a>(cx: &Cx<'a>, value: Option<Obj<'a>>) -> R<'a, Option<Zone<'a>>> {
    match value {
        None | Some(Obj::None) => Ok(None),
        Some(value) => match of(cx, value)? {
            Some(Value::Zone(zone)) => Ok(Some(zone)),
            _ => Err(cx.leave("a time zone of another kind")),
        },
    }
}

/// A plain integer argument.
fn int<'a>(cx: &Cx<'a>, value: Option<Obj<'a>>, default: i64) -> R<'a, i64> {
    match value {
        None => Ok(default),
        Some(Obj::Int(number)) => Ok(number),
        Some(_) => Err(cx.leave("a part of a date that is no plain integer")),
    }
}

const fn function(name: &'static str, call: CallFn, pure: bool) -> BuiltinFn {
    BuiltinFn {
        module: "datetime",
        name,
        call,
        pure,
    }
}

/// `datetime.timezone.utc`
#[derive(Debug)]
struct Utc;

impl Singleton for Utc {
    fn name(&self) -> (&'static str, &'static str) {
        ("datetime", "timezone.utc")
    }

    fn object<'a>(&self, cx: &Cx<'a>) -> R<'a> {
        Ok(object(cx, Value::Zone(UTC)))
    }
}

/// What the module calls a name.
pub(super) fn lookup(name: &str) -> Option<Const> {
    Some(match name {
        "datetime" => Const::NativeClass(&moment::DATETIME),
        "date" => Const::NativeClass(&moment::DATE),
        "timedelta" => Const::NativeClass(&delta::TIMEDELTA),
        "timezone" => Const::NativeClass(&zone::TIMEZONE),
        "timezone.utc" => Const::Singleton(&Utc),
        "MINYEAR" => Const::Int(1),
        "MAXYEAR" => Const::Int(9999),
        _ => return None,
    })
}
