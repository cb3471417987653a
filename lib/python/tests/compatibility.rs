//! What files of existing repositories import and do.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing test says enough"
)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use streamalert_detect::{
    AlertStamp, EvaluateOptions, Fixtures, RuleOutcome, RuleRuntime, build_alert, output_dict,
};
use streamalert_python::{Interpreter, Limits, PoolOptions, PythonPool, find_interpreter};
use streamalert_types::{Alert, Timestamp};
use streamalert_value::{Map, Value};
use support::{IMPORTS, Repo, evaluate, record, trace};

const RULES: &str = r#"
from matchers import default
from rules.helpers.base import contains_any, get_first_key, in_network, last_hour, path_matches_any
from streamalert.rules_engine.threat_intel import ThreatIntel
from streamalert.shared.config import load_config
from streamalert.shared.logger import get_logger
from streamalert.shared.lookup_tables.core import LookupTables
from streamalert.shared.normalize import Normalizer
from streamalert.shared.rule import Rule, RuleCreationError, disable, rule
from streamalert.shared.stats import RuleStatisticTracker, time_me
from streamalert.shared.utils import get_keys, valid_ip
import pathlib2

LOGGER = get_logger(__name__)
NETWORKS = {'10.0.0.0/8', '192.168/16', 'nonsense'}

@rule(logs=['t:net'], matchers=[default.is_prod], req_subkeys={'d': ['ip']})
def network(rec):
    return in_network(rec['d']['ip'], NETWORKS) and valid_ip(get_first_key(rec, 'ip'))

@rule(logs=['t:norm'])
def normalized(rec):
    return Normalizer.get_values_for_normalized_type(rec, 'sourceAddress') == {'1.2.3.4', '5.6.7.8'}

@rule(logs=['t:ioc'])
def indicator(rec):
    return ThreatIntel.IOC_KEY in rec and '1.1.1.2' in rec[ThreatIntel.IOC_KEY]['ip'].union({'x'})

@rule(logs=['t:table'], outputs=['slack:x'])
def table(rec):
    return LookupTables.get('people', rec['who'], {}).get('admin') or LookupTables.get('none', 'k', False)

@rule(logs=['t:aws'])
def needs_aws(rec):
    return LookupTables.get('remote', 'k')

@disable
@rule(logs=['t:net'])
def disabled_above(rec):
    return True

@rule(logs=['t:net'])
@disable
def disabled_below(rec):
    return True

@rule(logs=['t:misc'])
@time_me
def decorated(rec):
    assert Rule.get_rule('network').name == 'network'
    assert load_config()['global']['account']['prefix'] == 'corp'
    assert pathlib2.PurePath('/a/b').name == 'b' and path_matches_any('/a/b/c', ['/a/*/c'])
    assert not last_hour(0) and contains_any('abc', {'b'})
    return True
"#;

