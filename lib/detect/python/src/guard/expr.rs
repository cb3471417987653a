//! What an expression may do, depending on the record.

use super::analysis::Analysis;
use super::cond::{Cond, Fact};
use super::raises::Raises;
use super::shape::{Absent, Change, Other, Shape};
use crate::ir::{CallArgs, Comparisons, ComprehensionKind, Expr, Item, Target, UnaryOp};
use crate::program::{Const, ConstId};

/// What may come of an expression, and when. All four are upper bounds.
#[derive(Debug, Clone)]
pub(super) struct Abs {
    /// It is true.
    pub(super) t: Cond,
    /// It is false.
    pub(super) f: Cond,
    /// It raises an exception, which a handler may catch.
    pub(super) r: Raises,
    /// It leaves for CPython or is over a limit, which no handler catches.
    pub(super) x: Cond,
    /// What its value is.
    pub(super) shape: Shape,
}

impl Abs {
    /// Anything may happen.
    pub(super) const fn unknown() -> Self {
        Self {
            t: Cond::True,
            f: Cond::True,
            r: Raises {
                other: Cond::True,
                ..Raises::NEVER
            },
            x: Cond::True,
            shape: Shape::Unknown,
        }
    }

    /// A value that neither raises nor leaves, of which nothing is known.
    pub(super) const fn some(shape: Shape) -> Self {
        Self {
            t: Cond::True,
            f: Cond::True,
            r: Raises::NEVER,
            x: Cond::False,
            shape,
        }
    }

    pub(super) const fn truth(flag: bool) -> Self {
        Self {
            t: if flag { Cond::True } else { Cond::False },
            f: if flag { Cond::False } else { Cond::True },
            r: Raises::NEVER,
            x: Cond::False,
            shape: Shape::Unknown,
        }
    }

    /// With what may go wrong before.
    pub(super) fn after(mut self, before: &Self) -> Self {
        self.r = before.r.clone().or(self.r);
        self.x = before.x.clone().or(self.x);
        self.shape = Shape::Unknown;
        self
    }

    /// The other truth.
    pub(super) fn not(self) -> Self {
        Self {
            t: self.f,
            f: self.t,
            shape: Shape::Unknown,
            ..self
        }
    }
}

