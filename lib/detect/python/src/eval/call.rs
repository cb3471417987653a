//! Calls.

use std::cell::Cell;

use bumpalo::collections::Vec as BumpVec;

use super::{Frame, bind, constant, exceptions, generator, instance, stmt};
use crate::cx::{Cx, R};
use crate::ir::Code;
use crate::methods::{self, MethodSite};
use crate::obj::{CellRef, Closure, Obj};
use crate::program::{Const, ConstFunction};
use crate::registry::{Args, MethodFn};
use crate::types::{ExcKind, Type};
use crate::{builtins, ops};

/// Frames of up to this many locals live on the stack.
const LOCALS_ON_STACK: usize = 12;

/// Calls anything.
///
/// # Errors
/// What Python raises.
pub fn call<'a>(cx: &Cx<'a>, func: Obj<'a>, args: &Args<'_, 'a>) -> R<'a> {
    match func {
        Obj::Function(function) => call_function(cx, function, args),
        Obj::Builtin(function) => {
            cx.tick()?;
            (function.call)(cx, args)
        }
        Obj::Closure(closure) => call_closure(cx, closure, args),
        Obj::BuiltinMethod(method) => {
            cx.tick()?;
            (method.call)(cx, method.receiver, args)
        }
        Obj::Method((function, receiver)) => {
            let mut pos = BumpVec::with_capacity_in(args.pos.len() + 1, cx.bump);
            pos.push(*receiver);
            pos.extend_from_slice(args.pos);
            call(
                cx,
                *function,
                &Args {
                    pos: &pos,
                    kw: args.kw,
                },
            )
        }
        Obj::Type(Type::User(class)) | Obj::Class(class) => construct_user(cx, class, args),
        Obj::Type(class) => {
            cx.tick()?;
            builtins::construct(cx, class, args)
        }
        Obj::NativeClass(class) => {
            cx.tick()?;
            (class.new)(cx, args)
        }
        Obj::ConstPartial(partial) => {
            let mut pos = BumpVec::new_in(cx.bump);
            for id in &partial.args {
                pos.push(constant(cx, *id)?);
            }
            pos.extend_from_slice(args.pos);
            let mut kw = BumpVec::new_in(cx.bump);
            for (name, id) in &partial.kwargs {
                if args.named(name).is_none() {
                    kw.push((&**name, constant(cx, *id)?));
                }
            }
            kw.extend_from_slice(args.kw);
            call(cx, constant(cx, partial.func)?, &Args { pos: &pos, kw: &kw })
        }
        Obj::Const(id) => call(cx, constant(cx, id)?, args),
        Obj::Native(native) => match native.call(cx, args) {
            Some(result) => result,
            None => Err(not_callable(cx, func)),
        },
        Obj::Module(_) if cx.program.version.minor >= 12 => {
            Err(cx.leave("a module that is called: the message may propose one of its functions"))
        }
        _ => Err(not_callable(cx, func)),
    }
}

#[cold]
fn not_callable<'a>(cx: &Cx<'a>, value: Obj<'a>) -> crate::cx::Raise<'a> {
    let name = ops::type_name(cx, value);
    cx.type_error(format_args!("'{name}' object is not callable"))
}

fn construct_user<'a>(cx: &Cx<'a>, class: u32, args: &Args<'_, 'a>) -> R<'a> {
    let info = &cx.program.classes[class as usize];
    match info.exception {
        Some(kind) if args.kw.is_empty() => Ok(Obj::Exception(exceptions::of_user_class(
            cx, kind, class, args.pos,
        ))),
        Some(_) => Err(cx.leave("an exception made with keyword arguments")),
        None if info.instances.is_some() => instance::construct(cx, class, args),
        None => Err(cx.leave("an instance of a class written in the rules")),
    }
}

fn call_function<'a>(cx: &Cx<'a>, function: &'a ConstFunction, args: &Args<'_, 'a>) -> R<'a> {
    let code = &cx.program.codes[function.code as usize];
    let free: &'a [Cell<CellRef<'a>>] = if function.closure.is_empty() && code.cells.is_empty() {
        &[]
    } else {
        let mut cells = own_cells(cx, code, function.closure.len());
        for id in &function.closure {
            let cell: CellRef<'a> = cx.bump.alloc(Cell::new(constant(cx, *id)?));
            cells.push(Cell::new(cell));
        }
        cells.into_bump_slice()
    };
    let frozen_from = code.cells.len();
    let defaults = bind::Defaults::Consts(&function.defaults, &function.kwdefaults);
    run(cx, code, free, frozen_from, defaults, args)
}

