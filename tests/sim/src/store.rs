//! The store as one node reaches it: late, throttled, forgetful, and the place where nodes die.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use streamalert_store::{
    Accepted, AlertFilter, AlertStore, AlertView, Checkpoint, CheckpointStore, DeadLetterFilter,
    DeadLetterStore, DeliveryState, Fence, Lease, LeaseAnswer, LeaseStore, MemoryStore, OutboxCursor,
    Pending, SettledDelivery, ShardId, StoreError, StoredAlert,
};
use streamalert_types::{Alert, AlertId, DeadLetter, DeadLetterId, GroupId, OutputName, Timestamp};
use tokio::time::sleep;

use crate::clock::elapsed;
use crate::history::group_of;
use crate::invariants::Invariant;
use crate::mutants::Mutant;
use crate::world::{Moment, Site, World};

/// The window of the rules that are merged, and the grace that the merger gives by default.
const WINDOW: Duration = Duration::from_secs(61);

/// The longest ordinary answer of the store, in microseconds.
const LATENCY_MICROS_MAX: u64 = 15_000;

/// See the module.
#[derive(Clone)]
pub(crate) struct NodeStore {
    pub(crate) node: String,
    pub(crate) world: World,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AlertWrite,
    AlertRead,
    LeaseWrite,
    LeaseRead,
    OtherWrite,
    OtherRead,
}

impl Kind {
    const fn is_write(self) -> bool {
        matches!(self, Self::AlertWrite | Self::LeaseWrite | Self::OtherWrite)
    }

    const fn is_of_alerts(self) -> bool {
        matches!(self, Self::AlertWrite | Self::AlertRead)
    }

    const fn is_of_leases(self) -> bool {
        matches!(self, Self::LeaseWrite | Self::LeaseRead)
    }
}

enum Verdict {
    Go,
    LoseAnswer,
    Fail(StoreError),
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_owned(),
    }
}

impl NodeStore {
    fn memory(&self) -> &MemoryStore {
        &self.world.memory
    }

    async fn call<T>(
        &self,
        name: &'static str,
        what: &str,
        kind: Kind,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.point(kind, (name, Moment::Before)).await;
        sleep(Duration::from_micros(300 + self.world.roll(LATENCY_MICROS_MAX))).await;
        let (delay, hang) = self.world.node(&self.node, |node| {
            let delayed = kind == Kind::AlertWrite;
            let delay = delayed.then_some(node.faults.writes_delayed);
            (
                delay.unwrap_or_default(),
                kind.is_of_leases() && node.faults.leases_hang,
            )
        });
        if hang {
            std::future::pending::<()>().await;
        }
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let verdict = self.verdict(kind);
        if !matches!(verdict, Verdict::Go) {
            self.world.inner().history.figures.store_faults += 1;
        }
        let result = match verdict {
            Verdict::Fail(error) => Err(error),
            Verdict::Go => call.await,
            Verdict::LoseAnswer => match call.await {
                Ok(_) => Err(unavailable("answer lost")),
                Err(error) => Err(error),
            },
        };
        if kind.is_write() {
            let outcome = result
                .as_ref()
                .map_or_else(ToString::to_string, |_| "ok".to_owned());
            self.world.note(&format!("{} {name}{what}: {outcome}", self.node));
        }
        if matches!(result, Err(StoreError::Fenced { .. })) {
            self.world.inner().history.figures.fenced += 1;
        }
        self.point(kind, (name, Moment::After)).await;
        result
    }

    /// One of the places at which a node can be killed.
    async fn point(&self, kind: Kind, site: Site) {
        let dying = self.world.node(&self.node, |node| {
            if kind.is_of_alerts() && !node.dying {
                node.points += 1;
                node.dying =
                    node.faults.crash_at == Some(node.points) || node.faults.crash_site == Some(site);
                if node.dying {
                    node.faults.crash_site = None;
                    node.died_at.push(site);
                }
            }
            node.dying
        });
        if dying {
            std::future::pending::<()>().await;
        }
    }

    fn verdict(&self, kind: Kind) -> Verdict {
        let roll = self.world.roll(1000);
        self.world.node(&self.node, |node| {
            let faults = &node.faults;
            if faults.throttled && kind.is_write() {
                return Verdict::Fail(StoreError::Busy {
                    reason: "throttled".to_owned(),
                });
            }
            let (fail, lost) = (u64::from(faults.fail_permille), u64::from(faults.lost_permille));
            match roll {
                roll if roll < fail => Verdict::Fail(unavailable("no connection")),
                roll if roll < fail + lost && kind.is_write() => Verdict::LoseAnswer,
                _ => Verdict::Go,
            }
        })
    }

    /// The fence that the store is shown.
    fn shown(&self, fence: Fence) -> Fence {
        if self.world.is(Mutant::IgnoresFences) {
            let epoch = self.current_epoch(fence.shard).max(fence.epoch);
            Fence { epoch, ..fence }
        } else {
            fence
        }
    }

