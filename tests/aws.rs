//! The binary on an emulator of AWS: everything in one process, with sources and state there.

use std::process::{Command, Output};

use streamalert_testkit::emulator::{Calls, Emulator, account, ministack};
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def every(record):
    return True
";

const CLUSTER: &str = r#"{"id": "test", "data_sources": {
    "kinesis": {"stream": ["load"]}, "s3": {"bucket": ["load"]}, "sns": {"queue": ["load"]}}}"#;

struct Scene {
    project: TestProject,
    receiver: WebhookReceiver,
    calls: Calls,
    env: Vec<(String, String)>,
}

impl Scene {
    async fn new(emulator: &Emulator, settings: &str) -> Self {
        let receiver = WebhookReceiver::start(None).await;
        let project = TestProject::new(RULES);
        project.write("conf/clusters/test.json", CLUSTER);
        project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
        project.write(
            "streamalert.toml",
            &format!(
                "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n[python]\nworkers = 1\n\
                 [listen]\nadmin = \"127.0.0.1:0\"\n[merger]\nshards = 4\n[node]\nlease_secs = 3\n{settings}",
                receiver.url("/hook")
            ),
        );
        let account = account();
        Self {
            project,
            receiver,
            calls: emulator.calls(&account),
            env: emulator.env(&account),
        }
    }

    async fn run(&self) -> ServiceProcess {
        let spec = ServiceSpec {
            binary: binary(),
            args: vec!["run".to_owned()],
            env: self.env.clone(),
            dir: self.project.root().to_owned(),
            log_dir: self.project.root().to_owned(),
            name: "all".to_owned(),
        };
        ServiceProcess::start(&spec, Some("ready"), PATIENCE)
            .await
            .unwrap()
    }

    fn command(&self, args: &[&str]) -> Output {
        Command::new(binary())
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.project.root())
            .output()
            .unwrap()
    }

    async fn wait_for(&self, count: usize, process: &ServiceProcess) {
        // By their keys: what was in flight at a kill may come twice.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (requests, keys) = (self.receiver.count(), self.receiver.keys().len());
            if keys >= count {
                return;
            }
            let left = deadline - Instant::now();
            assert!(
                self.receiver.wait_for(requests + 1, left).await,
                "{keys} of {count} came\n{}",
                process.output()
            );
        }
    }
}

