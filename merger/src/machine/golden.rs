//! StreamAlert's merger, replayed: its items arrive, then the clock moves to its `now`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use streamalert_store::MemoryStore;
use streamalert_types::{Alert, AlertId, Merging, OutputName, Timestamp};
use streamalert_value::Value;

use super::fixtures::World;
use crate::MergerOptions;

/// The lines of a golden file; `None` where the shared folder is absent, which must not happen in CI.
fn golden(name: &str) -> Option<Vec<Value>> {
    let shared = std::env::var_os("STREAMALERT_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let path = shared.join("golden").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(
            text.lines()
                .map(|line| Value::parse_json(line.as_bytes()).unwrap())
                .collect(),
        ),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{}: {error}", path.display());
            println!("skipped: {} is absent", path.display());
            None
        }
    }
}

fn list<'a>(item: &'a Value, key: &str) -> &'a [Value] {
    item.get(key).and_then(Value::as_list).unwrap_or_default()
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn outputs(item: &Value) -> BTreeSet<OutputName> {
    list(item, "Outputs")
        .iter()
        .map(|name| name.as_str().unwrap().parse().unwrap())
        .collect()
}

fn alert(item: &Value) -> Arc<Alert> {
    let window = item.get("MergeWindowMins").and_then(Value::as_i64).unwrap();
    let shared = |key| Arc::from(text(item, key));
    Arc::new(Alert {
        id: text(item, "AlertID").parse().unwrap(),
        rule_name: shared("RuleName"),
        rule_description: shared("RuleDescription"),
        created: text(item, "Created").parse().unwrap(),
        cluster: None,
        log_source: shared("LogSource"),
        log_type: shared("LogType"),
        source_entity: shared("SourceEntity"),
        source_service: shared("SourceService"),
        outputs: outputs(item),
        publishers: item.get("Publishers").cloned().unwrap(),
        context: item.get("Context").cloned().unwrap(),
        merge_by_keys: list(item, "MergeByKeys")
            .iter()
            .map(|key| key.as_str().unwrap().to_owned())
            .collect(),
        merge_window_mins: u32::try_from(window).unwrap(),
        staged: item.get("Staged").and_then(Value::as_bool).unwrap(),
        record: Bytes::from(text(item, "Record").to_owned()),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    })
}

/// What a merged alert of ours and of StreamAlert must share.
fn is_same(ours: &Alert, theirs: &Value, entries_lost: bool) -> bool {
    let mut record = Value::parse_json(&ours.record).unwrap();
    let mut expected = theirs.get("Record").unwrap().clone();
    if entries_lost {
        // StreamAlert keeps one entry of two that were created in one microsecond.
        let count = record.get("ValueDiffs").unwrap().as_map().unwrap().len();
        assert_eq!(Some(count as i64), record.get("AlertCount").unwrap().as_i64());
        record.as_map_mut().unwrap().shift_remove("ValueDiffs");
        expected.as_map_mut().unwrap().shift_remove("ValueDiffs");
    }
    record.same(&expected)
        && ours.outputs == outputs(theirs)
        && ours.context.same(theirs.get("Context").unwrap())
        && ours.publishers.same(theirs.get("Publishers").unwrap())
        && &*ours.rule_name == text(theirs, "RuleName")
        && &*ours.log_source == text(theirs, "LogSource")
        && ours.created == text(theirs, "Created").parse().unwrap()
        && !ours.merge_enabled()
}

#[test]
fn groups_and_merged_alerts_are_streamalerts() {
    let Some(cases) = golden("merge_edge_cases.jsonl") else {
        return;
    };
    assert!(!cases.is_empty());
    for case in &cases {
        let id = text(case, "id");
        let mut alerts: Vec<_> = list(case, "items").iter().map(alert).collect();
        alerts.sort_by_key(|alert| (alert.created, alert.id));
        let options = MergerOptions {
            window_grace: Duration::ZERO,
            shards: 4,
            ..MergerOptions::default()
        };
        let mut world = World::new(options, MemoryStore::new(), alerts[0].created);
        // StreamAlert looks at them only after all have come.
        world.arrive(&alerts);
        let now: Timestamp = format!("{}Z", text(case, "now")).parse().unwrap();
        world.tick(now);

        let result = case.get("result").unwrap();
        let theirs = list(result, "merged_alerts");
        let mut ours: Vec<_> = world
            .closed
            .iter()
            .map(|(id, ..)| Arc::clone(&world.bodies[id]))
            .collect();
        assert_eq!(ours.len(), theirs.len(), "{id}");
        for merged in theirs {
            let at = ours
                .iter()
                .position(|ours| is_same(ours, merged, id == "same_timestamp"));
            let at = at.unwrap_or_else(|| panic!("{id}: no alert of ours is {}", merged.to_json()));
            ours.remove(at);
        }
        let deleted: BTreeSet<AlertId> = list(result, "deleted")
            .iter()
            .map(|key| text(key, "AlertID").parse().unwrap())
            .collect();
        let closed: BTreeSet<AlertId> = world
            .closed
            .iter()
            .flat_map(|(_, members, _)| members.clone())
            .collect();
        assert_eq!(closed, deleted, "{id}");
        // What StreamAlert dispatches is what goes to users' outputs here: merged alerts and lone ones.
        let sent: BTreeSet<AlertId> = world
            .delivered
            .keys()
            .filter(|(_, output)| *output != OutputName::history())
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(sent.len(), list(result, "dispatched").len(), "{id}");
    }
}
