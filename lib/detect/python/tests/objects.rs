//! Operators, methods and errors of built-in types, as CPython has them: `data/objects.txt` is written by
//! `data/objects.py` from the expressions in `data/objects.in`. Each line: versions of Python 3, statements of which
//! the last is returned, and `= repr` or `! Class: args`.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::collections::BTreeMap;
use std::fmt::Write;

use streamalert_native::cx::{Cx, Raise};
use streamalert_native::export::{Export, ExportedRule, Object, Source};
use streamalert_native::obj::Obj;
use streamalert_native::registry::Args;
use streamalert_native::{eval, lower, ops, testing, text};

const TABLE: &str = include_str!("data/objects.txt");
const RECORD: &str = r#"{"s": "text", "n": 7, "f": 1.5, "t": true, "z": null, "l": [1, "a", [2]], "d": {"a": 1, "b": {"c": "x"}}, "e": [], "o": {}}"#;
/// Lines that CPython evaluates. The more, the slower; never wrong.
const FALLBACKS_MAX: usize = 12;

struct Line<'t> {
    statements: &'t str,
    outcome: &'t str,
}

fn lines(minor: u8) -> Vec<Line<'static>> {
    let applies = |versions: &str| versions == "*" || versions.split(',').any(|v| v.parse() == Ok(minor));
    TABLE
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            let (versions, statements, outcome) = (parts.next()?, parts.next()?, parts.next()?);
            applies(versions).then_some(Line { statements, outcome })
        })
        .collect()
}

/// One function for each line.
fn export(minor: u8, lines: &[Line<'_>]) -> Export {
    let mut source = String::new();
    let mut objects: Vec<Object> = ["Counter", "OrderedDict", "defaultdict"]
        .map(|name| Object::Builtin {
            module: "collections".to_owned(),
            name: name.to_owned(),
        })
        .into();
    let globals: BTreeMap<String, u32> = [("Counter", 0), ("OrderedDict", 1), ("defaultdict", 2)]
        .map(|(name, id)| (name.to_owned(), id))
        .into();
    let (mut rules, mut at) = (Vec::new(), 1);
    for (number, line) in lines.iter().enumerate() {
        let name = format!("f{number}");
        objects.push(Object::Function {
            source: 0,
            line: at,
            name: name.clone(),
            qualname: name.clone(),
            code_name: String::new(),
            nth: 0,
            of: 0,
            defaults: Vec::new(),
            kwdefaults: BTreeMap::new(),
            closure: BTreeMap::new(),
            globals: globals.clone(),
        });
        rules.push(ExportedRule {
            name: name.clone(),
            func: objects.len() as u32 - 1,
            matchers: Vec::new(),
            dynamic_outputs: Vec::new(),
            context: None,
        });
        writeln!(source, "def {name}(rec):").unwrap();
        let (first, last) = line
            .statements
            .rsplit_once("; ")
            .unwrap_or(("pass", line.statements));
        at += 2;
        for statement in first.split("; ") {
            at += 1;
            writeln!(source, "    {statement}").unwrap();
        }
        writeln!(source, "    return {last}").unwrap();
    }
    Export {
        version: 1,
        python: (3, minor, 7),
        sources: vec![Source {
            file: "rules/a.py".to_owned(),
            text: source,
        }],
        objects,
        rules,
    }
}

/// The outcome as the table has it; `None` when CPython is to answer.
fn outcome<'a>(cx: &Cx<'a>, function: Obj<'a>, record: Obj<'a>) -> Option<String> {
    cx.fuel.set(cx.limits.fuel);
    let shown =
        eval::call(cx, function, &Args::positional(&[record])).and_then(|value| text::repr(cx, value));
    match shown {
        Ok(text) => Some(format!("= {text}")),
        Err(Raise::Fallback(_)) => None,
        Err(Raise::Limit(limit)) => Some(format!("limit {limit:?}")),
        Err(Raise::Exception(exception)) => {
            let class = ops::class_of(cx, Obj::Exception(exception)).ok()?;
            let name = ops::class_name(cx, class).unwrap_or_default();
            let args = text::repr(cx, Obj::Tuple(exception.args)).ok()?;
            Some(format!("! {name}: {args}"))
        }
    }
}

#[test]
fn built_in_types_do_what_they_do_in_cpython() {
    let mut wrong = String::new();
    for minor in 8..=13 {
        let lines = lines(minor);
        let program = lower::compile(&export(minor, &lines)).unwrap();
        let mut fallbacks = Vec::new();
        testing::with_program(&program, RECORD, |cx, record| {
            for (line, rule) in lines.iter().zip(&program.rules) {
                match outcome(cx, cx.constant(rule.func), record) {
                    Some(got) if got == line.outcome => {}
                    Some(got) => writeln!(
                        wrong,
                        "3.{minor} {}\n  CPython {}\n  here    {got}",
                        line.statements, line.outcome
                    )
                    .unwrap(),
                    None if line.statements.contains(['C', 'O'])
                        || line.statements.contains("defaultdict") => {}
                    None => fallbacks.push(line.statements),
                }
            }
        });
        assert!(lines.len() > 600, "{}", lines.len());
        if fallbacks.len() > FALLBACKS_MAX {
            writeln!(wrong, "3.{minor}: too many fallbacks: {fallbacks:#?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
