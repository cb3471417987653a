//! The built-in schemas on their samples, and against what StreamAlert answered with its own.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use streamalert_schema::{Body, Classified, Payload, SchemaSet, Scratch, Selection, builtin_schemas};
use streamalert_types::{Position, Sequence, Source};
use streamalert_value::Value;

/// Inputs of `all_schemas` that StreamAlert refuses and the built-in schemas accept: each is a good record plus a
/// key that no vendor knows, for a type that keeps unknown keys. The reasons are in `builtin/README.md`.
const NOW_ACCEPTED: [&str; 18] = [
    "box:admin_events|extra_key|1|only_box",
    "carbonblack:feed.ingress.hit.process|extra_key|0|only_carbonblack",
    "carbonblack:feed.ingress.hit.process|extra_key|1|only_carbonblack",
    "carbonblack:ingress.event.procend|extra_key|1|only_carbonblack",
    "carbonblack:ingress.event.processblock|extra_key|0|only_carbonblack",
    "carbonblack:ingress.event.procstart|extra_key|0|only_carbonblack",
    "carbonblack:ingress.event.tamper|extra_key|0|only_carbonblack",
    "carbonblack:watchlist.storage.hit.binary|extra_key|0|only_carbonblack",
    "carbonblack:watchlist.storage.hit.process|extra_key|1|only_carbonblack",
    "cloudwatch:cloudtrail|extra_key|0|only_cloudwatch",
    "cloudwatch:events|extra_key|1|only_cloudwatch",
    "cloudwatch:flow_logs|extra_key|0|only_cloudwatch",
    "duo:authentication|extra_key|0|only_duo",
    "duo:authentication|extra_key|1|only_duo",
    "onelogin:events|extra_key|0|only_onelogin",
    "osquery:batch|extra_key|0|only_osquery",
    "packetbeat:dns|extra_key|1|only_packetbeat",
    "trendmicro:malwareevent|extra_key|0|only_trendmicro",
];

struct Sample {
    log_type: String,
    service: String,
    data: Value,
}

fn definitions() -> Vec<(String, Value)> {
    let mut definitions = Vec::new();
    for (file, text) in builtin_schemas() {
        let document = Value::parse_json(text.as_bytes()).unwrap_or_else(|error| panic!("{file}: {error}"));
        for (log_type, definition) in document.as_map().unwrap() {
            definitions.push((log_type.clone(), definition.clone()));
        }
    }
    definitions
}

fn builtin() -> SchemaSet {
    let (set, problems) = SchemaSet::compile(&definitions());
    assert!(problems.is_empty(), "{problems:?}");
    set
}

fn family(log_type: &str) -> String {
    log_type.split(':').next().unwrap().to_owned()
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| Value::parse_json(line.as_bytes()).unwrap())
        .collect()
}

fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("builtin/samples");
    let mut samples = Vec::new();
    for (file, _) in builtin_schemas() {
        for line in json_lines(&folder.join(file.replace(".json", ".jsonl"))) {
            let text = |key: &str| line.get(key).unwrap().as_str().unwrap().to_owned();
            samples.push(Sample {
                log_type: text("log_type"),
                service: text("service"),
                data: line.get("data").unwrap().clone(),
            });
        }
    }
    samples
}

fn classify(selection: &Selection, service: &str, data: &Value) -> Classified {
    let source = Source {
        service: service.into(),
        resource: "sample".into(),
        cluster: None,
    };
    let position = Position {
        partition: "sample".into(),
        sequence: Sequence::Offset(0),
    };
    let text = data.as_str().map_or_else(|| data.to_json(), str::to_owned);
    let logs = [data.clone()];
    let body = match service {
        "s3" => Body::Object(text.as_bytes()),
        "sns" => Body::Text(&text),
        "streamalert_app" => Body::Logs(&logs),
        _ => Body::Packed(text.as_bytes()),
    };
    selection.classify(
        &Payload {
            source: &source,
            position: &position,
            body,
        },
        &mut Scratch::new(),
    )
}

/// Why a payload is not what it should be: wholly records of one type.
fn fault(classified: &Classified, log_type: &str) -> Option<String> {
    let found: Vec<Option<&str>> = classified
        .units
        .iter()
        .map(|unit| unit.log_type.as_deref())
        .collect();
    if found != [Some(log_type)] {
        let reasons: Vec<&str> = classified
            .units
            .iter()
            .flat_map(|unit| &unit.failures)
            .map(|failure| failure.reason.as_str())
            .collect();
        return Some(format!("is {found:?}: {reasons:?}"));
    }
    (classified.failed_record_count > 0).then(|| "has sub-records that were refused".to_owned())
}

#[test]
fn there_are_65_log_types_in_18_files_in_name_order() {
    let names: Vec<&str> = builtin_schemas().iter().map(|(file, _)| *file).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.len(), 18);
    let log_types: BTreeSet<String> = builtin().log_types().map(ToString::to_string).collect();
    assert_eq!(log_types.len(), 65);
    for (file, text) in builtin_schemas() {
        let document = Value::parse_json(text.as_bytes()).unwrap();
        for log_type in document.as_map().unwrap().keys() {
            assert_eq!(
                format!("{}.json", family(log_type)),
                *file,
                "{log_type} stands in the wrong file"
            );
        }
    }
}

