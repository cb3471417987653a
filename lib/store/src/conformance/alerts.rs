use std::collections::BTreeMap;

use streamalert_types::{Alert, AlertId, DeliveryOutcome, OutputName};

use super::fixtures::{Forgets, fence, moment, output, stored};
use crate::{
    Accepted, AlertFilter, AlertState, AlertStore, AlertView, OutboxCursor, SettledDelivery, ShardId,
    StoreError,
};

const SHARD: ShardId = ShardId(3);
const WORKS: &str = "the store works";

pub(super) fn id(id: u64) -> AlertId {
    AlertId::from_u128(u128::from(id))
}

pub(super) fn settled(alert: u64, name: &str) -> SettledDelivery {
    let outcome = DeliveryOutcome::delivered(1);
    SettledDelivery {
        alert: id(alert),
        output: output(name),
        outcome,
    }
}

async fn pending(store: &impl AlertStore, name: &str) -> Vec<AlertId> {
    let page = store
        .pending(SHARD, &output(name), None, 100, usize::MAX)
        .await
        .expect(WORKS);
    page.iter().map(|pending| pending.alert.id).collect()
}

async fn view(store: &impl AlertStore, number: u64) -> AlertView {
    store
        .view(id(number))
        .await
        .expect(WORKS)
        .expect("the alert is known")
}

/// Accepting: every field is kept, and what is known is a duplicate.
pub async fn alerts<S: AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    let batch = vec![
        stored(1, &["a:x", "b:y"], None),
        stored(2, &["a:x"], Some(9)),
        stored(1, &["c:z"], None),
    ];
    let accepted = store.accept(fence(3, 1), batch).await.expect(WORKS);
    assert_eq!(
        accepted,
        [Accepted::New, Accepted::New, Accepted::Duplicate],
        "a repetition in the batch"
    );

    let known = view(&store, 1).await;
    assert_eq!(
        format!("{:?}", known.alert),
        format!("{:?}", stored(1, &[], None).alert),
        "every field"
    );
    assert_eq!(
        known.pending,
        [output("a:x"), output("b:y")],
        "the first of a repetition counts"
    );
    assert_eq!((known.state, known.group), (AlertState::Open, None));
    assert_eq!(view(&store, 2).await.group.map(|group| group.as_u128()), Some(9));
    assert!(
        store.view(id(7)).await.expect(WORKS).is_none(),
        "an unknown alert"
    );

    let again = store
        .accept(fence(3, 1), vec![stored(1, &["a:x"], None), stored(4, &[], None)])
        .await;
    assert_eq!(
        again.expect(WORKS),
        [Accepted::Duplicate, Accepted::New],
        "a repetition in a later batch"
    );
    assert_eq!(
        store.accept(fence(3, 1), Vec::new()).await,
        Ok(Vec::new()),
        "nothing is accepted"
    );

    let fetched = store.fetch(SHARD, &[id(4), id(7), id(1)]).await.expect(WORKS);
    assert_eq!(
        ids(&fetched),
        [id(4), id(1)],
        "fetch answers in the order asked, without the unknown"
    );
    assert!(
        store.fetch(ShardId(5), &[id(1)]).await.expect(WORKS).is_empty(),
        "fetch keeps to its shard"
    );
}

/// A store that keeps all shards in one place knows an alert whatever the shard; see [`AlertStore::accept`].
pub async fn alerts_of_other_shards<S: AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    store
        .accept(fence(3, 1), vec![stored(1, &["a:x"], None)])
        .await
        .expect(WORKS);
    for epoch in [1, 2] {
        let other = store
            .accept(fence(5, epoch), vec![stored(1, &["a:x"], None)])
            .await;
        assert_eq!(other.expect(WORKS), [Accepted::Duplicate]);
    }
}

