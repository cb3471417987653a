//! What StreamAlert did with rules, recorded, against the native loader and engine: with the index, without it, and
//! with leaving for CPython forced after any number of steps.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failing test says enough; what is skipped is told"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use streamalert_detect::{RuleIndex, RuleInfo, RuleSet};
use streamalert_native::cx::Limits;
use streamalert_native::engine::{Engine, Options, Scratch, Verdict};
use streamalert_native::load::{LoadedRule, load_source};
use streamalert_native::lower;
use support::{leaves_at_any_step, verdicts};

const IMPORTS: &str = "from streamalert.shared.rule import rule, disable\n";

/// Recorded otherwise; docs/COMPATIBILITY.md says why.
const DEVIATIONS: &[&str] = &["datatypes_only", "mutates", "dyn_list"];

/// Rules that change the record, which are evaluated by CPython on a copy of their own, and a function that answers an
/// output that is not text.
const LEFT: &[&str] = &["dyn_list: r", "mutates: r1", "mutates_after_alert: r2"];

/// Every alert goes there, too.
const HISTORY: &str = "aws-firehose:alerts";

fn texts(value: Option<&Json>) -> Vec<String> {
    value.map_or_else(Vec::new, |value| serde_json::from_value(value.clone()).unwrap())
}

fn info(rule: &LoadedRule) -> RuleInfo {
    let logs = rule.options.get("logs").filter(|logs| !logs.is_null());
    let mut info = RuleInfo::named(&rule.name, &[]);
    info.logs = logs.map(|logs| texts(Some(logs)).into_iter().map(Arc::from).collect());
    info.datatypes = texts(rule.options.get("datatypes"));
    let outputs = texts(rule.options.get("outputs"));
    info.outputs = outputs.iter().map(|output| output.parse().unwrap()).collect();
    if let Some(subkeys) = rule.options.get("req_subkeys") {
        let subkeys: BTreeMap<String, Vec<String>> = serde_json::from_value(subkeys.clone()).unwrap();
        info.req_subkeys = subkeys.into_iter().collect();
    }
    info
}

/// The alerts of the rules that fired: name, context, outputs.
fn alerts(engine: &Engine, verdicts: &BTreeMap<RuleIndex, Verdict>) -> BTreeSet<String> {
    let fired = verdicts.iter().filter_map(|(rule, verdict)| match verdict {
        Verdict::Fired(fired) => Some((rule, fired)),
        _ => None,
    });
    fired
        .map(|(rule, fired)| {
            let mut outputs: BTreeSet<String> = fired.outputs.iter().map(ToString::to_string).collect();
            outputs.insert(HISTORY.to_owned());
            let context: Json = serde_json::from_str(&fired.context.to_json()).unwrap();
            json!([&*engine.rules().get(*rule).unwrap().name, context, outputs]).to_string()
        })
        .collect()
}

fn recorded(case: &Json) -> BTreeSet<String> {
    let alerts = case["alerts"].as_array().unwrap();
    alerts
        .iter()
        .map(|alert| {
            let outputs: BTreeSet<String> = texts(Some(&alert["Outputs"])).into_iter().collect();
            json!([alert["RuleName"], alert["Context"], outputs]).to_string()
        })
        .collect()
}

#[test]
fn rules_do_natively_what_was_recorded() {
    let root = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared"),
        Into::into,
    );
    let Ok(text) = std::fs::read_to_string(root.join("golden/rules_edge_cases.jsonl")) else {
        assert!(std::env::var_os("CI").is_none(), "the recorded cases are absent");
        eprintln!("skipped: the recorded cases are absent");
        return;
    };
    let (mut differing, mut left) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let id = case["id"].as_str().unwrap();
        let source = format!("{IMPORTS}{}", case["source"].as_str().unwrap());
        let loaded = load_source(&source, "rules/case.py", (3, 11, 7));
        if case["load_error"].is_string() {
            assert_eq!(loaded.problems.len(), 1, "{id}");
            let problem = loaded.problems[0].to_string();
            assert!(problem.contains("rule [r] already defined"), "{id}: {problem}");
            continue;
        }
        assert!(loaded.problems.is_empty(), "{id}: {:?}", loaded.problems);
        let rules = RuleSet::new(loaded.rules.iter().map(info).collect()).unwrap();
        let program = lower::compile(&loaded.export).unwrap();
        let engine = Engine::new(program, Arc::new(rules), Limits::default());
        let log_type = case["log_schema_type"].as_str().unwrap();
        let record = case["record"]
            .to_string()
            .replace(r#"{"__float__":"nan"}"#, "NaN");
        let all = Options {
            without_index: true,
            ..Options::default()
        };
        let mut scratch = Scratch::new(&engine);
        let event = (log_type, &*record);
        let found = verdicts(&engine, &mut scratch, event, all);
        let indexed = verdicts(&engine, &mut scratch, event, Options::default());
        assert_eq!(
            format!("{found:?}"),
            format!("{indexed:?}"),
            "{id}: the index changes nothing"
        );
        for (rule, verdict) in &found {
            if let Verdict::Fallback(_) = verdict {
                left.insert(format!("{id}: {}", engine.rules().get(*rule).unwrap().name));
            }
        }
        if alerts(&engine, &found) != recorded(&case) {
            differing.push(id.to_owned());
        }
        for steps in 0..40 {
            let options = Options {
                leave_after: Some(steps),
                ..all
            };
            leaves_at_any_step(&engine, &mut scratch, event, options, &found);
        }
    }
    assert_eq!(differing, DEVIATIONS);
    assert_eq!(left.iter().map(String::as_str).collect::<Vec<_>>(), LEFT);
}
