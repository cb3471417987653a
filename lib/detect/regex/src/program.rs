//! The instructions of the backtracking engine.

use std::sync::Arc;

use crate::ast::Greed;
use crate::casefold::Fold;
use crate::charset::{CharSet, LAST};
use crate::ir::{At, Ir};

/// A test of one character.
#[derive(Clone, Debug)]
pub(crate) enum One {
    Char(char),
    Any,
    Set(Arc<CharSet>),
}

impl One {
    fn of(set: &Arc<CharSet>) -> One {
        match set.ranges() {
            [(0, LAST)] => One::Any,
            &[(low, high)] if low == high => match char::from_u32(low) {
                Some(c) => One::Char(c),
                None => One::Set(set.clone()),
            },
            _ => One::Set(set.clone()),
        }
    }

    pub(crate) fn matches(&self, c: char) -> bool {
        match self {
            One::Char(only) => c == *only,
            One::Any => true,
            One::Set(set) => set.contains(u32::from(c)),
        }
    }
}

/// Addresses are indexes into [`Program::code`].
#[derive(Clone, Debug)]
pub(crate) enum Op {
    One(One),
    At(At),
    /// Continue at the first; when that fails, at the second.
    Split(usize, usize),
    Jump(usize),
    Save(usize),
    /// A repetition of one character.
    Run {
        one: One,
        min: u32,
        max: u32,
        greed: Greed,
    },
    /// Begins the loop with this number.
    LoopStart(usize),
    /// Stands before every turn and behind the last. The body follows.
    LoopTurn {
        counter: usize,
        min: u32,
        max: u32,
        lazy: bool,
        exit: usize,
    },
    Backref {
        group: u32,
        fold: Fold,
    },
    /// Begins a part into which nobody backtracks; its end is `Commit`.
    Atomic(usize),
    /// Begins a lookaround that stands `behind` characters back; its end is `LookEnd`.
    Look {
        mark: usize,
        behind: u32,
        negated: bool,
        exit: usize,
    },
    Commit(usize),
    LookEnd {
        mark: usize,
        negated: bool,
    },
    IfGroup {
        group: u32,
        otherwise: usize,
    },
    Match,
}

/// "No maximum" of a repetition. Python does not accept such a number.
pub(crate) const NO_MAX: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) code: Vec<Op>,
    /// Loops that are counted.
    pub(crate) counters: usize,
    /// Lookarounds and atomic groups.
    pub(crate) marks: usize,
}

impl Program {
    pub(crate) fn new(ir: &Ir) -> Program {
        let mut program = Program::default();
        program.push(ir);
        program.code.push(Op::Match);
        program
    }

    fn here(&self) -> usize {
        self.code.len()
    }

    fn set(&mut self, at: usize, op: Op) {
        if let Some(slot) = self.code.get_mut(at) {
            *slot = op;
        }
    }

    fn hole(&mut self) -> usize {
        self.code.push(Op::Match);
        self.here() - 1
    }

    fn push(&mut self, ir: &Ir) {
        match ir {
            Ir::Set(set) => self.code.push(Op::One(One::of(set))),
            Ir::At(at) => self.code.push(Op::At(*at)),
            Ir::Repeat {
                min,
                max,
                greed,
                body,
            } => self.repeat(*min, max.unwrap_or(NO_MAX), *greed, body),
            Ir::Capture { group, body } => {
                let slot = *group as usize * 2;
                self.code.push(Op::Save(slot));
                self.push(body);
                self.code.push(Op::Save(slot + 1));
            }
            Ir::Atomic(body) => {
                let mark = self.mark();
                self.code.push(Op::Atomic(mark));
                self.push(body);
                self.code.push(Op::Commit(mark));
            }
            Ir::Look {
                behind,
                negated,
                body,
            } => {
                let mark = self.mark();
                let begin = self.hole();
                self.push(body);
                self.code.push(Op::LookEnd {
                    mark,
                    negated: *negated,
                });
                let exit = self.here();
                let behind = behind.unwrap_or(0);
                self.set(
                    begin,
                    Op::Look {
                        mark,
                        behind,
                        negated: *negated,
                        exit,
                    },
                );
            }
            Ir::Backref { group, fold } => self.code.push(Op::Backref {
                group: *group,
                fold: *fold,
            }),
            Ir::Conditional { group, yes, no } => {
                let test = self.hole();
                self.push(yes);
                let jump = self.hole();
                self.set(
                    test,
                    Op::IfGroup {
                        group: *group,
                        otherwise: self.here(),
                    },
                );
                self.push(no);
                self.set(jump, Op::Jump(self.here()));
            }
            Ir::Concat(parts) => parts.iter().for_each(|part| self.push(part)),
            Ir::Alternate(branches) => self.alternate(branches),
        }
    }

    fn mark(&mut self) -> usize {
        self.marks += 1;
        self.marks - 1
    }

    fn alternate(&mut self, branches: &[Ir]) {
        let mut jumps = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            if at + 1 == branches.len() {
                self.push(branch);
                break;
            }
            let split = self.hole();
            self.push(branch);
            jumps.push(self.hole());
            self.set(split, Op::Split(split + 1, self.here()));
        }
        let end = self.here();
        for jump in jumps {
            self.set(jump, Op::Jump(end));
        }
    }

    fn repeat(&mut self, min: u32, max: u32, greed: Greed, body: &Ir) {
        if max == 0 {
            return;
        }
        if let Ir::Set(set) = body {
            self.code.push(Op::Run {
                one: One::of(set),
                min,
                max,
                greed,
            });
            return;
        }
        let counter = self.counters;
        self.counters += 1;
        self.code.push(Op::LoopStart(counter));
        let turn = self.hole();
        self.push(body);
        self.code.push(Op::Jump(turn));
        let exit = self.here();
        self.set(
            turn,
            Op::LoopTurn {
                counter,
                min,
                max,
                lazy: greed == Greed::Lazy,
                exit,
            },
        );
    }
}
