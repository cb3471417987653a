//! `syslog:NAME`: a message of RFC 5424 to a syslog receiver, over TLS.
//!
//! The publication as JSON, or one line for people; the alert's identity, rule, severity and origin are structured data
//! as well (`[streamalert@32473 id="…" rule="…"]`), and the rule is the `MSGID`. Follows RFC 5424 (the message), 5425 (TLS,
//! messages counted by octets), 6587 (TCP) and 5426 (UDP). Characters that end a line or obey nobody become U+FFFD; JSON is
//! sent as ASCII, and text that is not ASCII begins with a byte order mark, as RFC 5424 asks for.
//!
//! Idempotency: syslog knows neither acknowledgements nor identities. A message may come twice, with the same `key` in
//! its structured data. With `connection = "each"`, the default, every message has a connection of its own, and counts as
//! delivered when the receiver has closed it too, which it does when it has read all of it: a receiver that is restarted
//! or cut off loses nothing. One that never closes gets the message again and again: for such there is `kept`. With `connection = "kept"`, for many alerts a second, a message counts as delivered when it is
//! written and the connection still stands a moment later; those that the receiver had not read when it or the network
//! died are lost. `protocol = "udp"` may lose every one of them.
//!
//! Limits: a message over `message_bytes_max` loses its record, then its end, and says so. Receivers have to take 2 KiB
//! and should take 8 KiB, the default; over UDP it must fit into one datagram.

mod config;
mod link;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Output, Receipt, SendError, Settings};
use crate::service::{Reach, Service};
use crate::{Publication, Redactor};

pub(crate) const SERVICE: Service = Service {
    name: "syslog",
    title: "Syslog (RFC 5424)",
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
    Ok(Arc::new(Syslog {
        shape: config.shape,
        link: link::Link::new(config.receiver),
        redactor: settings.redactor()?,
    }))
}

struct Syslog {
    shape: request::Shape,
    link: link::Link,
    redactor: Redactor,
}

#[async_trait]
impl Output for Syslog {
    async fn send(
        &self,
        publication: &Publication,
        key: &str,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let message = request::message(publication, key, &self.shape);
        let begun = link::Begun::default();
        let result = match timeout_at(deadline - response::MARGIN, self.link.send(&message, &begun)).await {
            Ok(Ok(())) => return Ok(Receipt::default()),
            Ok(Err(error)) => response::failed(&error, begun.get()),
            Err(_) => response::timed_out(begun.get()),
        };
        Err(response::clean(result, &self.redactor))
    }
}
