use std::io;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use redb::{Builder, StorageBackend};

use super::database::initialise;
use super::*;
use crate::conformance::{fence, moment, stored};
use crate::{Accepted, AlertFilter, AlertStore, Lease, LeaseStore};

/// A disk in memory that can run full and whose flushes can fail. What it holds outlives the database.
#[derive(Debug, Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    bytes_max: Arc<AtomicU64>,
    /// How many flushes go well before one fails; counts down, and stays at `u64::MAX` when none shall.
    syncs_left: Arc<AtomicU64>,
}

impl Disk {
    fn new() -> Self {
        Self {
            bytes: Arc::default(),
            bytes_max: Arc::new(AtomicU64::new(u64::MAX)),
            syncs_left: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    fn len(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn fill(&self) {
        self.bytes_max.store(self.len(), Ordering::SeqCst);
    }

    fn empty(&self) {
        self.bytes_max.store(u64::MAX, Ordering::SeqCst);
    }

    fn check_room(&self, end: u64) -> io::Result<()> {
        if end > self.bytes_max.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn store(&self) -> EmbeddedStore {
        let options = EmbeddedOptions::new("/nowhere");
        if self.len() == 0 {
            initialise(&Builder::new().create_with_backend(self.clone()).unwrap()).unwrap();
        }
        self.store_with(&options)
    }

    fn store_with(&self, options: &EmbeddedOptions) -> EmbeddedStore {
        let disk = self.clone();
        let opener = Box::new(move || Ok(Box::new(disk.clone()) as Box<dyn StorageBackend>));
        EmbeddedStore::start(Slot::new(opener, options, None, None).unwrap(), options).unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(Self::len(self))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        out.copy_from_slice(
            bytes
                .get(from..from + out.len())
                .ok_or(io::ErrorKind::UnexpectedEof)?,
        );
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_room(len)?;
        self.bytes
            .lock()
            .unwrap()
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let count = |left: u64| {
            if left == u64::MAX {
                None
            } else {
                Some(left.wrapping_sub(1))
            }
        };
        match self
            .syncs_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, count)
        {
            Ok(0) => Err(io::Error::other("told to fail the flush")),
            _ => Ok(()),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_room(offset + data.len() as u64)?;
        let from = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn batch(from: u64, count: u64) -> Vec<crate::StoredAlert> {
    (from..from + count)
        .map(|number| stored(number, &["a:x"], None))
        .collect()
}

async fn known(store: &EmbeddedStore) -> usize {
    AlertStore::list(store, &AlertFilter::default(), usize::MAX)
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_takes_them_again_once_there_is_room() {
    let disk = Disk::new();
    let store = disk.store();
    store.accept(fence(3, 1), batch(0, 10)).await.unwrap();
    disk.fill();
    let mut accepted = 10;
    let refused = loop {
        match store.accept(fence(3, 1), batch(accepted, 500)).await {
            Ok(_) => accepted += 500,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert_eq!(
        known(&store).await as u64,
        accepted,
        "nothing of the refused batch is there"
    );
    let again = store.accept(fence(3, 1), batch(accepted, 500)).await;
    assert!(
        matches!(again, Err(StoreError::Full { .. })),
        "still full: {again:?}"
    );

    disk.empty();
    let now = store.accept(fence(3, 1), batch(accepted, 500)).await.unwrap();
    assert!(now.iter().all(|accepted| *accepted == Accepted::New));
    assert_eq!(known(&store).await as u64, accepted + 500);
    drop(store);
    assert_eq!(
        known(&disk.store()).await as u64,
        accepted + 500,
        "and all of it is durable"
    );
}

#[tokio::test]
async fn a_commit_that_took_place_is_answered_as_done_although_its_flush_failed() {
    let disk = Disk::new();
    let store = disk.store();
    store.accept(fence(3, 1), batch(0, 10)).await.unwrap();
    disk.syncs_left.store(0, Ordering::SeqCst);
    // The pages and the commit slot are written; whether the medium keeps them is what the flush was to say.
    // Opened again, the file holds the commit.
    let answer = store.accept(fence(3, 1), batch(10, 10)).await;
    disk.syncs_left.store(u64::MAX, Ordering::SeqCst);
    let there = known(&store).await;
    match answer {
        Ok(_) => assert_eq!(there, 20),
        Err(error) => assert!(
            error.may_have_happened() || there == 10,
            "{error:?} but {there} are there"
        ),
    }
    store.accept(fence(3, 1), batch(20, 10)).await.unwrap();
    let again = store.accept(fence(3, 1), batch(10, 10)).await.unwrap();
    assert_eq!(
        again.iter().all(|accepted| *accepted == Accepted::Duplicate),
        there == 20
    );
    drop(store);
    assert_eq!(known(&disk.store()).await, 30);
}

#[tokio::test]
async fn reads_go_on_while_the_disk_is_full() {
    let disk = Disk::new();
    let store = disk.store();
    store.accept(fence(3, 1), batch(0, 10)).await.unwrap();
    disk.fill();
    let mut next = 1_000;
    while store.accept(fence(3, 1), batch(next, 500)).await.is_ok() {
        next += 500;
    }
    assert!(
        store
            .view(streamalert_types::AlertId::from_u128(5))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_fenced_request_does_not_fail_those_that_share_its_commit() {
    let store = Disk::new().store();
    store.accept(fence(3, 5), batch(0, 1)).await.unwrap();
    let before = store.write_counts();
    let good = |number| store.accept(fence(3, 5), batch(number, 1));
    let bad = store.accept(fence(3, 4), batch(50, 1));
    let answers = tokio::join!(good(1), good(2), bad, good(3), good(4));
    assert!(matches!(answers.2, Err(StoreError::Fenced { .. })));
    for good in [answers.0, answers.1, answers.3, answers.4] {
        assert_eq!(good.unwrap(), [Accepted::New]);
    }
    assert_eq!(known(&store).await, 5);
    let after = store.write_counts();
    assert_eq!(after.requests - before.requests, 5);
    assert!(
        after.commits - before.commits < 5,
        "at least two shared a commit: {after:?}"
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_read_fails_its_own_request_only() {
    let disk = Disk::new();
    let store = disk.store();
    store.accept(fence(3, 1), batch(0, 2)).await.unwrap();
    store
        .write(0, |tables| {
            tables.standings.insert(0, &b"\x09 not a row"[..])?;
            Ok(())
        })
        .await
        .unwrap();
    let settle = |number| {
        let settled = crate::SettledDelivery {
            alert: streamalert_types::AlertId::from_u128(number),
            output: "a:x".parse().unwrap(),
            outcome: streamalert_types::DeliveryOutcome::delivered(1),
        };
        store.settle(fence(3, 1), vec![settled], moment(9))
    };
    let (bad, good, other) = tokio::join!(settle(0), settle(1), store.accept(fence(3, 1), batch(2, 1)));
    assert!(matches!(bad, Err(StoreError::Corrupt { .. })), "{bad:?}");
    good.unwrap();
    other.unwrap();
}

#[tokio::test]
async fn a_panic_while_writing_is_answered_and_survived() {
    let store = Disk::new().store();
    store.accept(fence(3, 1), batch(0, 1)).await.unwrap();
    let answer: Result<(), _> = store.write(0, |_| panic!("the engine broke")).await;
    assert!(matches!(answer, Err(StoreError::Corrupt { reason }) if reason == "the engine broke"));
    store.accept(fence(3, 1), batch(1, 1)).await.unwrap();
    assert_eq!(known(&store).await, 2);
}

#[tokio::test]
async fn a_request_larger_than_the_limit_goes_alone() {
    let options = EmbeddedOptions {
        request_bytes_max: 100,
        ..EmbeddedOptions::new("/nowhere")
    };
    let disk = Disk::new();
    drop(disk.store());
    let store = disk.store_with(&options);
    let both = tokio::join!(
        store.accept(fence(3, 1), batch(0, 20)),
        store.accept(fence(3, 1), batch(20, 20)),
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(known(&store).await, 40);
}

#[tokio::test]
async fn a_lease_is_renewed_while_a_flood_of_alerts_waits() {
    let disk = Disk::new();
    drop(disk.store());
    let store = disk.store_with(&EmbeddedOptions {
        batch_requests_max: 4,
        ..EmbeddedOptions::new("/nowhere")
    });
    let lease = Lease::free("merger/1");
    LeaseStore::create(&store, vec![lease.clone()]).await.unwrap();
    let taken = store.take(&lease, "a", None, moment(1)).await.unwrap();
    let held = taken.written().expect("nobody else is there");
    let flood: Vec<_> = (1..=5_000)
        .map(|id| {
            let store = store.clone();
            tokio::spawn(async move { store.accept(fence(1, 1), vec![stored(id, &["a:x"], None)]).await })
        })
        .collect();
    while store.write_counts().commits < 20 {
        tokio::task::yield_now().await;
    }
    let before = store.write_counts().commits;
    let renewed = store.renew(&held, moment(2)).await.unwrap();
    assert!(renewed.written().is_some());
    let commits = store.write_counts().commits - before;
    assert!(flood.iter().filter(|accept| !accept.is_finished()).count() > 1_000);
    assert!(commits <= 50, "renewed after {commits} commits of 1,250");
    for accept in flood {
        accept.await.unwrap().unwrap();
    }
}
