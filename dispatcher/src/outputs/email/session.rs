//! The dialogue with a server, and connections kept for the next mail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::Extension;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::config::{ServerConfig, Tls};
use super::stream::Careful;

/// Kept while idle; more would only take places at the server.
const IDLE_MAX: usize = 4;

/// Servers wait five minutes for a command, firewalls between forget connections sooner.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// For a connection: a server that is there answers sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For a sign that a kept connection is alive.
const NOOP_TIMEOUT: Duration = Duration::from_secs(3);

/// What an attempt was at when it failed, in words for people.
pub(super) type Step = &'static str;

/// Why a mail was not taken.
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) error: Problem,
}

/// What went wrong.
pub(super) enum Problem {
    /// The server said so, or the connection failed.
    Smtp(Error),
    /// There is no connection.
    Network(std::io::Error),
    /// The server cannot what is needed.
    Unable(&'static str),
}

/// For whom the server took a mail, and for whom not.
pub(super) struct Taken {
    pub(super) accepted: Vec<Address>,
    pub(super) refused: Vec<(Address, Error)>,
}

/// An SMTP server.
pub(super) struct Server {
    config: ServerConfig,
    idle: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
}

fn at(step: Step) -> impl Fn(Error) -> Failure {
    move |error| Failure {
        step,
        error: Problem::Smtp(error),
    }
}

impl Server {
    pub(super) fn new(config: ServerConfig) -> Self {
        Self {
            config,
            idle: Mutex::default(),
        }
    }

    /// Sends `mail`. `begun` becomes true when the server may have all of it.
    pub(super) async fn send(
        &self,
        (from, to): &(Option<Address>, Vec<Address>),
        mail: &[u8],
        begun: &AtomicBool,
    ) -> Result<Taken, Failure> {
        let mut connection = match self.kept().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let taken = dialogue(&mut connection, from.as_ref(), to, mail, begun).await?;
        if !taken.accepted.is_empty() {
            self.keep(connection);
        }
        Ok(taken)
    }

    /// A connection from before that is still alive.
    async fn kept(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let newest = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let (since, mut connection) = newest?;
            let is_alive = since.elapsed() < IDLE_FOR
                && timeout(NOOP_TIMEOUT, connection.test_connected()).await == Ok(true);
            if is_alive {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, _)| since.elapsed() < IDLE_FOR);
        if idle.len() < IDLE_MAX {
            idle.push((Instant::now(), connection));
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let ServerConfig {
            host,
            port,
            tls,
            hello,
            login,
        } = &self.config;
        let server = (host.as_str(), *port);
        let mut connection = match tls {
            Tls::Starttls(_) => {
                let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(server)).await;
                let stream = connected.map_err(|_| unable("connection", "no answer in time"))?;
                let stream = stream.map_err(|error| Failure {
                    step: "connection",
                    error: Problem::Network(error),
                })?;
                AsyncSmtpConnection::connect_with_transport(Box::new(Careful::new(stream)), hello).await
            }
            Tls::Implicit(_) | Tls::None => {
                let implicit = match tls {
                    Tls::Implicit(parameters) => Some(parameters.clone()),
                    Tls::Starttls(_) | Tls::None => None,
                };
                AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_TIMEOUT), hello, implicit, None)
                    .await
            }
        }
        .map_err(at("connection"))?;
        if let Tls::Starttls(parameters) = tls {
            if !connection.can_starttls() {
                return Err(unable("STARTTLS", "the server does not offer encryption"));
            }
            let encrypted = connection.starttls(parameters.clone(), hello).await;
            encrypted.map_err(at("STARTTLS"))?;
        }
        if let Some((username, password)) = login {
            const KNOWN: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
            if connection.server_info().get_auth_mechanism(&KNOWN).is_none() {
                return Err(unable("login", "the server offers neither PLAIN nor LOGIN"));
            }
            let credentials = Credentials::new(username.clone(), password.expose().to_owned());
            connection.auth(&KNOWN, &credentials).await.map_err(at("login"))?;
        }
        Ok(connection)
    }
}

const fn unable(step: Step, what: &'static str) -> Failure {
    Failure {
        step,
        error: Problem::Unable(what),
    }
}

async fn dialogue(
    connection: &mut AsyncSmtpConnection,
    from: Option<&Address>,
    to: &[Address],
    mail: &[u8],
    begun: &AtomicBool,
) -> Result<Taken, Failure> {
    let mut parameters = Vec::new();
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    if !from.into_iter().chain(to).all(is_ascii) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(unable(
                "MAIL FROM",
                "the server takes no addresses in unicode (SMTPUTF8)",
            ));
        }
        parameters.push(lettre::transport::smtp::extension::MailParameter::SmtpUtfEight);
    }
    let sender = connection.command(Mail::new(from.cloned(), parameters)).await;
    sender.map_err(at("MAIL FROM"))?;
    let mut taken = Taken {
        accepted: Vec::new(),
        refused: Vec::new(),
    };
    for address in to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => taken.accepted.push(address.clone()),
            // it closes the connection
            Err(error) if error.status().is_some_and(|code| u16::from(code) != 421) => {
                taken.refused.push((address.clone(), error));
            }
            Err(error) => return Err(at("RCPT TO")(error)),
        }
    }
    if taken.accepted.is_empty() {
        return Ok(taken);
    }
    connection.command(Data).await.map_err(at("DATA"))?;
    begun.store(true, Ordering::Relaxed);
    match connection.message(mail).await {
        Ok(_) => Ok(taken),
        Err(error) => {
            if error.status().is_some() {
                // it was not taken, and we know
                begun.store(false, Ordering::Relaxed);
            }
            Err(at("the mail")(error))
        }
    }
}
