//! Outputs change under a running process: by the command line, by hand, and by mistake.

use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary, stdout};

fn rules(output: &str) -> String {
    format!(
        "from streamalert.shared.rule import rule\n\n@rule(logs=['load:event'], outputs=['{output}'])\n\
         def every(record):\n    return True\n"
    )
}

struct Running {
    project: TestProject,
    process: ServiceProcess,
    sent: usize,
}

impl Running {
    async fn start(first: &WebhookReceiver) -> Self {
        let project = TestProject::new(&rules("webhook:first"));
        project.write(
            "streamalert.toml",
            "[python]\nworkers = 1\n[listen]\nadmin = \"127.0.0.1:0\"\n[[sources]]\ntype = \"directory\"\n\
             service = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n",
        );
        add(&project, "webhook:first", first, &[]);
        let spec = ServiceSpec {
            binary: binary(),
            args: vec!["run".to_owned()],
            env: Vec::new(),
            dir: project.root().to_owned(),
            log_dir: project.root().to_owned(),
            name: "all".to_owned(),
        };
        let process = ServiceProcess::start(&spec, Some("ready"), PATIENCE).await;
        Self {
            project,
            process: process.unwrap(),
            sent: 0,
        }
    }

    fn send(&mut self) {
        self.project
            .append_events("logs/events.jsonl", self.sent, 1, |_| "k");
        self.sent += 1;
    }

    /// Waits until the log says `line` for the `times`th time.
    async fn says(&self, line: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.process.output().matches(line).count() < times {
            assert!(
                Instant::now() < deadline,
                "no {line:?} in:\n{}",
                self.process.output()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn arrives(&mut self, at: &WebhookReceiver, count: usize) {
        self.send();
        assert!(at.wait_for(count, PATIENCE).await, "{}", self.process.output());
    }

    fn failure(&self) -> Value {
        let status: Value = serde_json::from_str(&stdout(&self.project.run(&["status", "--json"]))).unwrap();
        status["outputs_reload_failure"].clone()
    }
}

fn add(project: &TestProject, name: &str, receiver: &WebhookReceiver, more: &[&str]) {
    project.write("url.txt", &receiver.url("/hook"));
    let args = [&["output", "add", name, "--file", "url=url.txt"][..], more].concat();
    stdout(&project.run(&args));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_are_added_changed_and_removed_under_a_running_process_and_mistakes_change_nothing() {
    let (first, second, third) = (
        WebhookReceiver::start(None).await,
        WebhookReceiver::start(None).await,
        WebhookReceiver::start(None).await,
    );
    let mut running = Running::start(&first).await;
    running.arrives(&first, 1).await;
    // A new output, and rules that name it.
    add(&running.project, "webhook:second", &second, &[]);
    running.project.write("rules/load.py", &rules("webhook:second"));
    running.says("rules loaded again", 1).await;
    running.arrives(&second, 1).await;
    // Its secret becomes another one.
    add(&running.project, "webhook:second", &third, &["--replace"]);
    running.says("changed=\"webhook:second\"", 1).await;
    running.arrives(&third, 1).await;
    // A mistake by hand is told with its line, and changes nothing.
    let good = std::fs::read_to_string(running.project.path("conf/outputs.json")).unwrap();
    running
        .project
        .write("conf/outputs.json", &good.replace("\"second\"", "\"second"));
    running
        .says("those that run are kept: conf/outputs.json:4:", 1)
        .await;
    assert!(
        running
            .failure()
            .as_str()
            .unwrap()
            .contains("conf/outputs.json:4:")
    );
    running.arrives(&third, 2).await;
    running.project.write("conf/outputs.json", &good);
    running.says("outputs are as they were", 1).await;
    assert!(running.failure().is_null());
    // One that rules name does not go before they do.
    stdout(
        &running
            .project
            .run(&["output", "remove", "webhook:second", "--yes"]),
    );
    running.says("unknown output \"webhook:second\"", 1).await;
    running.arrives(&third, 3).await;
    running.project.write("rules/load.py", &rules("webhook:first"));
    running.says("removed=\"webhook:second\"", 1).await;
    running.arrives(&first, 2).await;
    assert_eq!((first.count(), second.count(), third.count()), (2, 1, 3));
}
