use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, ExprContext, Parameters, Stmt};

/// What the module level of a file defines.
#[derive(Debug, Default)]
pub(crate) struct Module<'a> {
    /// Name to what it was imported as: `sleep` to `time.sleep`.
    imports: BTreeMap<&'a str, String>,
    /// Name to what was assigned to it last.
    pub(crate) globals: BTreeMap<&'a str, &'a Expr>,
    /// Functions and classes.
    pub(crate) definitions: BTreeSet<&'a str>,
    /// Functions at the module level, those in its `if` and `try` too, in order.
    pub(crate) functions: Vec<&'a ast::StmtFunctionDef>,
    /// Whether something was imported with `*`, so that names may come from anywhere.
    pub(crate) imports_everything: bool,
}

impl<'a> Module<'a> {
    pub(crate) fn read(body: &'a [Stmt]) -> Self {
        let mut module = Self::default();
        module.statements(body);
        module
    }

    fn statements(&mut self, body: &'a [Stmt]) {
        for statement in body {
            match statement {
                Stmt::FunctionDef(function) => {
                    self.definitions.insert(&function.name);
                    self.functions.push(function);
                }
                Stmt::ClassDef(class) => _ = self.definitions.insert(&class.name),
                Stmt::Import(import) => self.import(import),
                Stmt::ImportFrom(import) => self.import_from(import),
                Stmt::Assign(assign) => {
                    for target in &assign.targets {
                        self.assign(target, &assign.value);
                    }
                }
                Stmt::AnnAssign(assign) => {
                    if let Some(value) = &assign.value {
                        self.assign(&assign.target, value);
                    }
                }
                Stmt::If(branch) => {
                    self.statements(&branch.body);
                    for clause in &branch.elif_else_clauses {
                        self.statements(&clause.body);
                    }
                }
                Stmt::Try(attempt) => {
                    self.statements(&attempt.body);
                    for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        self.statements(&handler.body);
                    }
                    self.statements(&attempt.orelse);
                }
                _ => {}
            }
        }
    }

    fn assign(&mut self, target: &'a Expr, value: &'a Expr) {
        match target {
            Expr::Name(name) => _ = self.globals.insert(&name.id, value),
            // What each of them gets is not looked at; that they exist counts.
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|part| self.assign(part, value)),
            _ => {}
        }
    }

    fn import(&mut self, import: &'a ast::StmtImport) {
        for alias in &import.names {
            let name = alias.name.as_str();
            match &alias.asname {
                Some(asname) => _ = self.imports.insert(asname.as_str(), name.to_owned()),
                None => {
                    let root = name.split('.').next().unwrap_or(name);
                    self.imports.insert(root, root.to_owned());
                }
            }
        }
    }

    fn import_from(&mut self, import: &'a ast::StmtImportFrom) {
        let module = import.module.as_ref().map_or("", ast::Identifier::as_str);
        for alias in &import.names {
            let name = alias.name.as_str();
            self.imports_everything |= name == "*";
            let known = alias.asname.as_ref().map_or(name, ast::Identifier::as_str);
            self.imports.insert(known, format!("{module}.{name}"));
        }
    }

    /// The full name of what an expression refers to: `sleep` and `time.sleep` to `time.sleep`. Names that are neither
    /// imported nor defined here are builtins, and stand for themselves.
    pub(crate) fn full_name(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => {
                let id = name.id.as_str();
                let own = self.globals.contains_key(id) || self.definitions.contains(id);
                match self.imports.get(id) {
                    Some(full) => Some(full.clone()),
                    None => Some(id.to_owned()).filter(|_| !own),
                }
            }
            Expr::Attribute(attribute) => Some(format!(
                "{}.{}",
                self.full_name(&attribute.value)?,
                attribute.attr
            )),
            _ => None,
        }
    }

    /// Whether a name was imported from elsewhere.
    pub(crate) fn is_imported(&self, name: &str) -> bool {
        self.imports.contains_key(name)
    }
}

/// The functions and classes of a text that are registered as publishers, by name: those decorated with `Register`.
#[must_use]
pub fn publishers(text: &str) -> Vec<String> {
    if crate::depth::refusal(text).is_some() {
        return Vec::new();
    }
    let parsed = ruff_python_parser::parse_unchecked_source(text, ast::PySourceType::Python);
    let body = &parsed.syntax().body;
    let module = Module::read(body);
    let registers = |decorator: &ast::Decorator| {
        let name = module.full_name(&decorator.expression);
        name.is_some_and(|name| name.ends_with("publisher.Register"))
    };
    let named = body.iter().filter_map(|statement| match statement {
        Stmt::FunctionDef(function) => Some((&function.decorator_list, &function.name)),
        Stmt::ClassDef(class) => Some((&class.decorator_list, &class.name)),
        _ => None,
    });
    let registered = named.filter(|(decorators, _)| decorators.iter().any(registers));
    registered.map(|(_, name)| name.as_str().to_owned()).collect()
}

/// The names that a function binds, and those among them that are bound once, by an assignment.
#[derive(Debug, Default)]
pub(crate) struct Locals<'a> {
    bound: BTreeMap<&'a str, usize>,
    values: BTreeMap<&'a str, &'a Expr>,
    globals: BTreeSet<&'a str>,
}

impl<'a> Locals<'a> {
    pub(crate) fn of(function: &'a ast::StmtFunctionDef) -> Self {
        let mut locals = Self::default();
        locals.visit_parameters(&function.parameters);
        locals.visit_body(&function.body);
        locals
    }

    /// How often a name is bound; parameters count.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.bound.get(name).copied().unwrap_or_default()
    }

    /// Whether the name is one of the module's here.
    pub(crate) fn is_global(&self, name: &str) -> bool {
        self.globals.contains(name) || self.count(name) == 0
    }

    /// The value of a name that has the same one wherever it has any.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Expr> {
        self.values.get(name).copied().filter(|_| self.count(name) == 1)
    }

    fn bind(&mut self, name: &'a str) {
        *self.bound.entry(name).or_default() += 1;
    }
}

impl<'a> Visitor<'a> for Locals<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Assign(assign) => {
                if let [Expr::Name(name)] = assign.targets.as_slice() {
                    self.values.insert(&name.id, &assign.value);
                }
            }
            // It binds and it reads, so the value is not the one it was.
            Stmt::AugAssign(assign) => {
                if let Expr::Name(name) = &*assign.target {
                    self.bind(&name.id);
                }
            }
            Stmt::Global(global) => self
                .globals
                .extend(global.names.iter().map(ast::Identifier::as_str)),
            Stmt::FunctionDef(function) => self.bind(&function.name),
            Stmt::ClassDef(class) => self.bind(&class.name),
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.bind(&alias.name)),
            Stmt::ImportFrom(import) => import.names.iter().for_each(|alias| self.bind(&alias.name)),
            Stmt::Try(attempt) => {
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    if let Some(name) = &handler.name {
                        self.bind(name);
                    }
                }
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr
            && matches!(name.ctx, ExprContext::Store | ExprContext::Del)
        {
            self.bind(&name.id);
        }
        walk_expr(self, expr);
    }

    fn visit_parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters.iter() {
            self.bind(parameter.name());
        }
    }
}
