//! Leases as items; [`crate::Lease`] has the attributes. Beside those, `layout` (N) is the version of this layout, and
//! `mark` (N) names the call that wrote last, by which a write whose reply was lost is told from a rival's.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use streamalert_aws::Fault;
use streamalert_types::Timestamp;

use super::alert_item::Change;
use super::attributes::{Attributes, Item, ItemError, number, text, texts};
use super::caller::refusal;
use super::fence::fence_key;
use super::groups::cancelled;
use super::reads::{all, corrupt};
use super::{DynamoStore, Inner};
use crate::lease::{asked, checkpointed, fenced_shard, released, renewed, taken};
use crate::{Lease, LeaseAnswer, LeaseStore, ShardId, StoreError};

/// The layout that this version writes. A table that holds a newer one is of a newer version, whose rules this one
/// does not know: it must not write there.
const LAYOUT: u32 = 1;

const ACTION: &str = "dynamodb:TransactWriteItems";

fn lease_key(key: &str) -> Item {
    Item::from([("leaseKey".to_owned(), text(key))])
}

pub(super) fn encode(lease: &Lease) -> Item {
    let optional = |value: &Option<String>| value.as_deref().map(text);
    let attributes = [
        ("leaseKey", Some(text(&lease.key))),
        ("leaseOwner", optional(&lease.owner)),
        ("leaseAddress", optional(&lease.address)),
        ("leaseEpoch", Some(number(lease.epoch))),
        ("leaseCounter", Some(number(lease.counter))),
        ("wantedBy", optional(&lease.wanted_by)),
        ("checkpoint", optional(&lease.checkpoint)),
        ("parentShardId", texts(lease.parents.iter().map(String::as_str))),
        ("updatedMicros", Some(number(lease.updated.as_micros()))),
        ("layout", Some(number(LAYOUT))),
    ];
    let present = attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    present.collect()
}

pub(super) fn decode(item: &Item) -> Result<Lease, ItemError> {
    let item = Attributes {
        item,
        keys: ["leaseKey", "leaseOwner"],
    };
    // A lease that another tool wrote, in the way of the Kinesis Client Library, has none.
    let layout: u32 = item.optional_number("layout")?.unwrap_or(LAYOUT);
    if layout > LAYOUT {
        let problem =
            format!("{layout} was written by a newer version of streamalert; this one knows {LAYOUT}");
        return Err(item.error("layout", problem));
    }
    let optional = |name| Ok(item.optional_text(name)?.map(str::to_owned));
    Ok(Lease {
        key: item.text("leaseKey")?.to_owned(),
        owner: optional("leaseOwner")?,
        address: optional("leaseAddress")?,
        epoch: item.optional_number("leaseEpoch")?.unwrap_or(0),
        counter: item.number("leaseCounter")?,
        wanted_by: optional("wantedBy")?,
        checkpoint: optional("checkpoint")?,
        parents: item
            .set("parentShardId")?
            .into_iter()
            .map(str::to_owned)
            .collect(),
        updated: Timestamp::from_micros(item.optional_number("updatedMicros")?.unwrap_or(0)),
    })
}

/// The change that writes `fields` of `after`, if the lease still has those values of `seen` that are named in
/// `condition`; what they lack must be absent.
pub(super) fn change(after: &Lease, fields: &[&str], seen: &Lease, condition: &[&str], mark: u64) -> Change {
    let (after, seen) = (encode(after), encode(seen));
    let mut values = Item::from([(":mark".to_owned(), number(mark))]);
    let mut names = vec![("#mark".to_owned(), "mark".to_owned())];
    let (mut sets, mut removes) = (vec!["#mark = :mark".to_owned()], Vec::new());
    for &name in fields {
        names.push((format!("#{name}"), name.to_owned()));
        match after.get(name) {
            Some(value) => {
                sets.push(format!("#{name} = :{name}"));
                values.insert(format!(":{name}"), value.clone());
            }
            None => removes.push(format!("#{name}")),
        }
    }
    let mut conditions = vec!["attribute_exists(#leaseKey)".to_owned()];
    names.push(("#leaseKey".to_owned(), "leaseKey".to_owned()));
    for &name in condition {
        names.push((format!("#{name}"), name.to_owned()));
        match seen.get(name) {
            Some(value) => {
                conditions.push(format!("#{name} = :seen{name}"));
                values.insert(format!(":seen{name}"), value.clone());
            }
            None => conditions.push(format!("attribute_not_exists(#{name})")),
        }
    }
    let mut update = format!("SET {}", sets.join(", "));
    if !removes.is_empty() {
        update = format!("{update} REMOVE {}", removes.join(", "));
    }
    let key = after
        .get("leaseKey")
        .map(|key| ("leaseKey".to_owned(), key.clone()));
    Change {
        key: key.into_iter().collect(),
        update,
        condition: conditions.join(" AND "),
        names,
        values,
    }
}

