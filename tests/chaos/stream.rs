//! The stream of a fleet: the load, its shards, and a look at the order in which they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use streamalert_testkit::emulator::Calls;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::events::event;
use crate::faults::TICK;

pub(crate) const STREAM: &str = "stream";
const SHARDS: u32 = 4;
/// Within these resharding keeps their number: the emulator answers a few hundred calls a second.
const SHARDS_OPEN: std::ops::RangeInclusive<usize> = 3..=6;
const EVENTS_PER_TICK: usize = 3;
/// Between two looks at the leases.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// Half of a lease: who cannot renew its leases for so long may lose them, like who is frozen.
const SLOW: Duration = Duration::from_secs(3);

/// A shard as the stream lists it.
#[derive(Debug, Clone)]
pub(crate) struct Shard {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
    pub(crate) open: bool,
    /// Its hash keys, both included.
    keys: (u128, u128),
}

/// What was put.
#[derive(Debug, Clone, Default)]
pub(crate) struct Put {
    pub(crate) events: usize,
    /// The sequence number of the last record of each shard.
    pub(crate) last: BTreeMap<String, String>,
}

pub(crate) struct Stream {
    calls: Calls,
    put: Arc<Mutex<Put>>,
    stopped: Arc<AtomicBool>,
    load: Option<JoinHandle<()>>,
}

impl Stream {
    pub(crate) async fn create(calls: Calls) -> Self {
        calls.create_stream(STREAM, SHARDS).await;
        let stream = Self {
            calls,
            put: Arc::default(),
            stopped: Arc::default(),
            load: None,
        };
        stream.settled().await;
        stream
    }

    /// Puts events until [`Stream::stop`].
    pub(crate) fn start(&mut self) {
        let load = load(self.calls.clone(), self.put.clone(), self.stopped.clone());
        self.load = Some(tokio::spawn(load));
    }

    /// Puts no more; answers what was put.
    pub(crate) async fn stop(&mut self) -> Put {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(load) = self.load.take() {
            load.await.unwrap();
        }
        self.put()
    }

    pub(crate) fn put(&self) -> Put {
        self.put.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn shards(&self) -> Vec<Shard> {
        let body = format!(r#"{{"StreamName":"{STREAM}"}}"#);
        let answer = self
            .calls
            .ask("kinesis", "Kinesis_20131202.ListShards", &body)
            .await;
        let answer: Value = serde_json::from_str(&answer.unwrap()).unwrap();
        answer["Shards"].as_array().unwrap().iter().map(shard).collect()
    }

    /// Waits until it is not being changed; answers its open shards in the order of their keys.
    async fn settled(&self) -> Vec<Shard> {
        let body = format!(r#"{{"StreamName":"{STREAM}"}}"#);
        let mut looks = tokio::time::interval(TICK);
        loop {
            looks.tick().await;
            let target = "Kinesis_20131202.DescribeStreamSummary";
            let answer = self.calls.ask("kinesis", target, &body).await.unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                break;
            }
        }
        let mut open: Vec<Shard> = self
            .shards()
            .await
            .into_iter()
            .filter(|shard| shard.open)
            .collect();
        open.sort_by_key(|shard| shard.keys);
        open
    }

    /// Splits the shard with the most keys; `None` when there are enough.
    pub(crate) async fn split(&self) -> Option<String> {
        let open = self.settled().await;
        if open.len() >= *SHARDS_OPEN.end() {
            return None;
        }
        let shard = open.iter().max_by_key(|shard| shard.keys.1 - shard.keys.0)?;
        let middle = shard.keys.0.midpoint(shard.keys.1);
        let body = format!(
            r#"{{"StreamName":"{STREAM}","ShardToSplit":"{}","NewStartingHashKey":"{middle}"}}"#,
            shard.id
        );
        self.calls
            .ask("kinesis", "Kinesis_20131202.SplitShard", &body)
            .await
            .unwrap();
        Some(shard.id.clone())
    }

    /// Merges the two neighbours with the fewest keys; `None` when there are few shards.
    pub(crate) async fn merge(&self) -> Option<String> {
        let open = self.settled().await;
        if open.len() <= *SHARDS_OPEN.start() {
            return None;
        }
        let keys = |pair: &&[Shard]| pair[1].keys.1 - pair[0].keys.0;
        let [one, other] = open.windows(2).min_by_key(keys)? else {
            return None;
        };
        let body = format!(
            r#"{{"StreamName":"{STREAM}","ShardToMerge":"{}","AdjacentShardToMerge":"{}"}}"#,
            one.id, other.id
        );
        self.calls
            .ask("kinesis", "Kinesis_20131202.MergeShards", &body)
            .await
            .unwrap();
        Some(format!("{} and {}", one.id, other.id))
    }
}

async fn load(calls: Calls, put: Arc<Mutex<Put>>, stopped: Arc<AtomicBool>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stopped.load(Ordering::Relaxed) {
        ticks.tick().await;
        let from = put.lock().unwrap_or_else(PoisonError::into_inner).events;
        let events = from..from + EVENTS_PER_TICK;
        let records: Vec<(String, String)> = events.map(|n| (format!("key{n}"), event(n))).collect();
        let places = calls.put_records(STREAM, &records).await;
        let mut put = put.lock().unwrap_or_else(PoisonError::into_inner);
        put.events += records.len();
        for placed in places {
            put.last.insert(placed.shard, placed.sequence);
        }
    }
}

fn shard(shard: &Value) -> Shard {
    let key = |name: &str| {
        shard["HashKeyRange"][name]
            .as_str()
            .unwrap()
            .parse::<u128>()
            .unwrap()
    };
    let parents = ["ParentShardId", "AdjacentParentShardId"];
    Shard {
        id: shard["ShardId"].as_str().unwrap().to_owned(),
        parents: parents
            .iter()
            .filter_map(|name| shard[*name].as_str())
            .map(str::to_owned)
            .collect(),
        open: shard["SequenceNumberRange"]["EndingSequenceNumber"].is_null(),
        keys: (key("StartingHashKey"), key("EndingHashKey")),
    }
}

/// What the lease table showed over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Shards of the stream that were begun before those that they came of were read to their end.
    pub(crate) disorder: BTreeSet<String>,
    /// The most mergers that owned shards at the same time, and how many did so at the last look.
    pub(crate) mergers_max: usize,
    pub(crate) mergers: usize,
    /// From when to when the table did not answer for so long that leases may have run out by it.
    pub(crate) slow: Vec<(Instant, Instant)>,
}

/// Looks at the lease table again and again, in the emulator itself.
pub(crate) struct Watch {
    tables: Calls,
    seen: Arc<Mutex<Seen>>,
    looking: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn new(tables: Calls) -> Self {
        Self {
            tables,
            seen: Arc::default(),
            looking: None,
        }
    }

