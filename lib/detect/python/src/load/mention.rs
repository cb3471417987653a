//! Names that the code of functions mentions, and those of the module that it changes.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, ExprContext};

/// What the functions of a file mention.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    /// Every name read or written.
    pub(super) names: BTreeSet<String>,
    /// Names of `global` statements.
    pub(super) globals: BTreeSet<String>,
    /// `name.attr = …`
    pub(super) attributes: BTreeSet<(String, String)>,
}

impl Mentions {
    pub(super) fn of_def(def: &ast::StmtFunctionDef) -> Self {
        let mut found = Self::default();
        found.visit_body(&def.body);
        for parameter in def.parameters.iter_non_variadic_params() {
            if let Some(default) = parameter.default.as_deref() {
                found.visit_expr(default);
            }
        }
        found
    }

    pub(super) fn of_lambda(lambda: &ast::ExprLambda) -> Self {
        let mut found = Self::default();
        found.visit_expr(&lambda.body);
        found
    }
}

impl<'a> Visitor<'a> for Mentions {
    fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
        if let ast::Stmt::Global(global) = statement {
            self.globals
                .extend(global.names.iter().map(|name| name.to_string()));
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a ast::Expr) {
        match expr {
            ast::Expr::Name(name) => {
                self.names.insert(name.id.to_string());
            }
            ast::Expr::Attribute(attribute) if !matches!(attribute.ctx, ExprContext::Load) => {
                if let ast::Expr::Name(name) = &*attribute.value {
                    self.attributes
                        .insert((name.id.to_string(), attribute.attr.to_string()));
                }
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}