/// Alerts of an earlier owner: with `adopts`, those that are open are answered as [`Accepted::Adopted`], with what
/// is left to do.
pub async fn adoption<S: AlertStore>(fresh: impl AsyncFn() -> S, adopts: bool) {
    let store = fresh().await;
    let first = vec![
        stored(1, &["a:x", "b:y"], None),
        stored(2, &["a:h"], Some(9)),
        stored(3, &["a:x"], None),
    ];
    store.accept(fence(3, 1), first.clone()).await.expect(WORKS);
    let ended = vec![settled(1, "a:x"), settled(2, "a:h"), settled(3, "a:x")];
    store.settle(fence(3, 1), ended, moment(50)).await.expect(WORKS);

    let replay = [first.clone(), vec![stored(4, &["a:x"], None)]].concat();
    let accepted = store.accept(fence(3, 2), replay).await.expect(WORKS);
    let of_old = |pending: &[&str], group: Option<u64>| {
        let stored = stored(0, pending, group);
        let (pending, group) = (stored.pending, stored.group);
        if adopts {
            Accepted::Adopted { pending, group }
        } else {
            Accepted::Duplicate
        }
    };
    let expected = [
        of_old(&["b:y"], None),
        of_old(&[], Some(9)),
        Accepted::Duplicate,
        Accepted::New,
    ];
    assert_eq!(accepted, expected, "open, open, a tombstone, and new");
    let own = store.accept(fence(3, 2), vec![stored(4, &["a:x"], None)]).await;
    assert_eq!(
        own.expect(WORKS),
        [Accepted::Duplicate],
        "written under the same epoch"
    );
}

fn ids(alerts: &[std::sync::Arc<Alert>]) -> Vec<AlertId> {
    alerts.iter().map(|alert| alert.id).collect()
}

/// The outbox: order, pages, limits and counts.
pub async fn outbox<S: AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    let batch = [5, 1, 4, 2, 3].map(|number| stored(number, &["a:x"], None));
    store.accept(fence(3, 1), batch.to_vec()).await.expect(WORKS);
    store
        .accept(fence(3, 1), vec![stored(6, &["a:xy", "a"].map(|_| "b:y"), None)])
        .await
        .expect(WORKS);
    store
        .accept(fence(4, 1), vec![stored(7, &["a:x"], None)])
        .await
        .expect(WORKS);
    assert_eq!(
        pending(&store, "a:x").await,
        [1, 2, 3, 4, 5].map(id),
        "oldest first, of this shard alone"
    );
    assert_eq!(
        pending(&store, "a:").await,
        [],
        "one output's name may begin another's"
    );

    let mut after: Option<OutboxCursor> = None;
    let mut seen = Vec::new();
    loop {
        let page = store
            .pending(SHARD, &output("a:x"), after, 2, usize::MAX)
            .await
            .expect(WORKS);
        assert!(page.len() <= 2, "a page has at most as many as asked for");
        let Some(last) = page.last() else { break };
        after = Some(last.cursor.clone());
        seen.extend(page.iter().map(|pending| pending.alert.id));
    }
    assert_eq!(
        seen,
        [1, 2, 3, 4, 5].map(id),
        "pages have no gaps and no repetitions"
    );
    let weight = stored(1, &[], None).alert.weight_bytes();
    let by_bytes = async |bytes_max| {
        store
            .pending(SHARD, &output("a:x"), None, 10, bytes_max)
            .await
            .expect(WORKS)
            .len()
    };
    assert_eq!(by_bytes(0).await, 1, "the first always fits");
    assert_eq!(by_bytes(2 * weight).await, 2);
    assert_eq!(by_bytes(3 * weight - 1).await, 2);

    let counts = |counts: &[(&str, u64)]| {
        counts
            .iter()
            .map(|(name, count)| (output(name), *count))
            .collect::<BTreeMap<OutputName, u64>>()
    };
    assert_eq!(
        store.backlog(SHARD).await.expect(WORKS),
        counts(&[("a:x", 5), ("b:y", 1)])
    );
    store
        .settle(
            fence(3, 1),
            vec![settled(2, "a:x"), settled(6, "b:y"), settled(2, "a:x")],
            moment(100),
        )
        .await
        .expect(WORKS);
    assert_eq!(pending(&store, "a:x").await, [1, 3, 4, 5].map(id));
    assert_eq!(
        store.backlog(SHARD).await.expect(WORKS),
        counts(&[("a:x", 4)]),
        "no entry without a backlog"
    );
    let cursor = seen_cursor(&store, 3).await;
    store
        .settle(fence(3, 1), vec![settled(3, "a:x")], moment(100))
        .await
        .expect(WORKS);
    let page = store
        .pending(SHARD, &output("a:x"), Some(cursor), 10, usize::MAX)
        .await
        .expect(WORKS);
    let rest: Vec<_> = page.iter().map(|pending| pending.alert.id).collect();
    assert_eq!(rest, [4, 5].map(id), "a cursor outlives the entry it names");
}

