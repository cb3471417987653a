//! Hash tables of dictionaries and sets.

use std::cell::RefCell;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use hashbrown::HashTable;

use super::{Dict, DictKind, Obj, Set, Table};
use crate::cx::{Cx, R};
use crate::ops;

/// Bytes of one entry and of its place in the index, for the arena's account.
const ENTRY_BYTES: usize = size_of::<(u64, Obj<'static>, Obj<'static>)>() + 8;

impl<'a> Table<'a> {
    /// Tables of up to this many entries are searched one by one.
    pub const LINEAR_MAX: usize = 8;

    /// No entries.
    #[must_use]
    pub fn new(bump: &'a Bump) -> Self {
        Self {
            entries: BumpVec::new_in(bump),
            live: 0,
            index: None,
            changes: 0,
        }
    }

    /// The place of the entry with this key.
    ///
    /// # Errors
    /// What comparing raises.
    pub fn find(&self, cx: &Cx<'a>, hash: u64, key: Obj<'a>) -> R<'a, Option<usize>> {
        if let Some(index) = &self.index {
            return self.find_indexed(cx, index, hash, key);
        }
        for (place, (entry_hash, entry_key, _)) in self.entries.iter().enumerate() {
            if *entry_hash == hash
                && !matches!(entry_key, Obj::Unbound)
                && ops::same_or_eq(cx, *entry_key, key)?
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn find_indexed(
        &self,
        cx: &Cx<'a>,
        index: &HashTable<u32, &'a Bump>,
        hash: u64,
        key: Obj<'a>,
    ) -> R<'a, Option<usize>> {
        // An error within the comparison ends the search as if found, and is answered afterwards.
        let mut failed = None;
        let found = index.find(hash, |place| {
            let Some((entry_hash, entry_key, _)) = self.entries.get(*place as usize) else {
                return false;
            };
            if *entry_hash != hash || matches!(entry_key, Obj::Unbound) {
                return false;
            }
            let compared = match (entry_key, key) {
                (Obj::Str(a), Obj::Str(b)) if a == &b => Ok(true),
                // Many equal hashes are someone's intention: they cost.
                _ => cx.tick().and_then(|()| ops::same_or_eq(cx, *entry_key, key)),
            };
            compared.unwrap_or_else(|raise| {
                failed = Some(raise);
                true
            })
        });
        match failed {
            Some(raise) => Err(raise),
            None => Ok(found.map(|place| *place as usize)),
        }
    }

    /// The entry at a place, unless it was deleted.
    #[must_use]
    pub fn entry(&self, place: usize) -> Option<(u64, Obj<'a>, Obj<'a>)> {
        self.entries
            .get(place)
            .copied()
            .filter(|(_, key, _)| !matches!(key, Obj::Unbound))
    }

    /// The first entry at `place` or after it, and its place.
    #[must_use]
    pub fn next_from(&self, place: usize) -> Option<(usize, Obj<'a>, Obj<'a>)> {
        let rest = self.entries.get(place..)?;
        rest.iter()
            .enumerate()
            .find(|(_, (_, key, _))| !matches!(key, Obj::Unbound))
            .map(|(at, (_, key, value))| (place + at, *key, *value))
    }

