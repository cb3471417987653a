use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_sdk_firehose::Client;
use aws_sdk_firehose::error::BuildError;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::request::{self, BATCH_RECORDS_MAX};
use super::response;
use crate::Publication;
use crate::outputs::aws::Aws;
use crate::outputs::{Output, Receipt, SendError};

/// Requests under way at once. Each may carry 500 records, so that few suffice; while all are, records gather for the next.
const REQUESTS_AT_ONCE: usize = 4;

/// Puts records into a delivery stream. Those that wait together share one request.
pub(super) struct StreamHistory {
    target: Arc<Target>,
    /// Made at the first record, so that loading a configuration needs no runtime.
    queue: OnceLock<mpsc::Sender<Waiting>>,
}

struct Target {
    stream: String,
    aws: Aws<Client>,
}

struct Waiting {
    record: Vec<u8>,
    done: oneshot::Sender<Result<(), SendError>>,
}

impl StreamHistory {
    pub(super) fn new(stream: String, aws: Aws<Client>) -> Self {
        Self {
            target: Arc::new(Target { stream, aws }),
            queue: OnceLock::new(),
        }
    }
}

#[async_trait]
impl Output for StreamHistory {
    async fn send(&self, publication: &Publication, _: &str, _: Instant) -> Result<Receipt, SendError> {
        let record = request::record(publication)?;
        let (done, answer) = oneshot::channel();
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(BATCH_RECORDS_MAX);
            tokio::spawn(gather(Arc::clone(&self.target), receiver));
            sender
        });
        let gone = || SendError::unsure("the requests to the delivery stream have stopped");
        queue.send(Waiting { record, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())??;
        Ok(Receipt::default())
    }
}

/// Makes requests out of what waits, until the output is gone.
async fn gather(target: Arc<Target>, mut queue: mpsc::Receiver<Waiting>) {
    let permits = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        if waiting.is_empty() && queue.recv_many(&mut waiting, BATCH_RECORDS_MAX).await == 0 {
            return;
        }
        // who stopped listening will ask again
        waiting.retain(|entry| !entry.done.is_closed());
        let count = request::batch_records(waiting.iter().map(|entry| entry.record.len()));
        let rest = waiting.split_off(count);
        let batch = std::mem::replace(&mut waiting, rest);
        if !batch.is_empty() {
            tokio::spawn(put(Arc::clone(&target), batch, permit));
        }
    }
}

async fn put(target: Arc<Target>, batch: Vec<Waiting>, _permit: OwnedSemaphorePermit) {
    let mut records = Vec::with_capacity(batch.len());
    let mut callers = Vec::with_capacity(batch.len());
    for entry in batch {
        records.push(Record::builder().data(Blob::new(entry.record)).build());
        callers.push(entry.done);
    }
    let results = match records.into_iter().collect::<Result<Vec<_>, BuildError>>() {
        Ok(records) => target.put(records).await,
        Err(error) => Err(SendError::permanent(error.to_string())),
    };
    let each = results.unwrap_or_else(|error| vec![Err(error); callers.len()]);
    for (caller, result) in callers.into_iter().zip(each) {
        // a caller that stopped listening will ask again
        let _ = caller.send(result);
    }
}

impl Target {
    async fn put(&self, records: Vec<Record>) -> Result<Vec<Result<(), SendError>>, SendError> {
        let client = self.aws.client(Client::new).await?;
        let count = records.len();
        let request = client.put_record_batch().delivery_stream_name(&self.stream);
        let answer = request.set_records(Some(records)).send().await;
        let failures = response::put(answer, count).map_err(|fault| self.aws.error(&fault))?;
        let result = |failure: Option<String>| match failure {
            None => Ok(()),
            Some(message) => Err(SendError::retry(self.aws.clean(&message))),
        };
        Ok(failures.into_iter().map(result).collect())
    }
}
