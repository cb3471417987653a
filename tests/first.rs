//! `merge_send_first`, through the binary: the first alert of a group at once, the others as an update of its incident,
//! and a SIGKILL between the two.

use std::collections::BTreeMap;

use serde_json::Value;
use streamalert_testkit::{Reply, ServiceProcess, ServiceSpec, WebhookReceiver};
use tokio::time::Instant;

use crate::crash::{flush, wait_acknowledged};
use crate::support::{PATIENCE, TestProject, binary, stdout};

/// One that runs natively, and one that only CPython can.
const RULES: &str = r#"
import socket
from streamalert.shared.rule import rule



@rule(logs=['load:event'], outputs=['pagerduty-v2:soc', 'discord:soc'],
      merge_by_keys=['group'], merge_window_mins=60, merge_send_first=True)
def native(record):
    """Somebody did it."""
    return record['kind'] == 'wanted'

@rule(logs=['load:event'], outputs=['pagerduty-v2:soc', 'discord:soc'],
      merge_by_keys=['group'], merge_window_mins=60, merge_send_first=True)
def in_python(record):
    """Somebody did it here."""
    return record['kind'] == 'wanted' and socket.gethostname() != ''
"#;

struct Scene {
    project: TestProject,
    pagerduty: WebhookReceiver,
    discord: WebhookReceiver,
}

impl Scene {
    async fn new(settings: &str) -> Self {
        let (pagerduty, discord) = (
            WebhookReceiver::start(None).await,
            WebhookReceiver::start(None).await,
        );
        pagerduty.behave(Reply::status(202, r#"{"status":"success"}"#));
        let mut ids = 100;
        discord.choose(move |_| {
            ids += 1;
            Reply::status(200, &format!(r#"{{"id":"{ids}"}}"#))
        });
        let project = TestProject::new(RULES);
        project.write(
            "conf/outputs.json",
            r#"{"pagerduty-v2": ["soc"], "discord": ["soc"]}"#,
        );
        project.write(
            "streamalert.toml",
            &format!(
                "[outputs.\"pagerduty-v2:soc\".fields]\nrouting_key = \"0123456789abcdef0123456789abcdef\"\nurl = \"{}\"\n\
                 [outputs.\"discord:soc\".fields]\nurl = \"{}\"\n\
                 [[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n\
                 [python]\nworkers = 1\n{settings}",
                pagerduty.url("/v2/enqueue"),
                discord.url("/hook"),
            ),
        );
        Self {
            project,
            pagerduty,
            discord,
        }
    }

    async fn start(&self) -> ServiceProcess {
        let spec = ServiceSpec {
            binary: binary(),
            args: ["--data-dir", "data", "--set", "listen.admin=127.0.0.1:0", "run"]
                .map(str::to_owned)
                .into(),
            env: Vec::new(),
            dir: self.project.root().to_owned(),
            log_dir: self.project.root().to_owned(),
            name: "all".to_owned(),
        };
        ServiceProcess::start(&spec, Some("ready"), PATIENCE)
            .await
            .unwrap()
    }

    /// Appends events of these numbers, all of one group.
    fn load(&self, numbers: &[usize]) {
        for number in numbers {
            self.project
                .append_events("logs/events.jsonl", number * 7, 1, |_| "wanted");
        }
    }

    async fn wait_for(&self, each: usize) {
        for receiver in [&self.pagerduty, &self.discord] {
            assert!(
                receiver.wait_for(each, PATIENCE).await,
                "{} of {each}",
                receiver.count()
            );
        }
    }

    /// What the outputs answered is written.
    async fn wait_settled(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = stdout(
                &self
                    .project
                    .run(&["--data-dir", "data", "alerts", "list", "--json"]),
            );
            let alerts: Vec<Value> = listed
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let pending = |alert: &Value| alert["pending"].as_array().is_none_or(|list| !list.is_empty());
            if !alerts.is_empty() && !alerts.iter().any(pending) {
                return;
            }
            assert!(Instant::now() < deadline, "{listed}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// What came about each incident at PagerDuty: the records, in order.
    fn incidents(&self) -> BTreeMap<String, Vec<Value>> {
        let mut incidents = BTreeMap::<_, Vec<Value>>::new();
        for request in self.pagerduty.requests() {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let key = body["dedup_key"].as_str().unwrap().to_owned();
            let record = body["payload"]["custom_details"]["record"].clone();
            incidents.entry(key).or_default().push(record);
        }
        incidents
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_alert_goes_out_at_once_and_the_others_update_it_after_a_sigkill() {
    let scene = Scene::new("").await;
    let mut process = scene.start().await;
    scene.load(&[0]);
    scene.wait_for(2).await;
    scene.wait_settled().await;
    process.kill().await.unwrap();

    scene.load(&[1, 2]);
    let mut process = scene.start().await;
    wait_acknowledged(&scene.project, "data").await;
    assert_eq!(scene.pagerduty.count(), 2, "they wait for the end of the window");
    flush(&scene.project, "data").await;
    scene.wait_for(4).await;

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 2, "{incidents:?}");
    for (key, records) in incidents {
        assert_eq!(records.len(), 2, "{records:?}");
        assert_eq!(records[0]["n"], 0);
        assert_eq!(records[1]["AlertCount"], 2, "{records:?}");
        assert!(
            key.ends_with(records[1]["FirstAlert"].as_str().unwrap()),
            "{key}: {records:?}"
        );
    }
    let edits: Vec<(String, String)> = scene
        .discord
        .requests()
        .iter()
        .map(|request| (request.method.clone(), request.path.clone()))
        .skip(2)
        .collect();
    for id in ["101", "102"] {
        assert!(
            edits
                .iter()
                .any(|(method, path)| method == "PATCH" && path.contains(&format!("/messages/{id}"))),
            "{edits:?}"
        );
    }
    assert!(process.terminate(PATIENCE).await.unwrap().success());
    let again = scene.start().await;
    wait_acknowledged(&scene.project, "data").await;
    drop(again);
    assert_eq!((scene.pagerduty.count(), scene.discord.count()), (4, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_group_is_closed_early_and_says_so() {
    let scene = Scene::new("[merger]\ngroup_alerts_max = 3\n").await;
    let mut process = scene.start().await;
    scene.load(&[0, 1, 2]);
    scene.wait_for(4).await;
    for records in scene.incidents().values() {
        assert_eq!(records[1]["ClosedEarly"], "3 alerts", "{records:?}");
    }
    assert!(process.terminate(PATIENCE).await.unwrap().success());
}

#[test]
fn a_rule_with_half_of_the_options_is_told() {
    let project = TestProject::new(
        "from streamalert.shared.rule import rule\n\
         @rule(logs=['load:event'], outputs=['file:sink'], merge_send_first=True)\n\
         def alone(record):\n    return True\n",
    );
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n[python]\nworkers = 1\n",
    );
    let told = |args: &[&str]| {
        let output = project.run(args);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let validated = told(&["validate"]);
    assert!(validated.contains("merge_send_first without"), "{validated}");
    let linted = told(&["rules", "lint"]);
    assert!(linted.contains("SA106"), "{linted}");
    let listed = told(&["rules", "list", "--json"]);
    assert!(listed.contains(r#""merge_send_first":true"#), "{listed}");
}
