//! Functions of several lines, as CPython runs them: `data/functions.txt` is written by `data/functions.py`. Each
//! block: the outcome by version of Python 3, and the source of `f`, which is called with the record.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod support;

use std::collections::BTreeMap;

use streamalert_native::export::{Export, ExportedRule, Object, Source};
use streamalert_native::{lower, testing};
use support::{Comparison, outcome};

const TABLE: &str = include_str!("data/functions.txt");
const RECORD: &str = r#"{"a": 1, "b": [1, 2, 3], "c": {"d": "x"}, "s": "text", "n": null}"#;
/// Functions that CPython evaluates. The more, the slower; never wrong.
const FALLBACKS_MAX: usize = 20;
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

fn compare() {
    let mut comparison = Comparison::default();
    for minor in [8, 11, 13] {
        let functions = functions(minor);
        assert!(functions.len() > 300, "{}", functions.len());
        let program = lower::compile(&export(minor, &functions)).unwrap();
        testing::with_program(&program, RECORD, |cx, record| {
            for (function, rule) in functions.iter().zip(&program.rules) {
                let outcome = outcome(cx, cx.constant(rule.func), record);
                comparison.add(minor, &function.source, function.outcome, outcome);
            }
        });
    }
    comparison.end(FALLBACKS_MAX);
}

#[test]
fn functions_do_what_they_do_in_cpython() {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(compare).unwrap().join().unwrap();
}
