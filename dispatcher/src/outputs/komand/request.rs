use streamalert_value::Value;

use super::config::Config;
use crate::outputs::SendError;
use crate::outputs::http::{Method, Parcel, Request};
use crate::outputs::json::map;
use crate::to_json;

/// Ours, see the page.
pub(super) const EVENT_BYTES_MAX: usize = 1 << 20;

/// The request of one delivery.
pub(super) fn event(config: &Config, parcel: &Parcel<'_>) -> Result<Request, SendError> {
    let publication = parcel.publication;
    let with = |data: Value| to_json(&map([("data", data)]));
    let whole = with(publication.body.clone());
    let body = if whole.len() <= EVENT_BYTES_MAX {
        whole
    } else {
        with(publication.shortened(whole.len(), EVENT_BYTES_MAX))
    };
    Request::new(Method::POST, &config.url)
        .with_json_bytes(body)
        .secret_header("authorization", config.token.expose())?
        .secret_header("x-api-key", config.token.expose())?
        .header("idempotency-key", parcel.key)
}
