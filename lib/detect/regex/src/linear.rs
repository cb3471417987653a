//! The linear-time engine: `regex-automata`, which the `regex` crate is made of. It is given syntax trees, not
//! text, so that no rule of its own about classes, case or flags applies.
//!
//! Three things of Python have no counterpart there. They are exact for the texts that matter and the others
//! go to the backtracking engine:
//! - `$` also matches before a line feed at the very end. A text without one takes the program in which `$` is
//!   the end; a text whose only line feed is the last character takes the one in which `$` ends a line.
//! - `\b` depends on Python's `\w`. For ASCII texts it is the ASCII `\b`.
//! - `\B` does not hold in an empty text (until 3.13).

use std::sync::OnceLock;

use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Capture, Class, Dot, Hir, Look, Repetition};

use crate::ast::Greed;
use crate::ir::{At, Ir};
use crate::limits::{DFA_CACHE_BYTES_MAX, Limits, UNFOLDED_MAX};
use crate::pattern::Anchor;

/// What a tree is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    /// The same matches. `$` is the end of the text, or of a line.
    Exact { dollar_ends_line: bool },
    /// Every match of the pattern is one of these; there may be more. For filters and literals.
    Superset,
}

/// True when the linear engine finds the very matches and groups of Python.
pub(crate) fn is_exact(ir: &Ir) -> bool {
    !ir.any(&|node| match node {
        Ir::Atomic(_) | Ir::Look { .. } | Ir::Backref { .. } | Ir::Conditional { .. } => true,
        // Python ends a loop after an empty turn, but keeps the groups of that turn.
        Ir::Repeat { max, greed, body, .. } => {
            *greed == Greed::Possessive || (body.is_nullable() && max.is_none_or(|max| max > 1))
        }
        _ => false,
    })
}

/// Nodes after all counted repetitions were unfolded. Saturates.
fn unfolded(ir: &Ir) -> u64 {
    let below = ir
        .children()
        .into_iter()
        .map(unfolded)
        .fold(1, u64::saturating_add);
    match ir {
        Ir::Repeat { min, max, .. } => below.saturating_mul(u64::from(max.unwrap_or(*min).max(1))),
        _ => below,
    }
}

fn tree(ir: &Ir, build: Build) -> Hir {
    let empty = Hir::empty();
    match ir {
        Ir::Set(set) => Hir::class(Class::Unicode(set.to_class())),
        Ir::At(at) => look(*at, build).map_or(empty, Hir::look),
        Ir::Repeat {
            min,
            max,
            greed,
            body,
        } => Hir::repetition(Repetition {
            min: *min,
            max: *max,
            greedy: *greed != Greed::Lazy,
            sub: Box::new(tree(body, build)),
        }),
        Ir::Capture { body, .. } if build == Build::Superset => tree(body, build),
        Ir::Capture { group, body } => Hir::capture(Capture {
            index: *group,
            name: None,
            sub: Box::new(tree(body, build)),
        }),
        Ir::Atomic(body) => tree(body, build),
        Ir::Look { .. } => empty,
        Ir::Backref { .. } => Hir::repetition(Repetition {
            min: 0,
            max: None,
            greedy: true,
            sub: Box::new(Hir::dot(Dot::AnyChar)),
        }),
        Ir::Conditional { yes, no, .. } => Hir::alternation(vec![tree(yes, build), tree(no, build)]),
        Ir::Concat(parts) => Hir::concat(parts.iter().map(|part| tree(part, build)).collect()),
        Ir::Alternate(branches) => Hir::alternation(branches.iter().map(|one| tree(one, build)).collect()),
    }
}

fn look(at: At, build: Build) -> Option<Look> {
    Some(match at {
        At::Start => Look::Start,
        At::StartLine => Look::StartLF,
        At::End => Look::End,
        At::EndLine => Look::EndLF,
        At::EndOrLastNewline
            if build
                == (Build::Exact {
                    dollar_ends_line: false,
                }) =>
        {
            Look::End
        }
        At::EndOrLastNewline => Look::EndLF,
        At::Boundary { .. } | At::NonBoundary { .. } if build == Build::Superset => return None,
        At::Boundary { .. } => Look::WordAscii,
        At::NonBoundary { .. } => Look::WordAsciiNegate,
    })
}

