//! An alert as an item: what it looks like, and how it changes.
//!
//! | attribute | type | what |
//! |---|---|---|
//! | `shard` | S, partition key | `merger/17` |
//! | `id` | S, sort key | the alert's id |
//! | `open` | S, sort key of the index `open` | creation and id, while something is left to do; absent from tombstones |
//! | `closing` | S, sort key of the index `closing` | the same, on a merged alert while it is open |
//! | `listed` | S, sort key of the index `listed` | the same, for as long as the item is there |
//! | `layout` | N | version of this layout |
//! | `revision` | N | grows with every change; a change is conditional on the one that was read |
//! | `epoch` | N | lease epoch under which it was written |
//! | `mark` | N | names the call that wrote it |
//! | `created` | N | microseconds since 1970 |
//! | `rule` | S | |
//! | `pending` | SS | outputs still to be delivered to |
//! | `settled` | M | output → `{attempts, reason, reference}`; a reason means that it went to the dead letters; a reference is the output's name of the incident |
//! | `waits`, `mergeKey` | S, B | the group it waits in |
//! | `first` | N | 1 on the first of that group, when it went out at once |
//! | `members`, `membersOf`, `membersUntil` | B, S, N | of a merged alert: ids (16 bytes each) of those merged, the group they leave, until when their tombstones are kept |
//! | `expires`, `ttl` | N | of a tombstone: microseconds; seconds, rounded up, by which DynamoDB removes it |
//! | `body` or `bodyAt` | B, S | the alert (`rows/alert.rs`), or its key in the bucket |

use aws_sdk_dynamodb::types::AttributeValue;
use streamalert_types::{AlertId, DeliveryOutcome, GroupId, OutputName, Timestamp};

use super::attributes::{Attributes, Item, ItemError, bytes, number, text, texts};
use crate::standing::Standing;
use crate::{GroupMember, ShardId};

/// The layout that this version writes, and the only one that it reads.
const LAYOUT: u32 = 1;

/// Everything but the body, for reads that do not need it.
pub(super) const WITHOUT_BODY: [&str; 21] = [
    "shard",
    "id",
    "open",
    "closing",
    "listed",
    "layout",
    "revision",
    "epoch",
    "mark",
    "created",
    "rule",
    "pending",
    "settled",
    "waits",
    "mergeKey",
    "first",
    "members",
    "membersOf",
    "membersUntil",
    "expires",
    "ttl",
];

/// Where the alert itself is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// In the item.
    Inline(Vec<u8>),
    /// In the bucket, under this key.
    At(String),
    /// It was not read.
    Unread,
}

/// Whom a merged alert stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members {
    /// The group that they leave.
    pub(super) group: GroupId,
    pub(super) ids: Vec<AlertId>,
    /// Until when the tombstones of those are kept that nothing is left to do for.
    pub(super) until: Timestamp,
}

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) id: AlertId,
    pub(super) standing: Standing,
    pub(super) revision: u64,
    pub(super) epoch: u64,
    pub(super) mark: u64,
    pub(super) rule: String,
    pub(super) members: Option<Members>,
    pub(super) body: Body,
}

impl Kept {
    /// A tombstone whose time has come is as good as gone, though DynamoDB may keep it for days.
    pub(super) fn is_forgotten(&self, now: Timestamp) -> bool {
        self.standing.expires.is_some_and(|expires| expires <= now)
    }
}

/// The partition of a shard.
pub(super) fn shard_key(shard: ShardId) -> String {
    format!("merger/{}", shard.0)
}

/// The primary key of an alert.
pub(super) fn alert_key(shard: ShardId, id: AlertId) -> Item {
    Item::from([
        ("shard".to_owned(), text(shard_key(shard))),
        ("id".to_owned(), text(id.to_string())),
    ])
}

/// A place in order of creation, then id, as text of which the byte order is that order.
pub(super) fn place(created: Timestamp, id: impl std::fmt::Display) -> String {
    format!("{:016x}#{id}", (created.as_micros() ^ i64::MIN).cast_unsigned())
}

