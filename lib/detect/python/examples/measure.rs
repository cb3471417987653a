//! Evaluates rule files on records, again and again, for a profiler to look at:
//! `cargo run --release -p streamalert-native --example measure RECORDS ROOT [ROUNDS]`. RECORDS: one JSON object a line, the
//! log type and a tab before it. ROOT: the folder that holds `rules` and `matchers`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use streamalert_detect::{RuleInfo, RuleSet};
use streamalert_native::cx::Limits;
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::env::Env;
use streamalert_native::load::{LoadedRule, load};
use streamalert_native::lower;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let records = std::fs::read_to_string(&arguments[1]).unwrap();
    let root = Path::new(&arguments[2]);
    let rounds: u32 = arguments.get(3).map_or(1, |rounds| rounds.parse().unwrap());
    let mut files = BTreeMap::new();
    read(root, root, &mut files);
    let wanted: Vec<&str> = files
        .keys()
        .map(String::as_str)
        .filter(|path| path.starts_with("rules/"))
        .collect();
    let loaded = load(&files, wanted, (3, 11, 7));
    for problem in &loaded.problems {
        println!("{problem}");
    }
    let program = lower::compile(&loaded.export).unwrap();
    let infos = loaded
        .rules
        .iter()
        .filter(|rule| !rule.disabled)
        .map(info)
        .collect();
    let rules = Arc::new(RuleSet::new(infos).unwrap());
    let engine = Engine::new(program, rules, Limits::default());
    let mut scratch = Scratch::new(&engine);
    let mut env = Env::new(Arc::new(HashMap::new()), Box::new(|| 1_000_000_000_000_000));
    let events: Vec<(&str, &str)> = records.lines().filter_map(|line| line.split_once('\t')).collect();
    let shape = events
        .first()
        .map(|(log_type, _)| engine.index().of(log_type).shape());
    println!("always run, fields asked: {shape:?}");
    let mut left: HashMap<String, u64> = HashMap::new();
    let (mut fired, mut raised) = (0_u64, 0_u64);
    for round in 0..rounds {
        for (log_type, json) in &events {
            let event = Event {
                log_type,
                json,
                options: Options::default(),
                skip: &[],
            };
            engine.evaluate(&mut scratch, &env, &event, &mut |rule, verdict| match verdict {
                Verdict::Fired(_) => fired += 1,
                Verdict::Exception(exception) => {
                    raised += 1;
                    if round == 0 {
                        let name = &engine.rules().get(rule).unwrap().name;
                        *left
                            .entry(format!("{name} {} {}", exception.kind, exception.message))
                            .or_default() += 1;
                    }
                }
                other if round == 0 => {
                    let name = &engine.rules().get(rule).unwrap().name;
                    *left.entry(format!("{name} {other:?}")).or_default() += 1;
                }
                _ => {}
            });
        }
        env.tidy();
    }
    let mut counters: Vec<_> = engine
        .rules()
        .rules()
        .iter()
        .zip(scratch.take_counters())
        .collect();
    counters.sort_by_key(|(_, counter)| std::cmp::Reverse(counter.steps));
    println!("{} events, {fired} fired, {raised} raised", events.len());
    let shown: Vec<&str> = arguments.iter().skip(4).map(String::as_str).collect();
    for rule in engine
        .program()
        .rules
        .iter()
        .filter(|rule| shown.contains(&&*rule.name))
    {
        let mut paths = streamalert_native::guard::Paths::new(&engine.program().paths);
        let condition = streamalert_native::guard::condition(engine.program(), &mut paths, rule);
        println!("{}: {condition:?}", rule.name);
    }
    for (rule, counter) in counters.iter().take(25) {
        let clause = engine
            .rules()
            .find(&rule.name)
            .and_then(|(index, _)| engine.index().clause(index))
            .map(<[_]>::len);
        println!(
            "{:>10} steps {:>9} pairs {:?} {}",
            counter.steps, counter.evaluations, clause, rule.name
        );
    }
    for (what, count) in left {
        println!("{count} {what}");
    }
}

fn read(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn info(rule: &LoadedRule) -> RuleInfo {
    let texts = |key: &str| -> Vec<String> {
        let values = rule.options.get(key).and_then(serde_json::Value::as_array);
        values
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect()
    };
    let logs = texts("logs");
    let names: Vec<&str> = logs.iter().map(String::as_str).collect();
    let mut info = RuleInfo::named(&rule.name, &names);
    info.datatypes = texts("datatypes");
    let required = rule
        .options
        .get("req_subkeys")
        .and_then(serde_json::Value::as_object);
    for (key, subs) in required.into_iter().flatten() {
        let subs = subs.as_array().into_iter().flatten();
        let subs = subs.filter_map(|sub| sub.as_str().map(str::to_owned));
        info.req_subkeys.insert(key.clone(), subs.collect());
    }
    if logs.is_empty() {
        info.logs = None;
    }
    info
}
