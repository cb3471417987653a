use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::super::Settings;
use super::super::http;
use super::super::http::base64;
use super::super::mail::{address, addresses};
use crate::Secret;
use crate::service::{Field, FieldKind, token};

pub(super) const FIELDS: &[Field] = &[
    Field::required("host", "the SMTP server; its certificate must be for this name")
        .check(token)
        .example("smtp.example.com"),
    Field::optional("port", "its port; unset: 587, 465 for implicit, 25 for none").kind(FieldKind::Number),
    Field::optional(
        "tls",
        "starttls (encryption begins after the greeting, and nothing is sent without), implicit (from the first byte) or none",
    )
    .check(tls)
    .default("starttls"),
    Field::optional("username", "the name to log in with; unset: no login")
        .check(line)
        .example("streamalert"),
    Field::optional("password", "the password of that name")
        .secret()
        .example("XXXX"),
    Field::required("from", "the address that mails are from")
        .check(one)
        .example("StreamAlert <alerts@example.com>"),
    Field::optional("to", "the addresses that get every alert; publications may name others")
        .kind(FieldKind::List)
        .example("soc@example.com"),
    Field::optional("reply_to", "the address that answers go to").check(one),
    Field::optional("hello", "the name of this machine for the server; unset: its host name").check(token),
    http::CA_FILE,
    Field::optional("message_bytes_max", "a larger mail goes without attachments")
        .kind(FieldKind::Number)
        // what common servers take
        .default("10000000"),
];

fn tls(text: &str) -> Result<(), String> {
    match text {
        "starttls" | "implicit" | "none" => Ok(()),
        _ => Err("must be starttls, implicit or none".to_owned()),
    }
}

fn one(text: &str) -> Result<(), String> {
    address(text).map(|_| ())
}

fn line(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    Ok(())
}

/// When encryption begins.
pub(super) enum Tls {
    /// After the greeting.
    Starttls(TlsParameters),
    /// With the first byte.
    Implicit(TlsParameters),
    /// Never.
    None,
}

/// Where mails go through.
pub(super) struct ServerConfig {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) hello: ClientId,
    pub(super) login: Option<(String, Secret)>,
}

/// From whom and to whom, unless a publication says otherwise.
pub(super) struct Heading {
    pub(super) from: Mailbox,
    pub(super) reply_to: Option<Mailbox>,
    pub(super) to: Vec<Mailbox>,
}

pub(super) struct Config {
    pub(super) server: ServerConfig,
    pub(super) heading: Heading,
    pub(super) message_bytes_max: usize,
}

impl Config {
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self, String> {
        let named = |name: &'static str| move |error: String| format!("{name}: {error}");
        let to = settings.list("to")?;
        Ok(Self {
            server: server(settings)?,
            heading: Heading {
                from: address(&settings.text("from")?).map_err(named("from"))?,
                reply_to: settings
                    .optional_text("reply_to")?
                    .map(|text| address(&text).map_err(named("reply_to")))
                    .transpose()?,
                to: addresses(&to.join(",")).map_err(named("to"))?,
            },
            message_bytes_max: usize::try_from(settings.number("message_bytes_max")?).unwrap_or(usize::MAX),
        })
    }

    /// The password, and what goes over the wire for it.
    pub(super) fn secrets(&self, settings: &Settings<'_>) -> Result<Vec<Secret>, String> {
        let Some((username, _)) = &self.server.login else {
            return Ok(Vec::new());
        };
        let password = settings.secret("password")?;
        let plain = format!("\0{username}\0{}", password.expose());
        let encoded = [plain.as_bytes(), password.expose().as_bytes()].map(base64);
        Ok([vec![password], encoded.map(Secret::new).into()].concat())
    }
}

fn server(settings: &Settings<'_>) -> Result<ServerConfig, String> {
    let host = settings.text("host")?;
    let kind = settings.text("tls")?;
    let (tls, port) = match kind.as_str() {
        "implicit" => (Tls::Implicit(parameters(settings, &host)?), 465),
        "none" => (Tls::None, 25),
        _ => (Tls::Starttls(parameters(settings, &host)?), 587),
    };
    let login = match (
        settings.optional_text("username")?,
        settings.optional_secret("password")?,
    ) {
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        (Some(_), None) => return Err("username without password".to_owned()),
        (None, Some(_)) => return Err("password without username".to_owned()),
    };
    if login.is_some() && matches!(tls, Tls::None) && !is_this_machine(&host) {
        return Err("tls: a password would go to another machine without encryption".to_owned());
    }
    let port = match settings.optional_number("port")? {
        None => port,
        Some(port) => u16::try_from(port).map_err(|_| "port: over 65535".to_owned())?,
    };
    let hello = settings.optional_text("hello")?;
    Ok(ServerConfig {
        host,
        port,
        tls,
        hello: hello.map_or_else(ClientId::default, ClientId::Domain),
        login,
    })
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn parameters(settings: &Settings<'_>, host: &str) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = settings.file("ca_file")? {
        let certificates =
            Certificate::from_pem(&pem).map_err(|_| "ca_file: no certificate in it".to_owned())?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificates);
    }
    builder
        .build_rustls()
        .map_err(|error| format!("TLS cannot be set up: {error}"))
}
