//! Text of alerts in the markups of chat programs. Attackers write logs: what comes out of them is shown as code or with
//! its markup taken away, so that it can neither notify anybody nor pretend to be a link of ours.

use super::json::{cut, one_line};
use crate::card::{Card, Severity};

/// How much of an alert is shown. Layouts are built with less and less of it until they are within the limit of their
/// medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Characters of the record.
    pub(crate) record_chars: usize,
    /// Characters of a value.
    pub(crate) value_chars: usize,
    /// Facts, and as many of the context.
    pub(crate) facts: usize,
}

/// From what is pleasant to what always fits.
const ROOMS: [Room; 5] = [
    Room {
        record_chars: 6000,
        value_chars: 300,
        facts: 20,
    },
    Room {
        record_chars: 3000,
        value_chars: 200,
        facts: 20,
    },
    Room {
        record_chars: 1000,
        value_chars: 100,
        facts: 12,
    },
    Room {
        record_chars: 400,
        value_chars: 80,
        facts: 8,
    },
    Room {
        record_chars: 0,
        value_chars: 60,
        facts: 4,
    },
];

/// What `build` makes with the most room for which `measure` finds it not over `max`; with the least if none is.
pub(crate) fn fit<T>(max: usize, measure: impl Fn(&T) -> usize, build: impl Fn(Room) -> T) -> T {
    let [rooms @ .., least] = ROOMS;
    for room in rooms {
        let built = build(room);
        if measure(&built) <= max {
            return built;
        }
    }
    build(least)
}

/// The beginning of the record, and what is to be said when that is not all of it.
pub(crate) fn record(card: &Card, chars_max: usize) -> (String, Option<String>) {
    let whole = card.record_text();
    let chars = whole.chars().count();
    if chars <= chars_max {
        return (whole.chars().map(shown).collect(), None);
    }
    let note = format!(
        "… {} more characters, the whole alert is in the history",
        chars - chars_max
    );
    (whole.chars().take(chars_max).map(shown).collect(), Some(note))
}

/// Every character that turns the direction of writing becomes one that does not: with them a log line can be made to
/// read as another.
pub(crate) fn shown(c: char) -> char {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() && c != '\n' && c != '\t' => '\u{fffd}',
        c => c,
    }
}

/// `text` on one line of at most `chars_max` characters, without markup of any kind being taken away: for media that
/// show text as it is.
pub(crate) fn plain(text: &str, chars_max: usize) -> String {
    let line = one_line(text);
    cut(&line.chars().map(shown).collect::<String>(), chars_max)
}

/// [`plain`] as inline code of Markdown, in which nothing means anything, in at most `chars_max + 2` characters.
pub(crate) fn code(text: &str, chars_max: usize) -> String {
    // no escape exists within; the accent looks alike
    let inner = plain(text, chars_max).replace('`', "ˋ");
    if inner.is_empty() {
        return "–".to_owned();
    }
    format!("`{inner}`")
}

/// `text` as a block of code of Markdown, in at most `chars_max` characters and the fences.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```", text.replace("```", "ˋˋˋ"))
}

/// A name of a field: whatever might be markup anywhere becomes a dot. The record has it as it is.
pub(crate) fn name(text: &str, chars_max: usize) -> String {
    let clean = |c: char| {
        if c.is_alphanumeric() || "_.- /".contains(c) {
            c
        } else {
            '·'
        }
    };
    cut(&text.chars().map(clean).collect::<String>(), chars_max)
}

/// Text of Markdown that shows as `text`: what has a meaning is escaped, and neither mentions nor urls become links.
pub(crate) fn markdown(text: &str, chars_max: usize) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = ' ';
    for c in cut(text, chars_max).chars().map(shown) {
        if "\\`*_~|[]()<>#!".contains(c) {
            out.push('\\');
        }
        if c == '/' && before == ':' {
            out.push(WORD_JOINER);
        }
        out.push(c);
        if c == '@' {
            out.push(WORD_JOINER);
        }
        before = c;
    }
    out
}

/// Shows as nothing and keeps what is on both sides of it from being read as one.
const WORD_JOINER: char = '\u{2060}';

/// `text` in HTML.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars().map(shown) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// A url between the parentheses of a link of Markdown.
pub(crate) fn markdown_url(url: &str) -> String {
    url.replace('(', "%28").replace(')', "%29").replace('|', "%7C")
}

/// A severity at a glance.
pub(crate) fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "🔴",
        Severity::High => "🟠",
        Severity::Medium => "🟡",
        Severity::Low => "🔵",
        Severity::Info => "⚪",
        Severity::Unknown => "🔔",
    }
}

/// Mark, severity and how many were merged: `🔴 Critical · 12 alerts merged`. Empty when there is nothing to say.
pub(crate) fn status(card: &Card) -> String {
    let word = card.severity.word();
    let merged = card.merged.as_ref().map(crate::card::Merged::title);
    let parts: Vec<&str> = [word, merged.as_deref().unwrap_or_default()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("{} {}", mark(card.severity), parts.join(" · "))
}

/// Code units of UTF-16, in which some count text.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_log_stays_markup() {
        assert_eq!(code("a`b`\n@everyone\u{202e}", 50), "`aˋbˋ @everyone\u{fffd}`");
        assert_eq!(code("", 5), "–");
        assert_eq!(fenced("json", "a```b"), "```json\naˋˋˋb\n```");
        assert_eq!(name("a.b_c-d[x](y)@`", 50), "a.b_c-d·x··y···");
        assert_eq!(
            markdown("[a](http://x) **b** <!channel> @here", 200),
            "\\[a\\]\\(http:\u{2060}//x\\) \\*\\*b\\*\\* \\<\\!channel\\> @\u{2060}here"
        );
        assert_eq!(
            html("<a href=\"x\">&\u{7}"),
            "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn what_is_cut_says_so() {
        assert!(code(&"x".repeat(500), 100).ends_with("more characters)`"));
        assert_eq!(
            code(&"x".repeat(500), 100).chars().count(),
            "`…`".len() - "…".len() + 100 - 40 + "… (440 more characters)".chars().count()
        );
        assert_eq!(units("a😀"), 3);
    }

    #[test]
    fn a_layout_gets_the_most_room_that_is_within_the_limit() {
        let chars = |max| fit(max, |chars: &usize| *chars, |room| room.record_chars);
        assert_eq!(
            (chars(10_000), chars(6000), chars(2999), chars(399)),
            (6000, 6000, 1000, 0)
        );
    }
}
