use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use streamalert_types::DeliveryOutcome;

use super::DeliveryKey;

/// Outcomes remembered: as many as a queue holds by default.
pub(super) const REMEMBERED_MAX: usize = 4096;

/// How long they are. Longer than any reconnection takes.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Outcomes for callers that ask again because the answer did not reach them: a lost answer must not become a
/// second delivery.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    outcomes: BTreeMap<DeliveryKey, DeliveryOutcome>,
    until: VecDeque<(Duration, DeliveryKey)>,
}

impl Remembered {
    /// Remembers an outcome; the oldest goes when there are too many.
    pub(super) fn put(&mut self, now: Duration, key: DeliveryKey, outcome: DeliveryOutcome) {
        if self.until.len() >= REMEMBERED_MAX
            && let Some((_, oldest)) = self.until.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
        self.until.push_back((now + REMEMBERED_FOR, key.clone()));
        self.outcomes.insert(key, outcome);
    }

    /// The outcome, if it is still known at `now`.
    pub(super) fn get(&mut self, now: Duration, key: &DeliveryKey) -> Option<&DeliveryOutcome> {
        while let Some((until, _)) = self.until.front()
            && *until <= now
        {
            let (_, old) = self.until.pop_front().expect("the first was just looked at");
            self.outcomes.remove(&old);
        }
        self.outcomes.get(key)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.outcomes.len(), self.until.len());
        self.outcomes.len()
    }
}
