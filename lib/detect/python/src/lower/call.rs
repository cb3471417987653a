//! Calls and attributes.

use ruff_python_ast as ast;

use super::inline::{Inline, inline_candidate};
use super::unit::Unit;
use crate::ir::{Call, CallArgs, ComprehensionKind, Expr, Item, MethodCall, PathExpr};
use crate::methods::MethodSite;
use crate::program::{Const, ConstId};
use crate::registry::ClassAttr;

/// What the attribute of a constant is.
enum Found {
    /// Known.
    Const(ConstId),
    /// To be asked for when it is reached.
    Later,
    /// Not known, with the name to be shown.
    Unknown(String),
}

/// Local, field, what it is when it is missing, and the part of it that must be there.
type GetPath = (u16, u32, Option<ConstId>, Option<u32>);

impl Unit<'_, '_> {
    /// `value.name`
    pub(super) fn attribute(&mut self, inner: &ast::ExprAttribute) -> Expr {
        let value = self.expr(&inner.value);
        let name = self.mangle(&inner.attr);
        match self.member(&value, &name) {
            _ if matches!(value, Expr::Fallback(_)) => value,
            Found::Const(id) => self.constant(inner, id, &name),
            Found::Later => Expr::Attr(Box::new((value, (&*name).into()))),
            Found::Unknown(what) => self.unknown(inner, &what),
        }
    }

    fn member(&mut self, value: &Expr, name: &str) -> Found {
        let Some(known) = self.const_of(value) else {
            return Found::Later;
        };
        match known {
            Const::Module(module) => {
                let module = module.clone();
                let exported = match value {
                    Expr::Const(id) => self.exported_member(*id, name),
                    _ => None,
                };
                exported
                    .or_else(|| self.module_member(&module, name))
                    .map_or_else(|| Found::Unknown(format!("{module}.{name}")), Found::Const)
            }
            Const::Class(class) => match self.shared.classes.get(*class as usize) {
                Some(class) => match class.attrs.get(name) {
                    Some(id) => Found::Const(*id),
                    None => Found::Unknown(format!("{}.{name}", class.name)),
                },
                None => Found::Later,
            },
            Const::NativeClass(class) => match (class.attr)(name) {
                Some(ClassAttr::Function(function)) => {
                    let name = format!("{}.{name}", class.name);
                    Found::Const(
                        self.shared
                            .pool
                            .named(class.module, &name, Const::Builtin(function)),
                    )
                }
                Some(ClassAttr::Value(_)) => Found::Later,
                None => Found::Unknown(format!("{}.{}.{name}", class.module, class.name)),
            },
            _ => Found::Later,
        }
    }

    /// An attribute of one of the user's modules.
    fn exported_member(&self, module: ConstId, name: &str) -> Option<ConstId> {
        match self.shared.objects.get(module as usize)? {
            crate::export::Object::Module { attrs, .. } => attrs.get(name).copied(),
            _ => None,
        }
    }

    /// What one of our modules calls `name`.
    pub(super) fn module_member(&mut self, module: &str, name: &str) -> Option<ConstId> {
        if let Some(value) = crate::modules::lookup(module, name) {
            return Some(self.shared.pool.named(module, name, value));
        }
        let full = format!("{module}.{name}");
        crate::modules::is_known(&full).then(|| {
            self.shared
                .pool
                .named(&full, "", Const::Module(full.as_str().into()))
        })
    }

    /// A call.
    pub(super) fn call(&mut self, inner: &ast::ExprCall) -> Expr {
        if let Some(expr) = self.inlined_call(inner) {
            return expr;
        }
        if let ast::Expr::Attribute(attribute) = &*inner.func {
            return self.method_call(inner, attribute);
        }
        let func = self.expr(&inner.func);
        self.call_of(inner, func)
    }

    fn call_of(&mut self, inner: &ast::ExprCall, func: Expr) -> Expr {
        if let Some(Const::Class(class)) = self.const_of(&func)
            && let Some(class) = self.shared.classes.get(*class as usize)
            && class.exception.is_none()
            && class.instances.is_none()
        {
            let reason = format!("an instance of the class {}", class.name);
            return self.fallback(inner, reason, "use functions, or static and class methods");
        }
        match self.arguments(&inner.arguments) {
            Ok(args) => Expr::Call(Box::new(Call { func, args })),
            Err(fallback) => fallback,
        }
    }

