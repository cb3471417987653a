//! A stream in memory that can play the faults of Kinesis.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use streamalert_aws::{Fault, FaultKind};

use super::api::{Consumer, KinesisApi, Page, StoredRecord, StreamFacts, Subscription};
use super::lineage::Shard;
use super::place::Place;

#[derive(Clone, Default)]
pub(super) struct FakeKinesis(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    shards: BTreeMap<String, FakeShard>,
    sequence: u64,
    /// The next calls of these actions fail.
    faults: VecDeque<Fault>,
    calls: Vec<String>,
    consumer: Option<u32>,
    /// Records that polling has given.
    given: usize,
    /// The ARN, where it is not `arn:stream`.
    arn: Option<String>,
}

#[derive(Default)]
struct FakeShard {
    parents: Vec<String>,
    closed: bool,
    records: Vec<StoredRecord>,
}

/// Records that a subscription gives at once, and answers after which it ends.
const PAGE: usize = 2;
const PAGES: usize = 3;

pub(super) fn fault(action: &'static str, kind: FaultKind, code: &str) -> Fault {
    Fault {
        action,
        kind,
        code: code.to_owned(),
        reason: "played".to_owned(),
    }
}

impl FakeKinesis {
    pub(super) fn with_shards(ids: &[&str]) -> Self {
        let fake = Self::default();
        for id in ids {
            fake.add_shard(id, &[]);
        }
        fake
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Adds a shard and closes those that it comes of.
    pub(super) fn add_shard(&self, id: &str, parents: &[&str]) {
        let mut state = self.state();
        for parent in parents {
            if let Some(parent) = state.shards.get_mut(*parent) {
                parent.closed = true;
            }
        }
        let shard = FakeShard {
            parents: parents.iter().map(|id| (*id).to_owned()).collect(),
            ..FakeShard::default()
        };
        state.shards.insert(id.to_owned(), shard);
    }

    pub(super) fn rename(&self, arn: &str) {
        self.state().arn = Some(arn.to_owned());
    }

    pub(super) fn remove_shard(&self, id: &str) {
        self.state().shards.remove(id);
    }

    /// Writes records that arrive at `millis`. The first one of a stream has the sequence number 1.
    pub(super) fn put<T: AsRef<[u8]>>(&self, shard: &str, millis: i64, bodies: &[T]) {
        let mut state = self.state();
        for body in bodies {
            state.sequence += 1;
            let record = StoredRecord {
                sequence: state.sequence.to_string(),
                arrival_millis: Some(millis),
                data: Bytes::copy_from_slice(body.as_ref()),
            };
            state.shards.get_mut(shard).unwrap().records.push(record);
        }
    }

    /// Removes the oldest records of a shard.
    pub(super) fn trim(&self, shard: &str, count: usize) {
        self.state().shards.get_mut(shard).unwrap().records.drain(..count);
    }

    pub(super) fn fail(&self, fault: Fault, times: usize) {
        self.state().faults.extend(vec![fault; times]);
    }

    /// Calls of an action so far, with what they asked for.
    pub(super) fn calls(&self, action: &str) -> Vec<String> {
        let state = self.state();
        let calls = state.calls.iter().filter_map(|call| call.strip_prefix(action));
        calls.map(|rest| rest.trim().to_owned()).collect()
    }

    pub(super) fn given(&self) -> usize {
        self.state().given
    }

    fn call(&self, action: &'static str, what: &str) -> Result<MutexGuard<'_, State>, Fault> {
        let mut state = self.state();
        let name = action.strip_prefix("kinesis:").unwrap();
        state.calls.push(format!("{name} {what}"));
        match state.faults.iter().position(|fault| fault.action == action) {
            Some(at) => Err(state.faults.remove(at).unwrap()),
            None => Ok(state),
        }
    }
}

impl State {
    /// The number after which a reading from `from` begins.
    fn start(&self, action: &'static str, shard: &str, from: &Place) -> Result<u64, Fault> {
        let missing = || fault(action, FaultKind::NotFound, "ResourceNotFoundException");
        let shard = self.shards.get(shard).ok_or_else(missing)?;
        let number = |record: &StoredRecord| record.sequence.parse::<u64>().unwrap();
        Ok(match from {
            Place::Horizon => 0,
            Place::Latest => self.sequence,
            Place::Moment(millis) => {
                let arrived = |record: &&StoredRecord| record.arrival_millis.unwrap() >= *millis;
                shard
                    .records
                    .iter()
                    .find(arrived)
                    .map_or(self.sequence, |record| number(record) - 1)
            }
            Place::After { sequence, index, .. } => {
                sequence.parse::<u64>().unwrap() - u64::from(index.is_some())
            }
        })
    }

    fn page(&self, action: &'static str, shard: &str, after: u64, count: usize) -> Result<Page, Fault> {
        let missing = || fault(action, FaultKind::NotFound, "ResourceNotFoundException");
        let shard = self.shards.get(shard).ok_or_else(missing)?;
        let later = |record: &&StoredRecord| record.sequence.parse::<u64>().unwrap() > after;
        let all: Vec<_> = shard.records.iter().filter(later).cloned().collect();
        let records: Vec<_> = all.iter().take(count).cloned().collect();
        let rest = all.len() - records.len();
        let last = records
            .last()
            .map_or(after, |record| record.sequence.parse().unwrap());
        Ok(Page {
            next: Some(last.to_string()),
            behind_millis: Some(rest as u64 * 1000),
            ended: shard.closed && rest == 0,
            records,
        })
    }
}

#[async_trait]
impl KinesisApi for FakeKinesis {
    async fn describe(&self) -> Result<StreamFacts, Fault> {
        let state = self.call("kinesis:DescribeStreamSummary", "")?;
        Ok(StreamFacts {
            arn: state.arn.clone().unwrap_or_else(|| "arn:stream".to_owned()),
            retention: Duration::from_secs(24 * 3600),
        })
    }

    async fn list_shards(&self) -> Result<Vec<Shard>, Fault> {
        let state = self.call("kinesis:ListShards", "")?;
        let shard = |(id, shard): (&String, &FakeShard)| Shard {
            id: id.clone(),
            parents: shard.parents.clone(),
            open: !shard.closed,
        };
        Ok(state.shards.iter().map(shard).collect())
    }

    async fn iterator(&self, shard: &str, from: &Place) -> Result<String, Fault> {
        const ACTION: &str = "kinesis:GetShardIterator";
        let state = self.call(ACTION, &format!("{shard} {from}"))?;
        let after = state.start(ACTION, shard, from)?;
        Ok(format!("{shard} {after}"))
    }

    async fn records(&self, iterator: &str, count_max: u32) -> Result<Page, Fault> {
        const ACTION: &str = "kinesis:GetRecords";
        let mut state = self.call(ACTION, iterator)?;
        let (shard, after) = iterator.split_once(' ').unwrap();
        let mut page = state.page(ACTION, shard, after.parse().unwrap(), count_max as usize)?;
        state.given += page.records.len();
        page.next = page
            .next
            .filter(|_| !page.ended)
            .map(|after| format!("{shard} {after}"));
        Ok(page)
    }

    async fn find_consumer(&self, _: &str, name: &str) -> Result<Option<Consumer>, Fault> {
        let mut state = self.call("kinesis:DescribeStreamConsumer", name)?;
        // It takes a few looks to become active.
        let Some(looks) = &mut state.consumer else {
            return Ok(None);
        };
        *looks += 1;
        Ok(Some(Consumer {
            arn: format!("arn:{name}"),
            active: *looks > 2,
        }))
    }

    async fn register_consumer(&self, _: &str, name: &str) -> Result<Consumer, Fault> {
        self.call("kinesis:RegisterStreamConsumer", name)?.consumer = Some(0);
        Ok(Consumer {
            arn: format!("arn:{name}"),
            active: false,
        })
    }

    async fn subscribe(
        &self,
        consumer_arn: &str,
        shard: &str,
        from: &Place,
    ) -> Result<Box<dyn Subscription>, Fault> {
        const ACTION: &str = "kinesis:SubscribeToShard";
        let state = self.call(ACTION, &format!("{consumer_arn} {shard} {from}"))?;
        let after = state.start(ACTION, shard, from)?;
        Ok(Box::new(FakeSubscription {
            kinesis: self.clone(),
            shard: shard.to_owned(),
            after,
            left: PAGES,
        }))
    }
}

struct FakeSubscription {
    kinesis: FakeKinesis,
    shard: String,
    after: u64,
    left: usize,
}

#[async_trait]
impl Subscription for FakeSubscription {
    async fn next(&mut self) -> Result<Option<Page>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        const ACTION: &str = "kinesis:SubscribeToShard";
        let page = self.kinesis.state().page(ACTION, &self.shard, self.after, PAGE)?;
        if page.records.is_empty() && !page.ended {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        self.after = page.next.as_ref().unwrap().parse().unwrap();
        Ok(Some(page))
    }
}
