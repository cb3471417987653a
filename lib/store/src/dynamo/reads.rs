//! Reading items: by key, and in the order of an index.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::stream::{self, StreamExt};
use streamalert_aws::{Fault, FaultKind};
use streamalert_types::{Alert, AlertId};

use super::Inner;
use super::alert_item::{Body, Kept, WITHOUT_BODY, alert_key, decode, shard_key};
use super::attributes::{Item, ItemError, text};
use super::caller::refusal;
use super::options::{CALLS_MAX, KEYS_PER_READ};
use crate::rows::decode_alert;
use crate::{ShardId, StoreError};

/// An index of a partition, and what of it is wanted.
#[derive(Debug, Clone)]
pub(super) struct IndexQuery<'a> {
    pub(super) table: &'a str,
    /// The index, which bears the name of its sort key.
    pub(super) index: &'static str,
    /// The partition key's name and value.
    pub(super) partition: (&'static str, String),
    /// Only what lies behind this in the index's order.
    pub(super) after: Option<String>,
    /// Only what has this attribute, or, with a value, this value in its set of texts.
    pub(super) filter: Option<(&'static str, Option<String>)>,
    /// Items that one request looks at; `None` for as many as an answer holds.
    pub(super) items_max: Option<i32>,
    pub(super) descending: bool,
}

/// One page of a query and where the next begins.
pub(super) struct IndexPage {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<Item>,
}

/// Makes many calls at the same time, within the limit on calls; answers in the order in which they ended.
pub(super) async fn all<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    stream::iter(calls).buffer_unordered(CALLS_MAX).collect().await
}

pub(super) fn corrupt(error: ItemError) -> StoreError {
    StoreError::Corrupt {
        reason: error.to_string(),
    }
}

impl Inner {
    /// The open alerts of a shard, oldest first, as far as the index holds them.
    pub(super) fn open_alerts(&self, shard: ShardId) -> IndexQuery<'_> {
        IndexQuery {
            table: &self.tables.alerts,
            index: "open",
            partition: ("shard", shard_key(shard)),
            after: None,
            filter: None,
            items_max: None,
            descending: false,
        }
    }

    /// A page of an index, strongly consistent. It may be empty though there is a next one.
    pub(super) async fn query(
        &self,
        query: &IndexQuery<'_>,
        from: Option<Item>,
    ) -> Result<IndexPage, StoreError> {
        let read = || {
            let (partition, value) = &query.partition;
            let mut condition = "#partition = :partition".to_owned();
            let mut request = self
                .client
                .query()
                .table_name(query.table)
                .index_name(query.index)
                .consistent_read(true)
                .scan_index_forward(!query.descending)
                .expression_attribute_names("#partition", *partition)
                .expression_attribute_values(":partition", text(value))
                .set_limit(query.items_max)
                .set_exclusive_start_key(from.clone());
            if let Some(after) = &query.after {
                condition += " AND #place > :after";
                request = request
                    .expression_attribute_names("#place", query.index)
                    .expression_attribute_values(":after", text(after));
            }
            if let Some((attribute, member)) = &query.filter {
                request = request.expression_attribute_names("#filter", *attribute);
                request = match member {
                    Some(member) => request
                        .filter_expression("contains(#filter, :member)")
                        .expression_attribute_values(":member", text(member)),
                    None => request.filter_expression("attribute_exists(#filter)"),
                };
            }
            request.key_condition_expression(condition).send()
        };
        let answer = self.caller.call("dynamodb:Query", read).await?;
        Ok(IndexPage {
            items: answer.items.unwrap_or_default(),
            next: answer.last_evaluated_key,
        })
    }

    /// Alerts by (shard, id); unknown and forgotten ones are left out. Strongly consistent.
    pub(super) async fn alerts_by_key(
        &self,
        keys: &[(ShardId, AlertId)],
        with_body: bool,
    ) -> Result<HashMap<AlertId, Kept>, StoreError> {
        let now = self.clock.now();
        let mut found = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_PER_READ) {
            // DynamoDB takes no key twice.
            let keys: HashMap<_, _> = keys.iter().map(|(shard, id)| ((*shard, *id), ())).collect();
            let keys = keys.into_keys().map(|(shard, id)| alert_key(shard, id)).collect();
            let fields = (!with_body).then_some(&WITHOUT_BODY[..]);
            for item in self.items_by_key(&self.tables.alerts, keys, fields).await? {
                let kept = decode(&item).map_err(corrupt)?;
                if !kept.is_forgotten(now) {
                    found.insert(kept.id, kept);
                }
            }
        }
        Ok(found)
    }

    /// Items by at most [`KEYS_PER_READ`] keys, in no order.
    pub(super) async fn items_by_key(
        &self,
        table: &str,
        keys: Vec<Item>,
        fields: Option<&[&str]>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut wanted = keys;
        let mut pauses = self.caller.pauses();
        while !wanted.is_empty() {
            let count = wanted.len();
            let request = keys_and_attributes(wanted, fields);
            let read = || {
                let request = request.clone();
                self.client.batch_get_item().request_items(table, request).send()
            };
            let answer = self.caller.call("dynamodb:BatchGetItem", read).await?;
            found.extend(
                answer
                    .responses
                    .into_iter()
                    .flat_map(HashMap::into_values)
                    .flatten(),
            );
            let left = answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
            wanted = left.flat_map(|left| left.keys).collect();
            // Some are left because an answer holds 16 MB; when all are, we are throttled.
            let fault = throttled();
            if wanted.len() == count && !pauses.pause(&fault).await {
                return Err(refusal(&fault, false));
            }
        }
        Ok(found)
    }

    /// The alert itself, from its item or the bucket.
    pub(super) async fn alert(&self, kept: &Kept) -> Result<Arc<Alert>, StoreError> {
        let fetched;
        let row = match &kept.body {
            Body::Inline(row) => row,
            Body::At(key) => {
                fetched = self.bodies.get(&self.caller, key).await?;
                &fetched
            }
            Body::Unread => {
                return Err(StoreError::Corrupt {
                    reason: format!("alert {} has no body", kept.id),
                });
            }
        };
        let alert = decode_alert(row).map_err(|error| StoreError::Corrupt {
            reason: format!("alert {}: {error}", kept.id),
        })?;
        Ok(Arc::new(alert))
    }
}

fn throttled() -> Fault {
    Fault {
        action: "dynamodb:BatchGetItem",
        kind: FaultKind::Throttled,
        code: "UnprocessedKeys".to_owned(),
        reason: "throttled: none of the keys was read".to_owned(),
    }
}

fn keys_and_attributes(keys: Vec<Item>, fields: Option<&[&str]>) -> KeysAndAttributes {
    let mut request = KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(true);
    if let Some(fields) = fields {
        let names: Vec<String> = fields.iter().map(|field| format!("#{field}")).collect();
        request = request.projection_expression(names.join(", "));
        for (alias, field) in names.into_iter().zip(fields) {
            request = request.expression_attribute_names(alias, *field);
        }
    }
    request.build().expect("keys are given")
}

/// The text attribute `name` of an item of an index.
pub(super) fn text_of<'a>(item: &'a Item, name: &str) -> Result<&'a str, StoreError> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(StoreError::Corrupt {
            reason: format!("an item of an index has no text {name}"),
        }),
    }
}
