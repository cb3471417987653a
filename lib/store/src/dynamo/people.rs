//! What people ask: an alert by its id alone, and lists over all shards. Slow beside the rest, but bounded.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use streamalert_types::{AlertId, Timestamp};

use super::Inner;
use super::alert_item::{Kept, decode};
use super::alerts::indexed;
use super::attributes::{Attributes, number, text};
use super::options::{KEYS_PER_READ, SCAN_ITEMS_MAX};
use super::reads::corrupt;
use crate::{AlertFilter, AlertView, ShardId, StoreError};

/// Segments that a table is read in at the same time.
const SCAN_SEGMENTS: i32 = 4;

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
        let newest = if filter.open_only {
            self.newest_open(filter, items_max).await?
        } else {
            self.newest_of_all(filter, items_max).await?
        };
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

    /// From the index of open alerts of every shard, newest first.
    async fn newest_open(&self, filter: &AlertFilter, items_max: usize) -> Result<Newest, StoreError> {
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
        query.descending = true;
        let (mut newest, mut from) = (Newest::new(), None);
        loop {
            let page = self.query(&query, from).await?;
            for item in &page.items {
                let (_, id) = indexed(shard, item)?;
                let item = Attributes {
                    item,
                    keys: ["shard", "id"],
                };
                let created = Timestamp::from_micros(item.number("created").map_err(corrupt)?);
                if filter.since.is_some_and(|since| created < since) || newest.len() >= items_max {
                    return Ok(newest);
                }
                let rule = item.text("rule").map_err(corrupt)?;
                if filter.rule.as_deref().is_none_or(|wanted| wanted == rule) {
                    newest.insert((created, id), shard);
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok(newest);
            }
        }
    }

    /// Tombstones are in no index, for that would cost on every alert: the whole table is read.
    async fn newest_of_all(&self, filter: &AlertFilter, items_max: usize) -> Result<Newest, StoreError> {
        let segments = (0..SCAN_SEGMENTS).map(|segment| self.newest_of_segment(segment, filter, items_max));
        let merge = |mut newest: Newest, of_segment: Newest| async {
            newest.extend(of_segment);
            keep_newest(&mut newest, items_max);
            Ok(newest)
        };
        let segments = stream::iter(segments).buffer_unordered(SCAN_SEGMENTS.unsigned_abs() as usize);
        segments.try_fold(Newest::new(), merge).await
    }

    async fn newest_of_segment(
        &self,
        segment: i32,
        filter: &AlertFilter,
        items_max: usize,
    ) -> Result<Newest, StoreError> {
        let now = self.clock.now();
        let (mut newest, mut from, mut seen) = (Newest::new(), None, 0);
        loop {
            let read = || {
                // The fences of the shards have no layout.
                let mut condition = "attribute_exists(#layout)".to_owned();
                let mut request = self
                    .client
                    .scan()
                    .table_name(&self.tables.alerts)
                    .segment(segment)
                    .total_segments(SCAN_SEGMENTS)
                    .consistent_read(true)
                    .projection_expression(
                        "#shard, #id, #layout, #revision, #epoch, #mark, #created, #rule, #expires",
                    )
                    .set_exclusive_start_key(from.clone());
                for name in [
                    "shard", "id", "layout", "revision", "epoch", "mark", "created", "rule", "expires",
                ] {
                    request = request.expression_attribute_names(format!("#{name}"), name);
                }
                if let Some(rule) = &filter.rule {
                    condition += " AND #rule = :rule";
                    request = request.expression_attribute_values(":rule", text(rule));
                }
                if let Some(since) = filter.since {
                    condition += " AND #created >= :since";
                    request = request.expression_attribute_values(":since", number(since.as_micros()));
                }
                request.filter_expression(condition).send()
            };
            let page = self.caller.call("dynamodb:Scan", read).await?;
            seen += usize::try_from(page.scanned_count).unwrap_or(0);
            for item in page.items.iter().flatten() {
                let kept = decode(item).map_err(corrupt)?;
                if !kept.is_forgotten(now) {
                    newest.insert((kept.standing.created, kept.id), kept.standing.shard);
                    keep_newest(&mut newest, items_max);
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(newest);
            }
            if seen >= SCAN_ITEMS_MAX / SCAN_SEGMENTS.unsigned_abs() as usize {
                return Err(StoreError::Refused {
                    reason: format!(
                        "more than {SCAN_ITEMS_MAX} alerts are kept, too many to list; list the open ones, or one by its id"
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
