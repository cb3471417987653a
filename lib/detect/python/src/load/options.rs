//! Decorators: `@rule(…)`, `@disable`, static and class methods.

use std::collections::BTreeMap;

use ruff_python_ast as ast;
use ruff_text_size::Ranged;
use serde_json::Value;

use super::expr::{Unknown, unknown};
use super::module::Module;
use super::{LoadedRule, members};
use crate::export::{ExportedRule, Object, ObjectId};

/// Options deeper than this are none.
const DEPTH_MAX: u32 = 16;

/// Whether an object is the decorator of this name of our package.
fn is_ours(object: &Object, wanted: &str) -> bool {
    matches!(object, Object::Builtin { module, name } if module.starts_with("streamalert") && name == wanted)
}

impl Module<'_, '_> {
    /// What the name of a decorated function is bound to.
    pub(super) fn decorate(
        &mut self,
        def: &ast::StmtFunctionDef,
        func: ObjectId,
        line: u32,
    ) -> Result<ObjectId, Unknown> {
        let mut value = func;
        let mut disabled = false;
        let mut rule = None;
        for decorator in def.decorator_list.iter().rev() {
            let (callee, call) = match &decorator.expression {
                ast::Expr::Call(call) => (&*call.func, Some(call)),
                other => (other, None),
            };
            let callee = self.expr(callee)?;
            let object = self.loader.heap.get(callee).clone();
            match (&object, call) {
                (object, None) if is_ours(object, "disable") => disabled = true,
                (object, None) if is_ours(object, "Register") => {
                    self.loader.publishers.insert(value);
                }
                (object, Some(call)) if is_ours(object, "rule") => {
                    rule = Some(self.rule(def, call, func, line)?);
                    value = self.loader.heap.unsupported(format!("the rule {}", def.name));
                }
                (object, None) if is_ours(object, "rule") => {
                    return Err(unknown(
                        decorator,
                        "@rule without arguments, which needs logs or datatypes,",
                    ));
                }
                (Object::Builtin { module, name }, None)
                    if module == "builtins" && name == "staticmethod" =>
                {
                    value = self.loader.heap.push(Object::Staticmethod { func: value });
                }
                (Object::Builtin { module, name }, None) if module == "builtins" && name == "classmethod" => {
                    value = self.loader.heap.push(Object::Classmethod { func: value });
                }
                (Object::Builtin { module, name }, _)
                    if module == "functools" && matches!(name.as_str(), "lru_cache" | "cache") =>
                {
                    value = self.loader.heap.push(Object::Unsupported {
                        reason: "a function under functools.lru_cache".to_owned(),
                        call: None,
                        args: Vec::new(),
                        func: Some(value),
                        getter: None,
                    });
                }
                (Object::Builtin { module, name }, None) if module == "builtins" && name == "property" => {
                    value = self.loader.heap.push(Object::Unsupported {
                        reason: "a property".to_owned(),
                        call: None,
                        args: Vec::new(),
                        func: None,
                        getter: Some(value),
                    });
                }
                _ => {
                    let reason = format!("the decorator of {} is not known to the native engine", def.name);
                    value = self.loader.heap.unsupported(reason);
                }
            }
        }
        if let Some((mut rule, exported)) = rule {
            rule.disabled = disabled;
            if let Some((known, _)) = self
                .loader
                .rules
                .iter()
                .find(|(known, _)| known.name == rule.name)
            {
                let what = format!(
                    "rule [{}] already defined in {}:{}",
                    rule.name, known.file, known.line
                );
                let line = self.line(def.start());
                self.loader.problem(self.path, line, &what);
            } else {
                self.loader.rules.push((rule, exported));
            }
        }
        Ok(value)
    }

