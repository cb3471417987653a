//! Methods of fields.

use std::rc::Rc;

use super::analysis::Analysis;
use super::cond::{Cond, Fact};
use super::expr::Abs;
use super::shape::{Absent, Change, Other, Shape};
use crate::ir::CallArgs;
use crate::program::{Const, ConstId, PathId};

impl<'p> Analysis<'p, '_> {
    /// A call of a method of anything.
    pub(super) fn method(&mut self, env: &mut [Abs], receiver: &Abs, name: &str, args: &'p CallArgs) -> Abs {
        if let Shape::OneOf(shapes) = &receiver.shape {
            // The arguments are looked at once for each: they are the same every time.
            return self.each(receiver, shapes, |this, receiver| {
                this.method(env, receiver, name, args)
            });
        }
        let Some(values) = self.plain_args(env, args) else {
            return Abs::unknown();
        };
        if let Some(matched) = self.pattern_method(receiver, name, &values) {
            return matched;
        }
        let Shape::Field(path, change, absent) = &receiver.shape else {
            return Abs::unknown();
        };
        // What is no text has no such method, or another that does something else.
        let mut wrong = Cond::atom(*path, Fact::NotText);
        let mut default = None;
        if let Some(absent) = absent {
            match self.text_of(&absent.value) {
                Some(text) => default = Some((absent, text)),
                None => wrong = wrong.or(absent.when(*path)),
            }
        }
        let answer = match (name, &*values) {
            ("lower" | "upper" | "strip" | "lstrip" | "rstrip", []) => {
                changed(*path, (name, *change), default.as_ref())
            }
            ("startswith" | "endswith", [affix]) => self
                .texts(&affix.shape)
                .and_then(|affixes| fits(*path, (name, *change), &affixes, default.as_ref()))
                .map(|answer| answer.after(affix)),
            ("split" | "rsplit", [separator, most])
                if *change == Change::None && self.is_few_parts(separator, most) =>
            {
                let end = match &default {
                    None => Shape::Field(*path, Change::Strip, absent.clone()),
                    Some((absent, text)) if text.is_empty() => {
                        Shape::Field(*path, Change::Strip, Some((*absent).clone()))
                    }
                    Some(_) => Shape::Unknown,
                };
                Some(Abs::some(Shape::Parts(Rc::new(end))))
            }
            _ => None,
        };
        let Some(mut answer) = answer else {
            return Abs::unknown();
        };
        answer.r = receiver.r.clone().or(answer.r).or(wrong.clone());
        answer.x = Cond::any([receiver.x.clone(), answer.x, wrong]);
        answer
    }

    /// Whether a text is split at something, into few parts: more might not fit a limit.
    fn is_few_parts(&self, separator: &Abs, most: &Abs) -> bool {
        const PARTS_MAX: i64 = 64;
        let (Shape::Const(separator), Shape::Const(most)) = (&separator.shape, &most.shape) else {
            return false;
        };
        let (separator, most) = (
            &self.program.consts[*separator as usize],
            &self.program.consts[*most as usize],
        );
        matches!(separator, Const::Str(text) if !text.is_empty())
            && matches!(most, Const::Int(most) if (0..=PARTS_MAX).contains(most))
    }

    fn text_of(&self, value: &Other) -> Option<Rc<str>> {
        match value {
            Other::Text(text) => Some(text.clone()),
            Other::EmptyDict | Other::EmptyList | Other::Raised => None,
            Other::Const(id) => match &self.program.consts[*id as usize] {
                Const::Str(text) => Some(Rc::from(&**text)),
                _ => None,
            },
        }
    }

    /// The texts of a constant text or tuple of texts.
    fn texts(&self, shape: &Shape) -> Option<Vec<Rc<str>>> {
        let Shape::Const(id) = shape else {
            return None;
        };
        match &self.program.consts[*id as usize] {
            Const::Str(text) => Some(vec![Rc::from(&**text)]),
            Const::Tuple(seq) => {
                let text = |id: &ConstId| match &self.program.consts[*id as usize] {
                    Const::Str(text) => Some(Rc::from(&**text)),
                    _ => None,
                };
                seq.items.iter().map(text).collect()
            }
            _ => None,
        }
    }
}

/// A changed field.
fn changed(
    path: PathId,
    (name, change): (&str, Change),
    default: Option<&(&Absent, Rc<str>)>,
) -> Option<Abs> {
    let change = match (name, change) {
        ("lower", Change::None | Change::Lower) => Change::Lower,
        ("lower", Change::Strip | Change::LowerStrip) => Change::LowerStrip,
        ("upper", Change::None) => Change::Upper,
        ("strip" | "lstrip" | "rstrip", Change::None | Change::Strip) => Change::Strip,
        ("strip" | "lstrip" | "rstrip", Change::Lower | Change::LowerStrip) => Change::LowerStrip,
        _ => return None,
    };
    let absent = match default {
        None => None,
        Some((absent, text)) => {
            let text = match name {
                "lower" => text.to_lowercase(),
                "upper" => text.to_uppercase(),
                // What is white differs between the languages.
                _ if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_string(),
                _ => return None,
            };
            Some(Absent {
                value: Other::Text(text.into()),
                falsy: absent.falsy,
                under_null: absent.under_null,
            })
        }
    };
    Some(Abs::some(Shape::Field(path, change, absent)))
}

/// `startswith`, `endswith`.
fn fits(
    path: PathId,
    (name, change): (&str, Change),
    affixes: &[Rc<str>],
    default: Option<&(&Absent, Rc<str>)>,
) -> Option<Abs> {
    let starts = name == "startswith";
    let mut t = Vec::new();
    for affix in affixes {
        let affix: Box<str> = (&**affix).into();
        let fact = match (change, starts) {
            (Change::None, true) => Fact::Prefix(affix),
            (Change::None, false) => Fact::Suffix(affix),
            // What begins or ends so, holds it; and so does what it was before it was stripped.
            (Change::Strip, _) => Fact::Contains(affix),
            (Change::Lower | Change::LowerStrip, _) => Fact::LowerContains(affix),
            (Change::Upper, _) => return None,
        };
        t.push(Cond::atom(path, fact));
    }
    if let Some((absent, text)) = default {
        let fits = |affix: &Rc<str>| {
            if starts {
                text.starts_with(&**affix)
            } else {
                text.ends_with(&**affix)
            }
        };
        if affixes.iter().any(fits) {
            t.push(absent.when(path));
        }
    }
    Some(Abs {
        t: Cond::any(t),
        ..Abs::some(Shape::Unknown)
    })
}
