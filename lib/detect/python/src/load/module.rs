//! Statements of the module level.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextSize};

use super::expr::{Unknown, unknown};
use super::heap::Heap;
use super::mention::Mentions;
use super::{Problem, Ruled};
use crate::export::{Object, ObjectId, Source};
use crate::lower::source::{File, Index};

/// Files that import each other in a longer chain are not followed.
const IMPORTS_MAX: u32 = 50;

/// Loads files.
pub(super) struct Loader<'f> {
    pub(super) files: &'f BTreeMap<String, String>,
    pub(super) heap: Heap,
    /// Module objects by path; `None` while one is being loaded.
    pub(super) modules: BTreeMap<String, Option<ObjectId>>,
    pub(super) rules: Vec<Ruled>,
    pub(super) problems: Vec<Problem>,
    pub(super) sources: Vec<Source>,
    /// Functions that are registered as publishers.
    pub(super) publishers: BTreeSet<ObjectId>,
    pub(super) depth: u32,
}

/// A file being loaded.
pub(super) struct Module<'m, 'f> {
    pub(super) loader: &'m mut Loader<'f>,
    pub(super) path: &'m str,
    pub(super) source: u32,
    pub(super) file: &'m File,
    pub(super) index: &'m Index<'m>,
    pub(super) names: BTreeMap<String, ObjectId>,
    /// The names of the class whose body is being run, and its qualified name.
    pub(super) class: Option<(BTreeMap<String, ObjectId>, String)>,
    /// Functions and what they mention; their globals are what the names are in the end.
    functions: Vec<(ObjectId, BTreeSet<String>)>,
    globals: BTreeSet<String>,
    attributes: BTreeSet<(String, String)>,
}

impl<'f> Loader<'f> {
    /// Loads a file once; `None` when it cannot be, which is told.
    pub(super) fn file(&mut self, path: &str) -> Option<ObjectId> {
        if let Some(known) = self.modules.get(path).copied() {
            if known.is_none() {
                self.problem(path, 0, "files import each other in a circle");
            }
            return known;
        }
        let files = self.files;
        let Some(text) = files.get(path) else {
            self.problem(path, 0, "there is no such file");
            return None;
        };
        if self.depth >= IMPORTS_MAX {
            self.problem(path, 0, "too long a chain of imports");
            return None;
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let source = super::source_of(path, &text);
        let file = File::new(&source);
        self.modules.insert(path.to_owned(), None);
        self.sources.push(source);
        let at = (self.sources.len() - 1) as u32;
        self.depth += 1;
        let names = match &file.tree {
            Ok(tree) => {
                let index = Index::new(&file);
                let mut module = Module {
                    loader: self,
                    path,
                    source: at,
                    file: &file,
                    index: &index,
                    names: BTreeMap::new(),
                    class: None,
                    functions: Vec::new(),
                    globals: BTreeSet::new(),
                    attributes: BTreeSet::new(),
                };
                module.own_names(&text);
                module.body(tree.suite());
                module.finish()
            }
            Err(why) => {
                let why = why.clone();
                self.problem(path, file.error_line, &why);
                BTreeMap::new()
            }
        };
        self.depth -= 1;
        let name = super::imports::module_of(path);
        let id = self.heap.push(Object::Module { name, attrs: names });
        self.modules.insert(path.to_owned(), Some(id));
        Some(id)
    }

    pub(super) fn problem(&mut self, file: &str, line: u32, message: &str) {
        self.problems.push(Problem {
            file: file.to_owned(),
            line,
            message: message.to_owned(),
        });
    }

    /// The file of a dotted name.
    pub(super) fn path_of(&self, dotted: &str) -> Option<String> {
        let base = dotted.replace('.', "/");
        [format!("{base}.py"), format!("{base}/__init__.py")]
            .into_iter()
            .find(|path| self.files.contains_key(path))
    }

    /// Whether some file lies in the package.
    pub(super) fn is_package(&self, dotted: &str) -> bool {
        let folder = format!("{}/", dotted.replace('.', "/"));
        self.files
            .range(folder.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&folder))
    }
}