    fn rule(
        &mut self,
        def: &ast::StmtFunctionDef,
        call: &ast::ExprCall,
        func: ObjectId,
        line: u32,
    ) -> Result<(LoadedRule, ExportedRule), Unknown> {
        if let Some(arg) = call.arguments.args.first() {
            return Err(unknown(arg, "an option of a rule without name"));
        }
        let mut options = BTreeMap::new();
        let mut exported = ExportedRule {
            name: def.name.to_string(),
            func,
            matchers: Vec::new(),
            dynamic_outputs: Vec::new(),
            context: None,
        };
        for keyword in &call.arguments.keywords {
            let Some(name) = &keyword.arg else {
                return Err(unknown(keyword, "** among the options of a rule"));
            };
            let value = self.expr(&keyword.value)?;
            match name.as_str() {
                "matchers" => exported.matchers = self.callables(keyword, value)?,
                "dynamic_outputs" => exported.dynamic_outputs = self.callables(keyword, value)?,
                "context" => {
                    let is_none = matches!(self.loader.heap.get(value), Object::None);
                    exported.context = (!is_none).then_some(value);
                }
                "publishers" => {
                    let refused = || unknown(keyword, "such a publisher");
                    // Numbers and the like are none, which is no error.
                    let plan = self.publishers(value, 0).or_else(|| self.json(value, 0));
                    let plan = plan.ok_or_else(refused)?;
                    options.insert("publishers".to_owned(), plan);
                }
                name => {
                    let what = || {
                        unknown(
                            keyword,
                            &format!("the option {name} of a rule, which is no plain data,"),
                        )
                    };
                    options.insert(name.to_owned(), self.json(value, 0).ok_or_else(what)?);
                }
            }
        }
        let filled = |name: &str| match options.get(name) {
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(items)) => !items.is_empty(),
            Some(Value::String(text)) => !text.is_empty(),
            _ => false,
        };
        if !filled("logs") && !filled("datatypes") {
            return Err(unknown(
                call,
                &format!(
                    "rule [{}], which applies to nothing: give it logs or datatypes: it",
                    def.name
                ),
            ));
        }
        if matches!(options.get("logs"), Some(Value::String(_))) {
            return Err(unknown(
                call,
                &format!(
                    "logs of rule [{}], which is text where a list is meant,",
                    def.name
                ),
            ));
        }
        let description = def.body.first().and_then(|statement| match statement {
            ast::Stmt::Expr(inner) => match &*inner.value {
                ast::Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
                _ => None,
            },
            _ => None,
        });
        let rule = LoadedRule {
            name: def.name.to_string(),
            file: self.path.to_owned(),
            line,
            description,
            options,
            disabled: false,
        };
        Ok((rule, exported))
    }

    fn callables(&mut self, at: &ast::Keyword, value: ObjectId) -> Result<Vec<ObjectId>, Unknown> {
        let ids = match self.loader.heap.get(value) {
            Object::None => Vec::new(),
            Object::List { v } | Object::Tuple { v } | Object::Set { v } | Object::Frozenset { v } => {
                members(v)
            }
            _ => return Err(unknown(at, "an option of a rule that is no list")),
        };
        // `Class.method` of a static method is the function.
        let bound = |id: ObjectId| match self.loader.heap.get(id) {
            Object::Staticmethod { func } => *func,
            _ => id,
        };
        Ok(ids.into_iter().map(bound).collect())
    }

    /// Publishers by dotted name: one, several, or either by output.
    fn publishers(&self, id: ObjectId, depth: u32) -> Option<Value> {
        const PUBLISHERS: [&str; 2] = ["streamalert.shared.publisher", "streamalert.publishers"];
        // Where the user's repository lacks these, they are ours.
        const COMMUNITY: &str = "publishers.community.";
        let heap = &self.loader.heap;
        let module = |source: u32| {
            let source = self.loader.sources.get(source as usize)?;
            Some(super::imports::module_of(&source.file))
        };
        match heap.get(id) {
            Object::List { v } if v.is_empty() && depth < 1 => Some(Value::Null),
            Object::List { v } if depth < 2 => {
                let all = v.iter().map(|id| self.publishers(*id, 2));
                Some(Value::Array(all.collect::<Option<Vec<Value>>>()?))
            }
            Object::Dict { v } if depth < 1 => {
                let mut map = serde_json::Map::new();
                for (output, of) in v {
                    map.insert(heap.text(*output)?.to_owned(), self.publishers(*of, 1)?);
                }
                Some(Value::Object(map))
            }
            Object::None if depth < 1 => Some(Value::Null),
            Object::Str { v } => Some(Value::String(v.clone())),
            Object::Builtin { module, name }
                if PUBLISHERS.contains(&module.as_str()) || module.starts_with(COMMUNITY) =>
            {
                Some(Value::String(format!("{module}.{name}")))
            }
            // One that is not registered is left out by CPython, with a warning.
            Object::Function { source, name, .. } if self.loader.publishers.contains(&id) => {
                Some(Value::String(format!("{}.{name}", module(*source)?)))
            }
            Object::Class { source, name, .. } if self.loader.publishers.contains(&id) => {
                Some(Value::String(format!("{}.{name}", module(*source)?)))
            }
            _ => None,
        }
    }

    /// Plain data as JSON.
    fn json(&self, id: ObjectId, depth: u32) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        let heap = &self.loader.heap;
        Some(match heap.get(id) {
            Object::None => Value::Null,
            Object::Bool { v } => Value::Bool(*v),
            Object::Int { v } => Value::from(v.parse::<i64>().ok()?),
            Object::Float { v } => Value::from(v.parse::<f64>().ok()?),
            Object::Str { v } => Value::String(v.clone()),
            Object::List { v } | Object::Tuple { v } | Object::Set { v } | Object::Frozenset { v } => {
                Value::Array(
                    v.iter()
                        .map(|id| self.json(*id, depth + 1))
                        .collect::<Option<Vec<Value>>>()?,
                )
            }
            Object::Dict { v } => {
                let mut map = serde_json::Map::new();
                for (key, value) in v {
                    map.insert(heap.text(*key)?.to_owned(), self.json(*value, depth + 1)?);
                }
                Value::Object(map)
            }
            _ => return None,
        })
    }
}
