//! One call of DynamoDB or S3, tried again while that makes sense.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use streamalert_aws::{Fault, FaultKind};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::options::{CALLS_MAX, PAUSE_FIRST, PAUSE_MAX};
use crate::StoreError;

/// Answers by which another call on the same item was in the way. Nothing happened, and soon it can.
const CONFLICTS: [&str; 3] = [
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
];

/// How actions begin that change nothing, whatever became of them.
const READS: [&str; 6] = [
    "dynamodb:BatchGet",
    "dynamodb:Describe",
    "dynamodb:Get",
    "dynamodb:Query",
    "dynamodb:Scan",
    "s3:Get",
];

/// The answer for a shard that holds 10 GB, the most that a partition with a local index may.
const SHARD_FULL: &str = "ItemCollectionSizeLimitExceededException";

/// Makes calls: so many at a time, with pauses of random length.
#[derive(Debug)]
pub(super) struct Caller {
    permits: Semaphore,
    patience: Duration,
    random: AtomicU64,
}

/// A call that did not succeed.
#[derive(Debug)]
pub(super) struct Failed<E> {
    pub(super) fault: Fault,
    pub(super) error: SdkError<E, HttpResponse>,
    /// Whether this or an earlier attempt may have taken effect.
    pub(super) may_have_happened: bool,
}

impl<E> Failed<E> {
    /// Whether the condition of the call did not hold.
    pub(super) fn is_condition(&self) -> bool {
        self.fault.kind == FaultKind::ConditionFailed
    }

    /// Whether what the call is about is not there.
    pub(super) fn is_not_found(&self) -> bool {
        self.fault.kind == FaultKind::NotFound
    }
}

impl<E> From<Failed<E>> for StoreError {
    fn from(failed: Failed<E>) -> Self {
        refusal(&failed.fault, failed.may_have_happened)
    }
}

/// What callers of the store hear of a fault.
pub(super) fn refusal(fault: &Fault, may_have_happened: bool) -> StoreError {
    let reason = match fault.kind {
        FaultKind::NotFound if fault.action.starts_with("dynamodb:") => {
            format!("{fault}; tables are made by `streamalert aws init`")
        }
        _ => fault.to_string(),
    };
    if may_have_happened && !READS.iter().any(|read| fault.action.starts_with(read)) {
        return StoreError::Unavailable { reason };
    }
    match fault.kind {
        FaultKind::Throttled | FaultKind::NotSent => StoreError::Busy { reason },
        _ if fault.code == SHARD_FULL => StoreError::Full { reason },
        _ if CONFLICTS.contains(&&*fault.code) => StoreError::Busy { reason },
        FaultKind::Unknown => StoreError::Unavailable { reason },
        _ => StoreError::Refused { reason },
    }
}

impl Caller {
    pub(super) fn new(seed: u64, patience: Duration) -> Self {
        Self {
            permits: Semaphore::new(CALLS_MAX),
            patience,
            random: AtomicU64::new(seed),
        }
    }

    /// A number of the sequence that begins with the seed (SplitMix64).
    pub(super) fn random(&self) -> u64 {
        let mut bits = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// The right to make a call; held while it is tried again, so that throttling slows everyone.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits
            .acquire()
            .await
            .expect("the semaphore is never closed")
    }

    pub(super) fn pauses(&self) -> Pauses<'_> {
        Pauses {
            caller: self,
            ends: Instant::now() + self.patience,
            longest: PAUSE_FIRST,
        }
    }

    /// Calls, and calls again after throttling, conflicts and lost replies, for a bounded time. The call must be
    /// one that may be repeated.
    pub(super) async fn call<T, E, F>(
        &self,
        action: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Failed<E>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let _permit = self.permit().await;
        let mut pauses = self.pauses();
        let mut may_have_happened = false;
        loop {
            let error = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let fault = Fault::of(action, &error);
            may_have_happened |= fault.may_have_happened();
            let again = fault.is_retryable() || CONFLICTS.contains(&&*fault.code);
            if !again || !pauses.pause(&fault).await {
                return Err(Failed {
                    fault,
                    error,
                    may_have_happened,
                });
            }
        }
    }
}

/// The pauses between the attempts of one call: longer and longer, each of random length so that those who were
/// throttled together do not come back together.
#[derive(Debug)]
pub(super) struct Pauses<'a> {
    caller: &'a Caller,
    ends: Instant,
    longest: Duration,
}

impl Pauses<'_> {
    /// Waits; false, at once, when the patience has run out.
    pub(super) async fn pause(&mut self, fault: &Fault) -> bool {
        let longest = u64::try_from(self.longest.as_micros()).unwrap_or(u64::MAX);
        let pause = Duration::from_micros(self.caller.random() % longest.max(1));
        if Instant::now() + pause >= self.ends {
            return false;
        }
        tracing::debug!(action = fault.action, reason = %fault.reason, ?pause, "trying again");
        self.longest = (self.longest * 2).min(PAUSE_MAX);
        tokio::time::sleep(pause).await;
        true
    }
}
