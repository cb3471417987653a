//! Outputs over http. An output writes two pure functions, what to ask and what the answer means, as an [`Api`];
//! [`HttpOutput`] does the rest: deadlines, connections, `Retry-After`, lost answers, limits, and no secret in errors.

mod answer;
mod api;
mod poster;
mod reach;
mod request;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use answer::Answer;
#[cfg(test)]
pub(crate) use answer::parse_retry_after;
pub(crate) use api::{Api, HttpOutput, Parcel, Step};
pub(crate) use poster::{MESSAGE_CHARS_MAX, Poster};
pub(crate) use request::{Request, base64, url_with};
use reqwest::Identity;
pub(crate) use reqwest::Method;

use super::settings::OwnTls;
use crate::Secret;
use crate::service::{Field, Reach};

/// Connections kept open per host while idle. There are never more than attempts were under way at once, and with fewer
/// kept than that, each burst would open connections anew: more than anybody configures.
const IDLE_CONNECTIONS_MAX: usize = 4_096;

/// A field of services that people run themselves, see
/// [`Settings::poster_with_ca_file`](super::Settings::poster_with_ca_file).
pub(crate) const CA_FILE: Field = Field::optional(
    "ca_file",
    "PEM file with the only certificate authorities to trust, instead of the machine's",
);

/// A client. Redirects are not followed: a redirect to an internal address must not carry an alert there, and a moved
/// endpoint is for the operator to see.
///
/// # Errors
/// One line when TLS cannot be set up, such as on a machine without root certificates.
pub(crate) fn client(reach: Reach, tls: &OwnTls) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("streamalert/", env!("CARGO_PKG_VERSION")));
    if reach == Reach::Public {
        builder = builder.dns_resolver(std::sync::Arc::new(reach::PublicOnly));
    }
    if let Some(pem) = &tls.ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
        if certificates.is_empty() {
            return Err("no certificate in the pem file".to_owned());
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(pem) = &tls.identity_pem {
        let identity = Identity::from_pem(pem)
            .map_err(|_| "no certificate with a private key in the pem file".to_owned())?;
        builder = builder.identity(identity);
    }
    builder
        .build()
        .map_err(|error| format!("http client cannot be set up: {}", poster::chain(&error)))
}

/// Whether `url` can be asked.
///
/// # Errors
/// One line that does not show the url, which may be a secret.
pub(crate) fn check_url(url: &Secret) -> Result<(), String> {
    let parsed = reqwest::Url::parse(url.expose()).map_err(|error| format!("url cannot be read: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err("url must begin with https:// or http://".to_owned());
    }
    Ok(())
}
