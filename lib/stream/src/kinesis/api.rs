//! The calls of Kinesis that a source makes, behind a trait so that tests can play its faults.

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::types::{self, ConsumerStatus, ShardIteratorType, SubscribeToShardEventStream};
use aws_smithy_types::DateTime;
use bytes::Bytes;
use std::time::Duration;
use streamalert_aws::{Fault, FaultKind};

use super::lineage::Shard;
use super::options::StreamId;
use super::place::Place;

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamFacts {
    pub(super) arn: String,
    /// How long records are kept.
    pub(super) retention: Duration,
}

/// A record as it lies in a shard: one payload, or an aggregate of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredRecord {
    pub(super) sequence: String,
    /// When it arrived, in milliseconds since 1970.
    pub(super) arrival_millis: Option<i64>,
    pub(super) data: Bytes,
}

/// What one read of a shard brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) records: Vec<StoredRecord>,
    /// Where polling goes on: the next iterator. Where a subscription goes on: a sequence number.
    pub(super) next: Option<String>,
    /// How far behind the newest record this read was.
    pub(super) behind_millis: Option<u64>,
    /// The shard is closed and this was the last of it.
    pub(super) ended: bool,
}

/// An enhanced fan-out consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) arn: String,
    /// It may be used: registering one takes a while.
    pub(super) active: bool,
}

/// Kinesis, for one stream.
#[async_trait]
pub(super) trait KinesisApi: Send + Sync + 'static {
    async fn describe(&self) -> Result<StreamFacts, Fault>;

    /// All shards, the closed ones that still hold records included.
    async fn list_shards(&self) -> Result<Vec<Shard>, Fault>;

    /// An iterator, which is good for five minutes.
    async fn iterator(&self, shard: &str, from: &Place) -> Result<String, Fault>;

    async fn records(&self, iterator: &str, count_max: u32) -> Result<Page, Fault>;

    /// The consumer of this name; `None` when there is none.
    async fn find_consumer(&self, stream_arn: &str, name: &str) -> Result<Option<Consumer>, Fault>;

    async fn register_consumer(&self, stream_arn: &str, name: &str) -> Result<Consumer, Fault>;

    /// Subscribes to a shard, for five minutes at most.
    async fn subscribe(
        &self,
        consumer_arn: &str,
        shard: &str,
        from: &Place,
    ) -> Result<Box<dyn Subscription>, Fault>;
}

/// A subscription to a shard.
#[async_trait]
pub(super) trait Subscription: Send {
    /// What comes next; `None` when the subscription is over.
    async fn next(&mut self) -> Result<Option<Page>, Fault>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct KinesisClient {
    pub(super) client: Client,
    pub(super) stream: StreamId,
}

impl KinesisClient {
    /// The stream as calls name it: by ARN, where that is known, or else by name.
    fn named(&self) -> (Option<String>, Option<String>) {
        match &self.stream.arn {
            Some((arn, _)) => (Some(arn.clone()), None),
            None => (None, Some(self.stream.name.clone())),
        }
    }
}

#[async_trait]
impl KinesisApi for KinesisClient {
    async fn describe(&self) -> Result<StreamFacts, Fault> {
        const ACTION: &str = "kinesis:DescribeStreamSummary";
        let (arn, name) = self.named();
        let call = self.client.describe_stream_summary();
        let output = call.set_stream_arn(arn).set_stream_name(name).send().await;
        let output = output.map_err(|error| Fault::of(ACTION, &error))?;
        let summary = output.stream_description_summary();
        let summary = summary.ok_or_else(|| empty(ACTION))?;
        let hours = u64::try_from(summary.retention_period_hours())
            .unwrap_or(0)
            .max(24);
        Ok(StreamFacts {
            arn: summary.stream_arn().to_owned(),
            retention: Duration::from_secs(hours * 3600),
        })
    }

    async fn list_shards(&self) -> Result<Vec<Shard>, Fault> {
        let mut shards = Vec::new();
        let (mut arn, mut name) = self.named();
        let mut token = None;
        loop {
            let call = self.client.list_shards().set_stream_arn(arn);
            let output = call.set_stream_name(name).set_next_token(token).send().await;
            let output = output.map_err(|error| Fault::of("kinesis:ListShards", &error))?;
            shards.extend(output.shards().iter().map(shard));
            token = output.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(shards);
            }
            // A token names the stream, and no other name may stand beside it; an ARN tells where to ask.
            (arn, name) = (self.named().0, None);
        }
    }

    async fn iterator(&self, shard: &str, from: &Place) -> Result<String, Fault> {
        const ACTION: &str = "kinesis:GetShardIterator";
        let (arn, name) = self.named();
        let (kind, sequence, moment) = starting(from);
        let call = self.client.get_shard_iterator().set_stream_arn(arn);
        let call = call
            .set_stream_name(name)
            .shard_id(shard)
            .shard_iterator_type(kind);
        let call = call.set_starting_sequence_number(sequence).set_timestamp(moment);
        let output = call.send().await.map_err(|error| Fault::of(ACTION, &error))?;
        let iterator = output.shard_iterator().map(str::to_owned);
        iterator.ok_or_else(|| empty(ACTION))
    }

