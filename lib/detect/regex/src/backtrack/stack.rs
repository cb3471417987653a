//! What is undone and tried again: the stack of the backtracking engine, and the count of its steps.

use regex_automata::util::primitives::NonMaxUsize;

use super::{Frame, Machine, Turns};
use crate::error::MatchError;

impl Machine<'_> {
    pub(super) fn push(&mut self, frame: Frame) -> Result<(), MatchError> {
        if self.scratch.frames.len() >= self.frames_max {
            return Err(MatchError::Backtracking);
        }
        self.scratch.frames.push(frame);
        Ok(())
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), MatchError> {
        self.steps_left = self
            .steps_left
            .checked_sub(steps)
            .ok_or(MatchError::Backtracking)?;
        Ok(())
    }

    pub(super) fn save(&mut self, slot: usize, pos: usize) -> Result<(), MatchError> {
        let Some(&old) = self.scratch.slots.get(slot) else {
            return Ok(());
        };
        self.push(Frame::Slot { slot, old })?;
        if let Some(place) = self.scratch.slots.get_mut(slot) {
            *place = NonMaxUsize::new(pos);
        }
        Ok(())
    }

    pub(super) fn turns(&self, counter: usize) -> Turns {
        self.scratch.loops.get(counter).copied().unwrap_or(Turns::NONE)
    }

    pub(super) fn set_turns(&mut self, counter: usize, turns: Turns) -> Result<(), MatchError> {
        let old = self.turns(counter);
        self.push(Frame::Loop { counter, old })?;
        if let Some(place) = self.scratch.loops.get_mut(counter) {
            *place = turns;
        }
        Ok(())
    }

    /// Undoes until another way is found.
    pub(super) fn back(&mut self) -> Result<Option<(usize, usize)>, MatchError> {
        while let Some(frame) = self.scratch.frames.pop() {
            self.spend(1)?;
            match frame {
                Frame::Way { pc, pos } => return Ok(Some((pc, pos))),
                Frame::Shrink { pc, least, pos } => {
                    let width = self.char_before(pos).map_or(1, char::len_utf8);
                    let pos = pos.saturating_sub(width);
                    if pos > least {
                        self.push(Frame::Shrink { pc, least, pos })?;
                    }
                    return Ok(Some((pc, pos)));
                }
                Frame::Grow { pc, pos, left } => {
                    if let Some(pos) = self.grow(pc, pos, left)? {
                        return Ok(Some((pc + 1, pos)));
                    }
                }
                Frame::Turn { counter, pc, pos } => {
                    // All that came after is undone, so the loop is again as it was when this was pushed.
                    let done = self.turns(counter).done.saturating_add(1);
                    self.set_turns(counter, Turns { done, last: pos })?;
                    return Ok(Some((pc, pos)));
                }
                Frame::Slot { .. } | Frame::Loop { .. } => self.restore(frame),
            }
        }
        Ok(None)
    }

    pub(super) fn restore(&mut self, frame: Frame) {
        match frame {
            Frame::Slot { slot, old } => {
                if let Some(place) = self.scratch.slots.get_mut(slot) {
                    *place = old;
                }
            }
            Frame::Loop { counter, old } => {
                if let Some(place) = self.scratch.loops.get_mut(counter) {
                    *place = old;
                }
            }
            _ => {}
        }
    }

    /// Undoes all above this height and takes none of the ways.
    pub(super) fn undo(&mut self, height: usize) -> Result<(), MatchError> {
        self.spend(self.scratch.frames.len().saturating_sub(height) as u64)?;
        while self.scratch.frames.len() > height
            && let Some(frame) = self.scratch.frames.pop()
        {
            self.restore(frame);
        }
        Ok(())
    }
}
