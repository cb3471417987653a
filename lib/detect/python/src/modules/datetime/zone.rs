//! `timezone`.

use std::fmt::Write;

use super::{DAY, SECOND, UTC, Value, Zone, delta, object, of};
use crate::cx::{Cx, R};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::registry::{Args, ClassAttr, NativeClass};
use crate::text;

/// `datetime.timezone`
pub(super) static TIMEZONE: NativeClass = NativeClass {
    module: "datetime",
    name: "timezone",
    bases: &["datetime.tzinfo"],
    new,
    attr: |name| match name {
        "utc" => Some(ClassAttr::Value(|cx, _| Ok(object(cx, Value::Zone(UTC))))),
        _ => None,
    },
};

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [offset, name] = bind(cx, args, ["offset", "name"], 1)?;
    let Some(Value::Delta(offset)) = of(cx, offset.unwrap_or(Obj::None))? else {
        return Err(cx.leave("an offset that is no timedelta"));
    };
    let name = match name {
        None => None,
        Some(Obj::Str(name)) => Some(name),
        Some(_) => return Err(cx.leave("a time zone's name that is no text")),
    };
    if offset.abs() >= i128::from(DAY) {
        let shown = delta::repr(offset);
        return Err(cx.value_error(format_args!(
            "offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24), not {shown}."
        )));
    }
    let offset = offset as i64;
    Ok(object(cx, Value::Zone(Zone { offset, name })))
}

/// `+HH:MM[:SS[.ffffff]]`
pub(super) fn offset_text(offset: i64, separator: &str) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.abs();
    let (seconds, micros) = (offset / SECOND, offset % SECOND);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut out = format!("{sign}{hours:02}{separator}{minutes:02}");
    if rest != 0 || micros != 0 {
        let _ = write!(out, "{separator}{rest:02}");
    }
    if micros != 0 {
        let _ = write!(out, ".{micros:06}");
    }
    out
}

/// `tzname(…)`
pub(super) fn name(zone: Zone<'_>) -> String {
    match zone.name {
        Some(name) => name.to_owned(),
        None if zone.offset == 0 => "UTC".to_owned(),
        None => format!("UTC{}", offset_text(zone.offset, ":")),
    }
}

pub(super) fn repr<'a>(cx: &Cx<'a>, zone: Zone<'a>) -> R<'a, String> {
    let offset = delta::repr(i128::from(zone.offset));
    Ok(match zone.name {
        None if zone.offset == 0 => "datetime.timezone.utc".to_owned(),
        None => format!("datetime.timezone({offset})"),
        Some(name) => format!("datetime.timezone({offset}, {})", text::repr(cx, Obj::Str(name))?),
    })
}
