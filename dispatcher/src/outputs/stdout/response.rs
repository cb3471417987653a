use std::io;
use std::time::Duration;

use crate::outputs::{Receipt, SendError};
use crate::{Backoff, DeliveryOptions};

/// A line that could not be written comes again: a pipe may be read once more, a file's disk may get room.
pub(super) fn judge(result: io::Result<()>) -> Result<Receipt, SendError> {
    match result {
        Ok(()) => Ok(Receipt::default()),
        Err(error) => Err(SendError::unsure(format!("standard output: {error}"))),
    }
}

/// Lines are written one after the other; local tries cost nothing.
pub(super) fn delivery_options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 64,
        backoff: Backoff {
            first: Duration::from_millis(200),
            max: Duration::from_secs(5),
        },
        ..DeliveryOptions::default()
    }
}
