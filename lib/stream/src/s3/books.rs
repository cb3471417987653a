//! Which objects are being read, and which messages wait for them. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Generation;

/// Names an object while it is read.
pub(super) type ObjectId = u64;

/// What an object is checkpointed under: source and partition.
pub(super) type ObjectPlace = (Arc<str>, Arc<str>);

/// What became of the checkpoint of an object when no message of this reader tells of it any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Released {
    /// Nobody asks for it again.
    Forget(ObjectPlace),
    /// A message that tells of it comes again, perhaps to another reader.
    Keep(ObjectPlace),
}

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
    /// What each message told of, until it is deleted or given back.
    told: HashMap<u64, Vec<ObjectPlace>>,
    held: HashMap<ObjectPlace, Held>,
    next: ObjectId,
}

/// An object whose messages are not all deleted.
#[derive(Debug, Default)]
struct Held {
    messages: usize,
    /// One of them was given back.
    comes_again: bool,
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
            self.hold(key, place.clone());
        }
        true
    }

    /// An object is being read as `generation`.
    pub(super) fn open(&mut self, object: ObjectId, place: ObjectPlace, generation: Generation) {
        if let Some(key) = self.unopened.remove(&object) {
            self.hold(key, place.clone());
            self.by_place.insert(place.clone(), generation);
            let keys = vec![key];
            self.opened.insert(generation, Opened { place, keys });
        }
    }

    /// An object needs no reading. The message that is done with that, if any.
    pub(super) fn skip(&mut self, object: ObjectId, place: ObjectPlace) -> Option<u64> {
        let key = self.unopened.remove(&object)?;
        self.hold(key, place);
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

    fn hold(&mut self, key: u64, place: ObjectPlace) {
        self.held.entry(place.clone()).or_default().messages += 1;
        self.told.entry(key).or_default().push(place);
    }

    /// A message is deleted, or comes again: of what it told, that which no other message here tells of.
    pub(super) fn release(&mut self, key: u64, comes_again: bool) -> Vec<Released> {
        let mut released = Vec::new();
        for place in self.told.remove(&key).unwrap_or_default() {
            let Some(held) = self.held.get_mut(&place) else {
                continue;
            };
            held.messages -= 1;
            held.comes_again |= comes_again;
            if held.messages > 0 {
                continue;
            }
            let keep = held.comes_again;
            self.held.remove(&place);
            // Still being read, for a message that comes again: it is held anew then.
            if !self.by_place.contains_key(&place) {
                released.push(if keep {
                    Released::Keep(place)
                } else {
                    Released::Forget(place)
                });
            }
        }
        released
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
        assert_eq!(books.skip(ids[2], place("c")), None);
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
        assert_eq!((books.fail(ids[2]), books.skip(ids[2], place("c"))), (None, None));
        assert_eq!(books.finished(reading), [0; 0]);
        assert!(books.messages.is_empty() && books.unopened.is_empty() && books.by_place.is_empty());
    }

    #[test]
    fn a_checkpoint_is_forgotten_with_the_last_message_that_tells_of_its_object() {
        let (mut books, mut generation) = (Books::default(), generations());
        let (one, two) = (books.message(1, 2), books.message(2, 1));
        let reading = generation();
        books.open(one[0], place("a"), reading);
        books.skip(one[1], place("b"));
        books.join(two[0], &place("a"));
        books.finished(reading);
        assert_eq!(books.release(1, false), [Released::Forget(place("b"))]);
        assert_eq!(books.release(2, false), [Released::Forget(place("a"))]);
        assert_eq!(books.release(2, false), []);
        assert!(books.told.is_empty() && books.held.is_empty());
    }

    #[test]
    fn a_checkpoint_is_kept_for_a_message_that_comes_again() {
        let (mut books, mut generation) = (Books::default(), generations());
        let (one, two) = (books.message(1, 1), books.message(2, 1));
        let reading = generation();
        books.open(one[0], place("a"), reading);
        books.join(two[0], &place("a"));
        books.finished(reading);
        assert_eq!(books.release(1, true), []);
        assert_eq!(books.release(2, false), [Released::Keep(place("a"))]);
        let three = books.message(3, 1);
        books.open(three[0], place("a"), generation());
        assert_eq!(books.release(3, true), [], "it is still being read");
        assert!(books.told.is_empty() && books.held.is_empty());
    }
}
