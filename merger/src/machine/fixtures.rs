//! Alerts and a store for tests of the pure parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use streamalert_proto::NeighbourError;
use streamalert_store::{AlertStore, Fence, MemoryStore, ShardId, StoredAlert};
use streamalert_types::{Alert, AlertId, DeliveryOutcome, Merging, OutputName, Timestamp, Update};
use streamalert_value::{Map, Value};

use super::{CloseOutcome, Effect, Event, Machine, Notice, merged_alert, pending_outputs};
use crate::MergerOptions;
use streamalert_detect::merge::{Routed, Router};

/// An alert that is not merged, to the history and `o:1`.
pub(crate) fn alert(id: u128) -> Arc<Alert> {
    Arc::new(Alert {
        id: AlertId::from_u128(id),
        rule_name: "r".into(),
        rule_description: "".into(),
        created: Timestamp::from_micros(0),
        cluster: None,
        log_source: "l:s".into(),
        log_type: "json".into(),
        source_entity: "e".into(),
        source_service: "s".into(),
        outputs: [OutputName::history(), "o:1".parse().unwrap()].into(),
        publishers: Value::Null,
        context: Value::Map(Map::new()),
        merge_by_keys: Arc::from([]),
        merge_window_mins: 0,
        staged: false,
        record: Bytes::from_static(b"{}"),
        traceparent: "".into(),
        rules_version: "".into(),
        merging: Merging::default(),
    })
}

/// An alert to be merged by `k` within `window_mins`, created at `created`.
pub(crate) fn merge_alert(id: u128, created: Timestamp, window_mins: u32, k: u64) -> Arc<Alert> {
    Arc::new(Alert {
        created,
        merge_by_keys: Arc::from(["k".to_owned()]),
        merge_window_mins: window_mins,
        record: Bytes::from(format!(r#"{{"k":{k},"id":{id}}}"#)),
        ..Alert::clone(&alert(id))
    })
}

/// A machine with a memory store and a dispatcher that keeps what it is given, driven by hand.
pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) store: MemoryStore,
    pub(crate) now: Timestamp,
    pub(crate) router: Router,
    /// Deliveries begun, by (alert, output): how often.
    pub(crate) delivered: BTreeMap<(AlertId, OutputName), u32>,
    /// Deliveries begun and not answered.
    pub(crate) outstanding: Vec<(AlertId, OutputName)>,
    /// What the dispatcher was told of the incident, at the last attempt.
    pub(crate) updates: BTreeMap<(AlertId, OutputName), Option<Update>>,
    /// Alerts by id, merged ones included.
    pub(crate) bodies: BTreeMap<AlertId, Arc<Alert>>,
    /// Members of every group that was closed, and when, by merged alert.
    pub(crate) closed: Vec<(AlertId, Vec<AlertId>, Timestamp)>,
    pub(crate) replies: BTreeMap<u64, Result<(), NeighbourError>>,
    pub(crate) notices: Vec<Notice>,
    batches: u64,
}

impl World {
    pub(crate) fn new(options: MergerOptions, store: MemoryStore, now: Timestamp) -> Self {
        Self::of_epoch(options, store, now, 1)
    }

    /// One that owns all shards of the store under this epoch.
    pub(crate) fn of_epoch(options: MergerOptions, store: MemoryStore, now: Timestamp, epoch: u64) -> Self {
        let router = Router::new(options.shards);
        let shards = options.shards;
        let mut world = Self {
            machine: Machine::new(options),
            store,
            now,
            router,
            delivered: BTreeMap::new(),
            outstanding: Vec::new(),
            updates: BTreeMap::new(),
            bodies: BTreeMap::new(),
            closed: Vec::new(),
            replies: BTreeMap::new(),
            notices: Vec::new(),
            batches: 0,
        };
        for shard in 0..shards {
            world.event(Event::Own(Fence {
                shard: ShardId(shard),
                epoch,
            }));
        }
        world
    }

    pub(crate) fn route(&mut self, alerts: &[Arc<Alert>]) -> Vec<Routed> {
        alerts
            .iter()
            .map(|alert| self.router.route(Arc::clone(alert)).0)
            .collect()
    }

    /// Hands alerts in as one batch and answers its name.
    pub(crate) fn arrive(&mut self, alerts: &[Arc<Alert>]) -> u64 {
        self.batches += 1;
        let batch = self.batches;
        let alerts = self.route(alerts);
        self.event(Event::Arrived { batch, alerts });
        batch
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.now = now;
        self.event(Event::Tick);
    }

