//! Canaries through the whole pipeline: they arrive, their absence is told, and none is sent twice.

use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver, free_port};
use tokio::time::Instant;

use crate::metrics::get;
use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def every(record):
    return True
";

fn settings(sink: &WebhookReceiver, ops: &WebhookReceiver, metrics: &str) -> String {
    format!(
        r#"
[outputs."webhook:sink"]
url = "{}"
[outputs."webhook:ops"]
url = "{}"
[dispatcher]
canary_secs = 2
retry_initial_ms = 50
retry_max_ms = 200
[dispatcher.output."webhook:ops"]
canary_secs = 0
[health]
outputs = ["webhook:ops"]
[python]
workers = 1
[listen]
admin = "127.0.0.1:0"
metrics = "{metrics}"
"#,
        sink.url("/sink"),
        ops.url("/ops")
    )
}

async fn run(project: &TestProject) -> ServiceProcess {
    let spec = ServiceSpec {
        binary: binary(),
        args: vec!["run".to_owned()],
        env: Vec::new(),
        dir: project.root().to_owned(),
        log_dir: project.root().to_owned(),
        name: "all".to_owned(),
    };
    ServiceProcess::start(&spec, Some("ready"), PATIENCE)
        .await
        .unwrap()
}

fn bodies(receiver: &WebhookReceiver) -> Vec<Value> {
    let requests = receiver.requests();
    let requests = requests.iter().filter(|request| request.was_accepted());
    requests
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_stops_arriving_reaches_the_operator_and_none_arrives_twice() {
    let (mut sink, ops) = (
        WebhookReceiver::start(None).await,
        WebhookReceiver::start(None).await,
    );
    let project = TestProject::new(RULES);
    let metrics = format!("127.0.0.1:{}", free_port());
    project.write("streamalert.toml", &settings(&sink, &ops, &metrics));
    let mut process = run(&project).await;
    until("no canaries arrive", || sink.count() >= 2).await;
    let first = &bodies(&sink)[0];
    assert_eq!(first["rule_name"], "streamalert_canary");
    assert_eq!(first["record"]["output"], "webhook:sink");
    let page = || get(&metrics, "/metrics");
    until("no age", || {
        page().contains("streamalert_canary_age_seconds{output=\"webhook:sink\"}")
    })
    .await;
    assert!(
        page().contains("streamalert_canary_missing{output=\"webhook:sink\"} 0"),
        "{}",
        page()
    );

    sink.down().await;
    until("nobody is told", || ops.count() >= 1).await;
    let told = &bodies(&ops)[0];
    assert_eq!(told["rule_name"], "streamalert_canary_missing");
    let reason = told["record"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("no canary has arrived at webhook:sink"),
        "{reason}"
    );
    assert!(
        page().contains("streamalert_canary_missing{output=\"webhook:sink\"} 1"),
        "{}",
        page()
    );
    assert!(
        page().contains("streamalert_health_events_total{kind=\"canary_missing\"} 1"),
        "{}",
        page()
    );
    let status = stdout(&project.run(&["status"]));
    assert!(status.contains("canary webhook:sink: missing: "), "{status}");
    assert!(status.contains("output webhook:sink: "), "{status}");

    // Another process goes on where this one was killed.
    process.kill().await.unwrap();
    let mut process = run(&project).await;
    sink.up().await;
    let before = sink.count();
    until("canaries do not come back", || sink.count() >= before + 3).await;
    until("it is still missing", || {
        page().contains("streamalert_canary_missing{output=\"webhook:sink\"} 0")
    })
    .await;
    let mut ids: Vec<String> = bodies(&sink).iter().map(|body| body["id"].to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "{}", process.output());
    assert!(
        bodies(&ops)
            .iter()
            .all(|body| body["rule_name"] != "streamalert_canary")
    );
    assert!(process.terminate(PATIENCE).await.unwrap().success());
}
