//! `webhook:NAME`: the publication as JSON in a POST (or PUT, or PATCH) to any address.
//!
//! With `hmac_secret` every request is signed: `Streamalert-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of
//! `SECONDS`, a dot and the body. With `client_file` the receiver is shown a certificate (mutual TLS).
//! 408, 425, 429 (with `Retry-After`) and 5xx are tried again, other statuses are final.
//!
//! Idempotency: the header `Idempotency-Key` is the same for every attempt at one delivery, for ever.
//!
//! Limits: a body over `body_bytes_max` is sent without record and context, and says so.

mod config;
mod request;
mod response;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use signature::{SIGNATURE_HEADER, SignatureError, sign, verify};

use super::http::{self, Answer, Api, HttpOutput, Parcel, Step};
use super::{Output, SendError, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "webhook",
    title: "Webhook",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    let api = Webhook(config::Config::read(settings)?);
    let poster = settings.poster_with(&config::tls(settings)?)?;
    Ok(Arc::new(HttpOutput::new(api, poster)))
}

struct Webhook(config::Config);

impl Api for Webhook {
    fn step(&self, parcel: &Parcel<'_>, answers: &[Answer]) -> Result<Step, SendError> {
        match answers {
            [] => request::post(&self.0, parcel).map(Step::Ask),
            [answer, ..] => response::judge(answer),
        }
    }
}
