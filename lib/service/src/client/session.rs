use std::collections::BTreeMap;
use std::time::Duration;

use streamalert_proto::{NeighbourError, v1};
use streamalert_types::BatchId;

use crate::{Backoff, Reply};

/// A stream that lived this long was a good one: the next attempt after it waits the first delay again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// A request and whoever waits for its answer, as far as the session needs to know them.
pub(crate) trait Ticket {
    fn id(&self) -> BatchId;
    /// What it counts for against credit.
    fn weight_bytes(&self) -> u64;
    /// Size of its message.
    fn message_bytes(&self) -> u64;
    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool;
}

/// What happens to a session. Whatever concerns a stream names its generation; of an old one it is ignored.
#[derive(Debug)]
pub(crate) enum Event<T, A> {
    /// A caller asks.
    Submitted(T),
    /// The stream is open.
    Opened { generation: u64 },
    /// The stream has room for one more request.
    Room { generation: u64 },
    /// The server said something.
    Replied { generation: u64, reply: Reply<A> },
    /// The stream did not open, or ended.
    Broken {
        generation: u64,
        reason: String,
        up_for: Duration,
    },
    /// The delay is over.
    Woken,
    /// No more of this.
    Stopped { reason: &'static str },
}

/// What is to be done about it, in order.
#[derive(Debug)]
pub(crate) enum Effect<T, A> {
    /// Open a stream; forget the one before.
    Open { generation: u64 },
    /// Wait, then say [`Event::Woken`].
    Sleep(Duration),
    /// Put this request on the stream; it is in flight now.
    Send(BatchId),
    /// Tell the caller.
    Answer(T, Result<A, NeighbourError>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Sleeping,
    Opening,
    Up(Credit),
    Stopped(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Credit {
    /// Below zero while a request larger than the window is in flight.
    bytes: i128,
    batches: u64,
    message_bytes_max: u64,
}

/// The client's side of an acked stream, across all the streams that break and are opened again. Pure: the shell
/// in `actor.rs` turns effects into I/O and I/O into events.
///
/// Invariant: every submitted ticket is answered exactly once, unless its caller has gone.
/// Invariant: what is in flight was sent on the present stream within the credit granted on it.
pub(crate) struct Session<T> {
    service: &'static str,
    backoff: Backoff,
    link: Link,
    generation: u64,
    /// Whether the present stream has brought an answer.
    progress: bool,
    /// Not sent on the present stream, in the order of their ids.
    waiting: BTreeMap<BatchId, T>,
    /// Sent on the present stream and not answered.
    in_flight: BTreeMap<BatchId, T>,
}

impl<T: Ticket> Session<T> {
    pub(crate) fn new(service: &'static str, backoff: Backoff) -> Self {
        Self {
            service,
            backoff,
            link: Link::Sleeping,
            generation: 0,
            progress: false,
            waiting: BTreeMap::new(),
            in_flight: BTreeMap::new(),
        }
    }

    /// The first effects: to open a stream.
    pub(crate) fn start<A>(&mut self) -> Vec<Effect<T, A>> {
        let mut effects = Vec::new();
        self.open(&mut effects);
        effects
    }

    pub(crate) fn apply<A>(&mut self, event: Event<T, A>) -> Vec<Effect<T, A>> {
        let mut effects = Vec::new();
        match event {
            Event::Submitted(ticket) => self.submitted(ticket, &mut effects),
            Event::Opened { generation } => {
                if self.is_current(generation) && self.link == Link::Opening {
                    self.link = Link::Up(Credit {
                        bytes: 0,
                        batches: 0,
                        message_bytes_max: 0,
                    });
                }
            }
            Event::Room { generation } if self.is_current(generation) => self.send_next(&mut effects),
            Event::Replied { generation, reply } if self.is_current(generation) => {
                self.replied(reply, &mut effects);
            }
            Event::Broken {
                generation, up_for, ..
            } if self.is_current(generation) => {
                self.broken(up_for, &mut effects);
            }
            Event::Room { .. } | Event::Replied { .. } | Event::Broken { .. } => {}
            Event::Woken => {
                if self.link == Link::Sleeping {
                    self.open(&mut effects);
                }
            }
            Event::Stopped { reason } => self.stop(reason, &mut effects),
        }
        effects
    }

    /// Whether a request could go as soon as the stream has room.
    pub(crate) fn wants_room(&self) -> bool {
        let Link::Up(credit) = self.link else { return false };
        let first = self.waiting.first_key_value();
        first.is_some_and(|(_, ticket)| ticket.is_abandoned() || self.fits(credit, ticket))
    }

    /// A request that is in flight.
    pub(crate) fn in_flight_mut(&mut self, id: BatchId) -> Option<&mut T> {
        self.in_flight.get_mut(&id)
    }

    fn is_current(&self, generation: u64) -> bool {
        generation == self.generation && matches!(self.link, Link::Opening | Link::Up(_))
    }

    fn open<A>(&mut self, effects: &mut Vec<Effect<T, A>>) {
        self.generation += 1;
        self.link = Link::Opening;
        self.progress = false;
        effects.push(Effect::Open {
            generation: self.generation,
        });
    }

    fn submitted<A>(&mut self, ticket: T, effects: &mut Vec<Effect<T, A>>) {
        if let Link::Stopped(reason) = self.link {
            effects.push(Effect::Answer(ticket, Err(self.unavailable(reason))));
        } else {
            self.waiting.insert(ticket.id(), ticket);
        }
    }

    /// A request larger than the window would wait for ever; alone it is let through.
    fn fits(&self, credit: Credit, ticket: &T) -> bool {
        credit.batches > 0 && (self.in_flight.is_empty() || credit.bytes >= i128::from(ticket.weight_bytes()))
    }

    fn send_next<A>(&mut self, effects: &mut Vec<Effect<T, A>>) {
        while let Link::Up(credit) = self.link
            && let Some((_, ticket)) = self.waiting.first_key_value()
            && (ticket.is_abandoned() || self.fits(credit, ticket))
        {
            let Some((id, ticket)) = self.waiting.pop_first() else {
                return;
            };
            if ticket.is_abandoned() {
                continue;
            }
            if ticket.message_bytes() > credit.message_bytes_max {
                let reason = too_large(ticket.message_bytes(), credit.message_bytes_max);
                let error = NeighbourError::Refused {
                    service: self.service,
                    reason,
                };
                effects.push(Effect::Answer(ticket, Err(error)));
                continue;
            }
            let bytes = credit.bytes - i128::from(ticket.weight_bytes());
            self.link = Link::Up(Credit {
                bytes,
                batches: credit.batches - 1,
                ..credit
            });
            self.in_flight.insert(id, ticket);
            effects.push(Effect::Send(id));
            return;
        }
    }

    fn replied<A>(&mut self, reply: Reply<A>, effects: &mut Vec<Effect<T, A>>) {
        match reply {
            Reply::Ack(id, answer) => self.answered(id, Ok(answer), effects),
            Reply::Nack(nack) => {
                let id = BatchId(nack.batch_id);
                self.answered(id, Err(nack.into_error(self.service)), effects);
            }
            Reply::Credit(more) => self.granted(&more),
        }
    }

    fn answered<A>(
        &mut self,
        id: BatchId,
        answer: Result<A, NeighbourError>,
        effects: &mut Vec<Effect<T, A>>,
    ) {
        self.progress = true;
        match self.in_flight.remove(&id) {
            Some(ticket) => effects.push(Effect::Answer(ticket, answer)),
            None => tracing::warn!(
                service = self.service,
                batch = id.0,
                "answer to nothing that was asked"
            ),
        }
    }

    fn granted(&mut self, more: &v1::Credit) {
        let Link::Up(credit) = &mut self.link else { return };
        credit.bytes = credit.bytes.saturating_add(i128::from(more.bytes));
        credit.batches = credit.batches.saturating_add(more.batches);
        if more.message_bytes_max > 0 {
            credit.message_bytes_max = more.message_bytes_max;
        }
    }

    fn broken<A>(&mut self, up_for: Duration, effects: &mut Vec<Effect<T, A>>) {
        if self.progress || up_for >= STABLE_AFTER {
            self.backoff.reset();
        }
        self.link = Link::Sleeping;
        self.waiting.append(&mut self.in_flight);
        self.waiting.retain(|_, ticket| !ticket.is_abandoned());
        effects.push(Effect::Sleep(self.backoff.next_delay()));
    }

    fn stop<A>(&mut self, reason: &'static str, effects: &mut Vec<Effect<T, A>>) {
        self.link = Link::Stopped(reason);
        self.waiting.append(&mut self.in_flight);
        for (_, ticket) in std::mem::take(&mut self.waiting) {
            effects.push(Effect::Answer(ticket, Err(self.unavailable(reason))));
        }
    }

    fn unavailable(&self, reason: &str) -> NeighbourError {
        NeighbourError::Unavailable {
            service: self.service,
            reason: reason.to_owned(),
        }
    }
}

/// Why a message is refused for its size.
pub(crate) fn too_large(bytes: u64, bytes_max: u64) -> String {
    format!("message of {bytes} bytes is over the limit of {bytes_max} bytes")
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod model;