fn call_closure<'a>(cx: &Cx<'a>, closure: &'a Closure<'a>, args: &Args<'_, 'a>) -> R<'a> {
    let code = closure.code;
    let cells = closure_cells(cx, closure);
    let defaults = bind::Defaults::Objects(closure.defaults, closure.kwdefaults);
    run(cx, code, cells, usize::MAX, defaults, args)
}

/// The cells of a frame: new ones of its own, then those it shares.
pub(super) fn closure_cells<'a>(cx: &Cx<'a>, closure: &'a Closure<'a>) -> &'a [Cell<CellRef<'a>>] {
    if closure.cells.is_empty() && closure.code.cells.is_empty() {
        return &[];
    }
    let mut cells = own_cells(cx, closure.code, closure.cells.len());
    cells.extend(closure.cells.iter().map(|cell| Cell::new(*cell)));
    cells.into_bump_slice()
}

fn own_cells<'a>(cx: &Cx<'a>, code: &'a Code, more: usize) -> BumpVec<'a, Cell<CellRef<'a>>> {
    let mut cells = BumpVec::with_capacity_in(code.cells.len() + more, cx.bump);
    for _ in &code.cells {
        let cell: CellRef<'a> = cx.bump.alloc(Cell::new(Obj::Unbound));
        cells.push(Cell::new(cell));
    }
    cells
}

/// Binds arguments and runs a function; a generator function's call only makes the generator.
fn run<'a>(
    cx: &Cx<'a>,
    code: &'a Code,
    cells: &'a [Cell<CellRef<'a>>],
    frozen_from: usize,
    defaults: bind::Defaults<'a>,
    args: &Args<'_, 'a>,
) -> R<'a> {
    cx.tick()?;
    if code.is_generator {
        let locals = cx.bump.alloc_slice_fill_copy(code.locals.len(), Obj::Unbound);
        bind::bind(cx, code, defaults, args, locals)?;
        fill_cells(code, cells, locals);
        return Ok(generator::object(cx, code, locals, cells, frozen_from));
    }
    let _depth = enter(cx)?;
    let mut on_stack = [Obj::Unbound; LOCALS_ON_STACK];
    let locals: &mut [Obj<'a>] = match on_stack.get_mut(..code.locals.len()) {
        Some(locals) => locals,
        None => cx.bump.alloc_slice_fill_copy(code.locals.len(), Obj::Unbound),
    };
    bind::bind(cx, code, defaults, args, locals)?;
    fill_cells(code, cells, locals);
    let mut frame = Frame {
        code,
        locals,
        cells,
        frozen_from,
    };
    match stmt::run_body(cx, &mut frame, &code.body)? {
        stmt::Flow::Return(value) => Ok(value),
        _ => Ok(Obj::None),
    }
}

/// Parameters that inner functions capture start with the argument.
pub(super) fn fill_cells<'a>(code: &'a Code, cells: &'a [Cell<CellRef<'a>>], locals: &[Obj<'a>]) {
    for (variable, cell) in code.cells.iter().zip(cells) {
        let value = variable.param.and_then(|param| locals.get(usize::from(param)));
        if let Some(value) = value {
            cell.get().set(*value);
        }
    }
}

/// Counts a nested call as long as it lives.
pub(crate) struct Depth<'c>(&'c Cell<u32>);

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Goes one call deeper.
///
/// # Errors
/// `RecursionError` at the limit.
pub(crate) fn enter<'c, 'a>(cx: &'c Cx<'a>) -> R<'a, Depth<'c>> {
    let depth = cx.depth.get();
    if depth >= cx.limits.depth {
        return Err(cx.raise(
            ExcKind::RecursionError,
            format_args!("maximum recursion depth exceeded"),
        ));
    }
    cx.depth.set(depth + 1);
    Ok(Depth(&cx.depth))
}

/// What a method call will call, known before its arguments are evaluated: a missing method is reported first.
#[derive(Clone, Copy)]
pub(super) enum Resolved<'a> {
    Method(MethodFn),
    Object(Obj<'a>),
    /// Asked with the arguments.
    ByName,
}

/// Finds the method of a receiver.
#[inline]
pub(super) fn resolve<'a>(cx: &Cx<'a>, receiver: Obj<'a>, site: &'a MethodSite) -> R<'a, Resolved<'a>> {
    if let Some(kind) = methods::kind(receiver)
        && let Some(method) = site.table[kind as usize]
    {
        return Ok(Resolved::Method(method));
    }
    resolve_rare(cx, receiver, site)
}

