//! Functions of several lines, as CPython runs them: `data/functions.txt` is written by `data/functions.py`. Each
//! block: the outcome by version of Python 3, and the source of `f`, which is called with the record.

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

const TABLE: &str = include_str!("data/functions.txt");
const RECORD: &str = r#"{"a": 1, "b": [1, 2, 3], "c": {"d": "x"}, "s": "text", "n": null}"#;
/// Functions that CPython evaluates. The more, the slower; never wrong.
const FALLBACKS_MAX: usize = 45;
/// As on the engine's own threads.
const STACK_BYTES: usize = 256 << 20;

struct Function {
    source: String,
    outcome: &'static str,
}

fn functions(minor: u8) -> Vec<Function> {
    let of = |block: &'static str| {
        let wanted = format!("#{minor} ");
        let outcome = block
            .lines()
            .find_map(|line| line.strip_prefix(wanted.as_str()))?;
        let source = block.lines().filter(|line| !line.starts_with('#'));
        let source = source.map(|line| format!("{line}\n")).collect();
        Some(Function { source, outcome })
    };
    TABLE.trim_end().split("\n\n\n").filter_map(of).collect()
}

fn export(minor: u8, functions: &[Function]) -> Export {
    let mut export = Export {
        version: 1,
        python: (3, minor, 7),
        ..Export::default()
    };
    for (number, function) in functions.iter().enumerate() {
        export.sources.push(Source {
            file: format!("rules/{number}.py"),
            text: function.source.clone(),
        });
        export.objects.push(Object::Function {
            source: number as u32,
            line: 1,
            name: "f".to_owned(),
            qualname: "f".to_owned(),
            code_name: String::new(),
            nth: 0,
            of: 0,
            defaults: Vec::new(),
            kwdefaults: BTreeMap::new(),
            closure: BTreeMap::new(),
            globals: BTreeMap::new(),
        });
        export.rules.push(ExportedRule {
            name: format!("f{number}"),
            func: number as u32,
            matchers: Vec::new(),
            dynamic_outputs: Vec::new(),
            context: None,
        });
    }
    export
}

/// The outcome as the table has it, or the reason why CPython is to answer.
fn outcome<'a>(cx: &Cx<'a>, function: Obj<'a>, record: Obj<'a>) -> Result<String, String> {
    cx.fuel.set(cx.limits.fuel);
    let shown =
        eval::call(cx, function, &Args::positional(&[record])).and_then(|value| text::repr(cx, value));
    assert_eq!(cx.depth.get(), 0);
    assert!(cx.handling.get().is_none());
    match shown {
        Ok(text) => Ok(format!("= {text}")),
        Err(Raise::Fallback(Leave::Here(reason))) => Err(reason.to_owned()),
        Err(Raise::Fallback(Leave::Point(point))) => {
            Err(cx.program.points[point as usize].reason.to_string())
        }
        Err(Raise::Limit(limit)) => Ok(format!("limit {limit:?}")),
        Err(Raise::Exception(exception)) => {
            let named = |exception| {
                let class = ops::class_of(cx, Obj::Exception(exception)).map_err(|_| "class")?;
                Ok::<_, &str>(ops::class_name(cx, class).unwrap_or_default())
            };
            let args = text::repr(cx, Obj::Tuple(exception.args)).map_err(|_| "args")?;
            let cause = match exception.cause.get() {
                Some(cause) => format!(" from {}", named(cause)?),
                None => String::new(),
            };
            Ok(format!("! {}: {args}{cause}", named(exception)?))
        }
    }
}

fn compare() {
    let mut wrong = String::new();
    for minor in [8, 11, 13] {
        let functions = functions(minor);
        assert!(functions.len() > 300, "{}", functions.len());
        let program = lower::compile(&export(minor, &functions)).unwrap();
        let mut fallbacks = Vec::new();
        testing::with_program(&program, RECORD, |cx, record| {
            for (function, rule) in functions.iter().zip(&program.rules) {
                match outcome(cx, cx.constant(rule.func), record) {
                    Ok(got) if got == function.outcome => {}
                    Ok(got) => writeln!(
                        wrong,
                        "3.{minor} {}  CPython {}\n  here    {got}\n",
                        function.source, function.outcome
                    )
                    .unwrap(),
                    Err(reason) => fallbacks.push((reason, &function.source)),
                }
            }
        });
        if std::env::var_os("SHOW_FALLBACKS").is_some() {
            for (reason, source) in &fallbacks {
                println!("3.{minor} {reason}:\n{source}");
            }
        }
        if fallbacks.len() > FALLBACKS_MAX {
            let reasons: Vec<&String> = fallbacks.iter().map(|(reason, _)| reason).collect();
            writeln!(wrong, "3.{minor}: too many fallbacks: {reasons:#?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn functions_do_what_they_do_in_cpython() {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(compare).unwrap().join().unwrap();
}
