//! `strptime`, for the directives that the locale does not decide.

use super::civil::{self, Parts};
use super::strftime::{DAYS, MONTHS};
use super::{SECOND, UTC, Value, Zone};
use crate::cx::{Cx, R, Raise};
use crate::obj::Obj;
use crate::text;

/// What has been read.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    hour12: Option<i64>,
    is_pm: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    micro: Option<i64>,
    offset: Option<i64>,
}

/// Why reading stops.
enum Stop {
    /// It does not match.
    Mismatch,
    /// Only CPython knows.
    Unsure(&'static str),
}

/// Reads a number of up to `most` digits that is at most `limit`; fewer digits where more are too large.
fn number(text: &mut &str, most: usize, least: i64, limit: i64) -> Result<i64, Stop> {
    for count in (1..=most).rev() {
        let digits = text
            .get(..count)
            .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        let value = digits.and_then(|digits| digits.parse::<i64>().ok());
        if let Some(value) = value
            && (least..=limit).contains(&value)
        {
            *text = text.get(count..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(Stop::Mismatch)
}

/// Exactly `count` digits.
fn digits(text: &mut &str, count: usize) -> Result<i64, Stop> {
    let part = text
        .get(..count)
        .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let value = part.and_then(|part| part.parse().ok()).ok_or(Stop::Mismatch)?;
    *text = text.get(count..).unwrap_or_default();
    Ok(value)
}

/// The place of a name, or of its first `len` letters.
fn name(text: &mut &str, names: &[&str], len: usize) -> Result<i64, Stop> {
    for (place, name) in names.iter().enumerate() {
        let name = name.get(..len.min(name.len())).unwrap_or_default();
        if text
            .get(..name.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(name))
        {
            *text = text.get(name.len()..).unwrap_or_default();
            return Ok(place as i64);
        }
    }
    Err(Stop::Mismatch)
}

fn fraction(text: &mut &str) -> Result<i64, Stop> {
    let count = text.bytes().take(6).take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return Err(Stop::Mismatch);
    }
    Ok(digits(text, count)? * 10_i64.pow(6 - count as u32))
}

fn offset(text: &mut &str) -> Result<i64, Stop> {
    if let Some(rest) = text.strip_prefix('Z') {
        *text = rest;
        return Ok(0);
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(Stop::Mismatch),
    };
    *text = text.get(1..).unwrap_or_default();
    let hours = digits(text, 2)?;
    *text = text.strip_prefix(':').unwrap_or(text);
    let minutes = digits(text, 2)?;
    if minutes > 59 {
        return Err(Stop::Mismatch);
    }
    if hours > 23 || text.starts_with(|next: char| next == ':' || next.is_ascii_digit()) {
        return Err(Stop::Unsure("an unusual offset"));
    }
    Ok(sign * (hours * 60 + minutes) * 60 * SECOND)
}

fn put<T>(place: &mut Option<T>, value: T) -> Result<(), Stop> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Stop::Unsure("a directive given twice")),
    }
}

fn directive(read: &mut Read, text: &mut &str, kind: char) -> Result<(), Stop> {
    match kind {
        'Y' => put(&mut read.year, digits(text, 4)?),
        'y' => {
            let short = digits(text, 2)?;
            put(&mut read.year, short + if short < 69 { 2000 } else { 1900 })
        }
        'm' => put(&mut read.month, number(text, 2, 1, 12)?),
        'b' => put(&mut read.month, name(text, &MONTHS, 3)? + 1),
        'B' => put(&mut read.month, name(text, &MONTHS, 9)? + 1),
        'a' => name(text, &DAYS, 3).map(drop),
        'A' => name(text, &DAYS, 9).map(drop),
        'd' => {
            if text.starts_with(' ') {
                return Err(Stop::Unsure("a day after a space"));
            }
            put(&mut read.day, number(text, 2, 1, 31)?)
        }
        'H' => put(&mut read.hour, number(text, 2, 0, 23)?),
        'I' => put(&mut read.hour12, number(text, 2, 1, 12)?),
        'p' => put(&mut read.is_pm, name(text, &["AM", "PM"], 2)? == 1),
        'M' => put(&mut read.minute, number(text, 2, 0, 59)?),
        'S' => put(&mut read.second, number(text, 2, 0, 61)?),
        'f' => put(&mut read.micro, fraction(text)?),
        'z' => put(&mut read.offset, offset(text)?),
        _ => Err(Stop::Unsure("an unusual directive of strptime")),
    }
}

