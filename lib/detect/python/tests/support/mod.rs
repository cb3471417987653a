//! Tables of expressions and of what CPython makes of them: `data/NAME.txt` is written by `data/modules.py` from
//! `data/NAME.in`. Each line: versions of Python 3, statements of which the last is returned, and `= repr` or
//! `! Class: args`.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use streamalert_native::cx::{Cx, Raise};
use streamalert_native::env::Env;
use streamalert_native::obj::Obj;
use streamalert_native::registry::Args;
use streamalert_native::{eval, load, lower, ops, testing, text};
use streamalert_value::Value;

/// Patch releases of the interpreters that wrote the tables, from 3.8 on.
const PATCHES: [u8; 6] = [18, 18, 13, 7, 1, 0];

/// One table of expressions.
pub(crate) struct Table {
    /// `NAME.in`: its `#! ` lines come first.
    pub(crate) input: &'static str,
    /// `NAME.txt`
    pub(crate) outcomes: &'static str,
    /// How many lines per version CPython may evaluate. The more, the slower; never wrong.
    pub(crate) fallbacks_max: usize,
}

/// Compares all lines in all versions.
pub(crate) fn check(table: &Table) {
    let head: Vec<&str> = table
        .input
        .lines()
        .filter_map(|line| line.strip_prefix("#! "))
        .collect();
    let script = include_str!("../data/modules.py");
    let (_, record) = script.split_once("RECORD = \"\"\"").unwrap();
    let (record, _) = record.split_once("\"\"\"").unwrap();
    let mut wrong = String::new();
    for minor in 8..=13 {
        let lines = lines(table.outcomes, minor);
        assert!(lines.len() > 10, "{} lines", lines.len());
        let program = program(minor, &head, &lines);
        let mut fallbacks = Vec::new();
        testing::with_env(&program, &env(script), record, |cx, record| {
            for ((statements, expected), rule) in lines.iter().zip(&program.rules) {
                let outcome = outcome(cx, cx.constant(rule.func), record);
                match outcome {
                    Ok(got) if got == *expected => {}
                    Ok(got) => {
                        let line = format!("3.{minor} {statements}\n  CPython {expected}\n  here    {got}");
                        writeln!(wrong, "{line}").unwrap();
                    }
                    Err(why) => fallbacks.push(format!("{statements}: {why}")),
                }
            }
        });
        if fallbacks.len() > table.fallbacks_max {
            let count = fallbacks.len();
            writeln!(wrong, "3.{minor}: {count} fallbacks: {fallbacks:#?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn lines(outcomes: &str, minor: u8) -> Vec<(&str, &str)> {
    let applies = |versions: &str| versions == "*" || versions.split(',').any(|v| v.parse() == Ok(minor));
    outcomes
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            let (versions, statements, outcome) = (parts.next()?, parts.next()?, parts.next()?);
            applies(versions).then_some((statements, outcome))
        })
        .collect()
}

fn program(minor: u8, head: &[&str], lines: &[(&str, &str)]) -> streamalert_native::program::Program {
    let mut source = "from streamalert.shared.rule import rule\n".to_owned();
    for line in head {
        writeln!(source, "{line}").unwrap();
    }
    for (number, (statements, _)) in lines.iter().enumerate() {
        writeln!(source, "@rule(logs=['a'])\ndef f{number}(rec):").unwrap();
        let (first, last) = statements.rsplit_once("; ").unwrap_or(("pass", statements));
        for statement in first.split("; ") {
            writeln!(source, "    {statement}").unwrap();
        }
        writeln!(source, "    return {last}").unwrap();
    }
    let patch = PATCHES[usize::from(minor) - 8];
    let loaded = load::load_source(&source, "rules/a.py", (3, minor, patch));
    let program = lower::compile(&loaded.export).unwrap();
    assert_eq!(program.rules.len(), lines.len(), "{:?}", loaded.problems);
    program
}

/// The lookup tables of the script, which are JSON once `True` and `None` are written so.
fn env(script: &str) -> Env {
    let (_, tables) = script.split_once("TABLES = ").unwrap();
    let (tables, _) = tables.split_once('\n').unwrap();
    let json = tables.replace("True", "true").replace("None", "null");
    let Ok(Value::Map(tables)) = Value::parse_json(json.as_bytes()) else {
        panic!("the lookup tables are no JSON: {json}");
    };
    let tables: HashMap<_, _> = tables
        .into_iter()
        .filter_map(|(name, table)| Some((name, table.as_map()?.clone())))
        .collect();
    Env::new(Arc::new(tables), Box::new(|| 1_000_000_000_123_456))
}

/// The outcome as the table has it; an error says why CPython is to answer.
fn outcome<'a>(cx: &Cx<'a>, function: Obj<'a>, record: Obj<'a>) -> Result<String, String> {
    cx.fuel.set(cx.limits.fuel);
    let shown =
        eval::call(cx, function, &Args::positional(&[record])).and_then(|value| text::repr(cx, value));
    match shown {
        Ok(text) => Ok(format!("= {text}")),
        Err(Raise::Fallback(streamalert_native::cx::Leave::Point(point))) => {
            Err(cx.program.points[point as usize].reason.to_string())
        }
        Err(Raise::Fallback(leave)) => Err(format!("{leave:?}")),
        Err(Raise::Limit(limit)) => Ok(format!("limit {limit:?}")),
        Err(Raise::Exception(exception)) => {
            let shown = ops::class_of(cx, Obj::Exception(exception)).and_then(|class| {
                let args = text::repr(cx, Obj::Tuple(exception.args))?;
                let name = ops::class_name(cx, class).unwrap_or_default();
                Ok(format!("! {name}: {args}"))
            });
            shown.map_err(|_| "the exception cannot be shown".to_owned())
        }
    }
}
