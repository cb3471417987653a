//! Alerts in the file: what each operation of `AlertStore` does to the tables.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use streamalert_types::{Alert, AlertId, GroupId, OutputName, Timestamp};

use super::Failure;
use super::tables::{ALERTS, BACKLOG, GROUPED, OUTBOX, PlaceKey, STANDINGS, Tables};
use crate::lease::check_fence;
use crate::rows::{decode_alert, decode_standing, encode_alert, encode_standing, peek_rule};
use crate::standing::{PageLimit, Standing, cursor_of, place_of};
use crate::{
    Accepted, AlertFilter, AlertView, DeliveryState, Fence, OutboxCursor, Pending, SettledDelivery, ShardId,
    StoredAlert,
};

/// An alert with its row, which is written on the caller's thread: the writer's time is everyone's.
pub(super) struct NewAlert {
    id: AlertId,
    standing: Standing,
    row: Vec<u8>,
}

impl NewAlert {
    pub(super) fn new(shard: ShardId, stored: &StoredAlert) -> Self {
        Self {
            id: stored.alert.id,
            standing: Standing::new(shard, stored),
            row: encode_alert(&stored.alert),
        }
    }

    pub(super) fn weight_bytes(&self) -> usize {
        self.row.len() + 256
    }
}

/// What a request turned out to mean for an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    /// It is not about this alert.
    None,
    /// It is, and changes nothing; the alert is buried if it is idle.
    Unchanged,
    /// It is, and changed where the alert stands.
    Changed,
}

type Backlog = BTreeMap<OutputName, i64>;

impl Tables<'_> {
    fn check(&mut self, fence: Fence) -> Result<(), Failure> {
        let seen = self.fence(fence.shard)?;
        if let Some(epoch) = check_fence(fence, seen).map_err(Failure::Refused)? {
            self.set_fence(fence.shard, epoch)?;
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, fence: Fence, alerts: &[NewAlert]) -> Result<Vec<Accepted>, Failure> {
        self.check(fence)?;
        let mut backlog = Backlog::new();
        let accepted = alerts
            .iter()
            .map(|alert| self.insert(alert, &mut backlog))
            .collect();
        self.apply_backlog(fence.shard, &backlog)?;
        accepted
    }

    fn insert(&mut self, alert: &NewAlert, backlog: &mut Backlog) -> Result<Accepted, Failure> {
        let id = alert.id.as_u128();
        if self.standings.get(id)?.is_some() {
            return Ok(Accepted::Duplicate);
        }
        let standing = &alert.standing;
        let created = standing.created.as_micros();
        self.standings.insert(id, &*encode_standing(standing))?;
        self.alerts.insert((created, id), &*alert.row)?;
        for output in &standing.pending {
            self.outbox
                .insert((standing.shard.0, output.as_str(), created, id), ())?;
            *backlog.entry(output.clone()).or_default() += 1;
        }
        if standing.group.is_some() {
            self.grouped.insert((standing.shard.0, created, id), ())?;
        }
        Ok(Accepted::New)
    }

    fn apply_backlog(&mut self, shard: ShardId, backlog: &Backlog) -> Result<(), Failure> {
        backlog
            .iter()
            .try_for_each(|(output, by)| self.add_backlog(shard, output.as_str(), *by))
    }

    /// Changes where an open alert of the shard stands; buries it when that leaves nothing to do. Others are
    /// left alone, and so is this one when `change` answers `Concern::None`.
    fn change(
        &mut self,
        shard: ShardId,
        id: AlertId,
        tombstone_until: Timestamp,
        change: impl FnOnce(&mut Self, &mut Standing) -> Result<Concern, Failure>,
    ) -> Result<(), Failure> {
        let Some(mut standing) = read_standing(&self.standings, id)? else {
            return Ok(());
        };
        if standing.shard != shard || !standing.is_open() {
            return Ok(());
        }
        let concern = change(self, &mut standing)?;
        if concern == Concern::None {
            return Ok(());
        }
        let buried = standing.bury(tombstone_until);
        if buried {
            self.tombstones
                .insert((shard.0, tombstone_until.as_micros(), id.as_u128()), ())?;
        }
        if concern == Concern::Changed || buried {
            self.standings
                .insert(id.as_u128(), &*encode_standing(&standing))?;
        }
        Ok(())
    }

    pub(super) fn settle(
        &mut self,
        fence: Fence,
        settled: &[SettledDelivery],
        tombstone_until: Timestamp,
    ) -> Result<(), Failure> {
        self.check(fence)?;
        let shard = fence.shard;
        let mut backlog = Backlog::new();
        for delivery in settled {
            let SettledDelivery {
                alert,
                output,
                outcome,
            } = delivery;
            self.change(shard, *alert, tombstone_until, |tables, standing| {
                let settled = standing.settle(output, outcome);
                if settled {
                    let key = (
                        shard.0,
                        output.as_str(),
                        standing.created.as_micros(),
                        alert.as_u128(),
                    );
                    tables.outbox.remove(key)?;
                    *backlog.entry(output.clone()).or_default() -= 1;
                }
                Ok(if settled {
                    Concern::Changed
                } else {
                    Concern::Unchanged
                })
            })?;
        }
        self.apply_backlog(shard, &backlog)
    }

    pub(super) fn close_group(
        &mut self,
        fence: Fence,
        group: GroupId,
        members: &[AlertId],
        merged: Option<&NewAlert>,
        tombstone_until: Timestamp,
    ) -> Result<Accepted, Failure> {
        self.check(fence)?;
        let shard = fence.shard;
        let mut backlog = Backlog::new();
        let accepted = match merged {
            Some(merged) => self.insert(merged, &mut backlog)?,
            None => Accepted::New,
        };
        self.apply_backlog(shard, &backlog)?;
        for id in members {
            self.change(shard, *id, tombstone_until, |tables, standing| {
                let left = standing.leave(group);
                if left {
                    tables
                        .grouped
                        .remove((shard.0, standing.created.as_micros(), id.as_u128()))?;
                }
                Ok(if left { Concern::Changed } else { Concern::None })
            })?;
        }
        if let (Accepted::New, Some(merged)) = (&accepted, merged) {
            // A merged alert without outputs would stay open for ever: nobody would come to settle it.
            self.change(shard, merged.id, tombstone_until, |_, _| Ok(Concern::Unchanged))?;
        }
        Ok(accepted)
    }

    pub(super) fn expire(&mut self, fence: Fence, now: Timestamp, items_max: usize) -> Result<u64, Failure> {
        self.check(fence)?;
        let shard = fence.shard.0;
        let due: Vec<_> = self
            .tombstones
            .range((shard, i64::MIN, 0)..=(shard, now.as_micros(), u128::MAX))?
            .take(items_max)
            .map(|entry| entry.map(|(key, _)| key.value()))
            .collect::<Result<_, _>>()?;
        for (shard, expires, id) in &due {
            self.tombstones.remove((*shard, *expires, *id))?;
            if let Some(standing) = read_standing(&self.standings, AlertId::from_u128(*id))? {
                self.alerts.remove((standing.created.as_micros(), *id))?;
                self.standings.remove(*id)?;
            }
        }
        Ok(due.len() as u64)
    }
}

