//! What an expression may do, depending on the record.

use std::rc::Rc;

use super::analysis::Analysis;
use super::cond::{Cond, Fact};
use crate::ir::{CallArgs, CompareOp, ComprehensionKind, Expr, Item, PathExpr, Target, UnaryOp};
use crate::program::{Const, ConstId, PathId};

/// What may come of an expression, and when. All four are upper bounds.
#[derive(Debug, Clone)]
pub(super) struct Abs {
    /// It is true.
    pub(super) t: Cond,
    /// It is false.
    pub(super) f: Cond,
    /// It raises an exception, which a handler may catch.
    pub(super) r: Cond,
    /// It leaves for CPython or is over a limit, which no handler catches.
    pub(super) x: Cond,
    /// What its value is.
    pub(super) shape: Shape,
}

/// What is known of a value.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Nothing.
    Unknown,
    /// The record.
    Record,
    /// A constant.
    Const(ConstId),
    /// The value of a field, changed in some way; and what it is where the field is absent.
    Field(PathId, Change, Option<Absent>),
}

/// How a field's text was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Lower,
    Upper,
}

/// The value in place of an absent field.
#[derive(Debug, Clone)]
pub(super) enum Absent {
    Const(ConstId),
    Text(Rc<str>),
}

impl Abs {
    /// Anything may happen.
    pub(super) const fn unknown() -> Self {
        Self {
            t: Cond::True,
            f: Cond::True,
            r: Cond::True,
            x: Cond::True,
            shape: Shape::Unknown,
        }
    }

    /// A value that neither raises nor leaves, of which nothing is known.
    pub(super) const fn some(shape: Shape) -> Self {
        Self {
            t: Cond::True,
            f: Cond::True,
            r: Cond::False,
            x: Cond::False,
            shape,
        }
    }

    const fn truth(flag: bool) -> Self {
        Self {
            t: if flag { Cond::True } else { Cond::False },
            f: if flag { Cond::False } else { Cond::True },
            r: Cond::False,
            x: Cond::False,
            shape: Shape::Unknown,
        }
    }

    /// With what may go wrong before.
    fn after(mut self, before: &Self) -> Self {
        self.r = before.r.clone().or(self.r);
        self.x = before.x.clone().or(self.x);
        self.shape = Shape::Unknown;
        self
    }

    /// The other truth.
    fn not(self) -> Self {
        Self {
            t: self.f,
            f: self.t,
            shape: Shape::Unknown,
            ..self
        }
    }
}

