//! Our own layout of an alert in the HTML of Telegram.

use super::request::TEXT_UNITS_MAX;
use crate::card::{Card, Fact};
use crate::outputs::markup::{html, mark, plain, record, units};

/// Code units for everything before the record, so that some of it is always seen.
const FACTS_UNITS_MAX: usize = 2600;

/// Characters of the record: a message is read on a telephone.
const RECORD_CHARS_MAX: usize = 1200;

/// HTML, and how long it is once Telegram has read it.
#[derive(Default)]
struct Text {
    html: String,
    units: usize,
}

impl Text {
    /// Text as it is, between tags.
    fn push(&mut self, open: &str, text: &str, close: &str) {
        self.units += units(text);
        self.html.push_str(open);
        self.html.push_str(&html(text));
        self.html.push_str(close);
    }

    fn line(&mut self) {
        self.push("", "\n", "");
    }
}

/// The message.
pub(super) fn text(card: &Card) -> String {
    let mut text = Text::default();
    let title = format!("{} {}", mark(card.severity), still(&plain(&card.title, 200)));
    text.push("<b>", &title, "</b>");
    let merged = card.merged.as_ref();
    let status = [
        Some(card.severity.word().to_owned()),
        merged.map(crate::card::Merged::title),
    ];
    let status: Vec<String> = status
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    if !status.is_empty() {
        text.line();
        text.push("<i>", &status.join(" · "), "</i>");
    }
    if !card.summary.is_empty() {
        text.push("", "\n\n", "");
        text.push("", &still(&plain(&card.summary, 700)), "");
    }
    if let Some(merged) = merged {
        text.line();
        text.push("<code>", &plain(&merged.span(), 160), "</code>");
    }
    push_facts(&mut text, card);
    push_links(&mut text, card);
    if let Some(warning) = &card.warning {
        text.push("", "\n\n⚠ ", "");
        text.push("<code>", &plain(warning, 250), "</code>");
    }
    push_end(&mut text, card);
    text.html
}

fn push_facts(text: &mut Text, card: &Card) {
    let facts: Vec<&Fact> = card.facts.iter().chain(&card.context).collect();
    if !facts.is_empty() {
        text.line();
    }
    for (at, fact) in facts.iter().enumerate() {
        let (name, value) = (plain(&fact.name, 60), plain(&fact.value, 160));
        if text.units + units(&name) + units(&value) > FACTS_UNITS_MAX {
            text.push("\n<i>", &format!("… {} more fields", facts.len() - at), "</i>");
            return;
        }
        text.line();
        text.push("<b>", &still(&name), "</b>");
        text.push("", ": ", "");
        text.push("<code>", &value, "</code>");
    }
}

fn push_links(text: &mut Text, card: &Card) {
    for (at, link) in card.links.iter().enumerate() {
        text.push("", if at == 0 { "\n\n" } else { "  ·  " }, "");
        text.push(&format!("<a href=\"{}\">", html(&link.url)), link.text, "</a>");
    }
}

/// The record as far as there is room, and where it all comes from.
fn push_end(text: &mut Text, card: &Card) {
    let origin = still(&plain(&card.origin.join(" · "), 500));
    let room = TEXT_UNITS_MAX.saturating_sub(text.units + units(&origin) + 100);
    // a character has at most two code units
    let (shown, note) = record(card, RECORD_CHARS_MAX.min(room / 2));
    if !shown.is_empty() {
        text.push("", "\n\n", "");
        text.push("<pre><code class=\"language-json\">", &shown, "</code></pre>");
    }
    if let Some(note) = note {
        text.push("\n<i>", &note, "</i>");
    }
    text.push("", "\n\n", "");
    text.push("<i>", &origin, "</i>");
}

/// Text out of which Telegram makes no mention, hashtag, command or link: a joiner that is not seen stands after what
/// would begin one.
fn still(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let begins_word = !before.is_alphanumeric();
        let ends_label =
            c == '.' && before.is_alphanumeric() && chars.peek().is_some_and(|c| c.is_alphanumeric());
        if matches!(c, '@' | '#') || (c == '/' && begins_word) || ends_label {
            out.push('\u{2060}');
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_a_link() {
        let text = still("see https://evil.example/x, @all #tag /start 1.5 a/b. End");
        assert_eq!(
            text,
            "see https:/\u{2060}/\u{2060}evil.\u{2060}example/x, @\u{2060}all #\u{2060}tag /\u{2060}start 1.\u{2060}5 a/b. End"
        );
    }
}
