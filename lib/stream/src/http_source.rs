//! Requests as a source: `POST /v1/logs/{service}/{resource}`, answered when everything in the body is durable.

pub(crate) mod desk;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use streamalert_types::{Position, Sequence, Source, Traceparent};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::desk::{Desk, Inquiry};
use crate::lines::{LineReader, PieceKind};
use crate::{
    AckToken, Payload, PayloadForm, ProgressWatch, SourceContext, SourceError, SourceLimits, SourceProgress,
    SourceReader, Ticket,
};

/// Names a request for ever: sent again with the same body, it is the same request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest idempotency key: it becomes part of every position.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Payloads that wait for the next step. They are in the body of their request, whose room is reserved: handed over one
/// by one, reader and request would wake each other for each of them.
const PAYLOADS_MAX: usize = 64;
/// What the sender is told to wait when there is too much to do.
const RETRY_AFTER_SECS: &str = "1";

/// How an [`HttpSource`] is set up.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Where to listen. There is no authentication, so this belongs on loopback or behind a proxy.
    pub address: SocketAddr,
    /// What may be sent; the path of a request names one of them.
    pub sources: Vec<Arc<Source>>,
    /// Tells requests without an idempotency key from those of other runs; must differ between runs.
    pub run_name: String,
    /// The largest body. A sender splits what is larger.
    pub body_bytes_max: usize,
    /// Requests at a time, those that wait for their answer included; more are told to come again.
    pub requests_max: usize,
    /// How long a body may take to arrive, so that a sender that stalls does not hold room.
    pub body_timeout: Duration,
    /// How long a request waits to become durable before its sender is told to come again.
    pub answer_timeout: Duration,
}

impl HttpOptions {
    /// The defaults.
    #[must_use]
    pub fn new(address: SocketAddr, sources: Vec<Arc<Source>>, run_name: impl Into<String>) -> Self {
        Self {
            address,
            sources,
            run_name: run_name.into(),
            body_bytes_max: 16 << 20,
            requests_max: 256,
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
        }
    }
}

/// Serves requests and hands out what is in them. Nothing is checkpointed: a sender that got no 200 sends again,
/// with the same idempotency key if it has one, and whatever was durable already is recognised by its position.
pub struct HttpSource {
    address: SocketAddr,
    desk: Arc<Desk>,
    payloads: mpsc::Receiver<(Payload, Arc<Inquiry>)>,
    stopping: CancellationToken,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

struct Server {
    options: HttpOptions,
    limits: SourceLimits,
    door: Door,
}

/// By this a request hands over what is in it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) desk: Arc<Desk>,
    payloads: mpsc::Sender<(Payload, Arc<Inquiry>)>,
    stopping: CancellationToken,
}

impl HttpSource {
    /// Starts to listen.
    ///
    /// # Errors
    /// [`SourceError::Http`] when the address cannot be listened on.
    pub async fn bind(options: HttpOptions, context: SourceContext) -> Result<Self, SourceError> {
        let address = options.address;
        let desk = Desk::new(options.requests_max, context.limits.bytes_open_max);
        let router = |door| {
            let server = Server {
                options,
                limits: context.limits,
                door,
            };
            Router::new()
                .route("/v1/logs/{service}/{resource}", post(receive))
                .with_state(Arc::new(server))
        };
        Self::serve(address, desk, router).await
    }

    /// Starts to listen and to answer as `router` does.
    pub(crate) async fn serve(
        address: SocketAddr,
        desk: Arc<Desk>,
        router: impl FnOnce(Door) -> Router,
    ) -> Result<Self, SourceError> {
        let failed = |error: std::io::Error| SourceError::Http {
            address: address.to_string(),
            reason: error.to_string(),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (sender, payloads) = mpsc::channel(PAYLOADS_MAX);
        let stopping = CancellationToken::new();
        let router = router(Door {
            desk: desk.clone(),
            payloads: sender,
            stopping: stopping.clone(),
        });
        let stopped = stopping.clone().cancelled_owned();
        let server = async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
        };
        Ok(Self {
            address,
            desk,
            payloads,
            stopping,
            server: tokio::spawn(server),
        })
    }

