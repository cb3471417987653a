//! `email:NAME`: a mail through an SMTP server.
//!
//! Text and HTML in one mail: title, severity, what happened, the facts, how many alerts were merged, links, and the
//! record last. Follows RFC 5321 (SMTP), 3207 (STARTTLS), 8314 (TLS from the first byte), 4954 (AUTH PLAIN and LOGIN),
//! 5322 and 2045 to 2047 (the mail), 3834 (`Auto-Submitted: auto-generated`).
//! The connection is encrypted, and the server's certificate is checked, unless `tls` is `none`; credentials go without
//! encryption to this machine only. What comes out of logs means nothing to headers and HTML, and urls of theirs are
//! written `hxxp://`, because mail programs make links of them.
//! Publications may take over with `@email.subject`, `@email.body` (text, or a dictionary of `plain` and `html`),
//! `@email.attach_record`, `@email.attachments` (a dictionary of file names and contents), as those of StreamAlert's
//! `aws-ses`, and with `@email.to` (addresses, one text with commas or a list).
//!
//! Idempotency: SMTP knows none. A mail whose last answer was lost may come twice, with the same bytes and the same
//! `Message-ID`, by which mail servers and programs can tell; updates of an incident answer its first mail
//! (`In-Reply-To`), so that programs show them as one conversation. When a server takes a mail for some recipients and
//! not for others, those that have it do not get it again while the dispatcher runs.
//!
//! Limits: the HTML is kept under 100 KB, over which Gmail hides the rest. What is cut says so, and the whole alert is
//! attached as `alert.json`. A mail over `message_bytes_max`, or over what the server takes, goes without attachments
//! and says so. Answers 4xx are tried again, 5xx are not.

mod config;
mod request;
mod response;
mod session;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use tokio::time::{Instant, timeout_at};

use super::mail::Attach;
use super::{Output, Receipt, SendError, Settings};
use crate::service::{Reach, Service};
use crate::{Publication, Redactor};

pub(crate) const SERVICE: Service = Service {
    name: "email",
    title: "E-mail (SMTP)",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let config = config::Config::read(settings)?;
    let redactor = Redactor::new(&config.secrets(settings)?);
    Ok(Arc::new(Email {
        heading: config.heading,
        message_bytes_max: config.message_bytes_max,
        server: session::Server::new(config.server),
        redactor,
        partly: Mutex::default(),
    }))
}

/// Mails that some recipients have and others do not; remembered at most, the newest.
const PARTLY_MAX: usize = 1000;

/// Left of an attempt's time to say how far it came.
const MARGIN: Duration = Duration::from_millis(50);

struct Email {
    heading: config::Heading,
    message_bytes_max: usize,
    server: session::Server,
    redactor: Redactor,
    /// By the key of the delivery, who has it already.
    partly: Mutex<VecDeque<(String, Vec<Address>)>>,
}

impl Email {
    async fn attempt(
        &self,
        publication: &Publication,
        key: &str,
        begun: &AtomicBool,
    ) -> Result<Receipt, SendError> {
        let heading = request::heading(publication, &self.heading)?;
        let done = self.done(key);
        let mail = request::mail(publication, &heading, Attach::WhenCut, self.message_bytes_max)?;
        let taken = match self.server.send(&mail.to(&done), &mail.bytes, begun).await {
            Err(failure) if response::is_too_large(&failure) && mail.has_attachments => {
                begun.store(false, Ordering::Relaxed);
                let attach = Attach::LeftOut(mail.bytes.len());
                let mail = request::mail(publication, &heading, attach, self.message_bytes_max)?;
                self.server.send(&mail.to(&done), &mail.bytes, begun).await
            }
            other => other,
        };
        let taken = taken.map_err(|failure| response::failed(&failure, begun.load(Ordering::Relaxed)))?;
        if taken.refused.is_empty() {
            return Ok(Receipt {
                reference: Some(mail.id),
            });
        }
        self.remember(key, &taken.accepted);
        Err(response::refused(&taken, &done))
    }

    fn done(&self, key: &str) -> Vec<Address> {
        let partly = self.partly.lock().unwrap_or_else(PoisonError::into_inner);
        let known = partly.iter().find(|(known, _)| known == key);
        known.map(|(_, done)| done.clone()).unwrap_or_default()
    }

    fn remember(&self, key: &str, accepted: &[Address]) {
        if accepted.is_empty() {
            return;
        }
        let mut partly = self.partly.lock().unwrap_or_else(PoisonError::into_inner);
        match partly.iter_mut().find(|(known, _)| known == key) {
            Some((_, done)) => done.extend_from_slice(accepted),
            None => partly.push_back((key.to_owned(), accepted.to_vec())),
        }
        if partly.len() > PARTLY_MAX {
            partly.pop_front();
        }
    }
}

#[async_trait]
impl Output for Email {
    async fn send(
        &self,
        publication: &Publication,
        key: &str,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let begun = AtomicBool::new(false);
        let attempt = timeout_at(deadline - MARGIN, self.attempt(publication, key, &begun));
        let result = match attempt.await {
            Ok(result) => result,
            Err(_) => Err(response::timed_out(begun.load(Ordering::Relaxed))),
        };
        result.map_err(|error| response::clean(error, &self.redactor))
    }
}
