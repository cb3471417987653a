use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use streamalert_proto::NeighbourError;

use super::view::{Owner, View};
use crate::{Backoff, BackoffOptions};

/// Owners that refused a piece and are remembered; one that is sent about more often than this waits each time.
const REFUSALS_MAX: usize = 8;

/// How a [`Parcel`] goes about it.
#[derive(Debug, Clone)]
pub(crate) struct ParcelOptions {
    /// Whose slots they are, as errors name it.
    pub(crate) service: &'static str,
    /// How long an owner that can be reached may take to answer after its slot has moved elsewhere.
    pub(crate) moved_patience: Duration,
    /// Between attempts at owners that refused.
    pub(crate) backoff: BackoffOptions,
    /// Of the jitter.
    pub(crate) seed: u64,
}

/// What happens to a parcel.
#[derive(Debug)]
pub(crate) enum Event {
    /// The view is another, or time has passed.
    Look,
    /// A part was answered.
    Answered {
        part: u64,
        result: Result<(), NeighbourError>,
    },
}

/// What is to be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send the pieces of these slots together.
    Send {
        part: u64,
        address: Arc<str>,
        slots: Vec<u16>,
    },
    /// Nobody waits for this part any more.
    Drop { part: u64 },
    /// Read the table soon.
    Refresh,
    /// Everything is done, or never will be.
    Finish(Result<(), NeighbourError>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Sent,
    Done,
}

#[derive(Debug)]
struct Piece {
    state: State,
    /// Whom it was sent to in vain since the last pause.
    refused: Vec<Owner>,
    /// When those may be asked again.
    not_before: Duration,
}

#[derive(Debug)]
struct Part {
    /// Whom each slot was sent to; all have one address.
    slots: Vec<(u16, Owner)>,
    /// Since when one of its slots is known to be elsewhere.
    moved: Option<Duration>,
}

/// One request on its way to the owners of its slots, until each has done its share. Pure: `apply` takes what happened
/// and what is known of the owners, and says what to do.
///
/// Every piece is in one part at most, and a part that is dropped may have taken effect: neighbours take the same
/// thing twice as once.
#[derive(Debug)]
pub(crate) struct Parcel {
    options: ParcelOptions,
    backoff: Option<Backoff>,
    pieces: BTreeMap<u16, Piece>,
    parts: BTreeMap<u64, Part>,
    next_part: u64,
    finished: bool,
}

impl Parcel {
    pub(crate) fn new(slots: impl IntoIterator<Item = u16>, options: ParcelOptions) -> Self {
        let piece = |slot| {
            let piece = Piece {
                state: State::Waiting,
                refused: Vec::new(),
                not_before: Duration::ZERO,
            };
            (slot, piece)
        };
        Self {
            options,
            backoff: None,
            pieces: slots.into_iter().map(piece).collect(),
            parts: BTreeMap::new(),
            next_part: 0,
            finished: false,
        }
    }

