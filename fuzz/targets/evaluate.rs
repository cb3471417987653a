//! Rules on records: no panic, limits hold, and neither the index nor a second time nor leaving for CPython changes an
//! answer.
//!
//! The first byte chooses the version of Python, and whether what follows is a rule file, a NUL and a record, or the
//! choices of a grammar.

#![no_main]

#[path = "../../lib/detect/python/tests/index/records.rs"]
mod records;
#[path = "../../lib/detect/python/tests/index/rules.rs"]
mod rules;

/// What the grammar draws from.
mod random {
    pub(super) use streamalert_fuzz::random::Random;
}

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use random::Random;
use streamalert_detect::{RuleIndex, RuleInfo, RuleSet};
use streamalert_fuzz::stack;
use streamalert_native::cx::{Leave, Limits};
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::env::Env;
use streamalert_native::{load, lower, testing};

/// Rules of one module of the grammar.
const RULES: usize = 4;

/// Records that they are evaluated on: compiling them takes longer than that.
const RECORDS: usize = 8;

/// Rules may loop for ever: soon over.
const LIMITS: Limits = Limits {
    fuel: 3_000,
    arena_bytes: 4 << 20,
    depth: 900,
    int_bits: 1 << 17,
    text_bytes: 1 << 20,
};

type Verdicts = BTreeMap<RuleIndex, Verdict>;

fn engine(source: &str, minor: u8) -> Option<Engine> {
    let loaded = load::load_source(source, "rules/a.py", (3, minor, 7));
    let infos = loaded
        .rules
        .iter()
        .zip(&loaded.export.rules)
        .map(|(rule, exported)| {
            let mut info = RuleInfo::named(&rule.name, &["a:b"]);
            info.matchers = exported.matchers.len() as u32;
            info.context = exported.context.is_some();
            info
        });
    let rules = RuleSet::new(infos.collect()).ok()?;
    let program = lower::compile(&loaded.export).expect("the version is known");
    Some(Engine::new(program, Arc::new(rules), LIMITS))
}

fn verdicts(engine: &Engine, (scratch, env): (&mut Scratch, &Env), json: &str, options: Options) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let event = Event {
        log_type: "a:b",
        json,
        options,
        skip: &[],
    };
    engine.evaluate(scratch, env, &event, &mut |rule, verdict| {
        assert!(!matches!(verdict, Verdict::Panicked(_)), "{verdict:?}");
        verdicts.insert(rule, verdict);
    });
    for counters in scratch.take_counters() {
        // Each pair is evaluated at most once a call.
        assert!(counters.steps <= LIMITS.fuel, "{} steps", counters.steps);
    }
    verdicts
}

fn is_forced(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fallback(departure) if departure.leave == Leave::Here("forced"))
}

fn compare(engine: &Engine, json: &str, leave_after: u64) {
    let (mut scratch, env) = (Scratch::new(engine), testing::env());
    let trace = Options {
        trace: true,
        ..Options::default()
    };
    let all = verdicts(engine, (&mut scratch, &env), json, trace);
    let again = verdicts(engine, (&mut scratch, &env), json, trace);
    assert_eq!(format!("{all:?}"), format!("{again:?}"), "the second time");
    let indexed = verdicts(engine, (&mut scratch, &env), json, Options::default());
    let forced = verdicts(
        engine,
        (&mut scratch, &env),
        json,
        Options {
            leave_after: Some(leave_after),
            ..trace
        },
    );
    for (rule, verdict) in &all {
        let shown = format!("{verdict:?}");
        match indexed.get(rule) {
            Some(other) => assert_eq!(shown, format!("{other:?}"), "with the index"),
            None => assert!(
                matches!(verdict, Verdict::False | Verdict::NotRun),
                "left out by the index: {shown}"
            ),
        }
        if let Some(forced) = forced.get(rule).filter(|forced| !is_forced(forced)) {
            assert_eq!(shown, format!("{forced:?}"), "left after {leave_after} steps");
        }
    }
}

fn check(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let minor = 8 + first % 6;
    let is_grammar = first & 0x80 != 0;
    let (source, records) = if is_grammar {
        let mut random = Random::new(rest);
        let source = rules::module(&mut random, RULES);
        let records = (0..RECORDS).map(|_| records::record(&mut random));
        (source, records.collect())
    } else {
        let mut parts = rest.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let source = parts.next().unwrap_or_default().into_owned();
        (
            source,
            parts.take(RECORDS).map(Into::into).collect::<Vec<String>>(),
        )
    };
    let Some(engine) = engine(&source, minor) else {
        return;
    };
    for record in records {
        compare(&engine, &record, u64::from(first / 6));
    }
}

fuzz_target!(|data: &[u8]| stack::run(|| check(data)));