    /// Where it listens: the port that was chosen when the options say port 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpSource {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.server.abort();
    }
}

#[async_trait]
impl SourceReader for HttpSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        if let Some((payload, inquiry)) = self.payloads.recv().await {
            inquiry.handed_out(&payload);
            return Ok(Some(payload));
        }
        let ended = match (&mut self.server).await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(SourceError::Http {
            address: self.address.to_string(),
            reason: ended,
        })
    }

    fn name(&self) -> String {
        format!("http:{}", self.address)
    }

    fn progress(&self) -> SourceProgress {
        self.desk.progress()
    }

    fn watch(&self) -> ProgressWatch {
        let desk = self.desk.clone();
        Arc::new(move || desk.progress())
    }

    async fn finish(mut self: Box<Self>) -> Result<SourceProgress, SourceError> {
        // What is acknowledged by now is still answered; what was not handed out is told to come again.
        self.stopping.cancel();
        self.payloads.close();
        while let Ok((_, inquiry)) = self.payloads.try_recv() {
            inquiry.left();
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.server).await;
        Ok(self.progress())
    }
}

/// Why a request is not taken.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) String);

impl Refusal {
    pub(crate) fn busy(reason: &str) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, reason.to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, reason) = self;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return (status, [(header::RETRY_AFTER, RETRY_AFTER_SECS)], reason + "\n").into_response();
        }
        (status, reason + "\n").into_response()
    }
}

async fn receive(
    State(server): State<Arc<Server>>,
    Path((service, resource)): Path<(String, String)>,
    request: Request,
) -> Result<String, Refusal> {
    let source = server.source(&service, &resource)?;
    let (parts, body) = request.into_parts();
    let length = server.check(&parts.headers)?;
    let inquiry = server.door.let_in(length)?;
    let body = server.read(body, length).await?;
    let partition = server.partition(&parts.headers, &body)?;
    let payloads = server.cut(&source, &partition, body, &inquiry);
    let count = payloads.len();
    server
        .door
        .hand_over(payloads, inquiry, server.options.answer_timeout)
        .await?;
    Ok(format!("{{\"accepted\":{count}}}\n"))
}

impl Door {
    /// Takes room for a request of so many bytes.
    pub(crate) fn let_in(&self, bytes: usize) -> Result<Arc<Inquiry>, Refusal> {
        let inquiry = self.desk.open(bytes);
        inquiry.ok_or_else(|| Refusal::busy("too much is being worked on, try again"))
    }

    /// Hands payloads over and waits until all of them are durable.
    pub(crate) async fn hand_over(
        &self,
        payloads: Vec<Payload>,
        inquiry: Arc<Inquiry>,
        timeout: Duration,
    ) -> Result<(), Refusal> {
        // From here on the sender may hang up: what is in the body is worked on all the same.
        let handing = tokio::spawn(self.clone().pass(payloads, inquiry.clone()));
        let durable = async { handing.await.unwrap_or(false) && inquiry.durable().await };
        match tokio::time::timeout(timeout, durable).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::busy("shutting down, try again elsewhere or later")),
            Err(_) => Err(Refusal::busy(
                "not durable in time, try again with the same idempotency-key",
            )),
        }
    }

    /// False when nobody reads any more.
    async fn pass(self, payloads: Vec<Payload>, inquiry: Arc<Inquiry>) -> bool {
        for payload in payloads {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return false,
                sent = self.payloads.send((payload, inquiry.clone())) => if sent.is_err() { return false },
            }
        }
        true
    }
}

impl Server {
    fn source(&self, service: &str, resource: &str) -> Result<Arc<Source>, Refusal> {
        let named = |source: &&Arc<Source>| &*source.service == service && &*source.resource == resource;
        self.options.sources.iter().find(named).cloned().ok_or_else(|| {
            let known: Vec<_> = self.options.sources.iter().map(ToString::to_string).collect();
            let reason = format!(
                "no source {service}:{resource} here, there is {}",
                known.join(", ")
            );
            Refusal(StatusCode::NOT_FOUND, reason)
        })
    }

