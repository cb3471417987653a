//! What is known of variables and of how a body ends, along the ways through a function.

use super::cond::Cond;
use super::expr::Abs;
use super::raises::Raises;
use crate::ir::{Body, Stmt, StmtKind, Target};

/// How a body ends, and when. Upper bounds, as in [`Abs`].
#[derive(Default)]
pub(super) struct Ends {
    /// It returns something true.
    pub(super) t: Vec<Cond>,
    /// It returns something false.
    pub(super) f: Vec<Cond>,
    /// It raises.
    pub(super) r: Vec<Raises>,
    /// It leaves.
    pub(super) x: Vec<Cond>,
}

impl Ends {
    pub(super) fn anything(&mut self, when: &Cond) {
        for ends in [&mut self.t, &mut self.f] {
            ends.push(when.clone());
        }
        self.leaves(when);
    }

    /// It raises or leaves.
    pub(super) fn leaves(&mut self, when: &Cond) {
        self.r.push(when.clone().into());
        self.x.push(when.clone());
    }

    pub(super) fn goes_wrong(&mut self, when: &Cond, value: &Abs) {
        self.r.push(value.r.clone().when(when));
        self.x.push(when.clone().and(value.x.clone()));
    }
}

/// Forgets every variable that a statement may set.
pub(super) fn forget(stmt: &Stmt, env: &mut [Abs]) {
    match &stmt.kind {
        StmtKind::Assign(targets, _) | StmtKind::Delete(targets) => {
            for target in targets {
                forget_target(target, env);
            }
        }
        StmtKind::AugAssign(target, ..) => forget_target(target, env),
        StmtKind::If(_, then, otherwise) => forget_all([then, otherwise], env),
        StmtKind::While(_, body, orelse) => forget_all([body, orelse], env),
        StmtKind::For(statement) => {
            forget_target(&statement.target, env);
            forget_all([&statement.body, &statement.orelse], env);
        }
        StmtKind::Try(statement) => {
            forget_all([&statement.body, &statement.orelse, &statement.finally], env);
            for handler in &statement.handlers {
                if let Some(name) = &handler.name {
                    forget_target(name, env);
                }
                forget_all([&handler.body], env);
            }
        }
        StmtKind::With(_) | StmtKind::Match(_) => env.fill(Abs::unknown()),
        StmtKind::Yield(Some(target), _) | StmtKind::YieldFrom(Some(target), _) => {
            forget_target(target, env);
        }
        _ => {}
    }
}

fn forget_all<'b>(bodies: impl IntoIterator<Item = &'b Body>, env: &mut [Abs]) {
    for stmt in bodies.into_iter().flat_map(|body| body.iter()) {
        forget(stmt, env);
    }
}

/// A variable that holds a value does not raise again.
pub(super) fn hold(env: &mut [Abs], slot: u16, value: Abs) {
    if let Some(local) = env.get_mut(usize::from(slot)) {
        *local = Abs {
            r: Raises::NEVER,
            x: Cond::False,
            ..value
        };
    }
}

fn forget_target(target: &Target, env: &mut [Abs]) {
    match target {
        Target::Local(slot) => {
            if let Some(local) = env.get_mut(usize::from(*slot)) {
                *local = Abs::unknown();
            }
        }
        Target::Unpack(targets, _) => targets.iter().for_each(|target| forget_target(target, env)),
        _ => {}
    }
}