    /// Answers deliveries that are outstanding.
    pub(crate) fn answer(&mut self, count: usize) {
        for _ in 0..count.min(self.outstanding.len()) {
            let (alert, output) = self.outstanding.remove(0);
            let result = Ok(DeliveryOutcome::delivered(1));
            self.event(Event::Delivered {
                alert,
                output,
                result,
            });
        }
    }

    /// Applies an event and everything that follows from it at once.
    pub(crate) fn event(&mut self, event: Event) {
        let mut events = vec![event, Event::Flush];
        while !events.is_empty() {
            let event = events.remove(0);
            for effect in self.machine.apply(self.now, event) {
                if let Some(answer) = self.execute(effect) {
                    events.push(answer);
                    events.push(Event::Flush);
                }
            }
        }
    }

    fn execute(&mut self, effect: Effect) -> Option<Event> {
        let store = self.store.clone();
        Some(match effect {
            Effect::Reply { batch, result } => {
                self.replies.insert(batch, result);
                return None;
            }
            Effect::Accept { call, fence, alerts } => {
                for stored in &alerts {
                    self.bodies.insert(stored.alert.id, Arc::clone(&stored.alert));
                }
                Event::Accepted {
                    call,
                    result: now(store.accept(fence, alerts)),
                }
            }
            Effect::LoadGrouped { load, shard, after } => Event::Grouped {
                load,
                shard,
                page: now(store.grouped(shard, after, 3)),
            },
            Effect::LoadBacklog { load, shard } => Event::Backlog {
                load,
                shard,
                counts: now(store.backlog(shard)),
            },
            Effect::Close {
                call,
                fence,
                group,
                tombstone_until,
            } => {
                let ids: Vec<AlertId> = group.members.iter().map(|member| member.id).collect();
                let rest: Vec<AlertId> = group.rest().map(|member| member.id).collect();
                let members = now(store.fetch(fence.shard, &rest)).unwrap();
                let Some(merged) = merged_alert(&group, self.now, &members) else {
                    now(store.close_group(fence, group.noted_as, ids, None, tombstone_until)).unwrap();
                    let outcome = CloseOutcome::Silent;
                    return Some(Event::Closed { call, outcome });
                };
                let merged = Arc::new(merged);
                self.bodies.insert(merged.id, Arc::clone(&merged));
                self.closed.push((merged.id, ids.clone(), self.now));
                let pending = pending_outputs(&merged, false).cloned().collect();
                let stored = StoredAlert {
                    alert: Arc::clone(&merged),
                    pending,
                    group: None,
                };
                let closing = store.close_group(fence, group.noted_as, ids, Some(stored), tombstone_until);
                let outcome = match now(closing) {
                    Ok(accepted) => CloseOutcome::Closed { merged, accepted },
                    Err(error) => CloseOutcome::Failed(error),
                };
                Event::Closed { call, outcome }
            }
            Effect::Deliver(delivery) => {
                let key = (delivery.alert.id, delivery.output);
                *self.delivered.entry(key.clone()).or_default() += 1;
                self.updates.insert(key.clone(), delivery.update);
                self.outstanding.push(key);
                return None;
            }
            Effect::Look {
                shard,
                first,
                alert,
                output,
            } => {
                let state = now(store.delivery(shard, first, &output));
                Event::Looked {
                    first,
                    alert,
                    output,
                    state,
                }
            }
            Effect::Settle {
                fence,
                settled,
                tombstone_until,
            } => Event::Settled {
                fence,
                result: now(store.settle(fence, settled, tombstone_until)),
            },
            Effect::Page {
                load,
                shard,
                output,
                after,
                items_max,
                bytes_max,
            } => {
                let page = now(store.pending(shard, &output, after, items_max, bytes_max));
                Event::Paged {
                    load,
                    shard,
                    output,
                    page,
                }
            }
            Effect::Expire { fence, items_max } => Event::Expired {
                shard: fence.shard,
                result: now(store.expire(fence, self.now, items_max)),
            },
            Effect::LeaseLost(_) | Effect::HandedOver(_) => return None,
            Effect::Notice(notice) => {
                self.notices.push(notice);
                return None;
            }
        })
    }
}

/// The memory store answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a memory store does not wait")
}
