use std::sync::Arc;
use std::time::Duration;

use streamalert_aws::SdkConfig;
use streamalert_types::{Clock, SystemClock};

/// Calls of one store that are open at the same time. Beyond it callers wait, which is how throttling slows the
/// source; enough to keep a partition of DynamoDB (1,000 write units a second, some 5 ms a call) busy.
pub(super) const CALLS_MAX: usize = 64;

/// How long one attempt may take. Far beyond a healthy one (10 ms), well within the term of a lease.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call is tried again by default when AWS throttles or does not answer. Shorter than a lease is kept
/// without renewal would be too short for a partition that splits; longer, and the caller learns too late.
const PATIENCE: Duration = Duration::from_secs(15);

/// The pause before the first repetition, at most; it doubles from then on.
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(20);

/// The longest pause between two attempts.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Rows that one request may read by key. A limit of DynamoDB.
pub(super) const KEYS_PER_READ: usize = 100;

/// What an item may weigh, names of attributes included. A limit of DynamoDB.
const ITEM_BYTES_MAX: usize = 400 * 1024;

/// Room in an item for what is not its body: outputs, outcomes with their reasons, keys. An item whose outcomes
/// outgrow it is refused by DynamoDB, and the alert stays open.
const ITEM_BYTES_RESERVED: usize = 50 * 1024;

/// The longest body that is kept in its item; a longer one goes to the bucket.
pub(super) const BODY_BYTES_INLINE_MAX: usize = ITEM_BYTES_MAX - ITEM_BYTES_RESERVED;

/// Times that a row is read again because another writer changed it meanwhile. The owner of a shard has no rivals
/// but its own calls and those of one predecessor, so more means a defect.
pub(super) const RIVALS_MAX: usize = 20;

/// Entries of an index that a listing may look through over all shards, when it looks for a rule: some 50,000 read
/// units.
pub(super) const LISTED_MAX: usize = 1_000_000;

/// Where the state is, and how it is reached.
#[derive(Clone)]
pub struct DynamoOptions {
    /// Region, endpoint, credentials; see [`streamalert_aws::Access`].
    pub config: SdkConfig,
    /// What the names of the tables begin with: `streamalert` for `streamalert-alerts`, `-leases`, `-letters` and
    /// `-checkpoints`.
    pub prefix: String,
    /// The bucket for bodies that no item can hold. Without one they are refused.
    pub bucket: Option<String>,
    /// Number of merger shards: where an alert is looked for when only its id is known.
    pub shards: u16,
    /// Tells which tombstones are past their time; DynamoDB removes them up to days later.
    pub clock: Arc<dyn Clock>,
    /// How long a call is tried again when AWS throttles or does not answer, before the caller hears of it.
    pub patience: Duration,
    /// Begins the sequences that pauses and the marks of writes are drawn from. Different in every process: by the
    /// mark a write whose reply was lost is told from another's.
    pub seed: u64,
}

impl DynamoOptions {
    /// Tables `streamalert-…`, no bucket, 256 shards, the machine's clock, 15 s of patience.
    #[must_use]
    pub fn new(config: SdkConfig, seed: u64) -> Self {
        Self {
            config,
            prefix: "streamalert".to_owned(),
            bucket: None,
            shards: 256,
            clock: Arc::new(SystemClock),
            patience: PATIENCE,
            seed,
        }
    }
}

impl std::fmt::Debug for DynamoOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoOptions")
            .field("prefix", &self.prefix)
            .field("bucket", &self.bucket)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}
