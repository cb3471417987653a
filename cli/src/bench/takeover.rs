//! How long nobody works on the shards of a merger that was killed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use streamalert_merger::{Merger, MergerHandle, MergerOptions, MergerTask};
use streamalert_proto::Alerts;
use streamalert_store::{AlertStore, EmbeddedOptions, EmbeddedStore, LeaseStore, MemoryStore};
use streamalert_types::{AlertBatch, Clock, Timestamp};
use streamalert_value::Value;

use super::alerts::{AlertMaker, START};
use super::cpu::wall_time;
use super::lanes::folder;
use super::merge::Sink;
use super::{Report, grouped};
use crate::explain::{integer, object, text};
use crate::failure::Failure;

/// Groups that the killed merger leaves open, of one alert each.
const GROUPS: u64 = 100_000;

/// The term of the leases. The default is three times as long; what is counted begins when it ends.
const LEASE: Duration = Duration::from_secs(10);

/// Alerts sent to find out whether all shards take some: more than twenty for each of them.
const PROBES: u64 = 8_192;

/// How often the new owner is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// From the killing on.
struct Row {
    store: &'static str,
    first: Duration,
    all: Duration,
    accepted: Duration,
    timers: Duration,
}

/// A clock that runs from the time of the first alert on and can be moved forward.
struct Movable {
    origin: Duration,
    ahead_secs: AtomicU64,
}

impl Clock for Movable {
    fn now(&self) -> Timestamp {
        let ahead = Duration::from_secs(self.ahead_secs.load(Ordering::Relaxed));
        START.plus(wall_time().saturating_sub(self.origin) + ahead)
    }
}

/// One merger opens the groups and is killed; another one, just started, takes its shards over.
pub(crate) async fn takeover(parent: &Path) -> Result<Report, Failure> {
    let memory = Arc::new(MemoryStore::new());
    let mut rows = vec![measure("memory", memory.clone(), memory).await?];
    let dir = folder(parent)?;
    let embedded = EmbeddedStore::open(EmbeddedOptions::new(dir.path()))
        .map_err(|error| Failure::Other(error.to_string()))?;
    let embedded = Arc::new(embedded);
    rows.push(measure("embedded", embedded.clone(), embedded).await?);
    Ok(report(&rows))
}

async fn measure(
    name: &'static str,
    store: Arc<dyn AlertStore>,
    leases: Arc<dyn LeaseStore>,
) -> Result<Row, Failure> {
    let clock = Arc::new(Movable {
        origin: wall_time(),
        ahead_secs: AtomicU64::new(0),
    });
    let start = |node| start(node, store.clone(), leases.clone(), clock.clone());
    let maker = AlertMaker::new(u64::MAX);
    let (old, old_task) = start("old").await?;
    for first in (0..GROUPS).step_by(4_096) {
        let batch = batch(&maker, first..(first + 4_096).min(GROUPS));
        while let Err(error) = old.accept(batch.clone()).await {
            // On a busy machine a renewal may come late.
            if !error.is_retryable() || wall_time().saturating_sub(clock.origin) > LEASE * 12 {
                return Err(Failure::while_doing("the merger refused alerts", error));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    old.wait_idle().await;

    let killed = wall_time();
    drop(old_task);
    let since = || wall_time().saturating_sub(killed);
    let (new, _new_task) = start("new").await?;
    let shards = u64::from(MergerOptions::default().shards);
    let (mut first, mut accepted) = (None, None);
    let probes = batch(&maker, GROUPS..GROUPS + PROBES);
    let all = loop {
        let stats = new.stats().await;
        if stats.shards > 0 {
            first.get_or_insert_with(since);
        }
        if stats.shards == shards {
            if stats.grouped_alerts != GROUPS {
                return Err(Failure::Other(format!(
                    "{GROUPS} groups were left open: {stats:?}"
                )));
            }
            break since();
        }
        if since() > LEASE * 6 {
            return Err(Failure::Other(format!("not taken over: {stats:?}")));
        }
        tokio::time::sleep(LOOK).await;
    };
    while accepted.is_none() {
        accepted = new.accept(probes.clone()).await.is_ok().then(since);
    }
    // Beyond every window: the groups must close.
    clock.ahead_secs.fetch_add(3_600, Ordering::Relaxed);
    while new.stats().await.merged == 0 {
        tokio::time::sleep(LOOK).await;
    }
    Ok(Row {
        store: name,
        first: first.unwrap_or(all),
        all,
        accepted: accepted.unwrap_or(all),
        timers: since(),
    })
}

async fn start(
    node: &str,
    store: Arc<dyn AlertStore>,
    leases: Arc<dyn LeaseStore>,
    clock: Arc<Movable>,
) -> Result<(MergerHandle, MergerTask), Failure> {
    let options = MergerOptions {
        node: node.to_owned(),
        lease: LEASE,
        ..MergerOptions::default()
    };
    Merger::start(options, store, leases, Arc::new(Sink), clock)
        .await
        .map_err(|error| Failure::while_doing("cannot start the merger", error))
}

fn batch(maker: &AlertMaker, numbers: std::ops::Range<u64>) -> AlertBatch {
    AlertBatch {
        alerts: numbers.map(|number| maker.alert(number)).collect(),
    }
}

fn report(rows: &[Row]) -> Report {
    let mut lines = vec![
        format!(
            "takeover: a merger with {} open groups is killed; seconds until another works on, beyond the term of {} s",
            grouped(GROUPS as f64),
            LEASE.as_secs()
        ),
        format!(
            "  {:>9} {:>12} {:>12} {:>14} {:>13}",
            "store", "first shard", "all shards", "all accept", "timers run"
        ),
    ];
    let beyond = |time: Duration| time.as_secs_f64() - LEASE.as_secs_f64();
    for row in rows {
        lines.push(format!(
            "  {:>9} {:>12.2} {:>12.2} {:>14.2} {:>13.2}",
            row.store,
            beyond(row.first),
            beyond(row.all),
            beyond(row.accepted),
            beyond(row.timers)
        ));
    }
    let json = rows.iter().map(|row| {
        object([
            ("store", text(row.store)),
            ("first_shard_s", Value::Float(beyond(row.first))),
            ("all_shards_s", Value::Float(beyond(row.all))),
            ("all_accept_s", Value::Float(beyond(row.accepted))),
            ("timers_run_s", Value::Float(beyond(row.timers))),
        ])
    });
    let json = object([
        ("stage", text("takeover")),
        ("groups", integer(GROUPS)),
        ("rows", Value::List(json.collect())),
    ]);
    Report { json, lines }
}
