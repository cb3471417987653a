//! Loggers of the module level, and the names that a module has by itself.

use ruff_python_ast as ast;

use super::expr::{Unknown, unknown};
use super::module::Module;
use crate::export::{Object, ObjectId};

/// Calls of a logger or of the module `logging` that bind nothing and change nothing a rule can see.
const HARMLESS: [&str; 10] = [
    "setLevel",
    "basicConfig",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "critical",
    "log",
    "disable",
];

impl Module<'_, '_> {
    /// `__name__` and what else each module has from its beginning. What no compiled rule can have is bound only
    /// where `text`, the module's source, mentions it: it counts as a fallback point of the file.
    pub(super) fn own_names(&mut self, text: &str) {
        let name = super::imports::module_of(self.path);
        let name = self.loader.heap.str(&name);
        self.bind("__name__", name);
        const FILE: &str = "__file__";
        if text.contains(FILE) {
            let reason = "__file__, which depends on where the rules are";
            let file = self.loader.heap.unsupported(reason);
            self.bind(FILE, file);
        }
    }

    /// `getLogger(…)`: an object whose methods write, which the compiler knows.
    pub(super) fn logger(
        &mut self,
        call: &ast::ExprCall,
        name: Option<ObjectId>,
    ) -> Result<ObjectId, Unknown> {
        let heap = &mut self.loader.heap;
        if name.is_some_and(|name| heap.text(name).is_none() && !matches!(heap.get(name), Object::None)) {
            return Err(unknown(call, "a logger whose name is no text"));
        }
        let func = heap.named("logging", "getLogger");
        Ok(heap.push(Object::Unsupported {
            reason: "a logger".to_owned(),
            call: Some(func),
            func: None,
            getter: None,
            args: name.into_iter().collect(),
        }))
    }

    /// Whether it is `LOGGER.setLevel(…)`, `logging.basicConfig(…)` and the like.
    pub(super) fn is_logging(&self, expr: &ast::Expr) -> bool {
        let ast::Expr::Call(call) = expr else { return false };
        let ast::Expr::Attribute(attribute) = &*call.func else {
            return false;
        };
        let ast::Expr::Name(name) = &*attribute.value else {
            return false;
        };
        let heap = &self.loader.heap;
        let is_logger = match self.lookup(&name.id).map(|id| heap.get(id)) {
            Some(Object::Module { name, .. }) => name == "logging",
            Some(Object::Unsupported { call: Some(call), .. }) => {
                matches!(heap.get(*call), Object::Builtin { module, .. } if module == "logging")
            }
            _ => false,
        };
        is_logger && HARMLESS.contains(&attribute.attr.as_str())
    }

    /// Evaluates the arguments of such a call, and nothing more.
    pub(super) fn logging(&mut self, expr: &ast::Expr) -> Result<(), Unknown> {
        let ast::Expr::Call(call) = expr else {
            return Ok(());
        };
        let named = call.arguments.keywords.iter().map(|keyword| &keyword.value);
        for argument in call.arguments.args.iter().chain(named) {
            self.expr(argument)?;
        }
        Ok(())
    }
}
