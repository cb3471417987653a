use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use streamalert_proto::{NeighbourError, nack, v1};
use streamalert_types::BatchId;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinError, JoinSet};
use tonic::{Status, Streaming};
use tracing::Instrument;

use super::window::Window;
use crate::cause::panic_text;
use crate::{Exchange, Reply, Shutdown, StreamLimits};

/// One client's stream at a server. Requests run side by side, each in a task of its own; answers go back in the
/// order in which they are ready. When the client goes, what it had asked is dropped: it asks again elsewhere.
pub(super) struct ServedStream<X: Exchange> {
    pub(super) neighbour: Arc<X::Neighbour>,
    pub(super) requests: Streaming<X::Request>,
    pub(super) replies: mpsc::Sender<Result<X::Reply, Status>>,
    pub(super) limits: StreamLimits,
    pub(super) shutdown: Shutdown,
    pub(super) _slot: OwnedSemaphorePermit,
}

struct Done<A> {
    id: BatchId,
    weight_bytes: u64,
    result: Result<Result<A, NeighbourError>, String>,
}

enum Event<X: Exchange> {
    Done(Result<Done<X::Answer>, JoinError>),
    Request(X::Request),
    /// No further requests: the client has said so, or we drain.
    NoMore,
    /// The stream is broken, or everything stops at once.
    Gone(Option<Status>),
}

impl<X: Exchange> ServedStream<X> {
    pub(super) async fn run(mut self) {
        let ended = self.serve().await;
        if let Err(Some(status)) = ended {
            // The client may have gone, and then nobody hears it.
            let _ = self.replies.send(Err(status)).await;
        }
    }

    /// Ends well when every request is answered and no more will come, else with what the client is to be told.
    async fn serve(&mut self) -> Result<(), Option<Status>> {
        let mut window = Window::new(self.limits);
        let mut jobs = JoinSet::new();
        let mut reading = true;
        self.say(Reply::Credit(window.opening())).await?;
        while reading || !jobs.is_empty() {
            match self.next_event(&mut jobs, reading).await {
                Event::Done(done) => {
                    self.answer(&mut window, done).await?;
                    while let Some(done) = jobs.try_join_next() {
                        self.answer(&mut window, done).await?;
                    }
                    if let Some(credit) = window.take_owed()
                        && reading
                    {
                        self.say(Reply::Credit(credit)).await?;
                    }
                }
                Event::Request(request) => self.take(&mut window, &mut jobs, request).await?,
                Event::NoMore => reading = false,
                Event::Gone(status) => return Err(status),
            }
        }
        Ok(())
    }

    async fn next_event(&mut self, jobs: &mut JoinSet<Done<X::Answer>>, reading: bool) -> Event<X> {
        tokio::select! {
            biased;
            () = self.shutdown.aborted() => Event::Gone(Some(Status::unavailable("stopped"))),
            () = self.replies.closed() => Event::Gone(None),
            Some(done) = jobs.join_next() => Event::Done(done),
            () = self.shutdown.draining(), if reading => Event::NoMore,
            request = self.requests.message(), if reading => match request {
                Ok(Some(request)) => Event::Request(request),
                Ok(None) => Event::NoMore,
                Err(status) => {
                    tracing::debug!(service = X::SERVICE, %status, "stream broken");
                    Event::Gone(Some(status))
                }
            },
        }
    }

    async fn take(
        &mut self,
        window: &mut Window,
        jobs: &mut JoinSet<Done<X::Answer>>,
        request: X::Request,
    ) -> Result<(), Option<Status>> {
        let (id, traceparent) = X::envelope(&request);
        let span = tracing::debug_span!("request", service = X::SERVICE, batch = id.0, traceparent);
        let item = match X::read_request(request) {
            Ok(item) => item,
            Err(error) => {
                tracing::error!(service = X::SERVICE, batch = id.0, %error, "request refused as malformed");
                return self.say(Reply::Nack(v1::Nack::malformed(id, &error))).await;
            }
        };
        let weight_bytes = X::weight_bytes(&item);
        window.admit(weight_bytes).map_err(|overrun| {
            tracing::error!(service = X::SERVICE, batch = id.0, error = %overrun, "stream refused");
            Some(Status::resource_exhausted(overrun.to_string()))
        })?;
        let neighbour = Arc::clone(&self.neighbour);
        let job = async move {
            let result = AssertUnwindSafe(X::ask(&*neighbour, item)).catch_unwind().await;
            Done {
                id,
                weight_bytes,
                result: result.map_err(|panic| panic_text(&*panic)),
            }
        };
        jobs.spawn(job.instrument(span));
        Ok(())
    }

    async fn answer(
        &mut self,
        window: &mut Window,
        done: Result<Done<X::Answer>, JoinError>,
    ) -> Result<(), Option<Status>> {
        // Panics are caught inside and nobody aborts single jobs, so this is the runtime going down.
        let Done {
            id,
            weight_bytes,
            result,
        } = done.map_err(|_| Some(Status::unavailable("runtime is going down")))?;
        window.finish(weight_bytes);
        let reply = match result {
            Ok(Ok(answer)) => Reply::Ack(id, answer),
            Ok(Err(error)) => Reply::Nack(nack(id, &error)),
            Err(panic) => {
                tracing::error!(
                    service = X::SERVICE,
                    batch = id.0,
                    panic,
                    "request handler panicked"
                );
                Reply::Nack(v1::Nack::internal(id, panic))
            }
        };
        self.say(reply).await
    }

    /// The client not reading is the only thing that this can wait for; it is the client's own loss.
    async fn say(&mut self, reply: Reply<X::Answer>) -> Result<(), Option<Status>> {
        tokio::select! {
            biased;
            () = self.shutdown.aborted() => Err(Some(Status::unavailable("stopped"))),
            sent = self.replies.send(Ok(X::reply(reply))) => sent.map_err(|_| None),
        }
    }
}
