use std::io;
use std::time::Duration;

use crate::outputs::SendError;
use crate::outputs::http::MESSAGE_CHARS_MAX;
use crate::{DeliveryOptions, Redactor};

/// Left of an attempt's time to say how far it came.
pub(super) const MARGIN: Duration = Duration::from_millis(50);

/// A receiver says nothing: all that can be known is that a connection failed.
pub(super) fn failed(error: &io::Error, begun: bool) -> SendError {
    if begun {
        SendError::unsure(format!("the message may be lost: {error}"))
    } else {
        SendError::retry(format!("no connection: {error}"))
    }
}

/// The attempt's time is over.
pub(super) fn timed_out(begun: bool) -> SendError {
    if begun {
        SendError::unsure(
            "timed out: the receiver has not closed the connection, by which it says that it read the message; for one that \
             never does, set connection = \"kept\"",
        )
    } else {
        SendError::retry("timed out before the message was sent")
    }
}

/// Not too long.
pub(super) fn clean(mut error: SendError, redactor: &Redactor) -> SendError {
    error.message = redactor.clean(&error.message, MESSAGE_CHARS_MAX);
    error
}

/// Receivers know no limits; each attempt is a connection.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions::default()
}
