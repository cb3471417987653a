//! Patterns made from texts at run time. Objects in the arena refer to them, so none is dropped before the arena is.

use std::cell::{Cell, OnceCell};

use streamalert_regex::Captures;
use streamalert_value::key_hash;

use super::{Compiled, Refusal};
use crate::program::PyVersion;

/// Patterns kept at most; a compiled one takes some 10 to 200 kB.
const ENTRIES_MAX: usize = 512;
/// Bytes of all patterns' sources.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Chains of entries. A power of two.
const CHAINS: usize = 256;

/// Regular expressions made from texts at run time, kept for later events. Bounded. Only grows while it is shared,
/// so that what it answers lives as long as it is borrowed.
pub struct Cache {
    chains: Box<[Link]>,
    entries: Cell<usize>,
    source_bytes: Cell<usize>,
    /// Room for the groups of a match, used again.
    captures: Cell<Captures>,
}

type Link = OnceCell<Box<Entry>>;

struct Entry {
    pattern: Box<str>,
    flags: u32,
    result: Result<Compiled, Refusal>,
    next: Link,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            chains: (0..CHAINS).map(|_| Link::new()).collect(),
            entries: Cell::new(0),
            source_bytes: Cell::new(0),
            captures: Cell::new(Captures::default()),
        }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache of {} patterns", self.entries.get())
    }
}

impl Cache {
    /// The compiled pattern, or why there is none; `None` when it is not known and there is no more room.
    pub(crate) fn get(
        &self,
        pattern: &str,
        flags: u32,
        version: PyVersion,
    ) -> Option<&Result<Compiled, Refusal>> {
        let hash = key_hash(pattern.as_bytes()) ^ flags;
        let mut link = self.chains.get(hash as usize % CHAINS)?;
        while let Some(entry) = link.get() {
            if entry.flags == flags && *entry.pattern == *pattern {
                return Some(&entry.result);
            }
            link = &entry.next;
        }
        let bytes = self.source_bytes.get() + pattern.len();
        if self.entries.get() >= ENTRIES_MAX || bytes > SOURCE_BYTES_MAX {
            return None;
        }
        self.entries.set(self.entries.get() + 1);
        self.source_bytes.set(bytes);
        let entry = link.get_or_init(|| {
            Box::new(Entry {
                pattern: pattern.into(),
                flags,
                result: Compiled::compile(pattern, flags, version),
                next: Link::new(),
            })
        });
        Some(&entry.result)
    }

    /// Forgets everything when more than half of the room is used. To be called between batches.
    pub fn tidy(&mut self) {
        if self.entries.get() > ENTRIES_MAX / 2 || self.source_bytes.get() > SOURCE_BYTES_MAX / 2 {
            *self = Self::default();
        }
    }

    /// Runs `search` with room for groups.
    pub(crate) fn with_captures<T>(&self, search: impl FnOnce(&mut Captures) -> T) -> T {
        let mut captures = self.captures.take();
        let found = search(&mut captures);
        self.captures.set(captures);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: PyVersion = PyVersion { minor: 11, patch: 0 };

    #[test]
    fn a_pattern_is_compiled_once() {
        let cache = Cache::default();
        let one = cache.get("a+", 0, VERSION).unwrap().as_ref().unwrap();
        let two = cache.get("a+", 0, VERSION).unwrap().as_ref().unwrap();
        let other = cache.get("a+", 2, VERSION).unwrap().as_ref().unwrap();
        assert!(std::ptr::eq(one, two));
        assert!(!std::ptr::eq(one, other));
    }

    #[test]
    fn a_full_cache_takes_no_more_until_it_is_tidied() {
        let mut cache = Cache::default();
        for number in 0..ENTRIES_MAX {
            assert!(cache.get(&format!("a{number}"), 0, VERSION).is_some());
        }
        assert!(cache.get("b", 0, VERSION).is_none());
        assert!(cache.get("a0", 0, VERSION).is_some());
        cache.tidy();
        assert!(cache.get("b", 0, VERSION).is_some());
        assert_eq!(cache.entries.get(), 1);
    }
}
