//! Arguments to parameters.

use bumpalo::collections::Vec as BumpVec;

use super::constant;
use crate::cx::{Cx, R, Raise};
use crate::ir::Code;
use crate::obj::{Dict, Obj};
use crate::program::ConstId;
use crate::registry::Args;

/// Where defaults come from.
#[derive(Clone, Copy)]
pub(super) enum Defaults<'a> {
    Consts(&'a [ConstId], &'a [(Box<str>, ConstId)]),
    Objects(&'a [Obj<'a>], &'a [(&'a str, Obj<'a>)]),
}

impl<'a> Defaults<'a> {
    fn count(self) -> usize {
        match self {
            Self::Consts(ids, _) => ids.len(),
            Self::Objects(values, _) => values.len(),
        }
    }

    fn positional(self, cx: &Cx<'a>, at: usize) -> R<'a> {
        match self {
            Self::Consts(ids, _) => constant(cx, ids[at]),
            Self::Objects(values, _) => Ok(values[at]),
        }
    }

    fn named(self, cx: &Cx<'a>, name: &str) -> R<'a, Option<Obj<'a>>> {
        match self {
            Self::Consts(_, ids) => {
                let found = ids.iter().find(|(known, _)| **known == *name);
                found.map(|(_, id)| constant(cx, *id)).transpose()
            }
            Self::Objects(_, values) => Ok(values
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| *value)),
        }
    }
}

/// Fills the parameters, which are the first of `locals`.
pub(super) fn bind<'a>(
    cx: &Cx<'a>,
    code: &'a Code,
    defaults: Defaults<'a>,
    args: &Args<'_, 'a>,
    locals: &mut [Obj<'a>],
) -> R<'a, ()> {
    let params = &code.params;
    let count = params.positional.len();
    let simple = params.star.is_none() && params.keyword_only.is_empty() && params.double_star.is_none();
    if simple && args.kw.is_empty() && args.pos.len() == count {
        locals[..count].copy_from_slice(args.pos);
        return Ok(());
    }
    let given = args.pos.len().min(count);
    locals[..given].copy_from_slice(&args.pos[..given]);
    let extra = &args.pos[given..];
    let after_star = count + usize::from(params.star.is_some());
    if params.star.is_some() {
        locals[count] = Obj::Tuple(cx.bump.alloc_slice_copy(extra));
    }
    bind_keywords(cx, code, args, locals)?;
    if params.star.is_none() && !extra.is_empty() {
        return Err(too_many(cx, code, defaults, args.pos.len(), locals));
    }
    let first_default = count.saturating_sub(defaults.count());
    let mut missing: BumpVec<'a, &'a str> = BumpVec::new_in(cx.bump);
    for (at, local) in locals.iter_mut().enumerate().take(count).skip(given) {
        if matches!(local, Obj::Unbound) {
            if at >= first_default {
                *local = defaults.positional(cx, at - first_default)?;
            } else {
                missing.push(&params.positional[at]);
            }
        }
    }
    if !missing.is_empty() {
        return Err(missing_arguments(cx, code, "positional", &missing));
    }
    for (at, name) in params.keyword_only.iter().enumerate() {
        let local = &mut locals[after_star + at];
        if matches!(local, Obj::Unbound) {
            match defaults.named(cx, name)? {
                Some(value) => *local = value,
                None => missing.push(name),
            }
        }
    }
    if !missing.is_empty() {
        return Err(missing_arguments(cx, code, "keyword-only", &missing));
    }
    Ok(())
}

fn bind_keywords<'a>(cx: &Cx<'a>, code: &'a Code, args: &Args<'_, 'a>, locals: &mut [Obj<'a>]) -> R<'a, ()> {
    let params = &code.params;
    let count = params.positional.len();
    let after_star = count + usize::from(params.star.is_some());
    let rest = after_star + params.keyword_only.len();
    let others = params.double_star.is_some().then(|| Dict::empty(cx));
    if let Some(others) = others {
        locals[rest] = others;
    }
    for (name, value) in args.kw {
        let positional = params.positional.iter().skip(usize::from(params.positional_only));
        let found = positional
            .zip(usize::from(params.positional_only)..)
            .find(|(known, _)| ***known == **name);
        let keyword = || params.keyword_only.iter().position(|known| **known == **name);
        let slot = found
            .map(|(_, at)| at)
            .or_else(|| keyword().map(|at| after_star + at));
        match (slot, others) {
            (Some(slot), _) if matches!(locals[slot], Obj::Unbound) => locals[slot] = *value,
            (Some(_), _) => {
                let shown = shown_name(cx, code);
                return Err(cx.type_error(format_args!(
                    "{shown}() got multiple values for argument '{name}'"
                )));
            }
            (None, Some(others)) => crate::ops::set_item(cx, others, Obj::Str(name), *value)?,
            (None, None) => return Err(unexpected_keyword(cx, code, name)),
        }
    }
    Ok(())
}

#[cold]
fn unexpected_keyword<'a>(cx: &Cx<'a>, code: &'a Code, name: &str) -> Raise<'a> {
    let positional_only = code
        .params
        .positional
        .iter()
        .take(usize::from(code.params.positional_only));
    if positional_only.clone().any(|known| **known == *name) {
        return cx.leave("a positional-only argument given by name");
    }
    let shown = shown_name(cx, code);
    if cx.program.version.minor >= 13 {
        // From 3.13 on the message may suggest a similar name.
        return cx.leave("an unexpected keyword argument");
    }
    cx.type_error(format_args!(
        "{shown}() got an unexpected keyword argument '{name}'"
    ))
}

#[cold]
fn too_many<'a>(
    cx: &Cx<'a>,
    code: &'a Code,
    defaults: Defaults<'a>,
    given: usize,
    locals: &[Obj<'a>],
) -> Raise<'a> {
    let params = &code.params;
    let count = params.positional.len();
    let keyword_given = (0..params.keyword_only.len())
        .filter(|at| !matches!(locals[count + at], Obj::Unbound))
        .count();
    if keyword_given > 0 {
        return cx.leave("too many positional arguments beside keyword-only ones");
    }
    let shown = shown_name(cx, code);
    let least = count - defaults.count().min(count);
    let was = if given == 1 { "was" } else { "were" };
    if least == count {
        let plural = if count == 1 { "" } else { "s" };
        cx.type_error(format_args!(
            "{shown}() takes {count} positional argument{plural} but {given} {was} given"
        ))
    } else {
        let plural = if count == 1 { "" } else { "s" };
        cx.type_error(format_args!(
            "{shown}() takes from {least} to {count} positional argument{plural} but {given} {was} given"
        ))
    }
}

#[cold]
fn missing_arguments<'a>(cx: &Cx<'a>, code: &'a Code, kind: &str, names: &[&str]) -> Raise<'a> {
    let shown = shown_name(cx, code);
    let count = names.len();
    let plural = if count == 1 { "" } else { "s" };
    let list = match names {
        [one] => format!("'{one}'"),
        [one, two] => format!("'{one}' and '{two}'"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("'{name}'")).collect();
            format!("{}, and '{last}'", first.join(", "))
        }
        [] => String::new(),
    };
    cx.type_error(format_args!(
        "{shown}() missing {count} required {kind} argument{plural}: {list}"
    ))
}

/// How messages name a function: by its qualified name from 3.10 on.
fn shown_name<'a>(cx: &Cx<'a>, code: &'a Code) -> &'a str {
    if cx.program.version.minor >= 10 {
        &code.qualname
    } else {
        &code.name
    }
}