fn event(n: usize) -> String {
    format!(r#"{{"n": {n}, "group": "g", "kind": "k"}}"#)
}

fn records(numbers: std::ops::Range<usize>) -> Vec<(String, String)> {
    numbers.map(|n| (format!("key{n}"), event(n))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_read_with_the_embedded_store_and_goes_on_after_a_kill() {
    let Some(emulator) = ministack().await else { return };
    let scene = Scene::new(
        emulator,
        "[[sources]]\ntype = \"kinesis\"\nresource = \"stream\"\n",
    )
    .await;
    scene.calls.create_stream("stream", 2).await;
    scene.calls.put_records("stream", &records(0..10)).await;
    let mut process = scene.run().await;
    scene.wait_for(10, &process).await;
    process.kill().await.unwrap();
    scene.calls.put_records("stream", &records(10..20)).await;
    let process = scene.run().await;
    scene.wait_for(20, &process).await;
    assert_eq!(scene.receiver.keys().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_a_bucket_and_messages_of_a_queue_become_alerts_and_leave_their_queues() {
    let Some(emulator) = ministack().await else { return };
    let settings = "[[sources]]\ntype = \"s3\"\nresource = \"bucket\"\nqueue = \"objects\"\n\
                    [[sources]]\ntype = \"sqs\"\nservice = \"sns\"\nresource = \"queue\"\nqueue = \"messages\"\n";
    let scene = Scene::new(emulator, settings).await;
    let objects = scene.calls.create_queue("objects").await;
    let messages = scene.calls.create_queue("messages").await;
    scene.calls.create_bucket("bucket", "objects").await;
    let lines: String = (0..10).map(|n| event(n) + "\n").collect();
    scene.calls.put_object("bucket", "a.jsonl", &lines).await;
    scene.calls.send_message(&messages, &event(10)).await;
    let process = scene.run().await;
    scene.wait_for(11, &process).await;
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(100));
    loop {
        looks.tick().await;
        let left = scene.calls.queue_length(&objects).await + scene.calls.queue_length(&messages).await;
        if left == 0 {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{left} messages are left\n{}",
            process.output()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_offered_made_and_left_alone_and_hold_what_the_command_line_shows() {
    let Some(emulator) = ministack().await else { return };
    let settings = "[store]\ntype = \"dynamodb\"\ntable_prefix = \"mine\"\n\
                    [[sources]]\ntype = \"kinesis\"\nresource = \"stream\"\n";
    let scene = Scene::new(emulator, settings).await;
    scene.calls.create_stream("stream", 1).await;
    let refused = scene.command(&["run"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(told.contains("no table mine-alerts, mine-leases"), "{told}");
    assert!(told.contains("`streamalert aws init`"), "{told}");
    let plan = stdout(&scene.command(&["aws", "init", "--dry-run"]));
    assert!(
        plan.contains("table mine-alerts: would be made in us-east-1, paid by the request"),
        "{plan}"
    );
    let made = stdout(&scene.command(&["aws", "init"]));
    assert!(made.contains("4 made"), "{made}");
    let again = stdout(&scene.command(&["aws", "init"]));
    assert!(
        again.contains("table mine-alerts: is there in us-east-1, and stays as it is"),
        "{again}"
    );

    let paid = [
        "--set",
        "store.table_prefix=paid",
        "--set",
        "store.billing=provisioned",
        "--set",
        "store.read_units=5",
        "--set",
        "store.write_units=6",
    ];
    let paid = stdout(&scene.command(&[&paid[..], &["aws", "init"]].concat()));
    assert!(
        paid.contains("table paid-leases: is being made in us-east-1, provisioned with 5 read and 6 write units a second"),
        "{paid}"
    );
    assert!(paid.contains("4 made"), "{paid}");

    scene.calls.put_records("stream", &records(0..5)).await;
    let mut process = scene.run().await;
    scene.wait_for(5, &process).await;
    assert!(process.terminate(PATIENCE).await.unwrap().success());
    let listed = stdout(&scene.command(&["alerts", "list"]));
    assert_eq!(listed.matches("every").count(), 5, "{listed}");
    let late = stdout(&scene.command(&["alerts", "list", "--since", "1h", "--limit", "2"]));
    assert_eq!(late.matches("every").count(), 2, "{late}");
    let none = stdout(&scene.command(&["alerts", "list", "--since", "2100-01-01T00:00:00Z"]));
    assert_eq!(none.matches("every").count(), 0, "{none}");
    let id = listed.split_whitespace().next().unwrap();
    let shown = stdout(&scene.command(&["alerts", "show", id]));
    assert!(shown.contains("delivered, 1 attempt"), "{shown}");
    stdout(&scene.command(&["dead-letter", "list"]));
    let status = stdout(&scene.command(&["--set", "listen.admin=127.0.0.1:1", "status"]));
    assert!(status.contains("merger: 4 leases"), "{status}");
    assert!(
        status.contains("kinesis/stream: 1 lease") && !status.contains("1 leases"),
        "{status}"
    );
}

#[test]
fn policies_name_what_is_read_and_written() {
    let project = TestProject::new(RULES);
    project.write(
        "streamalert.toml",
        "[aws]\nregion = \"eu-west-1\"\ndata_sources = true\n[store]\ntype = \"dynamodb\"\n",
    );
    let policy = stdout(&project.run(&["aws", "policy", "classifier"]));
    assert!(
        policy.contains("arn:aws:kinesis:eu-west-1:*:stream/stream"),
        "{policy}"
    );
    assert!(
        policy.contains("arn:aws:dynamodb:eu-west-1:*:table/streamalert-checkpoints"),
        "{policy}"
    );
    assert!(!policy.contains("dynamodb:CreateTable"), "{policy}");
    let init = stdout(&project.run(&["aws", "policy", "init"]));
    assert!(init.contains("dynamodb:CreateTable"), "{init}");
}
