//! `strftime`, for the directives that neither locale nor platform decide.

use std::fmt::Write;

use super::civil::{self, Parts};
use super::{Zone, zone};
use crate::cx::{Cx, R};

pub(super) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The name at a place from 0.
fn named(names: &[&'static str], place: i64) -> &'static str {
    usize::try_from(place)
        .ok()
        .and_then(|place| names.get(place))
        .copied()
        .unwrap_or_default()
}

/// Formats.
pub(super) fn format<'a>(cx: &Cx<'a>, parts: Parts, tz: Option<Zone<'a>>, format: &str) -> R<'a, &'a str> {
    if parts.year < 1000 {
        return Err(cx.leave("a year before 1000 as text"));
    }
    cx.reserve(format.len().saturating_mul(8))?;
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        if character != '%' {
            if character == '\0' {
                return Err(cx.leave("a NUL in a time format"));
            }
            out.push(character);
            continue;
        }
        let weekday = civil::weekday(civil::days(parts));
        let _ = match rest.next() {
            Some('Y') => write!(out, "{:04}", parts.year),
            Some('y') => write!(out, "{:02}", parts.year % 100),
            Some('m') => write!(out, "{:02}", parts.month),
            Some('d') => write!(out, "{:02}", parts.day),
            Some('H') => write!(out, "{:02}", parts.hour),
            Some('I') => write!(out, "{:02}", (parts.hour + 11) % 12 + 1),
            Some('M') => write!(out, "{:02}", parts.minute),
            Some('S') => write!(out, "{:02}", parts.second),
            Some('f') => write!(out, "{:06}", parts.micro),
            Some('j') => write!(out, "{:03}", civil::day_of_year(parts)),
            Some('p') => write!(out, "{}", if parts.hour < 12 { "AM" } else { "PM" }),
            Some('w') => write!(out, "{}", (weekday + 1) % 7),
            Some('u') => write!(out, "{}", weekday + 1),
            Some('A') => write!(out, "{}", named(&DAYS, weekday)),
            Some('a') => write!(out, "{:.3}", named(&DAYS, weekday)),
            Some('B') => write!(out, "{}", named(&MONTHS, parts.month - 1)),
            Some('b') => write!(out, "{:.3}", named(&MONTHS, parts.month - 1)),
            Some('z') => write!(
                out,
                "{}",
                tz.map_or(String::new(), |tz| zone::offset_text(tz.offset, ""))
            ),
            Some('Z') => write!(out, "{}", tz.map_or(String::new(), zone::name)),
            Some('%') => write!(out, "%"),
            _ => return Err(cx.leave("an unusual directive of strftime")),
        };
    }
    cx.text(&out)
}
