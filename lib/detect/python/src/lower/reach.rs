//! Which fallback points a rule can reach, through the functions it calls and the constants it looks at.

use std::collections::HashSet;

use super::walk::{Visit, walk_body, walk_expr, walk_stmt, walk_target};
use crate::ir::{Code, Expr, Stmt, StmtKind, Target};
use crate::program::{CodeId, Const, ConstId, PointId, Program};

/// What one function mentions.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) points: Vec<PointId>,
    pub(super) consts: Vec<ConstId>,
    pub(super) codes: Vec<CodeId>,
}

impl Visit for Mentions {
    fn stmt(&mut self, stmt: &Stmt) {
        if let StmtKind::Fallback(point) = stmt.kind {
            self.points.push(point);
        }
        walk_stmt(self, stmt);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Fallback(point) => self.points.push(*point),
            Expr::Const(id) => self.consts.push(*id),
            Expr::MakeFunction(made) => self.codes.push(made.code),
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn target(&mut self, target: &Target) {
        if let Target::Fallback(point) = target {
            self.points.push(*point);
        }
        walk_target(self, target);
    }
}

impl Mentions {
    pub(super) fn of(code: &Code) -> Self {
        let mut found = Self::default();
        walk_body(&mut found, &code.body);
        found
    }
}

/// Fills in [`crate::program::RuleCode::points`].
pub(super) fn fill(program: &mut Program) {
    let codes: Vec<Mentions> = program.codes.iter().map(Mentions::of).collect();
    let mut constants = Constants {
        known: vec![None; program.consts.len()],
    };
    for at in 0..program.rules.len() {
        let Some(rule) = program.rules.get(at) else {
            continue;
        };
        let roots: Vec<ConstId> = std::iter::once(rule.func)
            .chain(rule.matchers.iter().copied())
            .chain(rule.dynamic_outputs.iter().copied())
            .collect();
        let points = reachable(program, &codes, &mut constants, roots);
        if let Some(rule) = program.rules.get_mut(at) {
            rule.points = points.into();
        }
    }
}

fn reachable(
    program: &Program,
    codes: &[Mentions],
    constants: &mut Constants,
    mut todo: Vec<ConstId>,
) -> Vec<PointId> {
    let mut seen_consts: HashSet<ConstId> = HashSet::new();
    let mut seen_codes: HashSet<CodeId> = HashSet::new();
    let mut points: Vec<PointId> = Vec::new();
    let mut code_todo: Vec<CodeId> = Vec::new();
    loop {
        while let Some(id) = todo.pop() {
            if !seen_consts.insert(id) {
                continue;
            }
            for inner in constants.interesting(program, id) {
                match program.consts.get(*inner as usize) {
                    Some(Const::Unsupported(point)) => points.push(*point),
                    Some(Const::Function(function)) => code_todo.push(function.code),
                    _ => {}
                }
            }
        }
        let Some(code) = code_todo.pop() else {
            break;
        };
        if seen_codes.insert(code)
            && let Some(found) = codes.get(code as usize)
        {
            points.extend(&found.points);
            todo.extend(&found.consts);
            code_todo.extend(&found.codes);
        }
    }
    points.sort_unstable();
    points.dedup();
    points
}

/// For each constant the functions and unknown things within it.
struct Constants {
    known: Vec<Option<Vec<ConstId>>>,
}

impl Constants {
    fn interesting(&mut self, program: &Program, id: ConstId) -> &[ConstId] {
        let unknown = matches!(self.known.get(id as usize), Some(None));
        if unknown {
            let found = within(program, id);
            if let Some(place) = self.known.get_mut(id as usize) {
                *place = Some(found);
            }
        }
        self.known
            .get(id as usize)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    }
}

pub(super) fn within(program: &Program, id: ConstId) -> Vec<ConstId> {
    let mut todo = vec![id];
    let mut seen: HashSet<ConstId> = HashSet::new();
    let mut found = Vec::new();
    while let Some(id) = todo.pop() {
        let Some(value) = program.consts.get(id as usize) else {
            continue;
        };
        let leaf = matches!(
            value,
            Const::None | Const::Bool(_) | Const::Int(_) | Const::Float(_) | Const::Str(_) | Const::Bytes(_)
        );
        if leaf || !seen.insert(id) {
            continue;
        }
        match value {
            Const::Unsupported(_) => found.push(id),
            Const::Function(function) => {
                found.push(id);
                todo.extend(function.defaults.iter().copied());
                todo.extend(function.kwdefaults.iter().map(|(_, id)| *id));
            }
            Const::Class(class) => {
                if let Some(class) = program.classes.get(*class as usize) {
                    todo.extend(class.attrs.values().copied());
                    let instances = class.instances.iter();
                    todo.extend(instances.flat_map(|instances| instances.properties.values().copied()));
                }
            }
            other => todo.extend(children(other)),
        }
    }
    found
}

/// What a constant holds.
pub(super) fn children(value: &Const) -> Vec<ConstId> {
    match value {
        Const::Tuple(seq) | Const::List(seq) => seq.items.to_vec(),
        Const::Dict(dict) => dict
            .entries
            .iter()
            .flat_map(|(_, key, value)| [*key, *value])
            .collect(),
        Const::Set(set) | Const::FrozenSet(set) => set.entries.iter().map(|entry| entry.1).collect(),
        Const::Method(func, receiver) => vec![*func, *receiver],
        Const::Partial(partial) | Const::Made(partial) => {
            let named = partial.kwargs.iter().map(|(_, id)| *id);
            std::iter::once(partial.func)
                .chain(partial.args.iter().copied())
                .chain(named)
                .collect()
        }
        _ => Vec::new(),
    }
}
