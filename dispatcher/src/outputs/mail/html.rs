//! The HTML of a mail. Tables and inline styles, because that is what mail programs keep; the style sheet only adds what
//! those do that know dark mode and narrow screens. No image, no script, no font, nothing from elsewhere.

use std::fmt::Write as _;

use crate::card::{Card, Fact, Link, Severity};
use crate::outputs::document::defanged;
use crate::outputs::json::cut;
use crate::outputs::markup::{Room, fit, html, plain};

/// Gmail shows the first 102 KB of a mail.
const PAGE_BYTES_MAX: usize = 90_000;

const FONT: &str =
    "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;";
const MONO: &str = "font-family:ui-monospace,SFMono-Regular,Consolas,'Liberation Mono',Menlo,monospace;";

/// For programs that know it; all others show what the inline styles say.
const STYLE: &str = "\
:root{color-scheme:light dark;supported-color-schemes:light dark}\
@media (prefers-color-scheme:dark){\
.page{background-color:#15181c!important}\
.sheet{background-color:#20242a!important;border-color:#363c44!important}\
.ink{color:#eceff2!important}\
.dim{color:#a9b2bc!important}\
.rule{border-color:#363c44!important}\
.code{background-color:#15181c!important;color:#d5dbe1!important;border-color:#363c44!important}\
.go{background-color:#2b313a!important;border-color:#4a525d!important}\
.note{background-color:#3a3014!important;border-color:#6b5715!important}\
}\
@media (max-width:480px){.pad{padding-left:16px!important;padding-right:16px!important}\
.name{display:block!important;width:auto!important;padding-bottom:0!important;border-bottom:0!important}\
.value{display:block!important}}";

/// The page, and whether something of the alert is not in it. `whole` says where all of it is; `note` is shown at its end.
pub(super) fn page(card: &Card, whole: &str, note: Option<&str>) -> (String, bool) {
    fit(
        PAGE_BYTES_MAX,
        |(page, _): &(String, bool)| page.len(),
        |room| {
            let (rows, is_cut) = rows(card, room, whole, note);
            (frame(card, &rows), is_cut)
        },
    )
}

fn frame(card: &Card, rows: &str) -> String {
    let title = ink(&plain(&card.title, 200));
    let teaser = ink(&plain(&teaser(card), 200));
    let colour = card.severity.colour();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"supported-color-schemes\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style></head>\n\
         <body class=\"page\" style=\"margin:0;padding:0;background-color:#f2f4f6;\">\n\
         <div style=\"display:none;max-height:0;overflow:hidden;\">{teaser}</div>\n\
         <table role=\"presentation\" class=\"page\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"background-color:#f2f4f6;\"><tr><td align=\"center\" style=\"padding:20px 8px;\">\n\
         <table role=\"presentation\" class=\"sheet\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"max-width:640px;background-color:#ffffff;border:1px solid #dde2e7;border-radius:8px;\">\n\
         <tr><td bgcolor=\"#{colour}\" style=\"background-color:#{colour};height:6px;line-height:6px;font-size:6px;\
         border-radius:7px 7px 0 0;\">&nbsp;</td></tr>\n\
         {rows}</table>\n</td></tr></table>\n</body></html>\n"
    )
}

/// What is seen beside the subject in a list of mails.
fn teaser(card: &Card) -> String {
    let facts = card.facts.iter().take(3);
    let facts: Vec<String> = facts
        .map(|fact| format!("{}: {}", cut(&fact.name, 60), cut(&fact.value, 80)))
        .collect();
    facts.join(" · ")
}

