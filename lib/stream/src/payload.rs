use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{Position, Source};

use crate::Ticket;

/// What a payload counts for beside its body, against the limit on unacknowledged bytes.
const PAYLOAD_OVERHEAD_BYTES: usize = 256;

/// One payload as its source gave it: the unit that is acknowledged.
#[derive(Debug)]
pub struct Payload {
    /// Where it came from.
    pub source: Arc<Source>,
    /// Its place there; the same whenever it is read again.
    pub position: Position,
    /// Its bytes; only the first of them where `form` is [`PayloadForm::Oversize`].
    pub body: Bytes,
    /// What the bytes are.
    pub form: PayloadForm,
    /// To be used once everything that came of the payload is durable.
    pub token: AckToken,
}

/// What the bytes of a payload are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadForm {
    /// One message of a stream, queue or topic.
    Message,
    /// A whole S3 object, no longer compressed.
    Object,
    /// One line of an S3 object that is too large to be held at once, or one element of the array that its document
    /// is, as a document with that element alone: `{"Records":[{…}]}`.
    ObjectLine,
    /// Over the limit for one payload: the body is its beginning. To be dead-lettered.
    Oversize {
        /// How long the whole of it is, in bytes.
        total_bytes: u64,
    },
    /// From here on the source cannot be read; the body is what is left of it, as far as that is bounded.
    /// To be dead-lettered.
    Unreadable {
        /// Why, in one line.
        reason: String,
    },
}

impl Payload {
    /// Bytes that this payload counts for against limits.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        weight_of(&self.body)
    }
}

/// What a payload with this body counts for.
pub(crate) fn weight_of(body: &[u8]) -> usize {
    body.len() + PAYLOAD_OVERHEAD_BYTES
}

/// The right and duty to acknowledge one payload. Dropping it acknowledges nothing: the payload is read again
/// after a restart.
#[must_use = "a payload that is never acknowledged holds its source back"]
pub struct AckToken {
    target: Arc<dyn AckTarget>,
    ticket: Ticket,
}

impl AckToken {
    /// A token that reports `ticket` to `target`.
    pub fn new(target: Arc<dyn AckTarget>, ticket: Ticket) -> Self {
        Self { target, ticket }
    }

    /// Says that everything that came of the payload is durable. Does not wait.
    pub fn ack(self) {
        self.target.ack(self.ticket);
    }
}

impl fmt::Debug for AckToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AckToken").field(&self.ticket).finish()
    }
}

/// Who wants to know that a payload is acknowledged. Must not block.
pub trait AckTarget: Send + Sync + 'static {
    /// Everything that came of the payload is durable.
    fn ack(&self, ticket: Ticket);
}
