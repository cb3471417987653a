//! Going through lowered code to change it.

use crate::ir::{CallArgs, Expr, FStringPart, Item, Pattern, Stmt, StmtKind, Target};

/// Calls `change` with every expression that stands in a statement of its own right, not within another one.
pub(super) fn walk_body_mut(body: &mut [Stmt], change: &mut dyn FnMut(&mut Expr)) {
    for stmt in body {
        stmt_mut(stmt, change);
    }
}

fn stmt_mut(stmt: &mut Stmt, change: &mut dyn FnMut(&mut Expr)) {
    match &mut stmt.kind {
        StmtKind::Expr(value) | StmtKind::Return(value) => change(value),
        StmtKind::Assign(targets, value) => {
            change(value);
            targets.iter_mut().for_each(|target| target_mut(target, change));
        }
        StmtKind::AugAssign(target, _, value) => {
            target_mut(target, change);
            change(value);
        }
        StmtKind::Delete(targets) => targets.iter_mut().for_each(|target| target_mut(target, change)),
        StmtKind::If(test, body, orelse) | StmtKind::While(test, body, orelse) => {
            change(test);
            walk_body_mut(body, change);
            walk_body_mut(orelse, change);
        }
        StmtKind::For(inner) => {
            change(&mut inner.iter);
            target_mut(&mut inner.target, change);
            walk_body_mut(&mut inner.body, change);
            walk_body_mut(&mut inner.orelse, change);
        }
        StmtKind::Raise(exc, cause) => exc.iter_mut().chain(cause).for_each(change),
        StmtKind::Assert(test, message) => {
            change(test);
            message.iter_mut().for_each(change);
        }
        StmtKind::Try(inner) => {
            walk_body_mut(&mut inner.body, change);
            for handler in &mut inner.handlers {
                handler.types.iter_mut().for_each(&mut *change);
                handler.name.iter_mut().for_each(|name| target_mut(name, change));
                walk_body_mut(&mut handler.body, change);
            }
            walk_body_mut(&mut inner.orelse, change);
            walk_body_mut(&mut inner.finally, change);
        }
        StmtKind::With(inner) => {
            change(&mut inner.manager);
            inner
                .target
                .iter_mut()
                .for_each(|target| target_mut(target, change));
            walk_body_mut(&mut inner.body, change);
        }
        StmtKind::Match(inner) => {
            change(&mut inner.subject);
            for case in &mut inner.cases {
                pattern_mut(&mut case.pattern, change);
                case.guard.iter_mut().for_each(&mut *change);
                walk_body_mut(&mut case.body, change);
            }
        }
        StmtKind::Yield(target, value) | StmtKind::YieldFrom(target, value) => {
            change(value);
            target.iter_mut().for_each(|target| target_mut(target, change));
        }
        StmtKind::Break | StmtKind::Continue | StmtKind::Pass | StmtKind::Fallback(_) => {}
    }
}

fn target_mut(target: &mut Target, change: &mut dyn FnMut(&mut Expr)) {
    match target {
        Target::Local(_) | Target::Cell(_) | Target::Fallback(_) => {}
        Target::Index(inner) => {
            change(&mut inner.0);
            change(&mut inner.1);
        }
        Target::Attr(inner) => change(&mut inner.0),
        Target::Unpack(targets, _) => targets.iter_mut().for_each(|target| target_mut(target, change)),
    }
}

fn pattern_mut(pattern: &mut Pattern, change: &mut dyn FnMut(&mut Expr)) {
    // Values and classes in patterns are constants nearly always; those that bind hold no expressions.
    match pattern {
        Pattern::Value(value) => change(value),
        Pattern::Sequence(patterns, _) | Pattern::Or(patterns) => {
            patterns
                .iter_mut()
                .for_each(|pattern| pattern_mut(pattern, change));
        }
        Pattern::Mapping(pairs, _) => pairs
            .iter_mut()
            .for_each(|(_, pattern)| pattern_mut(pattern, change)),
        Pattern::Class(_, positional, named) => {
            positional
                .iter_mut()
                .for_each(|pattern| pattern_mut(pattern, change));
            named
                .iter_mut()
                .for_each(|(_, pattern)| pattern_mut(pattern, change));
        }
        Pattern::As(inner, _) => inner.iter_mut().for_each(|pattern| pattern_mut(pattern, change)),
        Pattern::Singleton(_) => {}
    }
}

/// The expressions right within one, in order; not those of comprehensions, nor what stands behind a field.
pub(super) fn children_mut(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::Const(_) | Expr::Local(_) | Expr::Cell(_) | Expr::Missing(_) | Expr::Fallback(_) => Vec::new(),
        Expr::Path(_) | Expr::Comprehension(_) => Vec::new(),
        Expr::Memo(inner) => vec![&mut inner.expr],
        Expr::Attr(inner) => vec![&mut inner.0],
        Expr::Index(inner) => {
            let (value, index) = &mut **inner;
            vec![value, index]
        }
        Expr::Slice(parts) | Expr::IfElse(parts) => parts.iter_mut().collect(),
        Expr::Unary(_, operand) => vec![operand],
        Expr::Binary(_, inner) => {
            let (left, right) = &mut **inner;
            vec![left, right]
        }
        Expr::And(parts) | Expr::Or(parts) => parts.iter_mut().collect(),
        Expr::Compare(inner) => {
            let (left, rest) = &mut **inner;
            std::iter::once(left)
                .chain(rest.iter_mut().map(|(_, right)| right))
                .collect()
        }
        Expr::Call(call) => {
            let mut children = vec![&mut call.func];
            args_mut(&mut call.args, &mut children);
            children
        }
        Expr::MethodCall(call) => {
            let mut children = vec![&mut call.value];
            args_mut(&mut call.args, &mut children);
            children
        }
        Expr::Tuple(items) | Expr::List(items) | Expr::Set(items) => items.iter_mut().map(item_mut).collect(),
        Expr::Dict(entries) => entries
            .iter_mut()
            .flat_map(|(key, value)| key.iter_mut().chain(std::iter::once(value)))
            .collect(),
        Expr::MakeFunction(inner) => {
            let mut children: Vec<&mut Expr> = inner.defaults.iter_mut().collect();
            children.extend(inner.kwdefaults.iter_mut().map(|(_, default)| default));
            children.extend(inner.generator_over.as_mut());
            children
        }
        Expr::FString(parts) => {
            let mut children = Vec::new();
            parts_mut(parts, &mut children);
            children
        }
        Expr::Walrus(inner) => vec![&mut inner.1],
    }
}

fn args_mut<'e>(args: &'e mut CallArgs, children: &mut Vec<&'e mut Expr>) {
    children.extend(args.positional.iter_mut().map(item_mut));
    children.extend(args.keywords.iter_mut().map(|(_, value)| value));
}

fn item_mut(item: &mut Item) -> &mut Expr {
    match item {
        Item::One(value) | Item::Star(value) => value,
    }
}

fn parts_mut<'e>(parts: &'e mut [FStringPart], children: &mut Vec<&'e mut Expr>) {
    for part in parts {
        if let FStringPart::Value(value, _, spec) = part {
            children.push(value);
            if let Some(spec) = spec {
                parts_mut(spec, children);
            }
        }
    }
}