    /// Begins, once there is a table.
    pub(crate) fn start(&mut self) {
        let (tables, seen) = (self.tables.clone(), self.seen.clone());
        self.looking = Some(tokio::spawn(async move {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut last = Instant::now();
            loop {
                looks.tick().await;
                let body = r#"{"TableName":"streamalert-leases","ConsistentRead":true}"#;
                // Not answered in time: there is another look.
                let Ok(answer) = tables.ask("dynamodb", "DynamoDB_20120810.Scan", body).await else {
                    continue;
                };
                let answer: Value = serde_json::from_str(&answer).unwrap();
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                look(&answer["Items"], &mut seen);
                let now = Instant::now();
                if now - last > SLOW {
                    seen.slow.push((last, now));
                }
                last = now;
            }
        }));
    }

    pub(crate) fn seen(&self) -> Seen {
        let looks = self
            .looking
            .as_ref()
            .is_some_and(|looking| !looking.is_finished());
        assert!(looks, "nobody looks at the lease table");
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(looking) = &self.looking {
            looking.abort();
        }
    }
}

fn look(items: &Value, seen: &mut Seen) {
    let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    let items = items.as_array().unwrap();
    let checkpoints: BTreeMap<String, String> = items
        .iter()
        .map(|item| (text(item, "leaseKey"), text(item, "checkpoint")))
        .collect();
    let mut mergers = BTreeSet::new();
    for item in items {
        let (key, owner) = (text(item, "leaseKey"), text(item, "leaseOwner"));
        if key.starts_with("merger/") && !owner.is_empty() {
            // Not by name: each start of a process has its own.
            mergers.insert(text(item, "leaseAddress"));
        }
        let begun = !owner.is_empty() || !text(item, "checkpoint").is_empty();
        let parents = item["parentShardId"]["SS"].as_array();
        for parent in parents.into_iter().flatten().filter_map(Value::as_str) {
            // One that is gone was read to its end before.
            let unread = checkpoints
                .get(parent)
                .is_some_and(|checkpoint| checkpoint != "SHARD_END");
            if begun && unread {
                seen.disorder.insert(key.clone());
            }
        }
    }
    seen.mergers = mergers.len();
    seen.mergers_max = seen.mergers_max.max(seen.mergers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(parent: &str, child: &str) -> Seen {
        let items = format!(
            r#"[{{"leaseKey": {{"S": "kinesis/stream/a"}}, "checkpoint": {{"S": "{parent}"}}}},
                {{"leaseKey": {{"S": "kinesis/stream/b"}}, "leaseOwner": {{"S": "{child}"}},
                  "parentShardId": {{"SS": ["kinesis/stream/a"]}}}}]"#
        );
        let mut seen = Seen::default();
        look(&serde_json::from_str(&items).unwrap(), &mut seen);
        seen
    }

    #[test]
    fn a_shard_that_is_begun_before_its_parent_is_read_is_seen() {
        assert!(seen("SHARD_END", "node").disorder.is_empty());
        assert!(seen("4711#0", "").disorder.is_empty());
        assert_eq!(seen("4711#0", "node").disorder.len(), 1);
    }
}
