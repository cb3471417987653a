//! Checkpoints of sources that have no lease to keep them in.
//!
//! `source` (S, partition key), `partition` (S, sort key, behind a `=` because no key may be empty), `sequence` (S),
//! `finished` (BOOL), `updated` (N, microseconds); `expires` (N, microseconds) and `ttl` (N, the same in whole seconds, by
//! which DynamoDB removes it) where it is not kept for ever.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use streamalert_types::Timestamp;

use super::attributes::{Attributes, Item, ItemError, number, text};
use super::reads::{all, corrupt};
use super::{DynamoStore, Inner};
use crate::{Checkpoint, CheckpointStore, StoreError};

/// The longest sort key. A limit of DynamoDB.
const KEY_BYTES_MAX: usize = 1024;

fn checkpoint_key(source: &str, partition: &str) -> Result<Item, StoreError> {
    let partition = format!("={partition}");
    if partition.len() > KEY_BYTES_MAX {
        return Err(StoreError::Refused {
            reason: format!(
                "partition {partition:.60}… of {source} has a name of more than {} bytes",
                KEY_BYTES_MAX - 1
            ),
        });
    }
    Ok(Item::from([
        ("source".to_owned(), text(source)),
        ("partition".to_owned(), text(partition)),
    ]))
}

fn decode(item: &Item) -> Result<(String, Checkpoint), ItemError> {
    let attributes = Attributes {
        item,
        keys: ["source", "partition"],
    };
    let finished = item.get("finished").and_then(|value| value.as_bool().ok());
    let partition = attributes.text("partition")?;
    let checkpoint = Checkpoint {
        sequence: attributes.text("sequence")?.to_owned(),
        finished: *finished.ok_or_else(|| attributes.error("finished", "not true or false"))?,
        updated: Timestamp::from_micros(attributes.number("updated")?),
        expires: match item.get("expires") {
            Some(_) => Some(Timestamp::from_micros(attributes.number("expires")?)),
            None => None,
        },
    };
    Ok((
        partition.strip_prefix('=').unwrap_or(partition).to_owned(),
        checkpoint,
    ))
}

impl Inner {
    async fn put_checkpoint(&self, mut item: Item, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        item.extend([
            ("sequence".to_owned(), text(&checkpoint.sequence)),
            ("finished".to_owned(), AttributeValue::Bool(checkpoint.finished)),
            ("updated".to_owned(), number(checkpoint.updated.as_micros())),
        ]);
        if let Some(expires) = checkpoint.expires {
            item.extend([
                ("expires".to_owned(), number(expires.as_micros())),
                (
                    "ttl".to_owned(),
                    number(expires.as_micros().div_euclid(1_000_000)),
                ),
            ]);
        }
        let write = || {
            let request = self.client.put_item().table_name(&self.tables.checkpoints);
            request.set_item(Some(item.clone())).send()
        };
        self.caller.call("dynamodb:PutItem", write).await?;
        Ok(())
    }

    async fn remove_checkpoint(&self, key: Item) -> Result<(), StoreError> {
        let write = || {
            let request = self.client.delete_item().table_name(&self.tables.checkpoints);
            request.set_key(Some(key.clone())).send()
        };
        self.caller.call("dynamodb:DeleteItem", write).await?;
        Ok(())
    }
}

#[async_trait]
impl CheckpointStore for DynamoStore {
    async fn get(&self, source: &str, partition: &str) -> Result<Option<Checkpoint>, StoreError> {
        let inner = &*self.inner;
        let key = checkpoint_key(source, partition)?;
        let items = inner
            .items_by_key(&inner.tables.checkpoints, vec![key], None)
            .await?;
        let checkpoint = items.first().map(decode).transpose().map_err(corrupt)?;
        Ok(checkpoint.map(|(_, checkpoint)| checkpoint))
    }

    /// Each on its own: when it fails, some may have been written.
    async fn put(&self, source: &str, checkpoints: Vec<(String, Checkpoint)>) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let puts = checkpoints.iter().map(|(partition, checkpoint)| async move {
            inner
                .put_checkpoint(checkpoint_key(source, partition)?, checkpoint)
                .await
        });
        all(puts.collect()).await.into_iter().collect()
    }

    async fn list(&self, source: &str) -> Result<Vec<(String, Checkpoint)>, StoreError> {
        let inner = &*self.inner;
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let read = || {
                let request = inner.client.query().table_name(&inner.tables.checkpoints);
                request
                    .consistent_read(true)
                    .key_condition_expression("#source = :source")
                    .expression_attribute_names("#source", "source")
                    .expression_attribute_values(":source", text(source))
                    .set_exclusive_start_key(from.clone())
                    .send()
            };
            let page = inner.caller.call("dynamodb:Query", read).await?;
            for item in page.items.iter().flatten() {
                found.push(decode(item).map_err(corrupt)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
    }

    /// Each on its own: when it fails, some may have been removed.
    async fn remove(&self, source: &str, partitions: &[String]) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let removals = partitions.iter().map(|partition| async move {
            inner.remove_checkpoint(checkpoint_key(source, partition)?).await
        });
        all(removals.collect()).await.into_iter().collect()
    }

    /// DynamoDB removes them by itself and for free: answers 0.
    async fn expire(&self, _source: &str, _now: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
}
