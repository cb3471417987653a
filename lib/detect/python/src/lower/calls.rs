//! The user's functions that a rule calls.

use std::collections::BTreeMap;

use super::reach::{Mentions, within};
use crate::program::{CodeId, Const, ConstId, PointId, Program, RuleCode};

/// A function of the user's that a rule may call, itself, or through others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// What it is to the rule.
    pub role: Role,
    /// Its qualified name.
    pub name: String,
    /// Index of its file.
    pub source: u32,
    /// Line of the `def`, from 1.
    pub line: u32,
    /// Places in it, those of functions that it calls left out, where CPython may be needed.
    pub points: Vec<PointId>,
}

/// What a function is to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// One of its matchers.
    Matcher,
    /// Adds outputs.
    DynamicOutput,
    /// Called by the rule or by another of these.
    Helper,
}

/// The functions that a rule calls or may call through a constant that it looks at, in order of role, file and line;
/// lambdas are not among them.
#[must_use]
pub fn calls(program: &Program, rule: &RuleCode) -> Vec<Called> {
    let mut roles: BTreeMap<CodeId, Role> = BTreeMap::new();
    let mut open: Vec<(CodeId, Role)> = Vec::new();
    for (ids, role) in [
        (&rule.matchers, Role::Matcher),
        (&rule.dynamic_outputs, Role::DynamicOutput),
    ] {
        for id in ids {
            open.extend(function(program, *id).map(|code| (code, role)));
        }
    }
    open.reverse();
    let own = function(program, rule.func);
    open.splice(0..0, own.map(|code| (code, Role::Helper)));
    let mut found = Vec::new();
    while let Some((id, role)) = open.pop() {
        let Some(code) = program.codes.get(id as usize) else {
            continue;
        };
        if roles.insert(id, role).is_some() {
            continue;
        }
        let mut mentions = Mentions::of(code);
        let mut inner: Vec<CodeId> = std::mem::take(&mut mentions.codes);
        for id in &mentions.consts {
            for within in within(program, *id) {
                match program.consts.get(within as usize) {
                    Some(Const::Unsupported(point)) => mentions.points.push(*point),
                    Some(Const::Function(function)) => inner.push(function.code),
                    _ => {}
                }
            }
        }
        open.splice(0..0, inner.into_iter().map(|code| (code, Role::Helper)));
        mentions.points.sort_unstable();
        mentions.points.dedup();
        if Some(id) != own && !code.name.starts_with('<') {
            found.push(Called {
                role,
                name: code.qualname.to_string(),
                source: code.source,
                line: code.line,
                points: mentions.points,
            });
        }
    }
    found.sort_by_key(|called| (called.role, called.source, called.line));
    found
}

fn function(program: &Program, id: ConstId) -> Option<CodeId> {
    match program.consts.get(id as usize)? {
        Const::Function(function) => Some(function.code),
        Const::Method(inner, _) => match program.consts.get(*inner as usize)? {
            Const::Function(function) => Some(function.code),
            _ => None,
        },
        Const::Partial(partial) => match program.consts.get(partial.func as usize)? {
            Const::Function(function) => Some(function.code),
            _ => None,
        },
        _ => None,
    }
}
