use std::time::Duration;

use crate::{Backoff, DeliveryOptions};

/// Every error of a disk is worth another try (no room, read-only, wrong rights: an operator mends it), and
/// soon, because a local try costs nothing.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 512,
        timeout: Duration::from_secs(30),
        backoff: Backoff {
            first: Duration::from_millis(200),
            max: Duration::from_secs(5),
        },
        ..DeliveryOptions::default()
    }
}
