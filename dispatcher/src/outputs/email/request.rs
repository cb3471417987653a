use lettre::Address;
use lettre::address::Envelope;
use streamalert_value::Value;

use super::config;
use crate::Publication;
use crate::outputs::SendError;
use crate::outputs::mail::{self, Attach, Heading, address, addresses};

/// A mail as it goes over the wire.
pub(super) struct Mail {
    pub(super) bytes: Vec<u8>,
    pub(super) has_attachments: bool,
    /// Its `Message-ID`.
    pub(super) id: String,
    envelope: Envelope,
}

impl Mail {
    /// From whom it is and to whom of its recipients but `done` it goes.
    pub(super) fn to(&self, done: &[Address]) -> (Option<Address>, Vec<Address>) {
        let to = self.envelope.to().iter().filter(|to| !done.contains(to));
        (self.envelope.from().cloned(), to.cloned().collect())
    }
}

/// From whom and to whom the mail about `publication` is.
pub(super) fn heading(publication: &Publication, config: &config::Heading) -> Result<Heading, SendError> {
    let said = match publication.magic("email", "to") {
        Some(Value::Str(text)) => Some(addresses(text)),
        Some(Value::List(list)) => Some(
            list.iter()
                .map(|item| address(item.as_str().unwrap_or_default()))
                .collect(),
        ),
        _ => None,
    };
    let to = match said {
        Some(to) => to.map_err(|error| SendError::permanent(format!("@email.to: {error}")))?,
        None => config.to.clone(),
    };
    if to.is_empty() {
        return Err(SendError::permanent(
            "the mail has no recipient: neither `to` nor `@email.to` names one",
        ));
    }
    Ok(Heading {
        from: config.from.clone(),
        reply_to: config.reply_to.clone(),
        to,
    })
}

/// The mail, without attachments if it would have more than `bytes_max`.
pub(super) fn mail(
    publication: &Publication,
    heading: &Heading,
    attach: Attach,
    bytes_max: usize,
) -> Result<Mail, SendError> {
    let made = made(publication, heading, attach)?;
    if made.bytes.len() > bytes_max && made.has_attachments {
        return self::made(publication, heading, Attach::LeftOut(made.bytes.len()));
    }
    Ok(made)
}

fn made(publication: &Publication, heading: &Heading, attach: Attach) -> Result<Mail, SendError> {
    let content = mail::content(publication, "email", attach);
    let message = mail::message(publication, &content, heading)?;
    Ok(Mail {
        bytes: message.formatted(),
        has_attachments: !content.attachments.is_empty(),
        id: mail::message_id(publication, heading.from.email.domain()),
        envelope: message.envelope().clone(),
    })
}
