//! What one read of a shard brought, on its way to being handed out.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::aggregate::Aggregate;
use super::api::StoredRecord;
use super::books::Room;
use super::place::Place;
use crate::Generation;
use crate::payload::weight_of;

/// Records of one shard, in order.
pub(super) struct Batch {
    pub(super) shard: Arc<str>,
    pub(super) generation: Generation,
    pub(super) records: Records,
    /// Told before any of them: what is lost.
    pub(super) loss: Option<Loss>,
    /// The place after all of them.
    pub(super) after: Place,
    /// The shard has ended here.
    pub(super) ended: bool,
    pub(super) room: Room,
}

/// Records that nobody has read and nobody can read any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// Where they began: the last place that was read.
    pub(super) place: Place,
    /// What happened, in one line.
    pub(super) reason: String,
}

impl Loss {
    /// The payload that tells of it, which becomes a dead letter. It has the same name each time that it is found.
    pub(super) fn into_item(self, shard: &str) -> Item {
        Item {
            token: format!("lost-after:{}", self.place).into(),
            body: format!("shard {shard}, after {}: {}", self.place, self.reason).into(),
            after: self.place,
            spent_bytes: 0,
            loss: Some(self.reason),
        }
    }
}

/// Records, and those within them.
#[derive(Debug, Default)]
pub(super) struct Records {
    stored: VecDeque<StoredRecord>,
    /// Of the first record, when it is an aggregate: pass over all up to this one.
    skip_through: Option<u32>,
    /// The aggregate that is being taken apart.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    record: StoredRecord,
    rest: Aggregate,
    /// The next one, and its index.
    upcoming: (u32, Bytes),
}

/// One payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is called: the sequence number, with the index within an aggregate.
    pub(super) token: Arc<str>,
    pub(super) body: Bytes,
    /// The place after it.
    pub(super) after: Place,
    /// What the record counted for that is done with it, 0 when more of it follows.
    pub(super) spent_bytes: usize,
    /// It is no record: it tells why there is none.
    pub(super) loss: Option<String>,
}

/// What a record counts for until it is handed out.
pub(super) fn weight_of_record(record: &StoredRecord) -> usize {
    weight_of(&record.data)
}

impl Records {
    pub(super) fn new(stored: Vec<StoredRecord>, skip_through: Option<u32>) -> Self {
        Self {
            stored: stored.into(),
            skip_through,
            open: None,
        }
    }

    /// The next payload; `None` when there are no more.
    pub(super) fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(open) = self.open.take() {
                return Some(self.cut(open));
            }
            let record = self.stored.pop_front()?;
            let skip_through = self.skip_through.take();
            let Some(mut rest) = Aggregate::read(&record.data) else {
                return Some(Item {
                    token: (&*record.sequence).into(),
                    spent_bytes: weight_of_record(&record),
                    after: after(&record, None),
                    body: record.data,
                    loss: None,
                });
            };
            let mut index = 0;
            while let Some(body) = rest.next() {
                if skip_through.is_none_or(|skipped| index > skipped) {
                    let upcoming = (index, body);
                    self.open = Some(Open {
                        record,
                        rest,
                        upcoming,
                    });
                    break;
                }
                index += 1;
            }
        }
    }

    fn cut(&mut self, mut open: Open) -> Item {
        let (index, body) = open.upcoming;
        let following = open.rest.next();
        let last = following.is_none();
        let item = Item {
            token: format!("{}#{index}", open.record.sequence).into(),
            body,
            after: after(&open.record, (!last).then_some(index)),
            spent_bytes: if last { weight_of_record(&open.record) } else { 0 },
            loss: None,
        };
        if let Some(following) = following {
            open.upcoming = (index + 1, following);
            self.open = Some(open);
        }
        item
    }
}

fn after(record: &StoredRecord, index: Option<u32>) -> Place {
    Place::After {
        sequence: (&*record.sequence).into(),
        index,
        covered_millis: record.arrival_millis,
    }
}

#[cfg(test)]
mod tests {
    use super::super::aggregate::tests::aggregate;
    use super::*;

    fn record(sequence: &str, data: Bytes) -> StoredRecord {
        StoredRecord {
            sequence: sequence.to_owned(),
            arrival_millis: Some(5),
            data,
        }
    }

    fn all(mut records: Records) -> Vec<(String, Bytes, String)> {
        let mut found = Vec::new();
        while let Some(item) = records.next() {
            found.push((item.token.to_string(), item.body, item.after.to_string()));
        }
        found
    }

    fn stored() -> Vec<StoredRecord> {
        vec![
            record("10", aggregate(&["a", "b", "c"])),
            record("11", aggregate::<&str>(&[])),
            record("12", Bytes::from_static(b"plain")),
        ]
    }

    fn expected(rows: &[(&str, &str, &str)]) -> Vec<(String, Bytes, String)> {
        let row = |(token, body, after): &(&str, &str, &str)| {
            let body = Bytes::copy_from_slice(body.as_bytes());
            ((*token).to_owned(), body, (*after).to_owned())
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn payloads_are_named_by_sequence_number_and_index() {
        assert_eq!(
            all(Records::new(stored(), None)),
            expected(&[
                ("10#0", "a", "10#0@5"),
                ("10#1", "b", "10#1@5"),
                ("10#2", "c", "10@5"),
                ("12", "plain", "12@5"),
            ])
        );
    }

    #[test]
    fn reading_resumes_within_an_aggregate() {
        let names = |skip| -> Vec<String> {
            let found = all(Records::new(stored(), Some(skip)));
            found.into_iter().map(|(token, ..)| token).collect()
        };
        assert_eq!(names(0), ["10#1", "10#2", "12"]);
        assert_eq!(names(1), ["10#2", "12"]);
        assert_eq!(names(2), ["12"]);
    }

    #[test]
    fn what_a_record_counts_for_is_given_back_with_its_last_payload() {
        let stored = stored();
        let weights = [weight_of_record(&stored[0]), weight_of_record(&stored[2])];
        let mut records = Records::new(stored, None);
        let spent: Vec<usize> = std::iter::from_fn(|| records.next())
            .map(|item| item.spent_bytes)
            .collect();
        assert_eq!(spent, [0, 0, weights[0], weights[1]]);
    }
}