    /// All entries in order.
    pub fn live_entries(&self) -> impl DoubleEndedIterator<Item = (u64, Obj<'a>, Obj<'a>)> + '_ {
        self.entries
            .iter()
            .copied()
            .filter(|(_, key, _)| !matches!(key, Obj::Unbound))
    }

    /// Appends an entry whose key is not there yet.
    ///
    /// # Errors
    /// As [`Cx::reserve`].
    pub fn push(&mut self, cx: &Cx<'a>, hash: u64, key: Obj<'a>, value: Obj<'a>) -> R<'a, ()> {
        if self.entries.len() == self.entries.capacity() {
            self.compact(cx);
            if self.entries.len() == self.entries.capacity() {
                cx.reserve((self.entries.len() * 2).max(4) * ENTRY_BYTES)?;
            }
        }
        let place = self.entries.len();
        self.entries.push((hash, key, value));
        self.live += 1;
        self.changes = self.changes.wrapping_add(1);
        if self.index.is_some() || place >= Self::LINEAR_MAX {
            self.add_to_index(cx, hash, place);
        }
        Ok(())
    }

    fn add_to_index(&mut self, cx: &Cx<'a>, hash: u64, place: usize) {
        let Self { entries, index, .. } = self;
        let hash_of = |at: &u32| entries.get(*at as usize).map_or(0, |entry| entry.0);
        match index {
            Some(index) => {
                index.insert_unique(hash, place as u32, hash_of);
            }
            None => {
                let mut fresh = HashTable::with_capacity_in(entries.len() * 2, cx.bump);
                for (at, (hash, key, _)) in entries.iter().enumerate() {
                    if !matches!(key, Obj::Unbound) {
                        fresh.insert_unique(*hash, at as u32, hash_of);
                    }
                }
                *index = Some(fresh);
            }
        }
    }

    /// Makes room for `more` entries.
    ///
    /// # Errors
    /// As [`Cx::reserve`].
    pub fn make_room(&mut self, cx: &Cx<'a>, more: usize) -> R<'a, ()> {
        cx.reserve(more.saturating_mul(ENTRY_BYTES))?;
        self.entries.reserve_exact(more);
        Ok(())
    }

    /// Replaces the value at a place.
    pub fn set_value(&mut self, place: usize, value: Obj<'a>) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.2 = value;
        }
    }

    /// Removes the entry at a place and answers key and value.
    pub fn remove(&mut self, cx: &Cx<'a>, place: usize) -> Option<(Obj<'a>, Obj<'a>)> {
        let (hash, key, value) = self.entry(place)?;
        if let Some(index) = &mut self.index
            && let Ok(found) = index.find_entry(hash, |at| *at as usize == place)
        {
            found.remove();
        }
        self.entries[place] = (0, Obj::Unbound, Obj::Unbound);
        self.live -= 1;
        self.changes = self.changes.wrapping_add(1);
        while matches!(self.entries.last(), Some((_, Obj::Unbound, _))) {
            self.entries.pop();
        }
        if self.entries.len() > 2 * Self::LINEAR_MAX && self.live < self.entries.len() / 2 {
            self.compact(cx);
        }
        Some((key, value))
    }

    /// Drops what is left of deleted entries.
    fn compact(&mut self, cx: &Cx<'a>) {
        if self.live == self.entries.len() {
            return;
        }
        self.entries.retain(|(_, key, _)| !matches!(key, Obj::Unbound));
        if let Some(index) = &mut self.index {
            index.clear();
            let entries = &self.entries;
            for (at, (hash, ..)) in entries.iter().enumerate() {
                index.insert_unique(*hash, at as u32, |at| {
                    entries.get(*at as usize).map_or(0, |entry| entry.0)
                });
            }
        } else if self.entries.len() > Self::LINEAR_MAX {
            self.rebuild_index(cx);
        }
    }

    fn rebuild_index(&mut self, cx: &Cx<'a>) {
        self.index = None;
        if let Some((hash, ..)) = self.entries.last().copied() {
            self.add_to_index(cx, hash, self.entries.len() - 1);
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.live = 0;
        self.index = None;
        self.changes = self.changes.wrapping_add(1);
    }

    /// Puts the entry at `place` at the end, or at the start.
    pub fn move_to(&mut self, cx: &Cx<'a>, place: usize, end: bool) {
        if self.entry(place).is_none() {
            return;
        }
        let entry = self.entries.remove(place);
        if end {
            self.entries.push(entry);
        } else {
            self.entries.insert(0, entry);
        }
        if self.index.is_some() {
            self.rebuild_index(cx);
        }
        self.changes = self.changes.wrapping_add(1);
    }
}

impl<'a> Dict<'a> {
    /// A new dictionary of a kind.
    #[must_use]
    pub fn of_kind(cx: &Cx<'a>, kind: DictKind<'a>) -> &'a Self {
        cx.bump.alloc(Self {
            inner: RefCell::new(Table::new(cx.bump)),
            kind,
            is_shared: false,
        })
    }

    /// To be asked before a dictionary is changed.
    ///
    /// # Errors
    /// Falls back on a lookup table's.
    #[inline]
    pub fn check_change(&self, cx: &Cx<'a>) -> R<'a, ()> {
        if self.is_shared {
            return Err(cx.leave("changes a lookup table"));
        }
        Ok(())
    }

    /// A new plain dictionary.
    #[must_use]
    pub fn empty(cx: &Cx<'a>) -> Obj<'a> {
        Obj::Dict(Self::of_kind(cx, DictKind::Plain))
    }

    /// The value under a key.
    ///
    /// # Errors
    /// `TypeError` when the key is unhashable.
    #[inline]
    pub fn get(&self, cx: &Cx<'a>, key: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
        let hash = ops::hash(cx, key)?;
        self.get_hashed(cx, hash, key)
    }

    /// As [`Dict::get`], with the hash at hand.
    ///
    /// # Errors
    /// What comparing raises.
    pub fn get_hashed(&self, cx: &Cx<'a>, hash: u64, key: Obj<'a>) -> R<'a, Option<Obj<'a>>> {
        let table = self.inner.borrow();
        let found = table.find(cx, hash, key)?;
        Ok(found
            .and_then(|place| table.entry(place))
            .map(|(_, _, value)| value))
    }

    /// Sets the value under a key; an equal key that is there remains.
    ///
    /// # Errors
    /// `TypeError` when the key is unhashable; [`Cx::reserve`]'s.
    pub fn insert(&self, cx: &Cx<'a>, key: Obj<'a>, value: Obj<'a>) -> R<'a, ()> {
        let hash = ops::hash(cx, key)?;
        self.insert_hashed(cx, hash, key, value)
    }

    /// As [`Dict::insert`], with the hash at hand.
    ///
    /// # Errors
    /// What comparing raises; [`Cx::reserve`]'s.
    pub fn insert_hashed(&self, cx: &Cx<'a>, hash: u64, key: Obj<'a>, value: Obj<'a>) -> R<'a, ()> {
        self.check_change(cx)?;
        let found = self.inner.borrow().find(cx, hash, key)?;
        let mut table = self.inner.borrow_mut();
        match found {
            Some(place) => {
                table.set_value(place, value);
                Ok(())
            }
            None => table.push(cx, hash, key, value),
        }
    }

    /// Removes a key; its entry.
    ///
    /// # Errors
    /// `TypeError` when the key is unhashable.
    pub fn remove(&self, cx: &Cx<'a>, key: Obj<'a>) -> R<'a, Option<(Obj<'a>, Obj<'a>)>> {
        self.check_change(cx)?;
        let hash = ops::hash(cx, key)?;
        let found = self.inner.borrow().find(cx, hash, key)?;
        Ok(found.and_then(|place| self.inner.borrow_mut().remove(cx, place)))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.borrow().live
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> Set<'a> {
    /// A new set without elements.
    #[must_use]
    pub fn empty(cx: &Cx<'a>, frozen: bool) -> &'a Self {
        cx.bump.alloc(Self {
            inner: RefCell::new(Table::new(cx.bump)),
            frozen,
        })
    }

    /// A new set of these.
    ///
    /// # Errors
    /// `TypeError` when one is unhashable.
    pub fn object(cx: &Cx<'a>, items: BumpVec<'a, Obj<'a>>, frozen: bool) -> R<'a> {
        let set = Self::empty(cx, frozen);
        for item in items {
            set.add(cx, item)?;
        }
        Ok(Obj::Set(set))
    }

    /// Adds an element to an [`Obj::Set`], frozen or not.
    ///
    /// # Errors
    /// `TypeError` when it is unhashable.
    pub fn insert(cx: &Cx<'a>, set: Obj<'a>, item: Obj<'a>) -> R<'a, ()> {
        match set {
            Obj::Set(set) => set.add(cx, item),
            _ => Err(cx.leave("changes a constant")),
        }
    }

    /// Adds an element.
    ///
    /// # Errors
    /// `TypeError` when it is unhashable.
    pub fn add(&self, cx: &Cx<'a>, item: Obj<'a>) -> R<'a, ()> {
        let hash = ops::hash(cx, item)?;
        self.add_hashed(cx, hash, item)
    }

    /// As [`Set::add`], with the hash at hand.
    ///
    /// # Errors
    /// What comparing raises; [`Cx::reserve`]'s.
    pub fn add_hashed(&self, cx: &Cx<'a>, hash: u64, item: Obj<'a>) -> R<'a, ()> {
        if self.inner.borrow().find(cx, hash, item)?.is_some() {
            return Ok(());
        }
        self.inner.borrow_mut().push(cx, hash, item, Obj::None)
    }

    /// Whether it holds an element of this hash.
    ///
    /// # Errors
    /// What comparing raises.
    pub fn has(&self, cx: &Cx<'a>, hash: u64, item: Obj<'a>) -> R<'a, bool> {
        Ok(self.inner.borrow().find(cx, hash, item)?.is_some())
    }

    /// Removes an element; whether it was there.
    ///
    /// # Errors
    /// What comparing raises.
    pub fn remove_hashed(&self, cx: &Cx<'a>, hash: u64, item: Obj<'a>) -> R<'a, bool> {
        let found = self.inner.borrow().find(cx, hash, item)?;
        Ok(found
            .and_then(|place| self.inner.borrow_mut().remove(cx, place))
            .is_some())
    }
}
