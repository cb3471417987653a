use std::sync::Arc;

use rskafka::client::{Credentials, SaslConfig};
use tokio_rustls::rustls::ClientConfig;

use super::super::settings::OwnTls;
use super::super::{Settings, http, tls};
use crate::service::{Field, FieldKind, token};

pub(super) const FIELDS: &[Field] = &[
    Field::required("brokers", "brokers to begin with, HOST:PORT each; the others are found through them")
        .kind(FieldKind::List)
        .example("kafka-1.example.com:9093,kafka-2.example.com:9093"),
    Field::required("topic", "the topic, which must exist")
        .check(topic)
        .example("security-alerts"),
    Field::optional("tls", "whether connections are encrypted")
        .kind(FieldKind::Flag)
        .default("true"),
    Field::optional("sasl", "how to log in: none, plain, scram-sha-256 or scram-sha-512")
        .check(sasl)
        .default("none")
        .example("scram-sha-512"),
    Field::optional("username", "the name to log in with").example("streamalert"),
    Field::optional("password", "the password of that name")
        .secret()
        .example("XXXX"),
    Field::optional("compression", "gzip or none").check(compression).default("gzip"),
    Field::optional(
        "message_bytes_max",
        "a larger publication loses its record, visibly; the default is a little below what topics take by default",
    )
    .kind(FieldKind::Number)
    .default("1000000"),
    http::CA_FILE,
    Field::optional(
        "client_file",
        "PEM file with the certificate and private key to show (mutual TLS)",
    ),
];

/// Names of topics, as brokers check them.
fn topic(text: &str) -> Result<(), String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=249).contains(&text.len()) && text.bytes().all(is_legal) {
        return Ok(());
    }
    Err("must be 1 to 249 letters, digits, dots, underscores and hyphens".to_owned())
}

fn sasl(text: &str) -> Result<(), String> {
    match text {
        "none" | "plain" | "scram-sha-256" | "scram-sha-512" => Ok(()),
        _ => Err("must be none, plain, scram-sha-256 or scram-sha-512".to_owned()),
    }
}

fn compression(text: &str) -> Result<(), String> {
    match text {
        "gzip" | "none" => Ok(()),
        _ => Err("must be gzip or none".to_owned()),
    }
}

/// Where records go.
pub(super) struct Cluster {
    pub(super) brokers: Vec<String>,
    pub(super) topic: String,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) sasl: Option<SaslConfig>,
    pub(super) is_compressed: bool,
}

pub(super) struct Config {
    pub(super) cluster: Cluster,
    pub(super) message_bytes_max: usize,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let brokers = settings.list("brokers")?;
        if brokers.is_empty() {
            return Err("brokers: at least one is needed".to_owned());
        }
        for broker in &brokers {
            let port = broker.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) || token(broker).is_err() {
                return Err("brokers: must be HOST:PORT each".to_owned());
            }
        }
        let own = OwnTls {
            ca_pem: settings.file("ca_file")?,
            identity_pem: settings.file("client_file")?,
        };
        let tls = match settings.flag("tls")? {
            true => Some(tls::client_config(&own)?),
            false if own.ca_pem.is_some() || own.identity_pem.is_some() => {
                return Err("ca_file and client_file without tls have no effect".to_owned());
            }
            false => None,
        };
        let sasl = login(settings)?;
        let is_local = |broker: &String| broker.starts_with("localhost:") || broker.starts_with("127.0.0.1:");
        if tls.is_none() && matches!(sasl, Some(SaslConfig::Plain(_))) && !brokers.iter().all(is_local) {
            return Err("tls: a password would go to another machine without encryption".to_owned());
        }
        Ok(Self {
            cluster: Cluster {
                brokers,
                topic: settings.text("topic")?,
                tls,
                sasl,
                is_compressed: settings.text("compression")? == "gzip",
            },
            message_bytes_max: usize::try_from(settings.number("message_bytes_max")?).unwrap_or(usize::MAX),
        })
    }
}

fn login(settings: &Settings<'_>) -> Result<Option<SaslConfig>, String> {
    let mechanism = settings.text("sasl")?;
    let (username, password) = (
        settings.optional_text("username")?,
        settings.optional_secret("password")?,
    );
    let credentials = match (username, password) {
        (Some(username), Some(password)) => Credentials::new(username, password.expose().to_owned()),
        (None, None) if mechanism == "none" => return Ok(None),
        _ => return Err("username and password are needed to log in, and sasl says how".to_owned()),
    };
    Ok(Some(match mechanism.as_str() {
        "plain" => SaslConfig::Plain(credentials),
        "scram-sha-256" => SaslConfig::ScramSha256(credentials),
        "scram-sha-512" => SaslConfig::ScramSha512(credentials),
        _ => return Err("username and password without sasl have no effect".to_owned()),
    }))
}
