//! `str()`, `repr()`, `bool()` and `==` of Python.

use crate::number::integer_of_float;
use crate::text::write_python_repr;
use crate::{Kind, NodeRef, Value, float_repr};

impl Value {
    /// `str(value)`.
    #[must_use]
    pub fn python_str(&self) -> String {
        if let Self::Str(text) = self {
            text.clone()
        } else {
            self.python_repr()
        }
    }

    /// `repr(value)`.
    #[must_use]
    pub fn python_repr(&self) -> String {
        let mut out = String::new();
        self.write_repr(&mut out);
        out
    }

    fn write_repr(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("None"),
            Self::Bool(true) => out.push_str("True"),
            Self::Bool(false) => out.push_str("False"),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::BigInt(digits) => out.push_str(digits),
            Self::Float(float) => out.push_str(&float_repr(*float)),
            Self::Str(text) => write_python_repr(text.chars().map(u32::from), out),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    item.write_repr(out);
                }
                out.push(']');
            }
            Self::Map(map) => {
                out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    write_python_repr(key.chars().map(u32::from), out);
                    out.push_str(": ");
                    value.write_repr(out);
                }
                out.push('}');
            }
        }
    }

    /// `bool(value)`: false for `None`, `False`, zeros, and empty texts, lists and dictionaries.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Int(number) => *number != 0,
            Self::BigInt(_) => true,
            Self::Float(float) => *float != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// `self == other` of Python: `1 == 1.0 == True`, dictionaries whatever their order. NaN differs from
    /// everything, also within containers (where Python says "equal" for one and the same object).
    #[must_use]
    pub fn python_eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Str(one), Self::Str(two)) => one == two,
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.python_eq(b))
            }
            (Self::Map(one), Self::Map(two)) => {
                one.len() == two.len()
                    && one
                        .iter()
                        .all(|(key, a)| two.get(key).is_some_and(|b| a.python_eq(b)))
            }
            (Self::Float(one), Self::Float(two)) => one == two,
            _ => match (self.number_key(), other.number_key()) {
                (Some(one), Some(two)) => one == two && !self.is_nan() && !other.is_nan(),
                _ => false,
            },
        }
    }

    /// Equality of types and values: `1`, `1.0` and `True` all differ; NaN is NaN.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Int(one), Self::Int(two)) => one == two,
            (Self::BigInt(one), Self::BigInt(two)) => one == two,
            (Self::Float(one), Self::Float(two)) => {
                one.to_bits() == two.to_bits() || one.is_nan() && two.is_nan()
            }
            (Self::Str(one), Self::Str(two)) => one == two,
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.same(b))
            }
            (Self::Map(one), Self::Map(two)) => {
                one.len() == two.len() && one.iter().all(|(key, a)| two.get(key).is_some_and(|b| a.same(b)))
            }
            _ => false,
        }
    }

    /// Appends a text that is equal for two values exactly if Python calls the values equal. (NaN, which Python
    /// calls equal to nothing, has one text here, as it must be possible to group by it.) No two values' texts
    /// are prefixes of each other, so keys can be appended one after the other.
    pub fn equality_key(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(b'z'),
            Self::Str(text) => push_sized(b's', text.as_bytes(), out),
            Self::List(items) => {
                push_sized(b'l', items.len().to_string().as_bytes(), out);
                for item in items {
                    item.equality_key(out);
                }
            }
            Self::Map(map) => {
                push_sized(b'm', map.len().to_string().as_bytes(), out);
                let mut members: Vec<_> = map.iter().collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                for (key, value) in members {
                    push_sized(b's', key.as_bytes(), out);
                    value.equality_key(out);
                }
            }
            Self::Bool(_) | Self::Int(_) | Self::BigInt(_) | Self::Float(_) => {
                push_sized(b'n', self.number_key().unwrap_or_default().as_bytes(), out);
            }
        }
    }

    fn is_nan(&self) -> bool {
        matches!(self, Self::Float(float) if float.is_nan())
    }

    /// A text that equal numbers share, whatever their types; `None` for anything but a number.
    fn number_key(&self) -> Option<String> {
        match self {
            Self::Bool(flag) => Some(i32::from(*flag).to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::BigInt(digits) => Some(digits.to_string()),
            Self::Float(float) if float.fract() == 0.0 => integer_of_float(*float),
            Self::Float(float) => Some(float_repr(*float)),
            _ => None,
        }
    }
}

fn push_sized(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(bytes);
}

impl NodeRef<'_> {
    /// Appends `str(value)`, lone surrogates as U+FFFD.
    pub fn write_python_str(self, out: &mut String) {
        match self.as_str() {
            Some(text) => out.push_str(&text),
            None => self.write_python_repr(out),
        }
    }

    /// Appends `repr(value)`.
    pub fn write_python_repr(self, out: &mut String) {
        match self.kind() {
            Kind::Null => out.push_str("None"),
            Kind::True => out.push_str("True"),
            Kind::False => out.push_str("False"),
            Kind::Int if self.raw() == "-0" => out.push('0'),
            Kind::Int => out.push_str(self.raw()),
            Kind::Float | Kind::NaN | Kind::Infinity | Kind::NegInfinity => {
                out.push_str(&float_repr(self.as_f64().unwrap_or(f64::NAN)));
            }
            Kind::Text | Kind::Key => write_python_repr(self.code_points(), out),
            Kind::List => {
                out.push('[');
                for (at, item) in self.items().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    item.write_python_repr(out);
                }
                out.push(']');
            }
            Kind::Map => {
                out.push('{');
                for (at, (key, value)) in self.members().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    key.write_python_repr(out);
                    out.push_str(": ");
                    value.write_python_repr(out);
                }
                out.push('}');
            }
        }
    }
}