    /// Takes note of `event` at `now`, a time from any origin that never goes back.
    pub(crate) fn apply(&mut self, now: Duration, event: Event, view: &View) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Event::Answered { part, result } = event {
            self.answered(now, part, result, &mut effects);
        }
        if self.finished {
            return effects;
        }
        if view.stopped {
            let reason = "client stopped".to_owned();
            self.finish(Err(reason), &mut effects);
            return effects;
        }
        self.drop_moved(now, view, &mut effects);
        self.send(now, view, &mut effects);
        if self.pieces.values().all(|piece| piece.state == State::Done) {
            self.finish(Ok(()), &mut effects);
        }
        effects
    }

    /// When [`Event::Look`] is due if nothing happens before.
    pub(crate) fn next_look(&self) -> Option<Duration> {
        let waiting = |piece: &&Piece| piece.state == State::Waiting && !piece.refused.is_empty();
        let pieces = self.pieces.values().filter(waiting).map(|piece| piece.not_before);
        let moved = self.parts.values().filter_map(|part| part.moved);
        pieces
            .chain(moved.map(|since| since + self.options.moved_patience))
            .min()
    }

    fn answered(
        &mut self,
        now: Duration,
        part: u64,
        result: Result<(), NeighbourError>,
        effects: &mut Vec<Effect>,
    ) {
        // Answers of parts that were dropped meanwhile are of no use: their pieces are elsewhere.
        let Some(part) = self.parts.remove(&part) else {
            return;
        };
        let named: Vec<u16> = match result {
            Ok(()) => {
                self.backoff = None;
                return self.set(&part, State::Done);
            }
            Err(error) if !error.is_retryable() => {
                self.finished = true;
                effects.push(Effect::Finish(Err(error)));
                return;
            }
            Err(NeighbourError::NotOwner { shards, .. }) => {
                let mine = |shard: &u16| part.slots.iter().any(|(slot, _)| slot == shard);
                shards.iter().map(|owned| owned.shard).filter(mine).collect()
            }
            Err(_) => Vec::new(),
        };
        self.set(&part, State::Waiting);
        let (backoff, seed) = (self.options.backoff, self.options.seed);
        let backoff = self.backoff.get_or_insert_with(|| Backoff::new(backoff, seed));
        let not_before = now + backoff.next_delay();
        for (slot, owner) in part.slots {
            // Of what is not named nothing is known; it may go there again at once.
            if (named.is_empty() || named.contains(&slot))
                && let Some(piece) = self.pieces.get_mut(&slot)
            {
                piece.refused.push(owner);
                piece.not_before = not_before;
            }
        }
        effects.push(Effect::Refresh);
    }

    fn set(&mut self, part: &Part, state: State) {
        for (slot, _) in &part.slots {
            if let Some(piece) = self.pieces.get_mut(slot) {
                piece.state = state;
            }
        }
    }

    /// Gives up on parts whose slots are elsewhere: at once when their owner cannot be reached, else after a while in
    /// which it may still answer what it was doing.
    fn drop_moved(&mut self, now: Duration, view: &View, effects: &mut Vec<Effect>) {
        let elsewhere = |(slot, to): &(u16, Owner)| {
            let owner = view.owner(*slot);
            owner.is_some_and(|owner| owner.address != to.address)
        };
        let mut given_up = Vec::new();
        for (id, part) in &mut self.parts {
            if !part.slots.iter().any(elsewhere) {
                part.moved = None;
                continue;
            }
            let since = *part.moved.get_or_insert(now);
            let down = part.slots.iter().any(|(_, to)| view.is_down(&to.address));
            if down || now >= since + self.options.moved_patience {
                given_up.push(*id);
            }
        }
        for id in given_up {
            if let Some(part) = self.parts.remove(&id) {
                self.set(&part, State::Waiting);
                effects.push(Effect::Drop { part: id });
            }
        }
    }

    fn send(&mut self, now: Duration, view: &View, effects: &mut Vec<Effect>) {
        let mut by_address: BTreeMap<Arc<str>, Vec<(u16, Owner)>> = BTreeMap::new();
        for (slot, piece) in &mut self.pieces {
            if piece.state != State::Waiting {
                continue;
            }
            if now >= piece.not_before {
                piece.refused.clear();
            }
            let Some(owner) = view.owner(*slot) else { continue };
            // After many changes of owner in one pause the pause is kept: two nodes that name each other do not keep
            // a third one busy.
            if piece.refused.contains(owner) || piece.refused.len() >= REFUSALS_MAX {
                continue;
            }
            piece.state = State::Sent;
            let part = by_address.entry(Arc::clone(&owner.address)).or_default();
            part.push((*slot, owner.clone()));
        }
        for (address, slots) in by_address {
            let part = self.next_part;
            self.next_part += 1;
            effects.push(Effect::Send {
                part,
                address,
                slots: slots.iter().map(|(slot, _)| *slot).collect(),
            });
            self.parts.insert(part, Part { slots, moved: None });
        }
    }

    fn finish(&mut self, result: Result<(), String>, effects: &mut Vec<Effect>) {
        self.finished = true;
        let service = self.options.service;
        let result = result.map_err(|reason| NeighbourError::Unavailable { service, reason });
        effects.push(Effect::Finish(result));
    }
}

#[cfg(test)]
mod tests;