pub(super) fn encode(kept: &Kept) -> Item {
    let standing = &kept.standing;
    let mut item = alert_key(standing.shard, kept.id);
    let mut set = |name: &str, value: AttributeValue| {
        item.insert(name.to_owned(), value);
    };
    set("layout", number(LAYOUT));
    set("revision", number(kept.revision));
    set("epoch", number(kept.epoch));
    set("mark", number(kept.mark));
    set("created", number(standing.created.as_micros()));
    set("rule", text(&kept.rule));
    set("listed", text(place(standing.created, kept.id)));
    if let Some(members) = &kept.members {
        let ids: Vec<u8> = members
            .ids
            .iter()
            .flat_map(|id| id.as_u128().to_be_bytes())
            .collect();
        set("members", bytes(ids));
        set("membersOf", text(members.group.to_string()));
        set("membersUntil", number(members.until.as_micros()));
        set("closing", text(place(standing.created, kept.id)));
    }
    match &kept.body {
        Body::Inline(row) => set("body", bytes(row.as_slice())),
        Body::At(key) => set("bodyAt", text(key)),
        Body::Unread => {}
    }
    for (name, value) in changing(standing, kept.id) {
        if let Some(value) = value {
            set(name, value);
        }
    }
    item
}

/// The attributes that change in the life of an alert; `None` for what is absent.
fn changing(standing: &Standing, id: AlertId) -> [(&'static str, Option<AttributeValue>); 8] {
    let settled = standing.settled.iter().map(|(output, outcome)| {
        let (attempts, reason, reference) = match outcome {
            DeliveryOutcome::Delivered { attempts, reference } => (attempts, None, reference.as_deref()),
            DeliveryOutcome::DeadLettered { attempts, reason } => (attempts, Some(reason), None),
        };
        let mut map = Item::from([("attempts".to_owned(), number(attempts))]);
        if let Some(reason) = reason {
            map.insert("reason".to_owned(), text(reason));
        }
        if let Some(reference) = reference {
            map.insert("reference".to_owned(), text(reference));
        }
        (output.as_str().to_owned(), AttributeValue::M(map))
    });
    let settled: Item = settled.collect();
    let group = standing.group.as_ref();
    // Rounded up: DynamoDB must not forget before we do.
    let seconds = |time: Timestamp| time.as_micros().div_euclid(1_000_000).saturating_add(1);
    [
        (
            "open",
            standing.is_open().then(|| text(place(standing.created, id))),
        ),
        ("pending", texts(standing.pending.iter().map(OutputName::as_str))),
        (
            "settled",
            (!settled.is_empty()).then_some(AttributeValue::M(settled)),
        ),
        ("waits", group.map(|member| text(member.group.to_string()))),
        ("mergeKey", group.map(|member| bytes(&*member.key))),
        ("first", group.filter(|member| member.first).map(|_| number(1))),
        ("expires", standing.expires.map(|time| number(time.as_micros()))),
        ("ttl", standing.expires.map(|time| number(seconds(time)))),
    ]
}

pub(super) fn decode(item: &Item) -> Result<Kept, ItemError> {
    let item = Attributes {
        item,
        keys: ["shard", "id"],
    };
    let layout: u32 = item.number("layout")?;
    if layout != LAYOUT {
        return Err(item.error("layout", format!("{layout} was written by another version")));
    }
    let shard = item.text("shard")?;
    let shard = shard.strip_prefix("merger/").unwrap_or(shard);
    let body = match (item.optional_bytes("body")?, item.optional_text("bodyAt")?) {
        (Some(row), _) => Body::Inline(row.to_vec()),
        (None, Some(key)) => Body::At(key.to_owned()),
        (None, None) => Body::Unread,
    };
    Ok(Kept {
        id: item.parsed("id", item.text("id")?)?,
        standing: Standing {
            shard: ShardId(item.parsed("shard", shard)?),
            created: Timestamp::from_micros(item.number("created")?),
            pending: pending(item)?,
            settled: settled(item)?,
            group: group(item)?,
            expires: item.optional_number("expires")?.map(Timestamp::from_micros),
        },
        revision: item.number("revision")?,
        epoch: item.number("epoch")?,
        mark: item.number("mark")?,
        rule: item.text("rule")?.to_owned(),
        members: members(item)?,
        body,
    })
}

pub(super) fn pending<C: FromIterator<OutputName>>(item: Attributes<'_>) -> Result<C, ItemError> {
    let outputs = item.set("pending")?;
    outputs
        .into_iter()
        .map(|output| item.parsed("pending", output))
        .collect()
}

fn settled<C: FromIterator<(OutputName, DeliveryOutcome)>>(item: Attributes<'_>) -> Result<C, ItemError> {
    let outcome = |(output, map): (&str, &Item)| {
        let map = Attributes { item: map, ..item };
        let attempts = map
            .number("attempts")
            .map_err(|error| item.error("settled", error.to_string()))?;
        let reason = map
            .optional_text("reason")
            .map_err(|error| item.error("settled", error.to_string()))?;
        let outcome = match reason {
            None => DeliveryOutcome::Delivered {
                attempts,
                reference: map
                    .optional_text("reference")
                    .map_err(|error| item.error("settled", error.to_string()))?
                    .map(std::sync::Arc::from),
            },
            Some(reason) => DeliveryOutcome::DeadLettered {
                attempts,
                reason: reason.to_owned(),
            },
        };
        Ok((item.parsed("settled", output)?, outcome))
    };
    item.maps("settled")?.into_iter().map(outcome).collect()
}

fn group(item: Attributes<'_>) -> Result<Option<GroupMember>, ItemError> {
    let Some(group) = item.optional_text("waits")? else {
        return Ok(None);
    };
    let key = item
        .optional_bytes("mergeKey")?
        .ok_or_else(|| item.error("mergeKey", "absent"))?;
    Ok(Some(GroupMember {
        group: item.parsed("waits", group)?,
        key: key.into(),
        first: item.optional_number::<u8>("first")?.is_some(),
    }))
}

fn members(item: Attributes<'_>) -> Result<Option<Members>, ItemError> {
    let Some(ids) = item.optional_bytes("members")? else {
        return Ok(None);
    };
    let (ids, rest) = ids.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(item.error("members", "not a multiple of 16 bytes"));
    }
    Ok(Some(Members {
        group: item.parsed("membersOf", item.text("membersOf")?)?,
        ids: ids
            .iter()
            .map(|id| AlertId::from_u128(u128::from_be_bytes(*id)))
            .collect(),
        until: Timestamp::from_micros(item.number("membersUntil")?),
    }))
}

