//! Rules on records: which rules are candidates, what each answers, and that none hurts another.

mod context;
mod pair;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::Bump;
use streamalert_detect::{Fired, IOC_KEY, RuleException, RuleIndex, RuleSet};
use streamalert_value::{Doc, Kind, Tree};

use crate::cx::{Cx, Leave, Limit, Limits};
use crate::env::Env;
use crate::guard::Index;
use crate::ir::Code;
use crate::marks::Marks;
use crate::program::{Const, ConstId, Program};

/// Compiled rules, ready for records. Immutable; shared by all threads.
#[derive(Debug)]
pub struct Engine {
    program: Program,
    rules: Arc<RuleSet>,
    /// By rule index: its place in the program, if the export knows it.
    codes: Vec<Option<u32>>,
    /// Memo slots of matchers that depend on the record alone, after those of the program.
    matchers: HashMap<ConstId, u32>,
    index: Index,
    limits: Limits,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    /// Its log type.
    pub log_type: &'e str,
    /// The record as one JSON object.
    pub json: &'e str,
    /// How it is to be evaluated.
    pub options: Options,
    /// Rules to leave out, such as suspended ones.
    pub skip: &'e [RuleIndex],
}

/// How one event is to be evaluated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Report every candidate rule, not only those that fired or gave no answer. Switches the index off.
    pub trace: bool,
    /// Do not use the index: every candidate is evaluated.
    pub without_index: bool,
    /// For tests: leave for CPython after this many steps of each pair.
    pub leave_after: Option<u64>,
    /// Nanoseconds of some clock, to time every pair of this event by.
    pub clock_nanos: Option<fn() -> u64>,
}

/// What came of one (event, rule) pair.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It fired.
    Fired(Fired),
    /// It ran and did not fire.
    False,
    /// Required sub-keys, a matcher or the datatypes kept it from running.
    NotRun,
    /// It raised.
    Exception(RuleException),
    /// It was over a limit.
    OverLimit(Limit),
    /// It is to be evaluated in CPython.
    Fallback(Departure),
    /// Our code failed; the text says where.
    Panicked(String),
}

/// Where and why a pair leaves for CPython.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// Why.
    pub leave: Leave,
    /// Line of the statement, 0 = unknown.
    pub line: u32,
}

/// What a rule did on one thread, to be collected by whoever owns the thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Pairs evaluated.
    pub evaluations: u64,
    /// Steps used.
    pub steps: u64,
    /// Pairs that were timed.
    pub timed: u64,
    /// Nanoseconds of those.
    pub nanos: u64,
}

/// Buffers of one thread, used again and again.
#[derive(Debug)]
pub struct Scratch {
    bump: Bump,
    doc: Doc,
    marks: Marks,
    candidates: Vec<u64>,
    /// By rule index. Take them with [`Scratch::take_counters`].
    counters: Vec<Counters>,
    /// Events without a candidate after the index.
    pub idle_events: u64,
}

/// Beyond this an arena is given back after the event, so that one hostile event does not fill memory for ever.
const ARENA_KEEP_BYTES: usize = 1 << 20;
/// An arena's first size: most events need less.
const ARENA_START_BYTES: usize = 64 << 10;
/// The same for the document's nodes.
const DOC_KEEP_BYTES: usize = 4 << 20;

impl Scratch {
    /// Buffers for an engine.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        let memos = engine.program.memos as usize + engine.matchers.len();
        Self {
            bump: Bump::with_capacity(ARENA_START_BYTES),
            doc: Doc::new(),
            marks: Marks::new(engine.program.paths.len(), memos),
            candidates: vec![0; engine.rules.rules().len().div_ceil(64)],
            counters: vec![Counters::default(); engine.rules.rules().len()],
            idle_events: 0,
        }
    }

    /// What the rules did since the last call.
    pub fn take_counters(&mut self) -> Vec<Counters> {
        let fresh = vec![Counters::default(); self.counters.len()];
        std::mem::replace(&mut self.counters, fresh)
    }
}

