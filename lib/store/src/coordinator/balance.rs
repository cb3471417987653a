//! Which leases to take, to ask for, and to offer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Coordinator, Effect, Held, Kind, Seen, Standing};
use crate::Lease;

/// The nodes that are alive, with the leases that each will have once all requests are met.
type Loads = BTreeMap<String, usize>;

impl Coordinator {
    /// Begins to take and to ask. Answers whether leases are under way between nodes, so that the table is worth
    /// reading often.
    pub(super) fn balance(&mut self, at: Duration) -> bool {
        if self.stopping.is_some() {
            return false;
        }
        let mut loads = self.loads(at);
        let takeable = self.takeable(at);
        let total = loads.values().sum::<usize>() + takeable.len();
        let share = total.div_ceil(loads.len().max(1));
        let mut left = 0;
        for (key, given) in takeable {
            let ours = loads.entry(self.options.node.clone()).or_default();
            if given || *ours < share || self.options.alone {
                *ours += 1;
                self.take(at, &key);
            } else {
                left += 1;
            }
        }
        let incoming = self.incoming(at);
        if left == 0 && !self.options.alone {
            self.ask_for_more(at, &mut loads, total, incoming);
        }
        incoming > 0 || self.calls.values().any(|call| call.kind != Kind::Renew) || left > 0
    }

    fn take(&mut self, at: Duration, key: &str) {
        let Some(seen) = self.seen.get(key).map(|seen| seen.lease.clone()) else {
            return;
        };
        let call = self.open(at, key, Kind::Take);
        self.effects.push(Effect::Take { call, seen });
    }

    fn is_expired(&self, at: Duration, seen: &Seen) -> bool {
        #[cfg(test)]
        if self.mutant == Some(super::tests::Mutant::NeverExpires) {
            return false;
        }
        at >= seen.since + self.options.term
    }

    /// The work on all its parents has ended, or they are forgotten.
    fn may_begin(&self, lease: &Lease) -> bool {
        #[cfg(test)]
        if self.mutant == Some(super::tests::Mutant::IgnoresParents) {
            return true;
        }
        let ended = |key: &String| self.seen.get(key).is_none_or(|seen| seen.lease.is_finished());
        lease.parents.iter().all(ended)
    }

    /// Leases that may be taken, those first that are meant for this node, whatever its share (`true`).
    ///
    /// Each node begins at another place, so that those who look at the same time seldom want the same.
    fn takeable(&self, at: Duration) -> VecDeque<(String, bool)> {
        let node = &*self.options.node;
        let (mut given, mut free) = (Vec::new(), VecDeque::new());
        for (key, seen) in &self.seen {
            let lease = &seen.lease;
            if lease.is_finished()
                || self.held.contains_key(key)
                || self.calls.contains_key(key)
                || !self.may_begin(lease)
            {
                continue;
            }
            let ours = lease.wanted_by.as_deref() == Some(node);
            match lease.owner.as_deref() {
                None if ours => given.push(key.clone()),
                Some(owner) if owner == node && self.uncertain.contains(key) => given.push(key.clone()),
                None if !self.is_promised(at, seen) || self.options.alone => free.push_back(key.clone()),
                Some(_) if self.is_expired(at, seen) || self.options.alone => free.push_back(key.clone()),
                Some(_) if self.is_withheld(at, seen) => given.push(key.clone()),
                _ => {}
            }
        }
        let start = place(node, free.len());
        free.rotate_left(start);
        let given = given.into_iter().map(|key| (key, true));
        given.chain(free.into_iter().map(|key| (key, false))).collect()
    }

    /// Asked for a term ago, and still not handed over.
    fn is_withheld(&self, at: Duration, seen: &Seen) -> bool {
        seen.wanted_since
            .is_some_and(|since| at >= since + self.options.term)
    }

    /// Given back for another, which has half a term to come for it.
    fn is_promised(&self, at: Duration, seen: &Seen) -> bool {
        let lease = &seen.lease;
        let another = lease
            .wanted_by
            .as_ref()
            .is_some_and(|node| *node != self.options.node);
        another && lease.owner.is_none() && at < seen.since + self.options.term / 2
    }

