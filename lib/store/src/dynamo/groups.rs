//! Merge groups: closing one, and taking them over.
//!
//! A closing is one transaction (the fence holds; the merged alert is new) that names the members in the merged
//! alert. Then they leave the group one by one, which may be repeated by anyone: the merged alert is durable, so it
//! is right whoever does it. Until the merged alert is settled it stands in the index `closing`, and a new owner
//! finishes what it finds there before it reads the groups.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use streamalert_aws::{Fault, FaultKind};
use streamalert_types::{AlertId, Timestamp};

use super::alert_item::{Kept, Members, encode, place, shard_key};
use super::alerts::{IS_NEW, happened, indexed};
use super::attributes::number;
use super::caller::refusal;
use super::reads::IndexQuery;
use super::{CLOSING_LOCKS, Inner};
use crate::{Accepted, Fence, ShardId, StoreError, StoredAlert};

const ACTION: &str = "dynamodb:TransactWriteItems";

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Done,
    /// The fence is not as it was.
    Fenced,
    /// The merged alert is known.
    Known,
}

impl Inner {
    pub(super) async fn close_group(
        &self,
        fence: Fence,
        members: Members,
        merged: Option<StoredAlert>,
    ) -> Result<Accepted, StoreError> {
        self.check_fence(fence).await?;
        let Some(merged) = merged else {
            // Nothing to be sent: if a late owner does this, the next only thinks the group closed.
            self.release_members(fence.shard, &members)
                .await
                .map_err(happened)?;
            self.check_fence(fence).await?;
            return Ok(Accepted::New);
        };
        let mut kept = self.kept(fence, &merged).await?;
        // Nobody would come to settle a merged alert without outputs.
        kept.standing.bury(members.until);
        kept.members = Some(members);
        let known = match self.close(fence, &kept).await? {
            Closed::Done => None,
            Closed::Known => self.known(&kept).await?,
            Closed::Fenced => {
                self.check_fence(fence).await?;
                return Err(StoreError::Busy {
                    reason: "the fence moved and came back".to_owned(),
                });
            }
        };
        let accepted = match &known {
            None => Accepted::New,
            Some(_) => Accepted::Duplicate,
        };
        // Of one that was closed before, those leave who were merged then: another is in no merged alert yet.
        if let Some(members) = known.unwrap_or(kept).members {
            self.release_members(fence.shard, &members)
                .await
                .map_err(happened)?;
        }
        Ok(accepted)
    }

