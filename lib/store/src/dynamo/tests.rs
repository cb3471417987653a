use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use streamalert_aws::{Fault, FaultKind};
use streamalert_types::{AlertId, GroupId, Timestamp};

use super::alert_item::{Body, Kept, Members, change, decode, encode, place};
use super::attributes::{Item, number, text};
use super::caller::refusal;
use super::leases;
use crate::rows::tests::{standing, time};
use crate::standing::Standing;
use crate::{Lease, StoreError};

fn kept() -> impl Strategy<Value = Kept> {
    let body = prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(Body::Inline),
        ".{1,20}".prop_map(Body::At),
        Just(Body::Unread),
    ];
    let members = (any::<u128>(), vec(any::<u128>(), 0..4), time()).prop_map(|(group, ids, until)| Members {
        group: GroupId::from_u128(group),
        ids: ids.into_iter().map(AlertId::from_u128).collect(),
        until,
    });
    let numbers = (any::<u128>(), any::<u64>(), any::<u64>(), any::<u64>());
    (numbers, standing(), ".{0,12}", of(members), body).prop_map(
        |((id, revision, epoch, mark), standing, rule, members, body)| Kept {
            id: AlertId::from_u128(id),
            standing,
            revision,
            epoch,
            mark,
            rule,
            members,
            body,
        },
    )
}

/// What DynamoDB makes of a change: `SET #a = :a, … REMOVE #b, …` on the item, if the condition `#a = :b` holds.
fn apply(item: &mut Item, change: &super::alert_item::Change) {
    let name = |alias: &str| {
        let (_, name) = change
            .names
            .iter()
            .find(|(known, _)| known == alias)
            .expect(alias);
        name.clone()
    };
    let (condition_name, condition_value) = change.condition.split_once(" = ").unwrap();
    assert_eq!(item[&name(condition_name)], change.values[condition_value]);
    let update = change.update.strip_prefix("SET ").unwrap();
    let (sets, removes) = update.split_once(" REMOVE ").unwrap_or((update, ""));
    for set in sets.split(", ") {
        let (alias, value) = set.split_once(" = ").unwrap();
        item.insert(name(alias), change.values[value].clone());
    }
    for alias in removes.split(", ").filter(|alias| !alias.is_empty()) {
        item.remove(&name(alias));
    }
}

proptest! {
    #[test]
    fn an_alert_survives_its_item(kept in kept()) {
        let item = encode(&kept);
        prop_assert_eq!(decode(&item), Ok(kept.clone()));
        prop_assert_eq!(item.contains_key("open"), kept.standing.is_open());
        prop_assert_eq!(item.contains_key("ttl"), !kept.standing.is_open());
        for required in ["shard", "id", "layout", "revision", "epoch", "mark", "created", "rule"] {
            let mut lacking = item.clone();
            lacking.remove(required);
            prop_assert!(decode(&lacking).is_err(), "without {}", required);
            lacking.insert(required.to_owned(), aws_sdk_dynamodb::types::AttributeValue::Null(true));
            let error = decode(&lacking).unwrap_err();
            prop_assert!(["shard", "id", required].contains(&error.attribute));
        }
    }

    #[test]
    fn a_change_makes_of_the_old_item_the_new_one(kept in kept(), after in standing()) {
        let after = Standing { shard: kept.standing.shard, created: kept.standing.created, ..after };
        let kept = Kept { revision: kept.revision / 2, ..kept };
        let mut item = encode(&kept);
        apply(&mut item, &change(&kept, &after));
        let new = Kept { standing: after, revision: kept.revision + 1, ..kept };
        let mut expected = encode(&new);
        if !new.standing.is_open() {
            // The members of a merged alert have left by then.
            expected.remove("closing");
        }
        if let (Some(closing), false) = (item.get("closing"), expected.contains_key("closing")) {
            prop_assert!(false, "{:?} is left", closing);
        }
        prop_assert_eq!(item, expected);
    }

    #[test]
    fn places_order_as_creation_and_id_do(a: (i64, u128), b: (i64, u128)) {
        let text = |(micros, id)| place(Timestamp::from_micros(micros), AlertId::from_u128(id));
        prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
    }

    #[test]
    fn a_tombstone_outlives_its_time_by_less_than_a_second_and_never_ends_before(standing in standing(), micros: i64) {
        let expires = Timestamp::from_micros(micros);
        let kept = Kept {
            id: AlertId::from_u128(1),
            standing: Standing { expires: Some(expires), ..standing },
            revision: 1,
            epoch: 1,
            mark: 1,
            rule: String::new(),
            members: None,
            body: Body::Unread,
        };
        let ttl: i128 = encode(&kept)["ttl"].as_n().unwrap().parse().unwrap();
        let late = ttl * 1_000_000 - i128::from(micros);
        prop_assert!((1..=1_000_000).contains(&late), "{} µs late", late);
    }

    #[test]
    fn a_lease_survives_its_item(
        key in ".{1,12}", (epoch, counter) in any::<(u64, u64)>(), updated in time(),
        parents in proptest::collection::btree_set(".{1,12}", 0..3),
        (owner, address, wanted_by, checkpoint) in (of(".{0,12}"), of(".{0,9}"), of(".{0,9}"), of(".{0,9}")),
    ) {
        let parents = parents.into_iter().collect();
        let lease = Lease { key, owner, address, epoch, counter, wanted_by, checkpoint, parents, updated };
        prop_assert_eq!(leases::decode(&leases::encode(&lease)), Ok(lease));
    }
}

