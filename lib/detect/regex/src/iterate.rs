//! `finditer`, `findall`, `split` and `sub`, with the rules of Python 3.7 and later: an empty match may stand
//! right behind another match, and where one stood the next match must not be empty.

use crate::error::MatchError;
use crate::pattern::{Anchor, Captures, Pattern, region};
use crate::template::Template;

/// The matches of a pattern in a text, from left to right.
#[derive(Debug)]
pub struct Matches<'p, 't> {
    pattern: &'p Pattern,
    /// None when no match can follow.
    text: Option<&'t str>,
    pos: usize,
    must_advance: bool,
}

impl Matches<'_, '_> {
    /// Finds the next match; false when there is none. After an error there is none either.
    pub fn next_match(&mut self, captures: &mut Captures) -> Result<bool, MatchError> {
        self.pattern.fit(captures);
        let Some(text) = self.text.take() else {
            return Ok(false);
        };
        let found = self.pattern.run_slots(
            Anchor::Search,
            (text, self.pos),
            self.must_advance,
            &mut captures.slots,
        )?;
        let Some((start, end)) = captures.get(0).filter(|_| found) else {
            return Ok(false);
        };
        self.must_advance = start == end;
        self.pos = end;
        self.text = Some(text);
        Ok(true)
    }
}

/// One item of `findall`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'t> {
    /// The match, or its only group.
    Text(&'t str),
    /// All groups. One that took no part is empty.
    Groups(Vec<&'t str>),
}

impl Pattern {
    /// `Pattern.finditer(text, pos, endpos)`.
    pub fn find_iter<'p, 't>(&'p self, text: &'t str, pos: usize, endpos: usize) -> Matches<'p, 't> {
        let region = region(text, pos, endpos);
        Matches {
            pattern: self,
            text: region.map(|(text, _)| text),
            pos: region.map_or(0, |(_, pos)| pos),
            must_advance: false,
        }
    }

    /// `Pattern.findall(text, pos, endpos)`.
    pub fn find_all<'t>(
        &self,
        text: &'t str,
        pos: usize,
        endpos: usize,
    ) -> Result<Vec<Found<'t>>, MatchError> {
        let mut all = Vec::new();
        let mut captures = self.captures();
        let mut matches = self.find_iter(text, pos, endpos);
        while matches.next_match(&mut captures)? {
            let group = |group| captures.text(text, group).unwrap_or_default();
            all.push(match self.groups() {
                0 => Found::Text(group(0)),
                1 => Found::Text(group(1)),
                groups => Found::Groups((1..=groups).map(group).collect()),
            });
        }
        Ok(all)
    }

    /// `Pattern.split(text, maxsplit)`: the parts, with the groups of every match between them. `maxsplit` 0 is
    /// no limit.
    pub fn split<'t>(&self, text: &'t str, maxsplit: usize) -> Result<Vec<Option<&'t str>>, MatchError> {
        let mut parts = Vec::new();
        let mut captures = self.captures();
        let mut matches = self.find_iter(text, 0, text.len());
        let (mut from, mut splits) = (0, 0);
        while (maxsplit == 0 || splits < maxsplit) && matches.next_match(&mut captures)? {
            let Some((start, end)) = captures.get(0) else {
                break;
            };
            parts.push(text.get(from..start));
            parts.extend((1..=self.groups()).map(|group| captures.text(text, group)));
            from = end;
            splits += 1;
        }
        parts.push(text.get(from..));
        Ok(parts)
    }

    /// `Pattern.subn(template, text, count)`: the new text and the number of replacements. `count` 0 is no limit.
    pub fn sub(&self, template: &Template, text: &str, count: usize) -> Result<(String, usize), MatchError> {
        self.sub_with(text, count, |captures, out| {
            template.expand(text, captures, out);
            Ok(())
        })
    }

    /// `Pattern.subn(function, text, count)`. The function adds the replacement to the text so far.
    pub fn sub_with<E: From<MatchError>>(
        &self,
        text: &str,
        count: usize,
        mut replace: impl FnMut(&Captures, &mut String) -> Result<(), E>,
    ) -> Result<(String, usize), E> {
        let mut out = String::new();
        let mut captures = self.captures();
        let mut matches = self.find_iter(text, 0, text.len());
        let (mut from, mut replaced) = (0, 0);
        while (count == 0 || replaced < count) && matches.next_match(&mut captures)? {
            let Some((start, end)) = captures.get(0) else {
                break;
            };
            out.push_str(text.get(from..start).unwrap_or_default());
            replace(&captures, &mut out)?;
            from = end;
            replaced += 1;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Ok((out, replaced))
    }
}
