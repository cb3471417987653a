//! The conformance suite on each emulator.

use streamalert_store::conformance::{self, Forgets};
use streamalert_testkit::emulator::{Emulator, dynamodb_local, ministack};
use streamalert_types::ManualClock;

use crate::fresh;

async fn passes_on_alerts(emulator: &Emulator) {
    let clock = ManualClock::default();
    let fresh = async || fresh(emulator, &clock).await;
    conformance::alerts(fresh).await;
    conformance::adoption(fresh, true).await;
    conformance::outbox(fresh).await;
    conformance::tombstones(fresh, Forgets::ByItself(&clock)).await;
    conformance::fences(fresh).await;
    conformance::listing(fresh).await;
    conformance::groups(fresh, Forgets::ByItself(&clock)).await;
    conformance::first_of_a_group(fresh).await;
}

async fn passes_on_the_rest(emulator: &Emulator) {
    let clock = ManualClock::default();
    let fresh = async || fresh(emulator, &clock).await;
    conformance::letters(fresh).await;
    conformance::checkpoints(fresh).await;
    conformance::leases(fresh).await;
}

#[tokio::test]
async fn dynamodb_local_passes_on_alerts() {
    if let Some(emulator) = dynamodb_local().await {
        passes_on_alerts(emulator).await;
    }
}

#[tokio::test]
async fn dynamodb_local_passes_on_letters_checkpoints_and_leases() {
    if let Some(emulator) = dynamodb_local().await {
        passes_on_the_rest(emulator).await;
    }
}

#[tokio::test]
async fn dynamodb_local_passes_on_leases_under_any_interleaving() {
    if let Some(emulator) = dynamodb_local().await {
        let clock = ManualClock::default();
        conformance::leases_under_any_interleaving(async || fresh(emulator, &clock).await).await;
    }
}

#[tokio::test]
async fn ministack_passes_on_alerts() {
    if let Some(emulator) = ministack().await {
        passes_on_alerts(emulator).await;
    }
}

#[tokio::test]
async fn ministack_passes_on_leases_under_any_interleaving() {
    if let Some(emulator) = ministack().await {
        let clock = ManualClock::default();
        conformance::leases_under_any_interleaving(async || fresh(emulator, &clock).await).await;
    }
}

#[tokio::test]
async fn ministack_passes_on_letters_checkpoints_and_leases() {
    if let Some(emulator) = ministack().await {
        passes_on_the_rest(emulator).await;
    }
}
