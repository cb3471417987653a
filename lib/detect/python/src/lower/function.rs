//! Functions: parameters, frames, nested functions and generator expressions.

use std::rc::Rc;

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use super::scope::{Layout, ScopeId, Scopes};
use super::source::{Found, FunctionNode};
use super::unit::Unit;
use crate::ir::{Call, CallArgs, Code, Expr, For, Item, MakeFunction, Params, Stmt, StmtKind};
use crate::program::CodeId;

/// Lowers an exported function into its reserved place. `None` when its frame is too large.
pub(super) fn scopes_of(found: &Found<'_>, names: &super::unit::Names<'_>) -> Option<Scopes> {
    match found.node {
        FunctionNode::Def(def) => Scopes::of_def(def, names),
        FunctionNode::Lambda(lambda) => Scopes::of_lambda(lambda, names),
    }
}

impl Unit<'_, '_> {
    /// The code of the function that this unit is for.
    pub(super) fn whole(&mut self, found: &Found<'_>, line: u32, name: &str) -> Code {
        match found.node {
            FunctionNode::Def(def) => {
                let body = self.body(&def.body);
                self.code(0, line, name, Some(&def.parameters), body)
            }
            FunctionNode::Lambda(lambda) => {
                let body = self.lambda_body(lambda);
                self.code(0, line, name, lambda.parameters.as_deref(), body)
            }
        }
    }

    fn lambda_body(&mut self, lambda: &ast::ExprLambda) -> Box<[Stmt]> {
        let line = self.line(lambda.body.start());
        let value = self.expr(&lambda.body);
        Box::new([Stmt {
            line,
            kind: StmtKind::Return(value),
        }])
    }

    fn code(
        &mut self,
        scope: ScopeId,
        line: u32,
        name: &str,
        parameters: Option<&ast::Parameters>,
        body: Box<[Stmt]>,
    ) -> Code {
        let empty = Layout::default();
        let layout = self.scopes.layouts.get(&scope).unwrap_or(&empty);
        let boxed = |names: &[Rc<str>]| names.iter().map(|name| Box::from(&**name)).collect();
        let free = layout.free.iter().filter_map(|id| self.scopes.bindings.get(*id));
        let params = parameters
            .map(|parameters| self.params(parameters))
            .unwrap_or_default();
        Code {
            name: name.into(),
            qualname: self.qualname.as_str().into(),
            source: self.source,
            line,
            params,
            locals: boxed(&layout.locals),
            cells: layout.cells.clone().into(),
            free: free.map(|binding| Box::from(&*binding.name)).collect(),
            body,
            is_generator: self.scopes.scopes.get(scope).is_some_and(|scope| scope.yields),
            is_pure: false,
        }
    }

    fn params(&self, parameters: &ast::Parameters) -> Params {
        let name = |parameter: &ast::Parameter| Box::from(&*self.mangle(&parameter.name));
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        Params {
            positional: positional.map(|param| name(&param.parameter)).collect(),
            positional_only: parameters.posonlyargs.len() as u16,
            star: parameters.vararg.as_deref().map(name),
            keyword_only: parameters
                .kwonlyargs
                .iter()
                .map(|param| name(&param.parameter))
                .collect(),
            double_star: parameters.kwarg.as_deref().map(name),
        }
    }

    /// Lowers what is within a frame of its own.
    fn within<T>(&mut self, scope: ScopeId, name: &str, lower: impl FnOnce(&mut Self) -> T) -> T {
        let outer = (self.frame, self.scope, self.blocks);
        let qualname = format!("{}.<locals>.{name}", self.qualname);
        let outer_name = std::mem::replace(&mut self.qualname, qualname);
        // Imports of a nested function run when it is called, not here.
        (self.frame, self.scope, self.blocks) = (scope, scope, 1);
        let bound = self.bound.clone();
        let value = lower(self);
        self.bound = bound;
        (self.frame, self.scope, self.blocks) = outer;
        self.qualname = outer_name;
        value
    }

    fn keep(&mut self, code: Code) -> CodeId {
        let id = self.reserve_code();
        if let Some(place) = self.shared.codes.get_mut(id as usize) {
            *place = Some(code);
        }
        id
    }

    /// `lambda`
    pub(super) fn lambda(&mut self, lambda: &ast::ExprLambda) -> Expr {
        let parameters = lambda.parameters.as_deref();
        let Some(scope) = self.scopes.of_range(lambda.range) else {
            return self.fallback(lambda, "a lambda", "");
        };
        let (defaults, kwdefaults) = self.defaults(parameters);
        let line = self.line(lambda.start());
        let code = self.within(scope, "<lambda>", |this| {
            let body = this.lambda_body(lambda);
            this.code(scope, line, "<lambda>", parameters, body)
        });
        self.make(scope, code, defaults, kwdefaults, None)
    }

