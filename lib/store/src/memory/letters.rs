use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use streamalert_types::{DeadLetter, DeadLetterId, Timestamp};

use crate::letters::{kind_name, letter_weight, letters_full};
use crate::{DeadLetterFilter, StoreError};

/// The dead letters of a [`crate::MemoryStore`].
#[derive(Debug, Default)]
pub(super) struct Letters {
    entries: BTreeMap<DeadLetterId, DeadLetter>,
    by_created: BTreeSet<(Timestamp, DeadLetterId)>,
    held_bytes: u64,
}

impl Letters {
    pub(super) fn put(&mut self, letters: Vec<DeadLetter>, bytes_max: u64) -> Result<(), StoreError> {
        let mut new = BTreeMap::new();
        for letter in letters {
            if !self.entries.contains_key(&letter.id) {
                new.entry(letter.id).or_insert(letter);
            }
        }
        let added: u64 = new.values().map(letter_weight).sum();
        if added > 0 && self.held_bytes + added > bytes_max {
            return Err(StoreError::Full {
                reason: letters_full(self.held_bytes, bytes_max),
            });
        }
        self.held_bytes += added;
        self.by_created
            .extend(new.values().map(|letter| (letter.created, letter.id)));
        self.entries.append(&mut new);
        Ok(())
    }

    pub(super) fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Vec<DeadLetter> {
        let since = filter.since.unwrap_or(Timestamp::from_micros(i64::MIN));
        let first = Bound::Included((since, DeadLetterId::from_u128(0)));
        let from = match after {
            Some(after) if after.0 >= since => Bound::Excluded(after),
            _ => first,
        };
        self.by_created
            .range((from, Bound::Unbounded))
            .filter_map(|(_, id)| self.entries.get(id))
            .filter(|letter| {
                filter
                    .kind
                    .as_deref()
                    .is_none_or(|kind| kind == kind_name(&letter.kind))
            })
            .take(items_max)
            .cloned()
            .collect()
    }

    pub(super) fn get(&self, id: DeadLetterId) -> Option<DeadLetter> {
        self.entries.get(&id).cloned()
    }

    pub(super) fn remove(&mut self, ids: &[DeadLetterId]) {
        for letter in ids.iter().filter_map(|id| self.entries.remove(id)) {
            self.by_created.remove(&(letter.created, letter.id));
            self.held_bytes -= letter_weight(&letter);
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.entries.len() as u64
    }
}
