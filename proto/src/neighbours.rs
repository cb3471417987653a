use async_trait::async_trait;
use streamalert_types::{AlertBatch, Delivery, DeliveryOutcome, RecordBatch};

/// Why a neighbour did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeighbourError {
    /// It is not reachable, draining, or its store is out of order. Nothing is known about the request.
    #[error("{service} unavailable: {reason}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// Why, in one line.
        reason: String,
    },
    /// Some of what it was asked belongs to another node now. Nothing was done about that part; the rest may have
    /// happened. Look up who has it, and repeat the request there.
    #[error("{service} does not own {}", not_owned(shards))]
    NotOwner {
        /// Which service.
        service: &'static str,
        /// What it does not own.
        shards: Vec<NotOwned>,
    },
    /// It will never accept this request.
    #[error("{service} refused: {reason}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// Why, in one line.
        reason: String,
    },
}

/// A shard that is another node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOwned {
    /// The shard.
    pub shard: u16,
    /// Where its owner is reached, as `host:port`, if that is known.
    pub address: Option<String>,
}

fn not_owned(shards: &[NotOwned]) -> String {
    match shards {
        [NotOwned { shard, .. }] => format!("shard {shard}"),
        [NotOwned { shard, .. }, rest @ ..] => format!("shard {shard} and {} more", rest.len()),
        [] => "it".to_owned(),
    }
}

impl NeighbourError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NotOwner { .. })
    }

    /// Whether the request may have taken effect although it failed.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NotOwner { .. })
    }
}

/// What the classifier learns of a batch that was evaluated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Indexes of the records whose traces are kept: those that raised an alert or became a dead letter, and some
    /// besides.
    pub kept: Vec<u32>,
}

/// The rules-node, as the classifier sees it.
#[async_trait]
pub trait Records: Send + Sync + 'static {
    /// Evaluates every rule on every record. Answers `Ok` only when all alerts that came of the batch are
    /// durable: the classifier may acknowledge the records' positions then. Safe to repeat.
    ///
    /// # Errors
    /// See [`NeighbourError`]; the caller repeats retryable ones with backoff.
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError>;
}

/// The merger, as the rules-node sees it.
#[async_trait]
pub trait Alerts: Send + Sync + 'static {
    /// Makes every alert durable. Answers `Ok` only after that. Safe to repeat: an alert that is known, or was
    /// delivered within the tombstone's time, is accepted and dropped.
    ///
    /// # Errors
    /// See [`NeighbourError`]; the caller repeats retryable ones with backoff.
    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError>;
}

/// The dispatcher, as the merger sees it.
#[async_trait]
pub trait Deliveries: Send + Sync + 'static {
    /// Brings one alert to one output. Answers when the outcome is final, which may take as long as the output
    /// is down (up to the dead-letter age). Safe to repeat: a delivery in progress is joined, not doubled.
    /// The caller bounds how many it has outstanding per output.
    ///
    /// # Errors
    /// See [`NeighbourError`]; the caller repeats retryable ones with backoff.
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError>;
}
