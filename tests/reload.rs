//! Rules change under a running process: no record is lost, alerts say by which version they were raised, and a file
//! that does not load leaves everything as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary, stdout};

fn rules(description: &str) -> String {
    format!(
        "from publishers.mark import mark\nfrom streamalert.shared.publisher import DefaultPublisher\nfrom streamalert.shared.rule import rule\n\n\
         @rule(logs=['load:event'], outputs=['webhook:sink'], publishers=[DefaultPublisher, mark])\n\
         def every(record):\n    \"\"\"{description}\"\"\"\n    return record['n'] >= 0\n"
    )
}

fn publisher(mark: &str) -> String {
    format!(
        "from streamalert.shared.publisher import Register\n\n@Register\ndef mark(alert, publication):\n    \
         publication['mark'] = '{mark}'\n    return publication\n"
    )
}

struct Running {
    project: TestProject,
    receiver: WebhookReceiver,
    process: ServiceProcess,
    sent: usize,
}

impl Running {
    async fn start(settings: &[&str]) -> Self {
        let receiver = WebhookReceiver::start(None).await;
        let project = TestProject::new(&rules("first"));
        project.write("publishers/mark.py", &publisher("one"));
        project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
        project.write(
            "streamalert.toml",
            &format!(
                "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n[python]\nworkers = 1\n[listen]\nadmin = \"127.0.0.1:0\"\n\
                 [[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n",
                receiver.url("/hook")
            ),
        );
        let mut args: Vec<String> = settings
            .iter()
            .flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()])
            .collect();
        args.push("run".to_owned());
        let spec = ServiceSpec {
            binary: binary(),
            args,
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
            sent: 0,
        }
    }

    fn send(&mut self, count: usize) {
        self.project
            .append_events("logs/events.jsonl", self.sent, count, |_| "k");
        self.sent += count;
    }

    /// Sends records all the time until the process says something.
    async fn send_until(&mut self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.process.output().contains(line) {
            assert!(
                Instant::now() < deadline,
                "no {line:?} in:\n{}",
                self.process.output()
            );
            self.send(5);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The body of each record's alert, when all have come.
    async fn bodies(&self) -> BTreeMap<usize, Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let bodies: BTreeMap<usize, Value> = self
                .receiver
                .requests()
                .iter()
                .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap())
                .map(|body| (body["record"]["n"].as_u64().unwrap() as usize, body))
                .collect();
            if bodies.len() == self.sent {
                return bodies;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {} alerts came:\n{}",
                bodies.len(),
                self.sent,
                self.process.output()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn versions(&self) -> usize {
        let alerts = stdout(
            &self
                .project
                .run(&["alerts", "list", "--json", "--limit", "10000"]),
        );
        let ids = alerts
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ids: Vec<String> = ids.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        let mut versions: Vec<String> = [ids.first().unwrap(), ids.last().unwrap()]
            .iter()
            .map(|id| {
                let shown = stdout(&self.project.run(&["alerts", "show", id, "--json"]));
                let shown: Value = serde_json::from_str(&shown).unwrap();
                shown["rules_version"].as_str().unwrap().to_owned()
            })
            .collect();
        versions.dedup();
        versions.len()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&stdout(&self.project.run(&["status", "--json"]))).unwrap()
    }
}

/// Descriptions and marks in the order of the records, each once per stretch.
fn stretches(bodies: &BTreeMap<usize, Value>, key: &str) -> Vec<String> {
    let mut stretches: Vec<String> = bodies
        .values()
        .map(|body| body[key].as_str().unwrap_or("none").to_owned())
        .collect();
    stretches.dedup();
    stretches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edited_rules_and_publishers_are_taken_up_without_losing_a_record() {
    let mut running = Running::start(&[]).await;
    running.send(50);
    assert_eq!(running.bodies().await[&0]["mark"], "one");
    running.project.write("rules/load.py", &rules("second"));
    running.send_until("rules loaded again").await;
    running.send(50);
    let bodies = running.bodies().await;
    assert_eq!(stretches(&bodies, "rule_description"), ["first", "second"]);
    assert_eq!(running.versions(), 2, "the alerts' rules_version did not change");
    // A broken file keeps the rules that run, and names itself.
    running.project.write("rules/load.py", "def broken(:\n");
    running.send_until("rules/load.py:1: SyntaxError").await;
    let failure = running.status()["rules"]["reload_failure"].clone();
    assert!(failure.as_str().unwrap().contains("rules/load.py:1"), "{failure}");
    running.send(50);
    let bodies = running.bodies().await;
    assert_eq!(stretches(&bodies, "rule_description"), ["first", "second"]);
    // Mended, and with another publisher.
    running.project.write("publishers/mark.py", &publisher("two"));
    running.project.write("rules/load.py", &rules("third"));
    let deadline = Instant::now() + PATIENCE;
    while !running.status()["rules"]["reload_failure"].is_null() {
        assert!(Instant::now() < deadline, "{}", running.process.output());
        running.send(5);
    }
    running.send(50);
    let bodies = running.bodies().await;
    assert_eq!(
        stretches(&bodies, "rule_description"),
        ["first", "second", "third"]
    );
    let last = bodies.values().last().unwrap();
    assert_eq!(last["mark"], "two");
    let stats = stdout(&running.project.run(&["rules", "stats", "--json"]));
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let counted = (&stats[0]["matches"], &stats[0]["evaluations"]);
    let sent = Value::from(running.sent);
    assert_eq!(counted, (&sent, &sent), "counters did not survive: {stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_watching_a_hangup_loads_rules_again() {
    let mut running = Running::start(&["rules.watch=false"]).await;
    running.send(5);
    running.bodies().await;
    running.project.write("rules/load.py", &rules("second"));
    let id = running.process.id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-HUP", &id])
        .status()
        .unwrap();
    assert!(sent.success());
    running
        .process
        .wait_for_line("rules loaded again", PATIENCE)
        .await
        .unwrap();
    running.send(5);
    let bodies = running.bodies().await;
    assert_eq!(stretches(&bodies, "rule_description"), ["first", "second"]);
}
