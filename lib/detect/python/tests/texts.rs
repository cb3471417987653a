//! Texts, formats, methods and built-in functions, as CPython has them: `data/texts.txt` and `data/builtins.txt` are
//! written by `data/texts.py`. Each line: versions of Python 3, statements of which the last is returned, and
//! `= repr` or `! Class: args`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests, too; what falls back is shown on demand"
)]

use std::collections::BTreeMap;
use std::fmt::Write;

use streamalert_native::cx::{Cx, Leave, Raise};
use streamalert_native::export::{Export, ExportedRule, Object, Source};
use streamalert_native::obj::Obj;
use streamalert_native::registry::Args;
use streamalert_native::{eval, lower, ops, testing, text};

const TEXTS: &str = include_str!("data/texts.txt");
const BUILTINS: &str = include_str!("data/builtins.txt");
const RECORD: &str = r#"{"a": {"b": [1, "x"]}}"#;

struct Line<'t> {
    statements: &'t str,
    outcome: &'t str,
}

fn lines(table: &'static str, minor: u8) -> Vec<Line<'static>> {
    let applies = |versions: &str| versions == "*" || versions.split(',').any(|v| v.parse() == Ok(minor));
    table
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
    let mut export = Export {
        version: 1,
        python: (3, minor, 7),
        ..Export::default()
    };
    let mut source = String::new();
    for (number, line) in lines.iter().enumerate() {
        let name = format!("f{number}");
        let first_line = source.lines().count() as u32 + 1;
        writeln!(source, "def {name}(rec):").unwrap();
        let (first, last) = line
            .statements
            .rsplit_once("; ")
            .unwrap_or(("pass", line.statements));
        for statement in first.split("; ") {
            writeln!(source, "    {statement}").unwrap();
        }
        writeln!(source, "    return {last}").unwrap();
        // Files of a hundred functions: what does not parse takes its neighbours with it.
        if number % 100 == 99 {
            export.sources.push(source_of(std::mem::take(&mut source)));
        }
        export.objects.push(Object::Function {
            source: number as u32 / 100,
            line: first_line,
            name: name.clone(),
            qualname: name.clone(),
            code_name: String::new(),
            nth: 0,
            of: 0,
            defaults: Vec::new(),
            kwdefaults: BTreeMap::new(),
            closure: BTreeMap::new(),
            globals: BTreeMap::new(),
        });
        export.rules.push(ExportedRule {
            name,
            func: number as u32,
            matchers: Vec::new(),
            dynamic_outputs: Vec::new(),
            context: None,
        });
    }
    export.sources.push(source_of(source));
    export
}

fn source_of(text: String) -> Source {
    Source {
        file: "rules/a.py".to_owned(),
        text,
    }
}

/// The outcome as the table has it, or the reason why CPython is to answer.
fn outcome<'a>(cx: &Cx<'a>, function: Obj<'a>, record: Obj<'a>) -> Result<String, String> {
    cx.fuel.set(cx.limits.fuel);
    let shown =
        eval::call(cx, function, &Args::positional(&[record])).and_then(|value| text::repr(cx, value));
    match shown {
        Ok(text) => Ok(format!("= {text}")),
        Err(Raise::Fallback(Leave::Here(reason))) => Err(reason.to_owned()),
        Err(Raise::Fallback(Leave::Point(point))) => {
            Err(cx.program.points[point as usize].reason.to_string())
        }
        Err(Raise::Limit(limit)) => Ok(format!("limit {limit:?}")),
        Err(Raise::Exception(exception)) => {
            let class = ops::class_of(cx, Obj::Exception(exception)).map_err(|_| "class")?;
            let name = ops::class_name(cx, class).unwrap_or_default();
            let args = text::repr(cx, Obj::Tuple(exception.args)).map_err(|_| "args")?;
            Ok(format!("! {name}: {args}"))
        }
    }
}

/// Compares; answers how many lines CPython would have to evaluate.
fn check(table: &'static str, minor: u8, wrong: &mut String) -> (usize, usize) {
    let lines = lines(table, minor);
    let program = lower::compile(&export(minor, &lines)).unwrap();
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    testing::with_program(&program, RECORD, |cx, record| {
        for (line, rule) in lines.iter().zip(&program.rules) {
            match outcome(cx, cx.constant(rule.func), record) {
                Ok(got) if got == line.outcome => {}
                Ok(got) => writeln!(
                    wrong,
                    "3.{minor} {}\n  CPython {}\n  here    {got}",
                    line.statements, line.outcome
                )
                .unwrap(),
                Err(reason) => reasons.entry(reason).or_default().push(line.statements),
            }
        }
    });
    if std::env::var_os("SHOW_FALLBACKS").is_some() {
        for (reason, of) in &reasons {
            println!("3.{minor} {:5} {reason}: {:?}", of.len(), &of[..of.len().min(4)]);
        }
    }
    (lines.len(), reasons.values().map(Vec::len).sum())
}

/// Compares for all versions of the table; at most this part of the lines may be CPython's, in percent.
fn agrees(table: &'static str, least: usize, fallbacks_percent: usize) {
    let mut wrong = String::new();
    for minor in [8, 11, 13] {
        let (lines, fallbacks) = check(table, minor, &mut wrong);
        assert!(lines >= least, "{lines}");
        if fallbacks * 100 > lines * fallbacks_percent {
            writeln!(wrong, "3.{minor}: {fallbacks} of {lines} fall back\n\n").unwrap();
        }
    }
    let count = wrong.lines().count() / 3;
    assert!(wrong.is_empty(), "{count} differences\n{wrong}");
}

#[test]
fn texts_and_formats_are_those_of_cpython() {
    agrees(TEXTS, 5000, 1);
}

#[test]
fn built_in_functions_and_methods_do_what_they_do_in_cpython() {
    agrees(BUILTINS, 5000, 58);
}
