//! Why a rule is not indexed: the tests that stand before any that the index could use. It asks the analysis the same
//! questions statement by statement and changes nothing of what it answers.

use super::analysis::Analysis;
use super::cond::Cond;
use super::expr::Abs;
use super::paths::Paths;
use super::raises::Raises;
use super::shape::Shape;
use super::ways::Ends;
use crate::ir::{Code, Expr, Stmt, StmtKind, UnaryOp};
use crate::program::{CodeId, Const, ConstId, Program, RuleCode};

/// Reasons that are told of one rule.
const REASONS_MAX: usize = 5;

/// Something that keeps a rule from being indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Index of the file.
    pub source: u32,
    /// Line, from 1.
    pub line: u32,
    /// What is there.
    pub reason: String,
}

/// Why a rule is run on every record of its log types; empty for one that is indexed, and for one that does not run
/// natively at all.
#[must_use]
pub fn why_not(program: &Program, rule: &RuleCode) -> Vec<Why> {
    let mut paths = Paths::new(&program.paths);
    let cond = Analysis::new(program, &mut paths).rule(rule);
    if rule.refused.is_some() || cond.clause().is_some() {
        return Vec::new();
    }
    let mut finder = Finder {
        program,
        analysis: Analysis::new(program, &mut paths),
        found: Vec::new(),
    };
    finder.rule(rule);
    finder.found
}

struct Finder<'p, 's> {
    program: &'p Program,
    analysis: Analysis<'p, 's>,
    found: Vec<Why>,
}

/// Whether no index can tell that a condition does not hold.
fn is_anything(cond: &Cond) -> bool {
    cond.clause().is_none()
}

fn goes_wrong(value: &Abs) -> Cond {
    value.r.clone().anything().or(value.x.clone())
}

