use std::path::Path;

use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{Peer, PeerKind};
use streamalert_testkit::{TempDir, tempdir};

use super::*;
use crate::OutputRegistry;
use crate::outputs::fixtures::{alert, alert_with_record, context, magic, problem, publication};
use crate::outputs::suite::{Case, Misfortune, PLANTED, PeerCase, peer::certificates};

pub(super) fn case() -> Case {
    Case::Peer(PeerCase {
        kind: PeerKind::Smtp,
        prepare,
        settings: |ports| settings("starttls", ports),
        misfortune: |misfortune| {
            Some(match misfortune {
                Misfortune::Busy => json!({"do": "say", "text": "451 4.7.1 Try again later"}),
                Misfortune::Refused(text) => json!({"do": "say", "text": format!("554 5.7.1 {text}")}),
                Misfortune::Hang => json!({"do": "hang"}),
                Misfortune::Reset => json!({"do": "reset"}),
                Misfortune::LostAnswer => json!({"do": "lost"}),
            })
        },
        check,
        sample,
    })
}

fn prepare(folder: &Path) {
    let login = json!(["streamalert", PLANTED]);
    std::fs::write(folder.join("login.json"), login.to_string()).unwrap();
}

fn settings(tls: &str, ports: &Json) -> Json {
    let mut settings = json!({
        "host": "localhost", "port": ports[tls].as_u64().unwrap_or(1), "tls": tls,
        "from": "StreamAlert <alerts@example.com>", "to": ["soc@example.com", "Bé <b@example.com>"],
        "hello": "streamalert.example.com",
    });
    if tls != "none" {
        settings["ca_file"] = json!("ca.pem");
        settings["username"] = json!("streamalert");
        settings["password"] = json!(PLANTED);
    }
    settings
}

/// What RFC 5322 and its like say, read by Python's strict reader.
fn check(taken: &Json) {
    assert_eq!(taken["defects"], json!([]), "{taken}");
    assert_eq!(
        (&taken["encrypted"], &taken["login"]),
        (&json!(true), &json!(true)),
        "{}",
        taken["headers"]
    );
    assert_eq!(taken["sender"], "alerts@example.com");
    let headers = &taken["headers"];
    for name in [
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "auto-submitted",
    ] {
        assert!(headers[name].is_string(), "{name}: {headers}");
    }
    for part in ["text/plain", "text/html"] {
        assert!(
            taken["parts"][part].as_str().is_some_and(|part| !part.is_empty()),
            "{part}"
        );
    }
    let raw = taken["raw"].as_str().unwrap();
    assert!(
        raw.is_ascii()
            && raw
                .split("\r\n")
                .all(|line| line.len() <= 998 && !line.contains(['\r', '\n']))
    );
}

