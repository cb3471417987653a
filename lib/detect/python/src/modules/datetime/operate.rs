//! Operators, and what else objects of this module do as values.

use std::cmp::Ordering;

use super::{DAY, Value, civil, delta, iso, moment, of, zone};
use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp, UnaryOp};
use crate::obj::Obj;
use crate::ops::{self, key};
use crate::registry::{Args, Native, NativeClass};
use crate::types::ExcKind;

/// What a comparison operator says of an order.
const fn says(op: CompareOp, order: Ordering) -> Option<bool> {
    match op {
        CompareOp::Lt => Some(order.is_lt()),
        CompareOp::Le => Some(order.is_le()),
        CompareOp::Gt => Some(order.is_gt()),
        CompareOp::Ge => Some(order.is_ge()),
        _ => None,
    }
}

/// Rounds a quotient half to even.
fn divide(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a.div_euclid(b), a.rem_euclid(b));
    let twice = rest * 2;
    let away = b.abs();
    let up = twice > away || (twice == away && quotient & 1 == 1);
    match (up, b > 0) {
        (true, true) => quotient + 1,
        (true, false) => quotient - 1,
        _ => quotient,
    }
}

/// `a op b` of timedeltas and integers.
fn delta_op<'a>(
    cx: &Cx<'a>,
    op: BinaryOp,
    a: i128,
    other: Obj<'a>,
    reflected: bool,
) -> R<'a, Option<Obj<'a>>> {
    let zero = |cx: &Cx<'a>| {
        cx.raise(
            ExcKind::ZeroDivisionError,
            format_args!("integer division or modulo by zero"),
        )
    };
    if let Some(number) = ops::small_int(other) {
        let number = i128::from(number);
        return match op {
            BinaryOp::Mul => match a.checked_mul(number) {
                Some(product) => delta::made(cx, product).map(Some),
                None => Err(cx.leave("a huge timedelta")),
            },
            BinaryOp::FloorDiv | BinaryOp::Div if reflected => Ok(None),
            BinaryOp::FloorDiv | BinaryOp::Div if number == 0 => Err(zero(cx)),
            BinaryOp::FloorDiv => {
                let floor = a.div_euclid(number) - i128::from(number < 0 && a.rem_euclid(number) != 0);
                delta::made(cx, floor).map(Some)
            }
            BinaryOp::Div if number < 0 => Err(cx.leave("a timedelta divided by a negative number")),
            BinaryOp::Div => delta::made(cx, divide(a, number)).map(Some),
            _ => Ok(None),
        };
    }
    if matches!(other, Obj::Float(_) | Obj::Big(_)) {
        return match op {
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::FloorDiv => Err(cx.leave("a timedelta and a float")),
            _ => Ok(None),
        };
    }
    let Some(Value::Delta(b)) = of(cx, other)? else {
        return Ok(None);
    };
    let (a, b) = if reflected { (b, a) } else { (a, b) };
    match op {
        BinaryOp::Add => delta::made(cx, a + b).map(Some),
        BinaryOp::Sub => delta::made(cx, a - b).map(Some),
        BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Mod if b <= 0 => {
            Err(cx.leave("a timedelta divided by none or a negative one"))
        }
        BinaryOp::FloorDiv => Ok(Some(Obj::Int(a.div_euclid(b) as i64))),
        BinaryOp::Mod => delta::made(cx, a.rem_euclid(b)).map(Some),
        BinaryOp::Div if a.abs() < 1 << 53 && b < 1 << 53 => Ok(Some(Obj::Float(a as f64 / b as f64))),
        BinaryOp::Div => Err(cx.leave("centuries divided")),
        _ => Ok(None),
    }
}

fn time_op<'a>(cx: &Cx<'a>, op: BinaryOp, own: Value<'a>, other: Value<'a>) -> R<'a, Option<Obj<'a>>> {
    match (op, own, other) {
        (BinaryOp::Add, Value::Moment(micros, tz), Value::Delta(delta)) => {
            moment::in_range(cx, i128::from(micros) + delta, tz).map(Some)
        }
        (BinaryOp::Sub, Value::Moment(micros, tz), Value::Delta(delta)) => {
            moment::in_range(cx, i128::from(micros) - delta, tz).map(Some)
        }
        (BinaryOp::Sub, Value::Moment(a, x), Value::Moment(b, y)) => {
            if x.is_some() != y.is_some() {
                return Err(cx.type_error(format_args!(
                    "can't subtract offset-naive and offset-aware datetimes"
                )));
            }
            let between = moment::utc(a, x) - moment::utc(b, y);
            delta::made(cx, i128::from(between)).map(Some)
        }
        (BinaryOp::Add, Value::Date(days), Value::Delta(delta)) => {
            moment::date_in_range(cx, days + delta::split(delta).0).map(Some)
        }
        (BinaryOp::Sub, Value::Date(days), Value::Delta(delta)) => {
            moment::date_in_range(cx, days - delta::split(delta).0).map(Some)
        }
        (BinaryOp::Sub, Value::Date(a), Value::Date(b)) => {
            delta::made(cx, i128::from(a - b) * i128::from(DAY)).map(Some)
        }
        _ => Ok(None),
    }
}

