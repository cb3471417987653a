//! `datetime` and `date`: making them, and their methods.

use super::civil::{self, DAYS_END, EPOCH_DAYS, Parts};
use super::{DAY, UTC, Value, Zone, delta, function, int, iso, object, strftime, strptime, zone, zone_of};
use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::registry::{Args, BuiltinFn, ClassAttr, NativeClass};
use crate::types::ExcKind;

/// `datetime.datetime`
pub(super) static DATETIME: NativeClass = NativeClass {
    module: "datetime",
    name: "datetime",
    bases: &["datetime.date"],
    new: new_moment,
    attr: |name| {
        MOMENT_FUNCTIONS
            .iter()
            .find(|function| function.name.strip_prefix("datetime.") == Some(name))
            .map(ClassAttr::Function)
    },
};

/// `datetime.date`
pub(super) static DATE: NativeClass = NativeClass {
    module: "datetime",
    name: "date",
    bases: &[],
    new: new_date,
    attr: |name| {
        DATE_FUNCTIONS
            .iter()
            .find(|function| function.name.strip_prefix("date.") == Some(name))
            .map(ClassAttr::Function)
    },
};

static MOMENT_FUNCTIONS: &[BuiltinFn] = &[
    function("datetime.now", now, false),
    function("datetime.utcnow", utcnow, false),
    function("datetime.fromtimestamp", fromtimestamp, true),
    function("datetime.utcfromtimestamp", utcfromtimestamp, true),
    function("datetime.strptime", parse, true),
    function("datetime.fromisoformat", fromisoformat, true),
];
static DATE_FUNCTIONS: &[BuiltinFn] = &[function("date.fromisoformat", date_fromisoformat, true)];

const NAMES: [&str; 8] = [
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
    "tzinfo",
];

fn new_moment<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [year, month, day, hour, minute, second, micro, tz] = bind(cx, args, NAMES, 3)?;
    let parts = Parts {
        year: int(cx, year, 0)?,
        month: int(cx, month, 0)?,
        day: int(cx, day, 0)?,
        hour: int(cx, hour, 0)?,
        minute: int(cx, minute, 0)?,
        second: int(cx, second, 0)?,
        micro: int(cx, micro, 0)?,
    };
    let tz = zone_of(cx, tz)?;
    made(cx, parts, tz)
}

fn made<'a>(cx: &Cx<'a>, parts: Parts, tz: Option<Zone<'a>>) -> R<'a> {
    civil::check(cx, parts)?;
    Ok(object(cx, Value::Moment(civil::micros(parts), tz)))
}

fn new_date<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [year, month, day] = bind(cx, args, ["year", "month", "day"], 3)?;
    let parts = Parts {
        year: int(cx, year, 0)?,
        month: int(cx, month, 0)?,
        day: int(cx, day, 0)?,
        ..civil::parts(0)
    };
    civil::check(cx, parts)?;
    Ok(object(cx, Value::Date(civil::days(parts))))
}

/// A moment within the years 1 to 9999.
pub(super) fn in_range<'a>(cx: &Cx<'a>, micros: i128, tz: Option<Zone<'a>>) -> R<'a> {
    match i64::try_from(micros) {
        Ok(micros) if (0..DAYS_END * DAY).contains(&micros) => Ok(object(cx, Value::Moment(micros, tz))),
        _ => Err(cx.raise(ExcKind::OverflowError, format_args!("date value out of range"))),
    }
}

/// A date within the years 1 to 9999.
pub(super) fn date_in_range<'a>(cx: &Cx<'a>, days: i64) -> R<'a> {
    if (0..DAYS_END).contains(&days) {
        return Ok(object(cx, Value::Date(days)));
    }
    Err(cx.raise(ExcKind::OverflowError, format_args!("date value out of range")))
}

fn since_1970<'a>(cx: &Cx<'a>, micros: i64, tz: Option<Zone<'a>>) -> R<'a> {
    let offset = tz.map_or(0, |tz| tz.offset);
    let own = i128::from(micros) + i128::from(EPOCH_DAYS * DAY) + i128::from(offset);
    let range = 0..i128::from(DAYS_END * DAY);
    if !range.contains(&own) || !range.contains(&(own - i128::from(offset))) {
        return Err(cx.leave("a time beyond the years 1 to 9999"));
    }
    in_range(cx, own, tz)
}

