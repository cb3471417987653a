//! Where one alert stands: the rules of its life, shared by every implementation so that they cannot differ.

use std::sync::Arc;

use streamalert_types::{Alert, AlertId, DeliveryOutcome, GroupId, OutputName, Timestamp};

use crate::{AlertState, AlertView, DeliveryState, GroupMember, OutboxCursor, ShardId, StoredAlert};

/// Everything about an alert that changes after it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) shard: ShardId,
    pub(crate) created: Timestamp,
    pub(crate) pending: Outputs,
    pub(crate) settled: Outcomes,
    pub(crate) group: Option<GroupMember>,
    /// Set once it is a tombstone.
    pub(crate) expires: Option<Timestamp>,
}

impl Standing {
    pub(crate) fn new(shard: ShardId, stored: &StoredAlert) -> Self {
        Self::of(shard, stored.clone()).1
    }

    /// The same, and the alert.
    pub(crate) fn of(shard: ShardId, stored: StoredAlert) -> (Arc<Alert>, Self) {
        let standing = Self {
            shard,
            created: stored.alert.created,
            pending: stored.pending.into(),
            settled: Outcomes::default(),
            group: stored.group,
            expires: None,
        };
        (stored.alert, standing)
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.expires.is_none()
    }

    /// Records the end of one delivery; false when it was not pending.
    pub(crate) fn settle(&mut self, output: &OutputName, outcome: &DeliveryOutcome) -> bool {
        let Some(output) = self.pending.remove(output) else {
            return false;
        };
        self.settled.insert(output, outcome.clone());
        true
    }

    /// Takes it out of `group`; false when it does not wait there.
    pub(crate) fn leave(&mut self, group: GroupId) -> bool {
        let waits = self.group.as_ref().is_some_and(|member| member.group == group);
        if waits {
            self.group = None;
        }
        waits
    }

    /// Makes it a tombstone if nothing is left to do; false when something is, or it was one already.
    pub(crate) fn bury(&mut self, until: Timestamp) -> bool {
        let done = self.is_open() && self.pending.is_empty() && self.group.is_none();
        if done {
            self.expires = Some(until);
        }
        done
    }

    /// Where one delivery stands.
    pub(crate) fn delivery(&self, output: &OutputName) -> DeliveryState {
        if self.pending.contains(output) {
            return DeliveryState::Pending;
        }
        let ended = self.settled.iter().find(|(other, _)| other == output);
        ended.map_or(DeliveryState::Unknown, |(_, outcome)| {
            DeliveryState::Ended(outcome.clone())
        })
    }

    pub(crate) fn view(&self, alert: Arc<Alert>) -> AlertView {
        AlertView {
            alert,
            state: self
                .expires
                .map_or(AlertState::Open, |expires| AlertState::Settled { expires }),
            pending: self.pending.iter().cloned().collect(),
            settled: self.settled.iter().cloned().collect(),
            group: self.group.as_ref().map(|member| member.group),
        }
    }

    pub(crate) fn stored(&self, alert: Arc<Alert>) -> StoredAlert {
        StoredAlert {
            alert,
            pending: self.pending.iter().cloned().collect(),
            group: self.group.clone(),
        }
    }
}

/// The few outputs that an alert is still to be delivered to, in order: a tree would take ten times the memory, for each
/// alert that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outputs(Vec<OutputName>);

impl Outputs {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, OutputName> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, output: &OutputName) -> bool {
        self.0.contains(output)
    }

    fn remove(&mut self, output: &OutputName) -> Option<OutputName> {
        let at = self.0.iter().position(|other| other == output)?;
        let removed = self.0.remove(at);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(removed)
    }
}

impl From<Vec<OutputName>> for Outputs {
    fn from(mut outputs: Vec<OutputName>) -> Self {
        outputs.sort_unstable();
        outputs.dedup();
        Self(outputs)
    }
}

impl FromIterator<OutputName> for Outputs {
    fn from_iter<I: IntoIterator<Item = OutputName>>(outputs: I) -> Self {
        Vec::from_iter(outputs).into()
    }
}

impl<'a> IntoIterator for &'a Outputs {
    type Item = &'a OutputName;
    type IntoIter = std::slice::Iter<'a, OutputName>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How deliveries ended, in order of the outputs, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcomes(Vec<(OutputName, DeliveryOutcome)>);

impl Outcomes {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (OutputName, DeliveryOutcome)> {
        self.0.iter()
    }

    /// An outcome that is known is replaced.
    fn insert(&mut self, output: OutputName, outcome: DeliveryOutcome) {
        match self.0.binary_search_by(|(other, _)| other.cmp(&output)) {
            Ok(at) => self.0[at].1 = outcome,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (output, outcome));
            }
        }
    }
}

impl FromIterator<(OutputName, DeliveryOutcome)> for Outcomes {
    fn from_iter<I: IntoIterator<Item = (OutputName, DeliveryOutcome)>>(outcomes: I) -> Self {
        let mut all = Self::default();
        for (output, outcome) in outcomes {
            all.insert(output, outcome);
        }
        all
    }
}

/// The cursor of an outbox entry: creation time and id, both big-endian, so that byte order is outbox order.
pub(crate) fn cursor_of(created: Timestamp, id: AlertId) -> OutboxCursor {
    let mut bytes = Vec::with_capacity(24);
    bytes.extend_from_slice(&(created.as_micros() ^ i64::MIN).to_be_bytes());
    bytes.extend_from_slice(&id.as_u128().to_be_bytes());
    OutboxCursor(bytes)
}

/// The place that a cursor names; `None` for bytes that are no cursor of ours.
pub(crate) fn place_of(cursor: &OutboxCursor) -> Option<(Timestamp, AlertId)> {
    let (created, id) = cursor.0.split_first_chunk::<8>()?;
    let id: [u8; 16] = id.try_into().ok()?;
    let created = Timestamp::from_micros(i64::from_be_bytes(*created) ^ i64::MIN);
    Some((created, AlertId::from_u128(u128::from_be_bytes(id))))
}

/// Stops a page of alerts once it holds `items_max` or, beyond the first, would weigh over `bytes_max`.
#[derive(Debug)]
pub(crate) struct PageLimit {
    items_left: usize,
    bytes_left: usize,
    first: bool,
}

impl PageLimit {
    pub(crate) const fn new(items_max: usize, bytes_max: usize) -> Self {
        Self {
            items_left: items_max,
            bytes_left: bytes_max,
            first: true,
        }
    }

    /// Whether one more of this weight may join.
    pub(crate) fn admits(&mut self, weight_bytes: usize) -> bool {
        if self.items_left == 0 || (!self.first && weight_bytes > self.bytes_left) {
            return false;
        }
        self.items_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(weight_bytes);
        self.first = false;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cursors_order_as_their_places_do(a: (i64, u128), b: (i64, u128)) {
            let place = |(micros, id)| (Timestamp::from_micros(micros), AlertId::from_u128(id));
            let (a, b) = (place(a), place(b));
            let (at_a, at_b) = (cursor_of(a.0, a.1), cursor_of(b.0, b.1));
            prop_assert_eq!(a.cmp(&b), at_a.cmp(&at_b));
            prop_assert_eq!(place_of(&at_a), Some(a));
        }
    }

    #[test]
    fn foreign_bytes_are_no_cursor() {
        assert_eq!(place_of(&OutboxCursor(vec![1; 23])), None);
        assert_eq!(place_of(&OutboxCursor(vec![1; 25])), None);
    }
}
