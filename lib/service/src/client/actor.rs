use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use streamalert_proto::NeighbourError;
use streamalert_types::BatchId;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::session::{Effect, Event, Session, Ticket};
use super::{ClientOptions, LinkState};
use crate::cause::with_causes;
use crate::limits::OUTGOING_REQUESTS_MAX;
use crate::{Exchange, dial};

/// A request on its way through the actor. What it holds of the pending queue is free again when it is dropped.
pub(super) struct Pending<X: Exchange> {
    pub(super) id: BatchId,
    pub(super) item: X::Item,
    /// The message, until it is sent for the first time.
    pub(super) request: Option<X::Request>,
    pub(super) message_bytes: u64,
    pub(super) weight_bytes: u64,
    pub(super) answer: oneshot::Sender<Result<X::Answer, NeighbourError>>,
    pub(super) _permits: [OwnedSemaphorePermit; 2],
}

impl<X: Exchange> Ticket for Pending<X> {
    fn id(&self) -> BatchId {
        self.id
    }

    fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    fn message_bytes(&self) -> u64 {
        self.message_bytes
    }

    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}

impl<X: Exchange> Pending<X> {
    fn message(&mut self) -> X::Request {
        self.request
            .take()
            .unwrap_or_else(|| X::request(self.id, &self.item))
    }
}

/// The task of an [`AckedClient`](super::AckedClient): owns the stream and opens it again whenever it breaks.
#[must_use = "a client does nothing until its task runs"]
pub struct ClientTask<X: Exchange> {
    options: Arc<ClientOptions>,
    session: Session<Pending<X>>,
    mailbox: mpsc::Receiver<Pending<X>>,
    state: watch::Sender<LinkState>,
    generation: u64,
    stage: Stage<X>,
    /// What the last outage was about, so that the log tells it once.
    complaint: Option<String>,
}

type Opening<X> = Pin<Box<dyn Future<Output = Result<Replies<X>, String>> + Send>>;

enum Stage<X: Exchange> {
    Idle,
    Sleeping(Pin<Box<Sleep>>),
    Opening {
        opened: Opening<X>,
        outgoing: mpsc::Sender<X::Request>,
    },
    Up {
        replies: Box<Replies<X>>,
        outgoing: mpsc::Sender<X::Request>,
        since: Instant,
    },
}

struct Replies<X: Exchange> {
    stream: Streaming<X::Reply>,
    /// Dropping it would close the connection under the stream.
    _channel: Channel,
}

impl<X: Exchange> ClientTask<X> {
    pub(super) fn new(
        options: Arc<ClientOptions>,
        session: Session<Pending<X>>,
        mailbox: mpsc::Receiver<Pending<X>>,
        state: watch::Sender<LinkState>,
    ) -> Self {
        Self {
            options,
            session,
            mailbox,
            state,
            generation: 0,
            stage: Stage::Idle,
            complaint: None,
        }
    }

    /// Runs until `stop`, or until every handle is gone. Whoever still waits then is answered with
    /// [`NeighbourError::Unavailable`].
    pub async fn run(mut self, stop: CancellationToken) {
        for effect in self.session.start() {
            self.carry_out(effect);
        }
        loop {
            let event = self.next_event(&stop).await;
            let stopped = matches!(event, Event::Stopped { .. });
            self.note(&event);
            for effect in self.session.apply(event) {
                self.carry_out(effect);
            }
            if stopped {
                break;
            }
        }
        self.mailbox.close();
        while let Some(pending) = self.mailbox.recv().await {
            for effect in self.session.apply(Event::Submitted(pending)) {
                self.carry_out(effect);
            }
        }
    }

    async fn next_event(&mut self, stop: &CancellationToken) -> Event<Pending<X>, X::Answer> {
        let wants_room = self.session.wants_room();
        let generation = self.generation;
        tokio::select! {
            biased;
            () = stop.cancelled() => Event::Stopped { reason: "client stopped" },
            event = stage_event(&mut self.stage, generation, wants_room) => event,
            pending = self.mailbox.recv() => match pending {
                Some(pending) => Event::Submitted(pending),
                None => Event::Stopped { reason: "client dropped" },
            },
        }
    }

    fn carry_out(&mut self, effect: Effect<Pending<X>, X::Answer>) {
        match effect {
            Effect::Open { generation } => {
                self.generation = generation;
                let (outgoing, requests) = mpsc::channel(OUTGOING_REQUESTS_MAX);
                let opened = Box::pin(open::<X>(Arc::clone(&self.options), requests));
                self.stage = Stage::Opening { opened, outgoing };
            }
            Effect::Sleep(delay) => self.stage = Stage::Sleeping(Box::pin(tokio::time::sleep(delay))),
            Effect::Send(id) => self.send(id),
            Effect::Answer(pending, result) => {
                // The caller may have gone; then nobody misses the answer.
                let _ = pending.answer.send(result);
            }
        }
    }

