use std::collections::BTreeMap;
use std::time::Duration;

use streamalert_types::{Clock, ManualClock};

use super::fixtures::{fence, moment, stored};
use crate::{AlertStore, Lease, LeaseStore, StoreError};

const WORKS: &str = "the store works";
const TERM: Duration = Duration::from_secs(10);

/// Leases: taking, keeping, losing, giving back, and what they do to the fence of their shard.
pub async fn leases<S: LeaseStore + AlertStore>(fresh: impl AsyncFn() -> S) {
    let store = fresh().await;
    let take = async |owner, at| {
        store
            .acquire("merger/3", owner, moment(at), TERM)
            .await
            .expect(WORKS)
    };
    let first = take("a", 0).await.expect("nobody has it");
    assert_eq!((first.owner.as_deref(), first.expires), (Some("a"), moment(10)));
    assert_eq!(take("b", 9).await, None, "a has it");
    let kept = store
        .renew(&first, moment(9), TERM)
        .await
        .expect(WORKS)
        .expect("it is still a's");
    assert_eq!((kept.epoch, kept.expires), (first.epoch, moment(19)));
    assert!(kept.counter > first.counter, "every renewal counts");
    let again = take("a", 10).await.expect("it is a's already");
    assert_eq!(
        (again.epoch, again.expires),
        (first.epoch, moment(20)),
        "no change of owner"
    );
    assert_eq!(take("b", 19).await, None);

    let second = take("b", 20).await.expect("a's has expired");
    assert!(second.epoch > first.epoch, "a change of owner raises the epoch");
    assert_eq!(
        store.renew(&again, moment(21), TERM).await,
        Ok(None),
        "it is b's now"
    );
    store
        .release(&again)
        .await
        .expect("giving back what one has not is no error");
    assert_eq!(take("c", 21).await, None, "and changes nothing");
    let refused = store
        .accept(fence(3, first.epoch), vec![stored(1, &["a:x"], None)])
        .await;
    let (current, given) = (second.epoch, first.epoch);
    assert_eq!(
        refused,
        Err(StoreError::Fenced {
            shard: 3,
            current,
            given
        }),
        "b's epoch holds from now on"
    );
    store
        .accept(fence(3, second.epoch), vec![stored(1, &["a:x"], None)])
        .await
        .expect("b may write");

    store.release(&second).await.expect(WORKS);
    assert_eq!(
        store.renew(&second, moment(22), TERM).await,
        Ok(None),
        "given back"
    );
    let third = take("b", 22).await.expect("it is free");
    assert!(
        third.epoch > second.epoch,
        "from nobody to b is a change of owner"
    );

    store
        .accept(fence(8, 70), Vec::new())
        .await
        .expect("a write without a lease");
    let late = store
        .acquire("merger/8", "a", moment(0), TERM)
        .await
        .expect(WORKS)
        .expect("it is free");
    assert!(
        late.epoch > 70,
        "a new owner is not fenced off by what the shard has seen"
    );
    store
        .acquire("source/8", "a", moment(0), TERM)
        .await
        .expect(WORKS)
        .expect("it is free");
    let keys = async |prefix| {
        let leases = LeaseStore::list(&store, prefix).await.expect(WORKS);
        leases.into_iter().map(|lease| lease.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("merger/").await, ["merger/3", "merger/8"]);
    assert_eq!(keys("").await, ["merger/3", "merger/8", "source/8"]);
}

/// Three owners take, keep and give back one lease at random while time goes on. Each believes in the last
/// answer it got until that expires; never may two believe at the same time.
pub async fn leases_under_any_interleaving<S: LeaseStore>(fresh: impl AsyncFn() -> S) {
    for seed in 1..=8_u64 {
        let store = fresh().await;
        let clock = ManualClock::at(moment(0));
        let mut held: BTreeMap<&str, Lease> = BTreeMap::new();
        let mut epoch = 0;
        let mut random = seed;
        let mut handovers = 0;
        for _ in 0..300 {
            // Knuth's multiplier; the high bits are random enough to pick what happens next.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
            let owner = ["a", "b", "c"][(random >> 40) as usize % 3];
            let now = clock.now();
            match (random >> 50) % 8 {
                0..=2 => clock.advance(Duration::from_secs((random >> 33) % 7)),
                3..=5 => {
                    if let Some(lease) = store.acquire("merger/1", owner, now, TERM).await.expect(WORKS) {
                        assert!(lease.epoch >= epoch, "epochs never go back");
                        handovers += u32::from(lease.epoch > epoch);
                        epoch = lease.epoch;
                        held.insert(owner, lease);
                    }
                }
                6 => {
                    if let Some(lease) = held.remove(owner)
                        && let Some(kept) = store.renew(&lease, now, TERM).await.expect(WORKS)
                    {
                        held.insert(owner, kept);
                    }
                }
                _ => {
                    if let Some(lease) = held.remove(owner) {
                        store.release(&lease).await.expect(WORKS);
                    }
                }
            }
            let now = clock.now();
            let believers: Vec<_> = held.iter().filter(|(_, lease)| now < lease.expires).collect();
            assert!(
                believers.len() <= 1,
                "seed {seed}: two owners at once: {believers:?}"
            );
        }
        assert!(
            handovers > 5,
            "seed {seed} must make the lease change hands, it did {handovers} times"
        );
    }
}
