use std::collections::BTreeMap;

use super::fixtures::{fence, moment, stored};
use crate::{AlertStore, Lease, LeaseAnswer, LeaseStore, SHARD_END, StoreError};

const WORKS: &str = "the store works";

fn written(answer: Result<LeaseAnswer, StoreError>, why: &str) -> Lease {
    match answer.expect(WORKS) {
        LeaseAnswer::Written(lease) => lease,
        LeaseAnswer::Refused(current) => panic!("{why}: refused, it is {current:?}"),
    }
}

fn refused(answer: Result<LeaseAnswer, StoreError>, current: Option<&Lease>, why: &str) {
    assert_eq!(
        answer.expect(WORKS),
        LeaseAnswer::Refused(current.cloned()),
        "{why}"
    );
}

/// Leases: creating, taking, keeping, losing, asking for, giving back, and removing.
pub async fn leases<S: LeaseStore + AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    listing(&store).await;
    owning(&store).await;
    asking(&store).await;
    working(&store).await;
    fencing(&store).await;
}

async fn listing(store: &impl LeaseStore) {
    let keys = async |prefix| {
        let leases = store.list(prefix).await.expect(WORKS);
        leases.into_iter().map(|lease| lease.key).collect::<Vec<_>>()
    };
    let new = ["merger/3", "source/8", "merger/20"].map(Lease::free).to_vec();
    assert_eq!(store.create(new.clone()).await, Ok(3));
    let child = Lease {
        parents: vec!["source/8".to_owned(), "source/9".to_owned()],
        checkpoint: Some("TRIM_HORIZON".to_owned()),
        updated: moment(5),
        ..Lease::free("source/10")
    };
    let more = [new, vec![child.clone()]].concat();
    assert_eq!(store.create(more).await, Ok(1), "those that are known stay");
    assert_eq!(store.create(Vec::new()).await, Ok(0));
    assert_eq!(keys("merger/").await, ["merger/20", "merger/3"]);
    assert_eq!(keys("").await, ["merger/20", "merger/3", "source/10", "source/8"]);
    assert_eq!(store.list("source/1").await, Ok(vec![child]), "every field");
}

async fn owning(store: &impl LeaseStore) {
    let free = Lease::free("merger/3");
    let first = written(
        store.take(&free, "a", Some("10.0.0.1:7"), moment(1)).await,
        "it is free",
    );
    let expected = Lease {
        owner: Some("a".to_owned()),
        address: Some("10.0.0.1:7".to_owned()),
        epoch: first.epoch,
        counter: first.counter,
        updated: moment(1),
        ..free.clone()
    };
    assert_eq!(first, expected);
    assert!(first.epoch > free.epoch && first.counter > free.counter);
    refused(
        store.take(&free, "b", None, moment(2)).await,
        Some(&first),
        "a has taken it meanwhile",
    );

    let kept = written(store.renew(&first, moment(2)).await, "it is a's");
    assert_eq!(kept.epoch, first.epoch, "the same owner");
    assert!(kept.counter > first.counter, "every renewal counts");
    refused(
        store.renew(&first, moment(2)).await,
        Some(&kept),
        "it has moved on",
    );
    refused(
        store.take(&first, "b", None, moment(2)).await,
        Some(&kept),
        "its owner is alive",
    );

    let second = written(
        store.take(&kept, "b", None, moment(3)).await,
        "b believes a to be dead",
    );
    assert!(second.epoch > kept.epoch && second.counter > kept.counter);
    assert_eq!((second.owner.as_deref(), &second.address), (Some("b"), &None));
    refused(
        store.renew(&kept, moment(3)).await,
        Some(&second),
        "it is b's now",
    );
    refused(
        store.release(&kept, None, moment(3)).await,
        Some(&second),
        "it is b's now",
    );
    refused(
        store.checkpoint(&kept, "7", moment(3)).await,
        Some(&second),
        "it is b's now",
    );

    let again = written(
        store.take(&second, "b", None, moment(4)).await,
        "a second b takes it",
    );
    assert!(again.epoch > second.epoch, "two of one name are two owners");
    let back = written(store.release(&again, Some("c"), moment(5)).await, "it is b's");
    assert_eq!((&back.owner, &back.address), (&None, &None));
    assert_eq!((back.wanted_by.as_deref(), back.epoch), (Some("c"), again.epoch));
    assert!(back.counter > again.counter);
    refused(store.renew(&back, moment(6)).await, Some(&back), "nobody has it");
    refused(
        store.release(&back, None, moment(6)).await,
        Some(&back),
        "nobody has it",
    );
    refused(
        store.ask(&back, "d", moment(6)).await,
        Some(&back),
        "nobody is there to be asked",
    );
    let third = written(store.take(&back, "c", None, moment(6)).await, "it is free");
    assert_eq!(third.wanted_by, None, "c has it now");
    assert!(third.epoch > again.epoch);
    refused(
        store.renew(&Lease::free("none"), moment(7)).await,
        None,
        "there is none",
    );
    refused(
        store.take(&Lease::free("none"), "a", None, moment(7)).await,
        None,
        "there is none",
    );
}

