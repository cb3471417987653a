//! `docs/RULES.md` is true: its examples do what it says, and its tables name what there is.
//!
//! The Python blocks between two headings are the files of one project. A block's first line may name its file
//! (`# matchers/prod.py`); otherwise it is a file of its own below `rules`. Each line of a JSON block between the same
//! headings is a record and what the rules answer, or a problem that loading must tell. [`Case`] has the forms.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use streamalert_detect::{RuleInfo, RuleSet};
use streamalert_native::cx::{Leave, Limit, Limits};
use streamalert_native::engine::{Engine, Event, Options, Scratch, Verdict};
use streamalert_native::env::Env;
use streamalert_native::load::{LoadedRule, Problem, load};
use streamalert_native::program::Program;
use streamalert_native::{builtins, lower, modules};

const PYTHON: (u8, u8, u8) = (3, 11, 7);

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/RULES.md");
    std::fs::read_to_string(path).expect("the document is in the repository")
}

/// What is between two headings.
#[derive(Default)]
struct Section {
    title: String,
    files: BTreeMap<String, String>,
    cases: Vec<String>,
}

/// A line of a JSON block: `{"record": {…}, "a_rule": "fires"}`.
///
/// An answer is `fires`, `fires to OUTPUT, …`, `fires with JSON` (its context), `does not fire`, `does not run`
/// (matchers, sub-keys or datatypes keep it away), `is not asked` (the index keeps the record away), `raises CLASS`,
/// `falls back: PART OF THE REASON`, `takes too many steps`, `takes too much memory`. `{"problem": TEXT}` is one that
/// loading must tell. There is one lookup table, `known`.
struct Case<'a> {
    line: &'a str,
    object: serde_json::Map<String, Value>,
}

impl<'a> Case<'a> {
    fn read(line: &'a str) -> Self {
        match serde_json::from_str(line) {
            Ok(Value::Object(object)) => Self { line, object },
            other => panic!("no JSON object: {line}: {other:?}"),
        }
    }

    fn answers(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.object.iter().filter(|(key, _)| *key != "record");
        named.map(|(rule, answer)| (&**rule, answer.as_str().expect("an answer is text")))
    }
}

fn sections(document: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut block: Option<(&str, String)> = None;
    for line in document.lines() {
        if let Some((language, text)) = &mut block {
            if line != "```" {
                text.push_str(line);
                text.push('\n');
                continue;
            }
            let section = sections.last_mut().expect("never empty");
            match *language {
                "python" => {
                    let named = text.lines().next().and_then(|line| line.strip_prefix("# "));
                    let path = named.filter(|name| name.ends_with(".py")).map_or_else(
                        || format!("rules/block_{}.py", section.files.len()),
                        str::to_owned,
                    );
                    assert!(
                        section.files.insert(path.clone(), text.clone()).is_none(),
                        "{path} twice"
                    );
                }
                "json" => section.cases.extend(text.lines().map(str::to_owned)),
                _ => {}
            }
            block = None;
        } else if let Some(language) = line.strip_prefix("```") {
            block = Some((language, String::new()));
        } else if line.starts_with('#') {
            sections.push(Section {
                title: line.to_owned(),
                ..Section::default()
            });
        }
    }
    assert!(block.is_none(), "a block that does not end");
    sections
}

fn texts(rule: &LoadedRule, option: &str) -> Vec<String> {
    let items = rule.options.get(option).and_then(Value::as_array);
    let text = |item: &Value| item.as_str().expect("a text").to_owned();
    items.into_iter().flatten().map(text).collect()
}

fn info(rule: &LoadedRule) -> RuleInfo {
    let subkeys = rule.options.get("req_subkeys").and_then(Value::as_object);
    let list =
        |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).expect("a list of texts") };
    let logs = rule.options.get("logs").map(|_| texts(rule, "logs"));
    let outputs = texts(rule, "outputs");
    RuleInfo {
        logs: logs.map(|logs| logs.into_iter().map(Arc::from).collect()),
        datatypes: texts(rule, "datatypes"),
        outputs: outputs
            .iter()
            .map(|name| name.parse().expect("service:descriptor"))
            .collect(),
        req_subkeys: subkeys
            .into_iter()
            .flatten()
            .map(|(key, subs)| (key.clone(), list(subs)))
            .collect(),
        disabled: rule.disabled,
        ..RuleInfo::named(&rule.name, &[])
    }
}

fn told(program: &Program, verdict: Option<Verdict>) -> String {
    match verdict {
        None => "is not asked".to_owned(),
        Some(Verdict::Fired(fired)) => {
            let outputs: Vec<String> = fired.outputs.iter().map(ToString::to_string).collect();
            format!("fires to {} with {}", outputs.join(", "), fired.context.to_json())
        }
        Some(Verdict::False) => "does not fire".to_owned(),
        Some(Verdict::NotRun) => "does not run".to_owned(),
        Some(Verdict::Exception(exception)) => format!("raises {}", exception.kind),
        Some(Verdict::OverLimit(Limit::Fuel)) => "takes too many steps".to_owned(),
        Some(Verdict::OverLimit(Limit::Memory)) => "takes too much memory".to_owned(),
        Some(Verdict::Fallback(departure)) => match departure.leave {
            Leave::Here(reason) => format!("falls back: {reason}"),
            Leave::Point(point) => format!("falls back: {}", program.points[point as usize].reason),
        },
        Some(Verdict::Panicked(text)) => panic!("{text}"),
    }
}

