use std::error::Error as _;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;

use super::session::{Failure, Problem, Taken};
use crate::outputs::SendError;
use crate::outputs::http::MESSAGE_CHARS_MAX;
use crate::{DeliveryOptions, Redactor};

/// 4xx is tried again, 5xx is not (RFC 5321, 4.2.1), and all else is the network. `begun`: the server may have the mail.
pub(super) fn failed(failure: &Failure, begun: bool) -> SendError {
    let Failure { step, error } = failure;
    match error {
        Problem::Unable(what) => SendError::retry(format!("{step}: {what}")),
        Problem::Network(error) => SendError::retry(format!("{step}: {error}")),
        Problem::Smtp(error) => {
            let text = format!("{step}: {}", said(error));
            if error.is_permanent() {
                SendError::permanent(text)
            } else if begun {
                SendError::unsure(text)
            } else {
                SendError::retry(text)
            }
        }
    }
}

/// Some recipients were refused. The others have the mail, or had it already (`done`).
pub(super) fn refused(taken: &Taken, done: &[Address]) -> SendError {
    let each = taken
        .refused
        .iter()
        .map(|(to, error)| format!("{to}: {}", said(error)));
    let each: Vec<String> = each.collect();
    let text = match taken.accepted.len() + done.len() {
        0 => format!("no recipient was taken: {}", each.join("; ")),
        count => format!("{count} recipients have it, not taken: {}", each.join("; ")),
    };
    let error = if taken.refused.iter().all(|(_, error)| error.is_permanent()) {
        SendError::permanent(text)
    } else {
        SendError::retry(text)
    };
    SendError {
        may_have_happened: !taken.accepted.is_empty(),
        ..error
    }
}

/// The attempt's time is over.
pub(super) fn timed_out(begun: bool) -> SendError {
    if begun {
        SendError::unsure("timed out, the mail was being taken")
    } else {
        SendError::retry("timed out before the mail was sent")
    }
}

/// Whether a smaller mail may be taken: 552, or 5.3.4 (RFC 3463).
pub(super) fn is_too_large(failure: &Failure) -> bool {
    match &failure.error {
        Problem::Smtp(error) if error.is_permanent() => {
            let text = said(error);
            text.starts_with("552") || text.contains("5.3.4")
        }
        _ => false,
    }
}

/// Without secrets and not too long.
pub(super) fn clean(mut error: SendError, redactor: &Redactor) -> SendError {
    error.message = redactor.clean(&error.message, MESSAGE_CHARS_MAX);
    error
}

/// `550 No such user`, or what failed.
fn said(error: &Error) -> String {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => format!("{code} {cause}"),
        None => error.to_string(),
    }
}

/// Servers take few connections of one client, and think long before the last answer.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 4,
        timeout: Duration::from_secs(30),
        ..DeliveryOptions::default()
    }
}
