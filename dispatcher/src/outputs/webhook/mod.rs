//! `webhook:NAME`: the publication as JSON in a POST to any address.
//!
//! Configuration: `url`; `headers`; `hmac_secret` (see [`signature`]); `body_bytes_max`; `ca_file`.
//! Idempotency: the header `Idempotency-Key` is the same for every attempt at one delivery, for ever.
//! Limits: a body over `body_bytes_max` is sent without record and context, and says so.
//! Redirects are refused; 408, 425, 429 (with `Retry-After`) and 5xx are tried again, other statuses are final.

mod config;
mod request;
mod response;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use config::WebhookConfig;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use signature::{SIGNATURE_HEADER, SignatureError, sign, verify};
use streamalert_types::Clock;
use tokio::time::Instant;

use super::http::{self, Poster};
use super::{Output, SendError};
use crate::registry::LoadContext;
use crate::{DeliveryOptions, Publication, Redactor, Secret};

/// Posts to one address.
pub struct WebhookOutput {
    url: Secret,
    headers: HeaderMap,
    hmac_secret: Option<Secret>,
    body_bytes_max: usize,
    poster: Poster,
}

impl WebhookOutput {
    pub(crate) fn configured(
        config: &WebhookConfig,
        context: &LoadContext,
        client: reqwest::Client,
    ) -> Result<Self, String> {
        let url = context.secret("url", &config.url)?;
        http::check_url(&url)?;
        let mut headers = HeaderMap::new();
        let mut secrets = vec![url.clone()];
        for (name, setting) in &config.headers {
            let value = context.secret(&format!("headers.{name}"), setting)?;
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("headers.{name} is no name of a header"))?;
            let mut text = HeaderValue::from_str(value.expose())
                .map_err(|_| format!("headers.{name} has characters that no header may have"))?;
            text.set_sensitive(true);
            headers.insert(header, text);
            secrets.push(value);
        }
        let hmac_secret = match &config.hmac_secret {
            Some(setting) => Some(context.secret("hmac_secret", setting)?),
            None => None,
        };
        secrets.extend(hmac_secret.clone());
        let client = match &config.ca_file {
            None => client,
            Some(file) => {
                let pem = std::fs::read(context.base_dir.join(file))
                    .map_err(|error| format!("ca_file {file} cannot be read: {error}"))?;
                http::client(Some(&pem))?
            }
        };
        let clock: Arc<dyn Clock> = Arc::clone(&context.clock);
        let poster = Poster {
            client,
            redactor: Redactor::new(&secrets),
            clock,
        };
        Ok(Self {
            url,
            headers,
            hmac_secret,
            body_bytes_max: config.body_bytes_max,
            poster,
        })
    }

    /// See the response module.
    #[must_use]
    pub fn delivery_options() -> DeliveryOptions {
        response::delivery_options()
    }
}

#[async_trait]
impl Output for WebhookOutput {
    async fn send(&self, publication: &Publication, key: &str, deadline: Instant) -> Result<(), SendError> {
        let body = request::body(publication, self.body_bytes_max)?;
        let unix_secs = self.poster.clock.now().as_micros().div_euclid(1_000_000);
        let (secret, trace) = (self.hmac_secret.as_ref(), publication.traceparent);
        let headers = request::headers(&self.headers, secret, key, unix_secs, &body, trace)?;
        response::judge(&self.poster.post(&self.url, headers, body, deadline).await?)
    }
}
