//! Flags of `re`: integers with a name. Only what is done with flags is known of them.

use streamalert_regex::Flags;

use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp, UnaryOp};
use crate::obj::Obj;
use crate::ops;
use crate::program::Const;
use crate::registry::{Args, Native, NativeClass, Singleton};

/// `re.RegexFlag`
pub(crate) static CLASS: NativeClass = NativeClass {
    module: "re",
    name: "RegexFlag",
    bases: &["int"],
    new,
    attr: |_| None,
};

/// A flag that has a name of its own.
#[derive(Debug)]
struct Named {
    name: &'static str,
    bits: u32,
}

static FLAGS: [Named; 7] = [
    named("ASCII", Flags::ASCII),
    named("IGNORECASE", Flags::IGNORECASE),
    named("LOCALE", Flags::LOCALE),
    named("MULTILINE", Flags::MULTILINE),
    named("DOTALL", Flags::DOTALL),
    named("UNICODE", Flags::UNICODE),
    named("VERBOSE", Flags::VERBOSE),
];

const fn named(name: &'static str, flags: Flags) -> Named {
    Named {
        name,
        bits: flags.bits(),
    }
}

/// The flag of a name, long or short.
pub(super) fn lookup(name: &str) -> Option<Const> {
    let name = match name {
        "S" => "DOTALL",
        "X" => "VERBOSE",
        name => name,
    };
    let fits = |flag: &&Named| flag.name == name || name.len() == 1 && flag.name.starts_with(name);
    FLAGS.iter().find(fits).map(|flag| Const::Singleton(flag))
}

impl Singleton for Named {
    fn name(&self) -> (&'static str, &'static str) {
        ("re", self.name)
    }

    fn object<'a>(&self, cx: &Cx<'a>) -> R<'a> {
        Ok(object(cx, self.bits))
    }
}

/// One flag, or several.
struct Flag {
    bits: u32,
}

fn object<'a>(cx: &Cx<'a>, bits: u32) -> Obj<'a> {
    let made: &'a Flag = cx.bump.alloc(Flag { bits });
    Obj::Native(made)
}

fn new<'a>(cx: &Cx<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match (args.pos, args.kw) {
        ([Obj::Int(bits)], []) if (0..1024).contains(bits) => Ok(object(cx, *bits as u32)),
        _ => Err(cx.leave("such flags of a pattern")),
    }
}

/// The bits of a flag.
pub(super) fn bits(value: Obj<'_>) -> Option<u32> {
    match value {
        Obj::Native(native) => native.regex_flags(),
        _ => None,
    }
}

impl<'a> Native<'a> for Flag {
    fn class(&self) -> &'static NativeClass {
        &CLASS
    }

    fn regex_flags(&self) -> Option<u32> {
        Some(self.bits)
    }

    fn truthy(&'a self, _cx: &Cx<'a>) -> R<'a, bool> {
        Ok(self.bits != 0)
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        match (bits(other), other) {
            (Some(bits), _) => Ok(Some(bits == self.bits)),
            (None, Obj::Int(number)) => Ok(Some(number == i64::from(self.bits))),
            (None, Obj::None | Obj::Str(_)) => Ok(None),
            _ => Err(cx.leave("flags of a pattern compared")),
        }
    }

    fn compare(&'a self, cx: &Cx<'a>, _op: CompareOp, _other: Obj<'a>) -> R<'a, Option<bool>> {
        Err(cx.leave("flags of a pattern compared"))
    }

    fn hash(&'a self, cx: &Cx<'a>) -> R<'a, Option<u64>> {
        Err(cx.leave("the hash of flags of a pattern"))
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        Err(cx.leave("flags of a pattern as text"))
    }

    fn binary(
        &'a self,
        cx: &Cx<'a>,
        op: BinaryOp,
        other: Obj<'a>,
        reflected: bool,
    ) -> R<'a, Option<Obj<'a>>> {
        let known = FLAGS.iter().fold(0, |all, flag| all | flag.bits);
        let number = match other {
            Obj::Int(number) => u32::try_from(number).ok(),
            Obj::Bool(flag) => Some(u32::from(flag)),
            _ => bits(other),
        };
        match (op, number, other) {
            (BinaryOp::BitOr, Some(bits), _) if bits & !known == 0 => Ok(Some(object(cx, self.bits | bits))),
            (BinaryOp::BitAnd, Some(bits), _) => Ok(Some(object(cx, self.bits & bits))),
            (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, _, Obj::Int(_)) => {
                let own = Obj::Int(i64::from(self.bits));
                let (a, b) = if reflected { (other, own) } else { (own, other) };
                ops::binary(cx, op, a, b).map(Some)
            }
            (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, Some(bits), _) => {
                let (own, bits) = (Obj::Int(i64::from(self.bits)), Obj::Int(i64::from(bits)));
                let (a, b) = if reflected { (bits, own) } else { (own, bits) };
                ops::binary(cx, op, a, b).map(Some)
            }
            _ => Err(cx.leave("arithmetic with flags of a pattern")),
        }
    }

    fn unary(&'a self, cx: &Cx<'a>, _op: UnaryOp) -> R<'a, Option<Obj<'a>>> {
        Err(cx.leave("arithmetic with flags of a pattern"))
    }
}