impl Engine {
    /// Puts a program and the rules' options together.
    #[must_use]
    pub fn new(mut program: Program, rules: Arc<RuleSet>, limits: Limits) -> Self {
        let by_name: HashMap<&str, u32> = (0..)
            .zip(&program.rules)
            .map(|(at, rule)| (&*rule.name, at))
            .collect();
        let codes: Vec<Option<u32>> = rules
            .rules()
            .iter()
            .map(|rule| by_name.get(&*rule.name).copied())
            .collect();
        let mut matchers = HashMap::new();
        for rule in &program.rules {
            for matcher in &rule.matchers {
                let next = program.memos + matchers.len() as u32;
                if function(&program, *matcher).is_some_and(|code| code.is_pure) {
                    matchers.entry(*matcher).or_insert(next);
                }
            }
        }
        let index = Index::build(&mut program, &rules, &codes);
        Self {
            program,
            rules,
            codes,
            matchers,
            index,
            limits,
        }
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The program.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// The dispatch index.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The place of a rule in [`Program::rules`].
    #[must_use]
    pub fn code(&self, rule: RuleIndex) -> Option<u32> {
        self.codes.get(rule.as_usize()).copied().flatten()
    }

    /// Evaluates the candidate rules of an event and tells what came of each: normally all but [`Verdict::False`] and
    /// [`Verdict::NotRun`]. In the order of the rules.
    pub fn evaluate(
        &self,
        scratch: &mut Scratch,
        env: &Env,
        event: &Event<'_>,
        sink: &mut dyn FnMut(RuleIndex, Verdict),
    ) {
        let all = self.rules.for_log_type(event.log_type);
        if all.is_empty() {
            return;
        }
        let Scratch {
            bump,
            doc,
            marks,
            candidates,
            counters,
            idle_events,
        } = scratch;
        marks.next_event();
        let tree = match readable(doc, event.json) {
            Ok(tree) => tree,
            Err(reason) => {
                for rule in all.iter().filter(|rule| !event.skip.contains(rule)) {
                    let leave = Leave::Here(reason);
                    sink(*rule, Verdict::Fallback(Departure { leave, line: 0 }));
                }
                return;
            }
        };
        let index = self.index.of(event.log_type);
        let Some(candidates) = candidates.get_mut(..index.rules.len().div_ceil(64)) else {
            return;
        };
        let all = event.options.trace || event.options.without_index;
        if all {
            candidates.fill(u64::MAX);
        } else {
            index.candidates(&self.context(bump, tree, marks, env), candidates);
        }
        let mut idle = true;
        loop {
            let cx = self.context(bump, tree, marks, env);
            let mut run = |rule: RuleIndex| {
                if !event.skip.contains(&rule) {
                    idle = false;
                    self.run(&cx, rule, event, counters, sink);
                }
                cx.bump.allocated_bytes() <= ARENA_KEEP_BYTES
            };
            if take_candidates(candidates, &index.rules, &mut run) {
                break;
            }
            // What one rule has filled is not taken from those after it.
            *bump = Bump::with_capacity(ARENA_START_BYTES);
        }
        *idle_events += u64::from(idle && !all);
        if bump.allocated_bytes() > ARENA_KEEP_BYTES {
            *bump = Bump::with_capacity(ARENA_START_BYTES);
        } else {
            bump.reset();
        }
        doc.shrink_to(DOC_KEEP_BYTES);
    }

    fn context<'a>(&'a self, bump: &'a Bump, tree: Tree<'a>, marks: &'a Marks, env: &'a Env) -> Cx<'a> {
        Cx {
            program: &self.program,
            tree,
            bump,
            limits: self.limits,
            env,
            marks,
            fuel: Cell::new(0),
            depth: Cell::new(0),
            line: Cell::new(0),
            handling: Cell::new(None),
            leave_at: Cell::new(None),
            looked_up: Default::default(),
            nameless: Default::default(),
        }
    }

    /// Runs one pair, counts it, and reports it.
    fn run(
        &self,
        cx: &Cx<'_>,
        rule: RuleIndex,
        event: &Event<'_>,
        counters: &mut [Counters],
        sink: &mut dyn FnMut(RuleIndex, Verdict),
    ) {
        let clock = event.options.clock_nanos;
        let start = clock.map(|clock| clock());
        cx.fuel.set(self.limits.fuel);
        let leave_after = event.options.leave_after;
        cx.leave_at
            .set(leave_after.map(|steps| self.limits.fuel.saturating_sub(steps)));
        let verdict = pair::run(self, cx, rule);
        if let Some(counter) = counters.get_mut(rule.as_usize()) {
            counter.evaluations += 1;
            counter.steps += self.limits.fuel - cx.fuel.get();
            if let (Some(clock), Some(start)) = (clock, start) {
                counter.timed += 1;
                counter.nanos += clock().saturating_sub(start);
            }
        }
        if event.options.trace || !matches!(verdict, Verdict::False | Verdict::NotRun) {
            sink(rule, verdict);
        }
    }
}

/// Takes the rules of the bits set, until `run` says no more; whether all were taken.
fn take_candidates(bits: &mut [u64], rules: &[RuleIndex], run: &mut impl FnMut(RuleIndex) -> bool) -> bool {
    for (bits, rules) in bits.iter_mut().zip(rules.chunks(64)) {
        while *bits != 0 {
            let place = bits.trailing_zeros() as usize;
            *bits &= *bits - 1;
            if let Some(rule) = rules.get(place).copied()
                && !run(rule)
            {
                return false;
            }
        }
    }
    true
}

/// Reads a record; rules see it only if they can see all of it as CPython would.
fn readable<'a>(doc: &'a mut Doc, json: &'a str) -> Result<Tree<'a>, &'static str> {
    let Ok(tree) = doc.parse(json) else {
        return Err("the record cannot be read");
    };
    if tree.root().kind() != Kind::Map {
        return Err("the record is no dictionary");
    }
    if tree.root().get(IOC_KEY).is_some() {
        return Err("the record carries indicators of compromise, which are sets");
    }
    Ok(tree)
}

/// The function of a constant.
fn function(program: &Program, id: ConstId) -> Option<&Code> {
    match program.consts.get(id as usize)? {
        Const::Function(function) => program.codes.get(function.code as usize),
        Const::Method(function_id, _) => function(program, *function_id),
        _ => None,
    }
}
