//! A compiled pattern and its searches.

use std::sync::OnceLock;

use regex_automata::meta;
use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::NonMaxUsize;

use crate::backtrack::{self, Ask, Scratch};
use crate::catastrophic::{self, Catastrophic};
use crate::error::{CompileError, MatchError, untranslatable};
use crate::flags::{Flags, PyVersion};
use crate::ir::{Ir, resolve};
use crate::limits::Limits;
use crate::linear::{self, Linear};
use crate::parse::parse;
use crate::program::Program;
use crate::quirks;

/// Where a match must start and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Anywhere: `Pattern.search`.
    Search,
    /// Starts at `pos`: `Pattern.match`.
    Match,
    /// Starts at `pos` and ends at `endpos`: `Pattern.fullmatch`.
    Full,
}

/// The engine that most searches of a pattern take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Time is linear in the text. Rare texts still go to the other engine; see the crate's documentation.
    Linear,
    /// Steps are limited; [`MatchError::Backtracking`] is possible.
    Backtracking,
}

/// The groups of the last match, reusable for the next search.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    pub(crate) slots: Vec<Option<NonMaxUsize>>,
}

impl Captures {
    /// Byte offsets of a group; 0 is the whole match. None when the group took no part or does not exist.
    pub fn get(&self, group: usize) -> Option<(usize, usize)> {
        let slot = group.checked_mul(2)?;
        let start = self.slots.get(slot).copied().flatten()?.get();
        let end = self.slots.get(slot + 1).copied().flatten()?.get();
        Some((start, end))
    }

    /// The text of a group; `text` is the one that was searched.
    pub fn text<'t>(&self, text: &'t str, group: usize) -> Option<&'t str> {
        let (start, end) = self.get(group)?;
        text.get(start..end)
    }
}

/// A compiled pattern. Threads may share it.
#[derive(Debug)]
pub struct Pattern {
    source: Box<str>,
    flags: Flags,
    version: PyVersion,
    limits: Limits,
    groups: usize,
    names: Vec<(String, u32)>,
    pub(crate) ir: Ir,
    linear: Option<Linear>,
    program: OnceLock<Program>,
    filter: OnceLock<Option<meta::Regex>>,
    scratch: Pool<Scratch, fn() -> Scratch>,
}

impl Pattern {
    /// Compiles a `str` pattern as this version of Python reads it.
    pub fn compile(
        pattern: &str,
        flags: Flags,
        version: PyVersion,
        limits: &Limits,
    ) -> Result<Pattern, CompileError> {
        if version < PyVersion::MIN || version > PyVersion::MAX {
            return Err(untranslatable("this version of Python was never compared with"));
        }
        if pattern.len() > limits.pattern_bytes_max {
            return Err(untranslatable("the pattern is longer than the limit"));
        }
        let parsed = parse(pattern, flags, version)?;
        let ir = resolve(&parsed, version)?;
        if let Some(reason) = quirks::refused(&ir, version) {
            return Err(untranslatable(reason));
        }
        Ok(Pattern {
            source: pattern.into(),
            flags: parsed.flags,
            version,
            limits: limits.clone(),
            groups: parsed.groups,
            names: parsed.names,
            linear: Linear::new(&ir, limits),
            ir,
            program: OnceLock::new(),
            filter: OnceLock::new(),
            scratch: Pool::new(Scratch::default),
        })
    }

    /// The source, `Pattern.pattern`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All flags, the inline ones included: `Pattern.flags`.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// The version of Python whose rules hold.
    pub fn version(&self) -> PyVersion {
        self.version
    }

