use streamalert_config::Located;
use streamalert_detect::{Fired, RuleSet};
use streamalert_schema::Failure;
use streamalert_types::NearestSchema;

use super::super::event::TestEvent;
use super::super::helper::Helpers;
use super::*;

fn content(more: &str) -> Content {
    let text = format!(
        r#"[{{"description": "d", "log": "aws:x", "service": "kinesis", "source": "s", "data": "x", {more}}}]"#
    );
    let document = Located::parse("rules/x.json", &text).unwrap();
    let event = document.value().as_list().unwrap()[0].clone();
    TestEvent::read(&document, &["0"], 1, &event, &Helpers::at(0))
        .content
        .unwrap()
}

fn book() -> RuleBook {
    let mut off = RuleInfo::named("switched_off", &["aws:x"]);
    off.disabled = true;
    let mut root = RuleInfo::named("root_login", &["aws:x"]);
    root.file = "rules/a.py".into();
    root.line = 7;
    let rules = vec![
        root,
        RuleInfo::named("other_login", &["aws:x"]),
        RuleInfo::named("flow_probe", &["vpc:flow"]),
        off,
    ];
    RuleBook {
        rules: RuleSet::new(rules).unwrap().into(),
        load_errors: Vec::new(),
    }
}

fn unit(log_type: Option<&str>) -> Unit {
    Unit {
        log_type: log_type.map(Into::into),
        ..Unit::default()
    }
}

fn fired() -> RuleOutcome {
    RuleOutcome::Fired(Fired {
        outputs: Vec::new(),
        context: Value::Null,
        record: None,
    })
}

fn raised() -> RuleOutcome {
    RuleOutcome::Exception(RuleException {
        kind: "KeyError".into(),
        message: "'eventName'".into(),
        traceback: concat!(
            "Traceback (most recent call last):\n",
            "  File \"/x/_streamalert_worker/evaluate.py\", line 2, in _general\n    fired = unit.func()\n",
            "  File \"rules/a.py\", line 9, in root_login\n    record['eventName']\n",
            "KeyError: 'eventName'\n",
        )
        .into(),
    })
}

fn seen(outcomes: &[(&str, RuleOutcome)]) -> Seen {
    let outcomes = outcomes
        .iter()
        .map(|(name, outcome)| ((*name).to_owned(), outcome.clone()))
        .collect();
    Seen {
        units: vec![unit(Some("aws:x"))],
        outcomes,
        ..Seen::default()
    }
}

fn alert(rule: &str, output: &str, publication: Result<&str, &str>) -> SeenAlert {
    let publication = publication
        .map(|json| Value::parse_json(json.as_bytes()).unwrap())
        .map_err(str::to_owned);
    SeenAlert {
        rule: rule.to_owned(),
        publications: [(output.to_owned(), publication)].into(),
    }
}

