//! The publisher framework: every form in which rules name publishers, publishers in the shape of StreamAlert's
//! community, and those of the package `streamalert`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing test says enough"
)]

mod support;

use streamalert_detect::{
    AlertStamp, EvaluateOptions, PublisherPlan, RuleOutcome, RuleRuntime, build_alert, publisher_names,
};
use streamalert_python::PythonPool;
use streamalert_types::{Alert, OutputName, Timestamp};
use streamalert_value::Value;
use support::{IMPORTS, Repo, record};

async fn alert_for(pool: &PythonPool, log: &str, json: &str) -> Alert {
    let options = EvaluateOptions::default();
    let outcomes = pool.evaluate(vec![record(log, json)], options).await.unwrap();
    let RuleOutcome::Fired(fired) = outcomes[0].results[0].outcome.clone() else {
        panic!("{log}")
    };
    let stamp = AlertStamp {
        created: "2020-01-01T00:00:00.000000Z".parse::<Timestamp>().unwrap(),
        staged: false,
        traceparent: "".into(),
        rules_version: "".into(),
    };
    let rules = pool.rules();
    let rule = rules.get(outcomes[0].results[0].rule).unwrap();
    build_alert(&outcomes[0].record, rule, fired, &stamp)
}

fn value(json: &str) -> Value {
    Value::parse_json(json.as_bytes()).unwrap()
}

async fn made(
    pool: &PythonPool,
    alert: &Alert,
    names: &[&str],
    before: Option<&str>,
) -> Result<String, String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let before = before.map(value);
    let publication = pool.publish_by(alert, &names, before.as_ref()).await.unwrap();
    match publication.fallback {
        Some(reason) => Err(reason),
        None => Ok(publication.value.to_json()),
    }
}

const FORMS: &str = "
from streamalert.shared.publisher import AlertPublisher, Register

@Register
def one(alert, publication):
    publication['order'] = publication.get('order', '') + '1'
    return publication

@Register
class Two(AlertPublisher):
    def publish(self, alert, publication):
        publication['order'] = publication.get('order', '') + '2'
        return publication

def not_registered(alert, publication):
    return {}
";

