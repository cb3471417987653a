use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::super::Settings;
use super::super::settings::OwnTls;
use crate::Secret;
use crate::service::{Field, FieldKind, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "the collector; /v1/logs is added unless it is there")
        .check(url)
        .example("http://localhost:4318"),
    Field::optional(
        "headers",
        "further headers, such as those of authentication; their values are secrets",
    )
    .secret()
    .kind(FieldKind::Map),
    Field::optional("service_name", "the resource's service.name").default("streamalert"),
    Field::optional("body_bytes_max", "larger requests lose their record, visibly")
        .kind(FieldKind::Number)
        // what backends behind collectors take
        .default("1048576"),
    Field::optional(
        "ca_file",
        "PEM file with the only certificate authorities to trust, instead of the machine's",
    ),
    Field::optional(
        "client_file",
        "PEM file with the certificate and private key to show (mutual TLS)",
    ),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) headers: HeaderMap,
    pub(super) service_name: String,
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
            headers,
            service_name: settings.text("service_name")?,
            body_bytes_max: usize::try_from(settings.number("body_bytes_max")?).unwrap_or(usize::MAX),
        })
    }
}

pub(super) fn tls(settings: &Settings<'_>) -> Result<OwnTls, String> {
    Ok(OwnTls {
        ca_pem: settings.file("ca_file")?,
        identity_pem: settings.file("client_file")?,
    })
}
