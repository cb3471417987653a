//! The calendar.

use super::{DAY, SECOND};
use crate::cx::{Cx, R};

/// Days before 1970 since the first of year 1.
pub(super) const EPOCH_DAYS: i64 = 719_162;
/// Days of the years 1 to 9999.
pub(super) const DAYS_END: i64 = 3_652_059;

/// Parts of a date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micro: i64,
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

/// The day of the year, from 1.
pub(super) fn day_of_year(parts: Parts) -> i64 {
    let before: i64 = (1..parts.month)
        .map(|month| days_of_month(parts.year, month))
        .sum();
    before + parts.day
}

/// Days since the first of year 1.
pub(super) fn days(parts: Parts) -> i64 {
    days_before_year(parts.year) + day_of_year(parts) - 1
}

/// Microseconds since the start of year 1.
pub(super) fn micros(parts: Parts) -> i64 {
    let seconds = (parts.hour * 60 + parts.minute) * 60 + parts.second;
    days(parts) * DAY + seconds * SECOND + parts.micro
}

/// The parts of a number of microseconds since the start of year 1.
pub(super) fn parts(micros: i64) -> Parts {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    // No year is longer than 366 days, so this is the year or one before it, rarely two.
    let mut year = days / 366 + 1;
    while days_before_year(year + 1) <= days {
        year += ((days - days_before_year(year + 1)) / 366).max(1);
    }
    let mut left = days - days_before_year(year);
    let mut month = 1;
    while month < 12 && left >= days_of_month(year, month) {
        left -= days_of_month(year, month);
        month += 1;
    }
    let seconds = rest / SECOND;
    Parts {
        year,
        month,
        day: left + 1,
        hour: seconds / 3600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        micro: rest % SECOND,
    }
}

/// Refuses parts that are out of range, as the constructors do.
pub(super) fn check<'a>(cx: &Cx<'a>, parts: Parts) -> R<'a, ()> {
    let Parts { year, month, day, .. } = parts;
    if !(1..=9999).contains(&year) {
        return Err(cx.value_error(format_args!("year {year} is out of range")));
    }
    if !(1..=12).contains(&month) {
        return Err(cx.value_error(format_args!("month must be in 1..12")));
    }
    if !(1..=days_of_month(year, month)).contains(&day) {
        return Err(cx.value_error(format_args!("day is out of range for month")));
    }
    let limits = [
        ("hour", parts.hour, 23),
        ("minute", parts.minute, 59),
        ("second", parts.second, 59),
        ("microsecond", parts.micro, 999_999),
    ];
    for (name, value, most) in limits {
        if !(0..=most).contains(&value) {
            return Err(cx.value_error(format_args!("{name} must be in 0..{most}")));
        }
    }
    Ok(())
}

/// Monday is 0.
pub(super) const fn weekday(days: i64) -> i64 {
    days % 7
}