async fn seen_cursor(store: &impl AlertStore, number: u64) -> OutboxCursor {
    let page = store
        .pending(SHARD, &output("a:x"), None, 10, usize::MAX)
        .await
        .expect(WORKS);
    let found = page.into_iter().find(|pending| pending.alert.id == id(number));
    found.expect("the alert is pending").cursor
}

/// Settling, tombstones and their end.
pub async fn tombstones<S: AlertStore>(fresh: impl AsyncFn() -> S, forgets: Forgets<'_>) {
    let store = fresh().await;
    let accepted = vec![stored(1, &["a:x", "b:y"], None), stored(2, &["a:x"], None)];
    store.accept(fence(3, 1), accepted).await.expect(WORKS);
    store
        .accept(fence(4, 1), vec![stored(3, &["a:x"], None)])
        .await
        .expect(WORKS);
    let unknown = vec![settled(9, "a:x"), settled(1, "c:z"), settled(3, "a:x")];
    store.settle(fence(3, 1), unknown, moment(50)).await.expect(WORKS);
    assert_eq!(
        view(&store, 1).await.pending.len(),
        2,
        "an output it was not pending for"
    );
    assert_eq!(
        view(&store, 3).await.pending.len(),
        1,
        "an alert of another shard"
    );

    let reason = "gone".to_owned();
    let outcome = DeliveryOutcome::DeadLettered { attempts: 4, reason };
    let dead = SettledDelivery {
        alert: id(1),
        output: output("a:x"),
        outcome: outcome.clone(),
    };
    store
        .settle(fence(3, 1), vec![dead], moment(50))
        .await
        .expect(WORKS);
    assert_eq!(
        view(&store, 1).await.state,
        AlertState::Open,
        "one output is left"
    );
    store
        .settle(fence(3, 1), vec![settled(1, "b:y")], moment(60))
        .await
        .expect(WORKS);
    let known = view(&store, 1).await;
    assert_eq!(
        (known.state, known.pending.len()),
        (AlertState::Settled { expires: moment(60) }, 0)
    );
    let delivered = DeliveryOutcome::delivered(1);
    assert_eq!(
        known.settled,
        [(output("a:x"), outcome), (output("b:y"), delivered)].into()
    );
    store
        .settle(fence(3, 1), vec![settled(1, "b:y")], moment(90))
        .await
        .expect(WORKS);
    assert_eq!(
        view(&store, 1).await.state,
        AlertState::Settled { expires: moment(60) },
        "settled once"
    );
    assert!(
        store.fetch(SHARD, &[id(1)]).await.expect(WORKS).is_empty(),
        "a tombstone is not open"
    );
    let again = store
        .accept(fence(3, 1), vec![stored(1, &["a:x"], None)])
        .await
        .expect(WORKS);
    assert_eq!(again, [Accepted::Duplicate], "a replay after delivery");
    assert_eq!(pending(&store, "a:x").await, [id(2)]);

    // Not yet, and not of this shard.
    forgets.expire(&store, fence(3, 1), (moment(59), 10), 0).await;
    forgets.expire(&store, fence(4, 1), (moment(99), 10), 0).await;
    assert!(store.view(id(1)).await.expect(WORKS).is_some(), "not yet");
    forgets.expire(&store, fence(3, 1), (moment(60), 10), 1).await;
    assert!(store.view(id(1)).await.expect(WORKS).is_none(), "forgotten");
    assert!(
        store.view(id(2)).await.expect(WORKS).is_some(),
        "what is open stays"
    );
    let again = store
        .accept(fence(3, 1), vec![stored(1, &["a:x"], None)])
        .await
        .expect(WORKS);
    assert_eq!(again, [Accepted::New], "forgotten means new");

    let many: Vec<_> = (10..15).map(|number| stored(number, &["a:x"], None)).collect();
    store.accept(fence(3, 1), many).await.expect(WORKS);
    let ends = (10..15).map(|number| settled(number, "a:x")).collect();
    store.settle(fence(3, 1), ends, moment(70)).await.expect(WORKS);
    // At most as many as asked for.
    forgets.expire(&store, fence(3, 1), (moment(80), 3), 3).await;
    forgets.expire(&store, fence(3, 1), (moment(80), 3), 2).await;
    forgets.expire(&store, fence(3, 1), (moment(80), 3), 0).await;
    for number in 10..15 {
        assert!(store.view(id(number)).await.expect(WORKS).is_none());
    }
}

