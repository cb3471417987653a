//! `timedelta`.

use std::fmt::Write;

use super::{DAY, SECOND, Value, object};
use crate::cx::{Cx, R};
use crate::modules::args::bind;
use crate::obj::Obj;
use crate::ops;
use crate::registry::{Args, NativeClass};
use crate::types::ExcKind;

/// `datetime.timedelta`
pub(super) static TIMEDELTA: NativeClass = NativeClass {
    module: "datetime",
    name: "timedelta",
    bases: &[],
    new,
    attr: |_| None,
};

const DAYS_MAX: i128 = 999_999_999;

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let names = [
        "days",
        "seconds",
        "microseconds",
        "milliseconds",
        "minutes",
        "hours",
        "weeks",
    ];
    let [days, seconds, micros, millis, minutes, hours, weeks] = bind(cx, args, names, 0)?;
    // In the order in which CPython adds them up, which decides how fractions round.
    let parts = [
        (micros, 1),
        (millis, 1000),
        (seconds, SECOND),
        (minutes, 60 * SECOND),
        (hours, 3600 * SECOND),
        (days, DAY),
        (weeks, 7 * DAY),
    ];
    let (mut sum, mut fractions) = (0_i128, 0.0);
    for (part, unit) in parts {
        match part.map(|part| ops::resolve(cx, part)).transpose()? {
            None => {}
            Some(Obj::Int(number)) => sum += i128::from(number) * i128::from(unit),
            Some(Obj::Bool(flag)) => sum += i128::from(flag) * i128::from(unit),
            Some(Obj::Float(number)) if number.abs() < 1e15 => {
                sum += number.trunc() as i128 * i128::from(unit);
                let rest = number.fract() * unit as f64;
                sum += rest.trunc() as i128;
                fractions += rest.fract();
            }
            Some(_) => return Err(cx.leave("a part of a timedelta that is no plain number")),
        }
    }
    if fractions != 0.0 {
        let mut whole = f64::round(fractions);
        if (whole - fractions).abs() == 0.5 {
            let odd = (sum & 1) as f64;
            whole = 2.0 * f64::round((fractions + odd) * 0.5) - odd;
        }
        sum += whole as i128;
    }
    made(cx, sum)
}

/// A timedelta of so many microseconds.
pub(super) fn made<'a>(cx: &Cx<'a>, micros: i128) -> R<'a> {
    let days = micros.div_euclid(i128::from(DAY));
    if i32::try_from(days).is_err() {
        return Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("Python int too large to convert to C int"),
        ));
    }
    if days.abs() > DAYS_MAX {
        return Err(cx.raise(
            ExcKind::OverflowError,
            format_args!("days={days}; must have magnitude <= {DAYS_MAX}"),
        ));
    }
    Ok(object(cx, Value::Delta(micros)))
}

/// Days, seconds, microseconds; the last two never negative.
pub(super) fn split(micros: i128) -> (i64, i64, i64) {
    let day = i128::from(DAY);
    let (days, rest) = (micros.div_euclid(day) as i64, micros.rem_euclid(day) as i64);
    (days, rest / SECOND, rest % SECOND)
}

/// `total_seconds()`
pub(super) fn total_seconds<'a>(cx: &Cx<'a>, micros: i128) -> R<'a> {
    // Beyond this a float no longer holds the number, which is then rounded twice.
    if micros.abs() >= 1 << 53 {
        return Err(cx.leave("the seconds of centuries"));
    }
    Ok(Obj::Float(micros as f64 / 1e6))
}

pub(super) fn repr(micros: i128) -> String {
    let (days, seconds, micros) = split(micros);
    let parts = [("days", days), ("seconds", seconds), ("microseconds", micros)];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(_, value)| *value != 0)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if shown.is_empty() {
        return "datetime.timedelta(0)".to_owned();
    }
    format!("datetime.timedelta({})", shown.join(", "))
}

pub(super) fn str(micros: i128) -> String {
    let (days, seconds, micros) = split(micros);
    let mut out = String::new();
    if days != 0 {
        let plural = if days.abs() == 1 { "" } else { "s" };
        let _ = write!(out, "{days} day{plural}, ");
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{hours}:{minutes:02}:{seconds:02}");
    if micros != 0 {
        let _ = write!(out, ".{micros:06}");
    }
    out
}