fn now<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [tz] = bind(cx, args, ["tz"], 0)?;
    let tz = zone_of(cx, tz)?;
    if tz.is_none() {
        return Err(cx.leave("the local time"));
    }
    since_1970(cx, (cx.env.now_micros)(), tz)
}

fn utcnow<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [] = bind(cx, args, [], 0)?;
    since_1970(cx, (cx.env.now_micros)(), None)
}

/// Microseconds of a time in seconds, rounded half to even.
fn stamp<'a>(cx: &Cx<'a>, value: Obj<'a>) -> R<'a, i64> {
    match value {
        Obj::Int(seconds) if seconds.unsigned_abs() < 1 << 40 => Ok(seconds * 1_000_000),
        Obj::Float(seconds) if seconds.abs() < 1e12 => {
            let micros = (seconds.fract() * 1e6).round_ties_even();
            Ok(seconds.trunc() as i64 * 1_000_000 + micros as i64)
        }
        _ => Err(cx.leave("an unusual timestamp")),
    }
}

fn fromtimestamp<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let [value, tz] = bind(cx, args, ["timestamp", "tz"], 1)?;
    let tz = zone_of(cx, tz)?;
    if tz.is_none() {
        return Err(cx.leave("the local time"));
    }
    since_1970(cx, stamp(cx, value.unwrap_or(Obj::None))?, tz)
}

fn utcfromtimestamp<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([value], []) => since_1970(cx, stamp(cx, *value)?, None),
        _ => Err(misfit(cx)),
    }
}

fn parse<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([Obj::Str(given), Obj::Str(format)], []) => Ok(object(cx, strptime::parse(cx, given, format)?)),
        _ => Err(cx.leave("strptime of other than texts")),
    }
}

fn fromisoformat<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([Obj::Str(given)], []) => Ok(object(cx, iso::parse(cx, given)?)),
        _ => Err(cx.leave("fromisoformat of other than a text")),
    }
}

fn date_fromisoformat<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([Obj::Str(given)], []) => Ok(object(cx, iso::parse_date(cx, given)?)),
        _ => Err(cx.leave("fromisoformat of other than a text")),
    }
}

/// An attribute of a `datetime` or `date`.
pub(super) fn attr<'a>(
    cx: &Cx<'a>,
    micros: i64,
    tz: Option<Option<Zone<'a>>>,
    name: &str,
) -> Option<Obj<'a>> {
    let parts = civil::parts(micros);
    Some(Obj::Int(match (name, tz) {
        ("year", _) => parts.year,
        ("month", _) => parts.month,
        ("day", _) => parts.day,
        ("hour", Some(_)) => parts.hour,
        ("minute", Some(_)) => parts.minute,
        ("second", Some(_)) => parts.second,
        ("microsecond", Some(_)) => parts.micro,
        ("fold", Some(_)) => 0,
        ("tzinfo", Some(tz)) => return Some(tz.map_or(Obj::None, |tz| object(cx, Value::Zone(tz)))),
        _ => return None,
    }))
}

/// Methods that dates have too; `tz` is `None` for those.
pub(super) fn method<'a>(
    cx: &Cx<'a>,
    micros: i64,
    tz: Option<Option<Zone<'a>>>,
    name: &str,
    args: &Args<'_, 'a>,
) -> Option<R<'a>> {
    let days = micros.div_euclid(DAY);
    let plain = args.pos.is_empty() && args.kw.is_empty();
    Some(match (name, tz) {
        ("weekday", _) if plain => Ok(Obj::Int(civil::weekday(days))),
        ("isoweekday", _) if plain => Ok(Obj::Int(civil::weekday(days) + 1)),
        ("toordinal", _) if plain => Ok(Obj::Int(days + 1)),
        ("strftime", _) => match (args.pos, args.kw) {
            ([Obj::Str(format)], []) => {
                strftime::format(cx, civil::parts(micros), tz.flatten(), format).map(Obj::Str)
            }
            _ => Err(misfit(cx)),
        },
        ("isoformat", None) if plain => cx.str(&iso::date(civil::parts(micros))),
        ("replace", _) => replace(cx, micros, tz, args),
        ("date", Some(_)) if plain => Ok(object(cx, Value::Date(days))),
        (_, Some(tz)) => moment_method(cx, micros, tz, name, args),
        _ => Err(cx.leave("a method of a date")),
    })
}

