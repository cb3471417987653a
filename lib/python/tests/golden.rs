//! What StreamAlert did with rules, recorded, against what we do.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing test says enough"
)]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use streamalert_detect::{
    AlertStamp, EvaluateOptions, RuleOutcome, RuleRuntime, alert_item, build_alert, output_dict,
};
use streamalert_types::{Record, Timestamp};
use support::{IMPORTS, Repo, evaluate, golden, record, trace, words};

/// Where we differ from the recording, with the reason; docs/COMPATIBILITY.md lists the same.
const DEVIATIONS: &[(&str, &str)] = &[
    (
        "datatypes_only",
        "a rule with only datatypes runs where the record has one of them",
    ),
    (
        "dyn_list",
        "what a function answers that is no output stays, as a name that nobody has: it becomes a dead letter",
    ),
    (
        "mutates",
        "a rule's changes of the record are its own: the later rule does not see them",
    ),
    (
        "mutates_after_alert",
        "a rule's changes of the record are its own: the alert made before keeps its record",
    ),
    (
        "pub_int",
        "what is no publisher stays by its name: who loads the project refuses the rule",
    ),
    (
        "pub_unknown",
        "a name that nobody has stays: who loads the project refuses the rule",
    ),
];

/// The recording writes NaN as a marked object.
fn record_json(value: &Json) -> String {
    serde_json::to_string(value)
        .unwrap()
        .replace(r#"{"__float__":"nan"}"#, "NaN")
}

fn masked(mut item: Json) -> Json {
    for key in ["AlertID", "Created"] {
        item[key] = json!("masked");
    }
    item
}

fn stamp() -> AlertStamp {
    AlertStamp {
        created: Timestamp::EPOCH,
        staged: false,
        traceparent: "".into(),
        rules_version: "".into(),
    }
}

#[tokio::test]
async fn rules_fire_and_alerts_look_as_recorded() {
    let Some(cases) = golden("rules_edge_cases.jsonl") else {
        return;
    };
    let mut differing = BTreeMap::new();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let source = format!("{IMPORTS}{}", case["source"].as_str().unwrap());
        let repo = Repo::new(&[("rules/case.py", &source)]);
        let (pool, report) = repo.start().await;
        if let Some(error) = case["load_error"].as_str() {
            assert_eq!(report.errors.len(), 1, "{id}");
            // The place of the first definition is our addition.
            assert_eq!(
                report.errors[0].message,
                format!("{error} in rules/case.py:2"),
                "{id}"
            );
            assert!(report.rules.rules().is_empty(), "{id}: half a file is no file");
            continue;
        }
        assert!(report.errors.is_empty(), "{id}: {:?}", report.errors);
        let log_type = case["log_schema_type"].as_str().unwrap();
        let input = record(log_type, &record_json(&case["record"]));
        let outcomes = pool
            .evaluate(vec![input], EvaluateOptions::default())
            .await
            .unwrap();
        let (fired, alerts) = fired_and_alerts(&pool, &outcomes[0].record, &outcomes[0].results);
        let expected: Vec<Json> = case["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .map(masked)
            .collect();
        let same = json!(fired) == case["fired"] && json!(alerts) == json!(expected);
        if !same {
            differing.insert(
                id,
                format!(
                    "{fired:?} {}\n expected {} {}",
                    json!(alerts),
                    case["fired"],
                    json!(expected)
                ),
            );
        }
    }
    let explained: Vec<&str> = DEVIATIONS.iter().map(|(id, _)| *id).collect();
    let found: Vec<&str> = differing.keys().copied().collect();
    assert_eq!(found, explained, "{differing:#?}");
}

fn fired_and_alerts(
    pool: &streamalert_python::PythonPool,
    record: &Record,
    results: &[streamalert_detect::RuleResult],
) -> (Vec<String>, Vec<Json>) {
    let rules = pool.rules();
    let mut fired = Vec::new();
    let mut alerts = Vec::new();
    for result in results {
        let RuleOutcome::Fired(what) = &result.outcome else {
            continue;
        };
        let rule = rules.get(result.rule).unwrap();
        let alert = build_alert(record, rule, what.clone(), &stamp());
        fired.push(rule.name.to_string());
        alerts.push(masked(
            serde_json::from_str(&alert_item(&alert).to_json()).unwrap(),
        ));
    }
    (fired, alerts)
}

#[tokio::test]
async fn the_three_deviations_do_what_their_reason_says() {
    let source = format!(
        "{IMPORTS}
@rule(datatypes=['ip', 'user'])
def typed(rec):
    return True

@rule(logs=['a:b'])
def changes(rec):
    rec['y'] = 2
    return rec['x'] == 'fire'

@rule(logs=['a:b'])
def sees(rec):
    return rec.get('y') == 2
"
    );
    let repo = Repo::new(&[("rules/r.py", &source)]);
    let (pool, report) = repo.start().await;
    let may_mutate = |name| report.rules.find(name).unwrap().1.may_mutate;
    assert!(may_mutate("changes") && !may_mutate("sees") && !may_mutate("typed"));
    assert_eq!(
        trace(
            &pool,
            record("a:b", r#"{"x":1,"streamalert_normalization":{"user":[]}}"#)
        )
        .await,
        ["typed=true", "changes=false", "sees=false"]
    );
    assert_eq!(
        trace(&pool, record("other", r#"{"x":1}"#)).await,
        ["typed=not_run"]
    );
    let outcomes = pool
        .evaluate(vec![record("a:b", r#"{"x":"fire"}"#)], EvaluateOptions::default())
        .await
        .unwrap();
    let RuleOutcome::Fired(fired) = &outcomes[0].results[0].outcome else {
        panic!()
    };
    assert_eq!(
        fired.record.as_deref(),
        Some(&br#"{"x":"fire","y":2}"#[..]),
        "its own changes are in its own alert"
    );
    assert_eq!(words(&pool, &outcomes[0]), ["changes=true"]);
}

#[tokio::test]
async fn required_sub_keys_are_tested_as_recorded() {
    let Some(cases) = golden("subkeys_unit_cases.jsonl") else {
        return;
    };
    let mut source = IMPORTS.to_owned();
    let mut inputs = Vec::new();
    let mut expected = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let subkeys = if case["req_subkeys"].is_null() {
            "None".to_owned()
        } else {
            case["req_subkeys"].to_string()
        };
        source += &format!(
            "@rule(logs=['t:{number}'], req_subkeys={subkeys})\ndef r{number}(rec):\n    return True\n"
        );
        // One case has no record at all; a record is always a dictionary here.
        let input = if case["record"].is_null() {
            "{}".to_owned()
        } else {
            case["record"].to_string()
        };
        inputs.push(record(&format!("t:{number}"), &input));
        let fires = case["result"].as_bool().unwrap();
        expected.push(if fires {
            vec![format!("r{number}=true")]
        } else {
            Vec::new()
        });
    }
    let repo = Repo::new(&[("rules/r.py", &source)]);
    let (pool, _) = repo.start().await;
    assert_eq!(evaluate(&pool, inputs).await, expected);
}

#[tokio::test]
async fn keys_are_found_as_recorded() {
    let Some(cases) = golden("get_keys_unit_cases.jsonl") else {
        return;
    };
    let source = format!(
        "{IMPORTS}
from streamalert.shared.utils import get_keys

@rule(logs=['a:b'], context={{}})
def keys(rec, context):
    context['found'] = get_keys(rec['data'], rec['key'], max_matches=rec['max'])
    return True
"
    );
    let repo = Repo::new(&[("rules/r.py", &source)]);
    let (pool, _) = repo.start().await;
    for case in cases {
        let data = case["data_json_in_order"].as_str().unwrap();
        let input = format!(
            r#"{{"data":{data},"key":{},"max":{}}}"#,
            case["key"], case["max_matches"]
        );
        let outcomes = pool
            .evaluate(vec![record("a:b", &input)], EvaluateOptions::default())
            .await
            .unwrap();
        let RuleOutcome::Fired(fired) = &outcomes[0].results[0].outcome else {
            panic!("{input}")
        };
        let found: Json = serde_json::from_str(&fired.context.to_json()).unwrap();
        assert_eq!(found["found"], case["result"], "{input}");
    }
}

#[tokio::test]
async fn an_alert_goes_to_outputs_in_the_recorded_form() {
    let Some(cases) = golden("all_schemas.jsonl") else {
        return;
    };
    let alert = cases
        .iter()
        .flat_map(|case| case["alerts"].as_array().unwrap())
        .next()
        .unwrap();
    let repo = Repo::new(&[(
        "rules/r.py",
        &format!("{IMPORTS}@rule(logs=['a:b'])\ndef r(rec):\n    return True\n"),
    )]);
    let (pool, _) = repo.start().await;
    let outcomes = pool
        .evaluate(vec![record("a:b", r#"{"x":1}"#)], EvaluateOptions::default())
        .await
        .unwrap();
    let RuleOutcome::Fired(fired) = outcomes[0].results[0].outcome.clone() else {
        panic!()
    };
    let built = build_alert(&outcomes[0].record, &pool.rules().rules()[0], fired, &stamp());
    let ours: Json = serde_json::from_str(&output_dict(&built).unwrap().to_json()).unwrap();
    let recorded = alert["output_dict"].as_object().unwrap();
    let shape = |map: &serde_json::Map<String, Json>| -> BTreeMap<String, std::mem::Discriminant<Json>> {
        map.iter()
            .map(|(key, value)| (key.clone(), std::mem::discriminant(value)))
            .collect()
    };
    assert_eq!(shape(ours.as_object().unwrap()), shape(recorded));
    assert_eq!(ours["outputs"], recorded["outputs"]);
    assert_eq!(ours["publishers"], recorded["publishers"]);
}
