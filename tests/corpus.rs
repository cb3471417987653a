//! Real CloudTrail through everything: what `ingest` counts is what `explain` says.

use std::collections::BTreeMap;

use serde_json::Value;
use streamalert_testkit::shared_dir;

use crate::support::{TestProject, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

TRAIL = ['cloudtrail:events', 'cloudwatch:cloudtrail']


@rule(logs=TRAIL, outputs=['file:sink'])
def denied(record):
    return record['errorCode'] in ('AccessDenied', 'Client.UnauthorizedOperation')


@rule(logs=TRAIL, outputs=['file:sink'], merge_by_keys=['sourceIPAddress', 'eventName'], merge_window_mins=5)
def deletes(record):
    return record['eventName'].startswith('Delete')


@rule(logs=['cloudwatch:events'], outputs=['file:sink'], req_subkeys={'detail': ['eventName']})
def changes(record):
    return record['detail']['eventName'].startswith(('Create', 'Put', 'Attach'))


@rule(logs=['cloudwatch:events'], outputs=['file:sink'])
def raises_where_a_key_is_missing(record):
    return record['detail']['requestParameters']['userName'] == 'nobody'
";

type Counts = BTreeMap<String, u64>;

fn corpus() -> Option<String> {
    let path = shared_dir()?.join("corpus/real_cloudtrail.inputs.jsonl.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(file), &mut text).unwrap();
    Some(text)
}

/// Every payload as its source would hold it: an object each for S3, a line each for Kinesis.
fn lay_out(project: &TestProject, corpus: &str) {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let mut sources = BTreeMap::new();
    for (number, line) in corpus.lines().enumerate() {
        let input: Value = serde_json::from_str(line).unwrap();
        let (service, resource) = (
            input["service"].as_str().unwrap(),
            input["resource"].as_str().unwrap(),
        );
        let data = input["data"].as_str().unwrap();
        let folder = format!("logs/{service}-{resource}");
        if service == "s3" {
            project.write(&format!("{folder}/{number:05}.json"), data);
        } else {
            assert!(!data.contains('\n'), "a payload with line feeds cannot be a line");
            let file = lines.entry(format!("{folder}/stream.jsonl")).or_default();
            file.push_str(data);
            file.push('\n');
        }
        sources.insert((service.to_owned(), resource.to_owned()), folder);
    }
    for (file, text) in lines {
        project.write(&file, &text);
    }
    let mut settings = "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n".to_owned();
    let mut cluster: BTreeMap<&str, BTreeMap<&str, [&str; 2]>> = BTreeMap::new();
    for ((service, resource), folder) in &sources {
        settings += &format!(
            "[[sources]]\nservice = \"{service}\"\nresource = \"{resource}\"\npath = \"{folder}/*\"\n"
        );
        cluster
            .entry(service)
            .or_default()
            .insert(resource, ["cloudtrail", "cloudwatch"]);
    }
    project.write("streamalert.toml", &settings);
    let cluster = serde_json::json!({ "id": "test", "data_sources": cluster });
    project.write("conf/clusters/test.json", &cluster.to_string());
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
}

fn explained(answers: &str) -> (Counts, Counts) {
    let (mut records, mut alerts) = (Counts::new(), Counts::new());
    for line in answers.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        for unit in answer["payload_records"].as_array().unwrap() {
            if let Some(log_type) = unit["log_schema_type"].as_str() {
                *records.entry(log_type.to_owned()).or_default() +=
                    unit["parsed"].as_array().unwrap().len() as u64;
            }
        }
        for alert in answer["alerts"].as_array().unwrap() {
            *alerts
                .entry(alert["dynamo"]["RuleName"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    (records, alerts)
}

#[test]
fn what_ingest_counts_is_what_explain_says() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus here");
        return;
    };
    let project = TestProject::new(RULES);
    lay_out(&project, &corpus);
    project.write("inputs.jsonl", &corpus);
    let summary: Value = serde_json::from_str(&stdout(&project.run(&["ingest", "--json"]))).unwrap();
    let (records, alerts) = explained(&stdout(&project.run(&[
        "explain",
        "--json",
        "--in",
        "inputs.jsonl",
    ])));
    println!(
        "{} payloads, records {records:?}, alerts {alerts:?}",
        corpus.lines().count()
    );
    assert_eq!(summary["records"], serde_json::json!(records));
    assert_eq!(summary["payloads"], corpus.lines().count() as u64);
    let ingested: Counts = summary["rules"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(rule, counts)| (rule.clone(), counts["alerts"].as_u64().unwrap()))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(ingested, alerts);
    assert_eq!(summary["alerts"], alerts.values().sum::<u64>());
    assert!(
        alerts.len() == 3 && alerts.values().all(|count| *count > 0),
        "{alerts:?}"
    );
}