impl Inner {
    async fn lease(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let read = || {
            let request = self.client.get_item().table_name(&self.tables.leases);
            request.set_key(Some(lease_key(key))).consistent_read(true).send()
        };
        Ok(self.caller.call("dynamodb:GetItem", read).await?.item)
    }

    /// How a lease is after a write that its condition refused: written all the same, if the reply of an earlier
    /// attempt was lost, or not as it was seen.
    async fn refused(&self, key: &str, mark: u64, old: Option<Item>) -> Result<LeaseAnswer, StoreError> {
        let current = match old {
            Some(item) => Some(item),
            None => self.lease(key).await?,
        };
        let Some(item) = current else {
            return Ok(LeaseAnswer::Refused(None));
        };
        let lease = decode(&item).map_err(corrupt)?;
        Ok(if item.get("mark") == Some(&number(mark)) {
            LeaseAnswer::Written(lease)
        } else {
            LeaseAnswer::Refused(Some(lease))
        })
    }

    /// Writes `fields` of what a lease that is as `seen` becomes.
    async fn write_lease(
        &self,
        becomes: LeaseAnswer,
        fields: &[&str],
        seen: &Lease,
        condition: &[&str],
    ) -> Result<LeaseAnswer, StoreError> {
        let mark = self.caller.random();
        let LeaseAnswer::Written(after) = becomes else {
            // Even if it were as seen it would be refused.
            return self.refused(&seen.key, mark, None).await;
        };
        let change = change(&after, fields, seen, condition, mark);
        let write = || {
            let request = self.client.update_item().table_name(&self.tables.leases);
            request
                .set_key(Some(change.key.clone()))
                .update_expression(&change.update)
                .condition_expression(&change.condition)
                .set_expression_attribute_names(Some(change.names.iter().cloned().collect()))
                .set_expression_attribute_values(Some(change.values.clone()))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
        };
        match self.caller.call("dynamodb:UpdateItem", write).await {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                Ok(LeaseAnswer::Written(decode(&item).map_err(corrupt)?))
            }
            Err(failed) if failed.is_condition() => {
                let old = match failed.error.into_service_error() {
                    UpdateItemError::ConditionalCheckFailedException(error) => error.item,
                    _ => None,
                };
                self.refused(&seen.key, mark, old).await
            }
            Err(failed) => Err(failed.into()),
        }
    }

    /// Takes the lease of a shard and raises its fence, both or neither.
    async fn take_shard(
        &self,
        shard: ShardId,
        seen: &Lease,
        owner: (&str, Option<&str>),
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let mark = self.caller.random();
        let mut pauses = self.caller.pauses();
        let mut may_have_happened = false;
        loop {
            let fenced = self.fence(shard).await?;
            let LeaseAnswer::Written(after) = taken(Some(seen.clone()), seen, fenced, owner, at) else {
                return self.refused(&seen.key, mark, None).await;
            };
            let change = change(&after, &TAKEN, seen, &AS_SEEN, mark);
            let parts = vec![
                part(&self.tables.leases, change),
                part(&self.tables.alerts, raised(shard, after.epoch)),
            ];
            let request = self.client.transact_write_items().set_transact_items(Some(parts));
            let error = {
                let _permit = self.caller.permit().await;
                match request.send().await {
                    Ok(_) => return Ok(LeaseAnswer::Written(after)),
                    Err(error) => error,
                }
            };
            let fault = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    let reasons = canceled.cancellation_reasons();
                    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code().unwrap_or("")).collect();
                    match codes.as_slice() {
                        ["ConditionalCheckFailed", ..] => return self.refused(&seen.key, mark, None).await,
                        // A writer without a lease raised the fence since it was read.
                        [_, "ConditionalCheckFailed"] => cancelled("TransactionConflict"),
                        codes => cancelled(
                            codes
                                .iter()
                                .find(|code| !["", "None"].contains(code))
                                .unwrap_or(&""),
                        ),
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

    async fn create_lease(&self, lease: &Lease) -> Result<u64, StoreError> {
        let item = encode(lease);
        let write = || {
            let request = self.client.put_item().table_name(&self.tables.leases);
            request
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(#leaseKey)")
                .expression_attribute_names("#leaseKey", "leaseKey")
                .send()
        };
        match self.caller.call("dynamodb:PutItem", write).await {
            Ok(_) => Ok(1),
            Err(failed) if failed.is_condition() => Ok(0),
            Err(failed) => Err(failed.into()),
        }
    }
}

/// What a change of hands writes.
const TAKEN: [&str; 6] = [
    "leaseOwner",
    "leaseAddress",
    "leaseEpoch",
    "leaseCounter",
    "wantedBy",
    "updatedMicros",
];

/// That nothing happened to a lease since it was seen, but for requests.
const AS_SEEN: [&str; 2] = ["leaseEpoch", "leaseCounter"];

/// The same, of a lease that one has.
const AS_HELD: [&str; 3] = ["leaseEpoch", "leaseCounter", "leaseOwner"];

/// The change that raises the fence of a shard.
fn raised(shard: ShardId, epoch: u64) -> Change {
    Change {
        key: fence_key(shard),
        update: "SET #epoch = :epoch".to_owned(),
        condition: "attribute_not_exists(#epoch) OR #epoch < :epoch".to_owned(),
        names: vec![("#epoch".to_owned(), "epoch".to_owned())],
        values: Item::from([(":epoch".to_owned(), number(epoch))]),
    }
}

fn part(table: &str, change: Change) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(change.key))
        .update_expression(change.update)
        .condition_expression(change.condition)
        .set_expression_attribute_names(Some(change.names.into_iter().collect()))
        .set_expression_attribute_values(Some(change.values))
        .build()
        .expect("table, key and update are given");
    TransactWriteItem::builder().update(update).build()
}