    async fn close(&self, fence: Fence, kept: &Kept) -> Result<Closed, StoreError> {
        let put = Put::builder()
            .table_name(&self.tables.alerts)
            .set_item(Some(encode(kept)))
            .condition_expression(IS_NEW)
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#expires", "expires")
            .expression_attribute_values(":now", number(self.clock.now().as_micros()))
            .build()
            .expect("table and item are given");
        let parts = [
            TransactWriteItem::builder()
                .condition_check(self.fence_condition(fence))
                .build(),
            TransactWriteItem::builder().put(put).build(),
        ];
        let place = usize::from(fence.shard.0) % CLOSING_LOCKS;
        let _alone = self.closing[place].lock().await;
        let _permit = self.caller.permit().await;
        let mut pauses = self.caller.pauses();
        let mut may_have_happened = false;
        loop {
            let request = self.client.transact_write_items();
            let error = match request.set_transact_items(Some(parts.to_vec())).send().await {
                Ok(_) => return Ok(Closed::Done),
                Err(error) => error,
            };
            let fault = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    let reasons = canceled.cancellation_reasons();
                    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code().unwrap_or("")).collect();
                    match verdict(&codes) {
                        Ok(closed) => return Ok(closed),
                        Err(fault) => fault,
                    }
                }
                _ => Fault::of(ACTION, &error),
            };
            may_have_happened |= fault.may_have_happened();
            if !fault.is_retryable() || !pauses.pause(&fault).await {
                return Err(refusal(&fault, may_have_happened));
            }
        }
    }

    /// Makes the members of a merged alert leave their group. Those who did already, or are gone, are left alone.
    pub(super) async fn release_members(&self, shard: ShardId, members: &Members) -> Result<(), StoreError> {
        self.change_all(shard, &members.ids, |kept| {
            let mut standing = kept.standing.clone();
            let left = standing.leave(members.group);
            standing.bury(members.until);
            left.then_some(standing)
        })
        .await
    }

    /// Finishes closings that a former owner, or a failure, left unfinished.
    async fn finish_closings(&self, shard: ShardId) -> Result<(), StoreError> {
        let query = IndexQuery {
            table: &self.tables.alerts,
            index: "closing",
            partition: ("shard", shard_key(shard)),
            after: None,
            filter: None,
            items_max: None,
            descending: false,
        };
        let mut from = None;
        loop {
            let page = self.query(&query, from).await?;
            let keys = page.items.iter().map(|item| indexed(shard, item));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            for kept in self.alerts_by_key(&keys, false).await?.into_values() {
                if let Some(members) = &kept.members {
                    self.release_members(shard, members).await?;
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) async fn grouped(
        &self,
        shard: ShardId,
        after: Option<(Timestamp, AlertId)>,
        items_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        if after.is_none() {
            self.finish_closings(shard).await?;
        }
        let mut query = self.open_alerts(shard);
        query.after = after.map(|(created, id)| place(created, id));
        query.filter = Some(("waits", None));
        let (mut found, mut from) = (Vec::new(), None);
        while found.len() < items_max {
            let page = self.query(&query, from).await?;
            let keys = page.items.iter().map(|item| indexed(shard, item));
            let keys = keys
                .take(items_max - found.len())
                .collect::<Result<Vec<_>, _>>()?;
            let mut known = self.alerts_by_key(&keys, true).await?;
            for (_, id) in &keys {
                let kept = known.remove(id);
                if let Some(kept) = kept.filter(|kept| kept.standing.group.is_some()) {
                    let alert = self.alert(&kept).await?;
                    found.push(kept.standing.stored(alert));
                }
            }
            from = page.next;
            // More of this page may be left: the caller goes on behind the last that it got.
            if from.is_none() || keys.len() < page.items.len() {
                break;
            }
        }
        Ok(found)
    }
}

/// What the codes of a cancelled transaction mean, one for each of its parts: the fence and the merged alert.
fn verdict(codes: &[&str]) -> Result<Closed, Fault> {
    const CONDITION: &str = "ConditionalCheckFailed";
    if codes.first() == Some(&CONDITION) {
        return Ok(Closed::Fenced);
    }
    if codes.get(1) == Some(&CONDITION) {
        return Ok(Closed::Known);
    }
    Err(cancelled(
        codes
            .iter()
            .find(|code| !["", "None"].contains(*code))
            .unwrap_or(&""),
    ))
}

/// A transaction that was cancelled for another reason than a condition.
pub(super) fn cancelled(code: &str) -> Fault {
    let kind = match code {
        // Another transaction was in the way, or we are too fast: it did not happen, and can soon.
        "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => FaultKind::Throttled,
        _ => FaultKind::Invalid,
    };
    Fault {
        action: ACTION,
        kind,
        code: match code {
            "ItemCollectionSizeLimitExceeded" => "ItemCollectionSizeLimitExceededException".to_owned(),
            code => code.to_owned(),
        },
        reason: format!("transaction cancelled: {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_says_which_part_failed() {
        assert_eq!(verdict(&["ConditionalCheckFailed", "None"]), Ok(Closed::Fenced));
        assert_eq!(
            verdict(&["ConditionalCheckFailed", "ConditionalCheckFailed"]),
            Ok(Closed::Fenced),
            "a fenced writer learns nothing else"
        );
        assert_eq!(verdict(&["None", "ConditionalCheckFailed"]), Ok(Closed::Known));
        for code in [
            "TransactionConflict",
            "ThrottlingError",
            "ProvisionedThroughputExceeded",
        ] {
            let fault = verdict(&["None", code]).unwrap_err();
            assert!(fault.is_retryable() && !fault.may_have_happened(), "{code}");
        }
        let full = verdict(&["None", "ItemCollectionSizeLimitExceeded"]).unwrap_err();
        assert!(matches!(refusal(&full, false), StoreError::Full { .. }));
        assert!(!verdict(&[]).unwrap_err().is_retryable());
    }
}
