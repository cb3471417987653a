//! Traces across the services, as a collector gets them: connected from the source's payload to each delivery, and
//! nothing of what is not kept.

use std::collections::BTreeSet;

use serde_json::Value;
use streamalert_testkit::{Reply, ServiceProcess, ServiceSpec, WebhookReceiver, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::collector::{Collector, Exported, Traces, hex};
use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def alone(record):
    return record['n'] == 1

@rule(logs=['load:event'], outputs=['webhook:sink'], merge_by_keys=['group'], merge_window_mins=60)
def grouped(record):
    return record['n'] in (3, 10)
";

/// A project whose groups are full with two alerts.
fn project(receiver: &WebhookReceiver, settings: &str) -> TestProject {
    let project = TestProject::new(RULES);
    project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        &format!(
            "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n[python]\nworkers = 1\n[merger]\ngroup_alerts_max = 2\n\
             {settings}\n\
             [[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n",
            receiver.url("/hook")
        ),
    );
    project
}

fn spec(
    project: &TestProject,
    name: &str,
    run: &[&str],
    sets: &[String],
    collector: &Collector,
) -> ServiceSpec {
    let mut args = vec!["--data-dir".to_owned(), project.path(name).display().to_string()];
    for set in sets {
        args.extend(["--set".to_owned(), set.clone()]);
    }
    args.extend(run.iter().map(|word| (*word).to_owned()));
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20planted-token",
        ),
    ];
    ServiceSpec {
        binary: binary(),
        args,
        env: env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        dir: project.root().to_owned(),
        log_dir: project.root().to_owned(),
        name: name.to_owned(),
    }
}

async fn start(spec: &ServiceSpec) -> ServiceProcess {
    ServiceProcess::start(spec, Some("ready"), PATIENCE)
        .await
        .unwrap()
}

/// Spans have names of the form `what where`, of which this is the first word or two.
fn what(exported: &Exported) -> &str {
    let name = exported.name();
    ["receive", "deliver"]
        .into_iter()
        .find(|what| name.starts_with(what))
        .unwrap_or(name)
}

fn delivered(traces: &Traces) -> usize {
    let deliveries = traces.named("deliver webhook:sink");
    deliveries
        .iter()
        .filter(|exported| exported.error().is_none())
        .count()
}

/// The traces that have a span of this name.
fn traces_of(spans: &[&Exported]) -> BTreeSet<String> {
    spans.iter().map(|exported| exported.trace_id()).collect()
}

