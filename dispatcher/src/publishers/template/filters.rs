use std::fmt;
use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use streamalert_types::Timestamp;

use super::escape::{Markup, shown};
use super::inputs::{NOW, from_jinja};
use crate::outputs::json::{cut, one_line};

/// A whole value of JSON.
#[derive(Debug)]
pub(super) struct Json(pub(super) String);

impl Object for Json {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn add(environment: &mut Environment<'static>) {
    // Texts are escaped for where they go: these escape for somewhere else.
    for name in ["e", "escape", "urlencode"] {
        environment.remove_filter(name);
    }
    environment.add_filter("json", json);
    environment.add_filter("tojson", json);
    environment.add_filter("truncate", truncate);
    environment.add_filter("one_line", |value: &Value| one_line(&shown(value)));
    environment.add_filter("defang", |value: &Value| defanged(&shown(value)));
    environment.add_filter("duration", duration);
    environment.add_filter("ago", ago);
    environment.add_filter("slack", |value: &Value| escaped(Markup::Slack, value));
    environment.add_filter("html", |value: &Value| escaped(Markup::Html, value));
    environment.add_filter("markdown", |value: &Value| escaped(Markup::Markdown, value));
}

fn escaped(markup: Markup, value: &Value) -> Value {
    if value.is_safe() {
        return value.clone();
    }
    Value::from_safe_string(markup.inert(&shown(value)))
}

/// `{{ record|json }}`, `{{ record|json(2) }}` for people.
fn json(value: &Value, indent: Option<u32>) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let value = from_jinja(value);
    let text = match indent {
        Some(1..) => crate::json::to_pretty_json(&value),
        _ => String::from_utf8_lossy(&crate::to_json(&value)).into_owned(),
    };
    Ok(Value::from_object(Json(text)))
}

/// At most so many characters; how many are missing is said.
fn truncate(value: &Value, chars_max: Option<u32>) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(cut(&shown(value), chars_max.unwrap_or(255) as usize))
}

/// As people write addresses that must not be clicked: `hxxp://evil[.]example`.
fn defanged(text: &str) -> String {
    let text = text
        .replace("http://", "hxxp://")
        .replace("https://", "hxxps://")
        .replace("HTTP://", "hxxp://")
        .replace("HTTPS://", "hxxps://");
    let mut out = String::with_capacity(text.len() + 16);
    let chars: Vec<char> = text.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let beside = |to: Option<usize>| {
            to.and_then(|to| chars.get(to))
                .is_some_and(|c| c.is_alphanumeric())
        };
        match c {
            '.' if beside(at.checked_sub(1)) && beside(at.checked_add(1)) => out.push_str("[.]"),
            '@' => out.push_str("[@]"),
            c => out.push(*c),
        }
    }
    out
}

/// Seconds in words.
fn duration(value: &Value) -> Result<String, Error> {
    let secs = from_jinja(value);
    let secs = secs.as_f64().or_else(|| secs.as_i64().map(|secs| secs as f64));
    match secs {
        Some(secs) if secs >= 0.0 => Ok(crate::card::duration(secs as u64)),
        _ => Err(Error::new(
            ErrorKind::InvalidOperation,
            "duration takes a number of seconds",
        )),
    }
}

/// How long ago a time was, in words: RFC 3339, or seconds since 1970.
fn ago(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let wrong = || {
        Error::new(
            ErrorKind::InvalidOperation,
            "ago takes a time, as text or in seconds since 1970",
        )
    };
    let now = state.lookup(NOW).and_then(|now| now.as_i64()).ok_or_else(wrong)?;
    let moment = from_jinja(value);
    let micros = match moment.as_str() {
        Some(text) => instant(text).ok_or_else(wrong)?,
        None => {
            let secs = moment
                .as_f64()
                .or_else(|| moment.as_i64().map(|secs| secs as f64));
            (secs.ok_or_else(wrong)? * 1e6) as i64
        }
    };
    let secs = now.saturating_sub(micros) / 1_000_000;
    Ok(match secs {
        0.. => format!("{} ago", crate::card::duration(secs.unsigned_abs())),
        _ => format!("in {}", crate::card::duration(secs.unsigned_abs())),
    })
}

fn instant(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_micros());
    }
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    Some(time.as_microsecond())
}
