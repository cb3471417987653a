//! Who may write to a shard: one item beside its alerts, `merger/17` / `#fence`, that holds the epoch of its owner.
//! It is not the lease itself, which is renewed all the time: a transaction that checks an item excludes every other
//! write of that item. Taking a lease raises it in the same transaction.

use aws_sdk_dynamodb::types::ConditionCheck;

use super::Inner;
use super::alert_item::shard_key;
use super::attributes::{Attributes, Item, number, text};
use super::reads::corrupt;
use crate::lease::check_fence;
use crate::{Fence, ShardId, StoreError};

/// The sort key of a fence; no alert id looks like it.
pub(super) const FENCE_ID: &str = "#fence";

pub(super) fn fence_key(shard: ShardId) -> Item {
    Item::from([
        ("shard".to_owned(), text(shard_key(shard))),
        ("id".to_owned(), text(FENCE_ID)),
    ])
}

impl Inner {
    /// The highest epoch that the shard has seen.
    pub(super) async fn fence(&self, shard: ShardId) -> Result<Option<u64>, StoreError> {
        let read = || {
            let request = self.client.get_item().table_name(&self.tables.alerts);
            request
                .set_key(Some(fence_key(shard)))
                .consistent_read(true)
                .send()
        };
        let answer = self.caller.call("dynamodb:GetItem", read).await?;
        let Some(item) = answer.item else { return Ok(None) };
        let item = Attributes {
            item: &item,
            keys: ["shard", "id"],
        };
        Ok(Some(item.number("epoch").map_err(corrupt)?))
    }

    /// Refuses an epoch that is not the newest. A newer one is noted: from then on older ones are refused.
    pub(super) async fn check_fence(&self, fence: Fence) -> Result<(), StoreError> {
        loop {
            let seen = self.fence(fence.shard).await?;
            let Some(epoch) = check_fence(fence, seen)? else {
                return Ok(());
            };
            // Who takes a lease raises the fence. Only writers without leases, in tests, come here.
            if self.raise_fence(fence.shard, epoch).await? {
                return Ok(());
            }
        }
    }

    /// False when it is as high already.
    async fn raise_fence(&self, shard: ShardId, epoch: u64) -> Result<bool, StoreError> {
        let write = || {
            let request = self.client.update_item().table_name(&self.tables.alerts);
            request
                .set_key(Some(fence_key(shard)))
                .update_expression("SET #epoch = :epoch")
                .condition_expression("attribute_not_exists(#epoch) OR #epoch < :epoch")
                .expression_attribute_names("#epoch", "epoch")
                .expression_attribute_values(":epoch", number(epoch))
                .send()
        };
        match self.caller.call("dynamodb:UpdateItem", write).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is_condition() => Ok(false),
            Err(failed) => Err(failed.into()),
        }
    }

    /// The part of a transaction that holds only while the writer's epoch is the newest.
    pub(super) fn fence_condition(&self, fence: Fence) -> ConditionCheck {
        ConditionCheck::builder()
            .table_name(&self.tables.alerts)
            .set_key(Some(fence_key(fence.shard)))
            .condition_expression("#epoch = :epoch")
            .expression_attribute_names("#epoch", "epoch")
            .expression_attribute_values(":epoch", number(fence.epoch))
            .build()
            .expect("table, key and condition are given")
    }
}