impl Module<'_, '_> {
    pub(super) fn line(&self, at: TextSize) -> u32 {
        self.file.line(at)
    }

    pub(super) fn lookup(&self, name: &str) -> Option<ObjectId> {
        self.class
            .as_ref()
            .and_then(|class| class.0.get(name))
            .or_else(|| self.names.get(name))
            .copied()
    }

    pub(super) fn bind(&mut self, name: &str, id: ObjectId) {
        let scope = self.class.as_mut().map_or(&mut self.names, |class| &mut class.0);
        scope.insert(name.to_owned(), id);
    }

    pub(super) fn told(&mut self, unknown: &Unknown) {
        let line = self.line(unknown.at);
        let message = format!("{} is not understood without Python", unknown.what);
        self.loader.problem(self.path, line, &message);
    }

    fn body(&mut self, body: &[ast::Stmt]) {
        for statement in body {
            if let Err(unknown) = self.statement(statement) {
                self.told(&unknown);
                for name in bound_names(statement) {
                    let id = self
                        .loader
                        .heap
                        .unsupported(format!("{name}, whose value is made by {}", unknown.what));
                    self.bind(&name, id);
                }
            }
        }
    }

    fn statement(&mut self, statement: &ast::Stmt) -> Result<(), Unknown> {
        match statement {
            ast::Stmt::Pass(_) => Ok(()),
            ast::Stmt::Expr(inner) if inner.value.is_literal_expr() => Ok(()),
            ast::Stmt::Expr(inner) if self.is_logging(&inner.value) => self.logging(&inner.value),
            ast::Stmt::Import(inner) => {
                inner.names.iter().for_each(|alias| self.import(alias));
                Ok(())
            }
            ast::Stmt::ImportFrom(inner) => self.import_from(inner),
            ast::Stmt::Assign(inner) => {
                let value = self.expr(&inner.value)?;
                inner
                    .targets
                    .iter()
                    .try_for_each(|target| self.assign(target, value))
            }
            ast::Stmt::AnnAssign(inner) => match &inner.value {
                Some(value) => {
                    let value = self.expr(value)?;
                    self.assign(&inner.target, value)
                }
                None => Ok(()),
            },
            ast::Stmt::AugAssign(inner) => {
                let left = self.expr(&as_load(&inner.target)?)?;
                let right = self.expr(&inner.value)?;
                let value = self.operate(inner, inner.op, left, right)?;
                self.assign(&inner.target, value)
            }
            ast::Stmt::FunctionDef(def) => self.def(def),
            ast::Stmt::ClassDef(class) => self.class(class),
            ast::Stmt::If(inner) => self.condition(inner),
            ast::Stmt::Try(inner) => self.attempt(inner),
            ast::Stmt::Delete(inner) => {
                for target in &inner.targets {
                    let ast::Expr::Name(name) = target else {
                        return Err(unknown(target, "del of a part"));
                    };
                    self.class
                        .as_mut()
                        .map_or(&mut self.names, |class| &mut class.0)
                        .remove(name.id.as_str());
                }
                Ok(())
            }
            other => Err(unknown(other, construct(other))),
        }
    }

    pub(super) fn assign(&mut self, target: &ast::Expr, value: ObjectId) -> Result<(), Unknown> {
        match target {
            ast::Expr::Name(name) => {
                self.bind(&name.id, value);
                Ok(())
            }
            ast::Expr::Tuple(ast::ExprTuple { elts, .. }) | ast::Expr::List(ast::ExprList { elts, .. }) => {
                let elements = self
                    .loader
                    .heap
                    .elements(value)
                    .ok_or_else(|| unknown(target, "unpacking of this"))?;
                if elements.len() != elts.len() || elts.iter().any(ast::Expr::is_starred_expr) {
                    return Err(unknown(target, "such an unpacking"));
                }
                elts.iter()
                    .zip(elements)
                    .try_for_each(|(target, value)| self.assign(target, value))
            }
            _ => Err(unknown(target, "an assignment to a part")),
        }
    }

