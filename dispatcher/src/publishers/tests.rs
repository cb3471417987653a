use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use streamalert_types::ManualClock;

use super::*;
use crate::Publication;
use crate::outputs::fixtures::{alert, alert_with_record};

/// Answers the names that it was asked to run, and remembers what it was given.
#[derive(Default)]
struct Users {
    given: Mutex<Vec<String>>,
    known: Vec<&'static str>,
}

#[async_trait]
impl UserPublishers for Users {
    fn has(&self, name: &str) -> bool {
        self.known.contains(&name)
    }

    async fn run(&self, _: &Alert, names: &[String], made: Option<&Value>) -> Result<Value, String> {
        let given = made.map_or("nothing".to_owned(), Value::to_json);
        self.given
            .lock()
            .unwrap()
            .push(format!("{} on {given}", names.join("+")));
        if names.iter().any(|name| name == "user.fails") {
            return Err("KeyError: 'secret-1'".to_owned());
        }
        let mut fields = made.and_then(Value::as_map).cloned().unwrap_or_default();
        fields.insert("by".to_owned(), Value::Str(names.join("+")));
        Ok(Value::Map(fields))
    }
}

fn publishers(users: Users, settings: &RedactionSettings, templates: &[(&str, &str)]) -> Publishers {
    let files = templates.iter().map(|(path, text)| {
        (
            (*path).to_owned(),
            format!("publishers/{path}"),
            (*text).to_owned(),
        )
    });
    let (templates, problems) = Templates::compile(files.collect());
    assert_eq!(problems, []);
    Publishers {
        user: Arc::new(users),
        rules: Arc::new(Shelf::of(OutputRules {
            redaction: Redaction::new(settings).unwrap(),
            by_output: BTreeMap::new(),
        })),
        templates: Arc::new(Shelf::of(templates)),
        links: Arc::new(LinkTemplates {
            alert: Some("https://alerts.example/{id}".to_owned()),
            trace: None,
        }),
        clock: Arc::new(ManualClock::at("2026-01-31T08:00:00.000000Z".parse().unwrap())),
    }
}

fn value(json: serde_json::Value) -> Value {
    Value::parse_json(json.to_string().as_bytes()).unwrap()
}

fn named(names: &[&str], mut alert: Alert) -> Arc<Alert> {
    alert.publishers = value(json!(names));
    Arc::new(alert)
}

async fn compose(publishers: &Publishers, alert: Arc<Alert>, output: &str) -> Publication {
    Publication::compose(alert, output.parse().unwrap(), publishers, Duration::from_secs(5)).await
}

/// What publishers of these names make of an alert for Slack.
async fn made(names: &[&str], alert: Alert) -> serde_json::Value {
    let publishers = publishers(Users::default(), &RedactionSettings::default(), &[]);
    let publication = compose(&publishers, named(names, alert), "slack:a").await;
    assert_eq!(publication.fallback, None);
    serde_json::from_str(&publication.body.to_json()).unwrap()
}

