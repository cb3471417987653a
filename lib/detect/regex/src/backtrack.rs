//! The backtracking engine: tries what CPython's engine tries, in the same order, with an explicit stack and a
//! limit on steps. For patterns with backreferences, lookarounds, conditionals and atomic groups, and for
//! loops whose body may match nothing.

mod place;
mod stack;

use regex_automata::util::primitives::NonMaxUsize;

use crate::ast::Greed;
use crate::error::MatchError;
use crate::flags::PyVersion;
use crate::limits::Limits;
use crate::program::{NO_MAX, One, Op, Program};

/// What to do when the way taken fails.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// Try another way.
    Way { pc: usize, pos: usize },
    /// Give back one character of a greedy run that may shrink to `least`.
    Shrink { pc: usize, least: usize, pos: usize },
    /// Take one more character by the lazy run at `pc`, of `left` that it may still take.
    Grow { pc: usize, pos: usize, left: u32 },
    /// Take another turn of a lazy loop, whose body is at `pc`.
    Turn { counter: usize, pc: usize, pos: usize },
    /// Restore a slot.
    Slot { slot: usize, old: Option<NonMaxUsize> },
    /// Restore a loop.
    Loop { counter: usize, old: Turns },
}

/// The state of a loop.
#[derive(Clone, Copy, Debug)]
struct Turns {
    done: u32,
    /// Where the last turn beyond the minimum began; `usize::MAX` before that.
    last: usize,
}

impl Turns {
    const NONE: Turns = Turns {
        done: 0,
        last: usize::MAX,
    };
}

/// The memory of a search, kept for the next one.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    frames: Vec<Frame>,
    slots: Vec<Option<NonMaxUsize>>,
    loops: Vec<Turns>,
    /// Height of the stack and position where an atomic part or a lookaround began.
    marks: Vec<(usize, usize)>,
}

/// What is asked of a match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Starts where the search starts.
    pub(crate) anchored: bool,
    /// Ends where the text ends.
    pub(crate) full: bool,
    /// Is not empty at the place where the search starts.
    pub(crate) must_advance: bool,
}

struct Machine<'a> {
    program: &'a Program,
    text: &'a str,
    version: PyVersion,
    scratch: &'a mut Scratch,
    steps_left: u64,
    frames_max: usize,
    full: bool,
    /// Where an empty match does not count.
    not_empty_at: Option<usize>,
    start: usize,
}

/// Searches from `pos` on. `groups` is the number of slots that the pattern needs, two for each group; as many
/// as fit are copied to `slots`.
pub(crate) fn search(
    program: &Program,
    version: PyVersion,
    limits: &Limits,
    (text, pos): (&str, usize),
    ask: Ask,
    (scratch, groups, slots): (&mut Scratch, usize, &mut [Option<NonMaxUsize>]),
) -> Result<bool, MatchError> {
    scratch.slots.clear();
    scratch.slots.resize(groups.max(2), None);
    scratch.loops.clear();
    scratch.loops.resize(program.counters, Turns::NONE);
    scratch.marks.clear();
    scratch.marks.resize(program.marks, (0, 0));
    let mut machine = Machine {
        program,
        text,
        version,
        scratch,
        steps_left: limits.backtrack_steps_max,
        frames_max: limits.backtrack_frames_max,
        full: ask.full,
        not_empty_at: ask.must_advance.then_some(pos),
        start: pos,
    };
    loop {
        if machine.run()? {
            slots
                .iter_mut()
                .zip(&machine.scratch.slots)
                .for_each(|(slot, found)| *slot = *found);
            return Ok(true);
        }
        match machine.char_at(machine.start) {
            Some(c) if !ask.anchored => machine.start += c.len_utf8(),
            _ => return Ok(false),
        }
    }
}

