//! How often leases changed hands.

use std::sync::{Arc, Mutex, PoisonError};

use crate::LeaseAnswer;
use crate::coordinator::{Effect, Event, Loss};

/// What one node has done with leases since it runs, and how many it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseChurn {
    /// Leases that it works under now.
    pub held: u64,
    /// Free leases, or its own of before, that it took.
    pub taken: u64,
    /// Leases that it took from a node that stood still.
    pub stolen: u64,
    /// Leases that it gave back in good order.
    pub released: u64,
    /// Leases that another took from it.
    pub lost: u64,
    /// Times that it stopped work on a lease because it could not renew it.
    pub expired: u64,
}

/// What a call that was carried out changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Taken,
    Stolen,
    Released,
}

impl Change {
    /// Of a write of `node`, with what the store said.
    pub(super) fn of(effect: &Effect, event: &Event, node: &str) -> Option<Self> {
        let Event::Answered {
            result: Ok(LeaseAnswer::Written(_)),
            ..
        } = event
        else {
            return None;
        };
        match effect {
            Effect::Take { seen, .. } => match seen.owner.as_deref() {
                Some(owner) if owner != node => Some(Self::Stolen),
                _ => Some(Self::Taken),
            },
            Effect::Release { .. } => Some(Self::Released),
            _ => None,
        }
    }
}

/// Counts for whoever asks.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<LeaseChurn>>);

impl Tally {
    pub(super) fn count(&self, count: impl FnOnce(&mut LeaseChurn)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn changed(&self, change: Change) {
        self.count(|churn| match change {
            Change::Taken => churn.taken += 1,
            Change::Stolen => churn.stolen += 1,
            Change::Released => churn.released += 1,
        });
    }

    pub(super) fn lost(&self, loss: Loss) {
        self.count(|churn| match loss {
            Loss::Taken => churn.lost += 1,
            Loss::Expired => churn.expired += 1,
        });
    }

    pub(super) fn churn(&self) -> LeaseChurn {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamalert_types::SystemClock;

    use super::*;
    use crate::coordinator::CoordinatorOptions;
    use crate::{Keeper, KeeperHandle, KeeperOptions, Lease, LeaseStore, MemoryStore, News};

    fn keep(store: &Arc<MemoryStore>, node: &str) -> (KeeperHandle, tokio::task::JoinHandle<()>) {
        let options = KeeperOptions {
            coordinator: CoordinatorOptions::new(node),
            prefix: "merger/".to_owned(),
            address: None,
            call_timeout: Duration::from_secs(5),
        };
        let (keeper, handle, mut news) = Keeper::new(options, store.clone(), Arc::new(SystemClock));
        let worker = handle.clone();
        let task = tokio::spawn(async move {
            let hand_over = async {
                while let Some(news) = news.recv().await {
                    if let News::HandOver { key, .. } = news {
                        worker.handed_over(key);
                    }
                }
            };
            tokio::select! { () = keeper.run() => {}, () = hand_over => {} }
        });
        (handle, task)
    }

    async fn until(handle: &KeeperHandle, what: impl Fn(LeaseChurn) -> bool) -> LeaseChurn {
        for _ in 0..3_000 {
            if what(handle.churn()) {
                return handle.churn();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?}", handle.churn());
    }

    #[tokio::test(start_paused = true)]
    async fn leases_are_counted_as_they_change_hands() {
        let store = Arc::new(MemoryStore::new());
        let leases = (0..4).map(|number| Lease::free(format!("merger/{number}")));
        store.create(leases.collect()).await.unwrap();
        let (a, task) = keep(&store, "a");
        let churn = until(&a, |churn| churn.held == 4).await;
        assert_eq!((churn.taken, churn.stolen, churn.lost), (4, 0, 0));
        // As if killed: its leases stand still, and are taken from it.
        task.abort();
        let (b, _task) = keep(&store, "b");
        let churn = until(&b, |churn| churn.held == 4).await;
        assert_eq!((churn.taken, churn.stolen), (0, 4));
        // A third node gets its half in good order.
        let (c, _third) = keep(&store, "c");
        until(&c, |churn| churn.held == 2).await;
        let churn = until(&b, |churn| churn.held == 2).await;
        assert_eq!((churn.released, churn.lost, churn.expired), (2, 0, 0));
        b.stop().await;
        assert_eq!((b.churn().held, b.churn().released), (0, 4));
    }
}