    fn current_epoch(&self, shard: ShardId) -> u64 {
        let key = format!("merger/{}", shard.0);
        let leases = LeaseStore::list(self.memory(), &key).now_or_never();
        let leases = leases.and_then(Result::ok).unwrap_or_default();
        let lease = leases.into_iter().find(|lease| lease.key == key);
        lease.map_or(0, |lease| lease.epoch)
    }

    fn committed(&self, what: &str, fence: Fence) {
        let current = self.current_epoch(fence.shard);
        if fence.epoch < current {
            let seen = format!(
                "{} committed {what} of shard {} under epoch {}, the lease is at {current}",
                self.node, fence.shard.0, fence.epoch
            );
            self.world.violated(Invariant::M4, seen);
        }
    }

    fn closed(&self, merged: &Alert, members: &[AlertId]) {
        let at = elapsed();
        let mut inner = self.world.inner();
        inner.history.figures.groups += 1;
        let oldest = members
            .iter()
            .filter_map(|id| inner.history.durable.get(id))
            .min()
            .copied();
        let lived = oldest.map_or(Duration::ZERO, |oldest| at.saturating_sub(oldest));
        let rule = group_of(merged).map_or("?", |group| group.rule.name());
        inner.history.note(
            at,
            &format!(
                "group {} of {rule} closed with {} after {lived:?}",
                merged.id,
                members.len()
            ),
        );
        if lived > WINDOW + inner.window_bound {
            let seen = format!("group {} lived for {lived:?}", merged.id);
            inner.history.violated(at, Invariant::M3, seen);
        }
    }
}

/// One line of what an accept is about.
fn ids(alerts: &[StoredAlert]) -> String {
    let mut text = String::new();
    for stored in alerts {
        text.push(' ');
        text.push_str(&stored.alert.id.to_string()[..8]);
    }
    text
}

#[async_trait]
impl AlertStore for NodeStore {
    async fn accept(&self, fence: Fence, alerts: Vec<StoredAlert>) -> Result<Vec<Accepted>, StoreError> {
        let what = format!(" {}/{}{}", fence.shard.0, fence.epoch, ids(&alerts));
        let ids: Vec<AlertId> = alerts.iter().map(|stored| stored.alert.id).collect();
        self.call("accept", &what, Kind::AlertWrite, async {
            let accepted = self.memory().accept(self.shown(fence), alerts).await;
            let at = elapsed();
            let mut inner = self.world.inner();
            for id in ids {
                // Late writes are durable although their writer hears that it is fenced off.
                if self
                    .memory()
                    .view(id)
                    .now_or_never()
                    .and_then(Result::ok)
                    .flatten()
                    .is_some()
                {
                    inner.history.durable.entry(id).or_insert(at);
                }
            }
            drop(inner);
            let accepted = accepted?;
            self.committed("an accept", fence);
            let adopted = |accepted: &&Accepted| matches!(accepted, Accepted::Adopted { .. });
            self.world.inner().history.figures.adopted += accepted.iter().filter(adopted).count() as u64;
            Ok(accepted)
        })
        .await
    }

    async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        let what = format!(" {}/{} {}", fence.shard.0, fence.epoch, settled.len());
        self.call("settle", &what, Kind::AlertWrite, async {
            if self.world.is(Mutant::DropsSettles) {
                return Ok(());
            }
            self.memory()
                .settle(self.shown(fence), settled, tombstone_until)
                .await?;
            self.committed("a settle", fence);
            Ok(())
        })
        .await
    }

    async fn close_group(
        &self,
        fence: Fence,
        group: GroupId,
        members: Vec<AlertId>,
        merged: Option<StoredAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let named = merged.as_ref().map(|merged| merged.alert.id.to_string());
        let what = format!(" {}/{} {}", fence.shard.0, fence.epoch, named.unwrap_or_default());
        self.call("close", &what, Kind::AlertWrite, async {
            let (alert, ids) = (
                merged.as_ref().map(|merged| merged.alert.clone()),
                members.clone(),
            );
            let keeps = self.world.is(Mutant::KeepsMembers);
            let members = if keeps { Vec::new() } else { members };
            let closed =
                self.memory()
                    .close_group(self.shown(fence), group, members, merged, tombstone_until);
            let accepted = closed.await?;
            self.committed("the closing of a group", fence);
            if let (Accepted::New, Some(alert)) = (&accepted, &alert) {
                self.closed(alert, &ids);
            }
            Ok(accepted)
        })
        .await
    }

    async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let read = self.memory().pending(shard, output, after, items_max, bytes_max);
        self.call("pending", "", Kind::AlertRead, read).await
    }

    async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        self.call("backlog", "", Kind::AlertRead, self.memory().backlog(shard))
            .await
    }

    async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        let read = self.memory().grouped(shard, after, items_max);
        self.call("grouped", "", Kind::AlertRead, read).await
    }

    async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        let mut fetched = self
            .call("fetch", "", Kind::AlertRead, self.memory().fetch(shard, ids))
            .await?;
        if self.world.is(Mutant::ForgetsMember) && fetched.len() > 1 {
            fetched.pop();
        }
        Ok(fetched)
    }

    async fn expire(&self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, StoreError> {
        let call = AlertStore::expire(self.memory(), self.shown(fence), now, items_max);
        self.call("expire", "", Kind::AlertWrite, call).await
    }

    async fn delivery(
        &self,
        shard: ShardId,
        alert: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError> {
        let read = self.memory().delivery(shard, alert, output);
        self.call("delivery", "", Kind::AlertRead, read).await
    }

    async fn list(&self, filter: &AlertFilter, items_max: usize) -> Result<Vec<AlertView>, StoreError> {
        AlertStore::list(self.memory(), filter, items_max).await
    }

    async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        self.memory().view(id).await
    }
}

