//! The pattern with its flags applied: what is left are sets of characters, positions and structure. All
//! engines and analyses start from here.

use std::sync::Arc;

use crate::ast::{Category, ClassItem, Greed, Node, Place, Width};
use crate::casefold::Fold;
use crate::charset::{CharSet, LAST, category};
use crate::error::{CompileError, untranslatable};
use crate::flags::{Flags, PyVersion};
use crate::limits::LOOKBEHIND_MAX;
use crate::parse::Parsed;

/// A position that is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Start,
    StartLine,
    End,
    /// `$` without MULTILINE: the end, or before a line feed that ends the text.
    EndOrLastNewline,
    EndLine,
    Boundary {
        ascii: bool,
    },
    /// Does not hold in an empty text.
    NonBoundary {
        ascii: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Ir {
    /// One character of this set.
    Set(Arc<CharSet>),
    At(At),
    Repeat {
        min: u32,
        max: Option<u32>,
        greed: Greed,
        body: Box<Ir>,
    },
    Capture {
        group: u32,
        body: Box<Ir>,
    },
    Atomic(Box<Ir>),
    Look {
        behind: Option<u32>,
        negated: bool,
        body: Box<Ir>,
    },
    Backref {
        group: u32,
        fold: Fold,
    },
    Conditional {
        group: u32,
        yes: Box<Ir>,
        no: Box<Ir>,
    },
    Concat(Vec<Ir>),
    Alternate(Vec<Ir>),
}

struct Resolver<'a> {
    version: PyVersion,
    widths: &'a [Option<Width>],
    any: Arc<CharSet>,
    any_but_newline: Arc<CharSet>,
}

/// Applies the flags.
pub(crate) fn resolve(parsed: &Parsed, version: PyVersion) -> Result<Ir, CompileError> {
    if parsed.flags.has(Flags::TEMPLATE | Flags::DEBUG) {
        return Err(untranslatable("flags TEMPLATE and DEBUG"));
    }
    let resolver = Resolver {
        version,
        widths: &parsed.group_widths,
        any: Arc::new(CharSet::new(vec![(0, LAST)])),
        any_but_newline: Arc::new(CharSet::new(vec![(0, 9), (11, LAST)])),
    };
    resolver.node(&parsed.node, parsed.flags)
}

fn fold(flags: Flags, version: PyVersion) -> Fold {
    if !flags.has(Flags::IGNORECASE) {
        Fold::None
    } else if flags.has(Flags::ASCII) {
        Fold::Ascii
    } else {
        Fold::Unicode(version)
    }
}

