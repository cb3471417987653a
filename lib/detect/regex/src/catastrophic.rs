//! Patterns that make CPython's engine take exponential time.

use crate::ir::Ir;

/// Why a pattern is dangerous in a backtracking engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Catastrophic {
    /// What is wrong, for a reader who wrote the pattern.
    pub reason: &'static str,
}

pub(crate) fn find(_ir: &Ir) -> Option<Catastrophic> {
    None
}
