use std::time::Duration;

/// Size of the largest message on a stream, in bytes, unless configured otherwise. A batch may be one record,
/// and a record as large as the largest log line that the classifier takes whole.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// HTTP/2 flow-control window of one stream, in bytes. One message of ordinary size is under way while its
/// predecessor is read; the default of 64 KiB would stall on every batch.
pub(crate) const HTTP2_STREAM_WINDOW_BYTES: u32 = 2 << 20;

/// HTTP/2 flow-control window of one connection, in bytes: one stream of ours runs on it.
pub(crate) const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// Encoded requests that wait for the connection. More would only hide backpressure from the pending queue.
pub(crate) const OUTGOING_REQUESTS_MAX: usize = 4;

/// How much one stream may have unanswered at a server, and how many streams there may be: together the
/// server's bound on memory, `streams_max` times `window_bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Weight of unanswered requests per stream, in bytes. A single heavier request passes alone.
    pub window_bytes: u64,
    /// Unanswered requests per stream.
    pub window_batches: u64,
    /// Size of the largest message that is read, in bytes.
    pub message_bytes_max: usize,
    /// Streams at once, per service; the next one is turned away and tries again later.
    pub streams_max: usize,
}

impl StreamLimits {
    /// For deliveries, which are answered when they have ended: room for everything that one merger hands over of each
    /// of so many outputs, so that those that are down hold up no other.
    #[must_use]
    pub fn deliveries(outputs: usize, deliveries_max: usize, bytes_max: u64) -> Self {
        let least = Self::default();
        let outputs = outputs as u64;
        Self {
            window_batches: least
                .window_batches
                .max(outputs.saturating_mul(deliveries_max as u64)),
            window_bytes: least.window_bytes.max(outputs.saturating_mul(bytes_max)),
            ..least
        }
    }
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            window_bytes: 16 << 20,
            window_batches: 1024,
            message_bytes_max: MESSAGE_BYTES_MAX,
            streams_max: 64,
        }
    }
}

/// How a dead peer is noticed on a connection that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Time between HTTP/2 pings.
    pub interval: Duration,
    /// Time within which a ping must be answered.
    pub timeout: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
        }
    }
}