    /// Looks at the headers; answers how many bytes the body has at most.
    fn check(&self, headers: &HeaderMap) -> Result<usize, Refusal> {
        if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            let reason = "content-encoding is not understood; a compressed payload is recognised by itself";
            return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason.to_owned()));
        }
        let bytes_max = self.options.body_bytes_max;
        let told = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        match told {
            Some(length) if length > bytes_max => Err(self.too_large()),
            Some(length) => Ok(length),
            None => Ok(bytes_max),
        }
    }

    fn too_large(&self) -> Refusal {
        let reason = format!(
            "a body may have {} bytes, send less at a time",
            self.options.body_bytes_max
        );
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }

    async fn read(&self, body: Body, bytes_max: usize) -> Result<bytes::Bytes, Refusal> {
        let read = axum::body::to_bytes(body, bytes_max);
        match tokio::time::timeout(self.options.body_timeout, read).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) if is_too_large(&error) => Err(self.too_large()),
            Ok(Err(error)) => Err(Refusal(
                StatusCode::BAD_REQUEST,
                format!("the body cannot be read: {error}"),
            )),
            Err(_) => Err(Refusal(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time".to_owned(),
            )),
        }
    }

    /// The partition that the request is. A key names one body only: another one under the same key must not get
    /// the positions of the first, or its alerts would be taken for repetitions.
    fn partition(&self, headers: &HeaderMap, body: &[u8]) -> Result<Arc<str>, Refusal> {
        let named = |name: String| match caller(headers) {
            Some(caller) => Position::partition_called(&name, caller),
            None => name.into(),
        };
        let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
            let name = format!("http:{}:{}", self.options.run_name, self.door.desk.number());
            return Ok(named(name));
        };
        let Some(key) = key
            .to_str()
            .ok()
            .filter(|key| key.len() <= IDEMPOTENCY_KEY_BYTES_MAX && !key.is_empty())
        else {
            let reason =
                format!("an {IDEMPOTENCY_KEY} has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} ascii characters");
            return Err(Refusal(StatusCode::BAD_REQUEST, reason));
        };
        let digest = blake3::hash(body).to_hex();
        Ok(named(format!("http-key:{key}#{}", &digest[..16])))
    }

    fn cut(
        &self,
        source: &Arc<Source>,
        partition: &Arc<str>,
        body: bytes::Bytes,
        inquiry: &Arc<Inquiry>,
    ) -> Vec<Payload> {
        let mut payloads = Vec::new();
        let mut push = |start, body, form| {
            payloads.push(Payload {
                source: source.clone(),
                position: Position {
                    partition: partition.clone(),
                    sequence: Sequence::Offset(start),
                },
                body,
                form,
                token: AckToken::new(inquiry.clone(), Ticket::numbered(start)),
            });
        };
        if &*source.service == "s3" {
            if !body.is_empty() {
                push(0, body, PayloadForm::Object);
            }
        } else {
            let (line_max, head_max) = (self.limits.record_bytes_max, self.limits.oversize_head_bytes);
            let mut lines = LineReader::new(&body[..], 0, line_max, head_max);
            while let Some(piece) = lines.next_piece() {
                match piece.kind {
                    PieceKind::Line(line) | PieceKind::Rest(line) if line.is_empty() => {}
                    PieceKind::Line(line) | PieceKind::Rest(line) => {
                        push(piece.start, line, PayloadForm::Message)
                    }
                    PieceKind::Oversize(head, total_bytes) => {
                        push(piece.start, head, PayloadForm::Oversize { total_bytes });
                    }
                    PieceKind::Broken(head, reason) => {
                        push(piece.start, head, PayloadForm::Unreadable { reason })
                    }
                }
            }
        }
        inquiry.expect(payloads.len());
        payloads
    }
}

/// The span of the sender, as W3C Trace Context has it. One that cannot be read is passed over, as the standard asks;
/// so is a second one.
fn caller(headers: &HeaderMap) -> Option<Traceparent> {
    let mut all = headers.get_all("traceparent").iter();
    let caller = all.next()?.to_str().ok()?.parse().ok();
    caller.filter(|_| all.next().is_none())
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests;
