//! Merging of alerts: which alerts belong together, and what a group of them becomes.
//!
//! The behaviour is StreamAlert's (`Alert.can_merge`, `Alert.merge`), with two differences:
//! - `ValueDiffs` is keyed by creation time. Where two alerts were created in the same microsecond StreamAlert
//!   loses one entry; here the later one takes the next free microsecond, so `AlertCount` entries remain.
//! - Staged alerts never share a group with others: a merged alert goes to the outputs of its newest member,
//!   and a rule that is being tried out must not reach a user's output.

mod key;
mod record;
mod route;

pub use key::{KeyReader, UnreadableRecord, first_key};
pub use route::{GroupKey, Routed, Router};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use streamalert_types::{Alert, AlertId, Merging, OutputName, Timestamp};
use streamalert_value::{Doc, Kind, NodeRef, Value, decode_json_bytes, write_json_text};

use record::{Common, Ignored, common_of};

/// What `MergedBy` shows for a merge key that the oldest record lacks.
const NOT_AVAILABLE: &str = "(n/a)";

/// Under what name the text of a record is kept that cannot be read as a JSON object.
const UNREADABLE_KEY: &str = "unreadable_record";

/// Parser buffers that a thread keeps from one group to the next: as many as a group has members, each of this size
/// at most.
const BUFFERS_KEPT: usize = 50;
const BUFFER_KEPT_BYTES: usize = 64 << 10;

thread_local! {
    static BUFFERS: RefCell<Vec<Doc>> = const { RefCell::new(Vec::new()) };
}

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
    merge_group(id, now, &GroupNotes::default(), members)
}

/// What there is to say of a group beside its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupNotes {
    /// The alert that went out first, which is not among the members.
    pub follows: Option<AlertId>,
    /// Why it was closed before its window ended, in a few words.
    pub closed_early: Option<String>,
}

/// As [`merge`], with what else is known of the group. The record says it in fields of their own, `FirstAlert` and
/// `ClosedEarly`, which StreamAlert's merged alerts do not have.
#[must_use]
pub fn merge_group(id: AlertId, now: Timestamp, notes: &GroupNotes, members: &[Arc<Alert>]) -> Option<Alert> {
    let mut members: Vec<&Arc<Alert>> = members.iter().collect();
    members.sort_by_key(|alert| (alert.created, alert.id));
    let (oldest, newest) = (*members.first()?, *members.last()?);
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
        merging: notes.follows.map_or(Merging::Together, Merging::Follows),
        record: Bytes::from(merged_record(&members, notes)),
        ..Alert::clone(oldest)
    })
}

/// The record of a merged alert, as JSON. `members` is sorted and not empty.
fn merged_record(members: &[&Arc<Alert>], notes: &GroupNotes) -> Vec<u8> {
    let keys = &members[0].merge_by_keys;
    let read: Vec<(Doc, Cow<'_, str>)> = members.iter().map(|alert| read_record(&alert.record)).collect();
    let records: Vec<NodeRef<'_>> = read.iter().map(|(doc, source)| doc.tree(source).root()).collect();
    let ignored = Ignored::new(keys);
    // Most groups hold one alert: all of its record is common.
    let common = match records.as_slice() {
        [only] => Common::Whole(*only),
        _ => common_of(&records, &ignored),
    };

    let times: Vec<String> = creation_times(members);
    let bytes: usize = read.iter().map(|(_, source)| source.len()).sum();
    let mut out = Vec::with_capacity(512 + bytes);
    let (first, last) = (&times[0], members[members.len() - 1].created);
    let last = if last == members[0].created {
        Cow::Borrowed(first)
    } else {
        Cow::Owned(last.to_string())
    };
    let head = format!(
        r#"{{"AlertCount":{},"AlertTimeFirst":"{first}","AlertTimeLast":"{last}","#,
        members.len()
    );
    out.extend_from_slice(head.as_bytes());
    if let Some(first) = notes.follows {
        out.extend_from_slice(format!(r#""FirstAlert":"{first}","#).as_bytes());
    }
    if let Some(reason) = &notes.closed_early {
        out.extend_from_slice(b"\"ClosedEarly\":");
        write_json_text(reason, &mut out);
        out.push(b',');
    }
    out.extend_from_slice(b"\"MergedBy\":");
    write_merged_by(records[0], keys, &mut out);
    out.extend_from_slice(b",\"OtherCommonKeys\":");
    common.write(&ignored, &mut out);
    out.extend_from_slice(b",\"ValueDiffs\":{");
    for (at, (time, record)) in times.iter().zip(&records).enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(time.as_bytes());
        out.extend_from_slice(b"\":");
        common.write_difference(*record, &ignored, &mut out);
    }
    out.extend_from_slice(b"}}");
    drop((records, common));
    give_back(read);
    out
}

/// When each member was created; of several in one microsecond each takes the next that is free.
fn creation_times(members: &[&Arc<Alert>]) -> Vec<String> {
    let mut taken = i64::MIN;
    let mut time = |alert: &&Arc<Alert>| {
        taken = alert.created.as_micros().max(taken.saturating_add(1));
        Timestamp::from_micros(taken).to_string()
    };
    members.iter().map(&mut time).collect()
}

/// Writes the merge keys and their values in the oldest record.
fn write_merged_by(record: NodeRef<'_>, keys: &[String], out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, key) in keys.iter().enumerate() {
        if keys[..at].contains(key) {
            continue;
        }
        if at > 0 {
            out.push(b',');
        }
        write_json_text(key, out);
        out.push(b':');
        match first_key(record, key) {
            Some(value) => value.write_json(out),
            None => write_json_text(NOT_AVAILABLE, out),
        }
    }
    out.push(b'}');
}

/// A record and its text. One that is no object cannot have joined a group, but if it did its text is kept within
/// an object rather than the group lost.
fn read_record(json: &[u8]) -> (Doc, Cow<'_, str>) {
    let mut doc = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    if let Ok(text) = decode_json_bytes(json)
        && doc.parse(&text).is_ok_and(|tree| tree.root().kind() == Kind::Map)
    {
        return (doc, text);
    }
    let text = Value::Str(String::from_utf8_lossy(json).into_owned());
    let object = Value::Map([(UNREADABLE_KEY.to_owned(), text)].into_iter().collect()).to_json();
    doc.parse(&object).expect("what the writer wrote can be read");
    (doc, Cow::Owned(object))
}

fn give_back(read: Vec<(Doc, Cow<'_, str>)>) {
    BUFFERS.with_borrow_mut(|buffers| {
        for (mut doc, _) in read {
            if buffers.len() < BUFFERS_KEPT {
                doc.shrink_to(BUFFER_KEPT_BYTES);
                buffers.push(doc);
            }
        }
    });
}

#[cfg(test)]
mod tests;
