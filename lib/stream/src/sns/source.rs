use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use streamalert_types::{Source, Timestamp};

use super::certificates::{Certificates, Fetch, NoKey};
use super::signature::is_subscribe_url;
use super::{Envelope, EnvelopeKind};
use crate::http_source::desk::Desk;
use crate::http_source::{Door, Refusal};
use crate::{
    AckToken, HttpSource, Payload, PayloadForm, ProgressWatch, SourceContext, SourceError, SourceProgress,
    SourceReader, Ticket,
};

/// How an [`SnsSource`] is set up.
#[derive(Debug, Clone)]
pub struct SnsOptions {
    /// Where to listen. SNS asks for HTTPS with a certificate of a known authority: this belongs behind what has one.
    pub address: SocketAddr,
    /// The path that the subscriptions name (`/v1/sns`).
    pub path: String,
    /// Topics by their ARN. Subscriptions of these are confirmed, messages of others refused.
    pub topics: Vec<(String, Arc<Source>)>,
    /// The largest body (1 MiB): SNS sends messages of up to 256 KiB, escaped.
    pub body_bytes_max: usize,
    /// Requests at a time, those that wait for their answer included (256); more are told to come again.
    pub requests_max: usize,
    /// How long a body may take to arrive (10 s).
    pub body_timeout: Duration,
    /// How long a request waits to become durable (14 s): SNS hangs up after 15, and comes again.
    pub answer_timeout: Duration,
    /// How old a message may be (75 minutes): by its default policy SNS comes again for an hour at most. An older one
    /// is taken for one that somebody kept and sends again.
    pub age_max: Duration,
    /// How far a message may be ahead of our clock (15 minutes).
    pub ahead_max: Duration,
}

impl SnsOptions {
    /// The defaults.
    #[must_use]
    pub fn new(address: SocketAddr, topics: Vec<(String, Arc<Source>)>) -> Self {
        Self {
            address,
            path: "/v1/sns".to_owned(),
            topics,
            body_bytes_max: 1 << 20,
            requests_max: 256,
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(14),
            age_max: Duration::from_secs(75 * 60),
            ahead_max: Duration::from_secs(15 * 60),
        }
    }
}

/// What became of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnsCounts {
    /// Notifications that became durable.
    pub accepted: u64,
    /// Subscriptions that were confirmed.
    pub confirmed: u64,
    /// Not signed by SNS, or nothing that SNS sends.
    pub forged: u64,
    /// Signed long ago.
    pub replayed: u64,
    /// Of topics that are no source here.
    pub unknown_topic: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    confirmed: AtomicU64,
    forged: AtomicU64,
    replayed: AtomicU64,
    unknown_topic: AtomicU64,
}

/// Receives what SNS posts to a web address. Each notification is one payload, answered with 200 when it is
/// acknowledged. One that is sent again, by SNS or by whoever overheard it, has the same position, which is its id:
/// what came of it before is recognised.
pub struct SnsSource {
    inner: HttpSource,
    counters: Arc<Counters>,
}

struct Server {
    options: SnsOptions,
    context: SourceContext,
    certificates: Certificates,
    fetch: Arc<dyn Fetch>,
    counters: Arc<Counters>,
    door: Door,
}

impl SnsSource {
    /// Starts to listen.
    ///
    /// # Errors
    /// [`SourceError::Http`] when the address cannot be listened on, [`SourceError::Settings`] for a path that
    /// does not begin with a slash.
    pub async fn bind(
        options: SnsOptions,
        fetch: Arc<dyn Fetch>,
        context: SourceContext,
    ) -> Result<Self, SourceError> {
        if !options.path.starts_with('/') || options.path.contains(['{', '}', '*', ':']) {
            let reason = format!(
                "the path of an sns source is like /v1/sns, not {:?}",
                options.path
            );
            return Err(SourceError::Settings { reason });
        }
        let address = options.address;
        let desk = Desk::new(options.requests_max, context.limits.bytes_open_max);
        let counters: Arc<Counters> = Arc::default();
        let router = {
            let counters = counters.clone();
            |door| {
                let path = options.path.clone();
                let server = Server {
                    options,
                    context,
                    certificates: Certificates::new(fetch.clone()),
                    fetch,
                    counters,
                    door,
                };
                Router::new()
                    .route(&path, post(receive))
                    .with_state(Arc::new(server))
            }
        };
        let inner = HttpSource::serve(address, desk, router).await?;
        Ok(Self { inner, counters })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.inner.address()
    }

    /// What became of requests.
    #[must_use]
    pub fn counts(&self) -> SnsCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SnsCounts {
            accepted: read(&self.counters.accepted),
            confirmed: read(&self.counters.confirmed),
            forged: read(&self.counters.forged),
            replayed: read(&self.counters.replayed),
            unknown_topic: read(&self.counters.unknown_topic),
        }
    }
}