fn bodies(receiver: &WebhookReceiver) -> Vec<Value> {
    let requests = receiver.requests().into_iter();
    requests
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_alert_has_one_connected_trace_over_four_processes_and_quiet_records_have_none() {
    let receiver = WebhookReceiver::start(None).await;
    let collector = Collector::start().await;
    let project = project(&receiver, "[telemetry]\ntrace_ratio = 0.0\notlp_metrics_secs = 1");
    let mut sets = vec!["listen.admin=127.0.0.1:0".to_owned()];
    for name in ["rules_node", "merger", "dispatcher"] {
        sets.push(format!("listen.{name}=127.0.0.1:{}", free_port()));
    }
    project.append_events("logs/events.jsonl", 0, 20, |_| "k");
    project.write("logs/odd.jsonl", "{\"what\": \"is this\"}\n");
    let mut processes = Vec::new();
    for name in ["dispatcher", "merger", "rules-node", "classifier"] {
        processes.push(start(&spec(&project, name, &["run", name], &sets, &collector)).await);
    }
    let traces = collector
        .until(|traces| {
            delivered(traces) == 2
                // Alerts that wait in a group go to the history one by one.
                && traces.named("deliver aws-firehose:alerts").len() == 4
                && traces.named("receive").len() == 4
        })
        .await;

    connected(&traces);
    group_is_linked_with_its_members(&traces);
    batches_are_linked_with_their_records(&traces);
    dead_letter_is_kept(&traces);
    // One trace of each payload that raised something, one of the dead letter, and none of the seventeen others.
    assert_eq!(traces_of(&traces.named("receive")).len(), 4);
    assert_eq!(traces.named("rules").len(), 3);
    assert_eq!(collector.authorization().as_deref(), Some("Bearer planted-token"));

    outputs_carry_the_trace(&receiver, &traces);
    let shown = shown_trace_ids(&project, "merger");
    assert!(
        traces_of(&traces.named("deliver")).is_subset(&shown),
        "{shown:?} {:#?}",
        traces.names()
    );
    collector
        .until(|_| {
            let metric = |service, name| collector.metric(service, name);
            metric("streamalert-classifier", "streamalert_classifier_payloads") == Some(21.0)
                && metric("streamalert-merger", "streamalert_merger_alerts") == Some(3.0)
                && metric("streamalert-dispatcher", "streamalert_deliveries") == Some(6.0)
                && metric("streamalert-rules-node", "streamalert_trace_dropped_spans") == Some(0.0)
        })
        .await;
}

/// Every delivery's way goes up to a received payload, through every service.
fn connected(traces: &Traces) {
    for delivery in traces.named("deliver") {
        let way = traces.way(delivery);
        let steps: Vec<&str> = way.iter().map(|exported| what(exported)).collect();
        let expected: &[&str] = match delivery.attribute("streamalert.rule").as_deref() {
            Some("grouped")
                if steps.get(1) == Some(&"merge group") || delivery.name().contains("webhook") =>
            {
                &["deliver", "merge group", "accept", "rules", "classify", "receive"]
            }
            _ => &["deliver", "accept", "rules", "classify", "receive"],
        };
        assert_eq!(steps, expected);
        let services: BTreeSet<&str> = way.iter().map(|exported| exported.service.as_str()).collect();
        assert_eq!(
            services,
            [
                "streamalert-classifier",
                "streamalert-dispatcher",
                "streamalert-merger",
                "streamalert-rules-node"
            ]
            .into()
        );
    }
    for publish in traces.named("publish") {
        assert_eq!(what(traces.parent(publish).unwrap()), "deliver");
    }
}

fn group_is_linked_with_its_members(traces: &Traces) {
    let groups = traces.named("merge group");
    let [group] = &groups[..] else {
        panic!("{:#?}", traces.names())
    };
    let members = traces.linked(group);
    assert!(
        members.iter().all(|member| what(member) == "accept"),
        "{members:#?}"
    );
    let of = traces_of(&members);
    assert_eq!(of.len(), 2);
    assert!(
        of.contains(&group.trace_id()),
        "it goes on in the trace of a member"
    );
}

fn batches_are_linked_with_their_records(traces: &Traces) {
    for rules in traces.named("rules") {
        let linked = traces.linked(rules);
        let [batch] = &linked[..] else {
            panic!("{rules:#?}")
        };
        assert_eq!(batch.name(), "process records");
        assert_ne!(batch.trace_id(), rules.trace_id());
        let back = traces.linked(batch);
        assert!(
            back.iter()
                .any(|record| record.span.span_id == rules.span.span_id)
        );
        let sent = traces.parent(batch).unwrap();
        assert_eq!(
            (sent.name(), &*sent.service),
            ("send records", "streamalert-classifier")
        );
        let classify = traces.parent(rules).unwrap();
        let sent = traces.linked(sent);
        assert!(
            sent.iter()
                .any(|record| record.span.span_id == classify.span.span_id)
        );
    }
}

fn dead_letter_is_kept(traces: &Traces) {
    let classified = traces.named("classify");
    let failed: Vec<&&Exported> = classified
        .iter()
        .filter(|exported| exported.error().is_some())
        .collect();
    let [failed] = &failed[..] else {
        panic!("{:#?}", traces.names())
    };
    assert_eq!(failed.attribute("streamalert.dead_letters").as_deref(), Some("1"));
    assert_eq!(what(traces.parent(failed).unwrap()), "receive");
}

/// The body and the headers of each request tell the trace, and the headers the very attempt.
fn outputs_carry_the_trace(receiver: &WebhookReceiver, traces: &Traces) {
    let deliveries = traces.named("deliver webhook:sink");
    for (request, body) in receiver.requests().iter().zip(bodies(receiver)) {
        let trace_id = body["streamalert_trace_id"].as_str().unwrap();
        let header = request.header("traceparent").unwrap();
        let attempt = deliveries.iter().find(|attempt| {
            let expected = format!("00-{trace_id}-{}-01", hex(&attempt.span.span_id));
            attempt.trace_id() == trace_id && header == expected
        });
        assert!(attempt.is_some(), "{header} {:#?}", traces.names());
    }
}

/// The trace ids of all alerts of a process, as `alerts show` prints them.
fn shown_trace_ids(project: &TestProject, data_dir: &str) -> BTreeSet<String> {
    let data_dir = project.path(data_dir).display().to_string();
    let listed = stdout(&project.run(&["--data-dir", &data_dir, "alerts", "list", "--json"]));
    let shown = listed.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let id = row["id"].as_str().unwrap();
        let shown = stdout(&project.run(&["--data-dir", &data_dir, "alerts", "show", id, "--json"]));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["trace_id"].as_str().unwrap().to_owned()
    });
    shown.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_traces_attempts_and_dead_letters_and_its_log_names_the_trace() {
    let receiver = WebhookReceiver::start(None).await;
    receiver.then([Reply::status(503, "later")]);
    let collector = Collector::start().await;
    let settings = "[dispatcher]\nretry_initial_ms = 10\n\
                    [listen]\nadmin = \"127.0.0.1:0\"\n\
                    [telemetry]\ntrace_ratio = 1.0\nlog_format = \"json\"";
    let project = project(&receiver, settings);
    // Quiet, and the one that raises an alert.
    project.append_events("logs/events.jsonl", 0, 2, |_| "k");
    let process = start(&spec(&project, "all", &["run"], &[], &collector)).await;
    let traces = collector
        .until(|traces| delivered(traces) == 1 && traces.named("receive").len() == 2)
        .await;
    for exported in traces.named("") {
        assert_eq!(exported.service, "streamalert");
    }
    let attempts = traces.named("deliver webhook:sink");
    assert_eq!(attempts.len(), 2);
    let failed = attempts
        .iter()
        .find(|attempt| attempt.error().is_some())
        .unwrap_or_else(|| panic!("{attempts:#?}"));
    assert_eq!(failed.attribute("error.type").as_deref(), Some("retryable"));
    for attempt in &attempts {
        assert_eq!(traces.way(attempt).len(), 5);
    }
    // The quiet one has its spans too, since all are kept.
    assert_eq!(traces.named("rules").len(), 2);
    let output = process.output();
    let line = output
        .lines()
        .find(|line| line.contains("attempt failed"))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["trace_id"], failed.trace_id(), "{line}");
    assert!(!output.contains("planted-token"), "{output}");

    // What the output refuses for good.
    receiver.behave(Reply::status(400, "no"));
    project.append_events("logs/more.jsonl", 1, 1, |_| "k");
    let traces = collector
        .until(|traces| !traces.named("dead letter").is_empty())
        .await;
    let letters = traces.named("dead letter");
    let way = traces.way(letters[0]);
    let steps: Vec<&str> = way.iter().map(|exported| what(exported)).collect();
    assert_eq!(steps, ["dead letter", "accept", "rules", "classify", "receive"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_no_alert_and_without_one_outputs_get_no_trace() {
    let receiver = WebhookReceiver::start(None).await;
    let mut collector = Collector::start().await;
    collector.endpoint = format!("http://127.0.0.1:{}", free_port());
    let project = project(&receiver, "[listen]\nadmin = \"127.0.0.1:0\"");
    project.append_events("logs/events.jsonl", 0, 2, |_| "k");
    let mut process = start(&spec(&project, "all", &["run"], &[], &collector)).await;
    assert!(receiver.wait_for(1, PATIENCE).await, "{}", process.output());
    assert!(
        process.terminate(PATIENCE).await.unwrap().success(),
        "{}",
        process.output()
    );

    let mut untraced = spec(&project, "untraced", &["run"], &[], &collector);
    untraced.env.clear();
    let _process = start(&untraced).await;
    assert!(receiver.wait_for(2, PATIENCE).await);
    let bodies = bodies(&receiver);
    assert!(bodies[0]["streamalert_trace_id"].is_string(), "{}", bodies[0]);
    assert!(bodies[1].get("streamalert_trace_id").is_none(), "{}", bodies[1]);
    assert_eq!(receiver.requests()[1].header("traceparent"), None);
}

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Posts logs as part of a trace.
async fn post(door: &str, body: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(door).await.unwrap();
    let request = format!(
        "POST /v1/logs/kinesis/stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntraceparent: {CALLER}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_posted_as_part_of_a_trace_go_on_with_it_also_where_they_raise_nothing() {
    let receiver = WebhookReceiver::start(None).await;
    let collector = Collector::start().await;
    let door = format!("127.0.0.1:{}", free_port());
    let settings = format!(
        "[listen]\nadmin = \"127.0.0.1:0\"\n\
         [[sources]]\ntype = \"http\"\nservice = \"kinesis\"\nresource = \"stream\"\naddress = \"{door}\""
    );
    let project = project(&receiver, &settings);
    let process = start(&spec(&project, "all", &["run"], &[], &collector)).await;
    let body =
        "{\"n\": 0, \"group\": \"g\", \"kind\": \"k\"}\n{\"n\": 1, \"group\": \"g\", \"kind\": \"k\"}\n";
    let answer = post(&door, body).await;
    assert!(
        answer.starts_with("HTTP/1.1 200"),
        "{answer}\n{}",
        process.output()
    );
    let traces = collector
        .until(|traces| delivered(traces) == 1 && traces.named("receive").len() == 2)
        .await;
    for received in traces.named("receive") {
        assert_eq!(received.trace_id(), CALLER[3..35]);
        assert_eq!(hex(&received.span.parent_span_id), CALLER[36..52]);
    }
    assert_eq!(traces_of(&traces.named("deliver webhook:sink")).len(), 1);
    let shown = bodies(&receiver)[0]["streamalert_trace_id"].clone();
    assert_eq!(shown, CALLER[3..35]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingest_that_ends_has_told_of_its_traces() {
    let receiver = WebhookReceiver::start(None).await;
    let collector = Collector::start().await;
    let project = project(&receiver, "");
    project.append_events("events.jsonl", 0, 2, |_| "k");
    let run = ["ingest", "--source", "kinesis:stream", "events.jsonl"];
    let spec = spec(&project, "ingest", &run, &[], &collector);
    let output = tokio::process::Command::new(&spec.binary)
        .args(&spec.args)
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&spec.dir)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let traces = collector.until(|traces| delivered(traces) == 1).await;
    let deliveries = traces.named("deliver webhook:sink");
    let way = traces.way(deliveries[0]);
    let steps: Vec<&str> = way.iter().map(|exported| what(exported)).collect();
    assert_eq!(steps, ["deliver", "accept", "rules", "classify", "receive"]);
    assert!(
        collector
            .metric("streamalert", "streamalert_merger_alerts")
            .unwrap()
            >= 1.0
    );
}
