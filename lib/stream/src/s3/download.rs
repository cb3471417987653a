//! Brings the bytes of one object to the thread that reads them. A connection that breaks goes on where it broke.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use streamalert_aws::{Fault, FaultKind};
use tokio::sync::mpsc;

use super::{GetRequest, ObjectBody, S3Api};
use crate::jitter::Jitter;

/// Chunks that wait for the thread. S3 sends chunks of up to some hundred KiB.
const CHUNKS_MAX: usize = 4;

/// Pauses between attempts.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    pub(super) initial: Duration,
    pub(super) max: Duration,
    pub(super) jitter: Arc<Jitter>,
}

impl Backoff {
    /// Waits before the attempt after so many have failed.
    pub(super) async fn wait(&self, failures: u32) {
        let doubled = self.initial.saturating_mul(1 << failures.min(16));
        tokio::time::sleep(self.jitter.shorten(doubled.min(self.max))).await;
    }
}

/// What the thread is sent: bytes, the end, or why there is none.
type Chunk = Result<Option<Bytes>, String>;

/// The end of a download that the thread reads from.
pub(super) struct ChunkReader {
    chunks: mpsc::Receiver<Chunk>,
    current: Bytes,
    ended: bool,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Ok(Some(chunk))) => self.current = chunk,
                Some(Ok(None)) => self.ended = true,
                Some(Err(reason)) => return Err(std::io::Error::other(reason)),
                // Not the end of the object, and not to be taken for it.
                None => return Err(std::io::Error::other("the download was given up")),
            }
        }
        let count = self.current.len().min(buffer.len());
        if let Some(room) = buffer.get_mut(..count) {
            self.current.copy_to_slice(room);
        }
        Ok(count)
    }
}

/// The two ends of a download.
pub(super) fn channel() -> (mpsc::Sender<Chunk>, ChunkReader) {
    let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
    let reader = ChunkReader {
        chunks,
        current: Bytes::new(),
        ended: false,
    };
    (sender, reader)
}

/// Asks for an object until S3 answers for good: throttling, failures inside AWS and missing credentials, which say
/// nothing about the object, are waited out.
pub(super) async fn open(
    api: &dyn S3Api,
    request: &GetRequest,
    backoff: &Backoff,
) -> Result<ObjectBody, Fault> {
    let mut failures = 0;
    loop {
        match api.get(request.clone()).await {
            Ok(body) => return Ok(body),
            Err(fault) if fault.is_retryable() || fault.kind == FaultKind::NoCredentials => {
                if failures == 0 {
                    tracing::warn!(bucket = %request.bucket, key = %request.key, %fault, "object is asked for again");
                }
            }
            Err(fault) => return Err(fault),
        }
        backoff.wait(failures).await;
        failures += 1;
    }
}

/// Sends all bytes of an object. Returns when that is done or nobody wants the rest.
pub(super) async fn feed(
    api: &dyn S3Api,
    mut request: GetRequest,
    mut body: ObjectBody,
    backoff: &Backoff,
    count: Arc<AtomicU64>,
    chunks: mpsc::Sender<Chunk>,
) {
    // Only of this very object may more be read.
    request.tag = Some(body.tag.clone());
    let length = body.length;
    let mut failures = 0;
    loop {
        let broken = match body.chunks.next().await {
            Ok(Some(chunk)) => {
                failures = 0;
                request.from += chunk.len() as u64;
                count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                if chunks.send(Ok(Some(chunk))).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) if length.is_none_or(|length| request.from >= length) => break,
            Err(_) if length.is_some_and(|length| request.from >= length) => break,
            Ok(None) => "the connection ended early".to_owned(),
            Err(reason) => reason,
        };
        tracing::debug!(bucket = %request.bucket, key = %request.key, from = request.from, reason = broken, "object goes on");
        backoff.wait(failures).await;
        failures += 1;
        body = match open(api, &request, backoff).await {
            Ok(body) => body,
            Err(fault) => {
                let reason = format!("after {} bytes, as stored: {fault}", request.from);
                let _ = chunks.send(Err(reason)).await;
                return;
            }
        };
    }
    let _ = chunks.send(Ok(None)).await;
}