    fn condition(&mut self, inner: &ast::StmtIf) -> Result<(), Unknown> {
        let clauses = std::iter::once((Some(&*inner.test), &inner.body)).chain(
            inner
                .elif_else_clauses
                .iter()
                .map(|clause| (clause.test.as_ref(), &clause.body)),
        );
        for (test, body) in clauses {
            let holds = match test {
                Some(ast::Expr::Compare(test)) if is_main(test) => false,
                Some(test) => {
                    let value = self.expr(test)?;
                    self.loader
                        .heap
                        .truth(value)
                        .ok_or_else(|| unknown(test, "such a condition"))?
                }
                None => true,
            };
            if holds {
                self.body(body);
                return Ok(());
            }
        }
        Ok(())
    }

    /// `try: import …`: what is imported is taken to be there; what else it could be is unknown.
    fn attempt(&mut self, inner: &ast::StmtTry) -> Result<(), Unknown> {
        let imports =
            |statement: &ast::Stmt| matches!(statement, ast::Stmt::Import(_) | ast::Stmt::ImportFrom(_));
        if !inner.body.iter().all(imports) || !inner.finalbody.is_empty() {
            return Err(unknown(inner, "try around more than imports"));
        }
        self.body(&inner.body);
        self.body(&inner.orelse);
        let is_sure = inner.body.iter().all(|statement| match statement {
            ast::Stmt::Import(import) => import.names.iter().all(|alias| self.exists(&alias.name)),
            ast::Stmt::ImportFrom(import) => {
                import.module.as_deref().is_some_and(|module| self.exists(module))
            }
            _ => false,
        });
        if !is_sure {
            let handlers = inner.handlers.iter().flat_map(|handler| {
                let ast::ExceptHandler::ExceptHandler(handler) = handler;
                handler.body.iter().flat_map(bound_names)
            });
            for name in handlers.collect::<Vec<String>>() {
                let id = self
                    .loader
                    .heap
                    .unsupported(format!("{name}, which depends on what is installed"));
                self.bind(&name, id);
            }
        }
        Ok(())
    }

    /// A function object; its globals follow when the module is done.
    pub(super) fn function(
        &mut self,
        line: u32,
        name: &str,
        defaults: Vec<ObjectId>,
        kwdefaults: BTreeMap<String, ObjectId>,
        (at, mentions): (TextSize, Mentions),
    ) -> ObjectId {
        let prefix = self
            .class
            .as_ref()
            .map(|class| format!("{}.", class.1))
            .unwrap_or_default();
        let (nth, of) = self.index.place(line, name, at);
        let id = self.loader.heap.push(Object::Function {
            source: self.source,
            line,
            name: name.to_owned(),
            qualname: format!("{prefix}{name}"),
            code_name: String::new(),
            nth,
            of,
            defaults,
            kwdefaults,
            closure: BTreeMap::new(),
            globals: BTreeMap::new(),
        });
        self.functions.push((id, mentions.names));
        self.globals.extend(mentions.globals);
        self.attributes.extend(mentions.attributes);
        id
    }

    fn def(&mut self, def: &ast::StmtFunctionDef) -> Result<(), Unknown> {
        if def.is_async {
            return Err(unknown(def, "an async function"));
        }
        let first = def.decorator_list.first().map_or(def.start(), Ranged::start);
        let line = self.line(first);
        let (defaults, kwdefaults) = self.defaults(&def.parameters)?;
        let mentions = Mentions::of_def(def);
        let func = self.function(line, &def.name, defaults, kwdefaults, (def.start(), mentions));
        let decorated = self.decorate(def, func, line)?;
        self.bind(&def.name, decorated);
        Ok(())
    }

    fn class(&mut self, class: &ast::StmtClassDef) -> Result<(), Unknown> {
        if !class.decorator_list.is_empty() || !class.keywords().is_empty() {
            return Err(unknown(class, "a class with decorators or a metaclass"));
        }
        let bases = class
            .bases()
            .iter()
            .map(|base| self.expr(base))
            .collect::<Result<Vec<ObjectId>, Unknown>>()?;
        let prefix = self
            .class
            .as_ref()
            .map(|class| format!("{}.", class.1))
            .unwrap_or_default();
        let qualname = format!("{prefix}{}", class.name);
        let outer = self.class.replace((BTreeMap::new(), qualname.clone()));
        self.body(&class.body);
        let attrs = std::mem::replace(&mut self.class, outer)
            .map(|class| class.0)
            .unwrap_or_default();
        let bases = if bases.is_empty() {
            vec![self.loader.heap.named("builtins", "object")]
        } else {
            bases
        };
        let line = self.line(class.start());
        let id = self.loader.heap.push(Object::Class {
            name: class.name.to_string(),
            qualname,
            source: self.source,
            line,
            bases,
            attrs,
        });
        self.bind(&class.name, id);
        Ok(())
    }

