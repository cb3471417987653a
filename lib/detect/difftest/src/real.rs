//! Rules that people wrote, with records.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::subject::Case;

/// Records put to each real module: enough to meet most branches.
const RECORDS_MAX: usize = 400;

/// Names that the recorded rules use without importing them.
const IMPORTS: &str = "from streamalert.shared.rule import rule, disable\n";

/// The cases at hand: recorded ones, benchmark rules, the quickstart. What is absent is named in the second list.
#[must_use]
pub fn real_cases() -> (Vec<Case>, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut absent = Vec::new();
    let mut cases = golden(&root).unwrap_or_else(|| {
        absent.push("shared/golden/rules_edge_cases.jsonl".to_owned());
        Vec::new()
    });
    for (folder, logs) in [
        ("benches/rules/typical", "benches/corpus"),
        ("examples/quickstart", "examples/quickstart/logs"),
    ] {
        let found = folder_cases(&root.join(folder), &root.join(logs));
        if found.is_empty() {
            absent.push(folder.to_owned());
        }
        cases.extend(found);
    }
    (cases, absent)
}

fn golden(root: &Path) -> Option<Vec<Case>> {
    let root = root.canonicalize().ok()?;
    let path = root
        .ancestors()
        .map(|folder| folder.join("shared/golden/rules_edge_cases.jsonl"))
        .find(|path| path.exists())?;
    let text = std::fs::read_to_string(path).ok()?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let cases = lines.filter_map(|case| {
        let record = serde_json::to_string(case.get("record")?).ok()?;
        Some(Case {
            root: None,
            source: format!("{IMPORTS}{}", case.get("source")?.as_str()?),
            records: vec![record.replace(r#"{"__float__":"nan"}"#, "NaN")],
        })
    });
    Some(cases.collect())
}

/// Every file with a rule in a folder, on records out of the JSON files of another.
fn folder_cases(folder: &Path, logs: &Path) -> Vec<Case> {
    let mut records = Vec::new();
    for path in files(logs) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines() {
            records.extend(objects(line));
        }
        if records.is_empty() {
            records.extend(objects(&text));
        }
    }
    // Spread over all that there are, so that every sort of record is met.
    let step = records.len().div_ceil(RECORDS_MAX).max(1);
    let records: Vec<String> = records.into_iter().step_by(step).collect();
    let python = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "py");
    files(folder)
        .into_iter()
        .filter(python)
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .filter(|source| source.contains("@rule("))
        .map(|source| Case {
            root: Some(folder.to_owned()),
            source,
            records: records.clone(),
        })
        .collect()
}

/// The JSON objects in a text: itself, its `data`, or the members of its `Records`, `logEvents` or `records`.
fn objects(text: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Vec::new();
    };
    for key in ["Records", "records", "logEvents"] {
        if let Some(Value::Array(items)) = value.get(key) {
            return items.iter().map(ToString::to_string).collect();
        }
    }
    if let (Some(_), Some(data)) = (value.get("log_type"), value.get("data")) {
        return vec![data.to_string()];
    }
    if value.is_object() {
        vec![value.to_string()]
    } else {
        Vec::new()
    }
}

/// All files below a folder, in order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
