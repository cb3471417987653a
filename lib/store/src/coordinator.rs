//! Who works on what: every decision about leases, without a runtime: `apply(at, event) -> effects`.
//!
//! `at` is the time of this node alone, from any origin, that never goes back. It is never compared with what
//! another node wrote: a lease has expired when its (epoch, counter) has not moved for a term since *this* node
//! first saw it so.
//!
//! Balance: a node takes free and expired leases until it has its share, the total over the nodes seen alive,
//! rounded up. If none are left, it asks the most loaded node for leases, one after the other, as long as that
//! one has at least two more. An owner that is asked ends its work and gives the lease back, for the asker; one
//! that does not within a term loses it by force, which its fence makes harmless. A lease is not taken before the
//! work on its parents has ended.

mod answers;
mod balance;
mod event;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use event::{CoordinatorOptions, Effect, Event, Loss};

use crate::Lease;

/// How often the table is read while leases are under way between nodes: the gap in the work on such a lease.
const LIST_FAST: Duration = Duration::from_millis(250);

/// The pause after a call that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The leases of one prefix, as one node sees and holds them.
#[derive(Debug)]
pub struct Coordinator {
    options: CoordinatorOptions,
    seen: BTreeMap<String, Seen>,
    held: BTreeMap<String, Held>,
    /// Open writes, one for each lease.
    calls: BTreeMap<String, Call>,
    /// The open reading of the table: its number, and when it began.
    listing: Option<(u64, Duration)>,
    list_due: Duration,
    /// Under our name, by a process before this one or a taking whose answer was lost: ours to take at once.
    uncertain: BTreeSet<String>,
    listed: bool,
    started: bool,
    /// When the leases are handed over, after [`Event::Stop`].
    stopping: Option<Duration>,
    stopped: bool,
    /// Until when the table is read often.
    busy_until: Duration,
    sequence: u64,
    effects: Vec<Effect>,
    #[cfg(test)]
    mutant: Option<tests::Mutant>,
}

/// A lease as the table shows it.
#[derive(Debug)]
struct Seen {
    lease: Lease,
    /// Since when its (epoch, counter) is seen to be what it is.
    since: Duration,
    /// Since when it is seen to be wanted by this node.
    wanted_since: Option<Duration>,
    /// When it was seen last.
    at: Duration,
}

/// A lease that this node holds, or held until it could not renew it.
#[derive(Debug)]
struct Held {
    lease: Lease,
    standing: Standing,
    /// When the last write that took place was begun.
    renewed: Duration,
    /// Not before this after a failure.
    retry_at: Duration,
    /// To be noted.
    checkpoint: Option<String>,
    /// Offered by this node, which stops: it goes on until the others have had time to see that.
    offered: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Working,
    /// Not renewed for too long: no work is done.
    Suspended,
    /// The owner is ending its work.
    HandingOver(Option<String>),
    /// The work has ended.
    Releasing(Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Take,
    Renew,
    Checkpoint,
    Ask,
    Release,
}

#[derive(Debug)]
struct Call {
    id: u64,
    kind: Kind,
    sent: Duration,
}

impl Coordinator {
    /// Nothing is seen and nothing held; the first [`Event::Tick`] reads the table.
    #[must_use]
    pub fn new(options: CoordinatorOptions) -> Self {
        Self {
            options,
            seen: BTreeMap::new(),
            held: BTreeMap::new(),
            calls: BTreeMap::new(),
            listing: None,
            list_due: Duration::ZERO,
            uncertain: BTreeSet::new(),
            listed: false,
            started: false,
            stopping: None,
            stopped: false,
            busy_until: Duration::ZERO,
            sequence: 0,
            effects: Vec::new(),
            #[cfg(test)]
            mutant: None,
        }
    }

    /// Takes note of what happened at the local time `at` and answers what is to be done, in order.
    pub fn apply(&mut self, at: Duration, event: Event) -> Vec<Effect> {
        match event {
            Event::Tick => {}
            Event::Listed { call, result } => self.listed(at, call, result),
            Event::Answered { call, key, result } => self.answered(at, call, &key, result),
            Event::Checkpoint { key, checkpoint } => {
                if let Some(held) = self.held.get_mut(&key) {
                    held.checkpoint = Some(checkpoint);
                }
            }
            Event::HandedOver { key } => self.handed_over(&key),
            Event::Fenced { key, epoch } => self.fenced(at, &key, epoch),
            Event::Stop => self.stop(at),
        }
        self.expire_calls(at);
        self.drive_all(at);
        self.list_if_due(at);
        self.note_progress();
        std::mem::take(&mut self.effects)
    }