impl<'p> Analysis<'p, '_> {
    /// What may come of an expression.
    pub(super) fn expr(&mut self, env: &mut [Abs], expr: &'p Expr) -> Abs {
        if !self.step() {
            return Abs::unknown();
        }
        match expr {
            Expr::Const(id) => self.constant(*id),
            Expr::Local(slot) => env.get(usize::from(*slot)).cloned().unwrap_or_else(Abs::unknown),
            Expr::Path(path) => self.path(env, path),
            Expr::Memo(memo) => self.expr(env, &memo.expr),
            Expr::Unary(UnaryOp::Not, operand) => self.expr(env, operand).not(),
            Expr::And(parts) => self.and_or(env, parts, true),
            Expr::Or(parts) => self.and_or(env, parts, false),
            Expr::IfElse(parts) => {
                let [test, then, otherwise] = &**parts;
                let test = self.expr(env, test);
                let then = self.expr(env, then);
                let otherwise = self.expr(env, otherwise);
                let pick = |one: Cond, two: Cond| test.t.clone().and(one).or(test.f.clone().and(two));
                Abs {
                    t: pick(then.t, otherwise.t),
                    f: pick(then.f, otherwise.f),
                    r: test
                        .r
                        .clone()
                        .or(then.r.when(&test.t))
                        .or(otherwise.r.when(&test.f)),
                    x: test.x.clone().or(pick(then.x, otherwise.x)),
                    shape: Shape::Unknown,
                }
            }
            Expr::Index(parts) => self.part(env, &parts.0, &parts.1),
            Expr::Compare(compare) => self.chain(env, &compare.0, &compare.1),
            Expr::MethodCall(call) => {
                let receiver = self.expr(env, &call.value);
                self.method(env, &receiver, &call.site.name, &call.args)
            }
            Expr::Call(call) => {
                let func = self.expr(env, &call.func);
                self.call(env, &func, &call.args)
            }
            Expr::Comprehension(comprehension) => {
                let kind = comprehension.kind;
                match &*comprehension.clauses {
                    [clause]
                        if matches!(kind, ComprehensionKind::Any | ComprehensionKind::All)
                            && comprehension.fresh_cells.is_empty() =>
                    {
                        let Target::Local(slot) = clause.target else {
                            return Abs::unknown();
                        };
                        let over = self.expr(env, &clause.iter);
                        self.quantified(env, kind, slot, &over, &clause.conditions, &comprehension.element)
                    }
                    _ => Abs::unknown(),
                }
            }
            Expr::Walrus(_) => {
                // Which expressions are reached, and so which variables they set, is not followed.
                self.give_up();
                Abs::unknown()
            }
            Expr::Dict(entries) if entries.is_empty() => Abs::some(Shape::Unknown),
            Expr::Tuple(items) | Expr::List(items) => {
                // A list may grow before anyone asks for its truth.
                let mut all = match expr {
                    Expr::Tuple(_) => Abs::truth(!items.is_empty()),
                    _ => Abs::some(Shape::Unknown),
                };
                for item in items {
                    let Item::One(item) = item else {
                        return Abs::unknown();
                    };
                    let item = self.expr(env, item);
                    all = all.after(&item);
                }
                all
            }
            _ => Abs::unknown(),
        }
    }

    pub(super) fn constant(&self, id: ConstId) -> Abs {
        let truth = match &self.program.consts[id as usize] {
            Const::None => false,
            Const::Bool(flag) => *flag,
            Const::Int(number) => *number != 0,
            Const::Float(float) => *float != 0.0,
            Const::Str(text) => !text.is_empty(),
            Const::Tuple(seq) | Const::List(seq) => !seq.items.is_empty(),
            Const::Dict(dict) => !dict.entries.is_empty(),
            Const::Set(set) | Const::FrozenSet(set) => !set.entries.is_empty(),
            Const::Function(_) | Const::Builtin(_) | Const::Method(..) => true,
            Const::Unsupported(_) | Const::Singleton(_) | Const::Made(_) => return Abs::unknown(),
            _ => return Abs::some(Shape::Const(id)),
        };
        Abs {
            shape: Shape::Const(id),
            ..Abs::truth(truth)
        }
    }

    /// `a < b < c`
    fn chain(&mut self, env: &mut [Abs], first: &'p Expr, rest: &'p Comparisons) -> Abs {
        let mut left = self.expr(env, first);
        let mut all = Abs {
            f: Cond::False,
            ..Abs::some(Shape::Unknown)
        };
        for (op, right) in rest {
            let right = self.expr(env, right);
            let one = self.compare(*op, &left, &right);
            all = Abs {
                f: all.f.or(all.t.clone().and(one.f)),
                r: all.r.or(one.r.when(&all.t)),
                x: all.x.or(all.t.clone().and(one.x)),
                t: all.t.and(one.t),
                shape: Shape::Unknown,
            };
            left = right;
        }
        all
    }

    /// `field or constant`, `field or field or constant`
    fn or_shape(&self, values: &[Abs], last: &Expr) -> Shape {
        let Some((end, fields)) = values.split_last() else {
            return Shape::Unknown;
        };
        let value = match (&end.shape, last) {
            (Shape::Const(id), _) => Other::Const(*id),
            (_, Expr::Dict(entries)) if entries.is_empty() => Other::EmptyDict,
            (_, Expr::List(items)) if items.is_empty() => Other::EmptyList,
            _ => return Shape::Unknown,
        };
        let mut shapes = Vec::new();
        for field in fields {
            let Shape::Field(path, change, absent) = &field.shape else {
                return Shape::Unknown;
            };
            // Nothing may be left of a text that is not empty.
            if matches!(change, Change::Strip | Change::LowerStrip) {
                return Shape::Unknown;
            }
            let was_false = absent.as_ref().is_none_or(|absent| match &absent.value {
                Other::Const(id) => self.constant(*id).t == Cond::False,
                Other::Text(text) => text.is_empty(),
                Other::EmptyDict | Other::EmptyList | Other::Raised => true,
            });
            if !was_false {
                return Shape::Unknown;
            }
            let absent = Absent {
                value: value.clone(),
                falsy: true,
                under_null: absent.as_ref().is_some_and(|absent| absent.under_null),
            };
            shapes.push(Shape::Field(*path, *change, Some(absent)));
        }
        match shapes.pop() {
            Some(one) if shapes.is_empty() => one,
            Some(one) => {
                shapes.push(one);
                Shape::OneOf(shapes.into())
            }
            None => Shape::Unknown,
        }
    }

    /// What may come of something done with one of several fields: what may come of it with each.
    pub(super) fn each(
        &mut self,
        value: &Abs,
        shapes: &[Shape],
        mut done: impl FnMut(&mut Self, &Abs) -> Abs,
    ) -> Abs {
        let mut all = Abs {
            t: Cond::False,
            f: Cond::False,
            r: value.r.clone(),
            x: value.x.clone(),
            shape: Shape::Unknown,
        };
        for shape in shapes {
            let one = Abs {
                shape: shape.clone(),
                ..value.clone()
            };
            let one = done(self, &one);
            all = Abs {
                t: all.t.or(one.t),
                f: all.f.or(one.f),
                r: all.r.or(one.r),
                x: all.x.or(one.x),
                shape: Shape::Unknown,
            };
        }
        all
    }

    fn and_or(&mut self, env: &mut [Abs], parts: &'p [Expr], all: bool) -> Abs {
        // `reached`: every operand before let this one be evaluated.
        let mut reached = Cond::True;
        let mut stopped = Cond::False;
        let (mut r, mut x) = (Raises::NEVER, Cond::False);
        let mut last = Cond::True;
        let mut values: Vec<Abs> = Vec::new();
        for part in parts {
            let value = self.expr(env, part);
            values.push(value.clone());
            r = r.or(value.r.when(&reached));
            x = x.or(reached.clone().and(value.x));
            let (on, off) = if all {
                (value.t, value.f)
            } else {
                (value.f, value.t)
            };
            stopped = stopped.or(reached.clone().and(off));
            reached = reached.and(on.clone());
            last = reached.clone();
        }
        let (t, f) = if all { (last, stopped) } else { (stopped, last) };
        let shape = match parts.last() {
            Some(last) if !all => self.or_shape(&values, last),
            _ => Shape::Unknown,
        };
        Abs { t, f, r, x, shape }
    }

    /// `any(element for slot in over if conditions)`, over constants.
    fn quantified(
        &mut self,
        env: &mut [Abs],
        kind: ComprehensionKind,
        slot: u16,
        over: &Abs,
        conditions: &'p [Expr],
        element: &'p Expr,
    ) -> Abs {
        let Some(items) = self.items(&over.shape) else {
            return self.over_field(kind, over);
        };
        let mut all = Abs::truth(kind == ComprehensionKind::All);
        let until = kind == ComprehensionKind::Any;
        let (mut hit, mut r, mut x) = (Cond::False, Raises::NEVER, Cond::False);
        for item in items {
            let value = self.constant(item);
            let Some(local) = env.get_mut(usize::from(slot)) else {
                return Abs::unknown();
            };
            *local = value;
            let mut holds = Cond::True;
            for condition in conditions {
                let condition = self.expr(env, condition);
                r = r.or(condition.r.when(&holds));
                x = x.or(holds.clone().and(condition.x));
                holds = holds.and(condition.t);
            }
            let element = self.expr(env, element);
            r = r.or(element.r.when(&holds));
            x = x.or(holds.clone().and(element.x));
            hit = hit.or(holds.and(if until { element.t } else { element.f }));
        }
        if let Some(local) = env.get_mut(usize::from(slot)) {
            *local = Abs::unknown();
        }
        if until {
            (all.t, all.f) = (hit, Cond::True);
        } else {
            (all.t, all.f) = (Cond::True, hit);
        }
        (all.r, all.x) = (r, x);
        all.after(over)
    }

    /// `any(… for … in field or [])`: without elements nothing is evaluated.
    fn over_field(&self, kind: ComprehensionKind, over: &Abs) -> Abs {
        let Some(some) = self.has_elements(over) else {
            return Abs::unknown();
        };
        let any = kind == ComprehensionKind::Any;
        Abs {
            t: if any { some.clone() } else { Cond::True },
            f: if any { Cond::True } else { some.clone() },
            r: over.r.clone().or(some.clone()),
            x: over.x.clone().or(some),
            shape: Shape::Unknown,
        }
    }

    /// When there may be something to go through in `field or []`, or it cannot be gone through. `None`: unknown.
    pub(super) fn has_elements(&self, over: &Abs) -> Option<Cond> {
        let Shape::Field(path, Change::None, Some(absent)) = &over.shape else {
            return None;
        };
        let nothing = match &absent.value {
            Other::EmptyDict | Other::EmptyList | Other::Raised => true,
            Other::Text(text) => text.is_empty(),
            Other::Const(id) => match &self.program.consts[*id as usize] {
                Const::List(seq) | Const::Tuple(seq) => seq.items.is_empty(),
                Const::Dict(dict) => dict.entries.is_empty(),
                Const::Str(text) => text.is_empty(),
                _ => false,
            },
        };
        // What is there and not true stays what it is unless `or` replaces it, and may not be iterable.
        let some = Cond::atom(*path, if absent.falsy { Fact::Filled } else { Fact::Present });
        nothing.then_some(some)
    }

    /// The elements of a constant container, if there are not too many.
    pub(super) fn items(&self, shape: &Shape) -> Option<Vec<ConstId>> {
        const MOST: usize = 2000;
        let Shape::Const(id) = shape else {
            return None;
        };
        let items: Vec<ConstId> = match &self.program.consts[*id as usize] {
            Const::Tuple(seq) | Const::List(seq) => seq.items.to_vec(),
            Const::Set(set) | Const::FrozenSet(set) => set.entries.iter().map(|(_, item)| *item).collect(),
            Const::Dict(dict) => dict.entries.iter().map(|(_, key, _)| *key).collect(),
            _ => return None,
        };
        (items.len() <= MOST).then_some(items)
    }

    /// A positional argument list without stars and names.
    pub(super) fn plain_args(&mut self, env: &mut [Abs], args: &'p CallArgs) -> Option<Vec<Abs>> {
        if !args.keywords.is_empty() {
            return None;
        }
        let mut values = Vec::new();
        for item in &args.positional {
            let Item::One(item) = item else {
                return None;
            };
            values.push(self.expr(env, item));
        }
        Some(values)
    }
}
