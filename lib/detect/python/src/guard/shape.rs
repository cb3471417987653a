//! What is known of a value.

use std::rc::Rc;

use super::cond::{Cond, Fact};
use crate::program::{ConstId, PathId};

/// What is known of a value.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Nothing.
    Unknown,
    /// The record.
    Record,
    /// A constant.
    Const(ConstId),
    /// Some number.
    Number,
    /// The rule's context, a dictionary of its own.
    Context,
    /// A list of texts that is not empty; the shape of the first and the last one.
    Parts(Rc<Shape>),
    /// The value of a field, changed in some way; and what it is where the field is absent. Without the latter,
    /// whoever made the value has said that anything may happen where the field is absent.
    Field(PathId, Change, Option<Absent>),
    /// One of these fields: `a or b or ''`.
    OneOf(Rc<[Shape]>),
}

/// How a field's text was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Lower,
    Upper,
    /// `strip`, `lstrip`, `rstrip` without argument; or another part of the text.
    Strip,
    /// The same of its lower-case form.
    LowerStrip,
}

/// When a field's value is another.
#[derive(Debug, Clone)]
pub(super) struct Absent {
    pub(super) value: Other,
    /// Where the field is there and not true, too.
    pub(super) falsy: bool,
    /// Where the container that the field should be in is `None`, too.
    pub(super) under_null: bool,
}

/// The value in place of an absent field.
#[derive(Debug, Clone)]
pub(super) enum Other {
    Const(ConstId),
    Text(Rc<str>),
    /// `{}`, made anew.
    EmptyDict,
    /// `[]`, made anew.
    EmptyList,
    /// None: looking for the field has raised.
    Raised,
}

impl Absent {
    /// When the other value is there.
    pub(super) fn when(&self, path: PathId) -> Cond {
        if matches!(self.value, Other::Raised) && !self.falsy {
            return Cond::False;
        }
        let mut absent = Cond::atom(path, Fact::Absent);
        if self.under_null {
            absent = absent.or(Cond::atom(path, Fact::UnderNull));
        }
        if !self.falsy {
            return absent;
        }
        // What is not true is an empty text, or no text.
        Cond::any([
            absent,
            Cond::atom(path, Fact::NotText),
            Cond::atom(path, Fact::Text("".into())),
        ])
    }
}