impl<'p> Finder<'p, '_> {
    fn rule(&mut self, rule: &'p RuleCode) {
        let record = Abs {
            shape: Shape::Record,
            ..Abs::some(Shape::Unknown)
        };
        let mut reached = Cond::True;
        for matcher in &rule.matchers {
            let value = self.analysis.call_constant(*matcher, vec![record.clone()]);
            let before = self.found.len();
            if is_anything(&reached.clone().and(value.x)) {
                let what = "it may need CPython on any record, or be over a limit";
                self.at(*matcher, format!("the matcher {}: {what}", self.name(*matcher)));
            }
            reached = reached.and(value.t);
            if is_anything(&reached) && self.found.len() == before {
                let what = "what it tests cannot be looked up in the record before it runs";
                self.at(*matcher, format!("the matcher {}: {what}", self.name(*matcher)));
            }
        }
        let mut args = vec![record];
        if rule.context.is_some() {
            args.push(Abs::some(Shape::Unknown));
        }
        let Some(code) = self.code(rule.func) else { return };
        args.resize_with(code.locals.len().max(args.len()), Abs::unknown);
        let before = self.found.len();
        self.body(code, &code.body, &mut args, reached);
        if self.found.len() == before {
            let reason = "its tests together leave too many records, or are too many".to_owned();
            self.push(code, code.line, reason);
        }
    }

    fn push(&mut self, code: &Code, line: u32, reason: String) {
        let why = Why {
            source: code.source,
            line,
            reason,
        };
        if self.found.len() < REASONS_MAX && !self.found.contains(&why) {
            self.found.push(why);
        }
    }

    /// At a function.
    fn at(&mut self, id: ConstId, reason: String) {
        if let Some(code) = self.code(id) {
            self.push(code, code.line, reason);
        }
    }

    fn code(&self, id: ConstId) -> Option<&'p Code> {
        let code: CodeId = match self.program.consts.get(id as usize)? {
            Const::Function(function) => function.code,
            Const::Method(inner, _) => match self.program.consts.get(*inner as usize)? {
                Const::Function(function) => function.code,
                _ => return None,
            },
            _ => return None,
        };
        self.program.codes.get(code as usize)
    }

    fn name(&self, id: ConstId) -> String {
        match self.program.consts.get(id as usize) {
            Some(Const::Builtin(builtin)) if builtin.module == "builtins" => format!("{}()", builtin.name),
            Some(Const::Builtin(builtin)) => format!("{}.{}()", builtin.module, builtin.name),
            Some(Const::Type(_) | Const::NativeClass(_) | Const::Class(_)) => "a class".to_owned(),
            _ => self.code(id).map_or_else(
                || "something unknown".to_owned(),
                |code| format!("{}()", code.qualname),
            ),
        }
    }

    /// Statements in order, until one ends the function; answers when what follows is reached.
    fn body(&mut self, code: &'p Code, body: &'p [Stmt], env: &mut Vec<Abs>, when: Cond) -> Option<Cond> {
        let mut when = when;
        for stmt in body {
            if when == Cond::False || self.found.len() >= REASONS_MAX {
                return None;
            }
            let mut ends = Ends::default();
            if let StmtKind::If(test, then, otherwise) = &stmt.kind {
                let value = self.analysis.expr(env, test);
                if is_anything(&when.clone().and(goes_wrong(&value))) {
                    let reason = self.wrong(code, env, test);
                    self.push(code, stmt.line, reason);
                } else {
                    self.body(code, then, &mut env.clone(), when.clone().and(value.t));
                    self.body(code, otherwise, &mut env.clone(), when.clone().and(value.f));
                }
                when = self.analysis.stmt(stmt, env, when, &mut ends)?;
                continue;
            }
            let before = env.clone();
            let reached = when.clone();
            let next = self.analysis.stmt(stmt, env, when, &mut ends);
            self.judge(code, stmt, &before, &reached, ends);
            when = next?;
        }
        Some(when)
    }

    /// What a statement that is no `if` adds.
    fn judge(&mut self, code: &Code, stmt: &'p Stmt, env: &[Abs], reached: &Cond, ends: Ends) {
        let wrong = is_anything(&Raises::any(ends.r).anything().or(Cond::any(ends.x)));
        let fires = is_anything(&Cond::any(ends.t));
        if !wrong && !fires {
            return;
        }
        let mut env = env.to_vec();
        let reason = match &stmt.kind {
            StmtKind::Return(value) => {
                let found = self.analysis.expr(&mut env, value);
                if is_anything(&reached.clone().and(goes_wrong(&found))) {
                    self.wrong(code, &env, value)
                } else {
                    self.holds(code, &env, value)
                }
            }
            StmtKind::Expr(value) | StmtKind::Assign(_, value) => self.wrong(code, &env, value),
            StmtKind::Assert(value, _) => self.wrong(code, &env, value),
            StmtKind::Raise(..) => "an exception that may be raised on any record".to_owned(),
            StmtKind::For(_) | StmtKind::While(..) => {
                "a loop, whose end no field tells before it runs".to_owned()
            }
            StmtKind::Fallback(point) => self.point(*point),
            StmtKind::Try(_) => "a try whose body may end in any way on any record".to_owned(),
            _ => "a statement that the index does not look into".to_owned(),
        };
        self.push(code, stmt.line, reason);
    }

    fn point(&self, point: u32) -> String {
        let reason = self
            .program
            .points
            .get(point as usize)
            .map(|point| &*point.reason);
        reason.unwrap_or("a place that needs CPython").to_owned()
    }

    /// The smallest part of an expression that may go wrong on any record.
    fn wrong(&mut self, code: &Code, env: &[Abs], expr: &'p Expr) -> String {
        let part = self.smallest(env, expr, &|value| is_anything(&goes_wrong(value)));
        let what = self.describe(code, part);
        format!("{what} may raise, or need CPython, on any record")
    }

    /// The smallest part of an expression that may hold on any record.
    fn holds(&mut self, code: &Code, env: &[Abs], expr: &'p Expr) -> String {
        let part = self.smallest(env, expr, &|value| is_anything(&value.t));
        let what = self.describe(code, part);
        format!("{what} may be true whatever a field holds")
    }

    fn smallest(&mut self, env: &[Abs], expr: &'p Expr, is_culprit: &dyn Fn(&Abs) -> bool) -> &'p Expr {
        let mut at = expr;
        // Expressions are not nested deeper than the compiler takes.
        loop {
            let parts: Vec<&'p Expr> = match at {
                Expr::And(parts) | Expr::Or(parts) => parts.iter().collect(),
                Expr::Unary(UnaryOp::Not, inner) => vec![inner],
                Expr::Compare(inner) => std::iter::once(&inner.0)
                    .chain(inner.1.iter().map(|(_, part)| part))
                    .collect(),
                Expr::Binary(_, inner) => vec![&inner.0, &inner.1],
                Expr::Index(inner) => vec![&inner.0, &inner.1],
                Expr::Attr(inner) => vec![&inner.0],
                Expr::IfElse(inner) => inner.iter().collect(),
                Expr::Memo(inner) => vec![&inner.expr],
                Expr::MethodCall(inner) => vec![&inner.value],
                _ => Vec::new(),
            };
            // Whether a part is true says nothing of what it is compared with.
            let is_logical = matches!(
                at,
                Expr::And(_) | Expr::Or(_) | Expr::Unary(..) | Expr::Memo(_) | Expr::IfElse(_)
            );
            let next = parts.into_iter().find(|part| {
                let value = self.analysis.expr(&mut env.to_vec(), part);
                let counts = if is_logical {
                    is_culprit(&value)
                } else {
                    is_anything(&goes_wrong(&value))
                };
                counts && !matches!(part, Expr::Const(_))
            });
            match next {
                Some(next) => at = next,
                None => return at,
            }
        }
    }

    fn describe(&self, code: &Code, expr: &Expr) -> String {
        match expr {
            Expr::MethodCall(call) => format!("the call of .{}()", call.site.name),
            Expr::Call(call) => match &call.func {
                Expr::Const(id) => format!("the call of {}", self.name(*id)),
                _ => "a call".to_owned(),
            },
            Expr::Index(_) => "a subscript".to_owned(),
            Expr::Attr(attr) => format!("the attribute .{}", attr.1),
            Expr::Compare(_) => "a comparison".to_owned(),
            Expr::Binary(..) => "an operator".to_owned(),
            Expr::Comprehension(_) => "a comprehension".to_owned(),
            Expr::FString(_) => "an f-string".to_owned(),
            Expr::Path(path) => format!("the field {}", self.dotted(path.path)),
            Expr::Local(slot) => {
                let name = code.locals.get(usize::from(*slot));
                name.map_or_else(|| "a variable".to_owned(), |name| format!("the variable {name}"))
            }
            Expr::Missing(name) => format!("the name {name}, which is not defined,"),
            Expr::Const(_) => "a constant".to_owned(),
            Expr::Fallback(point) => self.point(*point),
            _ => "this expression".to_owned(),
        }
    }

    fn dotted(&self, path: u32) -> String {
        let mut keys = Vec::new();
        let mut at = self.program.paths.get(path as usize);
        while let Some(path) = at {
            keys.push(&*path.key);
            at = path
                .parent
                .and_then(|parent| self.program.paths.get(parent as usize));
        }
        keys.reverse();
        keys.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::compile_source;
    use crate::lower::{Role, calls};

    fn program(text: &str) -> Program {
        let text = format!("from streamalert.shared.rule import rule\nimport re\n{text}");
        compile_source(&text, "a.py").unwrap()
    }

    fn told(text: &str) -> Vec<(u32, String)> {
        let program = program(text);
        let why = why_not(&program, &program.rules[0]);
        why.into_iter().map(|why| (why.line, why.reason)).collect()
    }

    #[test]
    fn the_first_test_that_the_index_cannot_use_is_named_with_its_line() {
        let text = "@rule(logs=['a'])\ndef f(rec):\n    if len(rec['a'].split(',')) > 2:\n        return rec['b'] == 'x'\n    return rec['b'] == 'y'\n";
        let told = told(text);
        assert_eq!(told[0].0, 5, "{told:?}");
        assert!(told[0].1.contains("on any record"), "{told:?}");
    }

    #[test]
    fn an_indexed_rule_has_no_reason_and_a_rule_that_always_fires_has_one() {
        assert!(told("@rule(logs=['a'])\ndef f(rec):\n    return rec['b'] == 'x'\n").is_empty());
        let told = told("@rule(logs=['a'])\ndef f(rec):\n    return True\n");
        assert_eq!(
            told,
            [(5, "a constant may be true whatever a field holds".to_owned())]
        );
    }

    #[test]
    fn a_matcher_that_narrows_nothing_is_named() {
        let text = "def m(rec):\n    return bool(rec)\n@rule(logs=['a'], matchers=[m])\ndef f(rec):\n    return len(rec) > 3\n";
        let told = told(text);
        assert!(
            told.iter()
                .any(|(line, why)| *line == 3 && why.contains("the matcher m()")),
            "{told:?}"
        );
        assert!(told.iter().any(|(line, _)| *line == 7), "{told:?}");
    }

    #[test]
    fn functions_that_a_rule_calls_are_told_with_what_they_are_and_what_of_them_is_left() {
        let text = "def deep(x):\n    for y in x:\n        eval(y)\n    return 1\ndef helper(rec):\n    for x in rec:\n        if deep(x):\n            return True\n    return False\ndef m(rec):\n    for x in rec:\n        return x\n@rule(logs=['a'], matchers=[m])\ndef f(rec):\n    return helper(rec)\n";
        let program = program(text);
        let found: Vec<_> = calls(&program, &program.rules[0])
            .into_iter()
            .map(|called| (called.role, called.name, called.line, called.points.len()))
            .collect();
        assert_eq!(
            found,
            [
                (Role::Matcher, "m".to_owned(), 12, 0),
                (Role::Helper, "deep".to_owned(), 3, 1),
                (Role::Helper, "helper".to_owned(), 7, 0),
            ]
        );
    }
}
