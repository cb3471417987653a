mod actor;
mod session;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamalert_proto::{Alerts, Deliveries, Evaluated, NeighbourError, Records};
use streamalert_types::{AlertBatch, BatchIds, Delivery, DeliveryOutcome, RecordBatch};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

pub use actor::ClientTask;

use self::actor::{Pending, message_bytes};
use self::session::{Session, too_large};
use crate::{
    AlertsExchange, Backoff, BackoffOptions, DeliveriesExchange, Dialer, Exchange, KeepAlive,
    MESSAGE_BYTES_MAX, RecordsExchange, Tls,
};

/// The rules-node over the network.
pub type RulesNodeClient = AckedClient<RecordsExchange>;
/// The merger over the network.
pub type MergerClient = AckedClient<AlertsExchange>;
/// The dispatcher over the network.
pub type DispatcherClient = AckedClient<DeliveriesExchange>;

/// The pending queue is counted in pieces of this many bytes: a semaphore counts to 2^32 only.
const PERMIT_BYTES: u64 = 1024;

/// Where a client connects to, and its limits.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// `host:port`.
    pub address: String,
    /// Mutual TLS; `None` = plain text.
    pub tls: Option<Tls>,
    /// The name that the server's certificate must carry, unless the TLS files name another; `None` = the host that is
    /// dialled.
    pub server_name: Option<String>,
    /// How connections are made.
    pub dialer: Dialer,
    /// Requests that may be unanswered; further callers wait.
    pub pending_batches_max: usize,
    /// Weight of requests that may be unanswered, in bytes; further callers wait. A heavier request passes alone.
    pub pending_bytes_max: u64,
    /// Size of the largest message sent, in bytes. A server may want less.
    pub message_bytes_max: usize,
    /// Time within which a stream must be open.
    pub connect_timeout: Duration,
    /// How a dead server is noticed.
    pub keep_alive: KeepAlive,
    /// Delays between attempts to connect.
    pub backoff: BackoffOptions,
    /// Decides the jitter of the delays.
    pub seed: u64,
}

impl ClientOptions {
    /// The defaults, for the server at `address` (`host:port`). Clients of one process need different seeds.
    #[must_use]
    pub fn new(address: impl Into<String>, seed: u64) -> Self {
        Self {
            address: address.into(),
            tls: None,
            server_name: None,
            dialer: Dialer::tcp(),
            pending_batches_max: 1024,
            pending_bytes_max: 64 << 20,
            message_bytes_max: MESSAGE_BYTES_MAX,
            connect_timeout: Duration::from_secs(5),
            keep_alive: KeepAlive::default(),
            backoff: BackoffOptions::default(),
            seed,
        }
    }
}

/// Whether a client has a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not yet.
    Connecting,
    /// Yes.
    Up,
    /// No; it is tried again.
    Down {
        /// Why, in one line.
        reason: String,
    },
    /// Never again.
    Stopped,
}

/// A neighbour over the network. Clones share the stream.
pub struct AckedClient<X: Exchange> {
    shared: Arc<Shared>,
    mailbox: mpsc::Sender<Pending<X>>,
}

struct Shared {
    options: Arc<ClientOptions>,
    ids: BatchIds,
    batches: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_permits: u32,
    state: watch::Receiver<LinkState>,
}

impl<X: Exchange> Clone for AckedClient<X> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            mailbox: self.mailbox.clone(),
        }
    }
}

impl<X: Exchange> AckedClient<X> {
    /// A client and its task, which is to be run (by a supervisor). It connects as soon as the task runs.
    pub fn new(options: ClientOptions) -> (Self, ClientTask<X>) {
        let options = Arc::new(options);
        let session = Session::new(X::SERVICE, Backoff::new(options.backoff, options.seed));
        let batches = options.pending_batches_max.clamp(1, Semaphore::MAX_PERMITS);
        let bytes_permits = permits(options.pending_bytes_max);
        // As many places as there are permits: whoever has a permit finds a place.
        let (mailbox, inbox) = mpsc::channel(batches);
        let (state_sender, state) = watch::channel(LinkState::Connecting);
        let task = ClientTask::new(Arc::clone(&options), session, inbox, state_sender);
        let shared = Shared {
            options,
            ids: BatchIds::default(),
            batches: Arc::new(Semaphore::new(batches)),
            bytes: Arc::new(Semaphore::new(bytes_permits as usize)),
            bytes_permits,
            state,
        };
        (
            Self {
                shared: Arc::new(shared),
                mailbox,
            },
            task,
        )
    }

    /// Has `item` answered by the server. Waits while too much is pending and while there is no connection;
    /// what was sent and not answered when the connection broke is sent again. Dropping the future gives up.
    ///
    /// # Errors
    /// [`NeighbourError::Unavailable`] when the server says so or the client is stopped,
    /// [`NeighbourError::Refused`] when the server says so or the message is too large.
    pub async fn submit(&self, item: X::Item) -> Result<X::Answer, NeighbourError> {
        let shared = &*self.shared;
        let weight_bytes = X::weight_bytes(&item);
        let stopped = || NeighbourError::Unavailable {
            service: X::SERVICE,
            reason: "client stopped".to_owned(),
        };
        let batch = Arc::clone(&shared.batches)
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        let share = permits(weight_bytes).min(shared.bytes_permits);
        let bytes = Arc::clone(&shared.bytes)
            .acquire_many_owned(share)
            .await
            .map_err(|_| stopped())?;

        let id = shared.ids.next_id();
        let request = X::request(id, &item);
        let message_bytes = message_bytes(&request);
        let message_bytes_max = shared.options.message_bytes_max as u64;
        if message_bytes > message_bytes_max {
            let reason = too_large(message_bytes, message_bytes_max);
            return Err(NeighbourError::Refused {
                service: X::SERVICE,
                reason,
            });
        }
        let (sender, answer) = oneshot::channel();
        let pending = Pending {
            id,
            item,
            request: Some(request),
            message_bytes,
            weight_bytes,
            answer: sender,
            _permits: [batch, bytes],
        };
        self.mailbox.send(pending).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Whether its task has ended, so that it will never answer anything.
    pub(crate) fn is_stopped(&self) -> bool {
        self.mailbox.is_closed()
    }

    /// Whether there is a stream, now and as it changes.
    #[must_use]
    pub fn link_state(&self) -> watch::Receiver<LinkState> {
        self.shared.state.clone()
    }
}

/// How many pieces of the counting semaphores `bytes` are; at least one.
pub(crate) fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES))
        .unwrap_or(u32::MAX)
        .max(1)
}

#[async_trait]
impl Records for RulesNodeClient {
    async fn evaluate(&self, batch: RecordBatch) -> Result<Evaluated, NeighbourError> {
        self.submit(batch).await
    }
}

#[async_trait]
impl Alerts for MergerClient {
    async fn accept(&self, batch: AlertBatch) -> Result<(), NeighbourError> {
        self.submit(batch).await
    }
}

#[async_trait]
impl Deliveries for DispatcherClient {
    async fn deliver(&self, delivery: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        self.submit(delivery).await
    }
}