impl Machine<'_> {
    fn char_at(&self, pos: usize) -> Option<char> {
        let byte = *self.text.as_bytes().get(pos)?;
        if byte < 128 {
            return Some(char::from(byte));
        }
        self.text.get(pos..)?.chars().next()
    }

    fn char_before(&self, pos: usize) -> Option<char> {
        self.text.get(..pos)?.chars().next_back()
    }

    fn grow(&mut self, pc: usize, pos: usize, left: u32) -> Result<Option<usize>, MatchError> {
        let (Some(Op::Run { one, .. }), Some(c)) = (self.program.code.get(pc), self.char_at(pos)) else {
            return Ok(None);
        };
        if !one.matches(c) {
            return Ok(None);
        }
        let pos = pos + c.len_utf8();
        if left > 1 {
            self.push(Frame::Grow {
                pc,
                pos,
                left: left - 1,
            })?;
        }
        Ok(Some(pos))
    }

    /// Tries a match that starts at `start`.
    fn run(&mut self) -> Result<bool, MatchError> {
        self.scratch.frames.clear();
        self.scratch.slots.fill(None);
        let (mut pc, mut pos) = (0, self.start);
        loop {
            self.spend(1)?;
            let way = match self.step(pc, pos)? {
                Next::Go(pc, pos) => Some((pc, pos)),
                Next::Fail => self.back()?,
                Next::Match => {
                    if let [start, end, ..] = &mut self.scratch.slots[..] {
                        *start = NonMaxUsize::new(self.start);
                        *end = NonMaxUsize::new(pos);
                    }
                    return Ok(true);
                }
            };
            let Some(way) = way else { return Ok(false) };
            (pc, pos) = way;
        }
    }

    fn step(&mut self, pc: usize, pos: usize) -> Result<Next, MatchError> {
        let Some(op) = self.program.code.get(pc) else {
            return Ok(Next::Fail);
        };
        let next = pc + 1;
        Ok(match op {
            Op::One(one) => match self.char_at(pos) {
                Some(c) if one.matches(c) => Next::Go(next, pos + c.len_utf8()),
                _ => Next::Fail,
            },
            Op::At(at) => Next::when(self.holds(*at, pos), next, pos),
            Op::Split(first, second) => {
                self.push(Frame::Way { pc: *second, pos })?;
                Next::Go(*first, pos)
            }
            Op::Jump(to) => Next::Go(*to, pos),
            Op::Save(slot) => {
                self.save(*slot, pos)?;
                Next::Go(next, pos)
            }
            Op::Run { one, min, max, greed } => self.run_of(one, (*min, *max), *greed, pc, pos)?,
            Op::LoopStart(counter) => {
                self.set_turns(*counter, Turns::NONE)?;
                Next::Go(next, pos)
            }
            Op::LoopTurn {
                counter,
                min,
                max,
                lazy,
                exit,
            } => self.turn(*counter, (*min, *max), *lazy, (next, *exit), pos)?,
            Op::Backref { group, fold } => match self.backref(*group, *fold, pos)? {
                Some(pos) => Next::Go(next, pos),
                None => Next::Fail,
            },
            Op::Atomic(mark) => {
                self.mark(*mark, pos);
                Next::Go(next, pos)
            }
            Op::Commit(mark) => {
                let (height, _) = self.marked(*mark);
                self.commit(height)?;
                Next::Go(next, pos)
            }
            Op::Look {
                mark,
                behind,
                negated,
                exit,
            } => self.look(*mark, *behind, *negated, (next, *exit), pos)?,
            Op::LookEnd { mark, negated } => self.look_end(*mark, *negated, next)?,
            Op::IfGroup { group, otherwise } => {
                let to = if self.group(*group).is_some() {
                    next
                } else {
                    *otherwise
                };
                Next::Go(to, pos)
            }
            Op::Match => self.end(pos),
        })
    }

    /// The pattern matched; whether the match counts is another question.
    fn end(&self, pos: usize) -> Next {
        let short = self.full && pos != self.text.len();
        let empty = self.not_empty_at == Some(pos) && self.start == pos;
        if short || empty { Next::Fail } else { Next::Match }
    }

    fn look_end(&mut self, mark: usize, negated: bool, next: usize) -> Result<Next, MatchError> {
        let (height, pos) = self.marked(mark);
        if negated {
            // Undo all, the way on which the lookaround would hold included.
            self.undo(height)?;
            return Ok(Next::Fail);
        }
        self.commit(height)?;
        Ok(Next::Go(next, pos))
    }

    fn mark(&mut self, mark: usize, pos: usize) {
        let height = self.scratch.frames.len();
        if let Some(place) = self.scratch.marks.get_mut(mark) {
            *place = (height, pos);
        }
    }

    fn marked(&self, mark: usize) -> (usize, usize) {
        self.scratch.marks.get(mark).copied().unwrap_or_default()
    }

    /// Forgets the other ways above this height, but not what they would restore.
    fn commit(&mut self, height: usize) -> Result<(), MatchError> {
        self.spend(self.scratch.frames.len().saturating_sub(height) as u64)?;
        let mut kept = height;
        for at in height..self.scratch.frames.len() {
            if let Some(frame @ (Frame::Slot { .. } | Frame::Loop { .. })) =
                self.scratch.frames.get(at).copied()
                && let Some(place) = self.scratch.frames.get_mut(kept)
            {
                *place = frame;
                kept += 1;
            }
        }
        self.scratch.frames.truncate(kept);
        Ok(())
    }

    fn look(
        &mut self,
        mark: usize,
        behind: u32,
        negated: bool,
        (body, exit): (usize, usize),
        pos: usize,
    ) -> Result<Next, MatchError> {
        let mut from = pos;
        for _ in 0..behind {
            self.spend(1)?;
            match self.char_before(from) {
                Some(c) => from -= c.len_utf8(),
                None if negated => return Ok(Next::Go(exit, pos)),
                None => return Ok(Next::Fail),
            }
        }
        self.mark(mark, pos);
        if negated {
            self.push(Frame::Way { pc: exit, pos })?;
        }
        Ok(Next::Go(body, from))
    }

    fn run_of(
        &mut self,
        one: &One,
        (min, max): (u32, u32),
        greed: Greed,
        pc: usize,
        pos: usize,
    ) -> Result<Next, MatchError> {
        let goal = if greed == Greed::Lazy { min } else { max };
        let (mut count, mut end, mut least) = (0, pos, pos);
        while count < goal
            && let Some(c) = self.char_at(end)
            && one.matches(c)
        {
            end += c.len_utf8();
            count += 1;
            if count == min {
                least = end;
            }
        }
        self.spend(u64::from(count))?;
        if count < min {
            return Ok(Next::Fail);
        }
        match greed {
            Greed::Greedy if end > least => self.push(Frame::Shrink {
                pc: pc + 1,
                least,
                pos: end,
            })?,
            Greed::Lazy if max > count => {
                let left = if max == NO_MAX { NO_MAX } else { max - count };
                self.push(Frame::Grow { pc, pos: end, left })?;
            }
            _ => {}
        }
        Ok(Next::Go(pc + 1, end))
    }

    /// Decides whether a loop takes another turn.
    fn turn(
        &mut self,
        counter: usize,
        (min, max): (u32, u32),
        lazy: bool,
        (body, exit): (usize, usize),
        pos: usize,
    ) -> Result<Next, MatchError> {
        let turns = self.turns(counter);
        let done = turns.done.saturating_add(1);
        if turns.done < min {
            self.set_turns(
                counter,
                Turns {
                    done,
                    last: turns.last,
                },
            )?;
            return Ok(Next::Go(body, pos));
        }
        // A turn that began here already matched nothing: another one would match nothing again.
        let may_turn = (turns.done < max || max == NO_MAX) && turns.last != pos;
        if !may_turn {
            return Ok(Next::Go(exit, pos));
        }
        if lazy {
            self.push(Frame::Turn {
                counter,
                pc: body,
                pos,
            })?;
            return Ok(Next::Go(exit, pos));
        }
        self.push(Frame::Way { pc: exit, pos })?;
        self.set_turns(counter, Turns { done, last: pos })?;
        Ok(Next::Go(body, pos))
    }
}

/// Where a step leads.
enum Next {
    Go(usize, usize),
    Fail,
    Match,
}

impl Next {
    fn when(holds: bool, pc: usize, pos: usize) -> Next {
        if holds { Next::Go(pc, pos) } else { Next::Fail }
    }
}
