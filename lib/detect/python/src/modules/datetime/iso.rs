//! ISO 8601, as far as `isoformat` writes it. What 3.11 and later read beyond is left to CPython.

use std::fmt::Write;

use super::civil::{self, Parts};
use super::{SECOND, UTC, Value, Zone, zone};
use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::text;

/// `YYYY-MM-DD`
pub(super) fn date(parts: Parts) -> String {
    format!("{:04}-{:02}-{:02}", parts.year, parts.month, parts.day)
}

/// `YYYY-MM-DDTHH:MM:SS[.ffffff][+HH:MM]`; `None` for a precision that is not known.
pub(super) fn moment(parts: Parts, tz: Option<Zone<'_>>, separator: &str, precision: &str) -> Option<String> {
    let mut out = date(parts);
    let _ = write!(out, "{separator}{:02}", parts.hour);
    let places = match precision {
        "auto" if parts.micro == 0 => 3,
        "auto" => 6,
        "hours" => 1,
        "minutes" => 2,
        "seconds" => 3,
        "milliseconds" => 5,
        "microseconds" => 6,
        _ => return None,
    };
    if places >= 2 {
        let _ = write!(out, ":{:02}", parts.minute);
    }
    if places >= 3 {
        let _ = write!(out, ":{:02}", parts.second);
    }
    match places {
        5 => drop(write!(out, ".{:03}", parts.micro / 1000)),
        6 => drop(write!(out, ".{:06}", parts.micro)),
        _ => {}
    }
    if let Some(tz) = tz {
        out.push_str(&zone::offset_text(tz.offset, ":"));
    }
    Some(out)
}

fn two(text: &str, at: usize) -> Option<i64> {
    let part = text.get(at..at + 2)?;
    part.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| part.parse().ok())?
}

fn read_date(text: &str) -> Option<Parts> {
    let (high, low) = (two(text, 0)?, two(text, 2)?);
    if text.get(4..5)? != "-" || text.get(7..8)? != "-" {
        return None;
    }
    Some(Parts {
        year: high * 100 + low,
        month: two(text, 5)?,
        day: two(text, 8)?,
        hour: 0,
        minute: 0,
        second: 0,
        micro: 0,
    })
}

/// What follows the separator: `HH[:MM[:SS[.fff[fff]]]]`.
fn read_time(text: &str, parts: &mut Parts) -> Option<()> {
    parts.hour = two(text, 0)?;
    for (at, place) in [(2, &mut parts.minute), (5, &mut parts.second)] {
        if text.len() == at {
            return Some(());
        }
        if text.get(at..at + 1)? != ":" {
            return None;
        }
        *place = two(text, at + 1)?;
    }
    if text.len() == 8 {
        return Some(());
    }
    let fraction = text.get(8..)?.strip_prefix('.')?;
    let plain = matches!(fraction.len(), 3 | 6) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = fraction.parse().ok().filter(|_| plain)?;
    parts.micro = if fraction.len() == 3 {
        number * 1000
    } else {
        number
    };
    Some(())
}

fn read_moment(text: &str, has_z: bool) -> Option<(Parts, Option<Zone<'static>>)> {
    let mut parts = read_date(text)?;
    if text.len() == 10 {
        return Some((parts, None));
    }
    let rest = text.get(11..)?;
    let (time, zone) = if let (Some(time), true) = (rest.strip_suffix('Z'), has_z) {
        (time, Some(UTC))
    } else if let Some(at) = rest.find(['+', '-']) {
        let (time, offset) = rest.split_at(at);
        let (hours, minutes) = (two(offset, 1)?, two(offset, 4)?);
        if offset.len() != 6 || offset.get(3..4)? != ":" || hours > 23 || minutes > 59 {
            return None;
        }
        let sign = if offset.starts_with('-') { -1 } else { 1 };
        let offset = sign * (hours * 60 + minutes) * 60 * SECOND;
        (time, Some(Zone { offset, ..UTC }))
    } else {
        (rest, None)
    };
    read_time(time, &mut parts)?;
    Some((parts, zone))
}

fn invalid<'a>(cx: &Cx<'a>, given: &'a str) -> Raise<'a> {
    match text::repr(cx, Obj::Str(given)) {
        Ok(shown) => cx.value_error(format_args!("Invalid isoformat string: {shown}")),
        Err(raise) => raise,
    }
}

/// `datetime.fromisoformat(text)`
pub(super) fn parse<'a>(cx: &Cx<'a>, given: &'a str) -> R<'a, Value<'a>> {
    let later = cx.program.version.minor >= 11;
    if !given.is_ascii() {
        return Err(cx.leave("an unusual text for fromisoformat"));
    }
    if given.len() < if later { 7 } else { 10 } {
        return Err(invalid(cx, given));
    }
    match read_moment(given, later) {
        Some((parts, zone)) => {
            civil::check(cx, parts)?;
            Ok(Value::Moment(civil::micros(parts), zone))
        }
        None if !later && given.ends_with('Z') && read_moment(given, true).is_some() => {
            Err(invalid(cx, given))
        }
        None => Err(cx.leave("an unusual text for fromisoformat")),
    }
}

/// `date.fromisoformat(text)`
pub(super) fn parse_date<'a>(cx: &Cx<'a>, given: &'a str) -> R<'a, Value<'a>> {
    match read_date(given) {
        Some(parts) if given.len() == 10 => {
            civil::check(cx, parts)?;
            Ok(Value::Date(civil::days(parts)))
        }
        _ => Err(cx.leave("an unusual text for fromisoformat")),
    }
}