fn read_standing(
    standings: &impl ReadableTable<u128, &'static [u8]>,
    id: AlertId,
) -> Result<Option<Standing>, Failure> {
    let row = standings.get(id.as_u128())?;
    Ok(row.map(|row| decode_standing(row.value())).transpose()?)
}

fn read_alert(
    alerts: &impl ReadableTable<PlaceKey, &'static [u8]>,
    created: i64,
    id: u128,
) -> Result<Arc<Alert>, Failure> {
    let Some(row) = alerts.get((created, id))? else {
        return Err(Failure::Corrupt(format!(
            "alert {} has no row",
            AlertId::from_u128(id)
        )));
    };
    Ok(Arc::new(decode_alert(row.value())?))
}

pub(super) fn pending(
    transaction: &ReadTransaction,
    shard: ShardId,
    output: &OutputName,
    after: Option<&OutboxCursor>,
    items_max: usize,
    bytes_max: usize,
) -> Result<Vec<Pending>, Failure> {
    let (outbox, alerts) = (transaction.open_table(OUTBOX)?, transaction.open_table(ALERTS)?);
    let name = output.as_str();
    let from = match after.and_then(place_of) {
        Some((created, id)) => Bound::Excluded((shard.0, name, created.as_micros(), id.as_u128())),
        None => Bound::Included((shard.0, name, i64::MIN, 0)),
    };
    let mut limit = PageLimit::new(items_max, bytes_max);
    let mut page = Vec::new();
    for entry in outbox.range((from, Bound::Included((shard.0, name, i64::MAX, u128::MAX))))? {
        let (_, _, created, id) = entry?.0.value();
        if page.len() >= items_max {
            break;
        }
        let alert = read_alert(&alerts, created, id)?;
        if !limit.admits(alert.weight_bytes()) {
            break;
        }
        let cursor = cursor_of(Timestamp::from_micros(created), AlertId::from_u128(id));
        page.push(Pending { cursor, alert });
    }
    Ok(page)
}

