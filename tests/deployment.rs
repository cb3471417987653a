//! What is in `deploy/` speaks of metrics that there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
}

/// Names of all metrics as Prometheus shows them, with the file that they are made in. What makes one is called
/// counter or gauge, and comes before its name.
fn metrics() -> BTreeMap<String, PathBuf> {
    let folder = root().join("cli/src/metrics");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found = BTreeMap::new();
    for file in files.chain([root().join("cli/src/metrics.rs")]) {
        let mut ending = "";
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, piece) in text.split('"').enumerate() {
            for word in words(piece) {
                match word {
                    "counter" | "counters" if at % 2 == 0 => ending = "_total",
                    "gauge" | "gauges" if at % 2 == 0 => ending = "",
                    name if at % 2 == 1 && name == piece && name.starts_with("streamalert_") => {
                        found.insert(format!("{name}{ending}"), file.clone());
                    }
                    _ => {}
                }
            }
        }
    }
    found
}

/// Names of metrics in the expressions of a file.
fn named(expressions: &[String]) -> Vec<&str> {
    let words = expressions.iter().flat_map(|expression| words(expression));
    words.filter(|word| word.starts_with("streamalert_")).collect()
}

/// Every text under a key of this name.
fn texts_of(value: &serde_json::Value, key: &str, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(text) if name == key => texts.push(text.to_owned()),
                    _ => texts_of(field, key, texts),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts_of(item, key, texts)),
        _ => {}
    }
}

#[test]
fn every_metric_of_the_dashboard_and_of_the_alert_rules_is_one_of_ours() {
    let dashboard = std::fs::read_to_string(root().join("deploy/grafana/streamalert.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut expressions = Vec::new();
    texts_of(&dashboard, "expr", &mut expressions);
    texts_of(&dashboard, "query", &mut expressions);
    assert!(expressions.len() > 20, "{expressions:?}");
    let rules = std::fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).unwrap();
    let lines = rules.lines().filter(|line| !line.contains("summary:"));
    expressions.push(lines.collect::<Vec<_>>().join("\n"));
    let metrics = metrics();
    let missing: Vec<&str> = named(&expressions)
        .into_iter()
        .filter(|name| !metrics.contains_key(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:#?} are none of {:#?}",
        metrics.keys()
    );
}
