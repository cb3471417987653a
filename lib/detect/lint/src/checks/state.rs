//! What a rule must leave alone: globals, defaults, the world outside; and patterns that never end.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use crate::Code;
use crate::module::{Locals, Module};
use crate::regex::backtracks;
use crate::rule::resolved;
use crate::source::Sink;

/// Methods that change what they are called on.
pub(super) const CHANGING: [&str; 15] = [
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "popleft",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

/// Functions that wait, read, write or talk to somebody.
const OUTSIDE: [&str; 14] = [
    "input",
    "io.open",
    "open",
    "os.popen",
    "os.system",
    "pathlib.Path.open",
    "socket.create_connection",
    "socket.getaddrinfo",
    "socket.getfqdn",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.socket",
    "time.sleep",
    "urllib.request.urlopen",
];

/// Modules all of whose functions do.
const OUTSIDE_MODULES: [&str; 9] = [
    "boto3.",
    "ftplib.",
    "http.client.",
    "requests.",
    "smtplib.",
    "subprocess.",
    "telnetlib.",
    "urllib.request.",
    "urllib3.",
];

/// Checks all functions of a file, and the patterns at its module level.
pub(crate) fn check_module(sink: &mut Sink<'_>, body: &[Stmt], module: &Module<'_>) {
    let mut visitor = State {
        sink,
        module,
        functions: Vec::new(),
    };
    visitor.visit_body(body);
}

struct State<'s, 'f, 'a> {
    sink: &'s mut Sink<'f>,
    module: &'s Module<'a>,
    /// The functions around, outermost first.
    functions: Vec<Locals<'a>>,
}

impl State<'_, '_, '_> {
    /// The global that a chain of subscripts and attributes begins with.
    fn global_root<'e>(&self, expr: &'e Expr) -> Option<&'e str> {
        let mut expr = expr;
        loop {
            expr = match expr {
                Expr::Subscript(subscript) => &subscript.value,
                Expr::Name(name) => {
                    let id = name.id.as_str();
                    let is_global = self.functions.iter().all(|locals| locals.is_global(id));
                    let is_known = self.module.globals.contains_key(id);
                    return Some(id).filter(|_| is_global && is_known);
                }
                _ => return None,
            };
        }
    }

    fn changed(&mut self, target: &Expr) {
        if self.functions.is_empty() || !matches!(target, Expr::Subscript(_)) {
            return;
        }
        if let Some(name) = self.global_root(target) {
            self.told(target, name);
        }
    }

    fn told(&mut self, at: &Expr, name: &str) {
        let message = format!("the global {name} is changed here");
        let fix = "use context, merge_by_keys or a lookup table, or make it a constant";
        self.sink.add(at.range(), Code::GlobalChanged, message, fix);
    }

    fn call(&mut self, call: &ast::ExprCall) {
        if let Expr::Attribute(attribute) = &*call.func
            && !self.functions.is_empty()
            && CHANGING.contains(&attribute.attr.as_str())
            && let Some(name) = self.global_root(&attribute.value)
        {
            self.told(&call.func, name);
        }
        let Some(name) = self.module.full_name(&call.func) else {
            return;
        };
        self.outside(call, &name);
        if name.starts_with("re.") {
            self.pattern(call);
        }
    }

    fn outside(&mut self, call: &ast::ExprCall, name: &str) {
        let root = name.split('.').next().unwrap_or_default();
        let is_local =
            self.functions.iter().any(|locals| locals.count(root) > 0) && !self.module.is_imported(root);
        let is_outside =
            OUTSIDE.contains(&name) || OUTSIDE_MODULES.iter().any(|module| name.starts_with(module));
        if is_outside && !is_local && !self.functions.is_empty() {
            let message = format!("{name} in a rule: every record waits for it");
            let fix = "read it once at the module level, or use a lookup table";
            self.sink.add(call.func.range(), Code::InputOutput, message, fix);
        }
    }

    fn pattern(&mut self, call: &ast::ExprCall) {
        let Some(pattern) = call.arguments.find_argument_value("pattern", 0) else {
            return;
        };
        if let Expr::StringLiteral(text) = resolved(self.module, pattern)
            && let Some(part) = backtracks(text.value.to_str())
        {
            let message =
                format!("{part} repeats what repeats: a text that nearly matches takes time without end");
            let fix = "let each character be matched in one way only";
            self.sink.add(pattern.range(), Code::Backtracking, message, fix);
        }
    }

    fn defaults(&mut self, function: &ast::StmtFunctionDef) {
        for parameter in function.parameters.iter() {
            let Some(default) = parameter.default() else {
                continue;
            };
            let made = match default {
                Expr::Call(call) => {
                    let name = self.module.full_name(&call.func);
                    name.is_some_and(|name| {
                        matches!(name.as_str(), "list" | "dict" | "set" | "collections.defaultdict")
                    })
                }
                Expr::List(_) | Expr::Dict(_) | Expr::Set(_) => true,
                Expr::ListComp(_) | Expr::DictComp(_) | Expr::SetComp(_) => true,
                _ => false,
            };
            if made {
                let message = format!("the default of {} is shared by all calls", parameter.name());
                let fix = "write None, and make a new one inside";
                self.sink.add(default.range(), Code::MutableDefault, message, fix);
            }
        }
    }
}

impl<'a> Visitor<'a> for State<'_, '_, 'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => {
                self.defaults(function);
                for decorator in &function.decorator_list {
                    self.visit_decorator(decorator);
                }
                self.functions.push(Locals::of(function));
                self.visit_body(&function.body);
                self.functions.pop();
                return;
            }
            Stmt::Global(global) if !self.functions.is_empty() => {
                for name in &global.names {
                    let message = format!("the global {name} is set by a function");
                    let fix = "use context, merge_by_keys or a lookup table";
                    self.sink.add(name.range(), Code::GlobalChanged, message, fix);
                }
            }
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.changed(target)),
            Stmt::AugAssign(assign) => self.changed(&assign.target),
            Stmt::Delete(delete) => delete.targets.iter().for_each(|target| self.changed(target)),
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.call(call);
        }
        walk_expr(self, expr);
    }
}
