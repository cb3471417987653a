//! Expressions of the module level.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextSize};

use super::module::Module;
use crate::export::{Object, ObjectId};

/// Where and what is not understood.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) at: TextSize,
    pub(super) what: String,
}

pub(super) fn unknown(at: &impl Ranged, what: &str) -> Unknown {
    Unknown {
        at: at.start(),
        what: what.to_owned(),
    }
}

impl Module<'_, '_> {
    /// The object of an expression.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Result<ObjectId, Unknown> {
        let object = match expr {
            ast::Expr::NoneLiteral(_) => Object::None,
            ast::Expr::BooleanLiteral(inner) => Object::Bool { v: inner.value },
            ast::Expr::NumberLiteral(inner) => return self.number(inner),
            ast::Expr::StringLiteral(inner) if !inner.value.to_str().contains('\u{fffd}') => Object::Str {
                v: inner.value.to_str().to_owned(),
            },
            ast::Expr::BytesLiteral(inner) => Object::Bytes {
                v: base64(&inner.value.bytes().collect::<Vec<u8>>()),
            },
            ast::Expr::EllipsisLiteral(_) => Object::Builtin {
                module: "builtins".to_owned(),
                name: "Ellipsis".to_owned(),
            },
            ast::Expr::List(inner) => Object::List {
                v: self.elements(&inner.elts)?,
            },
            ast::Expr::Tuple(inner) => Object::Tuple {
                v: self.elements(&inner.elts)?,
            },
            ast::Expr::Set(inner) => Object::Set {
                v: self.elements(&inner.elts)?,
            },
            ast::Expr::Dict(inner) => Object::Dict {
                v: self.pairs(inner)?,
            },
            ast::Expr::Name(inner) => return self.name(inner),
            ast::Expr::Attribute(inner) => return self.attribute(inner),
            ast::Expr::Lambda(inner) => return self.lambda(inner),
            ast::Expr::UnaryOp(inner) => return self.unary(inner),
            ast::Expr::BinOp(inner) => return self.binary(inner),
            ast::Expr::Call(inner) => return self.call(inner),
            ast::Expr::If(inner) => {
                let test = self.expr(&inner.test)?;
                let test = self
                    .loader
                    .heap
                    .truth(test)
                    .ok_or_else(|| unknown(inner, "such a condition"))?;
                return self.expr(if test { &inner.body } else { &inner.orelse });
            }
            ast::Expr::Compare(inner) => return self.compare(inner),
            ast::Expr::Subscript(inner) => return self.subscript(inner),
            ast::Expr::ListComp(_) | ast::Expr::SetComp(_) | ast::Expr::DictComp(_) => {
                return self.comprehension(expr);
            }
            _ => return Err(unknown(expr, construct(expr))),
        };
        Ok(self.loader.heap.push(object))
    }

    fn elements(&mut self, elements: &[ast::Expr]) -> Result<Vec<ObjectId>, Unknown> {
        let mut ids = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                ast::Expr::Starred(starred) => {
                    let all = self.expr(&starred.value)?;
                    ids.extend(
                        self.loader
                            .heap
                            .elements(all)
                            .ok_or_else(|| unknown(element, "a star"))?,
                    );
                }
                element => ids.push(self.expr(element)?),
            }
        }
        Ok(ids)
    }

    fn pairs(&mut self, dict: &ast::ExprDict) -> Result<Vec<(ObjectId, ObjectId)>, Unknown> {
        let mut pairs = Vec::with_capacity(dict.items.len());
        for item in &dict.items {
            let Some(key) = &item.key else {
                let all = self.expr(&item.value)?;
                match self.loader.heap.get(all) {
                    Object::Dict { v } => pairs.extend(v.iter().copied()),
                    _ => return Err(unknown(dict, "** of this")),
                }
                continue;
            };
            let key = self.expr(key)?;
            pairs.push((key, self.expr(&item.value)?));
        }
        Ok(pairs)
    }

    fn number(&mut self, inner: &ast::ExprNumberLiteral) -> Result<ObjectId, Unknown> {
        let object = match &inner.value {
            ast::Number::Int(int) => {
                let digits = int.to_string();
                let value = match int.as_i64() {
                    Some(value) => BigInt::from(value),
                    None => {
                        crate::lower::big_literal(&digits).ok_or_else(|| unknown(inner, "such a number"))?
                    }
                };
                Object::Int { v: value.to_string() }
            }
            ast::Number::Float(value) => Object::Float {
                v: format!("{value:?}"),
            },
            ast::Number::Complex { .. } => return Err(unknown(inner, "a complex number")),
        };
        Ok(self.loader.heap.push(object))
    }

    /// A name: of the module, or a built-in.
    pub(super) fn name(&mut self, inner: &ast::ExprName) -> Result<ObjectId, Unknown> {
        let name = inner.id.as_str();
        if let Some(id) = self.lookup(name) {
            return Ok(id);
        }
        if crate::builtins::lookup(name).is_some() || crate::builtins::is_builtin(name) {
            return Ok(self.loader.heap.named("builtins", name));
        }
        Err(unknown(inner, &format!("the name {name}, which is not defined")))
    }

    fn attribute(&mut self, inner: &ast::ExprAttribute) -> Result<ObjectId, Unknown> {
        let value = self.expr(&inner.value)?;
        let attr = inner.attr.as_str();
        match self.loader.heap.get(value) {
            Object::Module { name, attrs } => {
                let name = name.clone();
                match attrs.get(attr) {
                    Some(id) => Ok(*id),
                    None => Ok(self.loader.heap.named(&name, attr)),
                }
            }
            Object::Class { attrs, .. } => {
                let found = attrs
                    .get(attr)
                    .copied()
                    .ok_or_else(|| unknown(inner, "an inherited attribute of a class"))?;
                Ok(match self.loader.heap.get(found) {
                    Object::Staticmethod { func } => *func,
                    Object::Classmethod { func } => {
                        let func = *func;
                        self.loader.heap.push(Object::Method {
                            func,
                            receiver: value,
                        })
                    }
                    _ => found,
                })
            }
            Object::Builtin { module, name } => {
                let (module, name) = (module.clone(), format!("{name}.{attr}"));
                Ok(self.loader.heap.named(&module, &name))
            }
            Object::Unsupported { reason, .. } => {
                let reason = reason.clone();
                Ok(self.loader.heap.unsupported(reason))
            }
            _ => Err(unknown(inner, "an attribute of a value")),
        }
    }

    fn unary(&mut self, inner: &ast::ExprUnaryOp) -> Result<ObjectId, Unknown> {
        let operand = self.expr(&inner.operand)?;
        let object = match (inner.op, self.loader.heap.get(operand)) {
            (ast::UnaryOp::USub, Object::Int { v }) => {
                let value = BigInt::parse_bytes(v.as_bytes(), 10).unwrap_or_default();
                Object::Int {
                    v: (-value).to_string(),
                }
            }
            (ast::UnaryOp::USub, Object::Float { v }) => Object::Float {
                v: v.strip_prefix('-').map_or_else(|| format!("-{v}"), str::to_owned),
            },
            (ast::UnaryOp::Not, _) => {
                let truth = self.loader.heap.truth(operand);
                Object::Bool {
                    v: !truth.ok_or_else(|| unknown(inner, "not of this"))?,
                }
            }
            _ => return Err(unknown(inner, "such an operator")),
        };
        Ok(self.loader.heap.push(object))
    }

    /// Operators of numbers, texts and containers.
    pub(super) fn binary(&mut self, inner: &ast::ExprBinOp) -> Result<ObjectId, Unknown> {
        let left = self.expr(&inner.left)?;
        let right = self.expr(&inner.right)?;
        self.operate(inner, inner.op, left, right)
    }

    pub(super) fn operate(
        &mut self,
        at: &impl Ranged,
        op: ast::Operator,
        left: ObjectId,
        right: ObjectId,
    ) -> Result<ObjectId, Unknown> {
        let refused = || unknown(at, "such an operator of such values");
        let heap = &mut self.loader.heap;
        if let (Some(a), Some(b)) = (heap.int(left), heap.int(right)) {
            let value = match op {
                ast::Operator::Add => a.checked_add(b),
                ast::Operator::Sub => a.checked_sub(b),
                ast::Operator::Mult => a.checked_mul(b),
                ast::Operator::BitOr => Some(a | b),
                ast::Operator::BitAnd => Some(a & b),
                _ => None,
            };
            let value = value.ok_or_else(refused)?;
            return Ok(heap.push(Object::Int { v: value.to_string() }));
        }
        let object = match (op, heap.get(left), heap.get(right)) {
            (ast::Operator::Add, Object::Str { v: a }, Object::Str { v: b }) => {
                Object::Str { v: format!("{a}{b}") }
            }
            (ast::Operator::Add, Object::List { v: a }, Object::List { v: b }) => Object::List {
                v: a.iter().chain(b).copied().collect(),
            },
            (ast::Operator::Add, Object::Tuple { v: a }, Object::Tuple { v: b }) => Object::Tuple {
                v: a.iter().chain(b).copied().collect(),
            },
            (
                ast::Operator::BitOr,
                Object::Set { v: a },
                Object::Set { v: b } | Object::Frozenset { v: b },
            ) => Object::Set {
                v: a.iter().chain(b).copied().collect(),
            },
            (
                ast::Operator::BitOr,
                Object::Frozenset { v: a },
                Object::Set { v: b } | Object::Frozenset { v: b },
            ) => Object::Frozenset {
                v: a.iter().chain(b).copied().collect(),
            },
            _ => return Err(refused()),
        };
        Ok(heap.push(object))
    }

    fn compare(&mut self, inner: &ast::ExprCompare) -> Result<ObjectId, Unknown> {
        let ([op], [right]) = (&*inner.ops, &*inner.comparators) else {
            return Err(unknown(inner, "a chain of comparisons"));
        };
        let left = self.expr(&inner.left)?;
        let right = self.expr(right)?;
        let equal = self
            .loader
            .heap
            .equal(left, right)
            .ok_or_else(|| unknown(inner, "such a comparison"))?;
        let v = match op {
            ast::CmpOp::Eq => equal,
            ast::CmpOp::NotEq => !equal,
            _ => return Err(unknown(inner, "such a comparison")),
        };
        Ok(self.loader.heap.push(Object::Bool { v }))
    }

    fn subscript(&mut self, inner: &ast::ExprSubscript) -> Result<ObjectId, Unknown> {
        let value = self.expr(&inner.value)?;
        let key = self.expr(&inner.slice)?;
        let refused = || unknown(inner, "such an index");
        let found = match self.loader.heap.get(value) {
            Object::List { v } | Object::Tuple { v } => {
                let at = self.loader.heap.int(key).ok_or_else(refused)?;
                let at = if at < 0 { at + v.len() as i64 } else { at };
                usize::try_from(at).ok().and_then(|at| v.get(at)).copied()
            }
            // The last of equal keys counts.
            Object::Dict { v } => v
                .iter()
                .rev()
                .find(|(known, _)| self.loader.heap.equal(*known, key) == Some(true))
                .map(|(_, id)| *id),
            Object::Builtin { .. } | Object::Unsupported { .. } => {
                return Ok(self.loader.heap.unsupported("a generic type"));
            }
            _ => None,
        };
        found.ok_or_else(refused)
    }

    fn lambda(&mut self, lambda: &ast::ExprLambda) -> Result<ObjectId, Unknown> {
        let (defaults, kwdefaults) = match &lambda.parameters {
            Some(parameters) => self.defaults(parameters)?,
            None => Default::default(),
        };
        let line = self.line(lambda.start());
        let mentions = super::mention::Mentions::of_lambda(lambda);
        Ok(self.function(line, "<lambda>", defaults, kwdefaults, (lambda.start(), mentions)))
    }

    /// Values of default arguments.
    pub(super) fn defaults(
        &mut self,
        parameters: &ast::Parameters,
    ) -> Result<(Vec<ObjectId>, BTreeMap<String, ObjectId>), Unknown> {
        let mut defaults = Vec::new();
        for param in parameters.posonlyargs.iter().chain(&parameters.args) {
            if let Some(default) = &param.default {
                defaults.push(self.expr(default)?);
            }
        }
        let mut kwdefaults = BTreeMap::new();
        for param in &parameters.kwonlyargs {
            if let Some(default) = &param.default {
                kwdefaults.insert(param.parameter.name.to_string(), self.expr(default)?);
            }
        }
        Ok((defaults, kwdefaults))
    }
}

fn construct(expr: &ast::Expr) -> &'static str {
    match expr {
        ast::Expr::ListComp(_) | ast::Expr::SetComp(_) | ast::Expr::DictComp(_) | ast::Expr::Generator(_) => {
            "a comprehension"
        }
        ast::Expr::FString(_) => "an f-string",
        ast::Expr::BoolOp(_) => "and, or",
        ast::Expr::StringLiteral(_) => "a text with half a surrogate pair",
        _ => "such an expression",
    }
}

fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at) & 63) as usize;
            out.push(if at <= chunk.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    out
}
