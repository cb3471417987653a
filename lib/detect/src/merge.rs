//! Merging of alerts: which alerts belong together, and what a group of them becomes.
//!
//! The behaviour is StreamAlert's (`Alert.can_merge`, `Alert.merge`), with two differences:
//! - `ValueDiffs` is keyed by creation time. Where two alerts were created in the same microsecond StreamAlert
//!   loses one entry; here the later one takes the next free microsecond, so `AlertCount` entries remain.
//! - Staged alerts never share a group with others: a merged alert goes to the outputs of its newest member,
//!   and a rule that is being tried out must not reach a user's output.

mod key;
mod record;

pub use key::{KeyReader, UnreadableRecord, first_key};
pub use record::{clean_record, common_of, difference};

use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{Alert, AlertId, OutputName, Timestamp};
use streamalert_value::{Doc, Map, Value, decode_json_bytes};

/// What `MergedBy` shows for a merge key that the oldest record lacks.
const NOT_AVAILABLE: &str = "(n/a)";

/// Under what name the text of a record is kept that cannot be read as a JSON object.
const UNREADABLE_KEY: &str = "unreadable_record";

/// Whether two alerts may share a group: same rule and merge-key values, and the newer was created no later
/// than the window of the older allows (the very end included).
#[must_use]
pub fn can_merge(a: &Alert, b: &Alert) -> bool {
    let (older, newer) = if b.created < a.created { (b, a) } else { (a, b) };
    if !older.merge_enabled() || !newer.merge_enabled() || a.rule_name != b.rule_name {
        return false;
    }
    if newer.created > window_end(older.created, older.merge_window_mins) {
        return false;
    }
    let mut reader = KeyReader::new();
    matches!((reader.merge_key(a), reader.merge_key(b)), (Ok(one), Ok(other)) if one == other)
}

/// The last moment at which an alert may be created that still belongs to the group whose oldest alert is
/// given.
#[must_use]
pub fn window_end(created: Timestamp, window_mins: u32) -> Timestamp {
    created.plus(std::time::Duration::from_secs(u64::from(window_mins) * 60))
}

/// The alert that a closed group becomes: outputs of the newest member, everything else of the oldest, and a
/// record that tells what the members have in common and how each differs. `None` for a group of nobody.
///
/// `members` may come in any order. They are sorted by creation, then id.
#[must_use]
pub fn merge(id: AlertId, now: Timestamp, members: &[Arc<Alert>]) -> Option<Alert> {
    let mut members: Vec<&Arc<Alert>> = members.iter().collect();
    members.sort_by_key(|alert| (alert.created, alert.id));
    let (oldest, newest) = (*members.first()?, *members.last()?);
    let record = Value::Map(merged_record(&members));
    let outputs = if newest.staged {
        std::iter::once(OutputName::history()).collect()
    } else {
        newest.outputs.clone()
    };
    Some(Alert {
        id,
        created: now,
        outputs,
        merge_by_keys: Arc::from([]),
        merge_window_mins: 0,
        record: Bytes::from(record.to_json()),
        ..Alert::clone(oldest)
    })
}

/// The record of a merged alert. `members` is sorted and not empty.
fn merged_record(members: &[&Arc<Alert>]) -> Map {
    let keys = &members[0].merge_by_keys;
    let records: Vec<Map> = members
        .iter()
        .map(|alert| clean_record(read_record(&alert.record), keys))
        .collect();
    let references: Vec<&Map> = records.iter().collect();
    let common = common_of(&references);
    let mut diffs = Map::with_capacity(records.len());
    for (alert, record) in members.iter().zip(&records) {
        let mut moment = alert.created;
        while diffs.contains_key(&moment.to_string()) {
            moment = Timestamp::from_micros(moment.as_micros().saturating_add(1));
        }
        diffs.insert(moment.to_string(), Value::Map(difference(&common, record)));
    }
    let time = |alert: &Alert| Value::Str(alert.created.to_string());
    let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
    Map::from_iter([
        ("AlertCount".to_owned(), Value::Int(count)),
        ("AlertTimeFirst".to_owned(), time(members[0])),
        ("AlertTimeLast".to_owned(), time(members[members.len() - 1])),
        ("MergedBy".to_owned(), Value::Map(merged_by(members[0]))),
        ("OtherCommonKeys".to_owned(), Value::Map(common)),
        ("ValueDiffs".to_owned(), Value::Map(diffs)),
    ])
}

/// The merge keys and their values in one record.
fn merged_by(alert: &Alert) -> Map {
    let mut doc = Doc::new();
    let source = decode_json_bytes(&alert.record).unwrap_or_default();
    let record = doc.parse(&source).ok().map(|tree| tree.root());
    let value = |key: &String| {
        let found = record.and_then(|record| first_key(record, key));
        (
            key.clone(),
            found.map_or_else(|| Value::Str(NOT_AVAILABLE.to_owned()), |node| node.to_value()),
        )
    };
    alert.merge_by_keys.iter().map(value).collect()
}

/// The record as a dictionary. A record that is none cannot have joined a group, but if it did its text is
/// kept rather than the group lost.
fn read_record(json: &[u8]) -> Map {
    if let Ok(Value::Map(map)) = Value::parse_json(json) {
        return map;
    }
    let text = String::from_utf8_lossy(json).into_owned();
    Map::from_iter([(UNREADABLE_KEY.to_owned(), Value::Str(text))])
}

#[cfg(test)]
mod tests;
