use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::super::Settings;
use super::super::http::Method;
use super::super::settings::OwnTls;
use crate::Secret;
use crate::service::{Field, FieldKind, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "url",
        "where to post; a secret, because many carry their token in the path",
    )
    .secret()
    .check(url)
    .example("https://alerts.example.com/hook"),
    Field::optional("method", "POST, PUT or PATCH")
        .check(method)
        .default("POST"),
    Field::optional("headers", "further headers; their values are secrets")
        .secret()
        .kind(FieldKind::Map),
    Field::optional(
        "hmac_secret",
        "key of the signature; without it nothing is signed",
    )
    .secret(),
    Field::optional("body_bytes_max", "larger bodies lose their record, visibly")
        .kind(FieldKind::Number)
        // what common gateways take without being told otherwise
        .default("1048576"),
    Field::optional(
        "ca_file",
        "PEM file with the only certificate authorities to trust, instead of the machine's",
    ),
    Field::optional(
        "client_file",
        "PEM file with the certificate and private key to show (mutual TLS)",
    ),
    Field::optional(
        "client_key_file",
        "PEM file with that private key, where it is in a file of its own",
    ),
];

fn method(text: &str) -> Result<(), String> {
    match text {
        "POST" | "PUT" | "PATCH" => Ok(()),
        _ => Err("must be POST, PUT or PATCH".to_owned()),
    }
}

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) hmac_secret: Option<Secret>,
    pub(super) body_bytes_max: usize,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in settings.secrets("headers")? {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("headers.{name} is no name of a header"))?;
            let mut text = HeaderValue::from_str(value.expose())
                .map_err(|_| format!("headers.{name} has characters that no header may have"))?;
            text.set_sensitive(true);
            headers.insert(header, text);
        }
        Ok(Self {
            url: settings.secret("url")?,
            method: match settings.text("method")?.as_str() {
                "PUT" => Method::PUT,
                "PATCH" => Method::PATCH,
                _ => Method::POST,
            },
            headers,
            hmac_secret: settings.optional_secret("hmac_secret")?,
            body_bytes_max: usize::try_from(settings.number("body_bytes_max")?).unwrap_or(usize::MAX),
        })
    }
}

pub(super) fn tls(settings: &Settings<'_>) -> Result<OwnTls, String> {
    let identity_pem = match (settings.file("client_file")?, settings.file("client_key_file")?) {
        (Some(cert), Some(key)) => Some([cert, key].join(&b'\n')),
        (None, Some(_)) => return Err("client_key_file needs client_file".to_owned()),
        (both, None) => both,
    };
    Ok(OwnTls {
        ca_pem: settings.file("ca_file")?,
        identity_pem,
    })
}
