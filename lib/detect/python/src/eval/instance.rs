//! Instances of classes that the user wrote: attributes of their own, methods, properties, and the special methods
//! that a class may have to be known here (see `lower::class`).

use std::cell::RefCell;

use bumpalo::collections::Vec as BumpVec;

use super::{call, constant};
use crate::cx::{Cx, R};
use crate::iter::IterState;
use crate::obj::Obj;
use crate::program::{Class, Const, Instances};
use crate::registry::{Args, Native, NativeClass};
use crate::types::ExcKind;

/// Stands for all classes of the user's, which [`Native::user_class`] tells apart.
static INSTANCE: NativeClass = NativeClass {
    module: "builtins",
    name: "object",
    bases: &[],
    new: |cx, _| Err(cx.leave("an instance of no class")),
    attr: |_| None,
};

/// An instance.
struct Instance<'a> {
    number: u32,
    class: &'a Class,
    attrs: RefCell<BumpVec<'a, (&'a str, Obj<'a>)>>,
}

/// Calls a class.
pub(super) fn construct<'a>(cx: &Cx<'a>, number: u32, args: &Args<'_, 'a>) -> R<'a> {
    let Some(class) = cx.program.classes.get(number as usize) else {
        return Err(cx.leave("a class that is not known"));
    };
    cx.tick()?;
    cx.reserve(size_of::<Instance<'_>>())?;
    let made: &'a Instance<'a> = cx.bump.alloc(Instance {
        number,
        class,
        attrs: RefCell::new(BumpVec::new_in(cx.bump)),
    });
    match made.special(cx, "__init__", args.pos, args.kw)? {
        Some(Obj::None) => {}
        Some(_) => return Err(cx.leave("__init__ that returns something")),
        None if args.pos.is_empty() && args.kw.is_empty() => {}
        None => {
            let name = &class.name;
            return Err(cx.type_error(format_args!("{name}() takes no arguments")));
        }
    }
    Ok(Obj::Native(made))
}

