//! `DynamoStore` on the emulators of DynamoDB.
//!
//! DynamoDB Local is AWS's own and the reference; ministack runs with the rest of AWS in one process, for the fleet.
//! Conditions, transactions, items returned from failed conditions, reserved words, duplicate and empty keys, empty sets
//! and the limits of items and batches were compared (DynamoDB Local 1.25.1, ministack 1.5.33) and differ in one thing:
//! DynamoDB Local ends an answer at 16 MB and names the keys that are left, ministack answers all. Neither throttles,
//! lets transactions conflict, or removes what is past its time to live; the first is microburst's part (`faults`), the
//! other two are not tested.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod conformance;
mod faults;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamalert_aws::SdkConfig;
use streamalert_store::{Capacity, DynamoOptions, DynamoStore};
use streamalert_testkit::emulator::{Emulator, account};
use streamalert_types::{Clock, ManualClock};

/// Options for an emulator: few shards, so that asking all is quick.
fn options(config: SdkConfig, clock: impl Clock) -> DynamoOptions {
    static SEED: AtomicU64 = AtomicU64::new(1);
    DynamoOptions {
        shards: 8,
        clock: Arc::new(clock),
        ..DynamoOptions::new(config, SEED.fetch_add(1, Ordering::Relaxed))
    }
}

/// A store on tables of its own.
async fn fresh(emulator: &Emulator, clock: &ManualClock) -> DynamoStore {
    clock.set(streamalert_types::Timestamp::EPOCH);
    let config = emulator.config(&account()).await;
    let store = DynamoStore::new(options(config, clock.clone()));
    store.create_tables(Capacity::OnDemand).await.unwrap();
    store
}
