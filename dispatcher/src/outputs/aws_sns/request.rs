use crate::Publication;
use crate::json::to_pretty_json;
use crate::outputs::SendError;
use crate::outputs::aws::{dedup_id, fitted, without_noncharacters};
use crate::outputs::json::{cut, one_line};

/// What every topic takes; one may be set to 1 MiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// A subject has less than 100 characters.
pub(super) const SUBJECT_CHARS_MAX: usize = 99;

const SERVICE: &str = "aws-sns";

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) group: Option<String>,
    pub(super) dedup_id: Option<String>,
}

/// The message about `publication`.
pub(super) fn message(publication: &Publication, key: &str, is_fifo: bool) -> Result<Message, SendError> {
    Ok(Message {
        subject: subject(publication),
        text: match publication.magic_text(SERVICE, "message") {
            Some(text) => cut_text(text),
            None => fitted(publication, &publication.body, MESSAGE_BYTES_MAX, |body| {
                without_noncharacters(to_pretty_json(body))
            })?,
        },
        group: is_fifo.then(|| publication.incident().key),
        dedup_id: is_fifo.then(|| dedup_id(key)),
    })
}

/// StreamAlert calls the subject `topic`.
fn subject(publication: &Publication) -> String {
    let alert = &publication.alert;
    let said = publication
        .magic_text(SERVICE, "subject")
        .or_else(|| publication.magic_text(SERVICE, "topic"))
        .map(one_line)
        .filter(|text| !text.is_empty());
    let subject =
        said.unwrap_or_else(|| one_line(&format!("{} triggered alert {}", alert.rule_name, alert.id)));
    elided(&subject)
}

/// As StreamAlert shortens subjects: what is too long loses its middle, so that the alert's id at its end stays.
fn elided(subject: &str) -> String {
    const GAP: &str = " ... ";
    let chars: Vec<char> = subject.chars().collect();
    if chars.len() <= SUBJECT_CHARS_MAX {
        return subject.to_owned();
    }
    let half = (SUBJECT_CHARS_MAX - GAP.len()) / 2;
    let begin = chars.iter().take(half);
    let end = chars.iter().skip(chars.len() - half);
    begin.copied().chain(GAP.chars()).chain(end.copied()).collect()
}

/// What a publisher wrote, without what XML cannot say and cut to what a topic takes.
fn cut_text(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' | '\r' => c,
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let text: String = text.chars().map(shown).collect();
    let mut chars_max = text.chars().count();
    loop {
        let short = cut(&text, chars_max);
        let over = short.len().saturating_sub(MESSAGE_BYTES_MAX);
        if over == 0 || chars_max == 0 {
            return short;
        }
        // a character has four bytes at most
        chars_max = chars_max.saturating_sub(over.div_ceil(4).max(64));
    }
}
