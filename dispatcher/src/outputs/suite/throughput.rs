//! How fast outputs are.

use std::sync::Arc;

use streamalert_proto::Deliveries;
use tokio::time::Instant;

use super::rig::Rig;
use crate::outputs::fixtures::alert;
use crate::outputs::service;

/// Sender and receiver share one thread, so the sender alone is faster:
/// `cargo test --release -p streamalert-dispatcher -- --ignored --nocapture throughput`.
#[tokio::test]
#[ignore = "prints figures instead of checking them"]
async fn throughput_of_some_outputs() {
    const ALERTS: u32 = 20_000;
    for name in ["webhook", "file", "aws-firehose"] {
        let mut rig = Rig::of(service(name).unwrap()).next().unwrap().await;
        rig.spec.settings.as_object_mut().unwrap().remove("delivery");
        rig.restart();
        let begin = Instant::now();
        let mut callers = tokio::task::JoinSet::new();
        for number in 0..ALERTS {
            let handle = rig.handle.clone();
            let delivery = streamalert_types::Delivery {
                alert: Arc::new(alert(number)),
                output: rig.name.clone(),
                update: None,
            };
            callers.spawn(async move { handle.deliver(delivery).await.unwrap() });
        }
        callers.join_all().await;
        let per_sec = f64::from(ALERTS) / begin.elapsed().as_secs_f64();
        println!("{name}: {per_sec:.0} deliveries/s");
        assert_eq!(rig.arrived().len(), ALERTS as usize);
    }
}
