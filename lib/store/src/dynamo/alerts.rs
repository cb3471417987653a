//! Accepting and settling alerts, and the outbox.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use streamalert_types::{Alert, AlertId, OutputName, Timestamp};

use super::Inner;
use super::alert_item::{self, Kept, change, decode, encode, place, shard_key};
use super::attributes::{Attributes, Item, number};
use super::caller::Failed;
use super::options::RIVALS_MAX;
use super::reads::{all, corrupt, text_of};
use crate::rows::encode_alert;
use crate::standing::{PageLimit, Standing, cursor_of, place_of};
use crate::{
    Accepted, DeliveryState, Fence, OutboxCursor, Pending, SettledDelivery, ShardId, StoreError, StoredAlert,
};

/// Puts of alerts are conditional on this: unknown, or a tombstone whose time has come.
pub(super) const IS_NEW: &str = "attribute_not_exists(#id) OR #expires <= :now";

/// Bodies read at a time for a page of the outbox, which is bounded in bytes too.
const BODIES_PER_READ: usize = 16;

impl Inner {
    pub(super) async fn accept(
        &self,
        fence: Fence,
        alerts: Vec<StoredAlert>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.check_fence(fence).await?;
        let mut first = HashMap::with_capacity(alerts.len());
        let ids: Vec<AlertId> = alerts.iter().map(|stored| stored.alert.id).collect();
        for (at, id) in ids.iter().enumerate() {
            first.entry(*id).or_insert(at);
        }
        let puts = alerts
            .iter()
            .enumerate()
            .filter(|(at, stored)| first[&stored.alert.id] == *at);
        let puts = puts.map(|(at, stored)| async move { (at, self.accept_one(fence, stored).await) });
        let puts = all(puts.collect()).await;

        let mut accepted = vec![Accepted::Duplicate; ids.len()];
        let (mut failed, mut written) = (None, false);
        for (at, put) in puts {
            match put {
                Ok(put) => {
                    written |= put == Accepted::New;
                    accepted[at] = put;
                }
                Err(error) => failed = Some(failed.map_or(error.clone(), |first| worse(first, error))),
            }
        }
        match failed {
            Some(error) if written => return Err(happened(error)),
            Some(error) => return Err(error),
            None => {}
        }
        if written {
            // Who took the shard over meanwhile may have loaded it before our writes: then nobody may be told
            // that they are safe. The alerts come again, and the new owner adopts them.
            self.check_fence(fence).await?;
        }
        Ok(accepted)
    }

    async fn accept_one(&self, fence: Fence, stored: &StoredAlert) -> Result<Accepted, StoreError> {
        let kept = self.kept(fence, stored).await?;
        Ok(match self.put(&kept).await? {
            None => Accepted::New,
            Some(known) => known_as(&known, fence),
        })
    }

    /// A new alert as it is to be written. A body that no item holds is in the bucket then.
    pub(super) async fn kept(&self, fence: Fence, stored: &StoredAlert) -> Result<Kept, StoreError> {
        let id = stored.alert.id;
        let key = format!("alerts/{}/{id}", shard_key(fence.shard));
        let body = self
            .bodies
            .keep(&self.caller, key, encode_alert(&stored.alert))
            .await?;
        Ok(Kept {
            id,
            standing: Standing::new(fence.shard, stored),
            revision: 1,
            epoch: fence.epoch,
            mark: self.caller.random(),
            rule: stored.alert.rule_name.to_string(),
            members: None,
            body,
        })
    }

    /// Writes an alert if it is new; else answers what is known of it. A repetition after a lost reply finds its own
    /// mark, which is how it is told from a duplicate.
    async fn put(&self, kept: &Kept) -> Result<Option<Kept>, StoreError> {
        let now = number(self.clock.now().as_micros());
        let write = || {
            let request = self.client.put_item().table_name(&self.tables.alerts);
            request
                .set_item(Some(encode(kept)))
                .condition_expression(IS_NEW)
                .expression_attribute_names("#id", "id")
                .expression_attribute_names("#expires", "expires")
                .expression_attribute_values(":now", now.clone())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
        };
        let failed = match self.caller.call("dynamodb:PutItem", write).await {
            Ok(_) => return Ok(None),
            Err(failed) if failed.is_condition() => failed,
            Err(failed) => return Err(failed.into()),
        };
        match old_item(&failed) {
            Some(item) => self.other(kept, decode(item).map_err(corrupt)?),
            None => self.known(kept).await,
        }
    }