    /// Capture groups without group 0: `Pattern.groups`.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Named groups and their numbers, in the order of their definition: `Pattern.groupindex`.
    pub fn group_names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.names
            .iter()
            .map(|(name, group)| (name.as_str(), *group as usize))
    }

    /// The number of a named group.
    pub fn group_index(&self, name: &str) -> Option<usize> {
        self.group_names()
            .find(|(known, _)| *known == name)
            .map(|(_, group)| group)
    }

    /// The engine that most searches take.
    pub fn engine(&self) -> Engine {
        if self.linear.is_some() {
            Engine::Linear
        } else {
            Engine::Backtracking
        }
    }

    /// Why CPython's engine may take exponential time for a text that does not match. For a linter: the linear
    /// engine here is immune and the other one is limited.
    pub fn catastrophic(&self) -> Option<Catastrophic> {
        catastrophic::find(&self.ir)
    }

    /// Room for the groups of a match.
    pub fn captures(&self) -> Captures {
        Captures {
            slots: vec![None; (self.groups + 1) * 2],
        }
    }

    /// Whether the pattern occurs in the text.
    pub fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        self.is_match_at(Anchor::Search, text, 0, text.len())
    }

    /// Whether there is a match within `text[pos..endpos]`, without its place. Offsets as for [`Self::run`].
    pub fn is_match_at(
        &self,
        anchor: Anchor,
        text: &str,
        pos: usize,
        endpos: usize,
    ) -> Result<bool, MatchError> {
        let Some((text, pos)) = region(text, pos, endpos) else {
            return nothing(anchor);
        };
        if let Some(program) = self.linear_program(anchor, text) {
            return Ok(program.is_match(linear::input(anchor, text, pos)));
        }
        let ask = Ask {
            anchored: anchor != Anchor::Search,
            full: anchor == Anchor::Full,
            must_advance: false,
        };
        self.backtrack(ask, (text, pos), &mut [None; 2])
    }

    /// Byte offsets of the first match.
    pub fn find(
        &self,
        anchor: Anchor,
        text: &str,
        pos: usize,
        endpos: usize,
    ) -> Result<Option<(usize, usize)>, MatchError> {
        let Some((text, pos)) = region(text, pos, endpos) else {
            return nothing(anchor).map(|_| None);
        };
        let mut slots = [None; 2];
        let found = self.run_slots(anchor, (text, pos), false, &mut slots)?;
        let [Some(start), Some(end)] = slots else {
            return Ok(None);
        };
        Ok(found.then_some((start.get(), end.get())))
    }

    /// `Pattern.search(text, pos, endpos)`. As in Python `^` and `\b` see what stands before `pos`, and the text
    /// ends at `endpos`. Offsets count bytes; one within a character is moved to its start.
    pub fn search(
        &self,
        text: &str,
        pos: usize,
        endpos: usize,
        captures: &mut Captures,
    ) -> Result<bool, MatchError> {
        self.run(Anchor::Search, text, pos, endpos, captures)
    }

    /// `Pattern.match(text, pos, endpos)`.
    pub fn match_(
        &self,
        text: &str,
        pos: usize,
        endpos: usize,
        captures: &mut Captures,
    ) -> Result<bool, MatchError> {
        self.run(Anchor::Match, text, pos, endpos, captures)
    }

    /// `Pattern.fullmatch(text, pos, endpos)`.
    pub fn fullmatch(
        &self,
        text: &str,
        pos: usize,
        endpos: usize,
        captures: &mut Captures,
    ) -> Result<bool, MatchError> {
        self.run(Anchor::Full, text, pos, endpos, captures)
    }

    /// Any of the three. The captures are those of the match, or all None.
    pub fn run(
        &self,
        anchor: Anchor,
        text: &str,
        pos: usize,
        endpos: usize,
        captures: &mut Captures,
    ) -> Result<bool, MatchError> {
        self.fit(captures);
        let Some(region) = region(text, pos, endpos) else {
            return nothing(anchor);
        };
        self.run_slots(anchor, region, false, &mut captures.slots)
    }

    /// Makes captures of any pattern fit for this one.
    pub(crate) fn fit(&self, captures: &mut Captures) {
        captures.slots.clear();
        captures.slots.resize((self.groups + 1) * 2, None);
    }

    fn linear_program(&self, anchor: Anchor, text: &str) -> Option<&meta::Regex> {
        self.linear.as_ref()?.program(&self.ir, anchor, text)
    }

    /// With `must_advance` an empty match at `pos` does not count.
    pub(crate) fn run_slots(
        &self,
        anchor: Anchor,
        (text, pos): (&str, usize),
        must_advance: bool,
        slots: &mut [Option<NonMaxUsize>],
    ) -> Result<bool, MatchError> {
        let anchored = anchor != Anchor::Search;
        let full = anchor == Anchor::Full;
        let Some(program) = self.linear_program(anchor, text) else {
            return self.backtrack(
                Ask {
                    anchored,
                    full,
                    must_advance,
                },
                (text, pos),
                slots,
            );
        };
        if !must_advance {
            return Ok(linear::captures(
                program,
                &linear::input(anchor, text, pos),
                slots,
            ));
        }
        // The linear engine cannot refuse an empty match, so this one place is left to the other engine.
        if self.backtrack(
            Ask {
                anchored: true,
                full,
                must_advance,
            },
            (text, pos),
            slots,
        )? {
            return Ok(true);
        }
        let next = text.get(pos..).and_then(|rest| rest.chars().next());
        match next {
            Some(c) if !anchored => Ok(linear::captures(
                program,
                &linear::input(anchor, text, pos + c.len_utf8()),
                slots,
            )),
            _ => Ok(false),
        }
    }

    fn backtrack(
        &self,
        ask: Ask,
        (text, pos): (&str, usize),
        slots: &mut [Option<NonMaxUsize>],
    ) -> Result<bool, MatchError> {
        slots.fill(None);
        let mut from = pos;
        if let Some(filter) = self.filter.get_or_init(|| linear::filter(&self.ir, &self.limits)) {
            let anchor = if ask.anchored {
                Anchor::Match
            } else {
                Anchor::Search
            };
            match filter.find(linear::input(anchor, text, pos)) {
                None => return Ok(false),
                Some(first) => from = first.start(),
            }
        }
        let ask = Ask {
            must_advance: ask.must_advance && from == pos,
            ..ask
        };
        let program = self.program.get_or_init(|| Program::new(&self.ir));
        let mut scratch = self.scratch.get();
        let groups = (self.groups + 1) * 2;
        backtrack::search(
            program,
            self.version,
            &self.limits,
            (text, from),
            ask,
            (&mut scratch, groups, slots),
        )
    }
}

/// The result when `pos` is behind `endpos`.
fn nothing(anchor: Anchor) -> Result<bool, MatchError> {
    if anchor == Anchor::Match {
        Err(MatchError::Region)
    } else {
        Ok(false)
    }
}

/// The text up to `endpos`, and `pos` within it. None when `pos` is behind `endpos`.
pub(crate) fn region(text: &str, pos: usize, endpos: usize) -> Option<(&str, usize)> {
    let end = text.floor_char_boundary(endpos);
    let pos = text.floor_char_boundary(pos);
    let text = text.get(..end)?;
    (pos <= end).then_some((text, pos))
}
