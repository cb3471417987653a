//! Dead letters: spread over partitions by id, each with an index in order of creation.
//!
//! | attribute | type | what |
//! |---|---|---|
//! | `part` | S, partition key | the first hexadecimal digit of the id |
//! | `id` | S, sort key | |
//! | `place` | S, sort key of the index `place` | creation and id |
//! | `kind` | S | `unclassified`, `rule`, `undelivered` |
//! | `layout` | N | version of this layout |
//! | `body` or `bodyAt` | B, S | the letter (`rows/letter.rs`), or its key in the bucket |

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use futures::stream::{self, StreamExt, TryStreamExt};
use streamalert_types::{DeadLetter, DeadLetterId, Timestamp};

use super::alert_item::{Body, place};
use super::attributes::{Attributes, Item, bytes, number, text};
use super::options::KEYS_PER_READ;
use super::reads::{IndexQuery, all, corrupt, text_of};
use super::{DynamoStore, Inner};
use crate::letters::kind_name;
use crate::rows::{decode_letter, encode_letter};
use crate::{DeadLetterFilter, DeadLetterStore, StoreError};

const LAYOUT: u32 = 1;

/// Partitions, so that a flood is not held to the 1,000 write units a second of one.
const PARTS: &str = "0123456789abcdef";

fn letter_key(id: DeadLetterId) -> Item {
    let id = id.to_string();
    let part = id.get(..1).expect("an id is 36 letters long").to_owned();
    Item::from([("part".to_owned(), text(part)), ("id".to_owned(), text(id))])
}

fn encode(letter: &DeadLetter, body: &Body) -> Item {
    let mut item = letter_key(letter.id);
    item.extend([
        ("place".to_owned(), text(place(letter.created, letter.id))),
        ("kind".to_owned(), text(kind_name(&letter.kind))),
        ("layout".to_owned(), number(LAYOUT)),
    ]);
    match body {
        Body::Inline(row) => item.insert("body".to_owned(), bytes(row.as_slice())),
        Body::At(key) => item.insert("bodyAt".to_owned(), text(key)),
        Body::Unread => None,
    };
    item
}

impl Inner {
    async fn letter(&self, item: &Item) -> Result<DeadLetter, StoreError> {
        let item = Attributes {
            item,
            keys: ["part", "id"],
        };
        let layout: u32 = item.number("layout").map_err(corrupt)?;
        if layout != LAYOUT {
            return Err(corrupt(
                item.error("layout", format!("{layout} was written by another version")),
            ));
        }
        let fetched;
        let row = match item.optional_text("bodyAt").map_err(corrupt)? {
            Some(key) => {
                fetched = self.bodies.get(&self.caller, key).await?;
                &*fetched
            }
            None => item.optional_bytes("body").map_err(corrupt)?.unwrap_or_default(),
        };
        decode_letter(row).map_err(|error| corrupt(item.error("body", error.to_string())))
    }