fn repo() -> Repo {
    Repo::new(&[
        ("rules/__init__.py", ""),
        ("rules/community/__init__.py", ""),
        ("rules/community/all.py", RULES),
        ("matchers/__init__.py", ""),
        (
            "matchers/default.py",
            "def is_prod(rec):\n    return rec.get('env') == 'prod'\n",
        ),
        // A clone of StreamAlert brings its own package along; ours goes first, theirs fills the gaps.
        ("streamalert/__init__.py", "raise ImportError('not this one')\n"),
        (
            "streamalert/shared/__init__.py",
            "raise ImportError('not this one')\n",
        ),
        ("streamalert/shared/extra.py", "ANSWER = 42\n"),
        (
            "rules/uses_extra.py",
            &format!(
                "{IMPORTS}from streamalert.shared.extra import ANSWER\n@rule(logs=['t:misc'])\ndef extra(rec):\n    return ANSWER == 42\n"
            ),
        ),
        (
            "rules/old_name.py",
            "from stream_alert.shared.rule import rule\n@rule(logs=['t:misc'])\ndef old(rec):\n    return True\n",
        ),
        ("conf/global.json", r#"{"account": {"prefix": "corp"}}"#),
        (
            "conf/lookup_tables.json",
            r#"{"enabled": true, "tables": {"remote": {"driver": "s3", "bucket": "b", "key": "k"}}}"#,
        ),
        ("tables/people.json", r#"{"eve": {"admin": true}}"#),
    ])
}

async fn started(repo: &Repo) -> PythonPool {
    let tables = BTreeMap::from([("people".to_owned(), "tables/people.json".into())]);
    let (pool, report) = PythonPool::start(PoolOptions {
        lookup_tables: tables,
        ..repo.options()
    })
    .await
    .unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    pool
}

#[tokio::test]
async fn a_repository_imports_what_streamalert_offered() {
    let repo = repo();
    let pool = started(&repo).await;
    let net = |ip: &str, env: &str| record("t:net", &format!(r#"{{"d":{{"ip":"{ip}"}},"env":"{env}"}}"#));
    let cases = [
        (net("10.1.2.3", "prod"), "network=true"),
        (net("10.1", "prod"), "network=true"),
        (net("192.168.7.7", "prod"), "network=true"),
        (net("11.1.2.3", "prod"), "network=false"),
        (net("x.amazonaws.com", "prod"), "network=false"),
        (net("10.1.2.3", "dev"), "network=not_run"),
        (record("t:net", r#"{"d":{},"env":"prod"}"#), "network=not_run"),
        (
            record(
                "t:norm",
                r#"{"streamalert_normalization":{"sourceAddress":[{"function":null,"values":["1.2.3.4"]},{"function":"x","values":["5.6.7.8"]}]}}"#,
            ),
            "normalized=true",
        ),
        (
            record("t:ioc", r#"{"streamalert:ioc":{"ip":["1.1.1.2"]}}"#),
            "indicator=true",
        ),
        (record("t:table", r#"{"who":"eve"}"#), "table=true"),
        (record("t:table", r#"{"who":"bob"}"#), "table=false"),
        (
            record("t:aws", "{}"),
            "needs_aws=exception:LookupTablesInitializationError",
        ),
    ];
    for (input, expected) in cases {
        let text = format!("{input:?}");
        assert_eq!(trace(&pool, input).await, [expected], "{text}");
    }
    let misc = trace(&pool, record("t:misc", "{}")).await;
    // Files in name order, not in the order of the file system.
    assert_eq!(misc, ["old=true", "extra=true", "decorated=true"]);
}

#[tokio::test]
async fn the_quickstart_repository_loads_without_complaint() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
    let options = PoolOptions {
        workers: 1,
        ..PoolOptions::for_repo(root)
    };
    let (_, report) = PythonPool::start(options).await.unwrap();
    assert!(
        report.errors.is_empty() && report.warnings.is_empty(),
        "{report:?}"
    );
    assert!(report.rules.rules().len() >= 10);
}

#[tokio::test]
async fn fixtures_replace_the_lookup_tables_for_one_call() {
    let repo = repo();
    let pool = started(&repo).await;
    let people: Map = [("bob".to_owned(), Value::parse_json(br#"{"admin": 1}"#).unwrap())]
        .into_iter()
        .collect();
    let tables: Map = [("people".to_owned(), Value::Map(people))].into_iter().collect();
    let options = EvaluateOptions {
        fixtures: Some(std::sync::Arc::new(Fixtures {
            lookup_tables: tables,
        })),
        trace: false,
    };
    let both = || {
        vec![
            record("t:table", r#"{"who":"bob"}"#),
            record("t:table", r#"{"who":"eve"}"#),
        ]
    };
    let outcomes = pool.evaluate(both(), options).await.unwrap();
    assert_eq!(
        outcomes
            .iter()
            .map(|outcome| outcome.results.len())
            .collect::<Vec<_>>(),
        [1, 0]
    );
    assert_eq!(
        evaluate(&pool, both()).await,
        [vec![], vec!["table=true".to_owned()]]
    );
}

#[tokio::test]
async fn every_version_of_python_that_is_here_gives_the_same_answers() {
    let root = std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".pyenv/versions"));
    let versions = root
        .and_then(|root| std::fs::read_dir(root).ok())
        .into_iter()
        .flatten();
    let mut tried = 0;
    for dir in versions.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(Interpreter { version, .. }) = find_interpreter(Some(&dir)).await else {
            continue;
        };
        let repo = repo();
        let options = PoolOptions {
            interpreter: Some(dir),
            ..repo.options()
        };
        let (pool, report) = PythonPool::start(options).await.unwrap();
        assert!(report.errors.is_empty(), "{version:?}: {:?}", report.errors);
        let answer = trace(&pool, record("t:misc", "{}")).await;
        assert_eq!(
            answer,
            ["old=true", "extra=true", "decorated=true"],
            "{version:?}"
        );
        tried += 1;
    }
    println!("{tried} versions of python");
}

#[tokio::test]
async fn what_is_no_suitable_python_is_refused_with_its_name() {
    let error = find_interpreter(Some("/nonexistent/python".as_ref()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("/nonexistent/python"), "{error}");
    let repo = Repo::new(&[("fake", "#!/bin/sh\necho cpython 3 7 16\n")]);
    let fake = repo.path().join("fake");
    std::fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = find_interpreter(Some(&fake)).await.unwrap_err();
    assert!(
        error.to_string().contains("cpython 3 7 16, expected CPython 3.8"),
        "{error}"
    );
    let error = find_interpreter(Some("/bin/ls".as_ref())).await.unwrap_err();
    assert!(
        error.to_string().starts_with("/bin/ls is not a python: "),
        "{error}"
    );
    let script = Repo::new(&[("not_executable", "echo cpython 3 11 1\n")]);
    let error = find_interpreter(Some(&script.path().join("not_executable")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("it cannot be run"), "{error}");
    let advice = "the setting python.interpreter, or with --set python.interpreter=PATH";
    assert!(error.to_string().contains(advice), "{error}");
}

const PUBLISHERS: &str = r"
from streamalert.shared.publisher import AlertPublisher, DefaultPublisher, Register
from streamalert.shared.utils import get_keys
import time

@Register
def with_rule(alert, publication):
    publication['@slack.text'] = alert.rule_name + ' ' + alert.created.strftime('%Y')
    return publication

@Register
class Keys(AlertPublisher):
    def publish(self, alert, publication):
        publication['found'] = get_keys(alert.record, alert.context['key'])
        publication['before'] = sorted(publication)
        return publication

@Register
def fails(alert, publication):
    return publication['nope']

@Register
def hangs(alert, publication):
    time.sleep(60)

@Register
def nothing(alert, publication):
    return None
";

async fn alert_for(pool: &PythonPool, rule: &str) -> Alert {
    let options = EvaluateOptions::default();
    let outcomes = pool
        .evaluate(vec![record(rule, r#"{"a":{"k":1},"k":[2]}"#)], options)
        .await
        .unwrap();
    let RuleOutcome::Fired(fired) = outcomes[0].results[0].outcome.clone() else {
        panic!("{rule}")
    };
    let stamp = AlertStamp {
        created: "2020-01-01T00:00:00.000000Z".parse::<Timestamp>().unwrap(),
        staged: false,
        traceparent: "".into(),
        rules_version: "".into(),
    };
    let rules = pool.rules();
    build_alert(
        &outcomes[0].record,
        rules.get(outcomes[0].results[0].rule).unwrap(),
        fired,
        &stamp,
    )
}

#[tokio::test]
async fn publishers_run_in_order_and_a_failing_one_leaves_the_alert_plain() {
    let forms = [
        ("text", "'publishers.p.with_rule'"),
        ("reference", "[p.with_rule, p.Keys]"),
        (
            "mapping",
            "{'slack:x': [p.Keys], 'slack': p.with_rule, 'pagerduty': p.fails}",
        ),
        ("broken", "[p.fails]"),
        ("slow", "p.hangs"),
        ("empty", "p.nothing"),
        ("unknown", "'publishers.p.missing'"),
        ("plain", "None"),
    ];
    let mut rules = format!("{IMPORTS}from publishers import p\n");
    for (name, publishers) in forms {
        rules += &format!(
            "@rule(logs=['{name}'], outputs=['slack:x', 'pagerduty:y'], publishers={publishers}, context={{'key': 'k'}})\ndef {name}(rec, ctx):\n    return True\n"
        );
    }
    let repo = Repo::new(&[("publishers/p.py", PUBLISHERS), ("rules/r.py", &rules)]);
    let limits = Limits {
        publish: Duration::from_millis(300),
        ..Limits::default()
    };
    let (pool, report) = PythonPool::start(PoolOptions {
        limits,
        ..repo.options()
    })
    .await
    .unwrap();
    assert!(
        report.publishers.contains(&"publishers.p.Keys".to_owned()),
        "{:?}",
        report.publishers
    );
    // Names that nobody has are in the plan: who loads the project knows of more publishers, and complains.
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    let (slack, pagerduty) = ("slack:x".parse().unwrap(), "pagerduty:y".parse().unwrap());
    let published = async |rule: &str, output| {
        let alert = alert_for(&pool, rule).await;
        let publication = pool.publish(&alert, output).await.unwrap();
        let plain = output_dict(&alert).unwrap().to_json();
        let json = publication.value.to_json();
        (
            if json == plain { "plain".to_owned() } else { json },
            publication.fallback.unwrap_or_default(),
        )
    };
    let fine = |json: &str| (json.to_owned(), String::new());
    assert_eq!(
        published("text", &slack).await,
        fine(r#"{"@slack.text":"text 2020"}"#)
    );
    let both = |rule: &str| {
        fine(&format!(
            r#"{{"@slack.text":"{rule} 2020","found":[[2],1],"before":["@slack.text","found"]}}"#
        ))
    };
    assert_eq!(published("reference", &slack).await, both("reference"));
    assert_eq!(published("mapping", &slack).await, both("mapping"));
    assert_eq!(
        published("mapping", &pagerduty).await,
        ("plain".into(), "KeyError: 'nope'".into())
    );
    assert_eq!(
        published("broken", &slack).await,
        ("plain".into(), "KeyError: 'nope'".into())
    );
    assert_eq!(
        published("slow", &slack).await,
        ("plain".into(), "publishers took longer than 300ms".into())
    );
    assert_eq!(
        published("empty", &slack).await,
        (
            "plain".into(),
            "TypeError: a publication is a dictionary, not NoneType".into()
        )
    );
    assert_eq!(published("unknown", &slack).await, fine("plain"));
    assert_eq!(published("plain", &slack).await, fine("plain"));
}

#[tokio::test]
async fn options_that_mean_nothing_are_warned_of_and_a_second_definition_tells_the_first() {
    let rules = "
@rule(logs=['a:b'], merge_by_keys=['k'])
def keys_only(rec): return True
@rule(logs=['a:b'], merge_window_mins=5)
def window_only(rec): return True
@rule(logs=['a:b'], merge_by_keys=['k'], merge_window_mins=5)
def both(rec): return True
@rule(logs=['a:b'], output=['slack:x'], zzz=1)
def misspelt(rec): return True
";
    let repo = Repo::new(&[
        ("rules/a.py", &format!("{IMPORTS}{rules}")),
        (
            "rules/b.py",
            &format!("{IMPORTS}@rule(logs=['a:b'])\ndef both(rec): return True\n"),
        ),
        (
            "rules/c.py",
            &format!("{IMPORTS}@rule(log=['a:b'])\ndef nowhere(rec): return True\n"),
        ),
    ]);
    let (pool, report) = repo.start().await;
    pool.shutdown().await;
    let warnings: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "rules/a.py:3: rule [keys_only]: merge_by_keys without merge_window_mins merges nothing",
            "rules/a.py:5: rule [window_only]: merge_window_mins without merge_by_keys merges nothing",
            "rules/a.py:9: rule [misspelt]: unknown keyword output is ignored, did you mean outputs?",
            "rules/a.py:9: rule [misspelt]: unknown keyword zzz is ignored",
        ]
    );
    let errors: Vec<_> = report.errors.iter().map(|error| &*error.message).collect();
    assert_eq!(
        errors,
        [
            "RuleCreationError: Rule [both] already defined in rules/a.py:7",
            "RuleCreationError: rule [nowhere] applies to nothing: give it logs or datatypes; \
             unknown keyword log is ignored, did you mean logs?",
        ]
    );
}

#[tokio::test]
async fn after_shutdown_calls_are_unavailable_and_queued_work_is_done() {
    let repo = Repo::new(&[(
        "rules/r.py",
        &format!("{IMPORTS}@rule(logs=['a:b'])\ndef r(rec):\n    return True\n"),
    )]);
    let (pool, _) = repo.start().await;
    let records = (0..2000).map(|n| support::numbered("a:b", "{}", n)).collect();
    let working = tokio::spawn({
        let pool = pool.clone();
        async move { pool.evaluate(records, EvaluateOptions::default()).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    pool.shutdown().await;
    // Slices that were not queued yet are refused with the whole call; none hangs.
    let _ = working.await.unwrap();
    let error = pool
        .evaluate(vec![record("a:b", "{}")], EvaluateOptions::default())
        .await
        .unwrap_err();
    assert!(error.is_retryable());
}
