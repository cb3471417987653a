//! The merger's pure machine with a world in which everything succeeds at once.

use std::sync::Arc;
use std::time::Duration;

use streamalert_merger::pure::{CloseOutcome, Closing, Effect, Event, Machine, Routed, Router};
use streamalert_merger::{MergerOptions, MergerStats};
use streamalert_store::{Accepted, DeliveryState, Fence, ShardId};
use streamalert_types::{Alert, AlertId, DeliveryOutcome, Timestamp};

use super::alerts::START;

/// A machine that owns every shard.
pub(super) struct InstantWorld {
    machine: Machine,
    router: Router,
    batches: u64,
    /// What the store makes of a group, but for its id: merging itself is not this machine's work.
    merged: Arc<Alert>,
    queue: Vec<Event>,
    closed: Vec<Arc<Closing>>,
}

impl InstantWorld {
    pub(super) fn new(options: &MergerOptions, merged: Arc<Alert>) -> Self {
        let mut this = Self {
            machine: Machine::new(options.clone()),
            router: Router::new(options.shards),
            batches: 0,
            merged,
            queue: Vec::new(),
            closed: Vec::new(),
        };
        for shard in 0..options.shards {
            this.drive(
                START,
                Event::Own(Fence {
                    shard: ShardId(shard),
                    epoch: 1,
                }),
            );
        }
        this
    }

    /// Reads the alerts' records and finds shard and group of each.
    pub(super) fn route(&mut self, alerts: Vec<Arc<Alert>>) -> Vec<Routed> {
        alerts
            .into_iter()
            .map(|alert| self.router.route(alert).0)
            .collect()
    }

    /// Takes alerts in: all decisions up to the reply.
    pub(super) fn accept(&mut self, alerts: Vec<Routed>) {
        let batch = self.batches;
        self.batches += 1;
        self.drive(START, Event::Arrived { batch, alerts });
    }

    /// The same, at a time of the caller's choosing.
    pub(super) fn accept_at(&mut self, now: Timestamp, alerts: Vec<Routed>) {
        let batch = self.batches;
        self.batches += 1;
        self.drive(now, Event::Arrived { batch, alerts });
        self.drive(now, Event::Tick);
    }

    /// The machine's figures.
    pub(super) fn stats(&self) -> MergerStats {
        self.machine.stats()
    }

    /// The groups that were closed since the last time.
    pub(super) fn take_closed(&mut self) -> Vec<Arc<Closing>> {
        std::mem::take(&mut self.closed)
    }

    /// Lets time pass until every group is closed.
    pub(super) fn close_all(&mut self) {
        let mut now = START;
        while self.machine.stats().open_groups > 0 || self.machine.is_closing() {
            now = now.plus(Duration::from_mins(6));
            self.drive(now, Event::Tick);
        }
    }

    /// The groups that were closed, each to become one alert.
    pub(super) fn closed(&self) -> &[Arc<Closing>] {
        &self.closed
    }

    /// Applies an event and all that follows from it.
    fn drive(&mut self, now: Timestamp, event: Event) {
        self.queue.push(event);
        loop {
            while let Some(event) = self.queue.pop() {
                for effect in self.machine.apply(now, event) {
                    let event = answer(effect, &self.merged, &mut self.closed);
                    self.queue.extend(event);
                }
            }
            for effect in self.machine.apply(now, Event::Flush) {
                let event = answer(effect, &self.merged, &mut self.closed);
                self.queue.extend(event);
            }
            if self.queue.is_empty() {
                return;
            }
        }
    }
}

fn answer(effect: Effect, template: &Arc<Alert>, closed: &mut Vec<Arc<Closing>>) -> Option<Event> {
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
            let merged = Arc::new(Alert {
                id: AlertId::merged(group.id),
                ..Alert::clone(template)
            });
            closed.push(group);
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
            result: Ok(DeliveryOutcome::delivered(1)),
        },
        Effect::Settle { fence, .. } => Event::Settled {
            fence,
            result: Ok(()),
        },
        // Everything settles before the window of deliveries is full, so a page has nothing.
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
        Effect::Look {
            first, alert, output, ..
        } => Event::Looked {
            first,
            alert,
            output,
            state: Ok(DeliveryState::Unknown),
        },
        Effect::Reply { .. } | Effect::LeaseLost(_) | Effect::HandedOver(_) | Effect::Notice(_) => {
            return None;
        }
    })
}
