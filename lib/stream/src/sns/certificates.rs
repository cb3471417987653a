use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::signature::{SigningKey, is_certificate_url};

/// Certificates that are kept. SNS has one or two at a time in each region.
const KEYS_MAX: usize = 32;
/// How long no other certificate is fetched after one that could not be: forged messages must not make us call.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches what SNS has at an address of its own. A seam, so that tests need no network.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// The body of a successful answer.
    ///
    /// # Errors
    /// Why there is none, in one line.
    async fn get(&self, url: &str) -> Result<Bytes, String>;
}

/// Fetches over HTTPS, and follows no redirects: the host that was checked is the host that is asked.
#[derive(Debug, Clone)]
pub struct HttpsFetch(reqwest::Client);

impl HttpsFetch {
    /// A client of its own.
    ///
    /// # Errors
    /// Why TLS cannot be set up.
    pub fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build();
        client.map(Self).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Fetch for HttpsFetch {
    async fn get(&self, url: &str) -> Result<Bytes, String> {
        let text = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.0.get(url).send().await.map_err(text)?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(text)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!("more than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoKey {
    /// It is not SNS's.
    Forged(&'static str),
    /// It cannot be fetched now.
    Unavailable(String),
}

/// Keys of certificates, by their address.
pub(super) struct Certificates {
    fetch: Arc<dyn Fetch>,
    /// Held while fetching: one at a time.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<String, Arc<SigningKey>>,
    failed_at: Option<Instant>,
}

impl Certificates {
    pub(super) fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self {
            fetch,
            state: Mutex::default(),
        }
    }

    pub(super) async fn key(&self, url: &str) -> Result<Arc<SigningKey>, NoKey> {
        if !is_certificate_url(url) {
            return Err(NoKey::Forged("the certificate is not at an address of sns"));
        }
        let mut state = self.state.lock().await;
        if let Some(key) = state.keys.get(url) {
            return Ok(key.clone());
        }
        if state.failed_at.is_some_and(|at| at.elapsed() < FAILED_PAUSE) {
            return Err(NoKey::Unavailable(
                "a certificate could not be fetched just now".to_owned(),
            ));
        }
        let key = match self.fetch.get(url).await {
            Ok(pem) => SigningKey::of_pem(&pem),
            Err(reason) => Err(reason),
        };
        match key {
            Ok(key) => {
                state.failed_at = None;
                if state.keys.len() >= KEYS_MAX {
                    state.keys.pop_first();
                }
                let key = Arc::new(key);
                state.keys.insert(url.to_owned(), key.clone());
                Ok(key)
            }
            Err(reason) => {
                state.failed_at = Some(Instant::now());
                tracing::warn!(url, reason, "certificate of sns not fetched");
                Err(NoKey::Unavailable(reason))
            }
        }
    }
}