#[test]
fn every_publisher_of_the_program_has_one_name_of_each_kind_and_no_other_has_it() {
    let mut names: Vec<&str> = builtin_publishers().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for name in names {
        assert!(Builtin::named(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn publishers_of_the_program_make_what_those_of_streamalert_made() {
    let record =
        json!({"a": {"b": [1, {"c": null}]}, "list": ["x", 2, null], "streamalert_normalization": {"ip": 1}});
    let alert = || alert_with_record(1, &record.to_string());
    assert_eq!(made(&["blank"], alert()).await, json!({}));
    assert_eq!(made(&["add-record"], alert()).await, json!({"record": record}));
    let whole = made(&["default"], alert()).await;
    assert_eq!(whole["record"], record);
    let without = made(&["default", "remove-internal-fields"], alert()).await;
    for field in ["staged", "publishers", "outputs"] {
        assert!(
            whole.get(field).is_some() && without.get(field).is_none(),
            "{field}"
        );
    }
    assert_eq!(
        made(&["add-record", "remove_streamalert_normalization_"], alert()).await["by"],
        json!("remove_streamalert_normalization_"),
        "what is none of ours is the user's"
    );
    assert_eq!(
        made(
            &["publishers.community.generic.add_record", "enumerate-fields"],
            alert()
        )
        .await,
        json!({"record.a.b[0]": 1, "record.a.b[1].c": null, "record.list[0]": "x", "record.list[1]": 2,
            "record.list[2]": null, "record.streamalert_normalization.ip": 1})
    );
    let plain = made(
        &[
            "add-record",
            "remove-streamalert-normalization",
            "stringify-arrays",
        ],
        alert(),
    )
    .await;
    assert_eq!(
        plain,
        json!({"record": {"a": {"b": [1, {"c": null}]}, "list": "x\n2\nNone"}})
    );
    let mut with_context = alert();
    with_context.context = value(json!({"remove_fields": ["^li", "c$"], "populate_fields": ["b", "gone"]}));
    assert_eq!(
        made(&["add-record", "remove-fields"], with_context.clone()).await,
        json!({"record": {"a": {"b": [1, {}]}, "streamalert_normalization": {"ip": 1}}})
    );
    assert_eq!(
        made(&["add-record", "populate-fields"], with_context).await,
        json!({"b": [[1, {"c": null}]], "gone": []})
    );
    assert_eq!(
        made(&["shorten-title", "as-custom-details", "high-urgency"], alert()).await,
        json!({"@pagerduty-v2.summary": "cloudtrail_root_login", "@pagerduty.description": "cloudtrail_root_login",
            "@pagerduty-incident.incident_title": "cloudtrail_root_login", "@pagerduty.details": {},
            "@pagerduty-v2.custom_details": {}, "@pagerduty-v2.severity": "critical",
            "@pagerduty-incident.urgency": "high"})
    );
}

#[tokio::test]
async fn layouts_write_magic_fields_that_later_publishers_can_change() {
    let mut told = alert(1);
    told.context = value(json!({"severity": "high"}));
    let slack = made(&["slack-layout"], told.clone()).await;
    assert_eq!(
        slack["@slack.text"],
        "*Cloudtrail root login*: Somebody used the root account."
    );
    assert_eq!(slack["@slack.blocks"][0]["text"]["text"], "Cloudtrail root login");
    assert!(slack.get("record").is_some());
    assert_eq!(
        made(&["publishers.community.slack.slack_layout.Summary"], told.clone()).await["@slack.text"],
        slack["@slack.text"]
    );
    let pagerduty = made(&["pagerduty-layout", "blank", "pagerduty-layout"], told.clone()).await;
    assert_eq!(pagerduty["@pagerduty-v2.summary"], "Cloudtrail root login");
    let pagerduty = made(&["pagerduty-layout"], told).await;
    assert_eq!(
        pagerduty["@pagerduty-v2.summary"],
        "Cloudtrail root login: Somebody used the root account."
    );
    assert_eq!(pagerduty["@pagerduty-v2.severity"], "error");
    assert_eq!(pagerduty["@pagerduty-incident.urgency"], "high");
    let details = pagerduty["@pagerduty-v2.custom_details"].as_object().unwrap();
    let names: Vec<&str> = details.keys().map(String::as_str).collect();
    assert!(
        names.contains(&"what happened") && names.contains(&"eventName") && names.contains(&"alert"),
        "{names:?}"
    );
    assert_eq!(pagerduty["@pagerduty-v2.links"][0]["text"], "Alert");
}

#[tokio::test]
async fn publishers_of_the_user_get_what_those_before_made_and_ours_go_on_with_what_they_made() {
    let users = Users {
        known: vec!["publishers.community.generic.blank"],
        ..Users::default()
    };
    let publishers = publishers(
        users,
        &RedactionSettings::default(),
        &[("t.json.j2", r#"{"said": {{ publication.by|json }}}"#)],
    );
    let chain = [
        "user.a",
        "user.b",
        "remove-internal-fields",
        "publishers.community.generic.blank",
        "add-record",
        "template:t",
    ];
    let publication = compose(&publishers, named(&chain, alert_with_record(1, "{}")), "slack:a").await;
    assert_eq!(
        publication.body.to_json(),
        r#"{"said":"publishers.community.generic.blank"}"#
    );
    let publication = compose(
        &publishers,
        named(&["blank", "user.c"], alert_with_record(1, "{}")),
        "slack:a",
    )
    .await;
    assert_eq!(publication.body.to_json(), r#"{"by":"user.c"}"#);
}

#[tokio::test]
async fn what_fails_falls_back_to_the_default_and_even_that_is_redacted() {
    let settings = RedactionSettings {
        values: vec!["secret-\\d".to_owned()],
        ..RedactionSettings::default()
    };
    let publishers = publishers(Users::default(), &settings, &[("t.j2", "{{ record.gone }}")]);
    let alert = || alert_with_record(1, r#"{"a": "secret-1", "b": 2}"#);
    for (chain, says) in [
        (vec!["redact", "template:t"], "publishers/t.j2:1:4: not there"),
        (vec!["user.fails", "redact"], "KeyError"),
        (vec!["template:gone", "redact"], "there is no template gone"),
    ] {
        let publication = compose(&publishers, named(&chain, alert()), "slack:a").await;
        assert!(
            publication.fallback.as_deref().unwrap().contains(says),
            "{:?}",
            publication.fallback
        );
        let body = publication.body.to_json();
        assert!(
            body.contains("streamalert_publisher_error") && body.contains("\"b\":2"),
            "{body}"
        );
        assert!(
            body.contains("[redacted]") && !body.contains("secret-1"),
            "{body}"
        );
    }
    // where nobody asked for it, nothing is taken out
    let publication = compose(&publishers, named(&[], alert()), "slack:a").await;
    assert!(publication.body.to_json().contains("secret-1"));
}

#[tokio::test]
async fn outputs_with_redaction_get_nothing_whole_whatever_a_rule_says() {
    let settings = RedactionSettings {
        keys: vec!["password".to_owned()],
        outputs: vec!["slack".to_owned()],
        ..RedactionSettings::default()
    };
    let templates = [(
        "t.j2",
        "{{ record.password }} {{ record|json }} {{ alert.record.password }}",
    )];
    let publishers = publishers(Users::default(), &settings, &templates);
    let alert = alert_with_record(1, r#"{"password": "hunter2"}"#);
    for chain in [
        vec![],
        vec!["template:t"],
        vec!["add-record"],
        vec!["slack-layout"],
        vec!["enumerate-fields"],
    ] {
        let publication = compose(&publishers, named(&chain, alert.clone()), "slack:a").await;
        let all = format!("{}{:?}", publication.body.to_json(), publication.card());
        assert!(!all.contains("hunter2"), "{chain:?}: {all}");
        let publication = compose(&publishers, named(&chain, alert.clone()), "webhook:a").await;
        let shown = publication.body.to_json().contains("hunter2");
        assert_eq!(shown, chain != ["enumerate-fields"], "{chain:?}");
    }
}

#[tokio::test]
async fn an_output_has_publishers_of_its_own_for_rules_that_name_none() {
    let publishers = publishers(
        Users::default(),
        &RedactionSettings::default(),
        &[("t.j2", "short")],
    );
    let of_output = ("slack:a".parse().unwrap(), vec!["template:t".to_owned()]);
    publishers.rules.put(Arc::new(OutputRules {
        by_output: BTreeMap::from([of_output]),
        ..OutputRules::default()
    }));
    let text = async |alert, output| {
        let publication = compose(&publishers, alert, output).await;
        publication.magic_text("slack", "text").map(str::to_owned)
    };
    assert_eq!(
        text(named(&[], alert(1)), "slack:a").await.as_deref(),
        Some("short")
    );
    assert_eq!(text(named(&[], alert(1)), "slack:b").await, None);
    assert_eq!(text(named(&["default"], alert(1)), "slack:a").await, None);
}

const PAGE: &str = include_str!("../../../docs/PUBLISHERS.md");

#[test]
fn the_page_names_every_publisher_and_class_and_no_other() {
    for name in builtin_publishers().filter(|name| !name.contains('.')) {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
    let rows: Vec<(String, &str)> = Redaction::classes()
        .map(|(name, about)| (format!("| `{name}` |"), about))
        .collect();
    for (row, about) in rows {
        assert!(PAGE.contains(&format!("{row} {about} |")), "{row} {about}");
    }
}

#[tokio::test]
async fn the_examples_of_the_page_do_what_it_says() {
    let examples: Vec<&str> = PAGE
        .split("```jinja\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [login, soar] = examples[..] else {
        panic!("{examples:?}")
    };
    let patterns = PAGE
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    for part in [
        "\"*password*\", \"record.user.ssn\", \"/^x-.*-token$/\"",
        r#""EMP-\\d+", "pin=(\\d+)""#,
    ] {
        assert!(patterns.contains(part), "{part} in {patterns}");
    }
    let settings = RedactionSettings {
        keys: ["*password*", "record.user.ssn", "/^x-.*-token$/"]
            .map(str::to_owned)
            .to_vec(),
        values: ["EMP-\\d+", "pin=(\\d+)"].map(str::to_owned).to_vec(),
        classes: ["email", "credit-card", "aws-access-key"]
            .map(str::to_owned)
            .to_vec(),
        outputs: ["slack", "jira:support"].map(str::to_owned).to_vec(),
    };
    let publishers = publishers(
        Users::default(),
        &settings,
        &[("login.j2", login), ("soar.json.j2", soar)],
    );
    let record =
        json!({"userIdentity": {"arn": "arn:<root>"}, "sourceIPAddress": "198.51.100.7"}).to_string();
    let made = async |name: &str, output: &str| {
        let publication = compose(&publishers, named(&[name], alert_with_record(1, &record)), output).await;
        assert_eq!(publication.fallback, None);
        publication.body
    };
    assert_eq!(
        made("template:login", "slack:a")
            .await
            .get("@slack.text")
            .and_then(Value::as_str),
        Some("*arn:&lt;root&gt;* logged in from 198[.]51[.]100[.]7 1 s ago.")
    );
    assert_eq!(
        made("template:soar", "webhook:a").await.to_json(),
        r#"{"title":"cloudtrail_root_login","user":{"arn":"arn:<root>"},"count":1}"#
    );
}

/// Figures for docs/PERFORMANCE.md.
#[tokio::test]
#[ignore = "a measurement"]
async fn how_fast_publishers_of_the_program_are() {
    let settings = RedactionSettings {
        keys: vec!["*password*".to_owned(), "*token*".to_owned()],
        classes: Redaction::classes().map(|(name, _)| name.to_owned()).collect(),
        ..RedactionSettings::default()
    };
    let publishers = publishers(
        Users::default(),
        &settings,
        &[("t.j2", "*{{ title }}*: {{ record.userIdentity.arn }}")],
    );
    let chains = [
        vec!["default", "remove-internal-fields"],
        vec!["default", "enumerate-fields"],
        vec!["redact"],
        vec!["template:t"],
        vec!["slack-layout"],
    ];
    for chain in chains {
        let alert = named(&chain, alert(1));
        let begin = tokio::time::Instant::now();
        let count = 20_000;
        for _ in 0..count {
            std::hint::black_box(compose(&publishers, Arc::clone(&alert), "slack:a").await);
        }
        println!(
            "{chain:?}: {:.0}/s",
            f64::from(count) / begin.elapsed().as_secs_f64()
        );
    }
}
