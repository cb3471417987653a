//! What is known of the current event, kept in plain numbers, so that it outlives the arena's lifetime and a new
//! event costs one number instead of clearing tables.

use std::cell::Cell;

/// Found places of field paths and kept values of shared expressions, valid for one event each.
#[derive(Debug, Default)]
pub struct Marks {
    event: Cell<u32>,
    slots: Vec<Cell<(u32, u32)>>,
    memos: Vec<Cell<(u32, Kept)>>,
}

/// Where a field path leads in this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To this node.
    Node(u32),
    /// Every container on the way is a dictionary and one lacks the key.
    Absent,
    /// The container that it should be in is `None`.
    UnderNull,
    /// Something else on the way is no dictionary.
    Odd,
}

const ABSENT: u32 = u32::MAX;
const ODD: u32 = u32::MAX - 1;
const UNDER_NULL: u32 = u32::MAX - 2;

/// A value that can be kept without the arena.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    /// `None`
    None,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `float`
    Float(f64),
    /// A value of the record.
    Node(u32),
    /// A text within the record's text: first byte, end.
    Span(u32, u32),
}

impl Marks {
    /// Room for this many paths and memos.
    #[must_use]
    pub fn new(slots: usize, memos: usize) -> Self {
        Self {
            event: Cell::new(0),
            slots: vec![Cell::new((0, 0)); slots],
            memos: vec![Cell::new((0, Kept::None)); memos],
        }
    }

    /// Forgets everything.
    pub fn next_event(&mut self) {
        let next = self.event.get().wrapping_add(1);
        if next == 0 {
            *self = Self::new(self.slots.len(), self.memos.len());
        }
        self.event.set(next.max(1));
    }

    /// The place of a path; `None` when it was not looked up yet.
    #[inline]
    #[must_use]
    pub fn place(&self, path: u32) -> Option<Place> {
        match self.slots.get(path as usize)?.get() {
            (event, _) if event != self.event.get() => None,
            (_, ABSENT) => Some(Place::Absent),
            (_, ODD) => Some(Place::Odd),
            (_, UNDER_NULL) => Some(Place::UnderNull),
            (_, node) => Some(Place::Node(node)),
        }
    }

    /// Remembers the place of a path.
    #[inline]
    pub fn set_place(&self, path: u32, place: Place) {
        if let Some(slot) = self.slots.get(path as usize) {
            slot.set((
                self.event.get(),
                match place {
                    Place::Node(node) => node,
                    Place::Absent => ABSENT,
                    Place::Odd => ODD,
                    Place::UnderNull => UNDER_NULL,
                },
            ));
        }
    }

    /// The kept value of an expression.
    #[inline]
    #[must_use]
    pub fn kept(&self, memo: u32) -> Option<Kept> {
        match self.memos.get(memo as usize)?.get() {
            (event, value) if event == self.event.get() => Some(value),
            _ => None,
        }
    }

    /// Keeps a value.
    #[inline]
    pub fn keep(&self, memo: u32, value: Kept) {
        if let Some(slot) = self.memos.get(memo as usize) {
            slot.set((self.event.get(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_event_knows_nothing_of_the_one_before() {
        let mut marks = Marks::new(2, 1);
        marks.next_event();
        assert_eq!(marks.place(0), None);
        marks.set_place(0, Place::Node(7));
        marks.set_place(1, Place::Absent);
        marks.keep(0, Kept::Bool(true));
        assert_eq!(marks.place(0), Some(Place::Node(7)));
        assert_eq!(marks.place(1), Some(Place::Absent));
        assert_eq!(marks.kept(0), Some(Kept::Bool(true)));
        marks.next_event();
        assert_eq!(
            (marks.place(0), marks.place(1), marks.kept(0)),
            (None, None, None)
        );
        assert_eq!(marks.place(9), None);
    }
}
