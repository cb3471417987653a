//! An alert as one document, for tickets: what happened first, the facts next, links and origin, the record last. What
//! comes out of logs means nothing to the markup: no link, no mention, no image, no macro.

use crate::Card;
use crate::card::{Fact, Link};
use crate::outputs::json::{cut, one_line};
use crate::outputs::markup::shown;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Markup {
    /// Text for readers that know none, or are not known to: urls are written `hxxp://`, so that none can be clicked.
    Plain,
    /// Jira's text formatting notation.
    Jira,
    /// GitHub Flavored Markdown.
    Markdown,
}

/// A longer value is no fact to be read at a glance; it is in the record below.
const FACT_CHARS_MAX: usize = 300;

/// Characters of the name of a fact.
const FACT_NAME_CHARS_MAX: usize = 80;

/// Less of a record than this says nothing.
const RECORD_CHARS_MIN: usize = 120;

/// Kept free for notes about what is missing and for the marks of blocks.
const NOTES_CHARS: usize = 150;

const NOTE: &str = "the whole alert is in the history";

/// `card` in at most `chars_max` characters, which is 1,000 or more. Its last line before the record names the alert by
/// its id, by which a search finds it.
pub(crate) fn document(card: &Card, markup: Markup, chars_max: usize) -> String {
    // so that the id is never cut off
    let origin: Vec<String> = card.origin.iter().map(|part| cut(part, 100)).collect();
    let origin = markup.inert(&origin.join(" · "));
    let room = chars_max.saturating_sub(origin.chars().count() + NOTES_CHARS);
    let mut text = cut(&head(card, markup), room);
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(&origin);
    let room = chars_max.saturating_sub(text.chars().count() + NOTES_CHARS);
    text.push_str(&record(card, markup, room));
    text
}