    /// What is known of an alert that could not be put because it is known.
    pub(super) async fn known(&self, kept: &Kept) -> Result<Option<Kept>, StoreError> {
        let key = [(kept.standing.shard, kept.id)];
        match self.alerts_by_key(&key, false).await?.remove(&kept.id) {
            Some(known) => self.other(kept, known),
            // Its time came between the two calls.
            None => Err(StoreError::Busy {
                reason: format!("alert {} was being forgotten", kept.id),
            }),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "reads as the end of a call that may fail"
    )]
    fn other(&self, ours: &Kept, known: Kept) -> Result<Option<Kept>, StoreError> {
        Ok((known.mark != ours.mark || known.epoch != ours.epoch).then_some(known))
    }

    pub(super) async fn settle(
        &self,
        fence: Fence,
        settled: Vec<SettledDelivery>,
        tombstone_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.check_fence(fence).await?;
        let mut by_alert: BTreeMap<AlertId, Vec<SettledDelivery>> = BTreeMap::new();
        for delivery in settled {
            by_alert.entry(delivery.alert).or_default().push(delivery);
        }
        let ids: Vec<AlertId> = by_alert.keys().copied().collect();
        // A late owner may come here after the fence was raised. What it notes is true all the same: the delivery
        // ended, and nobody need make it again.
        self.change_all(fence.shard, &ids, |kept| {
            let mut standing = kept.standing.clone();
            let mut ours = false;
            for delivery in by_alert.get(&kept.id).into_iter().flatten() {
                ours |= standing.settle(&delivery.output, &delivery.outcome);
            }
            let idle = kept.standing.pending.is_empty() && kept.standing.group.is_none();
            ((ours | idle) && (standing.bury(tombstone_until) | ours)).then_some(standing)
        })
        .await
    }