    async fn put_letter(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let key = format!("letters/{}", letter.id);
        let body = self.bodies.keep(&self.caller, key, encode_letter(letter)).await?;
        let item = encode(letter, &body);
        let write = || {
            let request = self.client.put_item().table_name(&self.tables.letters);
            request
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(#id)")
                .expression_attribute_names("#id", "id")
                .send()
        };
        match self.caller.call("dynamodb:PutItem", write).await {
            Ok(_) => Ok(()),
            Err(failed) if failed.is_condition() => Ok(()),
            Err(failed) => Err(failed.into()),
        }
    }

    /// The first letters of one partition, by place.
    async fn letters_of_part(
        &self,
        part: char,
        filter: &DeadLetterFilter,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<BTreeMap<String, Item>, StoreError> {
        let query = IndexQuery {
            table: &self.tables.letters,
            index: "place",
            partition: ("part", part.to_string()),
            after: after.map(str::to_owned),
            filter: None,
            items_max: i32::try_from(items_max.max(KEYS_PER_READ)).ok(),
            descending: false,
        };
        let (mut found, mut from) = (BTreeMap::new(), None);
        loop {
            let page = self.query(&query, from).await?;
            for item in page.items {
                let kind = text_of(&item, "kind")?;
                if filter.kind.as_deref().is_some_and(|wanted| wanted != kind) {
                    continue;
                }
                if found.len() >= items_max {
                    return Ok(found);
                }
                let key = ["part", "id"].map(|name| Some((name.to_owned(), item.get(name)?.clone())));
                found.insert(
                    text_of(&item, "place")?.to_owned(),
                    key.into_iter().flatten().collect(),
                );
            }
            from = page.next;
            if from.is_none() {
                return Ok(found);
            }
        }
    }
}

#[async_trait]
impl DeadLetterStore for DynamoStore {
    /// Each letter on its own: when it fails, some may have been put. Nothing bounds how many there are.
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), StoreError> {
        let mut first = HashMap::with_capacity(letters.len());
        for letter in letters {
            first.entry(letter.id).or_insert(letter);
        }
        let inner = &*self.inner;
        let puts = first.values().map(|letter| inner.put_letter(letter));
        all(puts.collect()).await.into_iter().collect()
    }

    async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, DeadLetterId)>,
        items_max: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let inner = &*self.inner;
        // Just before the first id of the moment: no place ends with the separator.
        let since = filter.since.map(|since| place(since, ""));
        let after = after.map(|(created, id)| place(created, id)).max(since);
        let parts = PARTS
            .chars()
            .map(|part| inner.letters_of_part(part, filter, after.as_deref(), items_max));
        let parts = stream::iter(parts).buffer_unordered(PARTS.len());
        let merge = |mut all: BTreeMap<String, Item>, of_part: BTreeMap<String, Item>| async {
            all.extend(of_part);
            while all.len() > items_max {
                all.pop_last();
            }
            Ok::<_, StoreError>(all)
        };
        let places = parts.try_fold(BTreeMap::new(), merge).await?;
        let mut letters = BTreeMap::new();
        let keys: Vec<Item> = places.into_values().collect();
        for keys in keys.chunks(KEYS_PER_READ) {
            for item in inner
                .items_by_key(&inner.tables.letters, keys.to_vec(), None)
                .await?
            {
                let letter = inner.letter(&item).await?;
                letters.insert((letter.created, letter.id), letter);
            }
        }
        Ok(letters.into_values().collect())
    }

    async fn get(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        let inner = &*self.inner;
        let items = inner
            .items_by_key(&inner.tables.letters, vec![letter_key(id)], None)
            .await?;
        match items.first() {
            Some(item) => inner.letter(item).await.map(Some),
            None => Ok(None),
        }
    }

    /// Each on its own: when it fails, some may have been removed.
    async fn remove(&self, ids: &[DeadLetterId]) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let removals = ids.iter().map(|id| async move {
            let delete = || {
                let request = inner.client.delete_item().table_name(&inner.tables.letters);
                request
                    .set_key(Some(letter_key(*id)))
                    .return_values(ReturnValue::AllOld)
                    .send()
            };
            let answer = inner.caller.call("dynamodb:DeleteItem", delete).await?;
            let old = answer.attributes.unwrap_or_default();
            let old = Attributes {
                item: &old,
                keys: ["part", "id"],
            };
            // One that is left in the bucket by a failure between the two calls is never read again.
            match old.optional_text("bodyAt").map_err(corrupt)? {
                Some(key) => inner.bodies.remove(&inner.caller, key).await,
                None => Ok(()),
            }
        });
        all(removals.collect()).await.into_iter().collect()
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        let any = DeadLetterFilter::default();
        let parts = PARTS
            .chars()
            .map(|part| inner.letters_of_part(part, &any, None, usize::MAX));
        let parts = stream::iter(parts).buffer_unordered(PARTS.len());
        parts
            .try_fold(
                0,
                |count, of_part| async move { Ok(count + of_part.len() as u64) },
            )
            .await
    }
}