    /// Gives functions their globals; answers the names of the module.
    fn finish(mut self) -> BTreeMap<String, ObjectId> {
        for name in std::mem::take(&mut self.globals) {
            let id = self
                .loader
                .heap
                .unsupported(format!("{name} is assigned by a function"));
            self.names.insert(name, id);
        }
        for (name, attr) in std::mem::take(&mut self.attributes) {
            let id = self
                .loader
                .heap
                .unsupported(format!("{name}.{attr} is assigned by a function"));
            let holder = self.names.get(&name).copied().unwrap_or(ObjectId::MAX);
            if let Some(Object::Class { attrs, .. } | Object::Module { attrs, .. }) =
                self.loader.heap.objects.get_mut(holder as usize)
            {
                attrs.insert(attr, id);
            }
        }
        for (function, mentioned) in std::mem::take(&mut self.functions) {
            let known = mentioned
                .into_iter()
                .filter_map(|name| self.names.get(&name).map(|id| (name, *id)));
            let known: BTreeMap<String, ObjectId> = known.collect();
            if let Some(Object::Function { globals, .. }) =
                self.loader.heap.objects.get_mut(function as usize)
            {
                *globals = known;
            }
        }
        self.names
    }
}

fn is_main(test: &ast::ExprCompare) -> bool {
    matches!(&*test.left, ast::Expr::Name(name) if &*name.id == "__name__")
}

/// The target of an augmented assignment as something to be read.
fn as_load(target: &ast::Expr) -> Result<ast::Expr, Unknown> {
    match target {
        ast::Expr::Name(name) => Ok(ast::Expr::Name(name.clone())),
        _ => Err(unknown(target, "a change of a part")),
    }
}

/// Names that a statement would bind.
fn bound_names(statement: &ast::Stmt) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'a> ast::visitor::Visitor<'a> for Names {
        fn visit_stmt(&mut self, statement: &'a ast::Stmt) {
            match statement {
                ast::Stmt::FunctionDef(def) => self.0.push(def.name.to_string()),
                ast::Stmt::ClassDef(class) => self.0.push(class.name.to_string()),
                ast::Stmt::Import(import) => self.0.extend(import.names.iter().map(|alias| {
                    let first = alias.name.split('.').next().unwrap_or_default();
                    alias.asname.as_deref().unwrap_or(first).to_owned()
                })),
                ast::Stmt::ImportFrom(import) => self.0.extend(
                    import
                        .names
                        .iter()
                        .map(|alias| alias.asname.as_ref().unwrap_or(&alias.name).to_string()),
                ),
                other => ast::visitor::walk_stmt(self, other),
            }
        }
        fn visit_expr(&mut self, expr: &'a ast::Expr) {
            if let ast::Expr::Name(name) = expr {
                // What is read there may be changed as well: `NAMES.append(1)`.
                self.0.push(name.id.to_string());
            }
            ast::visitor::walk_expr(self, expr);
        }
    }
    let mut names = Names(Vec::new());
    ast::visitor::Visitor::visit_stmt(&mut names, statement);
    names.0
}

fn construct(statement: &ast::Stmt) -> &'static str {
    match statement {
        ast::Stmt::For(_) => "a for loop",
        ast::Stmt::While(_) => "a while loop",
        ast::Stmt::With(_) => "a with statement",
        ast::Stmt::Expr(_) => "an expression for its effect",
        ast::Stmt::Raise(_) => "raise",
        ast::Stmt::Assert(_) => "assert",
        ast::Stmt::Match(_) => "match",
        _ => "such a statement",
    }
}
