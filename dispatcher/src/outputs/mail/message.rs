//! The MIME message (RFC 5322, 2045, 2046). Headers are made of our own words, of addresses that were parsed, and of
//! texts without control characters that the encoder of headers writes (RFC 2047).

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use lettre::Message;
use lettre::message::header::{
    ContentDisposition, ContentTransferEncoding, ContentType, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};

use super::{Attachment, Content};
use crate::card::Severity;
use crate::outputs::SendError;
use crate::{IncidentAction, Publication};

/// From whom a mail is and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    /// The sender.
    pub(crate) from: Mailbox,
    /// Where answers go, if not to the sender.
    pub(crate) reply_to: Option<Mailbox>,
    /// The recipients; at least one.
    pub(crate) to: Vec<Mailbox>,
}

/// One address, such as `alerts@example.com` or `Alerts <alerts@example.com>`.
///
/// # Errors
/// One line that does not quote it.
pub(crate) fn address(text: &str) -> Result<Mailbox, String> {
    if text.chars().any(char::is_control) {
        return Err("an address with control characters".to_owned());
    }
    text.trim().parse().map_err(|_| "no address of e-mail".to_owned())
}

/// Addresses with commas between them.
///
/// # Errors
/// As [`address`].
pub(crate) fn addresses(text: &str) -> Result<Vec<Mailbox>, String> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts.map(address).collect()
}

/// The mail about `publication`. The same content gives the same bytes, so that a mail that is sent again can be told
/// by its `Message-ID`.
///
/// # Errors
/// Permanent, when it cannot be put together.
pub(crate) fn message(
    publication: &Publication,
    content: &Content,
    heading: &Heading,
) -> Result<Message, SendError> {
    let alert = &publication.alert;
    let created = Duration::from_micros(u64::try_from(alert.created.as_micros()).unwrap_or_default());
    let domain = heading.from.email.domain();
    let id = message_id(publication, domain);
    let mut builder = Message::builder()
        .from(heading.from.clone())
        .subject(content.subject.clone())
        .date(SystemTime::UNIX_EPOCH + created)
        .message_id(Some(id))
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Auto-Response-Suppress", "All"))
        .raw_header(raw("X-StreamAlert-Alert", &alert.id.to_string()));
    for to in &heading.to {
        builder = builder.to(to.clone());
    }
    if let Some(reply_to) = &heading.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    if let Some(first) = answers(publication, domain) {
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    if publication.card().severity >= Severity::High {
        builder = builder.raw_header(raw("Importance", "high"));
    }
    let built = match parts(publication, content) {
        Part::Single(part) => builder.singlepart(part),
        Part::Multi(part) => builder.multipart(part),
    };
    built.map_err(|error| SendError::permanent(format!("the mail cannot be put together: {error}")))
}

/// Unique and deterministic: `<ALERT.HASH@DOMAIN>`. The first mail of an incident is named by the incident, what comes
/// later by its own alert.
pub(crate) fn message_id(publication: &Publication, domain: &str) -> String {
    let incident = publication.incident();
    match incident.action {
        IncidentAction::Open => id_of(&incident.key, publication, domain),
        IncidentAction::Update => id_of(&format!("{}.update", publication.alert.id), publication, domain),
    }
}

/// The first mail of the incident, where there is one.
fn answers(publication: &Publication, domain: &str) -> Option<String> {
    let incident = publication.incident();
    (incident.action == IncidentAction::Update).then(|| id_of(&incident.key, publication, domain))
}

fn id_of(what: &str, publication: &Publication, domain: &str) -> String {
    format!("<{what}.{}@{domain}>", short_hash(publication.output.as_str()))
}

/// Sixteen hexadecimal digits.
fn short_hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

enum Part {
    Single(SinglePart),
    Multi(MultiPart),
}

fn parts(publication: &Publication, content: &Content) -> Part {
    let text = content
        .text
        .as_deref()
        .map(|text| part(text, ContentType::TEXT_PLAIN));
    let html = content
        .html
        .as_deref()
        .map(|html| part(html, ContentType::TEXT_HTML));
    let body = match (text, html) {
        // what is last is what programs show first
        (Some(text), Some(html)) => Part::Multi(
            MultiPart::alternative()
                .boundary(boundary(publication, "alternative"))
                .singlepart(text)
                .singlepart(html),
        ),
        (Some(one), None) | (None, Some(one)) => Part::Single(one),
        (None, None) => Part::Single(part("", ContentType::TEXT_PLAIN)),
    };
    if content.attachments.is_empty() {
        return body;
    }
    let mixed = MultiPart::mixed().boundary(boundary(publication, "mixed"));
    let whole = match body {
        Part::Single(part) => mixed.singlepart(part),
        Part::Multi(part) => mixed.multipart(part),
    };
    Part::Multi(
        content
            .attachments
            .iter()
            .map(attached)
            .fold(whole, MultiPart::singlepart),
    )
}

/// Neither of the two encodings of parts writes `=_`, so that nothing in a part ends it.
fn boundary(publication: &Publication, part: &str) -> String {
    format!("=_{part}_{}", short_hash(&publication.alert.id.to_string()))
}

/// Quoted-printable: no line is too long for a server, and no bare line end or dot is left that one of two servers could
/// take for the end of the mail.
fn part(text: &str, kind: ContentType) -> SinglePart {
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(lines.join("\r\n"), encoding).unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

fn attached(file: &Attachment) -> SinglePart {
    let kind = ContentType::parse(file.kind).unwrap_or(ContentType::TEXT_PLAIN);
    let body = Body::new_with_encoding(file.bytes.clone(), ContentTransferEncoding::Base64)
        .unwrap_or_else(Body::new);
    SinglePart::builder()
        .header(kind)
        .header(ContentDisposition::attachment(&file.name))
        .body(body)
}