fn moment_method<'a>(
    cx: &Cx<'a>,
    micros: i64,
    tz: Option<Zone<'a>>,
    name: &str,
    args: &Args<'_, 'a>,
) -> R<'a> {
    let plain = args.pos.is_empty() && args.kw.is_empty();
    match (name, tz) {
        ("isoformat", _) => {
            let [separator, precision] = bind(cx, args, ["sep", "timespec"], 0)?;
            let (Obj::Str(separator), Obj::Str(precision)) = (
                separator.unwrap_or(Obj::Str("T")),
                precision.unwrap_or(Obj::Str("auto")),
            ) else {
                return Err(misfit(cx));
            };
            let shown = iso::moment(civil::parts(micros), tz, separator, precision);
            match shown.filter(|_| separator.chars().count() == 1) {
                Some(shown) => cx.str(&shown),
                None => Err(misfit(cx)),
            }
        }
        ("timestamp", Some(tz)) if plain => {
            let since = i128::from(micros - tz.offset) - i128::from(EPOCH_DAYS * DAY);
            delta::total_seconds(cx, since)
        }
        ("utcoffset", Some(tz)) if plain => Ok(object(cx, Value::Delta(i128::from(tz.offset)))),
        ("tzname", Some(tz)) if plain => cx.str(&zone::name(tz)),
        ("utcoffset" | "tzname" | "dst", _) if plain => Ok(Obj::None),
        ("astimezone", Some(old)) => {
            let [new] = bind(cx, args, ["tz"], 0)?;
            match zone_of(cx, new)? {
                Some(new) => {
                    let moved = i128::from(micros) - i128::from(old.offset) + i128::from(new.offset);
                    in_range(cx, moved, Some(new))
                }
                None => Err(cx.leave("the local time")),
            }
        }
        _ => Err(cx.leave("a method of a datetime")),
    }
}

fn replace<'a>(cx: &Cx<'a>, micros: i64, tz: Option<Option<Zone<'a>>>, args: &Args<'_, 'a>) -> R<'a> {
    let [year, month, day, hour, minute, second, micro, new] = bind(cx, args, NAMES, 0)?;
    let old = civil::parts(micros);
    let time = [hour, minute, second, micro, new];
    if tz.is_none() && time.iter().any(Option::is_some) {
        return Err(misfit(cx));
    }
    let parts = Parts {
        year: int(cx, year, old.year)?,
        month: int(cx, month, old.month)?,
        day: int(cx, day, old.day)?,
        hour: int(cx, hour, old.hour)?,
        minute: int(cx, minute, old.minute)?,
        second: int(cx, second, old.second)?,
        micro: int(cx, micro, old.micro)?,
    };
    match tz {
        None => {
            civil::check(cx, parts)?;
            Ok(object(cx, Value::Date(civil::days(parts))))
        }
        Some(tz) if new.is_none() => made(cx, parts, tz),
        Some(_) => made(cx, parts, zone_of(cx, new)?),
    }
}

/// `repr` of a `datetime`.
pub(super) fn repr<'a>(cx: &Cx<'a>, micros: i64, tz: Option<Zone<'a>>) -> R<'a, String> {
    let parts = civil::parts(micros);
    let mut shown = vec![parts.year, parts.month, parts.day, parts.hour, parts.minute];
    if parts.second != 0 || parts.micro != 0 {
        shown.push(parts.second);
    }
    if parts.micro != 0 {
        shown.push(parts.micro);
    }
    let shown: Vec<String> = shown.iter().map(i64::to_string).collect();
    let shown = shown.join(", ");
    Ok(match tz {
        None => format!("datetime.datetime({shown})"),
        Some(tz) => format!("datetime.datetime({shown}, tzinfo={})", zone::repr(cx, tz)?),
    })
}

/// The same moment by the clock of UTC.
pub(super) fn utc(micros: i64, tz: Option<Zone<'_>>) -> i64 {
    micros - tz.unwrap_or(UTC).offset
}
