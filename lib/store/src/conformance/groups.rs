use std::sync::Arc;

use streamalert_types::{AlertId, GroupId};

use super::alerts::{id, settled};
use super::fixtures::{Forgets, fence, moment, output, stored};
use crate::{Accepted, AlertState, AlertStore, GroupMember, ShardId};

const SHARD: ShardId = ShardId(3);
const WORKS: &str = "the store works";

async fn grouped(store: &impl AlertStore) -> Vec<AlertId> {
    let page = store.grouped(SHARD, None, 100).await.expect(WORKS);
    page.iter().map(|stored| stored.alert.id).collect()
}

async fn state(store: &impl AlertStore, number: u64) -> AlertState {
    store
        .view(id(number))
        .await
        .expect(WORKS)
        .expect("the alert is known")
        .state
}

/// Merge groups: waiting, taking over, closing, and closing again.
pub async fn groups<S: AlertStore>(fresh: impl AsyncFn() -> S, forgets: Forgets<'_>) {
    let store = fresh().await;
    let members = [4, 2, 1, 3].map(|number| stored(number, &["a:h"], Some(7)));
    store.accept(fence(3, 1), members.to_vec()).await.expect(WORKS);
    let others = vec![
        stored(5, &[], Some(8)),
        stored(6, &["a:h"], None),
        stored(7, &[], None),
    ];
    store.accept(fence(3, 1), others).await.expect(WORKS);
    store
        .accept(fence(2, 1), vec![stored(9, &[], Some(7))])
        .await
        .expect(WORKS);
    take_over(&store).await;

    store
        .settle(fence(3, 1), vec![settled(1, "a:h")], moment(50))
        .await
        .expect(WORKS);
    assert_eq!(
        state(&store, 1).await,
        AlertState::Open,
        "delivered on its own account, it still waits"
    );
    let group = GroupId::from_u128(7);
    let merged = || stored(100, &["b:y"], None);
    let members = || [1, 2, 5, 6, 7, 9, 77].map(id).to_vec();
    let close = async || {
        store
            .close_group(fence(3, 1), group, members(), Some(merged()), moment(60))
            .await
    };
    assert_eq!(close().await, Ok(Accepted::New));
    let closed = async || {
        assert_eq!(
            grouped(&store).await,
            [3, 4, 5].map(id),
            "those named leave, if they wait in this group"
        );
        assert_eq!(
            state(&store, 1).await,
            AlertState::Settled { expires: moment(60) }
        );
        assert_eq!(
            state(&store, 2).await,
            AlertState::Open,
            "its own delivery is not settled"
        );
        assert_eq!(state(&store, 6).await, AlertState::Open, "it was in no group");
        assert_eq!(
            state(&store, 7).await,
            AlertState::Open,
            "nor was this one, idle as it is"
        );
        let outbox = store
            .pending(SHARD, &output("b:y"), None, 10, usize::MAX)
            .await
            .expect(WORKS);
        assert_eq!(outbox.len(), 1, "the merged alert is to be delivered");
        let view = store.view(id(2)).await.expect(WORKS).expect("the alert is known");
        assert_eq!(view.group, None);
        let elsewhere = store.grouped(ShardId(2), None, 9).await.expect(WORKS);
        assert_eq!(elsewhere.len(), 1, "an alert of another shard stays");
    };
    closed().await;
    assert_eq!(close().await, Ok(Accepted::Duplicate), "closed again");
    closed().await;
    store
        .settle(fence(3, 1), vec![settled(2, "a:h")], moment(70))
        .await
        .expect(WORKS);
    assert_eq!(
        state(&store, 2).await,
        AlertState::Settled { expires: moment(70) }
    );
    store
        .settle(fence(3, 1), vec![settled(100, "b:y")], moment(80))
        .await
        .expect(WORKS);
    assert_eq!(
        close().await,
        Ok(Accepted::Duplicate),
        "after the merged alert was delivered"
    );
    assert_eq!(
        state(&store, 100).await,
        AlertState::Settled { expires: moment(80) }
    );

    let silent = store
        .close_group(
            fence(3, 1),
            GroupId::from_u128(8),
            vec![id(5)],
            Some(stored(101, &[], None)),
            moment(90),
        )
        .await;
    assert_eq!(silent, Ok(Accepted::New));
    assert_eq!(
        state(&store, 101).await,
        AlertState::Settled { expires: moment(90) },
        "nothing to deliver"
    );
    assert_eq!(
        state(&store, 5).await,
        AlertState::Settled { expires: moment(90) }
    );
    // 1, 2, 5, 100 and 101.
    forgets.expire(&store, fence(3, 1), (moment(90), 100), 5).await;
    assert!(store.view(id(101)).await.expect(WORKS).is_none(), "forgotten");
    assert_eq!(grouped(&store).await, [3, 4].map(id));
}

async fn take_over(store: &impl AlertStore) {
    let member = GroupMember {
        group: GroupId::from_u128(7),
        key: Arc::from(&b"key-7"[..]),
        first: false,
    };
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = store.grouped(SHARD, after, 2).await.expect(WORKS);
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2, "a page has at most as many as asked for");
        after = Some((last.alert.created, last.alert.id));
        for stored in &page {
            if stored.alert.id != id(5) {
                assert_eq!(stored.group.as_ref(), Some(&member));
                assert_eq!(stored.pending, [output("a:h")]);
            }
            seen.push(stored.alert.id);
        }
    }
    assert_eq!(
        seen,
        [1, 2, 3, 4, 5].map(id),
        "every member once, in order of creation"
    );
}
