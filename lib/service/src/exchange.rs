use async_trait::async_trait;
use streamalert_proto::v1;
use streamalert_proto::{Alerts, Deliveries, Evaluated, MalformedMessage, NeighbourError, Records};
use streamalert_types::{AlertBatch, BatchId, Delivery, DeliveryOutcome, RecordBatch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// What a server says on a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply<A> {
    /// The request was taken.
    Ack(BatchId, A),
    /// The request was not taken.
    Nack(v1::Nack),
    /// More may be sent.
    Credit(v1::Credit),
}

/// One kind of acked stream: what is asked, what is answered, and the messages for both. Clients and servers are
/// generic over it; what differs between the three streams of `streamalert.v1` is all here.
#[async_trait]
pub trait Exchange: Send + Sync + 'static {
    /// The server's service, as errors name it.
    const SERVICE: &'static str;
    /// The server's service, as gRPC names it.
    const GRPC_NAME: &'static str;
    /// What is asked.
    type Item: Send + Sync + 'static;
    /// What is answered.
    type Answer: Send + 'static;
    /// The message for an item.
    type Request: prost::Message + Default + 'static;
    /// The message for an answer, a refusal or credit.
    type Reply: Send + 'static;
    /// Who answers.
    type Neighbour: ?Sized + Send + Sync + 'static;

    /// What an item counts for against credit, in bytes: the same number on both sides.
    fn weight_bytes(item: &Self::Item) -> u64;
    /// The message for an item.
    fn request(id: BatchId, item: &Self::Item) -> Self::Request;
    /// Opens a stream to a server.
    async fn open(
        channel: Channel,
        requests: ReceiverStream<Self::Request>,
    ) -> Result<Streaming<Self::Reply>, Status>;
    /// What a server said.
    ///
    /// # Errors
    /// The message does not say what it must.
    fn read_reply(reply: Self::Reply) -> Result<Reply<Self::Answer>, MalformedMessage>;

    /// The id and the trace context of a request.
    fn envelope(request: &Self::Request) -> (BatchId, &str);
    /// The item of a request.
    ///
    /// # Errors
    /// The message does not say what it must.
    fn read_request(request: Self::Request) -> Result<Self::Item, MalformedMessage>;
    /// Has an item answered.
    async fn ask(neighbour: &Self::Neighbour, item: Self::Item) -> Result<Self::Answer, NeighbourError>;
    /// The message for what the server says.
    fn reply(reply: Reply<Self::Answer>) -> Self::Reply;
}

/// Weight of a batch without its items, in bytes.
const BATCH_WEIGHT_BYTES: usize = 64;

/// Classifier to rules-node.
#[derive(Debug)]
pub struct RecordsExchange;

#[async_trait]
impl Exchange for RecordsExchange {
    const SERVICE: &'static str = "rules-node";
    const GRPC_NAME: &'static str = v1::rules_node_server::SERVICE_NAME;
    type Item = RecordBatch;
    type Answer = Evaluated;
    type Request = v1::EvaluateRequest;
    type Reply = v1::EvaluateReply;
    type Neighbour = dyn Records;

    fn weight_bytes(item: &RecordBatch) -> u64 {
        let records: usize = item
            .records
            .iter()
            .map(streamalert_types::Record::weight_bytes)
            .sum();
        (BATCH_WEIGHT_BYTES + records) as u64
    }

    fn request(id: BatchId, item: &RecordBatch) -> v1::EvaluateRequest {
        v1::EvaluateRequest::new(id, item)
    }

    async fn open(
        channel: Channel,
        requests: ReceiverStream<v1::EvaluateRequest>,
    ) -> Result<Streaming<v1::EvaluateReply>, Status> {
        let mut client = v1::rules_node_client::RulesNodeClient::new(channel);
        Ok(client.evaluate(requests).await?.into_inner())
    }

    fn read_reply(reply: v1::EvaluateReply) -> Result<Reply<Evaluated>, MalformedMessage> {
        use v1::evaluate_reply::Reply as Wire;
        match reply.reply.ok_or(MalformedMessage::Missing {
            field: "EvaluateReply.reply",
        })? {
            Wire::Ack(ack) => {
                let evaluated = Evaluated { kept: ack.kept };
                Ok(Reply::Ack(BatchId(ack.batch_id), evaluated))
            }
            Wire::Nack(nack) => Ok(Reply::Nack(nack)),
            Wire::Credit(credit) => Ok(Reply::Credit(credit)),
        }
    }

    fn envelope(request: &v1::EvaluateRequest) -> (BatchId, &str) {
        (BatchId(request.batch_id), &request.traceparent)
    }

    fn read_request(request: v1::EvaluateRequest) -> Result<RecordBatch, MalformedMessage> {
        request.into_batch()
    }

    async fn ask(neighbour: &dyn Records, item: RecordBatch) -> Result<Evaluated, NeighbourError> {
        neighbour.evaluate(item).await
    }

    fn reply(reply: Reply<Evaluated>) -> v1::EvaluateReply {
        use v1::evaluate_reply::Reply as Wire;
        let reply = match reply {
            Reply::Ack(id, evaluated) => Wire::Ack(v1::EvaluateAck {
                batch_id: id.0,
                kept: evaluated.kept,
            }),
            Reply::Nack(nack) => Wire::Nack(nack),
            Reply::Credit(credit) => Wire::Credit(credit),
        };
        v1::EvaluateReply { reply: Some(reply) }
    }
}