async fn asking(store: &impl LeaseStore) {
    let free = Lease::free("merger/20");
    let held = written(store.take(&free, "a", None, moment(1)).await, "it is free");
    let kept = written(store.renew(&held, moment(2)).await, "it is a's");
    let asked = written(
        store.ask(&held, "b", moment(3)).await,
        "a renewal meanwhile is no objection",
    );
    assert_eq!(asked.wanted_by.as_deref(), Some("b"));
    assert_eq!(
        (asked.epoch, asked.counter),
        (kept.epoch, kept.counter),
        "a request is no sign of life"
    );
    refused(
        store.ask(&held, "c", moment(3)).await,
        Some(&asked),
        "b was first",
    );
    let renewed = written(
        store.renew(&kept, moment(4)).await,
        "a request takes nothing away",
    );
    assert_eq!(
        renewed.wanted_by.as_deref(),
        Some("b"),
        "this is how a learns of it"
    );
    let instead = written(
        store.ask(&renewed, "c", moment(4)).await,
        "c knows of b and is instead of it",
    );
    assert_eq!(instead.wanted_by.as_deref(), Some("c"));
    let taken = written(store.take(&renewed, "c", None, moment(5)).await, "nobody stops c");
    assert_eq!(taken.wanted_by, None);
    refused(
        store.ask(&renewed, "b", moment(5)).await,
        Some(&taken),
        "it is c's now",
    );
}

async fn working(store: &impl LeaseStore) {
    let of_child = store.list("source/10").await.expect(WORKS);
    let child = of_child.first().expect("it was created");
    let held = written(store.take(child, "a", None, moment(6)).await, "it is free");
    assert_eq!(
        (&held.parents, &held.checkpoint),
        (&child.parents, &child.checkpoint)
    );
    let at_7 = written(store.checkpoint(&held, "7", moment(7)).await, "it is a's");
    assert_eq!((at_7.checkpoint.as_deref(), at_7.epoch), (Some("7"), held.epoch));
    assert!(at_7.counter > held.counter, "it renews too");
    refused(
        store.checkpoint(&held, "6", moment(8)).await,
        Some(&at_7),
        "a write that was under way for long",
    );
    let back = written(store.release(&at_7, None, moment(8)).await, "it is a's");
    let next = written(store.take(&back, "b", None, moment(9)).await, "it is free");
    assert_eq!(
        next.checkpoint.as_deref(),
        Some("7"),
        "the work goes on where it was left"
    );
    let end = written(store.checkpoint(&next, SHARD_END, moment(10)).await, "it is b's");
    assert!(end.is_finished() && !next.is_finished());
    assert_eq!(store.remove(&next).await, Ok(false), "it is not as it was");
    assert_eq!(store.remove(&end).await, Ok(true));
    assert_eq!(store.remove(&end).await, Ok(true), "gone is gone");
    refused(store.renew(&end, moment(11)).await, None, "it is gone");
    assert_eq!(store.list("source/10").await, Ok(Vec::new()));
}

