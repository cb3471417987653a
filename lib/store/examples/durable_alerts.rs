//! Durable alerts per second on the embedded store: 64 callers at once, each waiting for its own commit.
//!
//!     cargo run --release -p streamalert-store --example durable_alerts [DIRECTORY]
#![allow(clippy::print_stdout, reason = "prints its result")]

use std::sync::Arc;
use std::time::Duration;

use streamalert_store::conformance::{fence, stored};
use streamalert_store::{AlertStore, EmbeddedOptions, EmbeddedStore, StoredAlert};
use streamalert_types::{Alert, AlertId};
use tokio::time::Instant;

const CALLERS: u64 = 64;
const RECORD_BYTES: usize = 1_500;
const RUN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    println!("{CALLERS} callers, records of {RECORD_BYTES} bytes, two outputs each, {RUN:?} per line");
    println!(
        "{:>6} {:>12} {:>10} {:>14} {:>10}",
        "batch", "alerts/s", "fsync/s", "alerts/fsync", "p50 ms"
    );
    for batch in [1, 8, 64] {
        let dir = tempfile::tempdir_in(&parent)?;
        measure(EmbeddedStore::open(EmbeddedOptions::new(dir.path()))?, batch).await?;
    }
    Ok(())
}

async fn measure(store: EmbeddedStore, batch: u64) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut waits = Vec::new();
            for step in 0.. {
                if start.elapsed() > RUN {
                    break;
                }
                let alerts = (0..batch)
                    .map(|at| alert(batch, (step * CALLERS + caller) * batch + at))
                    .collect();
                let asked = Instant::now();
                store.accept(fence((caller % 16) as u16, 1), alerts).await?;
                waits.push(asked.elapsed());
            }
            Ok::<_, streamalert_store::StoreError>(waits)
        })
    });
    let mut waits = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        waits.extend(caller.await??);
    }
    let secs = start.elapsed().as_secs_f64();
    let alerts = waits.len() as f64 * batch as f64;
    let commits = store.write_counts().commits as f64;
    waits.sort_unstable();
    let median = waits
        .get(waits.len() / 2)
        .copied()
        .unwrap_or_default()
        .as_secs_f64()
        * 1e3;
    println!(
        "{batch:>6} {:>12.0} {:>10.0} {:>14.1} {median:>10.1}",
        alerts / secs,
        commits / secs,
        alerts / commits
    );
    Ok(())
}

/// Ids as the pipeline makes them: without order.
fn alert(salt: u64, number: u64) -> StoredAlert {
    let template = stored(number, &["slack:security", "aws-firehose:alerts"], None);
    let bits =
        (u128::from(number) ^ u128::from(salt) << 64).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let alert = Alert {
        id: AlertId::from_u128(bits),
        record: vec![b'x'; RECORD_BYTES].into(),
        ..(*template.alert).clone()
    };
    StoredAlert {
        alert: Arc::new(alert),
        ..template
    }
}
