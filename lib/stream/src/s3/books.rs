//! Which objects are being read, and which messages wait for them. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Generation;

/// Names an object while it is read.
pub(super) type ObjectId = u64;

/// What an object is checkpointed under: bucket and partition.
pub(super) type ObjectPlace = (Arc<str>, Arc<str>);

/// Messages and their objects.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Objects that each message waits for.
    messages: HashMap<u64, usize>,
    /// Messages that wait for an object that has not been opened.
    unopened: HashMap<ObjectId, u64>,
    /// Objects that are opened and not acknowledged.
    opened: HashMap<Generation, Opened>,
    by_place: HashMap<ObjectPlace, Generation>,
    next: ObjectId,
}

#[derive(Debug)]
struct Opened {
    place: ObjectPlace,
    /// Messages that wait for it: more than one when it was told of twice.
    keys: Vec<u64>,
}

impl Books {
    /// A message came that tells of so many objects.
    pub(super) fn message(&mut self, key: u64, objects: usize) -> Vec<ObjectId> {
        let first = self.next;
        self.next += objects as u64;
        self.messages.insert(key, objects);
        let ids: Vec<_> = (first..self.next).collect();
        self.unopened.extend(ids.iter().map(|id| (*id, key)));
        ids
    }

    /// Lets the message of an object wait for the reading of the same object that is under way, if there is one.
    pub(super) fn join(&mut self, object: ObjectId, place: &ObjectPlace) -> bool {
        let Some(generation) = self.by_place.get(place) else {
            return false;
        };
        if let Some(opened) = self.opened.get_mut(generation)
            && let Some(key) = self.unopened.remove(&object)
        {
            opened.keys.push(key);
        }
        true
    }

    /// An object is being read as `generation`.
    pub(super) fn open(&mut self, object: ObjectId, place: ObjectPlace, generation: Generation) {
        if let Some(key) = self.unopened.remove(&object) {
            self.by_place.insert(place.clone(), generation);
            let keys = vec![key];
            self.opened.insert(generation, Opened { place, keys });
        }
    }

    /// An object needs no reading. The message that is done with that, if any.
    pub(super) fn skip(&mut self, object: ObjectId) -> Option<u64> {
        let key = self.unopened.remove(&object)?;
        self.less(key)
    }

    /// An object cannot be read now: the message that told of it, which is to come again.
    pub(super) fn fail(&mut self, object: ObjectId) -> Option<u64> {
        let key = self.unopened.remove(&object)?;
        self.unopened.retain(|_, of| *of != key);
        self.messages.remove(&key).map(|_| key)
    }

    /// All of an object is acknowledged. The messages that are done with that.
    pub(super) fn finished(&mut self, generation: Generation) -> Vec<u64> {
        let Some(Opened { place, keys }) = self.opened.remove(&generation) else {
            return Vec::new();
        };
        if self.by_place.get(&place) == Some(&generation) {
            self.by_place.remove(&place);
        }
        keys.into_iter().filter_map(|key| self.less(key)).collect()
    }

    fn less(&mut self, key: u64) -> Option<u64> {
        let objects = self.messages.get_mut(&key)?;
        *objects -= 1;
        if *objects > 0 {
            return None;
        }
        self.messages.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PartitionName, PositionTracker};

    fn generations() -> impl FnMut() -> Generation {
        let mut tracker = PositionTracker::new();
        let mut count = 0;
        move || {
            count += 1;
            let name = PartitionName {
                source: "s".into(),
                partition: count.to_string().into(),
            };
            tracker.open(name, streamalert_types::Sequence::Offset(0))
        }
    }

    fn place(partition: &str) -> ObjectPlace {
        ("bucket".into(), partition.into())
    }

    #[test]
    fn a_message_is_done_when_the_last_of_its_objects_is() {
        let (mut books, mut generation) = (Books::default(), generations());
        let ids = books.message(7, 3);
        let (a, b) = (generation(), generation());
        books.open(ids[0], place("a"), a);
        books.open(ids[1], place("b"), b);
        assert_eq!(books.finished(b), [0; 0]);
        assert_eq!(books.skip(ids[2]), None);
        assert_eq!(books.finished(a), [7]);
        assert_eq!(books.finished(a), [0; 0], "once");
    }

    #[test]
    fn two_messages_wait_for_one_reading_of_their_object_until_it_is_finished() {
        let (mut books, mut generation) = (Books::default(), generations());
        let (one, two) = (books.message(1, 1), books.message(2, 1));
        let reading = generation();
        assert!(!books.join(one[0], &place("a")));
        books.open(one[0], place("a"), reading);
        assert!(books.join(two[0], &place("a")));
        assert_eq!(books.finished(reading), [1, 2]);
        let three = books.message(3, 1);
        assert!(
            !books.join(three[0], &place("a")),
            "it is not being read any more"
        );
    }

    #[test]
    fn a_message_that_is_to_come_again_is_not_done_by_its_other_objects() {
        let (mut books, mut generation) = (Books::default(), generations());
        let ids = books.message(1, 3);
        let reading = generation();
        books.open(ids[0], place("a"), reading);
        assert_eq!(books.fail(ids[1]), Some(1));
        assert_eq!((books.fail(ids[2]), books.skip(ids[2])), (None, None));
        assert_eq!(books.finished(reading), [0; 0]);
        assert!(books.messages.is_empty() && books.unopened.is_empty() && books.by_place.is_empty());
    }
}
