//! What people ask: an alert by its id alone, and lists over all shards. Slow beside the rest, but bounded: queries, and no
//! reading of a whole table.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use streamalert_types::{AlertId, Timestamp};

use super::Inner;
use super::alert_item::{Kept, place};
use super::alerts::indexed;
use super::attributes::Attributes;
use super::options::{KEYS_PER_READ, LISTED_MAX};
use super::reads::corrupt;
use crate::{AlertFilter, AlertView, ShardId, StoreError};

/// Shards that are asked at the same time.
const SHARDS_AT_ONCE: usize = 16;

/// The newest alerts seen, no more than were asked for.
type Newest = BTreeMap<(Timestamp, AlertId), ShardId>;

impl Inner {
    /// The shard of an alert follows from its merge key, which is not known here: all are asked.
    pub(super) async fn view(&self, id: AlertId) -> Result<Option<AlertView>, StoreError> {
        let keys: Vec<_> = (0..self.shards).map(|shard| (ShardId(shard), id)).collect();
        for keys in keys.chunks(KEYS_PER_READ) {
            if let Some(kept) = self.alerts_by_key(keys, true).await?.remove(&id) {
                return Ok(Some(self.view_of(&kept).await?));
            }
        }
        Ok(None)
    }

    async fn view_of(&self, kept: &Kept) -> Result<AlertView, StoreError> {
        Ok(kept.standing.view(self.alert(kept).await?))
    }

    pub(super) async fn list(
        &self,
        filter: &AlertFilter,
        items_max: usize,
    ) -> Result<Vec<AlertView>, StoreError> {
        let newest = self.newest(filter, items_max).await?;
        let keys: Vec<_> = newest
            .into_iter()
            .rev()
            .map(|((_, id), shard)| (shard, id))
            .collect();
        let mut known = self.alerts_by_key(&keys, true).await?;
        let mut views = Vec::with_capacity(keys.len());
        for (_, id) in keys {
            if let Some(kept) = known.remove(&id) {
                views.push(self.view_of(&kept).await?);
            }
        }
        Ok(views)
    }

    /// From an index of every shard, newest first: that of open alerts, or that of all.
    async fn newest(&self, filter: &AlertFilter, items_max: usize) -> Result<Newest, StoreError> {
        let shards = (0..self.shards).map(|shard| self.newest_of_shard(ShardId(shard), filter, items_max));
        let shards = stream::iter(shards).buffer_unordered(SHARDS_AT_ONCE);
        let merge = |mut newest: Newest, of_shard: Newest| async {
            newest.extend(of_shard);
            keep_newest(&mut newest, items_max);
            Ok(newest)
        };
        shards.try_fold(Newest::new(), merge).await
    }

    async fn newest_of_shard(
        &self,
        shard: ShardId,
        filter: &AlertFilter,
        items_max: usize,
    ) -> Result<Newest, StoreError> {
        let mut query = self.open_alerts(shard);
        if !filter.open_only {
            query.index = "listed";
        }
        query.descending = true;
        // Behind nothing that was created then, for no id is empty.
        query.after = filter.since.map(|since| place(since, ""));
        query.items_max = i32::try_from(items_max).ok().filter(|_| filter.rule.is_none());
        let looked_at_max = (LISTED_MAX / usize::from(self.shards.max(1))).max(1);
        let (mut newest, mut from, mut looked_at) = (Newest::new(), None, 0);
        loop {
            let page = self.query(&query, from).await?;
            looked_at += page.items.len();
            for item in &page.items {
                let (_, id) = indexed(shard, item)?;
                let item = Attributes {
                    item,
                    keys: ["shard", "id"],
                };
                if newest.len() >= items_max {
                    return Ok(newest);
                }
                let created = Timestamp::from_micros(item.number("created").map_err(corrupt)?);
                let rule = item.text("rule").map_err(corrupt)?;
                if filter.rule.as_deref().is_none_or(|wanted| wanted == rule) {
                    newest.insert((created, id), shard);
                }
            }
            from = page.next;
            if from.is_none() || newest.len() >= items_max {
                return Ok(newest);
            }
            if looked_at >= looked_at_max {
                return Err(StoreError::Refused {
                    reason: format!(
                        "{looked_at} alerts of shard {} were looked through, and more are there: say since when",
                        shard.0
                    ),
                });
            }
        }
    }
}

fn keep_newest(newest: &mut Newest, items_max: usize) {
    while newest.len() > items_max {
        newest.pop_first();
    }
}
