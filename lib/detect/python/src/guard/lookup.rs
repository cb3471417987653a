//! Looking up fields, and parts of what they hold.

use super::analysis::Analysis;
use super::cond::{Cond, Fact};
use super::expr::Abs;
use super::raises::Raises;
use super::shape::{Absent, Change, Other, Shape};
use crate::ir::{Expr, PathExpr, UnaryOp};
use crate::program::{Const, PathId};

/// Where a lookup begins.
struct Start {
    /// The field that is asked for, from the record on.
    path: PathId,
    /// The part of it that is asked by subscript.
    required: Option<PathId>,
    /// Where what the variable holds is no field, its default may not be asked for another.
    odd: Cond,
    /// `(field or {}).get(key)`: where the field is None, the answer is the same as where the key is missing.
    under_null: bool,
    /// It begins at the record itself, which is a dictionary, and is one key long.
    is_top: bool,
    /// It begins at the record itself.
    is_record: bool,
    /// Whoever made what the variable holds has said what it is where it is no field of the record.
    is_known: bool,
}

impl<'p> Analysis<'p, '_> {
    /// A field of the record, or of a field that a variable holds.
    pub(super) fn path(&mut self, env: &mut [Abs], path: &'p PathExpr) -> Abs {
        let held = env.get(usize::from(path.local)).map(|local| local.shape.clone());
        let Some(start) = held.and_then(|held| self.start(&held, path)) else {
            return Abs::unknown();
        };
        if start.is_known && path.absent.is_none() && is_subscripts(&path.otherwise) {
            return subscripted(start);
        }
        let at = |fact: Fact| Cond::atom(start.path, fact);
        let missing = match start.under_null {
            true => at(Fact::Absent).or(at(Fact::UnderNull)),
            false => at(Fact::Absent),
        };
        let absent_truth = path.absent.map(|id| self.constant(id));
        let (absent_t, absent_f, absent_r) = match absent_truth {
            Some(truth) => (
                truth.t.and(missing.clone()),
                truth.f.and(missing.clone()),
                Cond::False,
            ),
            None => (missing.clone(), missing.clone(), missing),
        };
        // Where the way is odd, what is written in the rule decides: it may do anything.
        let mut odd = start.odd.or(at(Fact::Odd));
        let mut key = Cond::False;
        if let Some(required) = start.required {
            let lacking = Cond::atom(required, Fact::Absent);
            if start.is_record && is_get_of_subscripts(&path.otherwise) {
                key = lacking;
            } else {
                odd = odd.or(lacking);
            }
        }
        if !start.under_null && !start.is_top {
            odd = odd.or(at(Fact::UnderNull));
        }
        let absent = path.absent.map(|id| Absent {
            value: Other::Const(id),
            falsy: false,
            under_null: start.under_null,
        });
        let wrong = odd.clone().or(absent_r);
        Abs {
            t: Cond::any([at(Fact::Filled), absent_t, odd.clone()]),
            f: Cond::any([at(Fact::Empty), absent_f, odd]),
            r: Raises {
                key,
                ..wrong.clone().into()
            },
            x: wrong,
            shape: Shape::Field(start.path, Change::None, absent),
        }
    }

    fn start(&mut self, held: &Shape, path: &PathExpr) -> Option<Start> {
        match held {
            Shape::Record => Some(Start {
                path: path.path,
                required: path.required,
                odd: Cond::False,
                under_null: false,
                is_top: self.paths.is_top(path.path),
                is_record: true,
                is_known: true,
            }),
            Shape::Field(base, Change::None, absent) => {
                let odd = match absent {
                    Some(absent) if !self.is_empty_dict(&absent.value) => absent.when(*base),
                    _ => Cond::False,
                };
                let one_key = self.paths.is_top(path.path);
                Some(Start {
                    required: match path.required {
                        Some(part) => Some(self.paths.below(*base, part)?),
                        None => None,
                    },
                    path: self.paths.below(*base, path.path)?,
                    under_null: one_key && absent.as_ref().is_some_and(|absent| absent.falsy),
                    is_top: false,
                    is_record: false,
                    is_known: absent.is_some() && odd == Cond::False,
                    odd,
                })
            }
            _ => None,
        }
    }

    fn is_empty_dict(&self, value: &Other) -> bool {
        match value {
            Other::Const(id) => {
                matches!(&self.program.consts[*id as usize], Const::Dict(dict) if dict.entries.is_empty())
            }
            // Where it has raised, nothing is asked of it.
            Other::EmptyDict | Other::Raised => true,
            Other::Text(_) | Other::EmptyList => false,
        }
    }

    /// `value[index]`
    pub(super) fn part(&mut self, env: &mut [Abs], value: &'p Expr, index: &'p Expr) -> Abs {
        let value = self.expr(env, value);
        // Both ends of a list that is not empty are there.
        match &value.shape {
            Shape::Parts(end) if self.is_end(index) => Abs {
                shape: (**end).clone(),
                ..Abs::some(Shape::Unknown).after(&value)
            },
            _ => {
                // It may hold what makes the analysis give up.
                self.expr(env, index);
                Abs::unknown()
            }
        }
    }

    fn is_end(&self, index: &Expr) -> bool {
        let number = |expr: &Expr| match expr {
            Expr::Const(id) => match self.program.consts[*id as usize] {
                Const::Int(number) => Some(number),
                _ => None,
            },
            _ => None,
        };
        match index {
            Expr::Unary(UnaryOp::Neg, operand) => number(operand) == Some(1),
            index => matches!(number(index), Some(0 | -1)),
        }
    }
}

/// `rec['a']['b']`: it is there; or `KeyError` where a key is missing, and `TypeError` where something on the way is no
/// dictionary. No texts can be looked up in texts, so that what is no dictionary raises whatever it is; only
/// reading it may leave for CPython.
fn subscripted(start: Start) -> Abs {
    let at = |fact: Fact| Cond::atom(start.path, fact);
    let odd = match start.is_top {
        true => at(Fact::Odd),
        false => at(Fact::Odd).or(at(Fact::UnderNull)),
    };
    // `(field or {})['key']`: what is not true is replaced, and lacks the key.
    let key = match start.is_record {
        true => at(Fact::Absent),
        false => at(Fact::Absent).or(odd.clone()),
    };
    let kind = if start.under_null { at(Fact::Odd) } else { odd };
    Abs {
        t: at(Fact::Filled),
        f: at(Fact::Empty),
        r: Raises {
            key,
            kind,
            other: Cond::False,
        },
        x: at(Fact::Odd),
        shape: Shape::Field(
            start.path,
            Change::None,
            Some(Absent {
                value: Other::Raised,
                falsy: false,
                under_null: false,
            }),
        ),
    }
}

/// Whether an expression is a local with constant keys in brackets behind it.
fn is_subscripts(expr: &Expr) -> bool {
    match expr {
        Expr::Index(parts) => {
            matches!(parts.1, Expr::Const(_))
                && match &parts.0 {
                    Expr::Local(_) => true,
                    Expr::Path(outer) => is_subscripts(&outer.otherwise),
                    _ => false,
                }
        }
        _ => false,
    }
}

/// Whether an expression is such with `get` behind it, once or more often.
fn is_get_of_subscripts(expr: &Expr) -> bool {
    match expr {
        Expr::MethodCall(call) if &*call.site.name == "get" => match &call.value {
            Expr::Path(outer) => is_subscripts(&outer.otherwise) || is_get_of_subscripts(&outer.otherwise),
            _ => false,
        },
        _ => false,
    }
}
