//! What StreamAlert did with rules, recorded, against rules that a CPython loaded and exported, that are evaluated
//! natively, and by a CPython worker where they leave.

#![allow(clippy::unwrap_used, reason = "a failing test says enough")]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use streamalert_detect::{AlertStamp, EvaluateOptions, RuleOutcome, RuleRuntime, alert_item, build_alert};
use streamalert_runtime::Runtime;
use streamalert_types::{Record, Timestamp};
use support::{IMPORTS, Repo, golden, record};

/// Recorded otherwise; docs/COMPATIBILITY.md says why.
const DEVIATIONS: &[&str] = &[
    "datatypes_only",
    "dyn_list",
    "mutates",
    "mutates_after_alert",
    "pub_int",
    "pub_unknown",
];

/// Rules that change the record, which are evaluated by CPython on a copy of their own, and a function that answers an
/// output that is not text.
const LEFT: &[&str] = &["mutates: r1", "mutates_after_alert: r2", "dyn_list: r"];

/// Without what is different in every run.
fn masked(mut item: Json) -> Json {
    for key in ["AlertID", "Created"] {
        item[key] = json!("masked");
    }
    item
}

/// The rules that fired and their alerts.
async fn alerts(runtime: &Runtime, record: Record) -> (Vec<String>, Vec<Json>) {
    let outcomes = runtime.evaluate(vec![record], EvaluateOptions::default()).await;
    let outcome = outcomes.unwrap().remove(0);
    let rules = runtime.rules();
    let (mut fired, mut alerts) = (Vec::new(), Vec::new());
    for result in outcome.results {
        if let RuleOutcome::Fired(what) = result.outcome {
            let rule = rules.get(result.rule).unwrap();
            let stamp = AlertStamp {
                created: Timestamp::EPOCH,
                staged: false,
                traceparent: "".into(),
                rules_version: "".into(),
            };
            let alert = build_alert(&outcome.record, rule, what, &stamp);
            fired.push(rule.name.to_string());
            alerts.push(masked(
                serde_json::from_str(&alert_item(&alert).to_json()).unwrap(),
            ));
        }
    }
    (fired, alerts)
}

#[tokio::test]
async fn rules_that_cpython_exports_do_natively_what_was_recorded() {
    let Some(cases) = golden("rules_edge_cases.jsonl") else {
        return;
    };
    let (mut differing, mut left) = (BTreeMap::new(), Vec::new());
    let mut natively = 0;
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let repo = Repo::with_rules("");
        let source = format!("{IMPORTS}{}", case["source"].as_str().unwrap());
        repo.write("rules/r.py", &source);
        let (runtime, report) = Runtime::start(repo.options()).await.unwrap();
        if let Some(error) = case["load_error"].as_str() {
            assert_eq!(report.errors.len(), 1, "{id}");
            // The place of the first definition is our addition.
            let expected = format!("{error} in rules/r.py:2");
            assert_eq!(report.errors[0].message, expected, "{id}");
            continue;
        }
        assert!(report.errors.is_empty(), "{id}: {:?}", report.errors);
        assert!(runtime.current().engine().is_some(), "{id}");
        // The recording writes NaN as a marked object.
        let input = case["record"]
            .to_string()
            .replace(r#"{"__float__":"nan"}"#, "NaN");
        let input = record(case["log_schema_type"].as_str().unwrap(), &input);
        let found = alerts(&runtime, input).await;
        let expected = case["alerts"].as_array().unwrap().iter().cloned();
        let expected: Vec<Json> = expected.map(masked).collect();
        if json!(found) != json!([case["fired"], expected]) {
            differing.insert(id, format!("{}\n expected {expected:?}", json!(found)));
        }
        for (rule, did) in runtime.current().statistics().snapshot() {
            natively += did.evaluations - did.fallbacks;
            if did.fallbacks > 0 {
                left.push(format!("{id}: {rule}"));
            }
        }
        runtime.shutdown().await;
    }
    let found: Vec<&str> = differing.keys().copied().collect();
    assert_eq!(found, DEVIATIONS, "{differing:#?}");
    assert_eq!(left, LEFT);
    // Otherwise the index would have answered everything.
    assert!(natively > 20, "{natively}");
}
