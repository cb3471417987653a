//! `match` statements.

use bumpalo::collections::Vec as BumpVec;

use super::{Frame, assign, expr, stmt, test};
use crate::cx::{Cx, R};
use crate::ir::{Expr, Match, Pattern, Target};
use crate::obj::{Dict, List, Obj};
use crate::ops;
use crate::types::Type;

/// Runs a `match` statement.
pub(super) fn run_match<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    statement: &'a Match,
) -> R<'a, stmt::Flow<'a>> {
    let subject = expr::eval(cx, frame, &statement.subject)?;
    for case in &statement.cases {
        let mut bindings = BumpVec::new_in(cx.bump);
        if !matches(cx, frame, &case.pattern, subject, &mut bindings)? {
            continue;
        }
        // Names are bound once the whole pattern has matched, and before the guard.
        for (target, value) in bindings {
            assign::assign(cx, frame, target, value)?;
        }
        if let Some(guard) = &case.guard
            && !test(cx, frame, guard)?
        {
            continue;
        }
        return stmt::run_body(cx, frame, &case.body);
    }
    Ok(stmt::Flow::Next)
}

/// Names to be bound.
type Bindings<'a> = BumpVec<'a, (&'a Target, Obj<'a>)>;

/// Whether a pattern matches.
fn matches<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    pattern: &'a Pattern,
    subject: Obj<'a>,
    bindings: &mut Bindings<'a>,
) -> R<'a, bool> {
    cx.tick()?;
    match pattern {
        Pattern::Value(value) => {
            let value = expr::eval(cx, frame, value)?;
            ops::eq(cx, subject, value)
        }
        Pattern::Singleton(id) => Ok(match (cx.constant(*id), subject) {
            (Obj::None, Obj::None) => true,
            (Obj::Bool(one), Obj::Bool(two)) => one == two,
            _ => false,
        }),
        Pattern::As(inner, target) => {
            if let Some(inner) = inner
                && !matches(cx, frame, inner, subject, bindings)?
            {
                return Ok(false);
            }
            bindings.extend(target.as_ref().map(|target| (target, subject)));
            Ok(true)
        }
        Pattern::Or(patterns) => {
            for pattern in patterns {
                if matches(cx, frame, pattern, subject, bindings)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Pattern::Sequence(patterns, star) => sequence(cx, frame, patterns, star.as_ref(), subject, bindings),
        Pattern::Mapping(entries, rest) => mapping(cx, frame, entries, rest.as_ref(), subject, bindings),
        Pattern::Class(class, positional, named) => {
            let class = expr::eval(cx, frame, class)?;
            if !matches!(class, Obj::Type(_)) || !named.is_empty() || positional.len() > 1 {
                return Err(cx.leave("a class pattern with attributes"));
            }
            if !ops::is_instance(cx, subject, class)? {
                return Ok(false);
            }
            match (&**positional, class) {
                ([], _) => Ok(true),
                // These classes match their whole value to the one positional pattern.
                (
                    [inner],
                    Obj::Type(
                        Type::Bool
                        | Type::Bytes
                        | Type::Dict
                        | Type::Float
                        | Type::FrozenSet
                        | Type::Int
                        | Type::List
                        | Type::Set
                        | Type::Str
                        | Type::Tuple,
                    ),
                ) => matches(cx, frame, inner, subject, bindings),
                _ => Err(cx.leave("a class pattern with attributes")),
            }
        }
    }
}

fn sequence<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    patterns: &'a [Pattern],
    star: Option<&'a (usize, Option<Target>)>,
    subject: Obj<'a>,
    bindings: &mut Bindings<'a>,
) -> R<'a, bool> {
    let is_sequence = matches!(
        subject,
        Obj::NodeList(_)
            | Obj::ConstList(_)
            | Obj::List(_)
            | Obj::Tuple(_)
            | Obj::ConstTuple(_)
            | Obj::Range(_)
    );
    if let Obj::Native(_) = subject {
        return Err(cx.leave("a sequence pattern on an object of a module"));
    }
    if !is_sequence {
        return Ok(false);
    }
    let count = ops::len(cx, subject)?;
    let fits = match star {
        None => count == patterns.len(),
        Some(_) => count >= patterns.len(),
    };
    if !fits {
        return Ok(false);
    }
    let items = crate::iter::collect(cx, subject)?;
    let split = star.map_or(patterns.len(), |(at, _)| *at);
    let after = patterns.len() - split;
    for (pattern, item) in patterns[..split].iter().zip(&items) {
        if !matches(cx, frame, pattern, *item, bindings)? {
            return Ok(false);
        }
    }
    if let Some((at, target)) = star {
        let mut rest = bumpalo::collections::Vec::new_in(cx.bump);
        rest.extend_from_slice(&items[*at..items.len() - after]);
        let rest = List::object(cx, rest);
        bindings.extend(target.as_ref().map(|target| (target, rest)));
        for (pattern, item) in patterns[split..].iter().zip(&items[items.len() - after..]) {
            if !matches(cx, frame, pattern, *item, bindings)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn mapping<'a>(
    cx: &Cx<'a>,
    frame: &mut Frame<'_, 'a>,
    entries: &'a [(Expr, Pattern)],
    rest: Option<&'a Target>,
    subject: Obj<'a>,
    bindings: &mut Bindings<'a>,
) -> R<'a, bool> {
    if let Obj::Native(_) = subject {
        return Err(cx.leave("a mapping pattern on an object of a module"));
    }
    if !matches!(subject, Obj::NodeDict(_) | Obj::ConstDict(_) | Obj::Dict(_)) {
        return Ok(false);
    }
    let mut keys = bumpalo::collections::Vec::new_in(cx.bump);
    for (key, pattern) in entries {
        let key = expr::eval(cx, frame, key)?;
        let Some(value) = ops::dict_get(cx, subject, key)? else {
            return Ok(false);
        };
        keys.push(key);
        if !matches(cx, frame, pattern, value, bindings)? {
            return Ok(false);
        }
    }
    if let Some(rest) = rest {
        let others = Dict::empty(cx);
        'next: for key in crate::iter::collect(cx, subject)? {
            for taken in &keys {
                if ops::eq(cx, key, *taken)? {
                    continue 'next;
                }
            }
            if let Some(value) = ops::dict_get(cx, subject, key)? {
                ops::set_item(cx, others, key, value)?;
            }
        }
        bindings.push((rest, others));
    }
    Ok(true)
}