    /// A nested `def`, without its decorators' names being looked up twice.
    pub(super) fn def(&mut self, def: &ast::StmtFunctionDef) -> StmtKind {
        let unknown = if def.is_async {
            Some("an async function")
        } else if def.type_params.is_some() {
            Some("a function with type parameters")
        } else {
            None
        };
        let scope = self.scopes.of_range(def.range);
        let (None, Some(scope)) = (unknown, scope) else {
            return StmtKind::Fallback(self.point(def, unknown.unwrap_or("a function"), ""));
        };
        let decorators: Vec<Expr> = def
            .decorator_list
            .iter()
            .map(|decorator| self.expr(&decorator.expression))
            .collect();
        let (defaults, kwdefaults) = self.defaults(Some(&def.parameters));
        if !self.file.lazy_annotations
            && let Some(annotation) = annotations(def).find(|annotation| !self.is_harmless(annotation))
        {
            let advice = "annotate with plain names, or use `from __future__ import annotations`";
            return StmtKind::Fallback(self.point(annotation, "an annotation of an inner function", advice));
        }
        let first = def.decorator_list.first().map_or(def.start(), Ranged::start);
        let line = self.line(first);
        let name = self.mangle(&def.name);
        let code = self.within(scope, &def.name, |this| {
            let body = this.body(&def.body);
            this.code(scope, line, &def.name, Some(&def.parameters), body)
        });
        let mut value = self.make(scope, code, defaults, kwdefaults, None);
        for decorator in decorators.into_iter().rev() {
            let args = CallArgs {
                positional: Box::new([Item::One(value)]),
                keywords: Box::default(),
            };
            value = Expr::Call(Box::new(Call {
                func: decorator,
                args,
            }));
        }
        let target = self.store(def, &name);
        StmtKind::Assign(Box::new([target]), value)
    }

    /// Evaluating it can neither raise nor be seen.
    fn is_harmless(&mut self, annotation: &ast::Expr) -> bool {
        match annotation {
            ast::Expr::Name(_) => matches!(self.expr(annotation), Expr::Const(_)),
            other => other.is_literal_expr(),
        }
    }

    fn defaults(&mut self, parameters: Option<&ast::Parameters>) -> (Vec<Expr>, Vec<(Box<str>, Expr)>) {
        let Some(parameters) = parameters else {
            return Default::default();
        };
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        let defaults: Vec<Expr> = positional
            .filter_map(|param| param.default.as_deref())
            .map(|default| self.expr(default))
            .collect();
        let mut kwdefaults = Vec::new();
        for param in &parameters.kwonlyargs {
            if let Some(default) = param.default.as_deref() {
                let name = Box::from(&*self.mangle(&param.parameter.name));
                kwdefaults.push((name, self.expr(default)));
            }
        }
        (defaults, kwdefaults)
    }

    fn make(
        &mut self,
        scope: ScopeId,
        code: Code,
        defaults: Vec<Expr>,
        kwdefaults: Vec<(Box<str>, Expr)>,
        generator_over: Option<Expr>,
    ) -> Expr {
        let scopes = Rc::clone(&self.scopes);
        let free = scopes
            .layouts
            .get(&scope)
            .map(|layout| layout.free.as_slice())
            .unwrap_or_default();
        let captures = free
            .iter()
            .map(|id| match scopes.place(self.frame, *id) {
                Some(super::scope::Place::Cell(cell)) => cell,
                _ => 0,
            })
            .collect();
        Expr::MakeFunction(Box::new(MakeFunction {
            code: self.keep(code),
            defaults: defaults.into(),
            kwdefaults: kwdefaults.into(),
            captures,
            generator_over,
        }))
    }

    /// A generator expression that is more than a comprehension.
    pub(super) fn generator(&mut self, comp: &ast::ExprGenerator, scope: ScopeId) -> Expr {
        let Some((first, rest)) = comp.generators.split_first() else {
            return self.fallback(comp, "a generator expression", "");
        };
        let over = self.expr(&first.iter);
        let line = self.line(comp.start());
        let code = self.within(scope, "<genexpr>", |this| {
            let body = this.generator_clause(first, rest, Some(Expr::Local(0)), &comp.elt, line);
            let mut code = this.code(scope, line, "<genexpr>", None, Box::new([body]));
            code.params.positional = Box::new([".0".into()]);
            code.is_generator = true;
            code
        });
        self.make(scope, code, Vec::new(), Vec::new(), Some(over))
    }

    fn generator_clause(
        &mut self,
        clause: &ast::Comprehension,
        rest: &[ast::Comprehension],
        iter: Option<Expr>,
        element: &ast::Expr,
        line: u32,
    ) -> Stmt {
        let iter = iter.unwrap_or_else(|| self.expr(&clause.iter));
        let target = self.target(&clause.target);
        let conditions: Vec<Expr> = clause.ifs.iter().map(|condition| self.expr(condition)).collect();
        let mut inner = match rest.split_first() {
            Some((next, rest)) => self.generator_clause(next, rest, None, element, line),
            None => Stmt {
                line,
                kind: StmtKind::Yield(None, self.expr(element)),
            },
        };
        for condition in conditions.into_iter().rev() {
            inner = Stmt {
                line,
                kind: StmtKind::If(condition, Box::new([inner]), Box::default()),
            };
        }
        let kind = StmtKind::For(Box::new(For {
            target,
            iter,
            body: Box::new([inner]),
            orelse: Box::default(),
        }));
        Stmt { line, kind }
    }
}

fn annotations(def: &ast::StmtFunctionDef) -> impl Iterator<Item = &ast::Expr> {
    let parameters = &def.parameters;
    let plain = parameters
        .posonlyargs
        .iter()
        .chain(&parameters.args)
        .chain(&parameters.kwonlyargs);
    plain
        .filter_map(|param| param.parameter.annotation.as_deref())
        .chain(
            parameters
                .vararg
                .iter()
                .filter_map(|param| param.annotation.as_deref()),
        )
        .chain(
            parameters
                .kwarg
                .iter()
                .filter_map(|param| param.annotation.as_deref()),
        )
        .chain(def.returns.as_deref())
}
