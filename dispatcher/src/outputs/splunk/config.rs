use super::super::Settings;
use super::super::settings::OwnTls;
use crate::Secret;
use crate::service::{Field, FieldKind, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "the collector, without a path")
        .check(url)
        .example("https://splunk.example.com:8088"),
    Field::required("token", "the token of the collector")
        .secret()
        .check(token)
        .example("00000000-0000-0000-0000-000000000000"),
    Field::optional("index", "the index; that of the token if none is given").example("security"),
    Field::optional("source", "the source of the events").default("streamalert"),
    Field::optional("sourcetype", "the source type of the events").default("streamalert:alert"),
    Field::optional("host", "the host of the events"),
    Field::optional(
        "channel",
        "the channel (a GUID), for tokens with indexer acknowledgement",
    )
    .check(token),
    Field::optional("body_bytes_max", "larger events lose their record, visibly")
        .kind(FieldKind::Number)
        // what Splunk Cloud takes
        .default("1000000"),
    Field::optional(
        "ca_file",
        "PEM file with the only certificate authorities to trust, instead of the machine's",
    ),
];

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) token: Secret,
    pub(super) index: Option<String>,
    pub(super) source: String,
    pub(super) sourcetype: String,
    pub(super) host: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) body_bytes_max: usize,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        Ok(Self {
            url: settings.secret("url")?,
            token: settings.secret("token")?,
            index: settings.optional_text("index")?,
            source: settings.text("source")?,
            sourcetype: settings.text("sourcetype")?,
            host: settings.optional_text("host")?,
            channel: settings.optional_text("channel")?,
            body_bytes_max: usize::try_from(settings.number("body_bytes_max")?).unwrap_or(usize::MAX),
        })
    }
}

pub(super) fn tls(settings: &Settings<'_>) -> Result<OwnTls, String> {
    Ok(OwnTls {
        ca_pem: settings.file("ca_file")?,
        ..OwnTls::default()
    })
}