fn head(card: &Card, markup: Markup) -> String {
    let mut paragraphs = Vec::new();
    let summary = markup.inert(&cut(&one_line(&card.summary), 1000));
    match card.severity.word() {
        "" => paragraphs.push(summary),
        word => paragraphs.push(format!("{} {summary}", markup.strong(word)).trim().to_owned()),
    }
    if let Some(merged) = &card.merged {
        let span = markup.inert(&cut(&merged.span(), 200));
        paragraphs.push(format!("{}, {span}", markup.strong(&merged.title())));
    }
    paragraphs.push(markup.facts(&card.facts));
    paragraphs.push(markup.facts(&card.context));
    let links: Vec<String> = card.links.iter().map(|link| markup.link(link)).collect();
    paragraphs.push(links.join(" · "));
    if let Some(warning) = &card.warning {
        paragraphs.push(format!(
            "{} {}",
            markup.strong("Warning:"),
            markup.inert(&cut(&one_line(warning), 500))
        ));
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n")
}

fn record(card: &Card, markup: Markup, room: usize) -> String {
    if room < RECORD_CHARS_MIN {
        return format!("\n\n(record left out, {NOTE})");
    }
    let whole = card.record_text();
    let chars = whole.chars().count();
    let mut kept = chars.min(room);
    loop {
        let begin: String = whole.chars().take(kept).collect();
        let shown = markup.block(&begin);
        // marks that make text inert take room, too
        let over = shown.chars().count().saturating_sub(room);
        if over > 0 && kept > 0 {
            kept = kept.saturating_sub(over);
        } else if kept == chars {
            return format!("\n\n{shown}");
        } else {
            let missing = chars - kept;
            return format!("\n\n{shown}\n\n(… {missing} more characters, {NOTE})");
        }
    }
}

/// Between two characters that would mean something together; not seen and without width.
const JOINER: char = '\u{2060}';

impl Markup {
    /// `text` as nothing but text.
    pub(crate) fn inert(self, text: &str) -> String {
        let text: String = text.chars().map(shown).collect();
        match self {
            Self::Plain => plain(&text),
            Self::Jira => jira(&text),
            Self::Markdown => markdown(&text),
        }
    }

    fn strong(self, text: &str) -> String {
        match self {
            Self::Plain => self.inert(text),
            Self::Jira => format!("*{}*", self.inert(text)),
            Self::Markdown => format!("**{}**", self.inert(text)),
        }
    }

    fn link(self, link: &Link) -> String {
        match self {
            Self::Plain => format!("{}: {}", link.text, link.url),
            // the url is one that was parsed and written again: spaces, quotes and angles are encoded in it
            Self::Jira => format!("[{}|{}]", link.text, link.url.replace(['|', ']'], "")),
            Self::Markdown => format!("[{}](<{}>)", link.text, link.url),
        }
    }

    fn facts(self, facts: &[Fact]) -> String {
        let short = |fact: &Fact| {
            let line = |text: &str| one_line(text).chars().map(shown).collect::<String>();
            let name = cut(&line(&fact.name), FACT_NAME_CHARS_MAX);
            (name, cut(&line(&fact.value), FACT_CHARS_MAX))
        };
        let facts: Vec<(String, String)> = facts.iter().map(short).collect();
        match self {
            _ if facts.is_empty() => String::new(),
            Self::Plain => lines(&facts, |name, value| {
                format!("{}: {}", self.inert(name), self.inert(value))
            }),
            Self::Jira => {
                let width = facts.iter().map(|(name, _)| name.chars().count()).max();
                let width = width.unwrap_or_default();
                self.block(&lines(&facts, |name, value| format!("{name:width$}  {value}")))
            }
            Self::Markdown => lines(&facts, |name, value| {
                format!("- {}: {}", code_span(name), code_span(value))
            }),
        }
    }

    /// Text that keeps its lines.
    fn block(self, text: &str) -> String {
        let text: String = text.chars().map(shown).collect();
        match self {
            Self::Plain => self.inert(&text),
            Self::Jira => format!("{{noformat}}\n{}\n{{noformat}}", without_macro(&text)),
            Self::Markdown => {
                let fence = "`".repeat(longest_run(&text).max(2) + 1);
                format!("{fence}\n{text}\n{fence}")
            }
        }
    }
}

fn lines(facts: &[(String, String)], line: impl Fn(&str, &str) -> String) -> String {
    let lines: Vec<String> = facts.iter().map(|(name, value)| line(name, value)).collect();
    lines.join("\n")
}

/// Against clients that make links of urls, HTML of angles, Markdown of brackets, mentions of `@`, and ServiceNow's
/// `[code]`.
fn plain(text: &str) -> String {
    let text = defanged(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let next = chars.peek().copied().unwrap_or(' ');
        let means = match c {
            '<' => next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'),
            '@' => !before.is_alphanumeric() && next.is_alphanumeric(),
            '[' => matches!(next, 'c' | 'C' | '/' | '~'),
            ']' => matches!(next, '(' | '['),
            _ => false,
        };
        if means {
            out.push(JOINER);
        }
        before = c;
    }
    out
}

/// `http://` as `hxxp://`, as people write urls that must not be clicked.
pub(crate) fn defanged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (scheme, after) = rest.split_at(at);
        let tail = |len: usize| scheme.len().checked_sub(len).and_then(|from| scheme.get(from..));
        let is = |tail: Option<&str>, name: &str| tail.is_some_and(|tail| tail.eq_ignore_ascii_case(name));
        if is(tail(5), "https") {
            out.push_str(&scheme[..scheme.len() - 5]);
            out.push_str("hxxps");
        } else if is(tail(4), "http") {
            out.push_str(&scheme[..scheme.len() - 4]);
            out.push_str("hxxp");
        } else {
            out.push_str(scheme);
        }
        out.push_str("://");
        rest = &after[3..];
    }
    out.push_str(rest);
    out
}

fn jira(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in defanged(text).chars() {
        match c {
            // two backslashes are a line break there
            '\\' => out.push_str("&#92;"),
            '{' | '}' | '[' | ']' | '|' | '!' | '*' | '_' | '^' | '~' | '+' | '?' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// A block ends where its macro stands again.
fn without_macro(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let is_macro = after
            .get(..8)
            .is_some_and(|name| name.eq_ignore_ascii_case("noformat"));
        if is_macro {
            out.push(JOINER);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in defanged(text).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '+' | '!'
            | '|' | '~' => out.extend(['\\', c]),
            '&' => out.push_str("&amp;"),
            // a mention tells its user even when the sign is escaped
            '@' => out.extend([c, JOINER]),
            _ => out.push(c),
        }
    }
    // GitHub makes links of these, too
    out.replace("www.", "www\u{2060}.")
}

fn code_span(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    match text {
        "" => "–".to_owned(),
        _ => format!("{fence}{pad}{text}{pad}{fence}"),
    }
}

/// Backticks in a row at most.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