impl<'p> Analysis<'p> {
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
                    r: test.r.clone().or(pick(then.r, otherwise.r)),
                    x: test.x.clone().or(pick(then.x, otherwise.x)),
                    shape: Shape::Unknown,
                }
            }
            Expr::Compare(compare) => match &*compare.1 {
                [(op, right)] => {
                    let left = self.expr(env, &compare.0);
                    let right = self.expr(env, right);
                    self.compare(*op, &left, &right)
                }
                _ => Abs::unknown(),
            },
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

    fn constant(&self, id: ConstId) -> Abs {
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

    fn path(&mut self, env: &mut [Abs], path: &'p PathExpr) -> Abs {
        let is_record = env
            .get(usize::from(path.local))
            .is_some_and(|local| matches!(local.shape, Shape::Record));
        if !is_record {
            return Abs::unknown();
        }
        let at = |fact: Fact| Cond::atom(path.path, fact);
        let absent_truth = path.absent.map(|id| self.constant(id));
        let (absent_t, absent_f, absent_r) = match absent_truth {
            Some(truth) => (
                truth.t.and(at(Fact::Absent)),
                truth.f.and(at(Fact::Absent)),
                Cond::False,
            ),
            None => (at(Fact::Absent), at(Fact::Absent), at(Fact::Absent)),
        };
        // Where the way is odd, what is written in the rule decides: it may do anything.
        let odd = at(Fact::Odd);
        Abs {
            t: Cond::any([at(Fact::Present), absent_t, odd.clone()]),
            f: Cond::any([at(Fact::Present), absent_f, odd.clone()]),
            r: odd.clone().or(absent_r.clone()),
            x: odd.or(absent_r),
            shape: Shape::Field(path.path, Change::None, path.absent.map(Absent::Const)),
        }
    }

    fn and_or(&mut self, env: &mut [Abs], parts: &'p [Expr], all: bool) -> Abs {
        // `reached`: every operand before let this one be evaluated.
        let mut reached = Cond::True;
        let mut stopped = Cond::False;
        let (mut r, mut x) = (Cond::False, Cond::False);
        let mut last = Cond::True;
        for part in parts {
            let value = self.expr(env, part);
            r = r.or(reached.clone().and(value.r));
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
        Abs {
            t,
            f,
            r,
            x,
            shape: Shape::Unknown,
        }
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
            return Abs::unknown();
        };
        let mut all = Abs::truth(kind == ComprehensionKind::All);
        let until = kind == ComprehensionKind::Any;
        let (mut hit, mut r, mut x) = (Cond::False, Cond::False, Cond::False);
        for item in items {
            let value = self.constant(item);
            let Some(local) = env.get_mut(usize::from(slot)) else {
                return Abs::unknown();
            };
            *local = value;
            let mut holds = Cond::True;
            for condition in conditions {
                let condition = self.expr(env, condition);
                r = r.or(holds.clone().and(condition.r));
                x = x.or(holds.clone().and(condition.x));
                holds = holds.and(condition.t);
            }
            let element = self.expr(env, element);
            r = r.or(holds.clone().and(element.r));
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

    fn method(&mut self, env: &mut [Abs], receiver: &Abs, name: &str, args: &'p CallArgs) -> Abs {
        let Some(values) = self.plain_args(env, args) else {
            return Abs::unknown();
        };
        if let Some(matched) = self.pattern_method(receiver, name, &values) {
            return matched;
        }
        let Shape::Field(path, change, absent) = &receiver.shape else {
            return Abs::unknown();
        };
        let Some(absent_text) = self.absent_text(absent.as_ref()) else {
            // The default is no text: calling the method on it raises, or does something else.
            return Abs::unknown();
        };
        let at = |fact: Fact| Cond::atom(*path, fact);
        match (name, &*values) {
            ("lower" | "upper", []) if *change == Change::None => {
                let change = if name == "lower" {
                    Change::Lower
                } else {
                    Change::Upper
                };
                let absent = absent_text.map(|text| {
                    Absent::Text(
                        if name == "lower" {
                            text.to_lowercase()
                        } else {
                            text.to_uppercase()
                        }
                        .into(),
                    )
                });
                Abs {
                    r: receiver.r.clone().or(at(Fact::NotText)),
                    x: receiver.x.clone().or(at(Fact::NotText)),
                    shape: Shape::Field(*path, change, absent),
                    ..Abs::some(Shape::Unknown)
                }
            }
            ("startswith" | "endswith", [affix]) if *change != Change::Upper => {
                let Some(affixes) = self.texts(&affix.shape) else {
                    return Abs::unknown();
                };
                let starts = name == "startswith";
                let mut t = Cond::any(affixes.iter().map(|affix| {
                    at(match (change, starts) {
                        (Change::None, true) => Fact::Prefix((&**affix).into()),
                        (Change::None, false) => Fact::Suffix((&**affix).into()),
                        // The index has no prefixes of lower-case forms: what begins so, holds it.
                        _ => Fact::LowerContains((&**affix).into()),
                    })
                }));
                let fits = |text: &str, affix: &str| {
                    if starts {
                        text.starts_with(affix)
                    } else {
                        text.ends_with(affix)
                    }
                };
                if absent_text.is_some_and(|text| affixes.iter().any(|affix| fits(&text, affix))) {
                    t = t.or(at(Fact::Absent));
                }
                let wrong = at(Fact::NotText);
                Abs {
                    t,
                    f: Cond::True,
                    r: receiver.r.clone().or(wrong.clone()),
                    x: receiver.x.clone().or(wrong),
                    shape: Shape::Unknown,
                }
                .after(affix)
            }
            _ => Abs::unknown(),
        }
    }

    /// What an absent field's text is: outer `None` when it is not a text, inner `None` when absence raises.
    #[expect(clippy::option_option, reason = "three answers: no text, raises, this text")]
    fn absent_text(&self, absent: Option<&Absent>) -> Option<Option<Rc<str>>> {
        match absent {
            None => Some(None),
            Some(Absent::Text(text)) => Some(Some(text.clone())),
            Some(Absent::Const(id)) => match &self.program.consts[*id as usize] {
                Const::Str(text) => Some(Some(Rc::from(&**text))),
                _ => None,
            },
        }
    }

    /// The texts of a constant text or tuple of texts.
    fn texts(&self, shape: &Shape) -> Option<Vec<Rc<str>>> {
        match shape {
            Shape::Const(id) => match &self.program.consts[*id as usize] {
                Const::Str(text) => Some(vec![Rc::from(&**text)]),
                Const::Tuple(seq) => {
                    let text = |id: &ConstId| match &self.program.consts[*id as usize] {
                        Const::Str(text) => Some(Rc::from(&**text)),
                        _ => None,
                    };
                    seq.items.iter().map(text).collect()
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn compare(&mut self, op: CompareOp, left: &Abs, right: &Abs) -> Abs {
        let compared = match (op, &left.shape, &right.shape) {
            (CompareOp::Eq | CompareOp::Ne, Shape::Field(path, change, absent), Shape::Const(id))
            | (CompareOp::Eq | CompareOp::Ne, Shape::Const(id), Shape::Field(path, change, absent)) => {
                self.equal(*path, *change, absent.as_ref(), &[*id])
            }
            (
                CompareOp::Is | CompareOp::IsNot,
                Shape::Field(path, Change::None, absent),
                Shape::Const(id),
            ) if matches!(self.program.consts[*id as usize], Const::None) => {
                self.equal(*path, Change::None, absent.as_ref(), &[*id])
            }
            (CompareOp::In | CompareOp::NotIn, Shape::Field(path, change, absent), Shape::Const(_)) => {
                self.member(*path, *change, absent.as_ref(), &right.shape)
            }
            (CompareOp::In | CompareOp::NotIn, Shape::Const(id), Shape::Field(path, change, absent)) => {
                self.substring(*path, *change, absent.as_ref(), *id)
            }
            (
                CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge,
                Shape::Field(path, Change::None, absent),
                Shape::Const(id),
            ) => self.ordered(op, *path, absent.as_ref(), *id),
            _ => None,
        };
        let Some(compared) = compared else {
            return Abs::unknown();
        };
        let compared = match op {
            CompareOp::Ne | CompareOp::IsNot | CompareOp::NotIn => compared.not(),
            _ => compared,
        };
        compared.after(right).after(left)
    }

    /// `field == constant`, for one of several constants. `None` when one of them is of a kind without a fact.
    fn equal(&self, path: PathId, change: Change, absent: Option<&Absent>, ids: &[ConstId]) -> Option<Abs> {
        let mut t = Vec::new();
        for id in ids {
            let fact = match (&self.program.consts[*id as usize], change) {
                (Const::Str(text), Change::None) => Fact::Text(text.clone()),
                (Const::Str(text), Change::Lower) => Fact::Lower(text.clone()),
                (Const::Str(text), Change::Upper) => Fact::Upper(text.clone()),
                // A changed field is a text, which equals nothing else.
                (Const::Int(_) | Const::Bool(_) | Const::None, Change::Lower | Change::Upper) => continue,
                (Const::Int(number), Change::None) => Fact::Int(*number),
                (Const::Bool(flag), Change::None) => Fact::Int(i64::from(*flag)),
                (Const::None, Change::None) => Fact::Null,
                _ => return None,
            };
            t.push(Cond::atom(path, fact));
        }
        if absent.is_some_and(|absent| ids.iter().any(|id| self.may_equal(absent, *id))) {
            t.push(Cond::atom(path, Fact::Absent));
        }
        Some(Abs {
            t: Cond::any(t),
            f: Cond::True,
            r: Cond::False,
            x: Cond::False,
            shape: Shape::Unknown,
        })
    }

    /// Whether an absent field's default may equal a constant.
    fn may_equal(&self, absent: &Absent, id: ConstId) -> bool {
        let constant = &self.program.consts[id as usize];
        match (absent, constant) {
            (Absent::Text(text), Const::Str(other)) => **text == **other,
            (Absent::Text(_), _) => false,
            (Absent::Const(default), other) => match (&self.program.consts[*default as usize], other) {
                (Const::Str(one), Const::Str(two)) => one == two,
                (Const::None, Const::None) => true,
                (Const::None, Const::Str(_) | Const::Int(_) | Const::Bool(_)) => false,
                (Const::Str(_), Const::None | Const::Int(_) | Const::Bool(_)) => false,
                (Const::Dict(_) | Const::List(_), Const::Str(_) | Const::Int(_) | Const::None) => false,
                _ => true,
            },
        }
    }

    /// `field in constant`.
    fn member(
        &self,
        path: PathId,
        change: Change,
        absent: Option<&Absent>,
        container: &Shape,
    ) -> Option<Abs> {
        let items = self.items(container)?;
        let mut compared = self.equal(path, change, absent, &items)?;
        let Shape::Const(id) = container else {
            return None;
        };
        // A list or dictionary is unhashable, so that looking it up in these raises.
        let hashed = matches!(
            self.program.consts[*id as usize],
            Const::Set(_) | Const::FrozenSet(_) | Const::Dict(_)
        );
        if hashed {
            let wrong = Cond::atom(path, Fact::Container);
            let default_raises = absent.is_some_and(|absent| match absent {
                Absent::Const(default) => matches!(
                    self.program.consts[*default as usize],
                    Const::Dict(_) | Const::List(_) | Const::Set(_) | Const::Tuple(_) | Const::Unsupported(_)
                ),
                Absent::Text(_) => false,
            });
            let absent = if default_raises {
                Cond::atom(path, Fact::Absent)
            } else {
                Cond::False
            };
            compared.r = wrong.clone().or(absent.clone());
            compared.x = wrong.or(absent);
        }
        Some(compared)
    }

    /// `constant in field`.
    fn substring(&self, path: PathId, change: Change, absent: Option<&Absent>, id: ConstId) -> Option<Abs> {
        let Const::Str(needle) = &self.program.consts[id as usize] else {
            return None;
        };
        let holds = match change {
            Change::None => Fact::Contains(needle.clone()),
            Change::Lower => Fact::LowerContains(needle.clone()),
            Change::Upper => return None,
        };
        // In a list or dictionary it may be an element; anything else raises.
        let other = Cond::atom(path, Fact::NotText);
        let default = match absent {
            None => Cond::False,
            Some(Absent::Text(text)) if !text.contains(&**needle) => Cond::False,
            Some(Absent::Const(default)) => match &self.program.consts[*default as usize] {
                Const::Str(text) if !text.contains(&**needle) => Cond::False,
                Const::List(seq) | Const::Tuple(seq) if seq.items.is_empty() => Cond::False,
                Const::Dict(dict) if dict.entries.is_empty() => Cond::False,
                _ => Cond::atom(path, Fact::Absent),
            },
            Some(_) => Cond::atom(path, Fact::Absent),
        };
        Some(Abs {
            t: Cond::any([Cond::atom(path, holds), other.clone(), default.clone()]),
            f: Cond::True,
            r: other.clone().or(default.clone()),
            x: other.or(default),
            shape: Shape::Unknown,
        })
    }

    /// `field < constant` and the like.
    fn ordered(&self, op: CompareOp, path: PathId, absent: Option<&Absent>, id: ConstId) -> Option<Abs> {
        use super::cond::Real;
        let bound = match &self.program.consts[id as usize] {
            Const::Int(number) if number.unsigned_abs() < 1 << 53 => *number as f64,
            Const::Float(float) if float.is_finite() => *float,
            _ => return None,
        };
        let fact = match op {
            CompareOp::Gt | CompareOp::Ge => Fact::Above(Real(bound)),
            _ => Fact::Below(Real(bound)),
        };
        let wrong = Cond::atom(path, Fact::NotNumber);
        let default = match absent {
            None => Cond::False,
            Some(_) => Cond::atom(path, Fact::Absent),
        };
        Some(Abs {
            t: Cond::atom(path, fact).or(default.clone()),
            f: Cond::True,
            r: wrong.clone().or(default.clone()),
            x: wrong.or(default),
            shape: Shape::Unknown,
        })
    }
}