/// Rules-node to merger.
#[derive(Debug)]
pub struct AlertsExchange;

#[async_trait]
impl Exchange for AlertsExchange {
    const SERVICE: &'static str = "merger";
    const GRPC_NAME: &'static str = v1::merger_server::SERVICE_NAME;
    type Item = AlertBatch;
    type Answer = ();
    type Request = v1::AcceptRequest;
    type Reply = v1::AcceptReply;
    type Neighbour = dyn Alerts;

    fn weight_bytes(item: &AlertBatch) -> u64 {
        let alerts: usize = item.alerts.iter().map(|alert| alert.weight_bytes()).sum();
        (BATCH_WEIGHT_BYTES + alerts) as u64
    }

    fn request(id: BatchId, item: &AlertBatch) -> v1::AcceptRequest {
        v1::AcceptRequest::new(id, item)
    }

    async fn open(
        channel: Channel,
        requests: ReceiverStream<v1::AcceptRequest>,
    ) -> Result<Streaming<v1::AcceptReply>, Status> {
        let mut client = v1::merger_client::MergerClient::new(channel);
        Ok(client.accept(requests).await?.into_inner())
    }

    fn read_reply(reply: v1::AcceptReply) -> Result<Reply<()>, MalformedMessage> {
        use v1::accept_reply::Reply as Wire;
        match reply.reply.ok_or(MalformedMessage::Missing {
            field: "AcceptReply.reply",
        })? {
            Wire::Ack(ack) => Ok(Reply::Ack(BatchId(ack.batch_id), ())),
            Wire::Nack(nack) => Ok(Reply::Nack(nack)),
            Wire::Credit(credit) => Ok(Reply::Credit(credit)),
        }
    }

    fn envelope(request: &v1::AcceptRequest) -> (BatchId, &str) {
        (BatchId(request.batch_id), &request.traceparent)
    }

    fn read_request(request: v1::AcceptRequest) -> Result<AlertBatch, MalformedMessage> {
        request.into_batch()
    }

    async fn ask(neighbour: &dyn Alerts, item: AlertBatch) -> Result<(), NeighbourError> {
        neighbour.accept(item).await
    }

    fn reply(reply: Reply<()>) -> v1::AcceptReply {
        use v1::accept_reply::Reply as Wire;
        let reply = match reply {
            Reply::Ack(id, ()) => Wire::Ack(v1::Ack { batch_id: id.0 }),
            Reply::Nack(nack) => Wire::Nack(nack),
            Reply::Credit(credit) => Wire::Credit(credit),
        };
        v1::AcceptReply { reply: Some(reply) }
    }
}

/// Merger to dispatcher.
#[derive(Debug)]
pub struct DeliveriesExchange;

#[async_trait]
impl Exchange for DeliveriesExchange {
    const SERVICE: &'static str = "dispatcher";
    const GRPC_NAME: &'static str = v1::dispatcher_server::SERVICE_NAME;
    type Item = Delivery;
    type Answer = DeliveryOutcome;
    type Request = v1::DeliverRequest;
    type Reply = v1::DeliverReply;
    type Neighbour = dyn Deliveries;

    fn weight_bytes(item: &Delivery) -> u64 {
        (BATCH_WEIGHT_BYTES + item.alert.weight_bytes()) as u64
    }

    fn request(id: BatchId, item: &Delivery) -> v1::DeliverRequest {
        v1::DeliverRequest::new(id, item)
    }

    async fn open(
        channel: Channel,
        requests: ReceiverStream<v1::DeliverRequest>,
    ) -> Result<Streaming<v1::DeliverReply>, Status> {
        let mut client = v1::dispatcher_client::DispatcherClient::new(channel);
        Ok(client.deliver(requests).await?.into_inner())
    }

    fn read_reply(reply: v1::DeliverReply) -> Result<Reply<DeliveryOutcome>, MalformedMessage> {
        use v1::deliver_reply::Reply as Wire;
        match reply.reply.ok_or(MalformedMessage::Missing {
            field: "DeliverReply.reply",
        })? {
            Wire::Ack(ack) => Ok(Reply::Ack(BatchId(ack.batch_id), ack.into_outcome()?)),
            Wire::Nack(nack) => Ok(Reply::Nack(nack)),
            Wire::Credit(credit) => Ok(Reply::Credit(credit)),
        }
    }

    fn envelope(request: &v1::DeliverRequest) -> (BatchId, &str) {
        (BatchId(request.batch_id), &request.traceparent)
    }

    fn read_request(request: v1::DeliverRequest) -> Result<Delivery, MalformedMessage> {
        request.into_delivery()
    }

    async fn ask(neighbour: &dyn Deliveries, item: Delivery) -> Result<DeliveryOutcome, NeighbourError> {
        neighbour.deliver(item).await
    }

    fn reply(reply: Reply<DeliveryOutcome>) -> v1::DeliverReply {
        use v1::deliver_reply::Reply as Wire;
        let reply = match reply {
            Reply::Ack(id, outcome) => Wire::Ack(v1::DeliverAck::new(id, &outcome)),
            Reply::Nack(nack) => Wire::Nack(nack),
            Reply::Credit(credit) => Wire::Credit(credit),
        };
        v1::DeliverReply { reply: Some(reply) }
    }
}
