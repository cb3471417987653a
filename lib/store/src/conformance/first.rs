use std::sync::Arc;

use streamalert_types::{Alert, DeliveryOutcome, GroupId, Merging};

use super::alerts::id;
use super::fixtures::{fence, moment, output, stored};
use crate::{Accepted, AlertState, AlertStore, DeliveryState, SettledDelivery, ShardId, StoredAlert};

const SHARD: ShardId = ShardId(3);
const WORKS: &str = "the store works";

/// Alert number `number` of group 7, as one of those of which the first goes out at once.
fn member(number: u64, outputs: &[&str], first: bool) -> StoredAlert {
    let mut stored = stored(number, outputs, Some(7));
    stored.alert = Arc::new(Alert {
        merging: Merging::FirstAtOnce,
        ..Alert::clone(&stored.alert)
    });
    if let Some(group) = &mut stored.group {
        group.first = first;
    }
    stored
}

async fn delivery(store: &impl AlertStore, shard: u16, number: u64, name: &str) -> DeliveryState {
    store
        .delivery(ShardId(shard), id(number), &output(name))
        .await
        .expect(WORKS)
}

async fn state(store: &impl AlertStore, number: u64) -> AlertState {
    let view = store.view(id(number)).await.expect(WORKS);
    view.expect("the alert is known").state
}

/// The first alert of a group that went out at once: that it did, and what the outputs answered, is known to whoever
/// takes the shard over, until the group is closed and after.
pub async fn first_of_a_group<S: AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    let members = vec![
        member(1, &["a:h", "b:y", "c:z"], true),
        member(2, &["a:h"], false),
    ];
    store.accept(fence(3, 1), members).await.expect(WORKS);
    assert_eq!(delivery(&store, 3, 1, "b:y").await, DeliveryState::Pending);
    assert_eq!(
        delivery(&store, 3, 1, "d:d").await,
        DeliveryState::Unknown,
        "it does not go there"
    );
    assert_eq!(
        delivery(&store, 3, 9, "b:y").await,
        DeliveryState::Unknown,
        "no such alert"
    );
    assert_eq!(
        delivery(&store, 2, 1, "b:y").await,
        DeliveryState::Unknown,
        "another shard"
    );

    let opened = DeliveryOutcome::Delivered {
        attempts: 2,
        reference: Some("ISSUE-1".into()),
    };
    let dead = DeliveryOutcome::DeadLettered {
        attempts: 3,
        reason: "http 400".to_owned(),
    };
    let ends = [
        ("a:h", DeliveryOutcome::delivered(1)),
        ("b:y", opened),
        ("c:z", dead),
    ];
    for (name, outcome) in &ends {
        let end = SettledDelivery {
            alert: id(1),
            output: output(name),
            outcome: outcome.clone(),
        };
        store
            .settle(fence(3, 1), vec![end], moment(50))
            .await
            .expect(WORKS);
    }
    let ended = async || {
        for (name, outcome) in &ends {
            let known = delivery(&store, 3, 1, name).await;
            assert_eq!(known, DeliveryState::Ended(outcome.clone()), "{name}");
        }
    };
    ended().await;
    assert_eq!(state(&store, 1).await, AlertState::Open, "its group is open");
    let grouped = store.grouped(SHARD, None, 9).await.expect(WORKS);
    let first = |stored: &StoredAlert| stored.group.as_ref().is_some_and(|group| group.first);
    let known: Vec<_> = grouped
        .iter()
        .map(|stored| (stored.alert.id, first(stored)))
        .collect();
    assert_eq!(known, [(id(1), true), (id(2), false)]);
    assert!(
        grouped
            .iter()
            .all(|stored| stored.alert.merging == Merging::FirstAtOnce)
    );

    let group = GroupId::from_u128(7);
    let mut rest = stored(100, &["b:y"], None);
    rest.alert = Arc::new(Alert {
        merging: Merging::Follows(id(1)),
        ..Alert::clone(&rest.alert)
    });
    let closed = store.close_group(fence(3, 1), group, vec![id(1), id(2)], Some(rest), moment(60));
    assert_eq!(closed.await, Ok(Accepted::New));
    assert_eq!(
        state(&store, 1).await,
        AlertState::Settled { expires: moment(60) }
    );
    ended().await;
    let page = store
        .pending(SHARD, &output("b:y"), None, 9, usize::MAX)
        .await
        .expect(WORKS);
    let merging: Vec<_> = page.iter().map(|pending| pending.alert.merging).collect();
    assert_eq!(merging, [Merging::Follows(id(1))]);
    nothing_to_send(&store).await;
}

/// A group whose only member went out at once is closed without an alert.
async fn nothing_to_send(store: &impl AlertStore) {
    let (alone, idle) = (member(11, &["a:h"], true), member(12, &[], true));
    store.accept(fence(3, 1), vec![alone, idle]).await.expect(WORKS);
    let group = GroupId::from_u128(7);
    for _ in 0..2 {
        let closed = store.close_group(fence(3, 1), group, vec![id(11), id(12)], None, moment(70));
        assert_eq!(closed.await, Ok(Accepted::New));
        assert_eq!(store.grouped(SHARD, None, 9).await.expect(WORKS).len(), 0);
        assert_eq!(
            state(store, 11).await,
            AlertState::Open,
            "its own delivery is not settled"
        );
        assert_eq!(
            state(store, 12).await,
            AlertState::Settled { expires: moment(70) }
        );
    }
    let late = store
        .close_group(fence(3, 0), group, vec![id(11)], None, moment(70))
        .await;
    assert!(late.is_err(), "a former owner");
}
