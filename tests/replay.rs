//! `dead-letter replay`: what an output refused goes to where the configuration points now, once.

use serde_json::Value;
use streamalert_testkit::{Reply, WebhookReceiver};

use crate::support::{TestProject, stdout};

const RULE: &str = "from streamalert.shared.rule import rule


@rule(logs=['load:event'], outputs=['webhook:sink'])
def every(record):
    return True
";

fn sent_to(project: &TestProject, receiver: &WebhookReceiver) {
    let settings = format!(
        "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n",
        receiver.url("/hook")
    );
    project.write("streamalert.toml", &settings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_alert_is_sent_once_to_where_its_output_is_now() {
    let project = TestProject::new(RULE);
    project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
    let (before, now) = (
        WebhookReceiver::start(None).await,
        WebhookReceiver::start(None).await,
    );
    before.choose(|_| Reply::status(403, "no such channel"));
    sent_to(&project, &before);
    project.append_events("logs/events.jsonl", 0, 2, |_| "k");
    let ingested = project.run(&["ingest", "--source", "kinesis:stream", "logs/events.jsonl"]);
    assert!(!ingested.status.success(), "what became a dead letter is told");
    let letters = || stdout(&project.run(&["dead-letter", "list", "--json"]));
    let listed = letters();
    assert_eq!(listed.matches("http 403: no such channel").count(), 2, "{listed}");
    assert_eq!(before.count(), 2, "a refusal is not tried again");

    // still refused: it stays, once
    let output = project.run(&["dead-letter", "replay"]);
    assert!(!output.status.success());
    assert_eq!((before.count(), letters().lines().count()), (4, 2));

    sent_to(&project, &now);
    let first: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let told = stdout(&project.run(&["dead-letter", "replay", first["id"].as_str().unwrap()]));
    assert!(told.contains("1 replayed, 0 kept"), "{told}");
    assert_eq!((now.count(), letters().lines().count()), (1, 1));
    for _ in 0..2 {
        stdout(&project.run(&["dead-letter", "replay"]));
        assert_eq!((now.count(), letters().lines().count()), (2, 0));
    }
    let keys = |receiver: &WebhookReceiver| {
        let requests = receiver.requests();
        let keys = requests
            .iter()
            .filter_map(|request| Some(request.header("idempotency-key")?.to_owned()));
        keys.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(keys(&now), keys(&before), "under the same keys");
    assert_eq!((before.count(), keys(&now).len()), (4, 2));
}