/// The headers and the text; a picture shows the rest.
fn sample(taken: &Json) -> String {
    let raw = taken["raw"].as_str().unwrap();
    let head = raw.split("\r\n\r\n").next().unwrap().replace("\r\n", "\n");
    let text = taken["parts"]["text/plain"]
        .as_str()
        .unwrap()
        .replace("\r\n", "\n");
    format!("{head}\n\n{}\n", text.trim())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A server, and an output to it.
struct Post {
    peer: Peer,
    ports: Json,
    dir: TempDir,
}

impl Post {
    async fn new() -> Option<Self> {
        let dir = tempdir().unwrap();
        certificates(dir.path());
        prepare(dir.path());
        let peer = Peer::start(PeerKind::Smtp, dir.path()).await?;
        let ports = serde_json::from_str(&peer.ask("GET", "/", "").await).unwrap();
        Some(Self { peer, ports, dir })
    }

    fn output(&self, tls: &str, more: Json) -> Arc<dyn Output> {
        let mut settings = settings(tls, &self.ports);
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        output(self.dir.path(), settings)
    }

    async fn plan(&self, plan: Json) {
        self.peer.ask("POST", "/plan", &plan.to_string()).await;
    }

    async fn taken(&self) -> Vec<Json> {
        serde_json::from_str(&self.peer.ask("GET", "/arrived", "").await).unwrap()
    }
}

#[tokio::test]
async fn mails_go_encrypted_or_not_as_the_settings_say() {
    let Some(post) = Post::new().await else { return };
    let publication = publication(alert(1), "email:a").await;
    for tls in ["starttls", "implicit", "none"] {
        let output = post.output(tls, json!({}));
        // the second over the same connection
        for _ in 0..2 {
            output.send(&publication, "k", soon()).await.unwrap();
        }
    }
    let taken = post.taken().await;
    let encrypted: Vec<bool> = taken.iter().map(|mail| mail["encrypted"] == true).collect();
    assert_eq!(encrypted, [true, true, true, true, false, false]);
    assert_eq!(taken[0]["to"], json!(["soc@example.com", "b@example.com"]));
    // a server without encryption gets nothing
    let mut plain = settings("starttls", &post.ports);
    plain["port"] = post.ports["none"].clone();
    let error = post
        .output("starttls", plain)
        .send(&publication, "k", soon())
        .await
        .unwrap_err();
    assert!(
        error.is_retryable() && error.message.contains("does not offer encryption"),
        "{error}"
    );
    assert_eq!(post.taken().await.len(), 6);
}

fn output(dir: &Path, settings: Json) -> Arc<dyn Output> {
    let name: streamalert_types::OutputName = "email:a".parse().unwrap();
    let spec = crate::OutputSpec {
        name: name.clone(),
        settings,
        origin: String::new(),
    };
    let loaded = OutputRegistry::load(&[spec], &context(dir)).unwrap();
    loaded.into_outputs().remove(&name).unwrap().output
}

/// A server that encrypts, and on the way to it somebody who adds `extra` to the answer before.
async fn server_with(extra: &'static [u8], folder: &Path) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = [0; 1000];
        stream.write_all(b"220 hello\r\n").await.unwrap();
        assert!(stream.read(&mut line).await.unwrap() > 0);
        stream.write_all(b"250-x\r\n250 STARTTLS\r\n").await.unwrap();
        assert!(stream.read(&mut line).await.unwrap() > 0);
        stream.write_all(&[b"220 go\r\n", extra].concat()).await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        for answer in ["250 x", "250 ok", "250 ok", "250 ok", "354 go on", "250 taken"] {
            if stream.read(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            let _ = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
        }
        // the mail comes in pieces
        while stream.read(&mut line).await.unwrap_or_default() > 0 {}
    });
    port
}

#[tokio::test]
async fn what_was_said_before_encryption_does_not_count_after_it() {
    let dir = tempdir().unwrap();
    certificates(dir.path());
    let send = async |extra| {
        let port = server_with(extra, dir.path()).await;
        let settings = json!({
            "host": "localhost", "port": port, "from": "a@example.com", "to": "b@example.com", "ca_file": "ca.pem",
            "hello": "x",
        });
        let output = output(dir.path(), settings);
        let publication = publication(alert(1), "email:a").await;
        output.send(&publication, "k", soon()).await
    };
    let error = send(b"250-x\r\n250 ok\r\n").await.unwrap_err();
    assert!(
        error.is_retryable() && error.message.starts_with("STARTTLS: "),
        "{error}"
    );
    let error = send(b"250 ok\r\n250 ok\r\n250 ok\r\n354 ok\r\n250 taken\r\n")
        .await
        .unwrap_err();
    assert!(!error.may_have_happened(), "{error}");
    assert_eq!(send(b"").await.map(|_| ()), Ok(()));
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let Some(post) = Post::new().await else { return };
    let publication = publication(alert(1), "email:a").await;
    let output = post.output("starttls", json!({"password": "something-else"}));
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(
        !error.is_retryable() && error.message.starts_with("login: 535"),
        "{error}"
    );
    assert!(!error.message.contains("something-else"), "{error}");
}