fn agrees(wanted: &str, found: &str) -> bool {
    if let Some(reason) = wanted.strip_prefix("falls back: ") {
        return found
            .strip_prefix("falls back: ")
            .is_some_and(|found| found.contains(reason));
    }
    match found
        .strip_prefix("fires to ")
        .and_then(|found| found.split_once(" with "))
    {
        None => wanted == found,
        Some((outputs, context)) => {
            wanted == "fires"
                || wanted.strip_prefix("fires to ") == Some(outputs)
                || wanted.strip_prefix("fires with ") == Some(context)
        }
    }
}

struct Rules {
    engine: Engine,
    env: Env,
}

impl Rules {
    /// What a rule answers, with the index and without; `None`: the index kept the record away.
    fn ask(&self, rule: &str, record: &str) -> (Option<Verdict>, Option<Verdict>) {
        let (index, info) = self
            .engine
            .rules()
            .find(rule)
            .unwrap_or_else(|| panic!("no rule {rule}"));
        let log_type = info.logs.as_ref().map_or("any:log", |logs| &logs[0]);
        let ask = |options: Options| {
            let mut scratch = Scratch::new(&self.engine);
            let mut answer = None;
            let event = Event {
                log_type,
                json: record,
                options,
                skip: &[],
            };
            self.engine
                .evaluate(&mut scratch, &self.env, &event, &mut |of, verdict| {
                    if of == index {
                        answer = Some(verdict);
                    }
                });
            let evaluated = scratch.take_counters()[index.as_usize()].evaluations > 0;
            (answer, evaluated)
        };
        let (all, _) = ask(Options {
            trace: true,
            ..Options::default()
        });
        let (fast, evaluated) = ask(Options::default());
        // What says nothing is not reported without a trace.
        let fast = fast.or_else(|| all.clone().filter(|_| evaluated));
        (fast, all)
    }
}

/// Answers what is wrong.
fn check(section: &Section) -> Vec<String> {
    let loaded = load(&section.files, section.files.keys().map(String::as_str), PYTHON);
    let problems: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
    let rules = RuleSet::new(loaded.rules.iter().map(info).collect()).expect("names differ");
    let program = lower::compile(&loaded.export).expect("the version is known");
    let table = serde_json::json!({"10.1.2.3": "scanner"}).to_string();
    let tables = HashMap::from([("known".to_owned(), map_of(&table))]);
    let rules = Rules {
        engine: Engine::new(program, Arc::new(rules), Limits::default()),
        env: Env::new(Arc::new(tables), Box::new(|| 1_700_000_000_000_000)),
    };
    let mut wrong = Vec::new();
    let mut wanted = Vec::new();
    for line in &section.cases {
        let case = Case::read(line);
        for (rule, answer) in case.answers() {
            if rule == "problem" {
                wanted.push(answer.to_owned());
                continue;
            }
            let record = case
                .object
                .get("record")
                .expect("a case has a record")
                .to_string();
            let (fast, all) = rules.ask(rule, &record);
            let program = rules.engine.program();
            let quiet = matches!(all, None | Some(Verdict::False | Verdict::NotRun));
            assert!(
                fast.is_some() || quiet,
                "the index loses an answer: {}",
                case.line
            );
            let (asked, fast, all) = (fast.is_some(), told(program, fast), told(program, all));
            assert!(
                !asked || fast == all,
                "the index changes an answer: {}",
                case.line
            );
            if !agrees(answer, &fast) && !agrees(answer, &all) {
                wrong.push(format!("{}: {rule} {fast} ({all}): {}", section.title, case.line));
            }
        }
    }
    if problems != wanted {
        wrong.push(format!("{}: problems {problems:?}", section.title));
    }
    wrong
}

fn map_of(json: &str) -> streamalert_value::Map {
    let mut doc = streamalert_value::Doc::new();
    match doc.parse(json).expect("JSON").root().to_value() {
        streamalert_value::Value::Map(map) => map,
        _ => panic!("no object"),
    }
}

#[test]
fn every_example_does_what_the_document_says() {
    let document = document();
    let sections = sections(&document);
    let examples = sections.iter().filter(|section| !section.files.is_empty());
    let cases: usize = sections.iter().map(|section| section.cases.len()).sum();
    assert!(
        examples.clone().count() >= 12 && cases >= 35,
        "where are the examples? {cases}"
    );
    // Rules may call as deep as the limit says; without optimization that takes more stack than a test has.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        let checked = thread.spawn_scoped(scope, || examples.flat_map(check).collect());
        checked.expect("a thread").join().expect("no panic")
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_names_that_compile_are_known() {
    let document = document();
    let mut checked = 0;
    for line in document.lines() {
        if let Some(names) = line.strip_prefix("| built-in ") {
            for name in quoted(names) {
                assert!(builtins::lookup(name).is_some(), "{name}");
                checked += 1;
            }
        } else if let Some((module, names)) = line
            .strip_prefix("| module `")
            .and_then(|rest| rest.split_once('`'))
        {
            for name in quoted(names) {
                assert!(modules::lookup(module, name).is_some(), "{module}.{name}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 150, "where are the tables? {checked}");
}

#[test]
fn the_limits_are_those_of_the_code() {
    let document = document();
    let limits = Limits::default();
    let regex = streamalert_regex::Limits::default();
    for (name, limit) in [
        ("steps", limits.fuel),
        ("arena", limits.arena_bytes as u64),
        ("depth of calls", u64::from(limits.depth)),
        ("bits of an integer", limits.int_bits),
        ("bytes of one text", limits.text_bytes as u64),
        ("bytes of a pattern", regex.pattern_bytes_max as u64),
        ("steps of a backtracking search", regex.backtrack_steps_max),
    ] {
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")));
        let row = row
            .unwrap_or_else(|| panic!("no row for {name}"))
            .replace(',', "");
        assert!(row.contains(&format!("| {limit} |")), "{name} is {limit}: {row}");
    }
}
