//! What the golden tests share: reading the recorded answers, compiling definitions, comparing.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::print_stdout,
    reason = "each test file uses its own part of it; a skipped test must say so"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use streamalert_schema::{Body, Classified, Payload, SchemaSet, Scratch, Selection, Severity};
use streamalert_types::{Position, Sequence, Source};
use streamalert_value::Value;

/// A deviation from the recorded answer that `semantics` asks for: what it is about, the item, and why.
pub struct Exception {
    pub id: &'static str,
    pub item: u32,
    pub why: &'static str,
}

/// The directory of the recorded answers; `None`, with a message, where it is not there and this is no CI run.
pub fn golden_dir() -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let golden = shared.join("golden");
    if golden.is_dir() {
        return Some(golden);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing and CI must not skip",
        golden.display()
    );
    println!("skipped: {} is missing", golden.display());
    None
}

/// The lines of a file of recorded answers.
pub fn golden_lines(file: &str) -> Vec<Value> {
    let Some(golden) = golden_dir() else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(golden.join(file)).unwrap();
    text.lines()
        .map(|line| Value::parse_json(line.as_bytes()).unwrap())
        .collect()
}

pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The definitions of a directory of schema files, in the order of their names.
pub fn definitions_of(conf: &str) -> Vec<(String, Value)> {
    let Some(golden) = golden_dir() else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(golden.join(conf).join("schemas"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let of_file = |path: PathBuf| match Value::parse_json(&std::fs::read(path).unwrap()).unwrap() {
        Value::Map(map) => map.into_iter(),
        other => panic!("not an object: {}", other.to_json()),
    };
    files.into_iter().flat_map(of_file).collect()
}

/// A selection per source of `clusters/prod.json`, by service and resource.
pub fn selections_of(conf: &str) -> BTreeMap<(String, String), Selection> {
    let Some(golden) = golden_dir() else {
        return BTreeMap::new();
    };
    let (set, problems) = SchemaSet::compile(&definitions_of(conf));
    for problem in &problems {
        println!("{problem}");
        assert_eq!(
            problem.severity,
            Severity::Warning,
            "StreamAlert's own schemas must load: {problem}"
        );
    }
    let cluster =
        Value::parse_json(&std::fs::read(golden.join(conf).join("clusters/prod.json")).unwrap()).unwrap();
    let mut selections = BTreeMap::new();
    for (service, resources) in cluster.get("data_sources").and_then(Value::as_map).unwrap() {
        for (resource, families) in resources.as_map().unwrap() {
            let names: Vec<&str> = families
                .as_list()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            selections.insert((service.clone(), resource.clone()), set.select(&names).unwrap());
        }
    }
    selections
}

pub fn source(service: &str, resource: &str) -> Source {
    Source {
        service: service.into(),
        resource: resource.into(),
        cluster: Some("prod".into()),
    }
}

pub fn classify(selection: &Selection, body: Body<'_>) -> Classified {
    let position = Position {
        partition: "golden".into(),
        sequence: Sequence::Offset(0),
    };
    let payload = Payload {
        source: &source("kinesis", "res"),
        position: &position,
        body,
    };
    selection.classify(&payload, &mut Scratch::new())
}

/// One schema on its own; answers with the messages of its errors too.
pub fn only(definition: &Value) -> (Selection, Vec<String>) {
    let (set, errors) = SchemaSet::compile(&[("t:x".to_owned(), definition.clone())]);
    (set.select_all(), errors.iter().map(ToString::to_string).collect())
}

/// Recorded values carry bytes and special floats as objects, and ids that are random.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            if let Some(float) = map.get("__float__").and_then(Value::as_str) {
                return Value::Float(float.parse().unwrap());
            }
            if let Some(encoded) = map.get("__bytes_b64__").and_then(Value::as_str) {
                return Value::Str(String::from_utf8_lossy(&STANDARD.decode(encoded).unwrap()).into_owned());
            }
            let masked = |key: &str, value: &Value| {
                if key == "streamalert_record_id" {
                    Value::from("<masked>")
                } else {
                    plain(value)
                }
            };
            Value::Map(
                map.iter()
                    .map(|(key, value)| (key.clone(), masked(key, value)))
                    .collect(),
            )
        }
        Value::List(items) => Value::List(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// The bytes of a recorded `{"__bytes_b64__": …}`.
pub fn recorded_bytes(value: &Value) -> Option<Vec<u8>> {
    value
        .get("__bytes_b64__")
        .and_then(Value::as_str)
        .map(|encoded| STANDARD.decode(encoded).unwrap())
}

/// The records of all units.
pub fn records(classified: &Classified) -> Vec<Value> {
    let records = classified.units.iter().flat_map(|unit| &unit.records);
    records
        .map(|record| plain(&Value::parse_json(&record.json).unwrap()))
        .collect()
}

/// The recorded list under a key, plain.
pub fn list(value: &Value, key: &str) -> Vec<Value> {
    value
        .get(key)
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .map(plain)
        .collect()
}

pub fn all_same(one: &[Value], two: &[Value]) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.same(b))
}

/// Collects differences; those that are excepted must differ, so that the table stays true.
pub struct Judge {
    exceptions: &'static [Exception],
    used: Vec<&'static str>,
    wrong: Vec<String>,
    compared: usize,
}

impl Judge {
    pub fn new(exceptions: &'static [Exception]) -> Self {
        Self {
            exceptions,
            used: Vec::new(),
            wrong: Vec::new(),
            compared: 0,
        }
    }

    pub fn compare(&mut self, id: &str, agrees: bool, difference: impl FnOnce() -> String) {
        self.compared += 1;
        if agrees {
            return;
        }
        match self.exceptions.iter().find(|exception| exception.id == id) {
            Some(exception) => self.used.push(exception.id),
            None => self.wrong.push(format!("{id}: {}", difference())),
        }
    }

    pub fn finish(self) {
        println!("{} compared, {} excepted", self.compared, self.used.len());
        for exception in self.exceptions.iter().filter(|one| self.used.contains(&one.id)) {
            println!("  {}: item {}, {}", exception.id, exception.item, exception.why);
        }
        assert!(
            self.wrong.is_empty(),
            "{} differ:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
        if self.compared > 0 {
            let unused = self.exceptions.iter().filter(|one| !self.used.contains(&one.id));
            let unused: Vec<&str> = unused.map(|exception| exception.id).collect();
            assert!(unused.is_empty(), "excepted without need: {unused:?}");
        }
    }
}