async fn receive(State(server): State<Arc<Server>>, request: Request) -> Result<&'static str, Refusal> {
    let (parts, body) = request.into_parts();
    // Room for the largest, since a sender may not say how much comes.
    let inquiry = server.door.let_in(server.options.body_bytes_max)?;
    let body = server.read(body).await?;
    let envelope = server.checked(&parts.headers, &body).await?;
    match envelope.kind {
        EnvelopeKind::Notification => {}
        EnvelopeKind::SubscriptionConfirmation => return server.confirm(&envelope).await,
        EnvelopeKind::UnsubscribeConfirmation => {
            tracing::warn!(
                topic = envelope.topic_arn,
                "somebody ended the subscription of a topic"
            );
            return Ok("noted\n");
        }
    }
    let source = server.source(&envelope)?;
    inquiry.expect(1);
    let payload = Payload {
        source,
        position: envelope.position(),
        body: envelope.message.into(),
        form: PayloadForm::Message,
        token: AckToken::new(inquiry.clone(), Ticket::numbered(0)),
    };
    server
        .door
        .hand_over(vec![payload], inquiry, server.options.answer_timeout)
        .await?;
    count(&server.counters.accepted);
    Ok("accepted\n")
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Server {
    async fn read(&self, body: Body) -> Result<Bytes, Refusal> {
        let read = axum::body::to_bytes(body, self.options.body_bytes_max);
        match tokio::time::timeout(self.options.body_timeout, read).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) => Err(Refusal(StatusCode::BAD_REQUEST, error.to_string())),
            Err(_) => {
                let reason = "the body did not arrive in time".to_owned();
                Err(Refusal(StatusCode::REQUEST_TIMEOUT, reason))
            }
        }
    }

    /// The message, if it is SNS's and fresh. What costs nothing is checked first, the signature last.
    async fn checked(&self, headers: &HeaderMap, body: &[u8]) -> Result<Envelope, Refusal> {
        if headers.contains_key("x-amz-sns-rawdelivery") {
            return Err(self.forged("a raw delivery is not signed, turn it off for this subscription"));
        }
        let envelope = Envelope::parse(body).map_err(|_| self.forged("no message of sns"))?;
        self.source(&envelope)?;
        let now = self.context.clock.now();
        let sent = envelope.timestamp.as_deref().unwrap_or_default();
        let Ok(sent) = sent.parse::<Timestamp>() else {
            return Err(self.forged("no timestamp"));
        };
        if now.since(sent) > self.options.age_max || sent.since(now) > self.options.ahead_max {
            count(&self.counters.replayed);
            return Err(forbidden("the message is too old, or ahead of our clock"));
        }
        let url = envelope.certificate_url.as_deref().unwrap_or_default();
        let key = match self.certificates.key(url).await {
            Ok(key) => key,
            Err(NoKey::Forged(reason)) => return Err(self.forged(reason)),
            Err(NoKey::Unavailable(_)) => return Err(Refusal::busy("the signature cannot be checked now")),
        };
        key.check(&envelope, now).map_err(|reason| self.forged(reason))?;
        Ok(envelope)
    }

    fn forged(&self, reason: &str) -> Refusal {
        count(&self.counters.forged);
        tracing::debug!(reason, "request is not from sns");
        forbidden(reason)
    }

    fn source(&self, envelope: &Envelope) -> Result<Arc<Source>, Refusal> {
        let mut topics = self.options.topics.iter();
        let found = topics.find(|(arn, _)| *arn == envelope.topic_arn);
        found.map(|(_, source)| source.clone()).ok_or_else(|| {
            count(&self.counters.unknown_topic);
            forbidden("the topic is no source here")
        })
    }

    /// Confirms the subscription of a topic that is a source here.
    async fn confirm(&self, envelope: &Envelope) -> Result<&'static str, Refusal> {
        let url = envelope.subscribe_url.as_deref().unwrap_or_default();
        if !is_subscribe_url(url) {
            return Err(self.forged("a subscription is not confirmed at an address of sns"));
        }
        if let Err(reason) = self.fetch.get(url).await {
            tracing::warn!(
                topic = envelope.topic_arn,
                reason,
                "subscription is not confirmed"
            );
            return Err(Refusal::busy("sns did not take the confirmation"));
        }
        tracing::info!(topic = envelope.topic_arn, "subscription is confirmed");
        count(&self.counters.confirmed);
        Ok("confirmed\n")
    }
}

fn forbidden(reason: &str) -> Refusal {
    Refusal(StatusCode::FORBIDDEN, reason.to_owned())
}

#[async_trait]
impl SourceReader for SnsSource {
    async fn next(&mut self) -> Result<Option<Payload>, SourceError> {
        self.inner.next().await
    }

    fn name(&self) -> String {
        format!("sns:{}", self.inner.address())
    }

    fn progress(&self) -> SourceProgress {
        self.inner.progress()
    }

    fn watch(&self) -> ProgressWatch {
        self.inner.watch()
    }

    async fn finish(self: Box<Self>) -> Result<SourceProgress, SourceError> {
        Box::new(self.inner).finish().await
    }
}

#[cfg(test)]
mod tests;