#[async_trait]
impl DeadLetterStore for NodeStore {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), StoreError> {
        let what = format!(" {}", letters.len());
        self.call("bury", &what, Kind::OtherWrite, async {
            if self.world.is(Mutant::DropsDeadLetters) {
                return Ok(());
            }
            DeadLetterStore::put(self.memory(), letters).await
        })
        .await
    }

    async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        DeadLetterStore::list(self.memory(), filter, after, items_max).await
    }

    async fn get(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        DeadLetterStore::get(self.memory(), id).await
    }

    async fn remove(&self, ids: &[DeadLetterId]) -> Result<(), StoreError> {
        DeadLetterStore::remove(self.memory(), ids).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.memory().count().await
    }
}

#[async_trait]
impl CheckpointStore for NodeStore {
    async fn get(&self, source: &str, partition: &str) -> Result<Option<Checkpoint>, StoreError> {
        let read = CheckpointStore::get(self.memory(), source, partition);
        self.call("checkpoint", "", Kind::OtherRead, read).await
    }

    async fn put(&self, source: &str, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        let places: Vec<&str> = checkpoints.iter().map(|(_, at)| &*at.sequence).collect();
        let what = format!(" {}", places.join(" "));
        let write = CheckpointStore::put(self.memory(), source, checkpoints.clone());
        self.call("checkpoint", &what, Kind::OtherWrite, write).await
    }

    async fn list(&self, source: &str) -> Result<Vec<(String, Checkpoint)>, StoreError> {
        let read = CheckpointStore::list(self.memory(), source);
        self.call("checkpoints", "", Kind::OtherRead, read).await
    }

    async fn remove(&self, source: &str, partitions: &[String]) -> Result<(), StoreError> {
        let write = CheckpointStore::remove(self.memory(), source, partitions);
        self.call("remove checkpoints", "", Kind::OtherWrite, write).await
    }

    async fn expire(&self, source: &str, now: Timestamp) -> Result<u64, StoreError> {
        let write = CheckpointStore::expire(self.memory(), source, now);
        self.call("expire checkpoints", "", Kind::OtherWrite, write).await
    }
}

#[async_trait]
impl LeaseStore for NodeStore {
    async fn create(&self, leases: Vec<Lease>) -> Result<u64, StoreError> {
        self.call(
            "create leases",
            "",
            Kind::LeaseWrite,
            self.memory().create(leases),
        )
        .await
    }

    async fn take(
        &self,
        seen: &Lease,
        owner: &str,
        address: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let what = format!(" {} after {}", seen.key, seen.epoch);
        let write = self.memory().take(seen, owner, address, at);
        self.call("take", &what, Kind::LeaseWrite, write).await
    }

    async fn renew(&self, held: &Lease, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        let what = format!(" {}", held.key);
        self.call("renew", &what, Kind::LeaseWrite, self.memory().renew(held, at))
            .await
    }

    async fn checkpoint(
        &self,
        held: &Lease,
        checkpoint: &str,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let write = self.memory().checkpoint(held, checkpoint, at);
        self.call("checkpoint lease", "", Kind::LeaseWrite, write).await
    }

    async fn ask(&self, seen: &Lease, node: &str, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        let what = format!(" {}", seen.key);
        self.call("ask", &what, Kind::LeaseWrite, self.memory().ask(seen, node, at))
            .await
    }

    async fn release(
        &self,
        held: &Lease,
        to: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let what = format!(" {}", held.key);
        self.call(
            "release",
            &what,
            Kind::LeaseWrite,
            self.memory().release(held, to, at),
        )
        .await
    }

    async fn remove(&self, seen: &Lease) -> Result<bool, StoreError> {
        self.call(
            "remove lease",
            "",
            Kind::LeaseWrite,
            LeaseStore::remove(self.memory(), seen),
        )
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        self.call(
            "list leases",
            "",
            Kind::LeaseRead,
            LeaseStore::list(self.memory(), prefix),
        )
        .await
    }
}
