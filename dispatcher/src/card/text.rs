//! Text of cards.

use super::TEXT_CHARS_MAX;
use crate::outputs::json::{cut, one_line};

/// A rule's name as a title: `cloudtrail_root_login` → `Cloudtrail root login`.
pub(super) fn title(rule_name: &str) -> String {
    let spaced = one_line(&rule_name.replace('_', " "));
    let mut chars = spaced.chars();
    match chars.next() {
        Some(first) => cut(
            &first.to_uppercase().chain(chars).collect::<String>(),
            TEXT_CHARS_MAX,
        ),
        None => "Alert".to_owned(),
    }
}

/// `text` without control characters, cut to [`TEXT_CHARS_MAX`].
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    cut(&text.chars().map(shown).collect::<String>(), TEXT_CHARS_MAX)
}

/// `text` on one line, cut to `chars_max`.
pub(super) fn short(text: &str, chars_max: usize) -> String {
    cut(&one_line(text), chars_max)
}

/// `3 min`.
pub(crate) fn duration(secs: u64) -> String {
    match secs {
        0..=119 => format!("{secs} s"),
        120..=7199 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
    }
}

/// What follows the first of `labels` at the beginning of a line of a docstring: `playbook: https://…`.
pub(super) fn labelled<'a>(docstring: &'a str, labels: &[&str]) -> Option<&'a str> {
    docstring.lines().find_map(|line| {
        let (label, rest) = line.split_once(':')?;
        let label = label.trim();
        let rest = rest.trim();
        (labels.iter().any(|known| label.eq_ignore_ascii_case(known)) && !rest.is_empty()).then_some(rest)
    })
}

/// The url at the beginning of `text`, if one is there that may be clicked.
pub(super) fn url(text: &str) -> Option<String> {
    let url = text.split_whitespace().next()?.trim_matches(['<', '>', '"']);
    let parsed = reqwest::Url::parse(url).ok()?;
    (matches!(parsed.scheme(), "http" | "https") && url.len() <= 2000).then(|| parsed.into())
}

/// The one line of a rule's docstring that says what happened: what follows `description:` if there is such a
/// line, else the first that is not empty.
pub(super) fn first_line(docstring: &str) -> &str {
    let mut lines = docstring.lines().map(str::trim).filter(|line| !line.is_empty());
    let described = docstring.lines().map(str::trim).skip_while(|line| {
        !line
            .get(..12)
            .is_some_and(|start| start.eq_ignore_ascii_case("description:"))
    });
    let mut described = described.map(|line| {
        let is_label = line
            .get(..12)
            .is_some_and(|start| start.eq_ignore_ascii_case("description:"));
        if is_label { line[12..].trim() } else { line }
    });
    described
        .find(|line| !line.is_empty())
        .or_else(|| lines.next())
        .unwrap_or_default()
}