fn rows(card: &Card, room: Room, whole: &str, note: Option<&str>) -> (String, bool) {
    let mut rows = head(card);
    let facts_are_cut = push_facts(&mut rows, None, &card.facts, room);
    let context_is_cut = push_facts(&mut rows, Some("Context"), &card.context, room);
    push_links(&mut rows, &card.links);
    if let Some(warning) = &card.warning {
        push_note(&mut rows, &plain(warning, 500));
    }
    let record_is_cut = push_record(&mut rows, card, room, whole);
    if (facts_are_cut || context_is_cut) && !record_is_cut {
        push_dim(&mut rows, &format!("… {whole}"));
    }
    if let Some(note) = note {
        push_note(&mut rows, note);
    }
    let _ = writeln!(
        rows,
        "<tr><td class=\"pad rule dim\" style=\"{FONT}padding:14px 28px 18px;border-top:1px solid #e6eaee;font-size:12px;\
         line-height:18px;color:#66717c;word-break:break-word;\">{}</td></tr>",
        ink(&plain(&card.origin.join(" · "), 800))
    );
    (rows, facts_are_cut || context_is_cut || record_is_cut)
}

/// Severity, title, what happened, how often.
fn head(card: &Card) -> String {
    let mut head = String::from("<tr><td class=\"pad\" style=\"padding:20px 28px 4px;\">");
    let word = card.severity.word();
    if !word.is_empty() {
        let (back, front) = (card.severity.colour(), on(card.severity));
        let _ = write!(
            head,
            "<span style=\"{FONT}display:inline-block;background-color:#{back};color:#{front};font-size:12px;font-weight:700;\
             line-height:20px;padding:0 10px;border-radius:10px;\">{word}</span>"
        );
    }
    if let Some(merged) = &card.merged {
        let _ = write!(
            head,
            "<span class=\"dim\" style=\"{FONT}font-size:13px;line-height:20px;color:#66717c;\">&nbsp; {}</span>",
            html(&merged.title())
        );
    }
    let _ = write!(
        head,
        "<h1 class=\"ink\" style=\"{FONT}margin:8px 0 4px;font-size:22px;line-height:28px;font-weight:700;color:#1b2127;\
         word-break:break-word;\">{}</h1>",
        ink(&plain(&card.title, 200))
    );
    if !card.summary.is_empty() {
        let _ = write!(
            head,
            "<p class=\"ink\" style=\"{FONT}margin:0;font-size:16px;line-height:24px;color:#1b2127;word-break:break-word;\">{}</p>",
            ink(&plain(&card.summary, 1000))
        );
    }
    if let Some(merged) = &card.merged {
        let _ = write!(
            head,
            "<p class=\"dim\" style=\"{FONT}margin:6px 0 0;font-size:13px;line-height:20px;color:#66717c;word-break:break-word;\">{}</p>",
            ink(&plain(&merged.span(), 200))
        );
    }
    head.push_str("</td></tr>\n");
    head
}

/// What can be read on the colour of a severity.
const fn on(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Unknown => "ffffff",
        Severity::Info | Severity::Low | Severity::Medium | Severity::High => "15181c",
    }
}

/// Names and values beside each other; says whether something is missing.
fn push_facts(rows: &mut String, title: Option<&str>, facts: &[Fact], room: Room) -> bool {
    if facts.is_empty() {
        return false;
    }
    rows.push_str("<tr><td class=\"pad\" style=\"padding:12px 28px 4px;\">");
    if let Some(title) = title {
        let _ = write!(
            rows,
            "<div class=\"dim\" style=\"{FONT}font-size:12px;font-weight:700;line-height:20px;color:#66717c;\">{title}</div>"
        );
    }
    rows.push_str(
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"table-layout:fixed;\">",
    );
    let cell = "padding:6px 8px 6px 0;vertical-align:top;border-bottom:1px solid #eef1f4;font-size:14px;line-height:20px;";
    let mut is_cut = facts.len() > room.facts;
    for fact in facts.iter().take(room.facts) {
        is_cut |= fact.value.chars().count() > room.value_chars;
        let _ = writeln!(
            rows,
            "<tr><td class=\"name rule dim\" width=\"34%\" style=\"{FONT}{cell}color:#66717c;word-break:break-word;\">{}</td>\
             <td class=\"value rule ink\" style=\"{FONT}{cell}color:#1b2127;word-break:break-word;\">{}</td></tr>",
            ink(&plain(&fact.name, 80)),
            ink(&plain(&fact.value, room.value_chars))
        );
    }
    rows.push_str("</table></td></tr>\n");
    if facts.len() > room.facts {
        push_dim(rows, &format!("… {} more fields", facts.len() - room.facts));
    }
    is_cut
}