    fn method_call(&mut self, inner: &ast::ExprCall, attribute: &ast::ExprAttribute) -> Expr {
        let value = self.expr(&attribute.value);
        let name = self.mangle(&attribute.attr);
        match self.member(&value, &name) {
            Found::Const(id) => {
                let func = self.constant(attribute, id, &name);
                return self.call_of(inner, func);
            }
            // The arguments are kept: what is handed to the unknown may be changed there.
            Found::Unknown(what) => {
                let func = self.unknown(attribute, &what);
                return self.call_of(inner, func);
            }
            Found::Later => {}
        }
        let args = match self.arguments(&inner.arguments) {
            Ok(args) => args,
            Err(fallback) => return fallback,
        };
        let path = if &*name == "get" {
            self.get_path(&value, &args)
        } else {
            None
        };
        let otherwise = Expr::MethodCall(Box::new(MethodCall {
            value,
            site: MethodSite::new(&name),
            args,
        }));
        match path {
            Some((local, path, absent, required)) => Expr::Path(Box::new(PathExpr {
                local,
                path,
                otherwise,
                absent,
                required,
            })),
            None => otherwise,
        }
    }

    /// `value.get('key')`, `value.get('key', default)` as a field, and what it is when it is missing.
    fn get_path(&mut self, value: &Expr, args: &CallArgs) -> Option<GetPath> {
        if !args.keywords.is_empty() {
            return None;
        }
        let (key, default) = match &*args.positional {
            [Item::One(key)] => (key, None),
            [Item::One(key), Item::One(default)] => (key, Some(default)),
            _ => return None,
        };
        let Some(Const::Str(key)) = self.const_of(key) else {
            return None;
        };
        let key = key.clone();
        // A default that is more than a constant or an empty display has to be evaluated.
        let default = match default {
            None => Some(self.shared.pool.none()),
            Some(Expr::Dict(entries)) if entries.is_empty() => Some(self.shared.pool.empty_dict()),
            Some(Expr::List(items)) if items.is_empty() => Some(self.shared.pool.empty_list()),
            Some(other) => match (self.plain_const(other), other) {
                (Some(id), _) => Some(id),
                // A module's list or dictionary, which is the same object each time.
                (None, Expr::Const(id)) => Some(*id),
                _ => return None,
            },
        };
        let (local, path) = self.path_below(value, &key)?;
        // Absence at an outer level must lead to an empty dictionary that is asked for the next key; or raise, which
        // is then another matter than absence here.
        let (reaches, required) = match value {
            Expr::Path(outer) => match outer.absent {
                Some(id) => {
                    let consts = &self.shared.pool.consts;
                    let empty =
                        matches!(consts.get(id as usize), Some(Const::Dict(dict)) if dict.entries.is_empty());
                    (empty, outer.required)
                }
                None => (matches!(outer.otherwise, Expr::Index(_)), Some(outer.path)),
            },
            _ => (true, None),
        };
        Some((local, path, default.filter(|_| reaches), required))
    }

    fn inlined_call(&mut self, inner: &ast::ExprCall) -> Option<Expr> {
        let (_, inline) = inline_candidate(inner)?;
        let [ast::Expr::Generator(comp)] = &*inner.arguments.args else {
            return None;
        };
        if !self.inlined(comp) {
            return None;
        }
        let elements = [&*comp.elt, &*comp.elt];
        Some(match inline {
            Inline::Whole(kind, _) => self.comprehension(comp, &comp.generators, (kind, true), elements),
            Inline::Argument(kind, _) => {
                let func = self.expr(&inner.func);
                let argument = self.comprehension(comp, &comp.generators, (kind, true), elements);
                let args = CallArgs {
                    positional: Box::new([Item::One(argument)]),
                    keywords: Box::default(),
                };
                Expr::Call(Box::new(Call { func, args }))
            }
            Inline::Join => {
                let ast::Expr::Attribute(attribute) = &*inner.func else {
                    return None;
                };
                let value = self.expr(&attribute.value);
                let argument =
                    self.comprehension(comp, &comp.generators, (ComprehensionKind::List, true), elements);
                let args = CallArgs {
                    positional: Box::new([Item::One(argument)]),
                    keywords: Box::default(),
                };
                Expr::MethodCall(Box::new(MethodCall {
                    value,
                    site: MethodSite::new("join"),
                    args,
                }))
            }
        })
    }

    fn arguments(&mut self, arguments: &ast::Arguments) -> Result<CallArgs, Expr> {
        // Evaluated in the order written, which differs only for `f(name=1, *rest)`.
        let mixed = arguments
            .args
            .last()
            .zip(arguments.keywords.first())
            .is_some_and(|(last, first)| {
                ruff_text_size::Ranged::start(last) > ruff_text_size::Ranged::start(first)
            });
        if mixed && let Some(keyword) = arguments.keywords.first() {
            let advice = "write *arguments before named ones";
            return Err(self.fallback(keyword, "a *argument behind a named one", advice));
        }
        let mut positional = self.items(&arguments.args);
        for item in &mut positional {
            if let Item::One(value) = item {
                self.freeze_argument(value);
            }
        }
        let keywords = arguments
            .keywords
            .iter()
            .map(|keyword| {
                (
                    keyword.arg.as_ref().map(|name| name.as_str().into()),
                    self.expr(&keyword.value),
                )
            })
            .collect();
        Ok(CallArgs { positional, keywords })
    }
}