    fn send(&mut self, id: BatchId) {
        let Stage::Up { outgoing, .. } = &self.stage else {
            return;
        };
        let Some(pending) = self.session.in_flight_mut(id) else {
            return;
        };
        // There is room, or this would not have been asked. A stream that has just ended says so by itself,
        // and then the request is sent again on the next one.
        let _ = outgoing.try_send(pending.message());
    }

    /// Logs and publishes what an event says about the connection.
    fn note<T, A>(&mut self, event: &Event<T, A>) {
        let service = X::SERVICE;
        let address = &self.options.address;
        match event {
            Event::Opened { .. } => {
                if self.complaint.take().is_some() {
                    tracing::info!(service, address, "connected again");
                } else {
                    tracing::debug!(service, address, "connected");
                }
                self.state.send_replace(LinkState::Up);
            }
            Event::Broken { reason, .. } => {
                if self.complaint.as_ref() == Some(reason) {
                    tracing::debug!(service, address, reason, "still not connected");
                } else {
                    tracing::warn!(service, address, reason, "not connected, trying again");
                    self.complaint = Some(reason.clone());
                }
                self.state.send_replace(LinkState::Down {
                    reason: reason.clone(),
                });
            }
            Event::Stopped { .. } => {
                self.state.send_replace(LinkState::Stopped);
            }
            _ => {}
        }
    }
}

/// What the stream, or the lack of one, says next.
async fn stage_event<X: Exchange>(
    stage: &mut Stage<X>,
    generation: u64,
    wants_room: bool,
) -> Event<Pending<X>, X::Answer> {
    match stage {
        Stage::Idle => std::future::pending().await,
        Stage::Sleeping(sleep) => {
            sleep.await;
            *stage = Stage::Idle;
            Event::Woken
        }
        Stage::Opening { opened, outgoing } => match opened.await {
            Ok(replies) => {
                let outgoing = outgoing.clone();
                *stage = Stage::Up {
                    replies: Box::new(replies),
                    outgoing,
                    since: Instant::now(),
                };
                Event::Opened { generation }
            }
            Err(reason) => {
                *stage = Stage::Idle;
                Event::Broken {
                    generation,
                    reason,
                    up_for: Duration::ZERO,
                }
            }
        },
        Stage::Up {
            replies,
            outgoing,
            since,
        } => {
            let reason = tokio::select! {
                biased;
                reply = replies.stream.message() => match read::<X>(reply) {
                    Ok(reply) => return Event::Replied { generation, reply },
                    Err(reason) => reason,
                },
                room = outgoing.reserve(), if wants_room => match room {
                    Ok(_) => return Event::Room { generation },
                    Err(_) => "stream closed by the server".to_owned(),
                },
            };
            let up_for = since.elapsed();
            *stage = Stage::Idle;
            Event::Broken {
                generation,
                reason,
                up_for,
            }
        }
    }
}

fn read<X: Exchange>(reply: Result<Option<X::Reply>, Status>) -> Result<crate::Reply<X::Answer>, String> {
    match reply {
        Ok(Some(reply)) => X::read_reply(reply).map_err(|error| format!("malformed reply: {error}")),
        Ok(None) => Err("stream ended by the server".to_owned()),
        Err(status) => Err(status_text(&status)),
    }
}

async fn open<X: Exchange>(
    options: Arc<ClientOptions>,
    requests: mpsc::Receiver<X::Request>,
) -> Result<Replies<X>, String> {
    let open = async {
        let channel = dial::connect(&options).await?;
        let stream = X::open(channel.clone(), ReceiverStream::new(requests)).await;
        Ok(Replies {
            stream: stream.map_err(|status| status_text(&status))?,
            _channel: channel,
        })
    };
    match tokio::time::timeout(options.connect_timeout, open).await {
        Ok(result) => result,
        Err(_) => Err(format!(
            "no connection within {} s",
            options.connect_timeout.as_secs_f64()
        )),
    }
}

fn status_text(status: &Status) -> String {
    let cause = std::error::Error::source(status).map(with_causes);
    match cause {
        Some(cause) => format!("{}: {cause}", status.message()),
        None => format!("{:?}: {}", status.code(), status.message()),
    }
}

/// Size of a request's message, in bytes.
pub(super) fn message_bytes(request: &impl Message) -> u64 {
    request.encoded_len() as u64
}
