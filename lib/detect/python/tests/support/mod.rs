//! Tables of expressions and of what CPython makes of them: `data/NAME.txt` is written from `data/NAME.in` by a script
//! beside them. Each line: versions of Python 3, statements of which the last is returned, and `= repr` or
//! `! Class: args`.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test file uses its part; what falls back is shown on demand"
)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use streamalert_detect::RuleIndex;
use streamalert_native::cx::{Cx, Leave, Raise};
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::env::Env;
use streamalert_native::obj::{Exception, Obj};
use streamalert_native::program::Program;
use streamalert_native::registry::Args;
use streamalert_native::{eval, load, lower, ops, testing, text};
use streamalert_value::Value;

/// Patch releases of the interpreters that wrote the tables, from 3.8 on.
pub(crate) const PATCHES: [u8; 6] = [18, 18, 13, 7, 1, 0];

/// What writes the tables of modules, and says which record and lookup tables they are about.
const MODULES: &str = include_str!("../data/modules.py");

/// One table of expressions.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    /// `NAME.in`: its `#! ` lines come before the functions.
    pub(crate) input: &'static str,
    /// `NAME.txt`
    pub(crate) outcomes: &'static str,
    /// How many lines per version CPython may evaluate. The more, the slower; never wrong.
    pub(crate) fallbacks_max: usize,
}

/// What a table was written by.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// The record, as JSON.
    pub(crate) record: &'static str,
    /// Minor versions of the interpreters.
    pub(crate) minors: &'static [u8],
    /// How many lines there are at least, per version.
    pub(crate) lines_min: usize,
}

/// Compares all lines of a table that `modules.py` wrote, in all versions.
pub(crate) fn check(table: &Table) {
    let (_, record) = MODULES.split_once("RECORD = \"\"\"").unwrap();
    let (record, _) = record.split_once("\"\"\"").unwrap();
    let origin = Origin {
        record,
        minors: &[8, 9, 10, 11, 12, 13],
        lines_min: 11,
    };
    check_by(&origin, table);
}

/// Compares all lines of a table.
pub(crate) fn check_by(origin: &Origin, table: &Table) {
    let head: Vec<&str> = table
        .input
        .lines()
        .filter_map(|line| line.strip_prefix("#! "))
        .collect();
    let mut comparison = Comparison::default();
    for minor in origin.minors.iter().copied() {
        let lines = lines(table.outcomes, minor);
        assert!(lines.len() >= origin.lines_min, "{} lines", lines.len());
        let program = program(minor, &head, &lines);
        testing::with_env(&program, &env(MODULES), origin.record, |cx, record| {
            for ((statements, expected), rule) in lines.iter().zip(&program.rules) {
                let outcome = outcome(cx, cx.constant(rule.func), record);
                comparison.add(minor, statements, expected, outcome);
            }
        });
    }
    comparison.end(table.fallbacks_max);
}

/// What came of a table.
#[derive(Default)]
pub(crate) struct Comparison {
    wrong: String,
    /// By version, why CPython is to answer which lines.
    fallbacks: BTreeMap<u8, BTreeMap<String, Vec<String>>>,
}

impl Comparison {
    pub(crate) fn add(
        &mut self,
        minor: u8,
        statements: &str,
        expected: &str,
        outcome: Result<String, String>,
    ) {
        match outcome {
            Ok(got) if got == *expected => {}
            Ok(got) => {
                let line = format!("3.{minor} {statements}\n  CPython {expected}\n  here    {got}");
                writeln!(self.wrong, "{line}").unwrap();
            }
            Err(why) => {
                let reasons = self.fallbacks.entry(minor).or_default();
                reasons.entry(why).or_default().push(statements.to_owned());
            }
        }
    }

    /// Fails when anything is wrong, or when CPython is to answer more than so many lines of a version. With
    /// `SHOW_FALLBACKS` in the environment those are shown.
    pub(crate) fn end(mut self, fallbacks_max: usize) {
        for (minor, reasons) in &self.fallbacks {
            let count: usize = reasons.values().map(Vec::len).sum();
            if std::env::var_os("SHOW_FALLBACKS").is_some() {
                println!("3.{minor}: {count} fallbacks: {reasons:#?}");
            }
            if count > fallbacks_max {
                writeln!(self.wrong, "3.{minor}: {count} fallbacks: {reasons:#?}").unwrap();
            }
        }
        assert!(self.wrong.is_empty(), "{}", self.wrong);
    }
}

