//! The logs of `examples/quickstart` have the log types that its `expected.json` counts.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use streamalert_schema::{Body, Payload, SchemaSet, Scratch, builtin_schemas};
use streamalert_types::{Position, Sequence, Source};
use streamalert_value::Value;

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart")
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Value::parse_json(&bytes).unwrap()
}

fn schemas() -> SchemaSet {
    let mut definitions = Vec::new();
    let own = json(&quickstart().join("conf/schemas/syslog.json"));
    let builtin = builtin_schemas()
        .iter()
        .map(|(_, text)| Value::parse_json(text.as_bytes()).unwrap());
    for document in builtin.chain([own]) {
        definitions.extend(
            document
                .as_map()
                .unwrap()
                .iter()
                .map(|(name, definition)| (name.clone(), definition.clone())),
        );
    }
    SchemaSet::compile(&definitions).0
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(quickstart().join("logs").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[derive(Default)]
struct Counts {
    records: BTreeMap<String, i64>,
    dead_letters: i64,
}

impl Counts {
    fn add(&mut self, set: &SchemaSet, (service, resource): (&str, &str), body: Body<'_>) {
        let cluster = json(&quickstart().join("conf/clusters/quickstart.json"));
        let names = cluster
            .get("data_sources")
            .unwrap()
            .get(service)
            .unwrap()
            .get(resource)
            .unwrap();
        let names: Vec<String> = names
            .as_list()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        let source = Source {
            service: service.into(),
            resource: resource.into(),
            cluster: None,
        };
        let position = Position {
            partition: "file".into(),
            sequence: Sequence::Offset(0),
        };
        let payload = Payload {
            source: &source,
            position: &position,
            body,
        };
        for unit in set
            .select(&names)
            .unwrap()
            .classify(&payload, &mut Scratch::new())
            .units
        {
            self.dead_letters += i64::try_from(unit.failures.len()).unwrap();
            if let Some(log_type) = unit.log_type {
                *self.records.entry(log_type.to_string()).or_default() +=
                    i64::try_from(unit.records.len()).unwrap();
            }
        }
    }
}

#[test]
fn the_logs_of_the_quickstart_are_what_it_expects_of_them() {
    let set = schemas();
    let mut counts = Counts::default();
    for file in files("cloudtrail") {
        counts.add(
            &set,
            ("s3", "quickstart-cloudtrail"),
            Body::Object(&std::fs::read(file).unwrap()),
        );
    }
    for (folder, resource) in [("flow", "quickstart_flow"), ("hosts", "quickstart_hosts")] {
        for file in files(folder) {
            for line in std::fs::read_to_string(file).unwrap().lines() {
                counts.add(&set, ("kinesis", resource), Body::Line(line.as_bytes()));
            }
        }
    }
    let expected = json(&quickstart().join("expected.json"));
    let records = expected.get("records").unwrap().as_map().unwrap();
    let records: BTreeMap<String, i64> = records
        .iter()
        .map(|(name, count)| (name.clone(), count.as_i64().unwrap()))
        .collect();
    assert_eq!(counts.records, records);
    assert_eq!(
        Some(counts.dead_letters),
        expected.get("dead_letters").unwrap().as_i64()
    );
}
