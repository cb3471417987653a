//! How many alerts a second one core merges:
//! `cargo run --release -p streamalert-merger --example bench [ALERTS [KEYS…]]`.
//!
//! Every alert has a CloudTrail-like record of about 1.3 KB and is to be merged by two keys within five minutes.
//! Figures are CPU time of the one thread that everything runs on, so other load on the machine does not matter.
//! - `route`: reading the record and finding shard and group.
//! - `machine`: all decisions from arrival to the closed group, the store and the dispatcher answering at once.
//! - `merge`: making one alert of each group.
//! - `handle`: the whole merger on the memory store: accept, group, deliver each alert to the history, settle,
//!   then fetch, merge, close and deliver every group.

#![allow(clippy::print_stdout, reason = "prints its figures")]
#![allow(missing_docs, reason = "a program")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use streamalert_detect::merge::merge;
use streamalert_merger::pure::{CloseOutcome, Closing, Effect, Event, Machine, Member, Router};
use streamalert_merger::{Merger, MergerOptions};
use streamalert_proto::{Alerts, Deliveries, NeighbourError};
use streamalert_store::{Accepted, Fence, MemoryStore, ShardId};
use streamalert_types::{
    Alert, AlertBatch, AlertId, Delivery, DeliveryOutcome, ManualClock, OutputName, Position, RecordId,
    Sequence, Source, Timestamp,
};
use streamalert_value::{Map, Value};

const BATCH: usize = 256;
const SHARDS: u16 = 256;
const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|number| number.parse().ok());
    let count = numbers.next().unwrap_or(300_000);
    let mut key_counts: Vec<usize> = numbers.collect();
    if key_counts.is_empty() {
        key_counts = vec![1, 1_000, 100_000, 1_000_000];
    }
    println!("{count} alerts, one core, thousands of alerts a second (ns per alert)");
    println!(
        "{:>9} {:>14} {:>14} {:>14} {:>14} {:>14} {:>9}",
        "keys", "route", "machine", "merge", "these three", "handle", "groups"
    );
    for keys in key_counts {
        let alerts = alerts(count.max(keys), keys);
        let (route, machine, merging) = pure(&alerts);
        let (handle, groups) = through_handle(&alerts);
        let show = |ns: u64| {
            let each = ns / alerts.len() as u64;
            format!("{} ({each})", 1_000_000 / each.max(1))
        };
        println!(
            "{keys:>9} {:>14} {:>14} {:>14} {:>14} {:>14} {groups:>9}",
            show(route),
            show(machine),
            show(merging),
            show(route + machine + merging),
            show(handle)
        );
    }
}

fn options() -> MergerOptions {
    // Room for a million groups of one: the figures are about time.
    MergerOptions {
        shards: SHARDS,
        lanes: 1,
        groups_bytes_max: 1 << 30,
        ..MergerOptions::default()
    }
}

fn alerts(count: usize, keys: usize) -> Vec<Arc<Alert>> {
    let source = Source {
        service: "kinesis".into(),
        resource: "bench".into(),
        cluster: None,
    };
    let template = Alert {
        id: AlertId::from_u128(0),
        rule_name: "bench_rule".into(),
        rule_description: "a rule".into(),
        created: START,
        cluster: None,
        log_source: "cloudtrail:events".into(),
        log_type: "json".into(),
        source_entity: "bench".into(),
        source_service: "kinesis".into(),
        outputs: [OutputName::history()].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: ["sourceIPAddress".to_owned(), "userName".to_owned()].into(),
        merge_window_mins: 5,
        staged: false,
        record: Bytes::new(),
        traceparent: "".into(),
        rules_version: "".into(),
    };
    let alert = |at: usize| {
        let position = Position {
            partition: "shard-0".into(),
            sequence: Sequence::Offset(at as u64),
        };
        Arc::new(Alert {
            id: AlertId::new(RecordId::new(&source, &position, 0), "bench_rule"),
            record: Bytes::from(record(at, at % keys)),
            created: START.plus(Duration::from_micros(at as u64)),
            ..template.clone()
        })
    };
    (0..count).map(alert).collect()
}

fn record(at: usize, key: usize) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","principalId":"AIDA{at:016}","arn":"arn:aws:iam::123456789012:user/user-{key}","accountId":"123456789012","accessKeyId":"AKIA{at:016}","userName":"user-{key}","sessionContext":{{"attributes":{{"mfaAuthenticated":"false","creationDate":"2023-07-10T15:44:33Z"}}}}}},"eventTime":"2023-07-10T15:48:11Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"us-east-1","sourceIPAddress":"10.{}.{}.{}","userAgent":"aws-cli/2.11.4 Python/3.11.2 Linux/5.15.0 exe/x86_64.ubuntu.22 prompt/off command/ec2.describe-instances","requestParameters":{{"instancesSet":{{"items":[{{"instanceId":"i-0a1b2c3d4e5f60718"}},{{"instanceId":"i-08f7e6d5c4b3a2910"}}]}},"filterSet":{{"items":[{{"name":"instance-state-name","valueSet":{{"items":[{{"value":"running"}}]}}}}]}}}},"responseElements":null,"requestID":"{at:032x}","eventID":"{at:032x}","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.2","cipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","clientProvidedHostHeader":"ec2.us-east-1.amazonaws.com"}}}}"#,
        key >> 16 & 255,
        key >> 8 & 255,
        key & 255,
    )
}

/// Nanoseconds of CPU that this thread has used.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .unwrap_or_default()
}

