//! The source of Kinesis against emulators: ministack for reading by polling and by enhanced fan-out, kinesis-local
//! for what becomes of shards that are split and merged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use streamalert_aws::SdkConfig;
use streamalert_store::{MemoryStore, SHARD_END};
use streamalert_stream::{
    KinesisOptions, KinesisSource, KinesisStart, Payload, SourceContext, SourceError, SourceLimits,
    SourceReader,
};
use streamalert_testkit::emulator::{account, kinesis_local, ministack};
use streamalert_types::SystemClock;

/// A stream of an emulator and the leases of those who read it.
struct Stream {
    config: SdkConfig,
    client: Client,
    name: String,
    leases: Arc<MemoryStore>,
}

impl Stream {
    async fn create(config: SdkConfig, name: &str, shards: i32) -> Self {
        let client = Client::new(&config);
        let call = client.create_stream().stream_name(name).shard_count(shards);
        call.send().await.unwrap();
        let stream = Self {
            config,
            client,
            name: name.to_owned(),
            leases: Arc::new(MemoryStore::new()),
        };
        stream.settled().await;
        stream
    }

    /// Waits until the stream is not being changed any more; answers its open shards.
    async fn settled(&self) -> Vec<String> {
        loop {
            let call = self.client.describe_stream_summary().stream_name(&self.name);
            let output = call.send().await.unwrap();
            let summary = output.stream_description_summary().unwrap();
            if summary.stream_status().as_str() == "ACTIVE" {
                break;
            }
            tokio::task::yield_now().await;
        }
        let output = self
            .client
            .list_shards()
            .stream_name(&self.name)
            .send()
            .await
            .unwrap();
        let open = output.shards().iter().filter(|shard| {
            let range = shard.sequence_number_range().unwrap();
            range.ending_sequence_number().is_none()
        });
        open.map(|shard| shard.shard_id().to_owned()).collect()
    }

    async fn put(&self, keys: &[&str], round: usize) {
        for key in keys {
            let body = format!("{key}-{round}");
            let call = self
                .client
                .put_record()
                .stream_name(&self.name)
                .partition_key(*key);
            call.data(Blob::new(body.into_bytes())).send().await.unwrap();
        }
    }

    fn options(&self, node: &str) -> KinesisOptions {
        let mut options = KinesisOptions::new(&self.name, node);
        options.leases.term = Duration::from_secs(3);
        options.idle_interval = Duration::from_millis(300);
        options
    }

    async fn start(&self, options: KinesisOptions) -> Result<KinesisSource, SourceError> {
        let context = SourceContext {
            checkpoints: self.leases.clone(),
            clock: Arc::new(SystemClock),
            limits: SourceLimits {
                checkpoint_interval: Duration::from_millis(50),
                ..SourceLimits::default()
            },
        };
        KinesisSource::start_with(&self.config, options, self.leases.clone(), context).await
    }
}

async fn next(source: &mut KinesisSource) -> Payload {
    let next = tokio::time::timeout(Duration::from_secs(60), source.next());
    next.await.expect("a payload comes").unwrap().unwrap()
}

fn text(payload: &Payload) -> String {
    String::from_utf8(payload.body.to_vec()).unwrap()
}

async fn take(source: &mut KinesisSource, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..count {
        let payload = next(source).await;
        bodies.push(text(&payload));
        payload.token.ack();
    }
    bodies
}

/// The rounds of each key in the order in which they were first seen.
fn rounds(found: &[String]) -> BTreeMap<&str, Vec<usize>> {
    let mut rounds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for body in found {
        let (key, round) = body.rsplit_once('-').unwrap();
        let round = round.parse().unwrap();
        let seen = rounds.entry(key).or_default();
        if !seen.contains(&round) {
            seen.push(round);
        }
    }
    rounds
}

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[tokio::test]
async fn polled_records_come_once_in_order_and_reading_resumes_after_them() {
    let Some(emulator) = ministack().await else { return };
    let stream = Stream::create(emulator.config(&account()).await, "polled", 2).await;
    for round in 0..3 {
        stream.put(&KEYS, round).await;
    }
    let mut source = stream.start(stream.options("node")).await.unwrap();
    let found = take(&mut source, 18).await;
    assert!(
        rounds(&found).values().all(|rounds| *rounds == [0, 1, 2]),
        "{found:?}"
    );
    assert_eq!(source.progress().payloads_open, 0);
    Box::new(source).finish().await.unwrap();
    stream.put(&KEYS, 3).await;
    let mut source = stream.start(stream.options("node")).await.unwrap();
    let found: BTreeSet<String> = take(&mut source, 6).await.into_iter().collect();
    assert_eq!(found, KEYS.iter().map(|key| format!("{key}-3")).collect());
}

#[tokio::test]
async fn a_stream_is_named_by_arn_and_begun_with_what_arrives_from_now_on() {
    let Some(emulator) = ministack().await else { return };
    let stream = Stream::create(emulator.config(&account()).await, "latest", 1).await;
    let call = stream.client.describe_stream_summary().stream_name("latest");
    let output = call.send().await.unwrap();
    let summary = output.stream_description_summary().unwrap();
    let options = KinesisOptions {
        stream: summary.stream_arn().to_owned(),
        start: KinesisStart::Latest,
        ..stream.options("node")
    };
    let mut source = stream.start(options).await.unwrap();
    stream.put(&["a"], 0).await;
    let payload = next(&mut source).await;
    assert_eq!(text(&payload), "a-0");
    assert_eq!(&*payload.source.resource, "latest");
    payload.token.ack();
}

