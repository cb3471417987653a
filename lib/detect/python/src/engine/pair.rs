//! One (event, rule) pair: what StreamAlert's engine does around the rule's function.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use streamalert_detect::{Fired, NORMALIZATION_KEY, RuleException, RuleIndex, RuleInfo};
use streamalert_value::{Kind, Map, NodeRef, Value};

use super::{Departure, Engine, Verdict, context};
use crate::cx::{Cx, Leave, R, Raise};
use crate::marks::Kept;
use crate::obj::{Exception, Obj};
use crate::program::{ConstId, RuleCode};
use crate::registry::Args;
use crate::{eval, ops, text};

/// Texts of exceptions are cut here, as CPython workers cut them.
const MESSAGE_CHARS_MAX: usize = 4000;

/// Evaluates a rule on the record.
pub(super) fn run(engine: &Engine, cx: &Cx<'_>, rule: RuleIndex) -> Verdict {
    let Some(info) = engine.rules.get(rule) else {
        return Verdict::False;
    };
    let Some(code) = engine.code(rule).and_then(|at| cx.program.rules.get(at as usize)) else {
        let leave = Leave::Here("the rule was not exported");
        return Verdict::Fallback(Departure { leave, line: 0 });
    };
    if !may_run(cx, info) {
        return Verdict::NotRun;
    }
    if let Some(point) = code.refused {
        let leave = Leave::Point(point);
        return Verdict::Fallback(Departure { leave, line: 0 });
    }
    cx.line.set(0);
    cx.depth.set(0);
    cx.handling.set(None);
    // Objects of a pair that panicked are not seen by another: the arena is only read through them.
    let result = catch_unwind(AssertUnwindSafe(|| evaluate(engine, cx, info, code)));
    match result {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(raise)) => raised(cx, info, raise),
        Err(panic) => Verdict::Panicked(panic_text(panic.as_ref())),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

/// Datatypes and required sub-keys.
fn may_run(cx: &Cx<'_>, info: &RuleInfo) -> bool {
    let root = cx.tree.root();
    if info.logs.is_none() && !info.datatypes.is_empty() {
        let has = |normalized: NodeRef<'_>| info.datatypes.iter().any(|kind| normalized.get(kind).is_some());
        let normalized = root
            .get(NORMALIZATION_KEY)
            .filter(|node| node.kind() == Kind::Map);
        if !normalized.is_some_and(has) {
            return false;
        }
    }
    info.req_subkeys.iter().all(|(key, subs)| {
        let value = root.get(key).filter(|value| value.kind() == Kind::Map);
        value.is_some_and(|value| subs.iter().all(|sub| value.get(sub).is_some()))
    })
}

fn evaluate<'a>(engine: &Engine, cx: &Cx<'a>, info: &RuleInfo, code: &'a RuleCode) -> R<'a, Verdict> {
    let record = Obj::NodeDict(0);
    for matcher in &code.matchers {
        if !matches(engine, cx, *matcher, record)? {
            return Ok(Verdict::NotRun);
        }
    }
    let func = eval::constant(cx, code.func)?;
    let initial = code.context.map(|id| context::thaw(cx, id)).transpose()?;
    let answer = match initial {
        None => eval::call(cx, func, &Args::positional(&[record]))?,
        Some(context) => eval::call(cx, func, &Args::positional(&[record, context]))?,
    };
    if !ops::truthy(cx, answer)? {
        return Ok(Verdict::False);
    }
    let mut outputs = info.outputs.clone();
    for function in &code.dynamic_outputs {
        add_outputs(cx, *function, record, initial, &mut outputs)?;
    }
    let context = match initial {
        Some(context) if ops::truthy(cx, context)? => context::to_value(cx, context)?,
        _ => Value::Map(Map::new()),
    };
    Ok(Verdict::Fired(Fired {
        outputs,
        context,
        record: None,
    }))
}

/// Whether a matcher holds. One that raises does not: the rule is not run.
fn matches<'a>(engine: &Engine, cx: &Cx<'a>, matcher: ConstId, record: Obj<'a>) -> R<'a, bool> {
    let memo = engine.matchers.get(&matcher);
    if let Some(Kept::Bool(known)) = memo.and_then(|memo| cx.marks.kept(*memo)) {
        cx.tick()?;
        return Ok(known);
    }
    let func = eval::constant(cx, matcher)?;
    let answer = eval::call(cx, func, &Args::positional(&[record])).and_then(|value| ops::truthy(cx, value));
    let holds = match answer {
        Ok(holds) => holds,
        Err(Raise::Exception(_)) => {
            cx.handling.set(None);
            false
        }
        Err(raise) => return Err(raise),
    };
    if let Some(memo) = memo {
        cx.marks.keep(*memo, Kept::Bool(holds));
    }
    Ok(holds)
}

/// Outputs that a function adds. What is not of the form `service:descriptor` gets a colon at its end, so that it is a
/// name that nobody has and the alert becomes a dead letter; a function that raises adds none.
fn add_outputs<'a>(
    cx: &Cx<'a>,
    function: ConstId,
    record: Obj<'a>,
    context: Option<Obj<'a>>,
    outputs: &mut Vec<streamalert_types::OutputName>,
) -> R<'a, ()> {
    let func = eval::constant(cx, function)?;
    let truthy = match context {
        Some(context) => ops::truthy(cx, context)?,
        None => false,
    };
    let answer = match context {
        Some(context) if truthy => eval::call(cx, func, &Args::positional(&[record, context])),
        _ => eval::call(cx, func, &Args::positional(&[record])),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Raise::Exception(_)) => return Ok(()),
        Err(raise) => return Err(raise),
    };
    let names = match answer {
        Obj::Str(_) => {
            let mut one = bumpalo::collections::Vec::new_in(cx.bump);
            one.push(answer);
            one
        }
        Obj::List(_) | Obj::ConstList(_) | Obj::NodeList(_) => crate::iter::collect(cx, answer)?,
        _ => return Ok(()),
    };
    for name in names {
        let Obj::Str(text) = name else {
            return Err(cx.leave("a dynamic output that is not text"));
        };
        let output = text.parse().or_else(|_| format!("{text}:").parse());
        if let Ok(output) = output
            && !outputs.contains(&output)
        {
            outputs.push(output);
        }
    }
    Ok(())
}