#[tokio::test]
async fn those_who_have_a_mail_do_not_get_it_again() {
    let Some(post) = Post::new().await else { return };
    let to = json!({"to": "a@example.com, later@example.com, refused@example.com"});
    let (output, publication) = (
        post.output("starttls", to),
        publication(alert(1), "email:a").await,
    );
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened(), "{error}");
    assert!(
        error.message.contains("later@example.com: 450 4.2.0 Greylisted"),
        "{error}"
    );
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(
        !error.is_retryable() && error.message.contains("refused@example.com: 550"),
        "{error}"
    );
    let to: Vec<Json> = post
        .taken()
        .await
        .into_iter()
        .map(|mail| mail["to"].clone())
        .collect();
    assert_eq!(to, [json!(["a@example.com"]), json!(["later@example.com"])]);

    let output = post.output("starttls", json!({"to": "refused@example.com"}));
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(!error.is_retryable() && !error.may_have_happened(), "{error}");
}

#[tokio::test]
async fn what_is_too_large_for_the_server_goes_without_attachments() {
    let Some(post) = Post::new().await else { return };
    let huge = alert_with_record(1, &json!({"blob": "x".repeat(500_000)}).to_string());
    let publication = publication(huge, "email:a").await;
    let output = post.output("starttls", json!({}));
    output.send(&publication, "k", soon()).await.unwrap();
    post.plan(json!([{"over": 100_000}, {"over": 100_000}])).await;
    output.send(&publication, "k", soon()).await.unwrap();
    let small = post.output("starttls", json!({"message_bytes_max": 100_000}));
    small.send(&publication, "k", soon()).await.unwrap();
    let taken = post.taken().await;
    assert!(taken[0]["files"]["alert.json"].as_str().unwrap().len() > 500_000);
    for mail in &taken[1..] {
        assert_eq!(mail["files"], json!({}));
        assert!(mail["text"].as_str().unwrap().contains("Attachments left out"));
    }
    assert_eq!(taken.len(), 3);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_may_have_happened_or_not() {
    let Some(post) = Post::new().await else { return };
    let (output, publication) = (
        post.output("none", json!({})),
        publication(alert(1), "email:a").await,
    );
    post.plan(json!([{"do": "hang"}, {"do": "reset"}])).await;
    let error = output
        .send(&publication, "k", Instant::now() + Duration::from_millis(500))
        .await
        .unwrap_err();
    assert!(error.is_retryable() && !error.may_have_happened(), "{error}");
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened(), "{error}");
}

#[tokio::test]
async fn publications_may_name_the_recipients() {
    let Some(post) = Post::new().await else { return };
    let output = post.output("starttls", json!({"to": []}));
    for (to, gets) in [
        (
            json!("x@example.com, Y <y@example.com>"),
            json!(["x@example.com", "y@example.com"]),
        ),
        (json!(["z@example.com"]), json!(["z@example.com"])),
    ] {
        let publication = magic(publication(alert(1), "email:a").await, json!({"@email.to": to}));
        output.send(&publication, "k", soon()).await.unwrap();
        assert_eq!(post.taken().await.pop().unwrap()["to"], gets);
    }
    for to in [
        json!(null),
        json!("x@example.com\nBcc: y@example.com"),
        json!([1]),
    ] {
        let publication = magic(publication(alert(1), "email:a").await, json!({"@email.to": to}));
        let error = output.send(&publication, "k", soon()).await.unwrap_err();
        assert!(
            !error.is_retryable() && error.message.contains("@email.to"),
            "{error}"
        );
    }
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let base = || json!({"host": "smtp.example.com", "from": "a@example.com", "to": "b@example.com"});
    for (name, value, says) in [
        ("from", json!("nobody"), "from: no address"),
        ("to", json!("nobody"), "to: no address"),
        ("tls", json!("ssl"), "tls: must be"),
        ("port", json!(65536), "port: over 65535"),
        ("password", json!("secret"), "password without username"),
        ("username", json!("me"), "username without password"),
        ("hello", json!("a b"), "hello: must not"),
    ] {
        let mut settings = base();
        settings[name] = value;
        let problem = problem("email:a", settings);
        assert!(problem.contains(says), "{name}: {problem}");
    }
    let login = json!({"username": "me", "password": "secret", "tls": "none"});
    let mut settings = base();
    settings
        .as_object_mut()
        .unwrap()
        .extend(login.as_object().unwrap().clone());
    assert!(problem("email:a", settings.clone()).contains("without encryption"));
    settings["host"] = json!("localhost");
    assert_eq!(problem("email:a", settings), "");
}