pub(super) fn backlog(
    transaction: &ReadTransaction,
    shard: ShardId,
) -> Result<BTreeMap<OutputName, u64>, Failure> {
    let table = transaction.open_table(BACKLOG)?;
    let mut backlog = BTreeMap::new();
    let from = Bound::Included((shard.0, ""));
    let until = shard
        .0
        .checked_add(1)
        .map_or(Bound::Unbounded, |next| Bound::Excluded((next, "")));
    for entry in table.range((from, until))? {
        let (key, count) = entry?;
        let name = key.value().1;
        let output = name
            .parse()
            .map_err(|_| Failure::Corrupt(format!("backlog of {name:?}")))?;
        backlog.insert(output, count.value());
    }
    Ok(backlog)
}

pub(super) fn grouped(
    transaction: &ReadTransaction,
    shard: ShardId,
    after: Option<(Timestamp, AlertId)>,
    items_max: usize,
) -> Result<Vec<StoredAlert>, Failure> {
    let grouped = transaction.open_table(GROUPED)?;
    let (standings, alerts) = (
        transaction.open_table(STANDINGS)?,
        transaction.open_table(ALERTS)?,
    );
    let from = match after {
        Some((created, id)) => Bound::Excluded((shard.0, created.as_micros(), id.as_u128())),
        None => Bound::Included((shard.0, i64::MIN, 0)),
    };
    let mut page = Vec::new();
    for entry in grouped
        .range((from, Bound::Included((shard.0, i64::MAX, u128::MAX))))?
        .take(items_max)
    {
        let (_, created, id) = entry?.0.value();
        let Some(standing) = read_standing(&standings, AlertId::from_u128(id))? else {
            return Err(Failure::Corrupt(format!(
                "grouped alert {} has no standing",
                AlertId::from_u128(id)
            )));
        };
        page.push(standing.stored(read_alert(&alerts, created, id)?));
    }
    Ok(page)
}

pub(super) fn fetch(
    transaction: &ReadTransaction,
    shard: ShardId,
    ids: &[AlertId],
) -> Result<Vec<Arc<Alert>>, Failure> {
    let (standings, alerts) = (
        transaction.open_table(STANDINGS)?,
        transaction.open_table(ALERTS)?,
    );
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(standing) = read_standing(&standings, *id)?
            && standing.shard == shard
            && standing.is_open()
        {
            found.push(read_alert(&alerts, standing.created.as_micros(), id.as_u128())?);
        }
    }
    Ok(found)
}

pub(super) fn delivery(
    transaction: &ReadTransaction,
    shard: ShardId,
    id: AlertId,
    output: &OutputName,
) -> Result<DeliveryState, Failure> {
    let standing = read_standing(&transaction.open_table(STANDINGS)?, id)?;
    let ours = standing.filter(|standing| standing.shard == shard);
    Ok(ours.map_or(DeliveryState::Unknown, |standing| standing.delivery(output)))
}

pub(super) fn list(
    transaction: &ReadTransaction,
    filter: &AlertFilter,
    items_max: usize,
) -> Result<Vec<AlertView>, Failure> {
    let (standings, alerts) = (
        transaction.open_table(STANDINGS)?,
        transaction.open_table(ALERTS)?,
    );
    let since = filter.since.map_or(i64::MIN, Timestamp::as_micros);
    let mut page = Vec::new();
    for entry in alerts.range((since, 0)..)?.rev() {
        if page.len() >= items_max {
            break;
        }
        let (key, row) = entry?;
        if let Some(rule) = &filter.rule
            && peek_rule(row.value())? != rule
        {
            continue;
        }
        let id = AlertId::from_u128(key.value().1);
        let Some(standing) = read_standing(&standings, id)? else {
            return Err(Failure::Corrupt(format!("alert {id} has no standing")));
        };
        if standing.is_open() || !filter.open_only {
            page.push(standing.view(Arc::new(decode_alert(row.value())?)));
        }
    }
    Ok(page)
}

pub(super) fn view(transaction: &ReadTransaction, id: AlertId) -> Result<Option<AlertView>, Failure> {
    let (standings, alerts) = (
        transaction.open_table(STANDINGS)?,
        transaction.open_table(ALERTS)?,
    );
    let Some(standing) = read_standing(&standings, id)? else {
        return Ok(None);
    };
    let alert = read_alert(&alerts, standing.created.as_micros(), id.as_u128())?;
    Ok(Some(standing.view(alert)))
}
