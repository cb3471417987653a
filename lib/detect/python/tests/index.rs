//! The index leaves out no pair that does anything: rules and records by a small grammar, each pair with the index
//! and without it. A pair may only be left out by the index when the rule answers "false" or is not run, without
//! leaving for CPython, raising, or reaching a limit.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

#[path = "index/random.rs"]
mod random;
#[path = "index/records.rs"]
mod records;
#[path = "index/rules.rs"]
mod rules;
mod support;
#[path = "index/words.rs"]
mod words;

use std::sync::Arc;

use random::Random;
use streamalert_detect::{RuleIndex, RuleInfo, RuleSet};
use streamalert_native::cx::Limits;
use streamalert_native::engine::{Engine, Options, Scratch, Verdict};
use streamalert_native::{load, lower};
use support::{leaves_at_any_step, verdicts};

const MODULES: u64 = 40;
const RULES: usize = 50;
const RECORDS: usize = 101;

/// What came of the test: to see that it tests something.
#[derive(Debug, Default)]
struct Seen {
    pairs: u64,
    left_out: u64,
    fired: u64,
    raised: u64,
    fallbacks: u64,
    indexed: u64,
    rules: u64,
}

/// An engine over a module's rules.
fn engine(source: &str, minor: u8) -> Engine {
    let loaded = load::load_source(source, "rules/a.py", (3, minor, 7));
    assert!(loaded.problems.is_empty(), "{:?}\n{source}", loaded.problems);
    let infos = loaded
        .rules
        .iter()
        .zip(&loaded.export.rules)
        .map(|(rule, exported)| {
            let mut info = RuleInfo::named(&rule.name, &["a:b"]);
            info.matchers = exported.matchers.len() as u32;
            info.context = exported.context.is_some();
            if rule.options.contains_key("req_subkeys") {
                info.req_subkeys = [("d".to_owned(), vec!["k".to_owned()])].into_iter().collect();
            }
            info
        });
    let rules = RuleSet::new(infos.collect()).unwrap();
    let program = lower::compile(&loaded.export).unwrap();
    // Rules may loop for ever: soon over.
    let limits = Limits {
        fuel: 5_000,
        arena_bytes: 4 << 20,
        ..Limits::default()
    };
    Engine::new(program, Arc::new(rules), limits)
}

fn source_of<'s>(module: &'s str, name: &str) -> &'s str {
    let from = module.find(&format!("def {name}(")).unwrap_or_default();
    let from = module[..from].rfind("@rule").unwrap_or_default();
    module[from..].split("\n\n").next().unwrap_or_default()
}

fn check(seed: u64, seen: &mut Seen, wrong: &mut Vec<String>) {
    let mut random = Random::new(seed);
    let module = rules::module(&mut random, RULES);
    let minor = 8 + (seed % 6) as u8;
    let engine = engine(&module, minor);
    let mut scratch = Scratch::new(&engine);
    seen.rules += RULES as u64;
    let clause = |rule: usize| engine.index().clause(RuleIndex(rule as u32));
    seen.indexed += (0..RULES).filter(|rule| clause(*rule).is_some()).count() as u64;
    for _ in 0..RECORDS {
        let json = records::record(&mut random);
        let trace = Options {
            trace: true,
            ..Options::default()
        };
        let event = ("a:b", &*json);
        let all = verdicts(&engine, &mut scratch, event, trace);
        let some = verdicts(&engine, &mut scratch, event, Options::default());
        assert_eq!(all.len(), RULES, "every candidate is told about");
        for (rule, verdict) in &all {
            seen.pairs += 1;
            seen.fired += u64::from(matches!(verdict, Verdict::Fired(_)));
            seen.raised += u64::from(matches!(verdict, Verdict::Exception(_)));
            seen.fallbacks += u64::from(matches!(verdict, Verdict::Fallback(_)));
            let quiet = matches!(verdict, Verdict::False | Verdict::NotRun);
            let same = match some.get(rule) {
                None => {
                    seen.left_out += u64::from(quiet);
                    quiet
                }
                Some(other) => format!("{verdict:?}") == format!("{other:?}"),
            };
            let panicked = matches!(verdict, Verdict::Panicked(_));
            if !same || panicked {
                let name = &engine.rules().get(*rule).unwrap().name;
                wrong.push(format!(
                    "seed {seed}: without the index {verdict:?}, with it {:?}\n{json}\n{}\nclause {:?}\npaths {:?}\n",
                    some.get(rule),
                    source_of(&module, name),
                    engine.index().clause(*rule),
                    engine.program().paths,
                ));
            }
        }
        if random.chance(25) {
            let forced = Options {
                leave_after: Some(random.below(40) as u64),
                ..trace
            };
            leaves_at_any_step(&engine, &mut scratch, event, forced, &all);
        }
    }
}

#[test]
fn the_index_leaves_out_no_pair_that_fires_raises_or_leaves() {
    // More of the same: INDEX_SEEDS=1000..1400
    let seeds = std::env::var("INDEX_SEEDS").ok();
    let seeds = seeds.as_deref().and_then(|seeds| seeds.split_once(".."));
    let seeds = seeds.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    let mut seen = Seen::default();
    let mut wrong = Vec::new();
    for seed in seeds.unwrap_or(0..MODULES) {
        check(seed, &mut seen, &mut wrong);
    }
    let shown = wrong.iter().take(3).cloned().collect::<String>();
    assert!(wrong.is_empty(), "{} wrong, {seen:?}:\n{shown}", wrong.len());
    assert!(seen.pairs >= 200_000, "{seen:?}");
    // Otherwise there would be nothing that could be wrong.
    assert!(seen.left_out > seen.pairs / 10, "{seen:?}");
    assert!(seen.fired > seen.pairs / 50, "{seen:?}");
    assert!(seen.raised > seen.pairs / 50, "{seen:?}");
    assert!(seen.indexed > seen.rules / 5, "{seen:?}");
}
