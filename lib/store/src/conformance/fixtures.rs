use std::sync::Arc;

use streamalert_types::{Alert, AlertId, GroupId, ManualClock, Merging, OutputName, Timestamp};
use streamalert_value::{Map, Value};

use crate::{AlertStore, Fence, GroupMember, ShardId, StoredAlert};

/// How a store forgets tombstones whose time has come.
#[derive(Debug, Clone, Copy)]
pub enum Forgets<'a> {
    /// When it is asked to, by [`AlertStore::expire`].
    WhenAsked,
    /// By itself, when its clock says so.
    ByItself(&'a ManualClock),
}

impl Forgets<'_> {
    /// Lets the time come at which `count` tombstones are to be forgotten, no more than `items_max` at a time.
    pub(super) async fn expire(
        self,
        store: &impl AlertStore,
        fence: Fence,
        (now, items_max): (Timestamp, usize),
        count: u64,
    ) {
        let expected = match self {
            Self::WhenAsked => count,
            Self::ByItself(clock) => {
                if count > 0 {
                    clock.set(now);
                }
                0
            }
        };
        assert_eq!(store.expire(fence, now, items_max).await, Ok(expected), "{now:?}");
    }
}

/// The moment `seconds` after the epoch.
#[must_use]
pub fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// The right to write to `shard` under `epoch`.
#[must_use]
pub const fn fence(shard: u16, epoch: u64) -> Fence {
    Fence {
        shard: ShardId(shard),
        epoch,
    }
}

/// An output.
///
/// # Panics
/// When `name` has no colon.
#[must_use]
pub fn output(name: &str) -> OutputName {
    name.parse().expect("fixtures name outputs as service:descriptor")
}

/// Alert number `id`, created `id` seconds after the epoch by rule `even` or `odd`.
#[must_use]
pub fn alert(id: u64) -> Arc<Alert> {
    let context = Map::from_iter([("number".to_owned(), Value::Int(id as i64))]);
    Arc::new(Alert {
        id: AlertId::from_u128(u128::from(id)),
        rule_name: if id.is_multiple_of(2) { "even" } else { "odd" }.into(),
        rule_description: "a rule".into(),
        created: moment(id as i64),
        cluster: Some("prod".into()),
        log_source: "cloudtrail:events".into(),
        log_type: "json".into(),
        source_entity: "stream".into(),
        source_service: "kinesis".into(),
        outputs: [output("slack:a"), OutputName::history()].into(),
        publishers: Value::Null,
        context: Value::Map(context),
        merge_by_keys: Arc::new(["user".to_owned()]),
        merge_window_mins: 5,
        staged: false,
        record: format!("{{\"number\":{id}}}").into(),
        traceparent: "".into(),
        rules_version: "1".into(),
        merging: Merging::default(),
    })
}

/// Alert number `id`, pending for `outputs`, waiting in group number `group` if one is given.
#[must_use]
pub fn stored(id: u64, outputs: &[&str], group: Option<u64>) -> StoredAlert {
    let member = |group: u64| GroupMember {
        group: GroupId::from_u128(u128::from(group)),
        key: Arc::from(format!("key-{group}").into_bytes()),
        first: false,
    };
    StoredAlert {
        alert: alert(id),
        pending: outputs.iter().map(|name| output(name)).collect(),
        group: group.map(member),
    }
}
