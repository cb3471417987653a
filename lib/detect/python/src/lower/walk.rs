//! Going through lowered code.

use crate::ir::{Body, CallArgs, Expr, FStringPart, Item, Pattern, Stmt, StmtKind, Target};

/// Something that looks at statements, expressions and targets; what it does not handle itself it walks through.
pub(super) trait Visit {
    fn stmt(&mut self, stmt: &Stmt) {
        walk_stmt(self, stmt);
    }
    fn expr(&mut self, expr: &Expr) {
        walk_expr(self, expr);
    }
    fn target(&mut self, target: &Target) {
        walk_target(self, target);
    }
    fn pattern(&mut self, pattern: &Pattern) {
        walk_pattern(self, pattern);
    }
}

pub(super) fn walk_body(visit: &mut (impl Visit + ?Sized), body: &Body) {
    for stmt in body {
        visit.stmt(stmt);
    }
}

pub(super) fn walk_stmt(visit: &mut (impl Visit + ?Sized), stmt: &Stmt) {
    match &stmt.kind {
        StmtKind::Expr(value) | StmtKind::Return(value) => visit.expr(value),
        StmtKind::Assign(targets, value) => {
            visit.expr(value);
            targets.iter().for_each(|target| visit.target(target));
        }
        StmtKind::AugAssign(target, _, value) => {
            visit.target(target);
            visit.expr(value);
        }
        StmtKind::Delete(targets) => targets.iter().for_each(|target| visit.target(target)),
        StmtKind::If(test, body, orelse) | StmtKind::While(test, body, orelse) => {
            visit.expr(test);
            walk_body(visit, body);
            walk_body(visit, orelse);
        }
        StmtKind::For(inner) => {
            visit.expr(&inner.iter);
            visit.target(&inner.target);
            walk_body(visit, &inner.body);
            walk_body(visit, &inner.orelse);
        }
        StmtKind::Raise(exc, cause) => {
            exc.iter().chain(cause).for_each(|value| visit.expr(value));
        }
        StmtKind::Assert(test, message) => {
            visit.expr(test);
            message.iter().for_each(|message| visit.expr(message));
        }
        StmtKind::Try(inner) => {
            walk_body(visit, &inner.body);
            for handler in &inner.handlers {
                handler.types.iter().for_each(|types| visit.expr(types));
                handler.name.iter().for_each(|name| visit.target(name));
                walk_body(visit, &handler.body);
            }
            walk_body(visit, &inner.orelse);
            walk_body(visit, &inner.finally);
        }
        StmtKind::With(inner) => {
            visit.expr(&inner.manager);
            inner.target.iter().for_each(|target| visit.target(target));
            walk_body(visit, &inner.body);
        }
        StmtKind::Match(inner) => {
            visit.expr(&inner.subject);
            for case in &inner.cases {
                visit.pattern(&case.pattern);
                case.guard.iter().for_each(|guard| visit.expr(guard));
                walk_body(visit, &case.body);
            }
        }
        StmtKind::Yield(target, value) | StmtKind::YieldFrom(target, value) => {
            visit.expr(value);
            target.iter().for_each(|target| visit.target(target));
        }
        StmtKind::Break | StmtKind::Continue | StmtKind::Pass | StmtKind::Fallback(_) => {}
    }
}

pub(super) fn walk_target(visit: &mut (impl Visit + ?Sized), target: &Target) {
    match target {
        Target::Local(_) | Target::Cell(_) | Target::Fallback(_) => {}
        Target::Index(inner) => {
            visit.expr(&inner.0);
            visit.expr(&inner.1);
        }
        Target::Attr(inner) => visit.expr(&inner.0),
        Target::Unpack(targets, _) => targets.iter().for_each(|target| visit.target(target)),
    }
}