    /// Changes open alerts, each on its own, by `next`: a function of how it stands to how it shall stand, `None` to
    /// leave it. It is asked again when another writer was faster, so that repeating a change changes nothing.
    pub(super) async fn change_all(
        &self,
        shard: ShardId,
        ids: &[AlertId],
        next: impl Fn(&Kept) -> Option<Standing> + Sync,
    ) -> Result<(), StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| (shard, *id)).collect();
        let known = self.alerts_by_key(&keys, false).await?;
        let next = &next;
        let changes = known.into_values().map(|kept| self.change_one(kept, next));
        let results = all(changes.collect()).await;
        let some_done = results.iter().any(Result::is_ok);
        match results.into_iter().filter_map(Result::err).reduce(worse) {
            Some(error) if some_done => Err(happened(error)),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn change_one(
        &self,
        mut kept: Kept,
        next: &(impl Fn(&Kept) -> Option<Standing> + Sync),
    ) -> Result<(), StoreError> {
        for _ in 0..RIVALS_MAX {
            if !kept.standing.is_open() {
                return Ok(());
            }
            let Some(after) = next(&kept) else { return Ok(()) };
            // The index of merged alerts ends with this: their members must have left before.
            if let Some(members) = kept.members.as_ref().filter(|_| !after.is_open()) {
                Box::pin(self.release_members(kept.standing.shard, members)).await?;
            }
            if self.write_change(&kept, &after).await? {
                return Ok(());
            }
            let key = [(kept.standing.shard, kept.id)];
            match self.alerts_by_key(&key, false).await?.remove(&kept.id) {
                Some(known) => kept = known,
                None => return Ok(()),
            }
        }
        Err(StoreError::Unavailable {
            reason: format!("alert {} is changed by others all the time", kept.id),
        })
    }

    /// False when it is not as it was read any more.
    async fn write_change(&self, kept: &Kept, after: &Standing) -> Result<bool, StoreError> {
        let change = change(kept, after);
        let write = || {
            let request = self.client.update_item().table_name(&self.tables.alerts);
            request
                .set_key(Some(change.key.clone()))
                .update_expression(&change.update)
                .condition_expression(&change.condition)
                .set_expression_attribute_names(Some(change.names.iter().cloned().collect()))
                .set_expression_attribute_values(Some(change.values.clone()))
                .send()
        };
        match self.caller.call("dynamodb:UpdateItem", write).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is_condition() => Ok(false),
            Err(failed) => Err(failed.into()),
        }
    }

    pub(super) async fn pending(
        &self,
        shard: ShardId,
        output: &OutputName,
        after: Option<OutboxCursor>,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let mut query = self.open_alerts(shard);
        query.after = after
            .as_ref()
            .and_then(place_of)
            .map(|(created, id)| place(created, id));
        query.filter = Some(("pending", Some(output.as_str().to_owned())));
        let (mut page, mut from) = (Vec::new(), None);
        let mut limit = PageLimit::new(items_max, bytes_max);
        while page.len() < items_max {
            let index = self.query(&query, from).await?;
            let keys = index.items.iter().map(|item| indexed(shard, item));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            for keys in keys.chunks(BODIES_PER_READ) {
                let known = self.alerts_by_key(keys, true).await?;
                for (_, id) in keys {
                    let Some(kept) = known
                        .get(id)
                        .filter(|kept| kept.standing.pending.contains(output))
                    else {
                        continue;
                    };
                    let alert = self.alert(kept).await?;
                    if !limit.admits(alert.weight_bytes()) {
                        return Ok(page);
                    }
                    let cursor = cursor_of(kept.standing.created, kept.id);
                    page.push(Pending { cursor, alert });
                }
            }
            from = index.next;
            if from.is_none() {
                break;
            }
        }
        Ok(page)
    }

    pub(super) async fn backlog(&self, shard: ShardId) -> Result<BTreeMap<OutputName, u64>, StoreError> {
        let mut query = self.open_alerts(shard);
        query.filter = Some(("pending", None));
        let (mut backlog, mut from) = (BTreeMap::new(), None);
        loop {
            let page = self.query(&query, from).await?;
            for item in &page.items {
                let item = Attributes {
                    item,
                    keys: ["shard", "id"],
                };
                for output in alert_item::pending::<Vec<_>>(item).map_err(corrupt)? {
                    *backlog.entry(output).or_default() += 1;
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok(backlog);
            }
        }
    }

    pub(super) async fn delivery(
        &self,
        shard: ShardId,
        id: AlertId,
        output: &OutputName,
    ) -> Result<DeliveryState, StoreError> {
        let known = self.alerts_by_key(&[(shard, id)], false).await?.remove(&id);
        Ok(known.map_or(DeliveryState::Unknown, |kept| kept.standing.delivery(output)))
    }

    pub(super) async fn fetch(&self, shard: ShardId, ids: &[AlertId]) -> Result<Vec<Arc<Alert>>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| (shard, *id)).collect();
        let known = self.alerts_by_key(&keys, true).await?;
        let mut alerts = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(kept) = known.get(id).filter(|kept| kept.standing.is_open()) {
                alerts.push(self.alert(kept).await?);
            }
        }
        Ok(alerts)
    }
}

/// What a known alert means for a writer under `fence`.
fn known_as(known: &Kept, fence: Fence) -> Accepted {
    if known.epoch >= fence.epoch || !known.standing.is_open() {
        return Accepted::Duplicate;
    }
    Accepted::Adopted {
        pending: known.standing.pending.iter().cloned().collect(),
        group: known.standing.group.clone(),
    }
}

/// The primary key of an item of an index.
pub(super) fn indexed(shard: ShardId, item: &Item) -> Result<(ShardId, AlertId), StoreError> {
    let id = text_of(item, "id")?;
    let id = id.parse().map_err(|_| StoreError::Corrupt {
        reason: format!("{id:?} in an index is no alert id"),
    })?;
    Ok((shard, id))
}

/// The item that stood in the way of a put, if the answer holds it.
fn old_item(failed: &Failed<PutItemError>) -> Option<&Item> {
    match failed.error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(error)) => error.item(),
        _ => None,
    }
}

/// Of two errors the one that says more: an operator is needed, or something may have happened.
fn worse(one: StoreError, other: StoreError) -> StoreError {
    let weight = |error: &StoreError| match error {
        StoreError::Corrupt { .. } | StoreError::Refused { .. } => 3,
        StoreError::Fenced { .. } | StoreError::Full { .. } => 2,
        StoreError::Unavailable { .. } => 1,
        StoreError::Busy { .. } => 0,
    };
    let happened = one.may_have_happened() || other.may_have_happened();
    let error = if weight(&other) > weight(&one) { other } else { one };
    if happened { self::happened(error) } else { error }
}

/// The same error where a part of the call took effect.
pub(super) fn happened(error: StoreError) -> StoreError {
    if error.may_have_happened() {
        return error;
    }
    StoreError::Unavailable {
        reason: error.to_string(),
    }
}
