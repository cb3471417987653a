use std::sync::Arc;

use async_trait::async_trait;
use streamalert_proto::v1;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::stream::ServedStream;
use crate::{AlertsExchange, DeliveriesExchange, Exchange, RecordsExchange, Shutdown, StreamLimits};

/// Serves the rules-node.
pub type RulesNodeServer = AckedServer<RecordsExchange>;
/// Serves the merger.
pub type MergerServer = AckedServer<AlertsExchange>;
/// Serves the dispatcher.
pub type DispatcherServer = AckedServer<DeliveriesExchange>;

/// Replies that wait for the connection; beyond them a client that does not read stops its own stream.
const REPLIES_MAX: usize = 64;

/// A neighbour, served over the network as a gRPC service.
pub struct AckedServer<X: Exchange> {
    neighbour: Arc<X::Neighbour>,
    limits: StreamLimits,
    shutdown: Shutdown,
    slots: Arc<Semaphore>,
}

/// The replies of one stream.
type Replies<X> = ReceiverStream<Result<<X as Exchange>::Reply, Status>>;

impl<X: Exchange> AckedServer<X> {
    /// Serves `neighbour` within `limits` until `shutdown`.
    #[must_use]
    pub fn new(neighbour: Arc<X::Neighbour>, limits: StreamLimits, shutdown: Shutdown) -> Self {
        let slots = Arc::new(Semaphore::new(limits.streams_max.min(Semaphore::MAX_PERMITS)));
        Self {
            neighbour,
            limits,
            shutdown,
            slots,
        }
    }

    fn open(&self, requests: Streaming<X::Request>) -> Result<Response<Replies<X>>, Status> {
        if self.shutdown.is_draining() {
            return Err(Status::unavailable("draining"));
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            tracing::warn!(
                service = X::SERVICE,
                streams_max = self.limits.streams_max,
                "too many streams"
            );
            Status::unavailable(format!(
                "{} streams are open, no more are taken",
                self.limits.streams_max
            ))
        })?;
        let (replies, receiver) = mpsc::channel(REPLIES_MAX);
        let stream = ServedStream::<X> {
            neighbour: Arc::clone(&self.neighbour),
            requests,
            replies,
            limits: self.limits,
            shutdown: self.shutdown.clone(),
            _slot: slot,
        };
        let span = tracing::debug_span!("stream", service = X::SERVICE);
        tokio::spawn(stream.run().instrument(span));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[async_trait]
impl v1::rules_node_server::RulesNode for RulesNodeServer {
    type EvaluateStream = Replies<RecordsExchange>;

    async fn evaluate(
        &self,
        request: Request<Streaming<v1::EvaluateRequest>>,
    ) -> Result<Response<Self::EvaluateStream>, Status> {
        self.open(request.into_inner())
    }
}

#[async_trait]
impl v1::merger_server::Merger for MergerServer {
    type AcceptStream = Replies<AlertsExchange>;

    async fn accept(
        &self,
        request: Request<Streaming<v1::AcceptRequest>>,
    ) -> Result<Response<Self::AcceptStream>, Status> {
        self.open(request.into_inner())
    }
}

#[async_trait]
impl v1::dispatcher_server::Dispatcher for DispatcherServer {
    type DeliverStream = Replies<DeliveriesExchange>;

    async fn deliver(
        &self,
        request: Request<Streaming<v1::DeliverRequest>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        self.open(request.into_inner())
    }
}