pub(super) fn walk_pattern(visit: &mut (impl Visit + ?Sized), pattern: &Pattern) {
    match pattern {
        Pattern::Value(value) => visit.expr(value),
        Pattern::Singleton(_) => {}
        Pattern::Sequence(patterns, star) => {
            patterns.iter().for_each(|pattern| visit.pattern(pattern));
            if let Some((_, Some(target))) = star {
                visit.target(target);
            }
        }
        Pattern::Mapping(pairs, rest) => {
            for (key, pattern) in pairs {
                visit.expr(key);
                visit.pattern(pattern);
            }
            rest.iter().for_each(|target| visit.target(target));
        }
        Pattern::Class(class, positional, named) => {
            visit.expr(class);
            positional.iter().for_each(|pattern| visit.pattern(pattern));
            named.iter().for_each(|(_, pattern)| visit.pattern(pattern));
        }
        Pattern::As(inner, target) => {
            inner.iter().for_each(|pattern| visit.pattern(pattern));
            target.iter().for_each(|target| visit.target(target));
        }
        Pattern::Or(patterns) => patterns.iter().for_each(|pattern| visit.pattern(pattern)),
    }
}

fn walk_args(visit: &mut (impl Visit + ?Sized), args: &CallArgs) {
    walk_items(visit, &args.positional);
    args.keywords.iter().for_each(|(_, value)| visit.expr(value));
}

fn walk_items(visit: &mut (impl Visit + ?Sized), items: &[Item]) {
    for item in items {
        match item {
            Item::One(value) | Item::Star(value) => visit.expr(value),
        }
    }
}

fn walk_parts(visit: &mut (impl Visit + ?Sized), parts: &[FStringPart]) {
    for part in parts {
        if let FStringPart::Value(value, _, spec) = part {
            visit.expr(value);
            if let Some(spec) = spec {
                walk_parts(visit, spec);
            }
        }
    }
}

pub(super) fn walk_expr(visit: &mut (impl Visit + ?Sized), expr: &Expr) {
    match expr {
        Expr::Const(_) | Expr::Local(_) | Expr::Cell(_) | Expr::Missing(_) | Expr::Fallback(_) => {}
        Expr::Path(inner) => visit.expr(&inner.otherwise),
        Expr::Memo(inner) => visit.expr(&inner.expr),
        Expr::Attr(inner) => visit.expr(&inner.0),
        Expr::Index(inner) => {
            visit.expr(&inner.0);
            visit.expr(&inner.1);
        }
        Expr::Slice(parts) | Expr::IfElse(parts) => parts.iter().for_each(|part| visit.expr(part)),
        Expr::Unary(_, operand) => visit.expr(operand),
        Expr::Binary(_, inner) => {
            visit.expr(&inner.0);
            visit.expr(&inner.1);
        }
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| visit.expr(part)),
        Expr::Compare(inner) => {
            visit.expr(&inner.0);
            inner.1.iter().for_each(|(_, right)| visit.expr(right));
        }
        Expr::Call(call) => {
            visit.expr(&call.func);
            walk_args(visit, &call.args);
        }
        Expr::MethodCall(call) => {
            visit.expr(&call.value);
            walk_args(visit, &call.args);
        }
        Expr::Tuple(items) | Expr::List(items) | Expr::Set(items) => walk_items(visit, items),
        Expr::Dict(entries) => {
            for (key, value) in entries {
                key.iter().for_each(|key| visit.expr(key));
                visit.expr(value);
            }
        }
        Expr::Comprehension(comp) => {
            for clause in &comp.clauses {
                visit.expr(&clause.iter);
                visit.target(&clause.target);
                clause
                    .conditions
                    .iter()
                    .for_each(|condition| visit.expr(condition));
            }
            visit.expr(&comp.element);
            comp.value.iter().for_each(|value| visit.expr(value));
        }
        Expr::MakeFunction(inner) => {
            inner.defaults.iter().for_each(|default| visit.expr(default));
            inner
                .kwdefaults
                .iter()
                .for_each(|(_, default)| visit.expr(default));
            inner.generator_over.iter().for_each(|over| visit.expr(over));
        }
        Expr::FString(parts) => walk_parts(visit, parts),
        Expr::Walrus(inner) => {
            visit.expr(&inner.1);
            visit.target(&inner.0);
        }
    }
}
