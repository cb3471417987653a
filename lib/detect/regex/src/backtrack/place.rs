//! Tests of the backtracking engine that are more than one character: positions and backreferences.

use super::Machine;
use crate::ast::Category;
use crate::casefold::Fold;
use crate::charset::category;
use crate::error::MatchError;
use crate::ir::At;

impl Machine<'_> {
    pub(super) fn backref(
        &mut self,
        group: u32,
        fold: Fold,
        pos: usize,
    ) -> Result<Option<usize>, MatchError> {
        let Some((start, end)) = self.group(group) else {
            return Ok(None);
        };
        self.spend((end - start) as u64)?;
        let Some(wanted) = self.text.get(start..end) else {
            return Ok(None);
        };
        if fold == Fold::None {
            let rest = self.text.as_bytes().get(pos..).unwrap_or_default();
            return Ok(rest.starts_with(wanted.as_bytes()).then(|| pos + wanted.len()));
        }
        let mut at = pos;
        for c in wanted.chars() {
            match self.char_at(at) {
                Some(other) if fold.lower(u32::from(c)) == fold.lower(u32::from(other)) => {
                    at += other.len_utf8();
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    pub(super) fn group(&self, group: u32) -> Option<(usize, usize)> {
        let slot = (group as usize).checked_mul(2)?;
        let start = self.scratch.slots.get(slot).copied().flatten()?.get();
        let end = self.scratch.slots.get(slot + 1).copied().flatten()?.get();
        (start <= end).then_some((start, end))
    }

    pub(super) fn holds(&self, at: At, pos: usize) -> bool {
        let bytes = self.text.as_bytes();
        let newline_at = |pos: usize| bytes.get(pos) == Some(&b'\n');
        match at {
            At::Start => pos == 0,
            At::StartLine => pos == 0 || newline_at(pos - 1),
            At::End => pos == bytes.len(),
            At::EndOrLastNewline => pos == bytes.len() || (pos + 1 == bytes.len() && newline_at(pos)),
            At::EndLine => pos == bytes.len() || newline_at(pos),
            At::Boundary { ascii } => self.is_boundary(ascii, pos),
            At::NonBoundary { ascii } => !bytes.is_empty() && !self.is_boundary(ascii, pos),
        }
    }

    pub(super) fn is_boundary(&self, ascii: bool, pos: usize) -> bool {
        let is_word = |c: Option<char>| match c {
            None => false,
            Some(c) if c.is_ascii() => c.is_ascii_alphanumeric() || c == '_',
            Some(_) if ascii => false,
            Some(c) => category(Category::Word, false, self.version).contains(u32::from(c)),
        };
        is_word(self.char_before(pos)) != is_word(self.char_at(pos))
    }
}