/// CPU time of routing, of the machine from arrival to the last closed group, and of merging the groups.
fn pure(alerts: &[Arc<Alert>]) -> (u64, u64, u64) {
    let mut machine = Machine::new(options());
    let mut queue = Vec::new();
    let mut groups = Vec::new();
    for shard in 0..SHARDS {
        drive(
            &mut machine,
            START,
            Event::Own(Fence {
                shard: ShardId(shard),
                epoch: 1,
            }),
            &mut queue,
            &mut groups,
        );
    }
    let mut router = Router::new(SHARDS);
    let (mut route, mut decide) = (0, 0);
    for (batch, chunk) in alerts.chunks(BATCH).enumerate() {
        let begun = cpu_nanos();
        let routed = chunk
            .iter()
            .map(|alert| router.route(Arc::clone(alert)).0)
            .collect();
        let arrived = cpu_nanos();
        let event = Event::Arrived {
            batch: batch as u64,
            alerts: routed,
        };
        drive(&mut machine, START, event, &mut queue, &mut groups);
        route += arrived - begun;
        decide += cpu_nanos() - arrived;
    }
    let begun = cpu_nanos();
    let mut now = START;
    while machine.stats().open_groups > 0 || machine.is_closing() {
        now = now.plus(Duration::from_mins(6));
        drive(&mut machine, now, Event::Tick, &mut queue, &mut groups);
    }
    decide += cpu_nanos() - begun;
    let by_id: HashMap<AlertId, &Arc<Alert>> = alerts.iter().map(|alert| (alert.id, alert)).collect();
    let member = |member: &Member| Arc::clone(by_id[&member.id]);
    let groups: Vec<Vec<Arc<Alert>>> = groups
        .iter()
        .map(|group| group.members.iter().map(member).collect())
        .collect();
    let begun = cpu_nanos();
    for members in &groups {
        std::hint::black_box(merge(AlertId::from_u128(0), START, members));
    }
    (route, decide, cpu_nanos() - begun)
}

/// Applies an event and what follows from it, everything succeeding at once.
fn drive(
    machine: &mut Machine,
    now: Timestamp,
    event: Event,
    queue: &mut Vec<Event>,
    groups: &mut Vec<Arc<Closing>>,
) {
    queue.push(event);
    loop {
        while let Some(event) = queue.pop() {
            for effect in machine.apply(now, event) {
                queue.extend(answer(effect, groups));
            }
        }
        for effect in machine.apply(now, Event::Flush) {
            queue.extend(answer(effect, groups));
        }
        if queue.is_empty() {
            return;
        }
    }
}

fn answer(effect: Effect, groups: &mut Vec<Arc<Closing>>) -> Option<Event> {
    Some(match effect {
        Effect::Accept { call, alerts, .. } => Event::Accepted {
            call,
            result: Ok(vec![Accepted::New; alerts.len()]),
        },
        Effect::LoadGrouped { load, shard, .. } => Event::Grouped {
            load,
            shard,
            page: Ok(Vec::new()),
        },
        Effect::LoadBacklog { load, shard } => Event::Backlog {
            load,
            shard,
            counts: Ok(Default::default()),
        },
        Effect::Close { call, group, .. } => {
            let id = AlertId::merged(group.id);
            groups.push(group);
            let merged = Arc::new(Alert {
                id,
                ..Alert::clone(&DUMMY.with(Arc::clone))
            });
            Event::Closed {
                call,
                outcome: CloseOutcome::Closed {
                    merged,
                    accepted: Accepted::New,
                },
            }
        }
        Effect::Deliver(delivery) => Event::Delivered {
            alert: delivery.alert.id,
            output: delivery.output,
            result: Ok(DeliveryOutcome::Delivered { attempts: 1 }),
        },
        Effect::Settle { fence, .. } => Event::Settled {
            fence,
            result: Ok(()),
        },
        // Everything settles before the window is full, so a page has nothing.
        Effect::Page {
            load, shard, output, ..
        } => Event::Paged {
            load,
            shard,
            output,
            page: Ok(Vec::new()),
        },
        Effect::Expire { fence, .. } => Event::Expired {
            shard: fence.shard,
            result: Ok(0),
        },
        Effect::Reply { .. } | Effect::LeaseLost(_) | Effect::Notice(_) => return None,
    })
}

thread_local! {
    static DUMMY: Arc<Alert> = alerts(1, 1).remove(0);
}

/// A dispatcher that delivers everything at once.
struct Sink;

#[async_trait]
impl Deliveries for Sink {
    async fn deliver(&self, _: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        Ok(DeliveryOutcome::Delivered { attempts: 1 })
    }
}

/// CPU time of the whole merger, and the number of groups closed.
fn through_handle(alerts: &[Arc<Alert>]) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::at(START));
        let (merger, _task) = Merger::start(
            options(),
            Arc::new(store.clone()),
            Arc::new(store),
            Arc::new(Sink),
            clock,
        )
        .await
        .expect("a memory store gives its leases");
        let begun = cpu_nanos();
        for chunk in alerts.chunks(BATCH) {
            merger
                .accept(AlertBatch {
                    alerts: chunk.to_vec(),
                })
                .await
                .expect("a memory store takes all");
        }
        merger.close_groups_now().await;
        merger.wait_idle().await;
        let spent = cpu_nanos() - begun;
        let stats = merger.stats().await;
        assert_eq!(stats.accepted, alerts.len() as u64);
        (spent, stats.merged)
    })
}