impl Resolver<'_> {
    fn nodes(&self, nodes: &[Node], flags: Flags) -> Result<Vec<Ir>, CompileError> {
        nodes.iter().map(|node| self.node(node, flags)).collect()
    }

    fn boxed(&self, node: &Node, flags: Flags) -> Result<Box<Ir>, CompileError> {
        self.node(node, flags).map(Box::new)
    }

    fn node(&self, node: &Node, flags: Flags) -> Result<Ir, CompileError> {
        Ok(match node {
            Node::Literal(code) => self.literal(*code, flags)?,
            Node::Class { negated, items } => self.class(*negated, items, flags)?,
            Node::Any if flags.has(Flags::DOTALL) => Ir::Set(self.any.clone()),
            Node::Any => Ir::Set(self.any_but_newline.clone()),
            Node::Place(place) => Ir::At(at(*place, flags)),
            Node::Repeat {
                min,
                max,
                greed,
                body,
            } => {
                let body = self.boxed(body, flags)?;
                if *greed == Greed::Possessive && !matches!(*body, Ir::Set(_)) {
                    // Up to 3.11.4 and 3.12.0b3 Python matched these in another way than its manual says.
                    return Err(untranslatable(
                        "a possessive repetition of more than one character",
                    ));
                }
                Ir::Repeat {
                    min: *min,
                    max: *max,
                    greed: *greed,
                    body,
                }
            }
            Node::Group {
                index,
                add,
                del,
                body,
            } => {
                let scoped = flags.scoped(*add, *del);
                if (scoped & Flags::ALPHABET) != (flags & Flags::ALPHABET) {
                    // CPython's search looks for the first character with the flags of the whole pattern.
                    return Err(untranslatable("a group switches between ASCII and UNICODE"));
                }
                let body = self.boxed(body, scoped)?;
                match index {
                    Some(group) => Ir::Capture { group: *group, body },
                    None => *body,
                }
            }
            Node::Atomic(body) => Ir::Atomic(self.boxed(body, flags)?),
            Node::Look { ahead, negated, body } => {
                let behind = if *ahead { None } else { Some(self.behind(body)?) };
                Ir::Look {
                    behind,
                    negated: *negated,
                    body: self.boxed(body, flags)?,
                }
            }
            Node::Backref(group) => Ir::Backref {
                group: *group,
                fold: fold(flags, self.version),
            },
            Node::Conditional { group, yes, no } => Ir::Conditional {
                group: *group,
                yes: self.boxed(yes, flags)?,
                no: match no {
                    Some(no) => self.boxed(no, flags)?,
                    None => Box::new(Ir::Concat(Vec::new())),
                },
            },
            Node::Concat(parts) => Ir::Concat(self.nodes(parts, flags)?),
            Node::Alternate(branches) => Ir::Alternate(self.nodes(branches, flags)?),
        })
    }

    fn literal(&self, code: u32, flags: Flags) -> Result<Ir, CompileError> {
        let fold = fold(flags, self.version);
        if fold.is_odd(code, code) {
            return Err(untranslatable("IGNORECASE with letters beyond the basic plane"));
        }
        Ok(Ir::Set(Arc::new(fold.closure(code))))
    }

    fn class(&self, is_negated: bool, items: &[ClassItem], flags: Flags) -> Result<Ir, CompileError> {
        let fold = fold(flags, self.version);
        let mut ranges = Vec::new();
        let mut categories = Vec::new();
        for item in items {
            match *item {
                ClassItem::Range(low, high) if fold.is_odd(low, high) => {
                    return Err(untranslatable("IGNORECASE with letters beyond the basic plane"));
                }
                ClassItem::Range(low, high) => ranges.push((low, high)),
                ClassItem::Category { category, negated } => {
                    let set = self.category(category, negated, flags);
                    if items.len() == 1 && !is_negated {
                        return Ok(Ir::Set(set));
                    }
                    categories.extend_from_slice(set.ranges());
                }
            }
        }
        let set = fold.class(&ranges, categories);
        Ok(Ir::Set(Arc::new(if is_negated { set.negated() } else { set })))
    }

    fn category(&self, kind: Category, negated: bool, flags: Flags) -> Arc<CharSet> {
        let set = category(kind, flags.has(Flags::ASCII), self.version);
        if negated { Arc::new(set.negated()) } else { set }
    }

    /// The width of a lookbehind, which must be fixed.
    fn behind(&self, body: &Node) -> Result<u32, CompileError> {
        let width = body.width(self.widths);
        if width.min > LOOKBEHIND_MAX {
            return Err(untranslatable("a lookbehind looks back further than the limit"));
        }
        if width.min != width.max {
            return Err(CompileError::Invalid(crate::error::Invalid {
                raised: crate::error::Raised::ReError,
                message: "look-behind requires fixed-width pattern".to_owned(),
                position: None,
            }));
        }
        Ok(width.min as u32)
    }
}

fn at(place: Place, flags: Flags) -> At {
    let ascii = flags.has(Flags::ASCII);
    let lines = flags.has(Flags::MULTILINE);
    match place {
        Place::Start => At::Start,
        Place::Caret if lines => At::StartLine,
        Place::Caret => At::Start,
        Place::End => At::End,
        Place::Dollar if lines => At::EndLine,
        Place::Dollar => At::EndOrLastNewline,
        Place::Boundary => At::Boundary { ascii },
        Place::NonBoundary => At::NonBoundary { ascii },
    }
}

impl Ir {
    /// True when the empty text may match.
    pub(crate) fn is_nullable(&self) -> bool {
        match self {
            Ir::Set(_) => false,
            Ir::At(_) | Ir::Look { .. } | Ir::Backref { .. } => true,
            Ir::Repeat { min, body, .. } => *min == 0 || body.is_nullable(),
            Ir::Capture { body, .. } | Ir::Atomic(body) => body.is_nullable(),
            Ir::Conditional { yes, no, .. } => yes.is_nullable() || no.is_nullable(),
            Ir::Concat(parts) => parts.iter().all(Ir::is_nullable),
            Ir::Alternate(branches) => branches.iter().any(Ir::is_nullable),
        }
    }

    /// The nodes directly below.
    pub(crate) fn children(&self) -> Vec<&Ir> {
        match self {
            Ir::Set(_) | Ir::At(_) | Ir::Backref { .. } => Vec::new(),
            Ir::Repeat { body, .. } | Ir::Capture { body, .. } | Ir::Atomic(body) | Ir::Look { body, .. } => {
                vec![body]
            }
            Ir::Conditional { yes, no, .. } => vec![yes, no],
            Ir::Concat(parts) | Ir::Alternate(parts) => parts.iter().collect(),
        }
    }

    /// True when this node or one below it passes.
    pub(crate) fn any(&self, pass: &dyn Fn(&Ir) -> bool) -> bool {
        pass(self) || self.children().iter().any(|child| child.any(pass))
    }
}