#[async_trait]
impl LeaseStore for DynamoStore {
    async fn create(&self, leases: Vec<Lease>) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        let creations = leases.iter().map(|lease| inner.create_lease(lease)).collect();
        let added: Vec<u64> = all(creations).await.into_iter().collect::<Result<_, _>>()?;
        Ok(added.iter().sum())
    }

    async fn take(
        &self,
        seen: &Lease,
        owner: &str,
        address: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let owner = (owner, address);
        if let Some(shard) = fenced_shard(&seen.key) {
            return self.inner.take_shard(shard, seen, owner, at).await;
        }
        let becomes = taken(Some(seen.clone()), seen, None, owner, at);
        self.inner.write_lease(becomes, &TAKEN, seen, &AS_SEEN).await
    }

    async fn renew(&self, held: &Lease, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        let becomes = renewed(Some(held.clone()), held, at);
        let fields = ["leaseCounter", "updatedMicros"];
        self.inner.write_lease(becomes, &fields, held, &AS_HELD).await
    }

    async fn checkpoint(
        &self,
        held: &Lease,
        checkpoint: &str,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let becomes = checkpointed(Some(held.clone()), held, checkpoint, at);
        let fields = ["leaseCounter", "checkpoint", "updatedMicros"];
        self.inner.write_lease(becomes, &fields, held, &AS_HELD).await
    }

    async fn ask(&self, seen: &Lease, node: &str, at: Timestamp) -> Result<LeaseAnswer, StoreError> {
        let becomes = asked(Some(seen.clone()), seen, node, at);
        let (fields, condition) = (
            ["wantedBy", "updatedMicros"],
            ["leaseOwner", "leaseEpoch", "wantedBy"],
        );
        self.inner.write_lease(becomes, &fields, seen, &condition).await
    }

    async fn release(
        &self,
        held: &Lease,
        to: Option<&str>,
        at: Timestamp,
    ) -> Result<LeaseAnswer, StoreError> {
        let becomes = released(Some(held.clone()), held, to, at);
        let fields = [
            "leaseOwner",
            "leaseAddress",
            "leaseCounter",
            "wantedBy",
            "updatedMicros",
        ];
        self.inner.write_lease(becomes, &fields, held, &AS_HELD).await
    }

    async fn remove(&self, seen: &Lease) -> Result<bool, StoreError> {
        let inner = &*self.inner;
        let delete = || {
            let request = inner.client.delete_item().table_name(&inner.tables.leases);
            request
                .set_key(Some(lease_key(&seen.key)))
                .condition_expression(
                    "attribute_not_exists(#leaseKey) OR (#leaseEpoch = :epoch AND #leaseCounter = :counter)",
                )
                .expression_attribute_names("#leaseKey", "leaseKey")
                .expression_attribute_names("#leaseEpoch", "leaseEpoch")
                .expression_attribute_names("#leaseCounter", "leaseCounter")
                .expression_attribute_values(":epoch", number(seen.epoch))
                .expression_attribute_values(":counter", number(seen.counter))
                .send()
        };
        match inner.caller.call("dynamodb:DeleteItem", delete).await {
            Ok(_) => Ok(true),
            Err(failed) if failed.is_condition() => Ok(false),
            Err(failed) => Err(failed.into()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Lease>, StoreError> {
        let inner = &*self.inner;
        let (mut leases, mut from) = (Vec::new(), None);
        loop {
            let read = || {
                let mut request = inner.client.scan().table_name(&inner.tables.leases);
                if !prefix.is_empty() {
                    request = request
                        .filter_expression("begins_with(#leaseKey, :prefix)")
                        .expression_attribute_names("#leaseKey", "leaseKey")
                        .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
                }
                request
                    .consistent_read(true)
                    .set_exclusive_start_key(from.clone())
                    .send()
            };
            let page = inner.caller.call("dynamodb:Scan", read).await?;
            for item in page.items.iter().flatten() {
                leases.push(decode(item).map_err(corrupt)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                leases.sort_by(|a, b| a.key.cmp(&b.key));
                return Ok(leases);
            }
        }
    }
}