const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r' | '\x1c'..='\x1f')
}

/// Whether a directive comes right after another: then CPython may try shorter numbers.
fn is_tight(format: &str) -> bool {
    let bytes = format.as_bytes();
    bytes
        .windows(3)
        .any(|window| matches!(window, [b'%', kind, next] if *kind != b'%' && (*next == b'%' || next.is_ascii_digit())))
}

fn read(mut text: &str, format: &str) -> Result<(Read, usize), Stop> {
    let mut read = Read::default();
    let mut rest = format.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '%' => match rest.next() {
                Some('%') => text = text.strip_prefix('%').ok_or(Stop::Mismatch)?,
                Some(kind) => directive(&mut read, &mut text, kind)?,
                None => return Err(Stop::Unsure("a format that ends with %")),
            },
            space if is_space(space) => {
                while rest.next_if(|next| is_space(*next)).is_some() {}
                let trimmed = text.trim_start_matches(is_space);
                if trimmed.len() == text.len() {
                    return Err(Stop::Mismatch);
                }
                text = trimmed;
            }
            literal => {
                let same = text
                    .chars()
                    .next()
                    .is_some_and(|next| next.eq_ignore_ascii_case(&literal));
                if !same {
                    return Err(Stop::Mismatch);
                }
                text = text.get(1..).unwrap_or_default();
            }
        }
    }
    Ok((read, text.len()))
}

fn mismatch<'a>(cx: &Cx<'a>, given: &'a str, format: &'a str) -> Raise<'a> {
    match (text::repr(cx, Obj::Str(given)), text::repr(cx, Obj::Str(format))) {
        (Ok(given), Ok(format)) => {
            cx.value_error(format_args!("time data {given} does not match format {format}"))
        }
        (Err(raise), _) | (_, Err(raise)) => raise,
    }
}

/// `datetime.strptime(text, format)`
pub(super) fn parse<'a>(cx: &Cx<'a>, given: &'a str, format: &'a str) -> R<'a, Value<'a>> {
    if !given.is_ascii() || !format.is_ascii() || given.len() + format.len() > 500 {
        return Err(cx.leave("an unusual text for strptime"));
    }
    let (read, left) = match read(given, format) {
        Ok(found) => found,
        Err(Stop::Unsure(why)) => return Err(cx.leave(why)),
        Err(Stop::Mismatch) if is_tight(format) => return Err(cx.leave("directives without text between")),
        Err(Stop::Mismatch) => {
            // CPython looks at the whole format first.
            let mut kinds = format.split('%').skip(1);
            let known = |kind: &str| kind.starts_with(|kind| "YymbBaAdHIpMSfz".contains(kind));
            return Err(if kinds.all(known) {
                mismatch(cx, given, format)
            } else {
                cx.leave("an unusual directive of strptime")
            });
        }
    };
    if left > 0 {
        let rest = given.get(given.len() - left..).unwrap_or_default();
        return Err(cx.value_error(format_args!("unconverted data remains: {rest}")));
    }
    if read.hour.is_some() && (read.hour12.is_some() || read.is_pm.is_some()) {
        return Err(cx.leave("hours given twice"));
    }
    let afternoon = if read.is_pm == Some(true) { 12 } else { 0 };
    let hour12 = read.hour12.map(|hour| hour % 12 + afternoon);
    let parts = Parts {
        year: read.year.unwrap_or(1900),
        month: read.month.unwrap_or(1),
        day: read.day.unwrap_or(1),
        hour: read.hour.or(hour12).unwrap_or(0),
        minute: read.minute.unwrap_or(0),
        second: read.second.unwrap_or(0),
        micro: read.micro.unwrap_or(0),
    };
    civil::check(cx, parts)?;
    let zone = read.offset.map(|offset| Zone { offset, ..UTC });
    Ok(Value::Moment(civil::micros(parts), zone))
}
