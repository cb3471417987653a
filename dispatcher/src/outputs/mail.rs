//! Alerts as e-mail: subject, text, HTML and attachments in a layout of our own, and the MIME message around them. Pure;
//! the outputs that send mail share it.
//!
//! Publications may take over with `@SERVICE.subject` (text), `@SERVICE.body` (text, or a dictionary of `plain` and
//! `html`), `@SERVICE.attach_record` (flag) and `@SERVICE.attachments` (a dictionary of file names and contents), as
//! those of StreamAlert's `aws-ses`.

mod html;
mod message;
#[cfg(test)]
mod tests;

use streamalert_value::{Map, Value};

use super::document::{Markup, defanged, document};
use super::json::cut;
use super::markup::{plain, shown};
use crate::card::{Card, Severity};
use crate::{IncidentAction, Publication};

pub(crate) use message::{Heading, address, addresses, message, message_id};

/// RFC 5322 asks for lines of at most 998 characters and phones show forty; what is longer is no subject.
const SUBJECT_CHARS_MAX: usize = 180;

/// The text part; as much as anybody reads in a mail.
const TEXT_CHARS_MAX: usize = 12_000;

/// What publishers wrote as body; a part is held in memory several times while it is encoded.
const BODY_CHARS_MAX: usize = 500_000;

/// Characters of the name of an attachment: file systems take 255 bytes.
const FILE_NAME_CHARS_MAX: usize = 60;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// One line without control characters.
    pub(crate) subject: String,
    /// The part for readers without HTML; `None` where a publisher gave only HTML.
    pub(crate) text: Option<String>,
    /// The part for the others; `None` where a publisher gave a text.
    pub(crate) html: Option<String>,
    /// In order.
    pub(crate) attachments: Vec<Attachment>,
}

/// A file in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// Its name, fit for every file system.
    pub(crate) name: String,
    /// What it is: `application/json`.
    pub(crate) kind: &'static str,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
}

/// Which attachments a mail gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attach {
    /// The record as `record.json`, as StreamAlert does.
    Record,
    /// The whole publication as `alert.json` when not all of it is in the text.
    WhenCut,
    /// None: with them the message had this many bytes, which is over its limit.
    LeftOut(usize),
}

/// What a mail of `service` about `publication` says.
pub(crate) fn content(publication: &Publication, service: &str, attach: Attach) -> Content {
    let card = publication.card();
    let mut attachments = Vec::new();
    let wanted = match publication.magic(service, "attach_record") {
        Some(Value::Bool(wanted)) => Some(*wanted),
        _ => None,
    };
    let left_out = match attach {
        Attach::LeftOut(bytes) => Some(format!(
            "Attachments left out: the mail had {bytes} bytes with them, over the limit. The whole alert is in the history."
        )),
        Attach::Record | Attach::WhenCut => None,
    };
    if left_out.is_none() && (wanted == Some(true) || (wanted.is_none() && attach == Attach::Record)) {
        attachments.push(Attachment::json("record.json", &card.record));
    }
    let attached = match (&left_out, wanted) {
        (None, Some(true)) => "the whole record is attached",
        (None, None) if attach == Attach::Record => "the whole record is attached",
        (None, None) => "the whole alert is attached",
        _ => "the whole alert is in the history",
    };
    let (html, is_cut) = html::page(&card, attached, left_out.as_deref());
    if is_cut && left_out.is_none() && wanted.is_none() && attach == Attach::WhenCut {
        attachments.push(Attachment::json(
            "alert.json",
            &Value::Map(without_magic(publication)),
        ));
    }
    let mut text = text(&card);
    let note = match attachments.last() {
        Some(file) => Some(format!("Attached: {}", file.name)),
        None => left_out.clone(),
    };
    if let Some(note) = note {
        text = format!("{text}\n{note}\n");
    }
    if left_out.is_none() {
        attachments.extend(further(publication, service));
    }
    let (text, html) = match body(publication, service) {
        Some((plain, html)) => (plain, html),
        None => (Some(text), Some(html)),
    };
    Content {
        subject: subject(publication, service, &card),
        text,
        html,
        attachments,
    }
}

/// `[Critical] Cloudtrail root login: Somebody used it. (12 alerts merged)`. What comes later about an incident has the
/// subject of its first mail, by which some clients tell what belongs together.
fn subject(publication: &Publication, service: &str, card: &Card) -> String {
    let said = match publication.magic_text(service, "subject") {
        Some(text) => plain(text, SUBJECT_CHARS_MAX),
        None => plain(
            &format!("{}{}", mark(card.severity), defanged(&card.headline())),
            SUBJECT_CHARS_MAX,
        ),
    };
    match (&card.merged, publication.incident().action) {
        (_, IncidentAction::Update) => format!("Re: {said}"),
        (Some(merged), IncidentAction::Open) => format!("{said} ({})", merged.title()),
        (None, IncidentAction::Open) => said,
    }
}

/// The part for readers without HTML.
fn text(card: &Card) -> String {
    let title = format!("{}{}", mark(card.severity), plain(&card.title, 200));
    let line = "=".repeat(title.chars().count().min(72));
    let below = Card {
        severity: Severity::Unknown,
        ..card.clone()
    };
    format!(
        "{}\n{line}\n\n{}\n",
        Markup::Plain.inert(&title),
        document(&below, Markup::Plain, TEXT_CHARS_MAX)
    )
}

/// `[Critical] `; empty where nobody said.
fn mark(severity: Severity) -> String {
    match severity.word() {
        "" => String::new(),
        word => format!("[{word}] "),
    }
}

/// What publishers wrote instead of text and HTML.
fn body(publication: &Publication, service: &str) -> Option<(Option<String>, Option<String>)> {
    let whole = |text: &str| cut(text, BODY_CHARS_MAX);
    match publication.magic(service, "body")? {
        Value::Str(text) if !text.trim().is_empty() => Some((Some(whole(text)), None)),
        Value::Map(parts) => {
            let of = |name: &str| Some(whole(parts.get(name)?.as_str()?));
            let (plain, html) = (of("plain"), of("html"));
            (plain.is_some() || html.is_some()).then_some((plain, html))
        }
        _ => None,
    }
}

/// What publishers want attached: texts as they are, all else as JSON.
fn further(publication: &Publication, service: &str) -> Vec<Attachment> {
    let files = publication.magic(service, "attachments").and_then(Value::as_map);
    let file = |(name, value): (&String, &Value)| match value {
        Value::Str(text) => Attachment {
            name: file_name(name),
            kind: "application/octet-stream",
            bytes: text.clone().into_bytes(),
        },
        other => Attachment::json(name, other),
    };
    files.into_iter().flatten().map(file).collect()
}

fn without_magic(publication: &Publication) -> Map {
    let fields = publication.fields();
    let kept = fields.iter().filter(|(name, _)| !name.starts_with('@'));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Attachment {
    fn json(name: &str, value: &Value) -> Self {
        Self {
            name: file_name(name),
            kind: "application/json",
            bytes: crate::json::to_pretty_json(value).into_bytes(),
        }
    }
}

/// `name` without what leads elsewhere or means something to a header or a file system.
fn file_name(name: &str) -> String {
    let fit = |c: char| match c {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | ';' => '_',
        c if c.is_control() => '_',
        c => shown(c),
    };
    let fitting: String = name.chars().map(fit).take(FILE_NAME_CHARS_MAX).collect();
    match fitting.trim_matches(['.', ' ']) {
        "" => "attachment".to_owned(),
        name => name.to_owned(),
    }
}