#[tokio::test]
async fn every_form_names_the_publishers_of_each_output_in_streamalerts_order() {
    let forms = [
        ("text", "'publishers.p.one'", "1", "1"),
        ("function", "p.one", "1", "1"),
        ("klass", "p.Two", "2", "2"),
        ("several", "[p.Two, 'publishers.p.one', p.Two]", "212", "212"),
        (
            "service_first",
            "{'slack:x': [p.Two], 'slack': p.one, 'jira': [p.Two, p.Two]}",
            "12",
            "1",
        ),
        ("one_output", "{'slack:y': 'publishers.p.one'}", "", "1"),
        ("tuple", "(p.one, p.Two)", "12", "12"),
        ("none", "None", "", ""),
        ("empty", "[]", "", ""),
    ];
    let mut rules = format!("{IMPORTS}from publishers import p\n");
    for (name, publishers, ..) in forms {
        rules += &format!(
            "@rule(logs=['{name}'], outputs=['slack:x', 'slack:y'], publishers={publishers})\ndef {name}(rec):\n    return True\n"
        );
    }
    let repo = Repo::new(&[("publishers/p.py", FORMS), ("rules/r.py", &rules)]);
    let (pool, report) = repo.start().await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    for (name, _, x, y) in forms {
        let alert = alert_for(&pool, name, "{}").await;
        for (output, order) in [("slack:x", x), ("slack:y", y)] {
            let output: OutputName = output.parse().unwrap();
            let publication = pool.publish(&alert, &output).await.unwrap();
            assert_eq!(publication.fallback, None);
            let got = publication.value.get("order").and_then(Value::as_str);
            assert_eq!(got.unwrap_or_default(), order, "{name} for {output}");
            // with none there is StreamAlert's dictionary of the alert
            assert_eq!(
                publication.value.get("record").is_some(),
                order.is_empty(),
                "{name} for {output}"
            );
        }
        assert!(
            publisher_names(&alert, &OutputName::history()).is_empty(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_no_publisher_or_no_output_stays_in_the_rule_for_the_loader_of_the_project_to_refuse() {
    let rules = format!(
        "{IMPORTS}from publishers import p
@rule(logs=['a'], outputs=['slack', 7, 'slack:x'], publishers=[p.not_registered, 'publishers.p.gone', 5])
def listed(rec):
    return True
@rule(logs=['b'], outputs=['slack:x'], publishers=5, dynamic_outputs=[lambda rec: ['jira', 'jira:y', None]])
def single(rec):
    return True
"
    );
    let repo = Repo::new(&[("publishers/p.py", FORMS), ("rules/r.py", &rules)]);
    let (pool, report) = repo.start().await;
    assert!(
        report.errors.is_empty() && report.warnings.is_empty(),
        "{report:?}"
    );
    let names = |rule: &str| {
        let (_, rule) = report.rules.find(rule).unwrap();
        let PublisherPlan::All(names) = &rule.publishers else {
            panic!("{:?}", rule.publishers)
        };
        let outputs: Vec<&str> = rule.outputs.iter().map(OutputName::as_str).collect();
        (names.clone(), outputs.join(" "))
    };
    assert_eq!(
        names("listed"),
        (
            vec![
                "publishers.p.not_registered".to_owned(),
                "publishers.p.gone".into(),
                "5".into()
            ],
            "slack: 7: slack:x".to_owned()
        )
    );
    assert_eq!(names("single"), (vec!["5".to_owned()], "slack:x".to_owned()));
    let alert = alert_for(&pool, "b", "{}").await;
    let outputs: Vec<&str> = alert.outputs.iter().map(OutputName::as_str).collect();
    assert_eq!(
        outputs.join(" "),
        "None: aws-firehose:alerts jira: jira:y slack:x"
    );
}

/// In the shape of the files that come with StreamAlert's repository, and are changed by those who use it.
const GENERIC: &str = "
import re
from collections import OrderedDict, deque
from streamalert.shared.normalize import Normalizer
from streamalert.shared.publisher import AlertPublisher, Register
from streamalert.shared.utils import get_keys

@Register
def add_record(alert, publication):
    publication['theirs'] = alert.record
    return publication

@Register
def remove_normalized(_, publication):
    open_items = deque([publication])
    while open_items:
        item = open_items.popleft()
        if isinstance(item, dict):
            for name in [name for name in item if re.search(Normalizer.NORMALIZATION_KEY, name)]:
                del item[name]
            open_items.extend(item.values())
    return publication

@Register
def found(alert, publication):
    return OrderedDict((name, get_keys(publication, name)) for name in alert.context['fields'])

@Register
class Joined(AlertPublisher):
    BETWEEN = ','

    @classmethod
    def join(cls, items):
        return cls.BETWEEN.join(str(item) for item in items)

    def publish(self, alert, publication):
        return {name: self.join(items) for name, items in publication.items()}
";

const LAYOUT: &str = "
import calendar
import html
from publishers.community.generic import Joined, add_record
from stream_alert.shared.publisher import AlertPublisher as OldNamed
from streamalert.alert_processor.helpers import elide_string_middle
from streamalert.shared.description import RuleDescriptionParser
from streamalert.shared.publisher import AlertPublisher, Register

@Register
class Lines(Joined):
    BETWEEN = ' | '

@Register
class Message(AlertPublisher):
    def publish(self, alert, publication):
        told = RuleDescriptionParser.present(alert.rule_description)
        assert issubclass(Message, OldNamed)
        return {
            '@slack.text': html.escape(told['description']),
            '@slack.attachments': [{
                'author_name': told['author'],
                'ts': calendar.timegm(alert.created.timetuple()),
                'text': elide_string_middle(str(publication), 20),
                'footer': '{} {} {}'.format(alert.source_service, alert.source_entity, told['fields']['playbook']),
            }],
            '_before': add_record(alert, {}),
        }
";

#[tokio::test]
async fn publishers_of_streamalerts_community_run_as_they_are_in_a_repository_that_has_them() {
    let rules = format!(
        "{IMPORTS}from publishers.community.generic import add_record, found, remove_normalized
from publishers.community.slack.slack_layout import Lines, Message
@rule(logs=['a'], outputs=['slack:x'], publishers=[add_record, remove_normalized, found, Lines], context={{'fields': ['ip', 'gone']}})
def chain(rec, context):
    return True
@rule(logs=['b'], outputs=['slack:x'], publishers=Message)
def message(rec):
    \"\"\"
    author:       someone
    description:  A <b> happened.
    playbook:     ask
    \"\"\"
    return True
"
    );
    let repo = Repo::new(&[
        ("publishers/__init__.py", ""),
        ("publishers/community/__init__.py", ""),
        ("publishers/community/generic.py", GENERIC),
        ("publishers/community/slack/__init__.py", ""),
        ("publishers/community/slack/slack_layout.py", LAYOUT),
        ("rules/r.py", &rules),
    ]);
    let (pool, report) = repo.start().await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert!(
        report
            .publishers
            .contains(&"publishers.community.generic.add_record".to_owned())
    );
    let slack: OutputName = "slack:x".parse().unwrap();
    let json = r#"{"ip":1,"in":[{"ip":2}],"streamalert_normalization":{"ip":3}}"#;
    let publication = pool
        .publish(&alert_for(&pool, "a", json).await, &slack)
        .await
        .unwrap();
    assert_eq!(publication.fallback, None);
    assert_eq!(publication.value.to_json(), r#"{"ip":"1 | 2","gone":""}"#);
    let publication = pool
        .publish(&alert_for(&pool, "b", "{}").await, &slack)
        .await
        .unwrap();
    assert_eq!(publication.fallback, None);
    let made = publication.value;
    assert_eq!(
        made.get("@slack.text").unwrap().as_str(),
        Some("A &lt;b&gt; happened.")
    );
    let attachment = &made.get("@slack.attachments").unwrap().as_list().unwrap()[0];
    assert_eq!(attachment.get("author_name").unwrap().as_str(), Some("someone"));
    assert_eq!(attachment.get("ts").unwrap().as_i64(), Some(1_577_836_800));
    assert_eq!(made.get("_before").unwrap().to_json(), r#"{"theirs":{}}"#);
}

#[tokio::test]
async fn where_the_repository_has_none_streamalerts_names_are_ours() {
    let rules = format!(
        "{IMPORTS}from publishers import p
from publishers.community.generic import add_record, StringifyArrays
from publishers.community.pagerduty.pagerduty_layout import ShortenTitle
from publishers.community.slack.slack_layout import Summary
from streamalert.publishers import redact
@rule(logs=['a'], outputs=['slack:x'], publishers=[p.one, add_record, StringifyArrays, ShortenTitle, Summary, redact])
def r(rec):
    return True
"
    );
    // with and without the packages' own files
    for init in [
        &["publishers/__init__.py", "publishers/community/__init__.py"] as &[&str],
        &[],
    ] {
        let mut files = vec![("publishers/p.py", FORMS), ("rules/r.py", rules.as_str())];
        files.extend(init.iter().map(|path| (*path, "")));
        let (pool, report) = Repo::new(&files).start().await;
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let (_, rule) = report.rules.find("r").unwrap();
        let expected = [
            "publishers.p.one",
            "streamalert.publishers.add_record",
            "streamalert.publishers.StringifyArrays",
            "streamalert.publishers.ShortenTitle",
            "streamalert.publishers.Summary",
            "streamalert.publishers.redact",
        ];
        assert_eq!(
            rule.publishers,
            PublisherPlan::All(expected.map(str::to_owned).to_vec())
        );
        pool.shutdown().await;
    }
}

#[tokio::test]
async fn ours_do_in_python_what_the_dispatcher_does() {
    let rules = format!(
        "{IMPORTS}import streamalert.publishers
@rule(logs=['a'], outputs=['slack:x'], context={{'remove_fields': ['^li', 'c$'], 'populate_fields': ['b', 'gone']}})
def r(rec, context):
    return True
"
    );
    let (pool, report) = Repo::new(&[("rules/r.py", &rules)]).start().await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let json = r#"{"a":{"b":[1,{"c":null}]},"list":["x",2,null],"streamalert_normalization":{"ip":1}}"#;
    let alert = alert_for(&pool, "a", json).await;
    // the same as in the tests of the dispatcher's
    for (names, expected) in [
        (&["blank"] as &[&str], "{}".to_owned()),
        (&["add_record"], format!(r#"{{"record":{json}}}"#)),
        (
            &["add_record", "enumerate_fields"],
            r#"{"record.a.b[0]":1,"record.a.b[1].c":null,"record.list[0]":"x","record.list[1]":2,"record.list[2]":null,"record.streamalert_normalization.ip":1}"#.to_owned(),
        ),
        (
            &["add_record", "remove_streamalert_normalization", "StringifyArrays"],
            r#"{"record":{"a":{"b":[1,{"c":null}]},"list":"x\n2\nNone"}}"#.to_owned(),
        ),
        (
            &["add_record", "remove_fields"],
            r#"{"record":{"a":{"b":[1,{}]},"streamalert_normalization":{"ip":1}}}"#.to_owned(),
        ),
        (&["add_record", "populate_fields"], r#"{"b":[[1,{"c":null}]],"gone":[]}"#.to_owned()),
        (
            &["v2_low_urgency", "as_custom_details"],
            r#"{"@pagerduty-v2.severity":"warning","@pagerduty-incident.urgency":"low","@pagerduty.details":{},"@pagerduty-v2.custom_details":{}}"#.to_owned(),
        ),
    ] {
        let full: Vec<String> = names.iter().map(|name| format!("streamalert.publishers.{name}")).collect();
        let full: Vec<&str> = full.iter().map(String::as_str).collect();
        assert_eq!(made(&pool, &alert, &full, None).await.unwrap(), expected, "{names:?}");
    }
    let error = made(&pool, &alert, &["streamalert.publishers.redact"], None)
        .await
        .unwrap_err();
    assert!(error.contains("run by the dispatcher"), "{error}");
}

#[tokio::test]
async fn publishers_go_on_with_what_others_made_before_them() {
    let rules = format!(
        "{IMPORTS}from publishers import p\n@rule(logs=['a'], outputs=['slack:x'])\ndef r(rec):\n    return True\n"
    );
    let (pool, _) = Repo::new(&[("publishers/p.py", FORMS), ("rules/r.py", &rules)])
        .start()
        .await;
    let alert = alert_for(&pool, "a", "{}").await;
    let one = "publishers.p.one";
    assert_eq!(
        made(&pool, &alert, &[one], Some(r#"{"order":"0"}"#))
            .await
            .unwrap(),
        r#"{"order":"01"}"#
    );
    assert_eq!(
        made(&pool, &alert, &[one, "publishers.p.gone"], None)
            .await
            .unwrap(),
        r#"{"order":"1"}"#
    );
    // what was removed since the alert was raised changes nothing
    assert_eq!(
        made(&pool, &alert, &["publishers.p.gone"], Some(r#"{"a":1}"#))
            .await
            .unwrap(),
        r#"{"a":1}"#
    );
}
