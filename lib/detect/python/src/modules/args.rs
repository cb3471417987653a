//! Arguments of functions that are written in Python: by place or by name.

use crate::builtins::misfit;
use crate::cx::{Cx, R};
use crate::obj::Obj;
use crate::registry::Args;

/// Arguments in the order of `names`, of which the first `required` must be given. Wrong ones fall back: the
/// messages differ by version.
///
/// # Errors
/// The fallback.
#[inline]
pub(crate) fn bind<'a, const N: usize>(
    cx: &Cx<'a>,
    args: &Args<'_, 'a>,
    names: [&str; N],
    required: usize,
) -> R<'a, [Option<Obj<'a>>; N]> {
    let mut bound = [None; N];
    if args.pos.len() > N {
        return Err(misfit(cx));
    }
    for (place, value) in bound.iter_mut().zip(args.pos) {
        *place = Some(*value);
    }
    for (name, value) in args.kw {
        let at = names.iter().position(|known| known == name);
        match at.and_then(|at| bound.get_mut(at)) {
            Some(place @ None) => *place = Some(*value),
            _ => return Err(misfit(cx)),
        }
    }
    if bound.iter().take(required).any(Option::is_none) {
        return Err(misfit(cx));
    }
    Ok(bound)
}
