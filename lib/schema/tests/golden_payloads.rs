//! Whole payloads against what StreamAlert's classifier answered.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use streamalert_schema::{Classified, Payload, RawInput, SchemaSet, Scratch, Selection, Severity};
use streamalert_types::{Position, Sequence};
use streamalert_value::Value;
use support::{Exception, Judge, all_same, golden_lines, list, plain, selections_of, text};

const EDGE_EXCEPTIONS: &[Exception] = &[];

fn run(selection: &Selection, input: &RawInput, scratch: &mut Scratch) -> Classified {
    let position = Position {
        partition: "golden".into(),
        sequence: Sequence::Token(input.id.as_str().into()),
    };
    selection.classify(
        &Payload {
            source: &input.source,
            position: &position,
            body: input.body(),
        },
        scratch,
    )
}

/// How our answer differs from the recorded one, at the level "records".
fn difference(classified: &Classified, golden: &Value) -> Option<String> {
    let theirs = golden
        .get("payload_records")
        .and_then(Value::as_list)
        .unwrap_or_default();
    if theirs.len() != classified.units.len() {
        return Some(format!(
            "{} payload records, got {}",
            theirs.len(),
            classified.units.len()
        ));
    }
    for (unit, theirs) in classified.units.iter().zip(theirs) {
        let log_type = theirs.get("log_schema_type").and_then(Value::as_str);
        if unit.log_type.as_deref() != log_type {
            return Some(format!(
                "log type {log_type:?}, got {:?}: {:?}",
                unit.log_type, unit.failures
            ));
        }
        let data_type = theirs.get("data_type").and_then(Value::as_str);
        if unit.data_type.map(|one| one.as_str()) != data_type {
            return Some(format!("data type {data_type:?}, got {:?}", unit.data_type));
        }
        let ours: Vec<Value> = unit
            .records
            .iter()
            .map(|record| plain(&Value::parse_json(&record.json).unwrap()))
            .collect();
        let theirs = list(theirs, "parsed");
        if !all_same(&ours, &theirs) {
            let json = |values: &[Value]| values.iter().map(Value::to_json).collect::<Vec<_>>().join("\n");
            return Some(format!("parsed\n{}\ngot\n{}", json(&theirs), json(&ours)));
        }
    }
    let failed = golden
        .get("failed_record_count")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    if failed != classified.failed_record_count as i64 {
        return Some(format!("{failed} failed, got {}", classified.failed_record_count));
    }
    None
}

#[test]
fn classifier_edge_cases_agree() {
    let mut judge = Judge::new(EDGE_EXCEPTIONS);
    for case in golden_lines("classifier_edge_cases.jsonl") {
        let id = text(&case, "id");
        let Value::Map(definitions) = Value::parse_json(text(&case, "logs_json").as_bytes()).unwrap() else {
            panic!("{id}: definitions are no object")
        };
        let definitions: Vec<(String, Value)> = definitions.into_iter().collect();
        let (set, errors) = SchemaSet::compile(&definitions);
        let broken = errors.iter().any(|error| error.severity == Severity::Error);
        let result = case.get("result").unwrap();
        let error = result.get("error").filter(|error| !error.is_null());
        if error.is_some_and(|error| text(error, "at") == "config") {
            judge.compare(id, broken, || {
                format!("expected an error at load, got {errors:?}")
            });
            continue;
        }
        assert!(!broken, "{id}: {errors:?}");
        let families: Vec<Value> = list(&case, "source_families");
        let families: Vec<&str> = families.iter().filter_map(Value::as_str).collect();
        let selection = set.select(&families).unwrap();
        let Ok(input) = RawInput::from_value(case.get("raw").unwrap()) else {
            judge.compare(id, id == "src/no_service_keys", || {
                "the input was not understood".to_owned()
            });
            continue;
        };
        let ours = run(&selection, &input, &mut Scratch::new());
        if error.is_some() {
            continue;
        }
        let difference = difference(&ours, result);
        judge.compare(id, difference.is_none(), || {
            difference.clone().unwrap_or_default()
        });
    }
    judge.finish();
}

fn judge_configuration(file: &str, conf: &str) {
    let selections = selections_of(conf);
    let inputs = golden_lines(&format!("{file}.inputs.jsonl"));
    let answers = golden_lines(&format!("{file}.jsonl"));
    assert_eq!(inputs.len(), answers.len());
    let mut judge = Judge::new(&[]);
    let mut scratch = Scratch::new();
    for (input, golden) in inputs.iter().zip(&answers) {
        assert_eq!(text(input, "id"), text(golden, "id"));
        let input = RawInput::from_value(input).unwrap();
        let source = (
            input.source.service.to_string(),
            input.source.resource.to_string(),
        );
        let ours = run(&selections[&source], &input, &mut scratch);
        if golden.get("error").is_some_and(|error| !error.is_null()) {
            continue;
        }
        let difference = difference(&ours, golden);
        judge.compare(&input.id, difference.is_none(), || {
            difference.clone().unwrap_or_default()
        });
    }
    judge.finish();
}

#[test]
fn every_shipped_schema_agrees() {
    judge_configuration("all_schemas", "conf");
}

#[test]
fn real_cloudtrail_agrees() {
    judge_configuration("real_cloudtrail", "conf-real");
}