async fn fencing<S: LeaseStore + AlertStore>(store: &S) {
    let free = Lease::free("merger/5");
    assert_eq!(
        store.create(vec![free.clone(), Lease::free("merger/8")]).await,
        Ok(2)
    );
    let first = written(store.take(&free, "a", None, moment(1)).await, "it is free");
    let write = async |lease: &Lease, id| {
        let written = store.accept(fence(5, lease.epoch), vec![stored(id, &["a:x"], None)]);
        written.await.map(drop)
    };
    assert_eq!(write(&first, 1).await, Ok(()));
    let second = written(store.take(&first, "b", None, moment(2)).await, "b takes it");
    let fenced = Err(StoreError::Fenced {
        shard: 5,
        current: second.epoch,
        given: first.epoch,
    });
    assert_eq!(write(&first, 2).await, fenced, "b's epoch holds from now on");
    assert_eq!(write(&second, 2).await, Ok(()));
    written(store.release(&second, None, moment(3)).await, "it is b's");
    assert_eq!(
        write(&first, 3).await,
        fenced,
        "giving back opens nothing to older epochs"
    );

    store
        .accept(fence(8, 70), Vec::new())
        .await
        .expect("a write without an owner");
    let late = written(
        store.take(&Lease::free("merger/8"), "a", None, moment(0)).await,
        "it is free",
    );
    assert!(
        late.epoch > 70,
        "a new owner is not fenced off by what the shard has seen"
    );
}

/// Three nodes take, keep and give back one lease at random, each by what it saw last, whenever that was. Only
/// the latest owner writes, and no epoch has two owners.
pub async fn leases_under_any_interleaving<S: LeaseStore + AlertStore>(fresh: impl AsyncFn() -> S) {
    for seed in 1..=8_u64 {
        let store = fresh().await;
        store.create(vec![Lease::free("merger/1")]).await.expect(WORKS);
        let mut sights: BTreeMap<&str, Lease> =
            ["a", "b", "c"].map(|node| (node, Lease::free("merger/1"))).into();
        let mut owners: BTreeMap<u64, &str> = BTreeMap::new();
        let mut random = seed;
        let (mut written, mut refused, mut fenced) = (0, 0, 0);
        let mut current = Lease::free("merger/1");
        for step in 0..300_u64 {
            // Knuth's multiplier; the high bits are random enough to pick what happens next.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            let node = ["a", "b", "c"][(random >> 40) as usize % 3];
            let sight = sights
                .get(node)
                .cloned()
                .unwrap_or_else(|| Lease::free("merger/1"));
            let held = sight.owner.as_deref() == Some(node);
            let answer = match (random >> 50) % 8 {
                0 | 1 => {
                    let seen = LeaseStore::list(&store, "merger/1").await.expect(WORKS);
                    sights.extend(seen.into_iter().map(|lease| (node, lease)));
                    continue;
                }
                2 => store.take(&sight, node, None, moment(0)).await,
                3 => store.ask(&sight, node, moment(0)).await,
                4 if held => store.release(&sight, Some(node), moment(0)).await,
                5 | 6 if held => store.renew(&sight, moment(0)).await,
                7 => {
                    let alert = stored(step, &["a:x"], None);
                    let accepted = store.accept(fence(1, sight.epoch), vec![alert]).await;
                    assert_eq!(
                        accepted.is_ok(),
                        sight.epoch == current.epoch,
                        "{sight:?} {current:?}"
                    );
                    fenced += u32::from(accepted.is_err());
                    continue;
                }
                _ => continue,
            };
            match answer.expect(WORKS) {
                LeaseAnswer::Written(lease) => {
                    written += 1;
                    assert!(lease.epoch >= current.epoch && lease.counter >= current.counter);
                    if lease.epoch > current.epoch {
                        let before = owners.insert(lease.epoch, node);
                        assert_eq!(before, None, "seed {seed}: an epoch belongs to one owner");
                    } else if lease.counter > current.counter {
                        assert_eq!(owners.get(&lease.epoch), Some(&node), "only the owner writes");
                    }
                    current = lease.clone();
                    sights.insert(node, lease);
                }
                LeaseAnswer::Refused(seen) => {
                    refused += 1;
                    assert_eq!(seen.as_ref(), Some(&current), "seed {seed}: this is how it is");
                }
            }
        }
        assert!(
            written > 20 && refused > 20 && fenced > 2 && owners.len() > 5,
            "seed {seed} must try everything: {written} {refused} {fenced} {}",
            owners.len()
        );
    }
}
