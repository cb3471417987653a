//! Comparisons of fields with constants.

use super::analysis::Analysis;
use super::cond::{Cond, Fact, Real};
use super::expr::Abs;
use super::raises::Raises;
use super::shape::{Absent, Change, Other, Shape};
use crate::ir::CompareOp;
use crate::program::{Const, ConstId, PathId};

impl Analysis<'_, '_> {
    /// `left op right`
    pub(super) fn compare(&mut self, op: CompareOp, left: &Abs, right: &Abs) -> Abs {
        if let Shape::OneOf(shapes) = &left.shape {
            return self.each(left, shapes, |this, left| this.compare(op, left, right));
        }
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
            (CompareOp::In | CompareOp::NotIn, Shape::Const(id), Shape::Record) => self.key(*id),
            (
                CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge,
                Shape::Field(path, Change::None, absent),
                Shape::Const(id),
            ) => self.ordered(op, *path, absent.as_ref(), *id),
            (
                CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge,
                Shape::Const(id),
                Shape::Field(path, Change::None, absent),
            ) => self.ordered(turned(op), *path, absent.as_ref(), *id),
            (_, Shape::Const(one), Shape::Const(two)) => self.constants(op, *one, *two),
            (_, Shape::Number, Shape::Const(id)) | (_, Shape::Const(id), Shape::Number) => {
                self.is_small_number(*id).then(|| Abs::some(Shape::Unknown))
            }
            _ => None,
        };
        // A number is in no number.
        let raises = matches!(op, CompareOp::In | CompareOp::NotIn)
            && (matches!(left.shape, Shape::Number) || matches!(right.shape, Shape::Number));
        let Some(compared) = compared.filter(|_| !raises) else {
            return Abs::unknown();
        };
        let compared = match op {
            CompareOp::Ne | CompareOp::IsNot | CompareOp::NotIn => compared.not(),
            _ => compared,
        };
        compared.after(right).after(left)
    }

    fn is_small_number(&self, id: ConstId) -> bool {
        matches!(
            self.program.consts[id as usize],
            Const::Int(_) | Const::Bool(_) | Const::Float(_)
        )
    }

    /// Two constants, such as the elements that a loop goes through and something to compare them with.
    fn constants(&self, op: CompareOp, one: ConstId, two: ConstId) -> Option<Abs> {
        let (one, two) = (
            &self.program.consts[one as usize],
            &self.program.consts[two as usize],
        );
        let plain = |value: &Const| {
            matches!(
                value,
                Const::None | Const::Bool(_) | Const::Int(_) | Const::Float(_) | Const::Str(_)
            )
        };
        match (op, one, two) {
            (CompareOp::Eq | CompareOp::Ne, Const::Str(one), Const::Str(two)) => Some(Abs::truth(one == two)),
            (CompareOp::Eq | CompareOp::Ne, one, two) if plain(one) && plain(two) => {
                Some(Abs::some(Shape::Unknown))
            }
            _ => None,
        }
    }

    /// `'key' in record`
    fn key(&mut self, id: ConstId) -> Option<Abs> {
        let Const::Str(key) = &self.program.consts[id as usize] else {
            return None;
        };
        let path = self.paths.child(None, key)?;
        let odd = Cond::atom(path, Fact::Odd);
        Some(Abs {
            t: Cond::atom(path, Fact::Present).or(odd.clone()),
            f: Cond::atom(path, Fact::Absent).or(odd),
            ..Abs::some(Shape::Unknown)
        })
    }

    /// `field == constant`, for one of several constants. `None` when one of them is of a kind without a fact.
    fn equal(&self, path: PathId, change: Change, absent: Option<&Absent>, ids: &[ConstId]) -> Option<Abs> {
        let mut t = Vec::new();
        for id in ids {
            let fact = match (&self.program.consts[*id as usize], change) {
                (Const::Str(text), Change::None) => Fact::Text(text.clone()),
                (Const::Str(text), Change::Lower) => Fact::Lower(text.clone()),
                (Const::Str(text), Change::Upper) => Fact::Upper(text.clone()),
                // What was white may be anything.
                (Const::Str(text), Change::Strip | Change::LowerStrip) if text.is_empty() => return None,
                (Const::Str(text), Change::Strip) => Fact::Contains(text.clone()),
                (Const::Str(text), Change::LowerStrip) => Fact::LowerContains(text.clone()),
                // A changed field is a text, which equals nothing else.
                (Const::Int(_) | Const::Bool(_) | Const::None, _) if change != Change::None => continue,
                (Const::Int(number), Change::None) => Fact::Int(*number),
                (Const::Bool(flag), Change::None) => Fact::Int(i64::from(*flag)),
                (Const::None, Change::None) => Fact::Null,
                _ => return None,
            };
            t.push(Cond::atom(path, fact));
        }
        if let Some(absent) = absent
            && ids.iter().any(|id| self.may_equal(&absent.value, *id))
        {
            t.push(absent.when(path));
        }
        Some(Abs {
            t: Cond::any(t),
            f: Cond::True,
            r: Raises::NEVER,
            x: Cond::False,
            shape: Shape::Unknown,
        })
    }

    /// Whether an absent field's default may equal a constant.
    fn may_equal(&self, absent: &Other, id: ConstId) -> bool {
        let constant = &self.program.consts[id as usize];
        match (absent, constant) {
            (Other::Text(text), Const::Str(other)) => **text == **other,
            (Other::Text(_), _) => false,
            (Other::EmptyDict, Const::Dict(dict)) => dict.entries.is_empty(),
            (Other::EmptyList, Const::List(list)) => list.items.is_empty(),
            (Other::EmptyDict | Other::EmptyList | Other::Raised, _) => false,
            (Other::Const(default), other) => match (&self.program.consts[*default as usize], other) {
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
            let absent = match absent {
                Some(absent) if self.may_be_unhashable(&absent.value) => absent.when(path),
                _ => Cond::False,
            };
            compared.r = wrong.clone().or(absent.clone()).into();
            compared.x = wrong.or(absent);
        }
        Some(compared)
    }

    fn may_be_unhashable(&self, value: &Other) -> bool {
        match value {
            Other::Const(id) => !matches!(
                self.program.consts[*id as usize],
                Const::None | Const::Bool(_) | Const::Int(_) | Const::Float(_) | Const::Str(_)
            ),
            Other::Text(_) => false,
            Other::EmptyDict | Other::EmptyList | Other::Raised => true,
        }
    }

    /// `constant in field`.
    fn substring(&self, path: PathId, change: Change, absent: Option<&Absent>, id: ConstId) -> Option<Abs> {
        let Const::Str(needle) = &self.program.consts[id as usize] else {
            return None;
        };
        let holds = match change {
            Change::None | Change::Strip => Fact::Contains(needle.clone()),
            Change::Lower | Change::LowerStrip => Fact::LowerContains(needle.clone()),
            Change::Upper => return None,
        };
        // In a list or dictionary it may be an element; anything else raises. A list's elements may be texts that only
        // CPython can compare.
        let (element, other) = match change {
            Change::None => (
                Cond::atom(path, Fact::Container),
                Cond::atom(path, Fact::Scalar).or(Cond::atom(path, Fact::List)),
            ),
            // Only texts have a changed form.
            _ => (Cond::atom(path, Fact::NotText), Cond::atom(path, Fact::NotText)),
        };
        let default = match absent {
            Some(absent) if !self.holds_nothing(&absent.value, needle) => absent.when(path),
            _ => Cond::False,
        };
        Some(Abs {
            t: Cond::any([Cond::atom(path, holds), element, other.clone(), default.clone()]),
            f: Cond::True,
            r: other.clone().or(default.clone()).into(),
            x: other.or(default),
            shape: Shape::Unknown,
        })
    }

    /// Whether `needle in value` is plainly false.
    fn holds_nothing(&self, value: &Other, needle: &str) -> bool {
        match value {
            Other::Text(text) => !text.contains(needle),
            Other::EmptyDict | Other::EmptyList | Other::Raised => true,
            Other::Const(default) => match &self.program.consts[*default as usize] {
                Const::Str(text) => !text.contains(needle),
                Const::List(seq) | Const::Tuple(seq) => seq.items.is_empty(),
                Const::Dict(dict) => dict.entries.is_empty(),
                _ => false,
            },
        }
    }

    /// Whether a default is a number for which `default op bound` is false.
    fn is_plainly_out(&self, op: CompareOp, default: &Other, bound: f64) -> bool {
        let Other::Const(id) = default else {
            return false;
        };
        let number = match &self.program.consts[*id as usize] {
            Const::Int(number) if number.unsigned_abs() < 1 << 53 => *number as f64,
            Const::Float(float) => *float,
            _ => return false,
        };
        match op {
            CompareOp::Lt => number >= bound,
            CompareOp::Le => number > bound,
            CompareOp::Gt => number <= bound,
            CompareOp::Ge => number < bound,
            _ => false,
        }
    }

    /// `field < constant` and the like.
    fn ordered(&self, op: CompareOp, path: PathId, absent: Option<&Absent>, id: ConstId) -> Option<Abs> {
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
            Some(absent) if !self.is_plainly_out(op, &absent.value, bound) => absent.when(path),
            _ => Cond::False,
        };
        Some(Abs {
            t: Cond::atom(path, fact).or(default.clone()),
            f: Cond::True,
            r: wrong.clone().or(default.clone()).into(),
            x: wrong.or(default),
            shape: Shape::Unknown,
        })
    }
}

/// The comparison with its sides exchanged.
const fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        other => other,
    }
}