/// A conditional change of one item, as `UpdateItem` takes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) key: Item,
    pub(super) update: String,
    pub(super) condition: String,
    pub(super) names: Vec<(String, String)>,
    pub(super) values: Item,
}

/// The change that makes what is `kept` stand as `after` says, if it is still as it was read.
pub(super) fn change(kept: &Kept, after: &Standing) -> Change {
    let mut values = Item::from([
        (":seen".to_owned(), number(kept.revision)),
        (":next".to_owned(), number(kept.revision.saturating_add(1))),
    ]);
    let mut names = vec![("#revision".to_owned(), "revision".to_owned())];
    let mut sets = vec!["#revision = :next".to_owned()];
    let mut removes = Vec::new();
    let before = changing(&kept.standing, kept.id);
    for ((name, value), (_, old)) in changing(after, kept.id).into_iter().zip(before) {
        if value == old {
            continue;
        }
        names.push((format!("#{name}"), name.to_owned()));
        match value {
            Some(value) => {
                sets.push(format!("#{name} = :{name}"));
                values.insert(format!(":{name}"), value);
            }
            None => removes.push(format!("#{name}")),
        }
    }
    if !after.is_open() && kept.members.is_some() {
        names.push(("#closing".to_owned(), "closing".to_owned()));
        removes.push("#closing".to_owned());
    }
    let mut update = format!("SET {}", sets.join(", "));
    if !removes.is_empty() {
        update = format!("{update} REMOVE {}", removes.join(", "));
    }
    Change {
        key: alert_key(kept.standing.shard, kept.id),
        update,
        condition: "#revision = :seen".to_owned(),
        names,
        values,
    }
}