#[test]
fn an_item_of_another_layout_is_refused_by_name() {
    let item = Item::from([
        ("shard".to_owned(), text("merger/3")),
        ("id".to_owned(), text("x")),
        ("layout".to_owned(), number(2)),
    ]);
    let error = decode(&item).unwrap_err();
    assert_eq!(
        error.to_string(),
        "attribute layout of merger/3/x: 2 was written by another version"
    );
}

#[test]
fn a_lease_of_the_kinesis_client_library_is_read_and_one_of_a_newer_version_is_not() {
    let mut item = Item::from([
        ("leaseKey".to_owned(), text("shardId-000000000001")),
        ("leaseOwner".to_owned(), text("worker")),
        ("leaseCounter".to_owned(), number(12)),
        ("checkpoint".to_owned(), text("TRIM_HORIZON")),
        ("ownerSwitchesSinceCheckpoint".to_owned(), number(0)),
    ]);
    let lease = leases::decode(&item).unwrap();
    assert_eq!(
        (lease.epoch, lease.counter, lease.owner.as_deref()),
        (0, 12, Some("worker"))
    );
    item.insert("layout".to_owned(), number(2));
    let error = leases::decode(&item).unwrap_err().to_string();
    assert!(error.contains("written by a newer version"), "{error}");
}

#[test]
fn what_a_caller_hears_says_whether_it_happened_and_what_helps() {
    let fault = |kind, code: &str| Fault {
        action: "dynamodb:PutItem",
        kind,
        code: code.to_owned(),
        reason: "why".to_owned(),
    };
    let busy = refusal(&fault(FaultKind::Throttled, "Throttling"), false);
    assert!(busy.is_retryable() && !busy.may_have_happened(), "{busy}");
    let unsure = refusal(&fault(FaultKind::Throttled, "Throttling"), true);
    assert!(
        unsure.is_retryable() && unsure.may_have_happened(),
        "an earlier attempt may have: {unsure}"
    );
    let lost = refusal(&fault(FaultKind::Unknown, ""), false);
    assert!(matches!(lost, StoreError::Unavailable { .. }), "{lost}");
    let read = Fault {
        action: "dynamodb:Query",
        ..fault(FaultKind::Denied, "AccessDeniedException")
    };
    let denied = refusal(&read, true);
    assert!(
        matches!(denied, StoreError::Refused { .. }),
        "a read never happened: {denied}"
    );
    let missing = refusal(&fault(FaultKind::NotFound, "ResourceNotFoundException"), false).to_string();
    assert_eq!(
        missing,
        "store refuses: dynamodb:PutItem: why; tables are made by `streamalert aws init`"
    );
    let full = refusal(
        &fault(FaultKind::Invalid, "ItemCollectionSizeLimitExceededException"),
        false,
    );
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
}
