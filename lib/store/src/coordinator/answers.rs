//! What the store says, and what follows for one lease.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Call, Coordinator, Effect, Held, Kind, LIST_FAST, Loss, RETRY_PAUSE, Seen, Standing};
use crate::{Lease, LeaseAnswer, StoreError};

impl Coordinator {
    pub(super) fn listed(&mut self, at: Duration, call: u64, result: Result<Vec<Lease>, StoreError>) {
        let Some((_, sent)) = self.listing.take_if(|(open, _)| *open == call) else {
            return;
        };
        let Ok(leases) = result else {
            self.list_due = at + RETRY_PAUSE.min(self.list_every());
            return;
        };
        let keys: BTreeSet<String> = leases.iter().map(|lease| lease.key.clone()).collect();
        for lease in leases {
            let certain = self.seen.get(&lease.key).is_none_or(|seen| seen.at <= sent);
            if !self.listed && lease.owner.as_deref() == Some(&*self.options.node) {
                self.uncertain.insert(lease.key.clone());
            }
            self.observe(at, lease, certain);
        }
        self.seen.retain(|key, seen| keys.contains(key) || seen.at > sent);
        let gone = |key: &String, held: &Held| {
            let ours = self.seen.get(key).is_some_and(|seen| {
                (&seen.lease.owner, seen.lease.epoch) == (&held.lease.owner, held.lease.epoch)
            });
            !ours && held.renewed <= sent
        };
        let gone: Vec<String> = self
            .held
            .iter()
            .filter(|(key, held)| gone(key, held) && !self.calls.contains_key(*key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.lose(&key);
        }
        self.listed = true;
        let moving = self.balance(at) || at < self.busy_until;
        self.list_due = at
            + if moving {
                LIST_FAST.min(self.list_every())
            } else {
                self.list_every()
            };
    }

    /// Takes note of how a lease is. `certain`: the sight is later than all before, so it counts even where it
    /// seems to go back, as after a table was made anew.
    fn observe(&mut self, at: Duration, lease: Lease, certain: bool) {
        let sight = |lease: &Lease| (lease.epoch, lease.counter);
        if let Some(held) = self.held.get_mut(&lease.key)
            && sight(&held.lease) == sight(&lease)
        {
            held.lease.wanted_by.clone_from(&lease.wanted_by);
        }
        let wanted = lease.wanted_by.as_deref() == Some(&*self.options.node);
        let Some(seen) = self.seen.get_mut(&lease.key) else {
            let seen = Seen {
                since: at,
                wanted_since: wanted.then_some(at),
                at,
                lease,
            };
            self.seen.insert(seen.lease.key.clone(), seen);
            return;
        };
        if !certain && sight(&lease) < sight(&seen.lease) {
            return;
        }
        if sight(&lease) != sight(&seen.lease) {
            seen.since = at;
        }
        let same_owner = (&lease.owner, lease.epoch) == (&seen.lease.owner, seen.lease.epoch);
        let wanted_since = seen.wanted_since.filter(|_| same_owner).unwrap_or(at);
        seen.wanted_since = wanted.then_some(wanted_since);
        seen.at = at;
        seen.lease = lease;
    }

    pub(super) fn answered(
        &mut self,
        at: Duration,
        id: u64,
        key: &str,
        result: Result<LeaseAnswer, StoreError>,
    ) {
        let call = match self.calls.get(key) {
            Some(call) if call.id == id => self.calls.remove(key),
            _ => None,
        };
        if let Ok(LeaseAnswer::Written(lease) | LeaseAnswer::Refused(Some(lease))) = &result {
            self.observe(at, lease.clone(), false);
        }
        match (call, result) {
            (Some(call), Ok(LeaseAnswer::Written(lease))) => self.written(at, &call, lease),
            (Some(call), Ok(LeaseAnswer::Refused(current))) => self.refused(at, key, &call, current),
            (Some(call), Err(_)) => self.failed(at, key, &call),
            // Nobody waits for it any more. A taking that is heard of only now is one whose answer was lost.
            (None, Ok(LeaseAnswer::Written(lease))) => {
                if lease.owner.as_deref() == Some(&*self.options.node) && !self.held.contains_key(key) {
                    self.uncertain.insert(lease.key);
                }
            }
            (None, _) => {}
        }
    }

    fn written(&mut self, at: Duration, call: &Call, lease: Lease) {
        let key = lease.key.clone();
        match call.kind {
            Kind::Take => self.took(at, call.sent, lease),
            Kind::Release => drop(self.held.remove(&key)),
            Kind::Ask => {}
            Kind::Renew | Kind::Checkpoint => {
                let Some(held) = self.held.get_mut(&key) else {
                    return;
                };
                held.lease = lease;
                held.renewed = call.sent;
                held.retry_at = Duration::ZERO;
                if held.standing == Standing::Suspended && at < call.sent + self.options.term / 2 {
                    held.standing = Standing::Working;
                    self.effects.push(Effect::Own(held.lease.clone()));
                }
                if call.kind == Kind::Checkpoint {
                    let noted = held.lease.checkpoint.clone();
                    if held.checkpoint == noted {
                        held.checkpoint = None;
                    }
                    if held.lease.is_finished() {
                        held.standing = Standing::Releasing(None);
                    }
                    let checkpoint = noted.unwrap_or_default();
                    self.effects.push(Effect::Checkpointed { key, checkpoint });
                }
            }
        }
    }

    /// A lease is ours. An answer that took long says so of the past: a renewal must show that it still is.
    fn took(&mut self, at: Duration, sent: Duration, lease: Lease) {
        self.uncertain.remove(&lease.key);
        let in_time = self.options.alone || at < sent + self.options.term / 2;
        let standing = if self.stopping.is_some() {
            Standing::Releasing(None)
        } else if in_time {
            self.effects.push(Effect::Own(lease.clone()));
            Standing::Working
        } else {
            Standing::Suspended
        };
        let held = Held {
            standing,
            renewed: if in_time { sent } else { Duration::ZERO },
            retry_at: Duration::ZERO,
            checkpoint: None,
            offered: false,
            lease,
        };
        self.held.insert(held.lease.key.clone(), held);
    }

    fn refused(&mut self, at: Duration, key: &str, call: &Call, current: Option<Lease>) {
        match call.kind {
            // The next reading of the table decides anew.
            Kind::Take | Kind::Ask => self.list_due = self.list_due.min(at + LIST_FAST),
            Kind::Renew | Kind::Checkpoint | Kind::Release => {
                let Some(held) = self.held.get_mut(key) else {
                    return;
                };
                match current {
                    // Written after all, by a call whose answer was lost.
                    Some(lease) if lease.owner == held.lease.owner && lease.epoch == held.lease.epoch => {
                        held.lease = lease;
                    }
                    _ => self.lose(key),
                }
            }
        }
    }

    /// Another has the lease.
    fn lose(&mut self, key: &str) {
        let Some(held) = self.held.remove(key) else { return };
        if !matches!(held.standing, Standing::Releasing(_)) {
            let (key, loss) = (key.to_owned(), Loss::Taken);
            self.effects.push(Effect::Lost { key, loss });
        }
    }

    fn failed(&mut self, at: Duration, key: &str, call: &Call) {
        if call.kind == Kind::Take {
            self.uncertain.insert(key.to_owned());
        }
        let pause = RETRY_PAUSE.min(self.options.term / 12);
        if let Some(held) = self.held.get_mut(key) {
            held.retry_at = at + pause;
        }
    }
}
