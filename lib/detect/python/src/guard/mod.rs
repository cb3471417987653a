//! Which records a rule can fire on at all, and the index made of that.
//!
//! Every rule is evaluated once, when it is loaded, on a record of which nothing is known (partial evaluation): the
//! answer is a condition on fields without which the rule answers "false" and neither raises nor leaves for CPython. Of
//! that condition one clause, a set of facts of which one must hold, goes into the index of each log type the rule is
//! for. A record then asks each field once which facts it has, and only rules of one of them are run.

mod analysis;
mod cidr;
mod compare;
mod cond;
mod expr;
mod gate;
mod index;
mod lookup;
mod method;
mod paths;
mod pattern;
mod raises;
mod shape;
mod walk;
mod ways;
mod why;

pub use cond::{Atom, Cond, Fact};
pub use index::{Index, LogIndex};
pub use paths::Paths;
pub use why::{Why, why_not};

use crate::program::{Program, RuleCode};

/// When a rule may fire, raise or leave. Fields that the program does not know yet are added to `paths`.
#[must_use]
pub fn condition(program: &Program, paths: &mut Paths, rule: &RuleCode) -> Cond {
    analysis::Analysis::new(program, paths).rule(rule)
}