/// What a pair that raised becomes.
fn raised<'a>(cx: &Cx<'a>, info: &RuleInfo, raise: Raise<'a>) -> Verdict {
    let line = cx.line.get();
    match raise {
        Raise::Fallback(leave) => Verdict::Fallback(Departure { leave, line }),
        Raise::Limit(limit) => Verdict::OverLimit(limit),
        Raise::Exception(exception) => match text::exception(cx, exception) {
            Ok(message) => Verdict::Exception(described(cx, info, exception, message)),
            // An exception whose text we cannot make is CPython's to tell.
            Err(Raise::Fallback(leave)) => Verdict::Fallback(Departure { leave, line }),
            Err(Raise::Limit(limit)) => Verdict::OverLimit(limit),
            Err(Raise::Exception(_)) => Verdict::Fallback(Departure {
                leave: Leave::Here("an exception without text"),
                line,
            }),
        },
    }
}

fn described(cx: &Cx<'_>, info: &RuleInfo, exception: &Exception<'_>, message: &str) -> RuleException {
    let kind: Arc<str> = match exception.user {
        Some(class) => Arc::from(&*cx.program.classes[class as usize].name),
        None if exception.kind == crate::types::ExcKind::ReError && cx.program.version.minor >= 13 => {
            Arc::from("PatternError")
        }
        None => Arc::from(exception.kind.name()),
    };
    let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    let file = info.file.display();
    // The call of the rule itself has no line.
    let line = match exception.line.get() {
        0 => info.line,
        line => line,
    };
    let name = &info.name;
    let traceback =
        format!("Traceback (native evaluation):\n  rule {name} of {file}, line {line}\n{kind}: {message}\n");
    RuleException {
        kind,
        message,
        traceback,
    }
}
