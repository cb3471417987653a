//! Calls that a module level may make: constructors of containers, `re.compile`, `functools.partial`, `split`.

use std::collections::BTreeMap;

use ruff_python_ast as ast;

use super::expr::{Unknown, unknown};
use super::module::Module;
use crate::export::{Object, ObjectId};

/// What is called, when it is known.
pub(super) enum Callee<'a> {
    /// Module and name.
    Named(&'a str, &'a str),
}

impl Module<'_, '_> {
    /// A call.
    pub(super) fn call(&mut self, call: &ast::ExprCall) -> Result<ObjectId, Unknown> {
        if let ast::Expr::Attribute(attribute) = &*call.func
            && &*attribute.attr == "split"
            && let Ok(receiver) = self.expr(&attribute.value)
            && let Some(text) = self.loader.heap.text(receiver).map(str::to_owned)
        {
            return self.split(call, &text);
        }
        let func = self.expr(&call.func)?;
        let mut args = Vec::new();
        for arg in &call.arguments.args {
            match arg {
                ast::Expr::Starred(starred) => {
                    let all = self.expr(&starred.value)?;
                    args.extend(
                        self.loader
                            .heap
                            .elements(all)
                            .ok_or_else(|| unknown(arg, "a star"))?,
                    );
                }
                arg => args.push(self.expr(arg)?),
            }
        }
        let mut named = BTreeMap::new();
        let mut order = Vec::new();
        for keyword in &call.arguments.keywords {
            let Some(name) = &keyword.arg else {
                return Err(unknown(call, "a call with **"));
            };
            order.push(name.to_string());
            named.insert(name.to_string(), self.expr(&keyword.value)?);
        }
        let (module, name) = match self.loader.heap.get(func) {
            Object::Builtin { module, name } => (module.clone(), name.clone()),
            Object::Unsupported { reason, .. } => {
                let reason = reason.clone();
                return Ok(self.loader.heap.unsupported(reason));
            }
            _ => return Err(unknown(call, "a call")),
        };
        self.call_named(call, &Callee::Named(&module, &name), &args, &named, &order)
    }

    fn call_named(
        &mut self,
        call: &ast::ExprCall,
        callee: &Callee<'_>,
        args: &[ObjectId],
        named: &BTreeMap<String, ObjectId>,
        order: &[String],
    ) -> Result<ObjectId, Unknown> {
        let Callee::Named(module, name) = *callee;
        match (module, name, args) {
            ("collections", "namedtuple", [_, _]) if named.is_empty() => {
                let class = self.loader.heap.named(module, name);
                // The names, whoever changes the list afterwards.
                let mut args = args.to_vec();
                if let Some(fields) = args.last_mut()
                    && let Object::List { v } = self.loader.heap.get(*fields)
                {
                    let v = v.clone();
                    *fields = self.loader.heap.push(Object::Tuple { v });
                }
                Ok(self.loader.heap.push(Object::Unsupported {
                    reason: "a class of named tuples".to_owned(),
                    call: Some(class),
                    args,
                    func: None,
                    getter: None,
                }))
            }
            ("builtins", "set" | "frozenset" | "list" | "tuple", _) if named.is_empty() && args.len() < 2 => {
                let v = match args {
                    [from] => self
                        .loader
                        .heap
                        .elements(*from)
                        .ok_or_else(|| unknown(call, "such an argument"))?,
                    _ => Vec::new(),
                };
                Ok(self.loader.heap.push(match name {
                    "set" => Object::Set { v },
                    "frozenset" => Object::Frozenset { v },
                    "list" => Object::List { v },
                    _ => Object::Tuple { v },
                }))
            }
            ("builtins", "dict", [] | [_]) => {
                let mut v = Vec::new();
                if let [from] = args {
                    match self.loader.heap.get(*from) {
                        Object::Dict { v: known } => v.extend(known.iter().copied()),
                        _ => return Err(unknown(call, "such an argument of dict")),
                    }
                }
                for name in order {
                    if let Some(value) = named.get(name) {
                        let key = self.loader.heap.str(name);
                        v.push((key, *value));
                    }
                }
                Ok(self.loader.heap.push(Object::Dict { v }))
            }
            ("re", "compile", [pattern] | [pattern, _]) => {
                let flags = args.get(1).or_else(|| named.get("flags"));
                let flags = match flags {
                    Some(flags) => self
                        .loader
                        .heap
                        .int(*flags)
                        .and_then(|flags| u32::try_from(flags).ok()),
                    None => Some(0),
                };
                let is_text = self.loader.heap.text(*pattern).is_some();
                let flags = flags.ok_or_else(|| unknown(call, "such flags"))?;
                // `re.UNICODE`, which every pattern of text has unless it is `re.ASCII`.
                let flags = if is_text && flags & 256 == 0 {
                    flags | 32
                } else {
                    flags
                };
                Ok(self.loader.heap.push(Object::Regex {
                    pattern: *pattern,
                    flags,
                }))
            }
            ("functools", "partial", [func, rest @ ..]) => Ok(self.loader.heap.push(Object::Partial {
                func: *func,
                args: rest.to_vec(),
                kwargs: named.clone(),
            })),
            ("logging", "getLogger", [] | [_])
            | ("streamalert.shared.logger", "get_logger", [_] | [_, _])
                if named.is_empty() =>
            {
                self.logger(call, args.first().copied())
            }
            ("ipaddress" | "datetime", _, _) => self.value(call, (module, name), args, named),
            ("builtins", "len", [of]) => {
                let count = match self.loader.heap.get(*of) {
                    Object::List { v } | Object::Tuple { v } => v.len(),
                    Object::Str { v } => v.chars().count(),
                    _ => return Err(unknown(call, "len of this")),
                };
                Ok(self.loader.heap.push(Object::Int { v: count.to_string() }))
            }
            _ => Err(unknown(call, &format!("a call of {module}.{name}"))),
        }
    }

    fn split(&mut self, call: &ast::ExprCall, text: &str) -> Result<ObjectId, Unknown> {
        let separator = match (&*call.arguments.args, &*call.arguments.keywords) {
            ([], []) => None,
            ([separator], []) => {
                let separator = self.expr(separator)?;
                Some(
                    self.loader
                        .heap
                        .text(separator)
                        .ok_or_else(|| unknown(call, "split"))?
                        .to_owned(),
                )
            }
            _ => return Err(unknown(call, "split with a limit")),
        };
        let parts: Vec<String> = match separator.as_deref() {
            None if text.is_ascii() => {
                // Python's white space holds the separators 0x1c to 0x1f as well.
                let is_space = |c: char| matches!(c, ' ' | '\t'..='\r' | '\u{1c}'..='\u{1f}');
                text.split(is_space)
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect()
            }
            Some(separator) if !separator.is_empty() => text.split(separator).map(str::to_owned).collect(),
            _ => return Err(unknown(call, "split of such a text")),
        };
        let v = parts.iter().map(|part| self.loader.heap.str(part)).collect();
        Ok(self.loader.heap.push(Object::List { v }))
    }
}