/// Links of ours as buttons: the only ones of a mail.
fn push_links(rows: &mut String, links: &[Link]) {
    if links.is_empty() {
        return;
    }
    rows.push_str("<tr><td class=\"pad\" style=\"padding:14px 28px 6px;\">");
    for link in links {
        let _ = write!(
            rows,
            "<a class=\"go ink\" href=\"{}\" style=\"{FONT}display:inline-block;margin:0 8px 8px 0;padding:8px 16px;\
             background-color:#f6f8fa;border:1px solid #c9d1d9;border-radius:6px;font-size:14px;font-weight:600;\
             line-height:20px;color:#1b2127;text-decoration:none;\">{}</a>",
            html(&link.url),
            html(link.text)
        );
    }
    rows.push_str("</td></tr>\n");
}

fn push_note(rows: &mut String, text: &str) {
    let _ = writeln!(
        rows,
        "<tr><td class=\"pad\" style=\"padding:8px 28px;\"><div class=\"note ink\" style=\"{FONT}padding:10px 14px;\
         background-color:#fff6dd;border:1px solid #ecd48a;border-radius:6px;font-size:14px;line-height:20px;color:#1b2127;\
         word-break:break-word;\">⚠ {}</div></td></tr>",
        ink(text)
    );
}

fn push_dim(rows: &mut String, text: &str) {
    let _ = writeln!(
        rows,
        "<tr><td class=\"pad dim\" style=\"{FONT}padding:2px 28px 8px;font-size:12px;line-height:18px;color:#66717c;\">{}</td></tr>",
        ink(text)
    );
}

/// The record comes last; says whether something is missing.
fn push_record(rows: &mut String, card: &Card, room: Room, whole: &str) -> bool {
    let record = card.record_text();
    let chars = record.chars().count();
    if room.record_chars > 0 {
        let begin: String = record.chars().take(room.record_chars).collect();
        let _ = writeln!(
            rows,
            "<tr><td class=\"pad\" style=\"padding:8px 28px 12px;\"><div class=\"dim\" style=\"{FONT}font-size:12px;\
             font-weight:700;line-height:20px;color:#66717c;\">Record</div>\
             <pre class=\"code\" style=\"{MONO}margin:4px 0 0;padding:12px 14px;background-color:#f6f8fa;border:1px solid #e6eaee;\
             border-radius:6px;font-size:12px;line-height:18px;color:#2c343c;white-space:pre-wrap;word-break:break-word;\">{}</pre></td></tr>",
            ink(&begin)
        );
    }
    let missing = chars.saturating_sub(room.record_chars);
    if missing > 0 {
        push_dim(rows, &format!("… {missing} more characters, {whole}"));
    }
    missing > 0
}

/// Between two characters that programs would make a link of together; not seen and without width.
const JOINER: char = '\u{2060}';

/// Text of a log: no markup takes effect, and no program makes a link of it.
fn ink(text: &str) -> String {
    let defanged = defanged(text);
    let mut unlinked = String::with_capacity(defanged.len());
    let mut parts = defanged.split("://").peekable();
    while let Some(part) = parts.next() {
        unlinked.push_str(part);
        if parts.peek().is_some() {
            unlinked.push(':');
            // what is defanged can be read as it is
            if !(part.ends_with("hxxp") || part.ends_with("hxxps")) {
                unlinked.push(JOINER);
            }
            unlinked.push_str("//");
        }
    }
    html(&unlinked.replace("www.", "www\u{2060}."))
}