fn told(verdict: &Verdict) -> String {
    verdict
        .mismatches
        .iter()
        .map(Mismatch::text)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_same_log_type_and_the_same_rules_pass() {
    let event = content(r#""trigger_rules": ["root_login", "switched_off"]"#);
    let verdict = Verdict::of(
        &event,
        &seen(&[("root_login", fired()), ("other_login", raised())]),
        Some(&book()),
    );
    assert!(verdict.passed(), "{}", told(&verdict));
    assert_eq!(
        verdict.notes,
        [
            "switched_off is disabled, so it is not expected to fire",
            "other_login raised KeyError: 'eventName'"
        ]
    );
}

#[test]
fn another_log_type_fails_and_tells_the_nearest_schema_and_the_difference() {
    let nearest = NearestSchema {
        log_type: "aws:y".into(),
        missing: vec!["a".into(), "b".into()],
        unexpected: vec!["c".into()],
        wrong_type: vec!["port: not an integer".into()],
    };
    let failure = Failure {
        sub: None,
        original: "x".into(),
        reason: "no schema matches".into(),
        nearest: Some(nearest),
    };
    let unit = Unit {
        failures: vec![failure],
        ..Unit::default()
    };
    let seen = Seen {
        units: vec![unit],
        refusal: Some("missing z".into()),
        ..Seen::default()
    };
    let verdict = Verdict::of(
        &content(r#""trigger_rules": ["root_login"]"#),
        &seen,
        Some(&book()),
    );
    let expected = "log type (- expected, + found)
  - aws:x
  + none: no schema takes it
    aws:x: missing z
    nearest schema is aws:y
      missing: a, b
      unexpected: c
      wrong type: port: not an integer";
    assert_eq!(
        told(&verdict),
        expected,
        "and no word about rules that had nothing to run on"
    );
}

#[test]
fn a_log_type_of_another_name_fails_even_beside_the_right_one() {
    let units = vec![unit(Some("aws:x")), unit(Some("aws:y"))];
    let seen = Seen {
        units,
        ..Seen::default()
    };
    let verdict = Verdict::of(&content(r#""trigger_rules": []"#), &seen, None);
    assert_eq!(
        told(&verdict),
        "log type (- expected, + found)\n  - aws:x\n  + aws:x\n  + aws:y"
    );
}

#[test]
fn missing_and_unexpected_rules_are_told_with_their_reasons() {
    let event = content(
        r#""trigger_rules": ["root_login", "flow_probe", "rot_login", "other_login", "switched_off", "nothing_alike"]"#,
    );
    let outcomes = [
        ("root_login", RuleOutcome::False),
        ("root_login", raised()),
        ("other_login", RuleOutcome::NotRun),
    ];
    let verdict = Verdict::of(&event, &seen(&outcomes), Some(&book()));
    let expected = "rules (- expected, + fired)
  - flow_probe: did not run, as it only looks at vpc:flow
  - nothing_alike: no such rule
  - other_login: did not run (datatypes, required sub-keys or a matcher)
  - root_login: raised KeyError: 'eventName'
      Traceback (most recent call last):
        File \"rules/a.py\", line 9, in root_login
          record['eventName']
      KeyError: 'eventName'
  - rot_login: no such rule; did you mean \"root_login\"?";
    assert_eq!(told(&verdict), expected);

    let verdict = Verdict::of(
        &content(r#""trigger_rules": []"#),
        &seen(&[("root_login", fired())]),
        Some(&book()),
    );
    let expected =
        "rules (- expected, + fired)\n  + root_login: fired, but is not among trigger_rules (rules/a.py:7)";
    assert_eq!(told(&verdict), expected);
}

#[test]
fn a_rule_that_was_stopped_is_told_as_stopped() {
    let event = content(r#""trigger_rules": ["root_login"]"#);
    let limit = std::time::Duration::from_millis(100);
    let verdict = Verdict::of(
        &event,
        &seen(&[("root_login", RuleOutcome::TimedOut { limit })]),
        Some(&book()),
    );
    assert_eq!(
        told(&verdict),
        "rules (- expected, + fired)\n  - root_login: stopped after its time limit of 100 ms"
    );
}

#[test]
fn an_event_that_is_only_classified_needs_no_rule_to_fire() {
    let event = content(r#""classify_only": true, "trigger_rules": ["root_login"]"#);
    assert!(Verdict::of(&event, &seen(&[]), Some(&book())).passed());
    let with_rules = content(r#""trigger_rules": ["root_login"]"#);
    assert!(
        Verdict::of(&with_rules, &seen(&[]), None).passed(),
        "without rules only the classification counts"
    );
}

const TESTS: &str = r#""trigger_rules": ["root_login", "other_login"],
    "publisher_tests": {"slack:a": [["text", "is", "root"], ["n", "is", 1]]}"#;

fn both_fired(alerts: Vec<SeenAlert>) -> Verdict {
    let seen = Seen {
        alerts,
        ..seen(&[("root_login", fired()), ("other_login", fired())])
    };
    Verdict::of(&content(TESTS), &seen, Some(&book()))
}

#[test]
fn publisher_tests_hold_when_one_alert_passes_all_of_an_output() {
    let root = alert("root_login", "slack:a", Ok(r#"{"text": "root", "n": 1}"#));
    let other = alert("other_login", "slack:a", Ok(r#"{"text": "other", "n": 1}"#));
    let verdict = both_fired(vec![root, other.clone()]);
    assert!(verdict.passed(), "{}", told(&verdict));
    assert_eq!(verdict.publisher_tests_held, 2);

    let verdict = both_fired(vec![
        alert("root_login", "slack:a", Ok(r#"{"text": "rot", "n": 2}"#)),
        other,
    ]);
    let expected = "publisher test of slack:a, line 2, alert of other_login
    text is
  - \"root\"
  + \"other\"";
    assert_eq!(told(&verdict), expected, "the closest alert is told");
}

#[test]
fn publisher_tests_fail_without_their_output_and_when_the_publisher_fails() {
    let verdict = both_fired(vec![alert("root_login", "aws-s3:b", Ok("{}"))]);
    assert!(
        told(&verdict).contains("text: no alert goes to this output; they go to aws-s3:b"),
        "{}",
        told(&verdict)
    );
    let verdict = both_fired(vec![alert("root_login", "slack:a", Err("TypeError: x"))]);
    assert!(
        told(&verdict).contains("text: the publisher failed: TypeError: x"),
        "{}",
        told(&verdict)
    );
    assert!(verdict.notes[0].contains("publisher of slack:a failed on the alert of root_login"));
}

#[test]
fn publisher_tests_without_an_alert_are_noted_but_malformed_ones_fail() {
    let none = r#""trigger_rules": [], "publisher_tests": {"slack:a": [["text", "is", "root"]]}"#;
    let verdict = Verdict::of(&content(none), &seen(&[]), Some(&book()));
    assert!(verdict.passed());
    assert_eq!(verdict.notes, ["no alert, so no publisher test was run"]);
    let malformed = none.replace("\"is\"", "\"equals\"");
    let verdict = Verdict::of(&content(&malformed), &seen(&[]), Some(&book()));
    assert!(
        told(&verdict).contains("no such condition: \"equals\""),
        "{}",
        told(&verdict)
    );
}