fn lines(outcomes: &str, minor: u8) -> Vec<(&str, &str)> {
    let parts = outcomes.lines().filter_map(|line| {
        let mut parts = line.split('\t');
        Some((parts.next()?, parts.next()?, parts.next()?))
    });
    parts
        .filter(|(versions, ..)| is_about(versions, minor))
        .map(|(_, statements, outcome)| (statements, outcome))
        .collect()
}

/// Whether versions of a table, `*` or minor ones with commas between, include this one.
pub(crate) fn is_about(versions: &str, minor: u8) -> bool {
    versions == "*" || versions.split(',').any(|version| version.parse() == Ok(minor))
}

fn program(minor: u8, head: &[&str], lines: &[(&str, &str)]) -> Program {
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

/// What a function answers for the record, as the tables have it; an error says why CPython is to answer.
pub(crate) fn outcome<'a>(cx: &Cx<'a>, function: Obj<'a>, record: Obj<'a>) -> Result<String, String> {
    cx.fuel.set(cx.limits.fuel);
    let shown =
        eval::call(cx, function, &Args::positional(&[record])).and_then(|value| text::repr(cx, value));
    assert_eq!(cx.depth.get(), 0, "every call is over");
    assert!(cx.handling.get().is_none(), "no exception is being handled");
    match shown {
        Ok(text) => Ok(format!("= {text}")),
        Err(Raise::Fallback(leave)) => Err(reason(cx.program, leave)),
        Err(Raise::Limit(limit)) => Ok(format!("limit {limit:?}")),
        Err(Raise::Exception(exception)) => {
            let args = text::repr(cx, Obj::Tuple(exception.args));
            let args = args.map_err(|_| "the exception cannot be shown")?;
            let cause = match exception.cause.get() {
                Some(cause) => format!(" from {}", class_name(cx, cause)?),
                None => String::new(),
            };
            Ok(format!("! {}: {args}{cause}", class_name(cx, exception)?))
        }
    }
}

fn class_name<'a>(cx: &Cx<'a>, exception: &'a Exception<'a>) -> Result<&'a str, String> {
    let class = ops::class_of(cx, Obj::Exception(exception));
    let class = class.map_err(|_| "the exception's class is not known")?;
    Ok(ops::class_name(cx, class).unwrap_or_default())
}

/// Why a pair leaves.
pub(crate) fn reason(program: &Program, leave: Leave) -> String {
    match leave {
        Leave::Here(why) => why.to_owned(),
        Leave::Point(point) => program.points[point as usize].reason.to_string(),
    }
}

/// What came of each rule that is told about, for one event.
pub(crate) fn verdicts(
    engine: &Engine,
    scratch: &mut Scratch,
    (log_type, json): (&str, &str),
    options: Options,
) -> BTreeMap<RuleIndex, Verdict> {
    let mut verdicts = BTreeMap::new();
    let event = Event {
        log_type,
        json,
        options,
        skip: &[],
    };
    engine.evaluate(scratch, &testing::env(), &event, &mut |rule, verdict| {
        verdicts.insert(rule, verdict);
    });
    verdicts
}

/// Leaving after so many steps changes nothing but that the pair is CPython's.
pub(crate) fn leaves_at_any_step(
    engine: &Engine,
    scratch: &mut Scratch,
    event: (&str, &str),
    options: Options,
    expected: &BTreeMap<RuleIndex, Verdict>,
) {
    for (rule, verdict) in verdicts(engine, scratch, event, options) {
        let is_forced =
            matches!(&verdict, Verdict::Fallback(departure) if departure.leave == Leave::Here("forced"));
        let expected = expected.get(&rule).map(|verdict| format!("{verdict:?}"));
        assert!(
            is_forced || expected == Some(format!("{verdict:?}")),
            "{}: {expected:?}, left after {:?} steps {verdict:?}",
            event.1,
            options.leave_after
        );
    }
}