fn resolve_rare<'a>(cx: &Cx<'a>, receiver: Obj<'a>, site: &'a MethodSite) -> R<'a, Resolved<'a>> {
    match receiver {
        Obj::Native(native) if native.user_class().is_some() => {
            Ok(Resolved::Object(get_attr(cx, receiver, &site.name)?))
        }
        Obj::Native(_) | Obj::Regex(_) | Obj::View(_) | Obj::Iter(_) | Obj::Range(_) | Obj::Const(_) => {
            Ok(Resolved::ByName)
        }
        _ => Ok(Resolved::Object(get_attr(cx, receiver, &site.name)?)),
    }
}

/// Calls what [`resolve`] found.
#[inline]
pub(super) fn call_resolved<'a>(
    cx: &Cx<'a>,
    receiver: Obj<'a>,
    site: &'a MethodSite,
    resolved: Resolved<'a>,
    args: &Args<'_, 'a>,
) -> R<'a> {
    match resolved {
        Resolved::Method(method) => {
            cx.tick()?;
            method(cx, receiver, args)
        }
        Resolved::Object(func) => call(cx, func, args),
        Resolved::ByName => call_by_name(cx, receiver, &site.name, args),
    }
}

fn call_by_name<'a>(cx: &Cx<'a>, receiver: Obj<'a>, name: &'a str, args: &Args<'_, 'a>) -> R<'a> {
    cx.tick()?;
    let answered = match receiver {
        Obj::Native(native) => native.method(cx, name, args),
        Obj::Regex(regex) => crate::modules::re::pattern_method(cx, regex, name, args),
        Obj::Const(_) => return call_method(cx, ops::resolve(cx, receiver)?, name, args),
        _ => None,
    };
    match answered {
        Some(result) => result,
        None => call(cx, get_attr(cx, receiver, name)?, args),
    }
}

/// Calls a method by name, for receivers of any type.
///
/// # Errors
/// What Python raises.
pub fn call_method<'a>(cx: &Cx<'a>, receiver: Obj<'a>, name: &'a str, args: &Args<'_, 'a>) -> R<'a> {
    if let Some(kind) = methods::kind(receiver)
        && let Some(method) = methods::lookup(kind, name)
    {
        cx.tick()?;
        return method(cx, receiver, args);
    }
    call_by_name(cx, receiver, name, args)
}

/// `value.name`, for values of any type.
///
/// # Errors
/// `AttributeError`, or the fallback.
pub fn get_attr<'a>(cx: &Cx<'a>, value: Obj<'a>, name: &'a str) -> R<'a> {
    if methods::kind(value).is_some() {
        return ops::get_attr(cx, value, name);
    }
    match value {
        Obj::Class(class) | Obj::Type(Type::User(class)) => class_attr(cx, class, name),
        Obj::Type(class) => builtins::class_attr(cx, class, name),
        Obj::NativeClass(_) if name == "__name__" => {
            Ok(ops::class_name(cx, value).map_or(Obj::None, Obj::Str))
        }
        Obj::NativeClass(class) => match (class.attr)(name) {
            Some(crate::registry::ClassAttr::Function(function)) => Ok(Obj::Builtin(function)),
            Some(crate::registry::ClassAttr::Value(make)) => make(cx, &Args::positional(&[])),
            None => Err(cx.leave("an attribute of a class that is not known")),
        },
        Obj::Native(native) => match native.attr(cx, name)? {
            Some(value) => Ok(value),
            None => Err(cx.leave("an attribute of an object that is not known")),
        },
        Obj::Regex(regex) => match crate::modules::re::pattern_attr(cx, regex, name)? {
            Some(value) => Ok(value),
            None => Err(cx.leave("an attribute of a pattern that is not known")),
        },
        Obj::Module(_) => Err(cx.leave("an attribute of a module in a variable")),
        Obj::Const(id) => get_attr(cx, constant(cx, id)?, name),
        _ => ops::get_attr(cx, value, name),
    }
}

fn class_attr<'a>(cx: &Cx<'a>, class: u32, name: &str) -> R<'a> {
    let info = &cx.program.classes[class as usize];
    match info.attrs.get(name) {
        Some(id) => match &cx.program.consts[*id as usize] {
            Const::Unsupported(point) => Err(super::leave_at(*point)),
            _ => constant(cx, *id),
        },
        None if name == "__name__" => Ok(Obj::Str(&info.name)),
        // Dunder attributes and those of exception classes exist whoever wrote the class.
        None if name.starts_with("__") || info.exception.is_some() => {
            Err(cx.leave("an attribute of a class that is not known"))
        }
        None => {
            let class = &info.name;
            Err(cx.raise(
                ExcKind::AttributeError,
                format_args!("type object '{class}' has no attribute '{name}'"),
            ))
        }
    }
}