impl<'a> Instance<'a> {
    /// Calls a special method, which is looked for in the class alone.
    fn special(
        &'a self,
        cx: &Cx<'a>,
        name: &str,
        pos: &[Obj<'a>],
        kw: &[(&'a str, Obj<'a>)],
    ) -> R<'a, Option<Obj<'a>>> {
        let Some(id) = self.class.attrs.get(name) else {
            return Ok(None);
        };
        let mut all = BumpVec::with_capacity_in(pos.len() + 1, cx.bump);
        all.push(Obj::Native(self));
        all.extend_from_slice(pos);
        call(cx, constant(cx, *id)?, &Args { pos: &all, kw }).map(Some)
    }

    fn own(&self, name: &str) -> Option<Obj<'a>> {
        let attrs = self.attrs.borrow();
        attrs
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// What the class makes of a name for an instance.
    fn of_class(&'a self, cx: &Cx<'a>, instances: &Instances, name: &str) -> R<'a, Option<Obj<'a>>> {
        let Some(id) = self.class.attrs.get(name) else {
            return Ok(None);
        };
        let binds = match cx.program.consts.get(*id as usize) {
            Some(Const::Function(_)) => !instances.statics.contains(name),
            // They bind as functions do.
            Some(Const::Made(_) | Const::Singleton(_)) | None => {
                return Err(cx.leave("an attribute of an instance that is not known"));
            }
            // Functions of Python's own that are written in Python do so too.
            Some(Const::Builtin(function)) if function.module != "builtins" => {
                return Err(cx.leave("an attribute of an instance that is not known"));
            }
            _ => false,
        };
        let value = constant(cx, *id)?;
        Ok(Some(match binds {
            true => Obj::Method(cx.bump.alloc((value, Obj::Native(self)))),
            false => value,
        }))
    }

    fn shown(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<&'a str>> {
        match self.special(cx, name, &[], &[])? {
            None => Ok(None),
            Some(Obj::Str(text)) => Ok(Some(text)),
            Some(_) => Err(cx.leave("an instance whose text is none")),
        }
    }
}

impl<'a> Native<'a> for Instance<'a> {
    fn class(&self) -> &'static NativeClass {
        &INSTANCE
    }

    fn user_class(&self) -> Option<u32> {
        Some(self.number)
    }

    fn set_attr(&'a self, cx: &Cx<'a>, name: &'a str, value: Obj<'a>) -> Option<R<'a, ()>> {
        let instances = self.class.instances.as_ref()?;
        if name.starts_with("__") && name.ends_with("__") || instances.properties.contains_key(name) {
            return None;
        }
        // A descriptor that is not known decides itself what being set means.
        let unknown = self
            .class
            .attrs
            .get(name)
            .map(|id| cx.program.consts.get(*id as usize));
        if let Some(Some(Const::Unsupported(_)) | None) = unknown {
            return None;
        }
        let mut attrs = self.attrs.borrow_mut();
        match attrs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = value,
            None => attrs.push((name, value)),
        }
        Some(cx.use_fuel(attrs.len() as u64))
    }

    fn attr(&'a self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        cx.tick()?;
        let Some(instances) = &self.class.instances else {
            return Ok(None);
        };
        if name == "__class__" {
            return Ok(Some(Obj::Class(self.number)));
        }
        if name.starts_with("__") && name.ends_with("__") {
            return Ok(None);
        }
        if let Some(getter) = instances.properties.get(name) {
            let getter = constant(cx, *getter)?;
            return call(cx, getter, &Args::positional(&[Obj::Native(self)])).map(Some);
        }
        if let Some(id) = self.class.attrs.get(name)
            && let Some(Const::Unsupported(point)) = cx.program.consts.get(*id as usize)
        {
            return Err(super::leave_at(*point));
        }
        if let Some(own) = self.own(name) {
            return Ok(Some(own));
        }
        if let Some(value) = self.of_class(cx, instances, name)? {
            return Ok(Some(value));
        }
        let class = &self.class.name;
        Err(cx.raise(
            ExcKind::AttributeError,
            format_args!("'{class}' object has no attribute '{name}'"),
        ))
    }

    fn truthy(&'a self, cx: &Cx<'a>) -> R<'a, bool> {
        match self.special(cx, "__bool__", &[], &[])? {
            Some(Obj::Bool(flag)) => Ok(flag),
            Some(_) => Err(cx.leave("a truth that is no bool")),
            None => match Native::len(self, cx) {
                Some(len) => Ok(len? > 0),
                None => Ok(true),
            },
        }
    }

    fn len(&'a self, cx: &Cx<'a>) -> Option<R<'a, usize>> {
        let len = || match self.special(cx, "__len__", &[], &[])? {
            Some(Obj::Int(len)) if len >= 0 => Ok(usize::try_from(len).unwrap_or(usize::MAX)),
            _ => Err(cx.leave("a length that is none")),
        };
        self.class.attrs.contains_key("__len__").then(len)
    }

    fn eq(&'a self, cx: &Cx<'a>, other: Obj<'a>) -> R<'a, Option<bool>> {
        if let Obj::Native(native) = other
            && let Some(class) = native.user_class()
            && class != self.number
            && (self.class.bases.contains(&class)
                || cx
                    .program
                    .classes
                    .get(class as usize)
                    .is_none_or(|class| class.bases.contains(&self.number)))
        {
            return Err(cx.leave("instances of a class and of one that derives from it, compared"));
        }
        match self.special(cx, "__eq__", &[other], &[])? {
            None | Some(Obj::NotImplemented) => Ok(None),
            Some(Obj::Bool(answer)) => Ok(Some(answer)),
            Some(_) => Err(cx.leave("a comparison that answers no bool")),
        }
    }

    fn hash(&'a self, cx: &Cx<'a>) -> R<'a, Option<u64>> {
        let attrs = &self.class.attrs;
        let own = attrs
            .get("__hash__")
            .map(|id| cx.program.consts.get(*id as usize));
        match own {
            Some(Some(Const::None)) => Ok(None),
            Some(_) => Err(cx.leave("a hash that the class computes")),
            None if attrs.contains_key("__eq__") => Ok(None),
            None => Ok(Some(std::ptr::from_ref(self) as usize as u64)),
        }
    }

    fn contains(&'a self, cx: &Cx<'a>, item: Obj<'a>) -> Option<R<'a, bool>> {
        let has = |name| self.class.attrs.contains_key(name);
        if !has("__contains__") {
            return has("__getitem__").then(|| Err(cx.leave("in, asked of __getitem__")));
        }
        Some(match self.special(cx, "__contains__", &[item], &[]) {
            Ok(answer) => crate::ops::truthy(cx, answer.unwrap_or(Obj::None)),
            Err(raise) => Err(raise),
        })
    }

    fn iter(&'a self, cx: &Cx<'a>) -> Option<R<'a, IterState<'a>>> {
        let has = self.class.attrs.contains_key("__getitem__");
        has.then(|| Err(cx.leave("a loop over __getitem__")))
    }

    fn index(&'a self, cx: &Cx<'a>, index: Obj<'a>) -> Option<R<'a>> {
        self.special(cx, "__getitem__", &[index], &[]).transpose()
    }

    fn call(&'a self, cx: &Cx<'a>, args: &Args<'_, 'a>) -> Option<R<'a>> {
        self.special(cx, "__call__", args.pos, args.kw).transpose()
    }

    fn repr(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        match self.shown(cx, "__repr__")? {
            Some(text) => Ok(text),
            None => Err(cx.leave("an object's address as text")),
        }
    }

    fn str(&'a self, cx: &Cx<'a>) -> R<'a, &'a str> {
        match self.shown(cx, "__str__")? {
            Some(text) => Ok(text),
            None => self.repr(cx),
        }
    }
}
