use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{AckTarget, Payload, SourceProgress, Ticket};

/// What a request counts for beside its body.
const REQUEST_OVERHEAD_BYTES: usize = 4 << 10;

/// Set in the count of a request's open payloads when one of them was left.
const LEFT: u64 = 1 << 63;

/// Room for requests, and what became of them.
#[derive(Debug)]
pub(crate) struct Desk {
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    numbers: AtomicU64,
    payloads_read: AtomicU64,
    payloads_open: AtomicU64,
    bytes_read: AtomicU64,
}

/// One request. Its tokens keep it, and with it its room, until the last of them is used or dropped.
#[derive(Debug)]
pub(crate) struct Inquiry {
    desk: Arc<Desk>,
    /// Payloads that are not acknowledged yet.
    open: watch::Sender<u64>,
    /// Of these, handed out.
    in_work: AtomicU64,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Desk {
    pub(crate) fn new(requests_max: usize, bytes_max: usize) -> Arc<Self> {
        let bytes_max = bytes_max.clamp(1, u32::MAX as usize);
        Arc::new(Self {
            requests: Arc::new(Semaphore::new(requests_max)),
            bytes: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
            numbers: AtomicU64::new(0),
            payloads_read: AtomicU64::new(0),
            payloads_open: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
        })
    }

    /// Takes room for a request of `body_bytes`; `None` when there is none.
    pub(crate) fn open(self: &Arc<Self>, body_bytes: usize) -> Option<Arc<Inquiry>> {
        // One request larger than everything is let in when it is alone.
        let weight = body_bytes
            .saturating_add(REQUEST_OVERHEAD_BYTES)
            .min(self.bytes_max);
        let weight = u32::try_from(weight).expect("the limit is clamped to 32 bits");
        let request = self.requests.clone().try_acquire_owned().ok()?;
        let bytes = self.bytes.clone().try_acquire_many_owned(weight).ok()?;
        Some(Arc::new(Inquiry {
            desk: self.clone(),
            open: watch::Sender::new(0),
            in_work: AtomicU64::new(0),
            _room: (request, bytes),
        }))
    }

    /// A number that no other request of this run has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn progress(&self) -> SourceProgress {
        SourceProgress {
            payloads_read: self.payloads_read.load(Ordering::Relaxed),
            payloads_open: self.payloads_open.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_total: None,
        }
    }
}

impl Inquiry {
    /// Takes note of how many payloads are in the request.
    pub(crate) fn expect(&self, payloads: usize) {
        self.open.send_replace(payloads as u64);
    }

    /// Takes note that one of them is being worked on.
    pub(crate) fn handed_out(&self, payload: &Payload) {
        self.in_work.fetch_add(1, Ordering::Relaxed);
        self.desk.payloads_read.fetch_add(1, Ordering::Relaxed);
        self.desk.payloads_open.fetch_add(1, Ordering::Relaxed);
        self.desk
            .bytes_read
            .fetch_add(payload.body.len() as u64, Ordering::Relaxed);
    }

    /// Takes note that one of them will not be worked on any more.
    pub(crate) fn left(&self) {
        self.open.send_modify(|open| *open |= LEFT);
    }

    /// Waits until everything in the request is acknowledged: `true`, or something of it was left: `false`.
    pub(crate) async fn durable(&self) -> bool {
        let mut open = self.open.subscribe();
        let ended = open.wait_for(|open| *open == 0 || *open & LEFT != 0).await;
        ended.is_ok_and(|open| *open == 0)
    }
}

impl AckTarget for Inquiry {
    fn ack(&self, _: Ticket) {
        // Each payload has one token, and a token can be used once.
        self.open.send_modify(|open| *open -= 1);
        self.in_work.fetch_sub(1, Ordering::Relaxed);
        self.desk.payloads_open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Inquiry {
    /// Tokens that were dropped unused leave payloads behind that nobody will acknowledge any more.
    fn drop(&mut self) {
        self.desk
            .payloads_open
            .fetch_sub(*self.in_work.get_mut(), Ordering::Relaxed);
    }
}