/// Only the current epoch writes.
pub async fn fences<S: AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    store
        .accept(fence(3, 5), vec![stored(1, &["a:x"], None)])
        .await
        .expect(WORKS);
    let refused = StoreError::Fenced {
        shard: 3,
        current: 5,
        given: 4,
    };
    let old = fence(3, 4);
    assert_eq!(
        store.accept(old, vec![stored(2, &["a:x"], None)]).await,
        Err(refused.clone())
    );
    assert_eq!(
        store.settle(old, vec![settled(1, "a:x")], moment(9)).await,
        Err(refused.clone())
    );
    let merged = stored(3, &["a:x"], None);
    let group = streamalert_types::GroupId::from_u128(1);
    assert_eq!(
        store
            .close_group(old, group, vec![], Some(merged), moment(9))
            .await,
        Err(refused.clone())
    );
    assert_eq!(store.expire(old, moment(9), 1).await, Err(refused.clone()));
    assert!(
        store.view(id(2)).await.expect(WORKS).is_none(),
        "nothing of a refused write is kept"
    );
    assert_eq!(pending(&store, "a:x").await, [id(1)]);

    store
        .accept(fence(4, 1), vec![stored(4, &["a:x"], None)])
        .await
        .expect("shards have their own fences");
    store
        .expire(fence(3, 6), moment(0), 1)
        .await
        .expect("a newer epoch is seen");
    let refused = StoreError::Fenced {
        shard: 3,
        current: 6,
        given: 5,
    };
    assert_eq!(
        store.accept(fence(3, 5), Vec::new()).await,
        Err(refused),
        "by every write"
    );
}

/// Listing and its filters.
pub async fn listing<S: AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    for shard in [3, 4] {
        let batch = (1..=6).filter(|number| number % 2 == u64::from(shard % 2));
        let batch = batch.map(|number| stored(number, &["a:x"], None)).collect();
        store.accept(fence(shard, 1), batch).await.expect(WORKS);
    }
    store
        .settle(fence(3, 1), vec![settled(5, "a:x")], moment(99))
        .await
        .expect(WORKS);
    let list = async |filter: AlertFilter, items_max| {
        let views = store.list(&filter, items_max).await.expect(WORKS);
        views.iter().map(|view| view.alert.id).collect::<Vec<_>>()
    };
    let all = AlertFilter::default();
    assert_eq!(
        list(all.clone(), 100).await,
        [6, 5, 4, 3, 2, 1].map(id),
        "all shards, newest first"
    );
    assert_eq!(list(all.clone(), 2).await, [6, 5].map(id));
    let odd = AlertFilter {
        rule: Some("odd".to_owned()),
        ..all.clone()
    };
    assert_eq!(
        list(odd.clone(), 2).await,
        [5, 3].map(id),
        "the limit counts what matches"
    );
    assert_eq!(
        list(
            AlertFilter {
                open_only: true,
                ..odd
            },
            2
        )
        .await,
        [3, 1].map(id)
    );
    assert_eq!(
        list(
            AlertFilter {
                since: Some(moment(5)),
                ..all
            },
            9
        )
        .await,
        [6, 5].map(id),
        "since includes"
    );
}
