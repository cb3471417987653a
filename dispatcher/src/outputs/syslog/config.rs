use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::settings::OwnTls;
use super::super::{Settings, http, tls};
use super::request::{Format, Shape};
use crate::service::{Field, FieldKind, token};

pub(super) const FIELDS: &[Field] = &[
    Field::required("host", "the receiver; its certificate must be for this name")
        .check(token)
        .example("logs.example.com"),
    Field::optional("port", "its port; unset: 6514 for tls, 601 for tcp, 514 for udp").kind(FieldKind::Number),
    Field::optional("protocol", "tls, tcp or udp").check(protocol).default("tls"),
    Field::optional(
        "connection",
        "each: a connection for every message, whose end says that it was read; or kept: one for all",
    )
    .check(connection)
    .default("each"),
    Field::optional(
        "framing",
        "octets: every message begins with its length; or lines: it ends with a line, for receivers that know no lengths",
    )
    .check(framing)
    .default("octets"),
    Field::optional("format", "json, the publication; or text, one line for people")
        .check(format)
        .default("json"),
    Field::optional("facility", "the facility, such as authpriv or local0 to local7")
        .check(|text| facility(text).map(|_| ()))
        .default("local0"),
    Field::optional("hostname", "the host name in messages")
        .check(|text| name(text, 255))
        .default("streamalert"),
    Field::optional("app_name", "the application in messages")
        .check(|text| name(text, 48))
        .default("streamalert"),
    Field::optional(
        "enterprise_id",
        "the private enterprise number of the structured data; the default is the one for documentation",
    )
    .kind(FieldKind::Number)
    .default("32473"),
    Field::optional("message_bytes_max", "a larger message is cut, visibly; at least 480")
        .kind(FieldKind::Number)
        .default("8192"),
    http::CA_FILE,
    Field::optional(
        "client_file",
        "PEM file with the certificate and private key to show (mutual TLS)",
    ),
];

/// A larger datagram does not fit into UDP over IPv4.
const DATAGRAM_BYTES_MAX: usize = 65_000;

fn one_of(text: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&text) {
        return Ok(());
    }
    Err(format!("must be one of {}", known.join(", ")))
}

fn protocol(text: &str) -> Result<(), String> {
    one_of(text, &["tls", "tcp", "udp"])
}

fn connection(text: &str) -> Result<(), String> {
    one_of(text, &["each", "kept"])
}

fn framing(text: &str) -> Result<(), String> {
    one_of(text, &["octets", "lines"])
}

fn format(text: &str) -> Result<(), String> {
    one_of(text, &["json", "text"])
}

/// `PRINTUSASCII` of RFC 5424.
fn name(text: &str, chars_max: usize) -> Result<(), String> {
    if (1..=chars_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!("must be 1 to {chars_max} visible ASCII characters"))
}

/// The number of a facility (RFC 5424, table 1).
fn facility(text: &str) -> Result<u8, String> {
    const NAMES: [&str; 16] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
        "ntp", "audit", "alert", "clock",
    ];
    let local = text
        .strip_prefix("local")
        .and_then(|number| number.parse::<u8>().ok());
    let known = NAMES.iter().zip(0u8..).find(|(name, _)| **name == text);
    match (known, local) {
        (Some((_, number)), _) => Ok(number),
        (None, Some(number @ 0..=7)) => Ok(16 + number),
        _ => Err("must be a facility, such as authpriv or local0".to_owned()),
    }
}

/// How messages travel.
pub(super) enum Protocol {
    Tls(Arc<ClientConfig>, ServerName<'static>),
    Tcp,
    Udp,
}

/// Where messages go.
pub(super) struct Receiver {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    /// Whether one connection serves all messages.
    pub(super) is_kept: bool,
    pub(super) counts_octets: bool,
}

pub(super) struct Config {
    pub(super) receiver: Receiver,
    pub(super) shape: Shape,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let host = settings.text("host")?;
        let own = OwnTls {
            ca_pem: settings.file("ca_file")?,
            identity_pem: settings.file("client_file")?,
        };
        let has_files = own.ca_pem.is_some() || own.identity_pem.is_some();
        let (protocol, port) = match settings.text("protocol")?.as_str() {
            "tcp" => (Protocol::Tcp, 601),
            "udp" => (Protocol::Udp, 514),
            _ => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| "host: neither a name nor an address".to_owned())?;
                (Protocol::Tls(tls::client_config(&own)?, name), 6514)
            }
        };
        if has_files && !matches!(protocol, Protocol::Tls(..)) {
            return Err("ca_file and client_file need protocol tls".to_owned());
        }
        let port = match settings.optional_number("port")? {
            None => port,
            Some(port) => u16::try_from(port).map_err(|_| "port: over 65535".to_owned())?,
        };
        let bytes_max = usize::try_from(settings.number("message_bytes_max")?).unwrap_or(usize::MAX);
        if bytes_max < 480 {
            return Err("message_bytes_max: must be at least 480".to_owned());
        }
        let is_datagram = matches!(protocol, Protocol::Udp);
        Ok(Self {
            receiver: Receiver {
                host,
                port,
                protocol,
                is_kept: settings.text("connection")? == "kept",
                counts_octets: settings.text("framing")? == "octets",
            },
            shape: Shape {
                facility: facility(&settings.text("facility")?)?,
                hostname: settings.text("hostname")?,
                app_name: settings.text("app_name")?,
                enterprise_id: settings.number("enterprise_id")?,
                format: match settings.text("format")?.as_str() {
                    "text" => Format::Text,
                    _ => Format::Json,
                },
                bytes_max: if is_datagram {
                    bytes_max.min(DATAGRAM_BYTES_MAX)
                } else {
                    bytes_max
                },
            },
        })
    }
}
