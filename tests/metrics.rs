//! What a running process counts, scraped as Prometheus does, and the alerts it raises about its own rules.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver, free_port};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def tenth(record):
    return record['n'] % 10 == 0

@rule(logs=['load:event'], outputs=['webhook:sink'], merge_by_keys=['group'], merge_window_mins=60)
def grouped(record):
    return record['n'] == 3

@rule(logs=['load:event'], outputs=['webhook:sink'])
def raises(record):
    return record['absent'] == 1

@rule(logs=['load:event'], outputs=['webhook:sink'])
def spins(record):
    while record['kind'] == 'spin':
        pass
    return False
";

struct Running {
    project: TestProject,
    receiver: WebhookReceiver,
    process: ServiceProcess,
    metrics: String,
}

impl Running {
    async fn start() -> Self {
        let receiver = WebhookReceiver::start(None).await;
        let project = TestProject::new(RULES);
        project.write("conf/outputs.json", r#"{"webhook": ["sink", "ops"]}"#);
        let metrics = format!("127.0.0.1:{}", free_port());
        project.write(
            "streamalert.toml",
            &format!(
                "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n[outputs.\"webhook:ops\"]\nurl = \"{}\"\n\
                 [python]\nworkers = 1\n[rules]\nsteps_max = 50000\n[health]\noutputs = [\"webhook:ops\"]\n\
                 [listen]\nadmin = \"127.0.0.1:0\"\nmetrics = \"{metrics}\"\n\
                 [[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n",
                receiver.url("/sink"),
                receiver.url("/ops"),
            ),
        );
        let spec = ServiceSpec {
            binary: binary(),
            args: vec!["run".to_owned()],
            env: Vec::new(),
            dir: project.root().to_owned(),
            log_dir: project.root().to_owned(),
            name: "all".to_owned(),
        };
        let process = ServiceProcess::start(&spec, Some("ready"), PATIENCE)
            .await
            .unwrap();
        Self {
            project,
            receiver,
            process,
            metrics,
        }
    }

    /// Waits until what is scraped is as it should be.
    async fn scraped_until(&self, what: impl Fn(&Scraped) -> bool) -> Scraped {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let scraped = Scraped::of(&get(&self.metrics, "/metrics"));
            if what(&scraped) {
                return scraped;
            }
            assert!(
                Instant::now() < deadline,
                "{:#?}\n{}",
                scraped.points,
                self.process.output()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Bodies that came to the operator's output.
    fn events(&self) -> Vec<Value> {
        let requests = self.receiver.requests().into_iter();
        requests
            .filter(|request| request.path == "/ops")
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect()
    }

    async fn events_until(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.events();
            if events.len() >= count {
                return events;
            }
            assert!(Instant::now() < deadline, "{events:?}\n{}", self.process.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Points by name with labels.
struct Scraped {
    points: BTreeMap<String, f64>,
}

impl Scraped {
    /// Reads a page as strictly as Prometheus: each metric is declared before its points, and no point comes twice.
    fn of(page: &str) -> Self {
        let mut declared = String::new();
        let mut points = BTreeMap::new();
        for line in page.lines() {
            if let Some(declaration) = line.strip_prefix("# TYPE ") {
                declared = declaration.split(' ').next().unwrap().to_owned();
            } else if !line.starts_with("# HELP ") {
                let (point, value) = line.rsplit_once(' ').unwrap();
                let name = point.split('{').next().unwrap();
                assert_eq!(name, declared, "{line}");
                let twice = points.insert(point.to_owned(), value.parse().unwrap());
                assert_eq!(twice, None, "{line}");
            }
        }
        Self { points }
    }

    fn at(&self, point: &str) -> f64 {
        self.points.get(point).copied().unwrap_or(-1.0)
    }
}

/// The body of an answer over HTTP/1.1.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(!head.to_lowercase().contains("chunked"), "{head}");
    body.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_is_counted_and_a_suspended_rule_reaches_the_operator() {
    let running = Running::start().await;
    running
        .project
        .append_events("logs/events.jsonl", 0, 100, |n| if n < 20 { "spin" } else { "k" });
    let scraped = running
        .scraped_until(|page| {
            page.at("streamalert_deliveries_total{output=\"webhook:sink\"}") >= 10.0
                && page.at("streamalert_rule_records_total{rule=\"tenth\"}") >= 100.0
                && page.at("streamalert_health_events_total{kind=\"rule_suspended\"}") >= 1.0
                && page.at("streamalert_source_payloads_total{source=\"kinesis:stream\"}") >= 100.0
        })
        .await;
    for (point, value) in [
        ("streamalert_classifier_payloads_total", 100.0),
        (
            "streamalert_classifier_records_total{log_type=\"load:event\"}",
            100.0,
        ),
        ("streamalert_rule_evaluations_total{rule=\"raises\"}", 100.0),
        ("streamalert_rule_matches_total{rule=\"tenth\"}", 10.0),
        ("streamalert_rule_matches_total{rule=\"grouped\"}", 1.0),
        ("streamalert_rule_exceptions_total{rule=\"raises\"}", 100.0),
        ("streamalert_rule_fallbacks_total{rule=\"tenth\"}", 0.0),
        ("streamalert_rule_suspended{rule=\"spins\"}", 1.0),
        ("streamalert_rules_suspended", 1.0),
        ("streamalert_rules", 4.0),
        ("streamalert_rules_reload_failed", 0.0),
        ("streamalert_merger_open_groups", 1.0),
        (
            "streamalert_delivery_dead_letters_total{output=\"webhook:sink\"}",
            0.0,
        ),
    ] {
        assert_eq!(scraped.at(point), value, "{point}: {:#?}", scraped.points);
    }
    let kills = scraped.at("streamalert_rule_kills_total{rule=\"spins\"}");
    assert!(kills >= 3.0, "{kills}");
    assert_eq!(scraped.at("streamalert_dead_letters"), kills);
    let unseen = scraped.at("streamalert_rule_suspended_records_total{rule=\"spins\"}");
    assert!(unseen > 0.0 && unseen <= 97.0, "{unseen}");
    stats_are_told_as_text(&running.project);
    // The command line's address answers, too.
    let admin = std::fs::read_to_string(running.project.path(".streamalert/admin.addr")).unwrap();
    let admin = get(admin.trim(), "/metrics");
    assert!(admin.contains("streamalert_rules 4\n"), "{admin}");
    let event = &running.events_until(1).await[0];
    assert_eq!(event["rule_name"], "streamalert_rule_suspended", "{event}");
    let told = &event["record"];
    assert_eq!(
        (&told["rule"], &told["kind"]),
        (&"spins".into(), &"rule_suspended".into())
    );
    assert!(told["reason"].as_str().unwrap().contains("50000 steps"), "{told}");
    assert!(told["until"].as_str().unwrap().starts_with("20"), "{told}");
    let listed = stdout(
        &running
            .project
            .run(&["alerts", "list", "--json", "--limit", "1000"]),
    );
    let listed = listed
        .lines()
        .filter(|line| line.contains("streamalert_rule_suspended"));
    assert_eq!(listed.count(), 1, "a suspension is told once");
}

/// A line a rule under its heading, and below it where and how it failed last.
fn stats_are_told_as_text(project: &TestProject) {
    let told = stdout(&project.run(&["rules", "stats"]));
    let heading: Vec<&str> = told.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        heading.join(" "),
        "records evaluations matches exceptions killed suspended fallbacks mean ns rule"
    );
    let row = |rule: &str| -> Vec<&str> {
        let mut rows = told
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.find(|row| row.len() == 9 && row[8] == rule)
            .unwrap_or_else(|| panic!("no {rule} in:\n{told}"))
    };
    let (tenth, raises) = (row("tenth"), row("raises"));
    assert_eq!(tenth[..7], ["100", "100", "10", "0", "0", "0", "0"], "{told}");
    assert_eq!(raises[..7], ["100", "100", "0", "100", "0", "0", "0"], "{told}");
    assert!(told.contains("KeyError: 'absent'"), "{told}");
    assert!(row("spins")[4].parse::<u64>().unwrap() >= 3, "{told}");
    assert!(told.contains("over the limit of 50000 steps"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_cannot_be_loaded_again_reach_the_operator_once_for_each_reason() {
    let running = Running::start().await;
    running.project.write("rules/load.py", "def broken(:\n");
    let events = running.events_until(1).await;
    assert_eq!(events[0]["rule_name"], "streamalert_rules_not_reloaded");
    let reason = events[0]["record"]["reason"].as_str().unwrap();
    assert!(reason.contains("rules/load.py:1"), "{reason}");
    let failed = "streamalert_rules_reload_failed";
    running.scraped_until(|page| page.at(failed) == 1.0).await;
    // Mended, so that what comes next is another event.
    running.project.write("rules/load.py", RULES);
    running.scraped_until(|page| page.at(failed) == 0.0).await;
    running.project.write("rules/load.py", "\ndef broken(:\n");
    let events = running.events_until(2).await;
    let reason = events[1]["record"]["reason"].as_str().unwrap();
    assert!(reason.contains("rules/load.py:2"), "{reason}");
    let known = "streamalert_health_events_total{kind=\"rules_not_reloaded\"}";
    running.scraped_until(|page| page.at(known) == 2.0).await;
}