    fn loads(&self, at: Duration) -> Loads {
        let node = &self.options.node;
        let mut loads = Loads::from([(node.clone(), 0)]);
        for (key, seen) in &self.seen {
            let lease = &seen.lease;
            let ours = self.held.get(key).is_some_and(|held| !is_leaving(held));
            let taking = self.calls.get(key).is_some_and(|call| call.kind == Kind::Take);
            // Under our name and not ours: by a former process, and about to be taken.
            let former = lease.owner.as_ref() == Some(node) && self.uncertain.contains(key);
            let next = if ours || taking {
                Some(node)
            } else if lease.is_finished() || former {
                None
            } else if lease.owner.is_some() && !self.is_expired(at, seen) {
                lease.wanted_by.as_ref().or(lease.owner.as_ref())
            } else {
                lease.wanted_by.as_ref().filter(|_| self.is_promised(at, seen))
            };
            if let Some(next) = next {
                *loads.entry(next.clone()).or_default() += 1;
            }
        }
        loads
    }

    /// Leases of others that are on their way to this node.
    fn incoming(&self, at: Duration) -> usize {
        let incoming = |seen: &&Seen| {
            seen.wanted_since.is_some() && seen.lease.owner.is_some() && !self.is_expired(at, seen)
        };
        self.seen.values().filter(incoming).count()
    }

    fn ask_for_more(&mut self, at: Duration, loads: &mut Loads, total: usize, incoming: usize) {
        #[cfg(test)]
        if self.mutant == Some(super::tests::Mutant::NeverAsks) {
            return;
        }
        let margin = 2;
        #[cfg(test)]
        let margin = match self.mutant {
            Some(super::tests::Mutant::AsksForLittle) => 1,
            Some(super::tests::Mutant::AsksForAll) => 0,
            _ => margin,
        };
        // A few at a time: two nodes that join together see each other before either has too much.
        let now = (total / 16).max(1);
        let count = now.min(self.options.moves_max.saturating_sub(incoming));
        for _ in 0..count {
            let ours = loads.get(&self.options.node).copied().unwrap_or(0);
            let others = loads.iter().filter(|(node, _)| **node != self.options.node);
            let Some((most, load)) = others.max_by_key(|(_, load)| **load) else {
                return;
            };
            if *load < ours + margin || *load == 0 {
                return;
            }
            let most = most.clone();
            let Some(seen) = self.movable(at, &most) else {
                return;
            };
            let call = self.open(at, &seen.key, Kind::Ask);
            let node = self.options.node.clone();
            self.effects.push(Effect::Ask {
                call,
                seen,
                node: node.clone(),
            });
            *loads.entry(most).or_default() -= 1;
            *loads.entry(node).or_default() += 1;
        }
    }

    fn movable(&self, at: Duration, owner: &str) -> Option<Lease> {
        let movable = |seen: &&Seen| {
            let lease = &seen.lease;
            lease.owner.as_deref() == Some(owner)
                && lease.wanted_by.is_none()
                && !lease.is_finished()
                && !self.is_expired(at, seen)
                && !self.calls.contains_key(&lease.key)
        };
        let all: Vec<&Seen> = self.seen.values().filter(movable).collect();
        all.get(place(&self.options.node, all.len()))
            .map(|seen| seen.lease.clone())
    }

    /// Offers every lease to the node that has fewest, and hands them over when those have had time to see it.
    pub(super) fn stop(&mut self, at: Duration) {
        if self.stopping.is_some() {
            return;
        }
        let mut loads = self.loads(at);
        loads.remove(&self.options.node);
        let notice = if self.options.alone || loads.is_empty() {
            Duration::ZERO
        } else {
            self.list_every() * 5 / 4
        };
        self.stopping = Some(at + notice);
        let working = |(key, held): (&String, &Held)| {
            (held.standing == Standing::Working && held.lease.wanted_by.is_none()).then(|| key.clone())
        };
        let keys: Vec<String> = self.held.iter().filter_map(working).collect();
        for key in keys {
            let Some((node, load)) = loads.iter_mut().min_by_key(|(_, load)| **load) else {
                return;
            };
            *load += 1;
            let node = node.clone();
            let Some(held) = self.held.get_mut(&key) else {
                continue;
            };
            held.offered = true;
            if !self.calls.contains_key(&key) {
                let seen = held.lease.clone();
                let call = self.open(at, &key, Kind::Ask);
                self.effects.push(Effect::Ask { call, seen, node });
            }
        }
    }
}

/// Its owner, this node, is about to give it away.
fn is_leaving(held: &Held) -> bool {
    matches!(held.standing, Standing::HandingOver(_) | Standing::Releasing(_))
        || held.lease.wanted_by.is_some()
}

/// A place among `count` that depends on the node (FNV-1a).
fn place(node: &str, count: usize) -> usize {
    let hash = node.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash % count.max(1) as u64).unwrap_or(0)
}
