use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use streamalert_schema::{Payload, SchemaSet, Scratch, builtin_schemas};
use streamalert_types::{Position, Sequence};

use super::*;

fn schemas() -> SchemaSet {
    let mut definitions = Vec::new();
    for (_, json) in builtin_schemas() {
        let Value::Map(entries) = Value::parse_json(json.as_bytes()).unwrap() else {
            panic!("a schema file is an object");
        };
        definitions.extend(entries);
    }
    SchemaSet::compile(&definitions).0
}

/// Real events, where they are at hand.
fn real() -> Option<PathBuf> {
    Some(streamalert_testkit::shared_dir()?.join("corpus/real_cloudtrail.inputs.jsonl.gz"))
}

/// Records and bytes by log type, and how many payloads hold what no schema takes.
fn classified(inputs: &Inputs) -> (BTreeMap<String, u64>, u64, u64) {
    let selection = schemas().select_all();
    let mut scratch = Scratch::new();
    let (mut types, mut bytes, mut failed) = (BTreeMap::new(), 0, 0);
    for (number, input) in (0..).zip(&inputs.payloads) {
        let position = Position {
            partition: "test".into(),
            sequence: Sequence::Offset(number),
        };
        let payload = Payload {
            source: &input.source,
            position: &position,
            body: input.body(),
        };
        let classified = selection.classify(&payload, &mut scratch);
        failed += classified.failed_record_count;
        bytes += classified.processed_size;
        for unit in classified.units {
            let name = unit.log_type.map(|name| name.to_string()).unwrap_or_default();
            *types.entry(name).or_default() += unit.records.len() as u64;
        }
    }
    (types, bytes, failed)
}

fn options(mix: Mix, seed: u64, input: Option<&Path>) -> CorpusOptions<'_> {
    CorpusOptions {
        seed,
        events: 4_000,
        mix,
        input,
    }
}

fn grown(mix: Mix, input: Option<&Path>) -> Inputs {
    Inputs::grow(&options(mix, 1, input)).unwrap()
}

#[track_caller]
fn all_are_cloudtrail_of_the_promised_size(inputs: &Inputs) {
    let (types, bytes, failed) = classified(inputs);
    assert_eq!(failed, 0);
    assert_eq!(types, [("cloudtrail:events".to_owned(), 4_000)].into());
    let mean = bytes / 4_000;
    assert!((1_400..=1_500).contains(&mean), "{mean} bytes");
}

#[test]
fn built_in_events_grow_into_cloudtrail_of_the_promised_size() {
    all_are_cloudtrail_of_the_promised_size(&grown(Mix::Cloudtrail, None));
}

#[test]
fn real_events_grow_into_cloudtrail_of_the_promised_size() {
    if let Some(path) = real() {
        all_are_cloudtrail_of_the_promised_size(&grown(Mix::Cloudtrail, Some(&path)));
    }
}

#[test]
fn every_event_of_the_typical_mix_is_of_the_log_type_it_was_made_as() {
    let options = options(Mix::Typical, 1, None);
    let (types, _, failed) = classified(&Inputs::grow(&options).unwrap());
    assert_eq!(failed, 0);
    let mut grower = Grower::new(&options).unwrap();
    while grower.next_payload().is_some() {}
    let made: BTreeMap<String, u64> = grower
        .types
        .iter()
        .map(|(name, (events, _))| (name.clone(), *events))
        .collect();
    assert_eq!(types, made);
    assert_eq!(types.values().sum::<u64>(), 4_000);
    assert!((1_700..1_900).contains(&types["cloudtrail:events"]), "{types:?}");
    let mean = grower.bytes / grower.made;
    assert!((1_400..=1_500).contains(&mean), "{mean} bytes");
}

#[test]
fn equal_seeds_give_equal_corpora_and_others_do_not() {
    let hash = |seed| {
        let mut grower = Grower::new(&options(Mix::Typical, seed, None)).unwrap();
        let mut hash = Digest::new();
        while let Some(payload) = grower.next_payload() {
            hash.add(payload.to_json().as_bytes());
        }
        hash.hex()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn a_grown_event_keeps_the_keys_and_types_of_its_original() {
    fn shape(value: &Value) -> String {
        match value {
            Value::Map(map) => {
                let keys = map.iter().map(|(key, value)| format!("{key}:{}", shape(value)));
                format!("{{{}}}", keys.collect::<Vec<_>>().join(","))
            }
            Value::List(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(",")),
            Value::Str(_) => "text".to_owned(),
            other => other.to_json(),
        }
    }
    let originals = match real() {
        Some(path) => cloudtrail_events(&Inputs::load(Some(&path)).unwrap()).unwrap(),
        None => own_events(&mut Vocabulary::default()).unwrap(),
    };
    let mut dice = Dice::new(9);
    let mut ids = BTreeSet::new();
    for original in &originals {
        let made = Template::of(original).fill(&mut dice, &Vocabulary::default(), START_MICROS);
        let made = Value::parse_json(made.as_bytes()).unwrap();
        assert_eq!(shape(&made), shape(original));
        ids.insert(made.get("eventID").and_then(Value::as_str).unwrap().to_owned());
    }
    assert_eq!(ids.len(), originals.len(), "every event has an id of its own");
}
