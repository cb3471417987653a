use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use streamalert_types::{Position, Sequence, Source};

use super::{Arrival, Queue, QueueHandle, QueueMessage, QueueOptions, QueueRoom, SqsApi};
use crate::sns::{Envelope, EnvelopeKind};
use crate::{
    AckTarget, AckToken, Payload, PayloadForm, ProgressWatch, SourceError, SourceLimits, SourceProgress,
    SourceReader, SourceStatus, StatusWatch, Ticket,
};

/// What the messages of a queue are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqsContent {
    /// Each is a log of the source.
    Logs(Arc<Source>),
    /// Notifications of SNS topics, by the topic's ARN: the notification's message is the log. Those of other topics
    /// are dead letters. With raw delivery a message does not say its topic, so there must be only one.
    Notifications(Vec<(String, Arc<Source>)>),
}

/// How an [`SqsSource`] is set up.
#[derive(Debug, Clone)]
pub struct SqsOptions {
    /// The queue's name, the partition of its positions.
    pub queue: String,
    /// What its messages are.
    pub content: SqsContent,
    /// How it is read.
    pub reading: QueueOptions,
}

/// Reads a queue: each message is one payload, deleted when it is acknowledged. While it is not, it is hidden from
/// other readers; when we die, it comes to light again and gets the same position, which is its message id.
pub struct SqsSource {
    options: SqsOptions,
    queue: Queue,
    counts: Arc<Counts>,
}

/// What is open, and whom to tell when it is not any more.
#[derive(Debug)]
struct Counts {
    read: AtomicU64,
    open: AtomicU64,
    bytes: AtomicU64,
    handle: QueueHandle,
}

impl AckTarget for Counts {
    fn ack(&self, ticket: Ticket) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.handle.done(ticket.index());
    }
}

impl SqsSource {
    /// Starts to receive.
    #[must_use]
    pub fn start(api: Arc<dyn SqsApi>, options: SqsOptions, limits: &SourceLimits) -> Self {
        let room = QueueRoom {
            messages_max: limits.payloads_open_max,
            bytes_max: limits.bytes_open_max,
        };
        let queue = Queue::start(api, options.reading.clone(), room, None);
        let counts = Arc::new(Counts {
            read: AtomicU64::new(0),
            open: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            handle: queue.handle(),
        });
        Self {
            options,
            queue,
            counts,
        }
    }

    fn payload(&self, arrival: Arrival) -> Payload {
        let Arrival { key, message } = arrival;
        self.counts.read.fetch_add(1, Ordering::Relaxed);
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        self.counts
            .bytes
            .fetch_add(message.body.len() as u64, Ordering::Relaxed);
        let token = AckToken::new(self.counts.clone(), Ticket::numbered(key));
        if poisoned(&message, self.options.reading.poison_receives).is_some() {
            self.queue.tally().count(|counts| counts.poisoned += 1);
        }
        let read = self.options.read(message);
        Payload {
            source: read.source,
            position: read.position,
            body: read.body,
            form: read.form,
            token,
        }
    }
}

/// A message, read as what the queue is for.
#[derive(Debug, PartialEq, Eq)]
struct ReadMessage {
    source: Arc<Source>,
    position: Position,
    body: Bytes,
    form: PayloadForm,
}

impl SqsOptions {
    fn read(&self, message: QueueMessage) -> ReadMessage {
        let position = Position {
            partition: self.queue.as_str().into(),
            sequence: Sequence::Token(message.id.as_str().into()),
        };
        let poison = poisoned(&message, self.reading.poison_receives);
        let whole = |source, form| ReadMessage {
            source,
            position: position.clone(),
            body: message.body.clone().into(),
            form,
        };
        let topics = match (&self.content, poison) {
            (SqsContent::Logs(source), Some(reason)) => {
                return whole(source.clone(), PayloadForm::Unreadable { reason });
            }
            (SqsContent::Logs(source), None) => return whole(source.clone(), PayloadForm::Message),
            (SqsContent::Notifications(_), Some(reason)) => {
                return whole(self.unknown(), PayloadForm::Unreadable { reason });
            }
            (SqsContent::Notifications(topics), None) => topics,
        };
        let unreadable = |reason: String| whole(self.unknown(), PayloadForm::Unreadable { reason });
        match Envelope::parse(message.body.as_bytes()) {
            Ok(envelope) if envelope.kind == EnvelopeKind::Notification => {
                match topics.iter().find(|(arn, _)| *arn == envelope.topic_arn) {
                    Some((_, source)) => ReadMessage {
                        source: source.clone(),
                        position: envelope.position(),
                        body: envelope.message.into(),
                        form: PayloadForm::Message,
                    },
                    None => unreadable(format!(
                        "a notification of {}, which is no source here",
                        envelope.topic_arn
                    )),
                }
            }
            Ok(envelope) => unreadable(format!(
                "a {:?} of sns, where notifications were expected",
                envelope.kind
            )),
            Err(reason) => match topics.as_slice() {
                [(_, source)] => whole(source.clone(), PayloadForm::Message),
                _ => unreadable(format!("no notification of sns: {reason}")),
            },
        }
    }

    /// The source of what belongs to none.
    fn unknown(&self) -> Arc<Source> {
        match &self.content {
            SqsContent::Logs(source) => source.clone(),
            SqsContent::Notifications(_) => Arc::new(Source {
                service: "sqs".into(),
                resource: self.queue.as_str().into(),
                cluster: None,
            }),
        }
    }
}

/// Why a message is not to be tried again.
pub(crate) fn poisoned(message: &QueueMessage, receives_max: u32) -> Option<String> {
    let receives = message.receives;
    (receives > receives_max).then(|| {
        format!(
            "message {} was received {receives} times and never finished",
            message.id
        )
    })
}

#[async_trait]
impl SourceReader for SqsSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        match self.queue.next().await {
            Some(Ok(arrival)) => Ok(Some(self.payload(arrival))),
            Some(Err(fault)) => Err(SourceError::Aws {
                source_name: self.name(),
                fault,
            }),
            None => Ok(None),
        }
    }

    fn name(&self) -> String {
        format!("sqs:{}", self.options.queue)
    }

    fn progress(&self) -> SourceProgress {
        (self.watch())()
    }

    fn watch(&self) -> ProgressWatch {
        let counts = self.counts.clone();
        Arc::new(move || SourceProgress {
            payloads_read: counts.read.load(Ordering::Relaxed),
            payloads_open: counts.open.load(Ordering::Relaxed),
            bytes_read: counts.bytes.load(Ordering::Relaxed),
            bytes_total: None,
        })
    }

    fn watch_status(&self) -> StatusWatch {
        let tally = self.queue.tally();
        Arc::new(move || SourceStatus::Queue(tally.counts()))
    }

    async fn finish(mut self: Box<Self>) -> Result<SourceProgress, SourceError> {
        self.queue.finish().await;
        Ok(self.progress())
    }
}

#[cfg(test)]
mod tests;