#[test]
fn every_log_type_has_at_least_two_samples() {
    let mut counts: BTreeMap<String, usize> = definitions().into_iter().map(|(name, _)| (name, 0)).collect();
    for sample in samples() {
        *counts
            .get_mut(&sample.log_type)
            .unwrap_or_else(|| panic!("no schema {}", sample.log_type)) += 1;
    }
    let few: Vec<_> = counts.iter().filter(|(_, count)| **count < 2).collect();
    assert!(few.is_empty(), "{few:?}");
}

#[test]
fn every_sample_has_its_log_type_whether_its_family_is_asked_for_or_all_are() {
    let set = builtin();
    let mut faults = Vec::new();
    for (number, sample) in samples().iter().enumerate() {
        let own = set.select(&[family(&sample.log_type)]).unwrap();
        for (selection, which) in [(&own, "own family"), (&set.select_all(), "all families")] {
            if let Some(fault) = fault(
                &classify(selection, &sample.service, &sample.data),
                &sample.log_type,
            ) {
                faults.push(format!(
                    "sample {number} of {} with {which} {fault}",
                    sample.log_type
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The folder of recorded answers; absent outside of our own machines, where only CI insists on it.
fn golden() -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let golden = shared.join("golden");
    if golden.is_dir() {
        return Some(golden);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no recorded answers at {}",
        golden.display()
    );
    println!("skipped: no recorded answers at {}", golden.display());
    None
}

/// Record ids are random in StreamAlert and made from the position here.
fn without_record_id(mut record: Value) -> Value {
    let root = record.as_map_mut().unwrap();
    if let Some(Value::Map(normalization)) = root.get_mut("streamalert_normalization") {
        normalization.shift_remove("streamalert_record_id");
    }
    record
}

/// Log type and records of the one unit that every input of `all_schemas` is.
fn recorded(answer: &Value) -> (Option<String>, Vec<Value>) {
    let mut log_type = None;
    let mut records = Vec::new();
    for unit in answer
        .get("payload_records")
        .and_then(Value::as_list)
        .unwrap_or_default()
    {
        if unit.get("valid").and_then(Value::as_bool) == Some(true) {
            log_type = unit
                .get("log_schema_type")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let parsed = unit.get("parsed").and_then(Value::as_list).unwrap_or_default();
            records.extend(parsed.iter().cloned().map(without_record_id));
        }
    }
    (log_type, records)
}

#[test]
fn what_streamalert_accepts_has_the_same_type_and_values_and_nothing_unlisted_is_accepted_besides() {
    let Some(golden) = golden() else { return };
    let set = builtin();
    let answers: BTreeMap<String, Value> = json_lines(&golden.join("all_schemas.jsonl"))
        .into_iter()
        .map(|answer| (answer.get("id").unwrap().as_str().unwrap().to_owned(), answer))
        .collect();
    let mut now_accepted = BTreeSet::new();
    let mut faults = Vec::new();
    let mut compared = 0;
    for input in json_lines(&golden.join("all_schemas.inputs.jsonl")) {
        let text = |key: &str| input.get(key).unwrap().as_str().unwrap().to_owned();
        let answer = &answers[&text("id")];
        if !answer.get("error").is_none_or(Value::is_null) {
            continue; // StreamAlert crashed
        }
        compared += 1;
        let selection = match text("resource").strip_prefix("only_") {
            Some(family) => set.select(&[family.to_owned()]).unwrap(),
            None => set.select_all(),
        };
        let data = input.get("data").unwrap();
        let classified = classify(&selection, &text("service"), data);
        let (log_type, records) = recorded(answer);
        let Some(log_type) = log_type else {
            if classified.units.iter().any(streamalert_schema::Unit::is_valid) {
                now_accepted.insert(text("id"));
            }
            continue;
        };
        let ours: Vec<Value> = classified
            .units
            .iter()
            .flat_map(|unit| &unit.records)
            .map(|record| without_record_id(Value::parse_json(&record.json).unwrap()))
            .collect();
        if classified.units.first().and_then(|unit| unit.log_type.as_deref()) != Some(&log_type) {
            faults.push(format!("{}: not {log_type} any more", text("id")));
        } else if ours.len() != records.len() || !ours.iter().zip(&records).all(|(a, b)| a.same(b)) {
            faults.push(format!("{}: other values than StreamAlert's", text("id")));
        }
    }
    assert!(compared > 300, "only {compared} answers");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(now_accepted, NOW_ACCEPTED.map(str::to_owned).into());
}

#[test]
fn every_real_cloudtrail_payload_is_classified_whichever_way_it_came() {
    let Some(golden) = golden() else { return };
    let families = ["cloudtrail", "cloudwatch"].map(str::to_owned);
    let selection = builtin().select(&families).unwrap();
    let mut counts: BTreeMap<Option<String>, usize> = BTreeMap::new();
    for input in json_lines(&golden.join("real_cloudtrail.inputs.jsonl")) {
        let service = input.get("service").unwrap().as_str().unwrap();
        for unit in classify(&selection, service, input.get("data").unwrap()).units {
            *counts
                .entry(unit.log_type.map(|name| name.to_string()))
                .or_default() += 1;
        }
    }
    let found: Vec<_> = counts.keys().map(Option::as_deref).collect();
    let all = [
        Some("cloudtrail:events"),
        Some("cloudwatch:cloudtrail"),
        Some("cloudwatch:events"),
    ];
    assert_eq!(found, all, "{counts:?}");
}