#[tokio::test]
async fn subscribed_records_come_once_in_order_and_reading_resumes_after_them() {
    let Some(emulator) = ministack().await else { return };
    let stream = Stream::create(emulator.config(&account()).await, "subscribed", 2).await;
    let options = || KinesisOptions {
        consumer: Some("streamalert".to_owned()),
        ..stream.options("node")
    };
    stream.put(&KEYS, 0).await;
    let mut source = stream.start(options()).await.unwrap();
    let mut found = take(&mut source, 6).await;
    for round in 1..3 {
        stream.put(&KEYS, round).await;
        found.extend(take(&mut source, 6).await);
    }
    assert!(
        rounds(&found).values().all(|rounds| *rounds == [0, 1, 2]),
        "{found:?}"
    );
    Box::new(source).finish().await.unwrap();
    stream.put(&KEYS, 3).await;
    let mut source = stream.start(options()).await.unwrap();
    let found: BTreeSet<String> = take(&mut source, 6).await.into_iter().collect();
    assert_eq!(found, KEYS.iter().map(|key| format!("{key}-3")).collect());
}

#[tokio::test]
async fn a_missing_stream_is_told_at_the_start() {
    let Some(emulator) = ministack().await else { return };
    let mut stream = Stream::create(emulator.config(&account()).await, "there", 1).await;
    stream.name = "nowhere".to_owned();
    let error = stream.start(stream.options("node")).await.err().unwrap();
    let told = error.to_string();
    assert!(
        told.starts_with("kinesis:nowhere: kinesis:DescribeStreamSummary: "),
        "{told}"
    );
    assert!(told.contains("ResourceNotFoundException"), "{told}");
}

#[tokio::test]
async fn split_and_merged_shards_are_read_parents_first() {
    let Some(emulator) = kinesis_local().await else {
        return;
    };
    let stream = Stream::create(emulator.config(&account()).await, "lineage", 1).await;
    stream.put(&KEYS, 0).await;
    let parent = stream.settled().await.remove(0);
    let call = stream
        .client
        .split_shard()
        .stream_name("lineage")
        .shard_to_split(&parent);
    let middle = "170141183460469231731687303715884105728";
    call.new_starting_hash_key(middle).send().await.unwrap();
    let halves = stream.settled().await;
    assert_eq!(halves.len(), 2);
    stream.put(&KEYS, 1).await;
    let call = stream.client.merge_shards().stream_name("lineage");
    let call = call
        .shard_to_merge(&halves[0])
        .adjacent_shard_to_merge(&halves[1]);
    call.send().await.unwrap();
    let merged = stream.settled().await;
    assert_eq!(merged.len(), 1);
    stream.put(&KEYS, 2).await;

    let mut source = stream.start(stream.options("node")).await.unwrap();
    let found = take(&mut source, 18).await;
    let generations: Vec<usize> = found.iter().map(|body| body[2..].parse().unwrap()).collect();
    assert!(generations.is_sorted(), "{found:?}");
    // Resharding goes on while it is read.
    let call = stream
        .client
        .split_shard()
        .stream_name("lineage")
        .shard_to_split(&merged[0]);
    call.new_starting_hash_key(middle).send().await.unwrap();
    stream.settled().await;
    stream.put(&KEYS, 3).await;
    let found = take(&mut source, 6).await;
    assert!(found.iter().all(|body| body.ends_with("-3")), "{found:?}");
    Box::new(source).finish().await.unwrap();
    let leases = streamalert_store::LeaseStore::list(&*stream.leases, "kinesis/lineage/");
    let leases = leases.await.unwrap();
    let ended = leases
        .iter()
        .filter(|lease| lease.checkpoint.as_deref() == Some(SHARD_END));
    assert_eq!((leases.len(), ended.count()), (6, 4));
}

#[tokio::test]
async fn two_nodes_share_a_stream_and_one_takes_over_when_the_other_is_gone() {
    let Some(emulator) = kinesis_local().await else {
        return;
    };
    let stream = Stream::create(emulator.config(&account()).await, "shared", 4).await;
    let mut one = stream.start(stream.options("one")).await.unwrap();
    stream.put(&KEYS, 0).await;
    let mut found = take(&mut one, 6).await;
    let mut two = stream.start(stream.options("two")).await.unwrap();
    let mut round = 0;
    while two.status().shards < 2 {
        round += 1;
        assert!(round < 100, "the shards are not shared");
        stream.put(&KEYS, round).await;
        for source in [&mut one, &mut two] {
            while let Ok(payload) = tokio::time::timeout(Duration::from_millis(400), source.next()).await {
                let payload = payload.unwrap().unwrap();
                found.push(text(&payload));
                payload.token.ack();
            }
        }
    }
    // One is gone without a word, and what it was given last is not acknowledged.
    let last = round + 1;
    stream.put(&KEYS, last).await;
    let lost = tokio::time::timeout(Duration::from_secs(2), one.next()).await;
    drop((one, lost));
    let complete = |found: &[String]| {
        let rounds = rounds(found);
        KEYS.iter()
            .all(|key| rounds.get(key).is_some_and(|seen| seen.contains(&last)))
    };
    while !complete(&found) {
        found.extend(take(&mut two, 1).await);
    }
    let expected: Vec<usize> = (0..=last).collect();
    for (key, rounds) in rounds(&found) {
        assert_eq!(rounds, expected, "{key}");
    }
    assert_eq!(two.status().shards, 4);
}
