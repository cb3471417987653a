//! What modules, methods and classes of ours look like to the evaluator.

use std::fmt;

use crate::cx::{Cx, R};
use crate::ir::{BinaryOp, CompareOp};
use crate::iter::IterState;
use crate::obj::Obj;

/// Arguments of a call.
#[derive(Clone, Copy)]
pub struct Args<'s, 'a> {
    /// Positional ones.
    pub pos: &'s [Obj<'a>],
    /// Named ones, in order.
    pub kw: &'s [(&'a str, Obj<'a>)],
}

impl<'s, 'a> Args<'s, 'a> {
    /// Positional arguments alone.
    #[must_use]
    pub const fn positional(pos: &'s [Obj<'a>]) -> Self {
        Self { pos, kw: &[] }
    }

    /// The named argument.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Obj<'a>> {
        self.kw
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    }
}

/// Code of a function of ours.
pub type CallFn = for<'a> fn(&Cx<'a>, &Args<'_, 'a>) -> R<'a>;

/// Code of a method of a built-in type: the receiver comes first.
pub type MethodFn = for<'a> fn(&Cx<'a>, Obj<'a>, &Args<'_, 'a>) -> R<'a>;

/// A function of ours.
pub struct BuiltinFn {
    /// Module, such as `builtins` or `urllib.parse`.
    pub module: &'static str,
    /// Qualified name within the module.
    pub name: &'static str,
    /// The code.
    pub call: CallFn,
    /// Whether equal arguments give equal answers: not for clocks and lookup tables' files.
    pub pure: bool,
}

impl fmt::Debug for BuiltinFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// A class of one of our modules, such as `datetime.timedelta`.
pub struct NativeClass {
    /// Module.
    pub module: &'static str,
    /// Qualified name.
    pub name: &'static str,
    /// Classes it derives from, nearest first, for `isinstance`; `object` is not listed.
    pub bases: &'static [&'static str],
    /// Calling the class.
    pub new: CallFn,
    /// Attributes of the class: static and class methods, constants.
    pub attr: fn(&str) -> Option<ClassAttr>,
}

impl fmt::Debug for NativeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// An attribute of a class of ours.
#[derive(Debug, Clone, Copy)]
pub enum ClassAttr {
    /// A static or class method.
    Function(&'static BuiltinFn),
    /// A value made when asked for.
    Value(CallFn),
}

/// A named constant of a module of ours that is no plain value, such as `datetime.timezone.utc`.
pub trait Singleton: fmt::Debug {
    /// Module and name.
    fn name(&self) -> (&'static str, &'static str);
    /// The object that it stands for.
    fn object<'a>(&self, cx: &Cx<'a>) -> R<'a>;
}

/// An object of one of our modules. It lives in the arena: it must own no heap memory.
/// `None` means "this type has no such operation": the caller raises what Python raises.
pub trait Native<'a> {
    /// Its class.
    fn class(&self) -> &'static NativeClass;

    /// The class of the user's that it is an instance of: index into `Program::classes`.
    fn user_class(&self) -> Option<u32> {
        None
    }

    /// The name of its class, where [`Native::class`] stands for many.
    fn own_name(&'a self) -> Option<&'a str> {
        None
    }

    /// `self.name = value`; `None` when that is not known here.
    fn set_attr(&'a self, _cx: &Cx<'a>, _name: &'a str, _value: Obj<'a>) -> Option<R<'a, ()>> {
        None
    }

    /// An attribute.
    ///
    /// # Errors
    /// What Python raises.
    fn attr(&'a self, _cx: &Cx<'a>, _name: &str) -> R<'a, Option<Obj<'a>>> {
        Ok(None)
    }

    /// A method call; `None` when there is no such method.
    fn method(&'a self, _cx: &Cx<'a>, _name: &str, _args: &Args<'_, 'a>) -> Option<R<'a>> {
        None
    }

    /// `bool(self)`.
    fn truthy(&'a self, _cx: &Cx<'a>) -> R<'a, bool> {
        Ok(true)
    }

    /// `len(self)`.
    fn len(&'a self, _cx: &Cx<'a>) -> Option<R<'a, usize>> {
        None
    }

    /// `self == other`.
    fn eq(&'a self, _cx: &Cx<'a>, _other: Obj<'a>) -> R<'a, Option<bool>> {
        Ok(None)
    }

    /// `<`, `<=`, `>`, `>=`.
    fn compare(&'a self, _cx: &Cx<'a>, _op: CompareOp, _other: Obj<'a>) -> R<'a, Option<bool>> {
        Ok(None)
    }

    /// `item in self`.
    fn contains(&'a self, _cx: &Cx<'a>, _item: Obj<'a>) -> Option<R<'a, bool>> {
        None
    }

    /// `hash(self)`, equal for equal objects; `None` when unhashable.
    fn hash(&'a self, _cx: &Cx<'a>) -> R<'a, Option<u64>> {
        Ok(Some(std::ptr::from_ref(self).cast::<()>() as usize as u64))
    }

    /// `repr(self)`.
    fn repr(&'a self, _cx: &Cx<'a>) -> R<'a, &'a str>;

    /// `str(self)`.
    fn str(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        self.repr(cx)
    }

    /// `format(self, spec)` for a spec that is not empty.
    fn format(&'a self, _cx: &Cx<'a>, _spec: &str) -> Option<R<'a, &'a str>> {
        None
    }

    /// `iter(self)`.
    fn iter(&'a self, _cx: &Cx<'a>) -> Option<R<'a, IterState<'a>>> {
        None
    }

    /// `self[index]`.
    fn index(&'a self, _cx: &Cx<'a>, _index: Obj<'a>) -> Option<R<'a>> {
        None
    }

    /// `self op other`, or `other op self` when `reflected`.
    fn binary(
        &'a self,
        _cx: &Cx<'a>,
        _op: BinaryOp,
        _other: Obj<'a>,
        _reflected: bool,
    ) -> R<'a, Option<Obj<'a>>> {
        Ok(None)
    }

    /// `-self`, `+self`, `~self`.
    fn unary(&'a self, _cx: &Cx<'a>, _op: crate::ir::UnaryOp) -> R<'a, Option<Obj<'a>>> {
        Ok(None)
    }

    /// Calling it.
    fn call(&'a self, _cx: &Cx<'a>, _args: &Args<'_, 'a>) -> Option<R<'a>> {
        None
    }

    /// `with self`: what `__enter__` answers; leaving it does nothing but what [`Native::exit`] does.
    fn enter(&'a self, _cx: &Cx<'a>) -> Option<R<'a>> {
        None
    }

    /// `__exit__`: whether the exception is swallowed.
    fn exit(&'a self, _cx: &Cx<'a>, _exception: Option<&'a crate::obj::Exception<'a>>) -> R<'a, bool> {
        Ok(false)
    }

    /// Its bits, when it is a flag of `re`.
    fn regex_flags(&self) -> Option<u32> {
        None
    }

    /// What it is to the module `datetime`.
    fn time_value(&self) -> Option<crate::modules::datetime::Value<'a>> {
        None
    }

    /// The tuple that it is too, such as a named tuple.
    fn as_tuple(&'a self) -> Option<&'a [Obj<'a>]> {
        None
    }
}