/// The tree of a superset of the pattern's matches.
pub(crate) fn superset(ir: &Ir) -> Option<Hir> {
    (unfolded(ir) <= UNFOLDED_MAX).then(|| tree(ir, Build::Superset))
}

fn compile(hir: &Hir, limits: &Limits) -> Option<meta::Regex> {
    // The limit below is on automata only, and literals need none.
    if limits.program_bytes_max == 0 {
        return None;
    }
    let config = meta::Config::new()
        .utf8_empty(true)
        .nfa_size_limit(Some(limits.program_bytes_max))
        .hybrid_cache_capacity(DFA_CACHE_BYTES_MAX);
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

/// A program that rejects most texts of a backtracking pattern in linear time.
pub(crate) fn filter(ir: &Ir, limits: &Limits) -> Option<meta::Regex> {
    compile(&superset(ir)?, limits)
}

/// The programs of a pattern.
#[derive(Debug)]
pub(crate) struct Linear {
    /// `$` is the end of the text.
    plain: meta::Regex,
    /// `$` is the end of a line. Compiled when the first text needs it; None inside when it is too big.
    ends_line: OnceLock<Option<meta::Regex>>,
    /// As the two above, with the end of the text behind the pattern.
    full: [OnceLock<Option<meta::Regex>>; 2],
    has_dollar: bool,
    /// Only ASCII texts are exact.
    needs_ascii: bool,
    /// Only texts that are not empty are exact.
    needs_text: bool,
    limits: Limits,
}

impl Linear {
    /// None when the program would be bigger than the limit.
    pub(crate) fn new(ir: &Ir, limits: &Limits) -> Option<Linear> {
        if !is_exact(ir) || unfolded(ir) > UNFOLDED_MAX {
            return None;
        }
        let hir = tree(
            ir,
            Build::Exact {
                dollar_ends_line: false,
            },
        );
        let has_non_boundary = ir.any(&|node| matches!(node, Ir::At(At::NonBoundary { .. })));
        let has_boundary = ir.any(&|node| matches!(node, Ir::At(At::Boundary { ascii: false })));
        Some(Linear {
            plain: compile(&hir, limits)?,
            ends_line: OnceLock::new(),
            full: [OnceLock::new(), OnceLock::new()],
            has_dollar: ir.any(&|node| matches!(node, Ir::At(At::EndOrLastNewline))),
            needs_ascii: has_boundary || has_non_boundary,
            needs_text: has_non_boundary,
            limits: limits.clone(),
        })
    }

    /// The program that is exact for this text; None when there is none.
    pub(crate) fn program(&self, ir: &Ir, anchor: Anchor, text: &str) -> Option<&meta::Regex> {
        if self.needs_ascii && !text.is_ascii() || self.needs_text && text.is_empty() {
            return None;
        }
        let dollar_ends_line = self.has_dollar && text.ends_with('\n');
        if dollar_ends_line && text[..text.len() - 1].contains('\n') {
            return None;
        }
        let build = Build::Exact { dollar_ends_line };
        if anchor == Anchor::Full {
            let full = || {
                let hir = Hir::concat(vec![tree(ir, build), Hir::look(Look::End)]);
                compile(&hir, &self.limits)
            };
            return self
                .full
                .get(usize::from(dollar_ends_line))?
                .get_or_init(full)
                .as_ref();
        }
        if dollar_ends_line {
            return self
                .ends_line
                .get_or_init(|| compile(&tree(ir, build), &self.limits))
                .as_ref();
        }
        Some(&self.plain)
    }
}

/// The search that `anchor` asks for. The span is within the text.
pub(crate) fn input(anchor: Anchor, text: &str, pos: usize) -> Input<'_> {
    let anchored = if anchor == Anchor::Search {
        Anchored::No
    } else {
        Anchored::Yes
    };
    Input::new(text).range(pos..text.len()).anchored(anchored)
}

/// Runs a program for its groups.
pub(crate) fn captures(program: &meta::Regex, input: &Input<'_>, slots: &mut [Option<NonMaxUsize>]) -> bool {
    slots.fill(None);
    program.search_slots(input, slots).is_some()
}
