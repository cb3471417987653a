use super::super::Settings;
use super::super::settings::OwnTls;
use crate::Secret;
use crate::service::{Field, FieldKind, token, url};

pub(super) const FIELDS: &[Field] = &[
    Field::required("url", "the cluster")
        .check(url)
        .example("https://elasticsearch.example.com:9200"),
    Field::required("index", "the index, alias or data stream")
        .check(index)
        .example("logs-streamalert.alerts-default"),
    Field::optional(
        "api_key",
        "an API key in its encoded form; instead of username and password",
    )
    .secret()
    .check(token),
    Field::optional("username", "who writes").check(token),
    Field::optional("password", "the password of that user").secret(),
    Field::optional("pipeline", "the ingest pipeline")
        .check(token)
        .example("alerts"),
    Field::optional("body_bytes_max", "larger documents lose their record, visibly")
        .kind(FieldKind::Number)
        // what the smallest instances of Amazon OpenSearch Service take
        .default("10485760"),
    Field::optional(
        "ca_file",
        "PEM file with the only certificate authorities to trust, instead of the machine's",
    ),
    Field::optional(
        "client_file",
        "PEM file with the certificate and private key to show (mutual TLS)",
    ),
];

/// What "Create an index" says of names.
fn index(name: &str) -> Result<(), String> {
    let unfit =
        |c: char| c.is_whitespace() || c.is_control() || c.is_uppercase() || "\\/*?\"<>|,#:".contains(c);
    if name.is_empty() || name.len() > 255 || name.starts_with(['-', '_', '+']) || name.contains(unfit) {
        return Err("is no name of an index".to_owned());
    }
    Ok(())
}

pub(super) enum Access {
    None,
    ApiKey(Secret),
    Password(String, Secret),
}

pub(super) struct Config {
    pub(super) url: Secret,
    pub(super) index: String,
    pub(super) access: Access,
    pub(super) pipeline: Option<String>,
    pub(super) body_bytes_max: usize,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let access = match (
            settings.optional_secret("api_key")?,
            settings.optional_text("username")?,
            settings.optional_secret("password")?,
        ) {
            (None, None, None) => Access::None,
            // an API key wins, so that it can be tried before the user is removed
            (Some(key), _, _) => Access::ApiKey(key),
            (None, Some(user), Some(password)) => Access::Password(user, password),
            (None, _, _) => return Err("username and password go together".to_owned()),
        };
        Ok(Self {
            url: settings.secret("url")?,
            index: settings.text("index")?,
            access,
            pipeline: settings.optional_text("pipeline")?,
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
