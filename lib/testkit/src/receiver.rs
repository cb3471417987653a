use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::Reply;
use crate::signature;

/// The header whose value is counted by [`WebhookReceiver::keys`].
const KEY_HEADER: &str = "idempotency-key";

/// The header that is checked when the receiver knows the secret.
const SIGNATURE_HEADER: &str = "streamalert-signature";

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// Such as `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// When it was complete, since the receiver was started.
    pub at: Duration,
    /// How it was answered.
    pub reply: Reply,
    /// Whether the signature holds; `None` when the receiver was given no secret.
    pub signature: Option<Result<(), String>>,
}

impl ReceivedRequest {
    /// The value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// True when it was answered with a 2xx status: the sender counts it as delivered.
    #[must_use]
    pub const fn was_accepted(&self) -> bool {
        matches!(
            &self.reply,
            Reply::Answer {
                status: 200..=299,
                ..
            } | Reply::Slow(_)
                | Reply::ResetMidBody
        )
    }
}

/// Chooses the answer to a request. What it is given has no answer yet.
type Chooser = Box<dyn FnMut(&ReceivedRequest) -> Reply + Send>;

struct State {
    started: Instant,
    secret: Option<String>,
    standing: Reply,
    chooser: Option<Chooser>,
    next: VecDeque<Reply>,
    requests: Vec<ReceivedRequest>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An http server on the loopback interface that remembers every request and answers as it is told.
pub struct WebhookReceiver {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

impl WebhookReceiver {
    /// Starts one on a free port. With `secret`, signatures are checked (and recorded, not enforced).
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(secret: Option<&str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = State {
            started: Instant::now(),
            secret: secret.map(str::to_owned),
            standing: Reply::ok(),
            chooser: None,
            next: VecDeque::new(),
            requests: Vec::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            arrived: Notify::new(),
        });
        let accepting = Some(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Self {
            shared,
            address,
            accepting,
        }
    }

    /// `http://127.0.0.1:PORT` followed by `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its address; the same after a time of being down.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on answers so, after what [`Self::then`] still holds.
    pub fn behave(&self, reply: Reply) {
        self.shared.state().standing = reply;
    }

    /// From now on answers as `choose` says of each request, after what [`Self::then`] still holds.
    pub fn choose(&self, choose: impl FnMut(&ReceivedRequest) -> Reply + Send + 'static) {
        self.shared.state().chooser = Some(Box::new(choose));
    }

    /// Answers the next requests so, one each.
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.state().next.extend(replies);
    }

    /// Stops listening and resets all connections: new ones are refused.
    pub async fn down(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // until it has ended the port is still open
            let _ = accepting.await;
        }
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// When something else has taken the port.
    pub async fn up(&mut self) {
        if self.accepting.is_none() {
            let listener = TcpListener::bind(self.address)
                .await
                .expect("the port is still ours");
            self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
    }

    /// All requests so far, in order of completion.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.state().requests.clone()
    }

    /// How many requests there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.state().requests.len()
    }

    /// How often each idempotency key was accepted (answered with 2xx). More than once = delivered twice.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<String, usize> {
        let mut keys = BTreeMap::new();
        for request in self
            .shared
            .state()
            .requests
            .iter()
            .filter(|request| request.was_accepted())
        {
            *keys
                .entry(request.header(KEY_HEADER).unwrap_or_default().to_owned())
                .or_insert(0) += 1;
        }
        keys
    }

    /// Forgets all requests so far.
    pub fn forget(&self) {
        self.shared.state().requests.clear();
    }

    /// Waits until there were at least `count` requests; false when `limit` passes before.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            let arrived = self.shared.arrived.notified();
            tokio::pin!(arrived);
            // registered before looking, so that nothing arrives unseen in between
            arrived.as_mut().enable();
            if self.count() >= count {
                return true;
            }
            if tokio::time::timeout_at(deadline, arrived).await.is_err() {
                return self.count() >= count;
            }
        }
    }
}

/// Serves connections until it is aborted, which resets them all.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        }
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new());
    if server
        .serve_connection(TokioIo::new(&mut stream), service)
        .await
        .is_err()
    {
        // without this the peer would see an orderly end
        let _ = stream.set_zero_linger();
    }
}

/// Why a connection is broken off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("told to reset")]
struct ToldToReset;

type AnswerBody = BoxBody<Bytes, ToldToReset>;

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<AnswerBody>, ToldToReset> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Err(ToldToReset);
    };
    let body = body.to_bytes();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let reply = record(
        &shared,
        head.method.to_string(),
        head.uri.to_string(),
        headers,
        body,
    );
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(full(body)).map_err(|_| ToldToReset)
        }
        Reply::Slow(wait) => {
            tokio::time::sleep(wait).await;
            Ok(Response::new(full("ok".to_owned())))
        }
        Reply::Hang => std::future::pending().await,
        Reply::Reset => Err(ToldToReset),
        Reply::ResetMidBody => Ok(Response::new(BodyExt::boxed(BrokenBody::Begin))),
    }
}

fn record(
    shared: &Shared,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
) -> Reply {
    let mut state = shared.state();
    let signed = headers
        .iter()
        .find(|(name, _)| name == SIGNATURE_HEADER)
        .map(|(_, value)| value.as_str());
    let signature = state
        .secret
        .as_ref()
        .map(|secret| signature::check(secret, signed, &body));
    let mut request = ReceivedRequest {
        method,
        path,
        headers,
        body,
        at: state.started.elapsed(),
        reply: state.standing.clone(),
        signature,
    };
    if let Some(reply) = state.next.pop_front() {
        request.reply = reply;
    } else if let Some(choose) = &mut state.chooser {
        request.reply = choose(&request);
    }
    let reply = request.reply.clone();
    state.requests.push(request);
    drop(state);
    shared.arrived.notify_waiters();
    reply
}

fn full(body: String) -> AnswerBody {
    Full::new(Bytes::from(body))
        .map_err(|never: Infallible| match never {})
        .boxed()
}

/// A body that begins and breaks off.
enum BrokenBody {
    Begin,
    /// Waits a moment, so that the beginning has left before the connection goes.
    Pause(Pin<Box<tokio::time::Sleep>>),
}

impl Body for BrokenBody {
    type Data = Bytes;
    type Error = ToldToReset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ToldToReset>>> {
        match &mut *self {
            Self::Begin => {
                *self = Self::Pause(Box::pin(tokio::time::sleep(Duration::from_millis(20))));
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"beg")))))
            }
            Self::Pause(pause) => pause.as_mut().poll(context).map(|()| Some(Err(ToldToReset))),
        }
    }
}

#[cfg(test)]
mod tests;