    async fn records(&self, iterator: &str, count_max: u32) -> Result<Page, Fault> {
        let limit = i32::try_from(count_max).unwrap_or(i32::MAX);
        let call = self.client.get_records().shard_iterator(iterator).limit(limit);
        let output = call.set_stream_arn(self.named().0).send().await;
        let output = output.map_err(|error| Fault::of("kinesis:GetRecords", &error))?;
        Ok(Page {
            behind_millis: output
                .millis_behind_latest()
                .and_then(|millis| millis.try_into().ok()),
            ended: output.next_shard_iterator().is_none(),
            next: output.next_shard_iterator,
            records: output.records.into_iter().map(record).collect(),
        })
    }

    async fn find_consumer(&self, stream_arn: &str, name: &str) -> Result<Option<Consumer>, Fault> {
        const ACTION: &str = "kinesis:DescribeStreamConsumer";
        let call = self.client.describe_stream_consumer();
        let output = call.stream_arn(stream_arn).consumer_name(name).send().await;
        let output = match output.map_err(|error| Fault::of(ACTION, &error)) {
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(None),
            output => output?,
        };
        let consumer = output.consumer_description();
        let consumer = consumer.ok_or_else(|| empty(ACTION))?;
        Ok(Some(Consumer {
            arn: consumer.consumer_arn().to_owned(),
            active: *consumer.consumer_status() == ConsumerStatus::Active,
        }))
    }

    async fn register_consumer(&self, stream_arn: &str, name: &str) -> Result<Consumer, Fault> {
        const ACTION: &str = "kinesis:RegisterStreamConsumer";
        let call = self.client.register_stream_consumer();
        let output = call.stream_arn(stream_arn).consumer_name(name).send().await;
        let output = output.map_err(|error| Fault::of(ACTION, &error))?;
        let consumer = output.consumer().ok_or_else(|| empty(ACTION))?;
        Ok(Consumer {
            arn: consumer.consumer_arn().to_owned(),
            active: *consumer.consumer_status() == ConsumerStatus::Active,
        })
    }

    async fn subscribe(
        &self,
        consumer_arn: &str,
        shard: &str,
        from: &Place,
    ) -> Result<Box<dyn Subscription>, Fault> {
        let (kind, sequence, moment) = starting(from);
        let position = types::StartingPosition::builder().r#type(kind);
        let position = position
            .set_sequence_number(sequence)
            .set_timestamp(moment)
            .build();
        let position = position.map_err(|error| Fault {
            action: SUBSCRIBE,
            kind: FaultKind::Invalid,
            code: String::new(),
            reason: error.to_string(),
        })?;
        let call = self.client.subscribe_to_shard().consumer_arn(consumer_arn);
        let output = call.shard_id(shard).starting_position(position).send().await;
        let output = output.map_err(|error| Fault::of(SUBSCRIBE, &error))?;
        Ok(Box::new(output))
    }
}

const SUBSCRIBE: &str = "kinesis:SubscribeToShard";

#[async_trait]
impl Subscription for SubscribeToShardOutput {
    async fn next(&mut self) -> Result<Option<Page>, Fault> {
        loop {
            let event = self.event_stream.recv().await.map_err(|error| {
                let said = error.as_service_error();
                let code = said.and_then(ProvideErrorMetadata::code).unwrap_or_default();
                let message = said.and_then(ProvideErrorMetadata::message);
                Fault {
                    action: SUBSCRIBE,
                    kind: FaultKind::Unknown,
                    code: code.to_owned(),
                    reason: message.map_or_else(|| format!("{error:?}"), str::to_owned),
                }
            })?;
            match event {
                None => return Ok(None),
                Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)) => {
                    let next = event.continuation_sequence_number;
                    let next = (!next.is_empty()).then_some(next);
                    return Ok(Some(Page {
                        behind_millis: event.millis_behind_latest.try_into().ok(),
                        ended: next.is_none() || event.child_shards.is_some_and(|shards| !shards.is_empty()),
                        next,
                        records: event.records.into_iter().map(record).collect(),
                    }));
                }
                // A kind of event that is not known here: none that carries records.
                Some(_) => {}
            }
        }
    }
}

/// An answer that lacks what it is for.
fn empty(action: &'static str) -> Fault {
    Fault {
        action,
        kind: FaultKind::Unknown,
        code: String::new(),
        reason: "the answer is empty".to_owned(),
    }
}

fn shard(shard: &types::Shard) -> Shard {
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    let range = shard.sequence_number_range();
    Shard {
        id: shard.shard_id().to_owned(),
        parents: parents.into_iter().flatten().map(str::to_owned).collect(),
        open: range.is_none_or(|range| range.ending_sequence_number().is_none()),
    }
}

fn record(record: types::Record) -> StoredRecord {
    let arrival = record.approximate_arrival_timestamp;
    StoredRecord {
        sequence: record.sequence_number,
        arrival_millis: arrival.and_then(|arrival| arrival.to_millis().ok()),
        data: record.data.into_inner().into(),
    }
}

fn starting(from: &Place) -> (ShardIteratorType, Option<String>, Option<DateTime>) {
    match from {
        Place::Horizon => (ShardIteratorType::TrimHorizon, None, None),
        Place::Latest => (ShardIteratorType::Latest, None, None),
        Place::Moment(millis) => {
            let moment = DateTime::from_millis(*millis);
            (ShardIteratorType::AtTimestamp, None, Some(moment))
        }
        Place::After {
            sequence,
            index: None,
            ..
        } => (
            ShardIteratorType::AfterSequenceNumber,
            Some(sequence.to_string()),
            None,
        ),
        // The rest of an aggregate is in the record itself.
        Place::After { sequence, .. } => (
            ShardIteratorType::AtSequenceNumber,
            Some(sequence.to_string()),
            None,
        ),
    }
}