impl<'a> Native<'a> for Value<'a> {
    fn class(&self) -> &'static NativeClass {
        match self {
            Self::Moment(..) => &moment::DATETIME,
            Self::Date(_) => &moment::DATE,
            Self::Delta(_) => &delta::TIMEDELTA,
            Self::Zone(_) => &zone::TIMEZONE,
        }
    }

    fn time_value(&self) -> Option<Self> {
        Some(*self)
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        Ok(match *self {
            Self::Moment(micros, tz) => moment::attr(cx, micros, Some(tz), name),
            Self::Date(days) => moment::attr(cx, days * DAY, None, name),
            Self::Delta(micros) => {
                let (days, seconds, micros) = delta::split(micros);
                match name {
                    "days" => Some(Obj::Int(days)),
                    "seconds" => Some(Obj::Int(seconds)),
                    "microseconds" => Some(Obj::Int(micros)),
                    _ => None,
                }
            }
            Self::Zone(_) => None,
        })
    }

    fn method(&'a self, cx: &Cx<'a>, name: &str, args: &Args<'_, 'a>) -> Option<R<'a>> {
        match *self {
            Self::Moment(micros, tz) => moment::method(cx, micros, Some(tz), name, args),
            Self::Date(days) => moment::method(cx, days * DAY, None, name, args),
            Self::Delta(micros) if name == "total_seconds" && args.pos.is_empty() && args.kw.is_empty() => {
                Some(delta::total_seconds(cx, micros))
            }
            Self::Delta(_) | Self::Zone(_) => None,
        }
    }

    fn truthy(&'a self, _cx: &Cx<'a>) -> R<'a, bool> {
        Ok(!matches!(self, Self::Delta(0)))
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        let Some(other) = of(cx, other)? else {
            return Ok(None);
        };
        Ok(Some(match (*self, other) {
            (Self::Moment(a, x), Self::Moment(b, y)) => {
                x.is_some() == y.is_some() && moment::utc(a, x) == moment::utc(b, y)
            }
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Delta(a), Self::Delta(b)) => a == b,
            (Self::Zone(a), Self::Zone(b)) => a.offset == b.offset,
            _ => false,
        }))
    }

    fn compare(&'a self, cx: &Cx<'a>, op: CompareOp, other: Obj<'a>) -> R<'a, Option<bool>> {
        let Some(other) = of(cx, other)? else {
            return Ok(None);
        };
        match (*self, other) {
            (Self::Moment(a, x), Self::Moment(b, y)) if x.is_some() == y.is_some() => {
                Ok(says(op, moment::utc(a, x).cmp(&moment::utc(b, y))))
            }
            (Self::Moment(..), Self::Moment(..)) => Err(cx.type_error(format_args!(
                "can't compare offset-naive and offset-aware datetimes"
            ))),
            (Self::Date(a), Self::Date(b)) => Ok(says(op, a.cmp(&b))),
            (Self::Delta(a), Self::Delta(b)) => Ok(says(op, a.cmp(&b))),
            (Self::Moment(..), Self::Date(_)) | (Self::Date(_), Self::Moment(..)) => {
                Err(cx.leave("a date compared with a datetime"))
            }
            _ => Ok(None),
        }
    }

    fn hash(&'a self, _cx: &Cx<'a>) -> R<'a, Option<u64>> {
        let (kind, number) = match *self {
            Self::Moment(micros, tz) => (0, moment::utc(micros, tz)),
            Self::Date(days) => (1, days),
            Self::Delta(micros) => (2, micros as i64),
            Self::Zone(zone) => (3, zone.offset),
        };
        Ok(Some(key::hash_tuple([kind, number].map(key::hash_int))))
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let shown = match *self {
            Self::Moment(micros, tz) => moment::repr(cx, micros, tz)?,
            Self::Date(days) => {
                let parts = civil::parts(days * DAY);
                format!("datetime.date({}, {}, {})", parts.year, parts.month, parts.day)
            }
            Self::Delta(micros) => delta::repr(micros),
            Self::Zone(zone) => zone::repr(cx, zone)?,
        };
        cx.text(&shown)
    }

    fn str(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        let shown = match *self {
            Self::Moment(micros, tz) => {
                iso::moment(civil::parts(micros), tz, " ", "auto").unwrap_or_default()
            }
            Self::Date(days) => iso::date(civil::parts(days * DAY)),
            Self::Delta(micros) => delta::str(micros),
            Self::Zone(zone) => zone::name(zone),
        };
        cx.text(&shown)
    }

    fn format(&'a self, cx: &Cx<'a>, spec: &str) -> Option<R<'a, &'a str>> {
        match *self {
            Self::Moment(micros, tz) => Some(super::strftime::format(cx, civil::parts(micros), tz, spec)),
            Self::Date(days) => Some(super::strftime::format(cx, civil::parts(days * DAY), None, spec)),
            _ => Some(Err(cx.leave("a format of such an object"))),
        }
    }

    fn binary(
        &'a self,
        cx: &Cx<'a>,
        op: BinaryOp,
        other: Obj<'a>,
        reflected: bool,
    ) -> R<'a, Option<Obj<'a>>> {
        if let Self::Delta(own) = *self
            && let Some(result) = delta_op(cx, op, own, other, reflected)?
        {
            return Ok(Some(result));
        }
        match of(cx, other)? {
            Some(other) if reflected && op == BinaryOp::Add => time_op(cx, op, *self, other),
            Some(other) if reflected => time_op(cx, op, other, *self),
            Some(other) if op == BinaryOp::Add && matches!(self, Self::Delta(_)) => {
                time_op(cx, op, other, *self)
            }
            Some(other) => time_op(cx, op, *self, other),
            None => Ok(None),
        }
    }

    fn unary(&'a self, cx: &Cx<'a>, op: UnaryOp) -> R<'a, Option<Obj<'a>>> {
        match (*self, op) {
            (Self::Delta(micros), UnaryOp::Neg) => delta::made(cx, -micros).map(Some),
            (Self::Delta(micros), UnaryOp::Pos) => delta::made(cx, micros).map(Some),
            _ => Ok(None),
        }
    }
}