    /// When the next [`Event::Tick`] is due, as a local time.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        let list = match self.listing {
            Some((_, sent)) => sent + self.options.term,
            None => self.list_due,
        };
        let held = self.held.iter().map(|(key, held)| {
            let due = match self.calls.get(key) {
                Some(call) => call.sent + self.options.term,
                None if held.checkpoint.is_some() || matches!(held.standing, Standing::Releasing(_)) => {
                    held.retry_at
                }
                None => (held.renewed + self.renew_every()).max(held.retry_at),
            };
            if held.standing == Standing::Suspended || self.options.alone {
                due
            } else {
                due.min(held.renewed + self.give_up_after())
            }
        });
        let calls = self.calls.values().map(|call| call.sent + self.options.term);
        let stop = self.stopping.filter(|_| self.is_working());
        held.chain(calls).chain(stop).fold(list, Duration::min)
    }

    /// The leases as they were seen last, with those held as they were written last.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.seen.values().map(|seen| &seen.lease)
    }

    fn renew_every(&self) -> Duration {
        self.options.term / 3
    }

    fn give_up_after(&self) -> Duration {
        self.options.term * 3 / 4
    }

    fn list_every(&self) -> Duration {
        self.options.term / 6
    }

    fn is_working(&self) -> bool {
        self.held.values().any(|held| held.standing == Standing::Working)
    }

    fn open(&mut self, at: Duration, key: &str, kind: Kind) -> u64 {
        self.sequence += 1;
        let call = Call {
            id: self.sequence,
            kind,
            sent: at,
        };
        self.calls.insert(key.to_owned(), call);
        self.sequence
    }

    fn list_if_due(&mut self, at: Duration) {
        if self
            .listing
            .is_some_and(|(_, sent)| at >= sent + self.options.term)
        {
            self.listing = None;
        }
        if self.listing.is_some() || at < self.list_due || self.stopped {
            return;
        }
        self.sequence += 1;
        self.listing = Some((self.sequence, at));
        self.effects.push(Effect::List { call: self.sequence });
    }

    /// Calls that nobody answered: whatever they did, the table will show it.
    fn expire_calls(&mut self, at: Duration) {
        let term = self.options.term;
        let uncertain = &mut self.uncertain;
        self.calls.retain(|key, call| {
            let open = at < call.sent + term;
            if !open && call.kind == Kind::Take {
                uncertain.insert(key.clone());
            }
            open
        });
    }

    /// Does what is due for every lease that is held.
    fn drive_all(&mut self, at: Duration) {
        let give_up = self.give_up_after();
        let hand_over = self.stopping.is_some_and(|due| at >= due);
        for (key, held) in &mut self.held {
            let late = !self.options.alone && at >= held.renewed + give_up;
            #[cfg(test)]
            let late = late && self.mutant != Some(tests::Mutant::NeverGivesUp);
            let wanted = held
                .lease
                .wanted_by
                .as_deref()
                .filter(|node| *node != self.options.node);
            if late {
                if held.standing == Standing::Working || matches!(held.standing, Standing::HandingOver(_)) {
                    let (key, loss) = (key.clone(), Loss::Expired);
                    self.effects.push(Effect::Lost { key, loss });
                }
                held.standing = Standing::Suspended;
            } else if held.standing == Standing::Working && (hand_over || (wanted.is_some() && !held.offered))
            {
                let to = wanted.map(str::to_owned);
                held.standing = Standing::HandingOver(to.clone());
                self.busy_until = at + self.options.term / 6;
                self.list_due = self.list_due.min(at + LIST_FAST);
                let key = key.clone();
                self.effects.push(Effect::HandOver { key, to });
            }
        }
        if self.stopping.is_some() {
            // Not renewed, and not to be: it expires by itself.
            self.held.retain(|_, held| held.standing != Standing::Suspended);
        }
        let idle = |key: &&String| !self.calls.contains_key(*key);
        let keys: Vec<String> = self.held.keys().filter(idle).cloned().collect();
        for key in keys {
            self.drive(at, &key);
        }
    }

    /// The next write to one lease that is held and has none open.
    fn drive(&mut self, at: Duration, key: &str) {
        let renew_every = self.renew_every();
        let Some(held) = self.held.get(key).filter(|held| at >= held.retry_at) else {
            return;
        };
        let kind = match &held.standing {
            _ if held.checkpoint.is_some() => Kind::Checkpoint,
            Standing::Releasing(_) => Kind::Release,
            _ if at >= held.renewed + renew_every => Kind::Renew,
            _ => return,
        };
        let (held, standing, checkpoint) =
            (held.lease.clone(), held.standing.clone(), held.checkpoint.clone());
        let call = self.open(at, key, kind);
        let effect = match (checkpoint, standing) {
            (Some(checkpoint), _) => Effect::Checkpoint {
                call,
                held,
                checkpoint,
            },
            (None, Standing::Releasing(to)) => Effect::Release { call, held, to },
            (None, _) => Effect::Renew { call, held },
        };
        self.effects.push(effect);
    }

    fn handed_over(&mut self, key: &str) {
        if let Some(held) = self.held.get_mut(key)
            && let Standing::HandingOver(to) = &held.standing
        {
            held.standing = Standing::Releasing(to.clone());
            held.retry_at = Duration::ZERO;
        }
    }

    fn fenced(&mut self, at: Duration, key: &str, epoch: u64) {
        if self.held.get(key).is_some_and(|held| held.lease.epoch <= epoch) {
            self.held.remove(key);
            self.list_due = at;
        }
    }

    fn note_progress(&mut self) {
        let taking = self.calls.values().any(|call| call.kind == Kind::Take);
        let alone = self.options.alone;
        let missing = || {
            let all = self.seen.iter().filter(|(_, seen)| !seen.lease.is_finished());
            alone && all.into_iter().any(|(key, _)| !self.held.contains_key(key))
        };
        if self.listed && !self.started && !taking && !missing() {
            self.started = true;
            self.effects.push(Effect::Started);
        }
        if self.stopping.is_some() && !self.stopped && !taking && self.held.is_empty() {
            self.stopped = true;
            self.effects.push(Effect::Stopped);
        }
    }
}

#[cfg(test)]
mod tests;
