use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{Peer, PeerKind};
use streamalert_testkit::{TempDir, tempdir};
use streamalert_types::Alert;

use super::request::{Format, Shape};
use super::*;
use crate::OutputRegistry;
use crate::outputs::fixtures::{alert, alert_with_record, context, problem, publication};
use crate::outputs::suite::{Case, Misfortune, PeerCase, layouts, peer::certificates};

pub(super) fn case() -> Case {
    Case::Peer(PeerCase {
        kind: PeerKind::Syslog,
        prepare: |_| (),
        settings: |ports| settings("tls", ports),
        misfortune: |misfortune| {
            let what = match misfortune {
                // a receiver says nothing
                Misfortune::Busy | Misfortune::Refused(_) => return None,
                Misfortune::Hang => "hang",
                Misfortune::Reset => "reset",
                Misfortune::LostAnswer => "lost",
            };
            Some(json!({"do": what}))
        },
        check,
        sample,
    })
}

fn settings(protocol: &str, ports: &Json) -> Json {
    let mut settings = json!({
        "host": "localhost", "port": ports[protocol].as_u64().unwrap_or(1), "message_bytes_max": 16384,
        "protocol": if protocol == "mtls" { "tls" } else { protocol },
    });
    if protocol.ends_with("tls") {
        settings["ca_file"] = json!("ca.pem");
    }
    if protocol == "mtls" {
        settings["client_file"] = json!("client.pem");
    }
    settings
}

/// As rsyslog read it.
fn check(taken: &Json) {
    let text = |name: &str| taken[name].as_str().unwrap().to_owned();
    assert_eq!(text("pri"), "132");
    assert_eq!(text("protocol"), "1");
    assert_eq!(text("time"), "2026-01-31T07:59:59.000000Z");
    assert_eq!(
        (text("host"), text("app")),
        ("streamalert".to_owned(), "streamalert".to_owned())
    );
    assert_eq!(
        (text("process"), text("kind")),
        ("-".to_owned(), "cloudtrail_root_login".to_owned())
    );
    let data = text("data");
    assert!(
        data.starts_with("[streamalert@32473 key=\"") && data.ends_with("\"]"),
        "{data}"
    );
    let message = text("message");
    assert!(
        message.is_ascii() && serde_json::from_str::<Json>(&message).is_ok(),
        "{message}"
    );
}

fn sample(taken: &Json) -> String {
    let text = |name: &str| taken[name].as_str().unwrap().to_owned();
    format!(
        "<{}>{} {} {} {} {} {} {} {}\n",
        text("pri"),
        text("protocol"),
        text("time"),
        text("host"),
        text("app"),
        text("process"),
        text("kind"),
        text("data"),
        text("message")
    )
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn shape(format: Format, bytes_max: usize) -> Shape {
    Shape {
        facility: 16,
        hostname: "h".to_owned(),
        app_name: "a".to_owned(),
        enterprise_id: 32473,
        format,
        bytes_max,
    }
}

fn message(publication: &Publication, shape: &Shape) -> String {
    String::from_utf8(request::message(publication, "k", shape)).unwrap()
}

struct Receiver {
    peer: Peer,
    ports: Json,
    dir: TempDir,
}

impl Receiver {
    async fn new() -> Option<Self> {
        let dir = tempdir().unwrap();
        certificates(dir.path());
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join("client.pem"), read("cert.pem") + &read("key.pem")).unwrap();
        let peer = Peer::start(PeerKind::Syslog, dir.path()).await?;
        let ports = serde_json::from_str(&peer.ask("GET", "/", "").await).unwrap();
        Some(Self { peer, ports, dir })
    }

    fn output(&self, protocol: &str, more: Json) -> Arc<dyn Output> {
        let mut settings = settings(protocol, &self.ports);
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        output(self.dir.path(), settings)
    }

    async fn taken(&self, count: usize) -> Vec<Json> {
        for _ in 0..500 {
            let taken: Vec<Json> = serde_json::from_str(&self.peer.ask("GET", "/arrived", "").await).unwrap();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} did not arrive: {}", self.peer.output());
    }
}

fn output(dir: &Path, settings: Json) -> Arc<dyn Output> {
    let spec = crate::OutputSpec {
        name: "syslog:a".parse().unwrap(),
        settings,
        origin: String::new(),
    };
    let loaded = OutputRegistry::load(&[spec], &context(dir)).unwrap();
    loaded
        .into_outputs()
        .remove(&"syslog:a".parse().unwrap())
        .unwrap()
        .output
}

#[tokio::test]
async fn messages_arrive_over_every_protocol() {
    let Some(receiver) = Receiver::new().await else {
        return;
    };
    let publication = layouts::rich("syslog:a").await;
    let mut count = 0;
    for protocol in ["tls", "mtls", "tcp", "udp"] {
        for more in [
            json!({}),
            json!({"connection": "kept", "framing": "lines"}),
            json!({"connection": "kept", "format": "text"}),
        ] {
            let output = receiver.output(protocol, more.clone());
            for _ in 0..2 {
                count += 1;
                let sent = output.send(&publication, "k", soon()).await;
                sent.unwrap_or_else(|error| panic!("{protocol} {more}: {error}"));
                let last = receiver.taken(count).await.pop().unwrap();
                assert_eq!(
                    (&last["pri"], &last["kind"]),
                    (&json!("130"), &json!("cloudtrail_root_login"))
                );
                assert!(last["text"].as_str().unwrap().contains("203.0.113.7"), "{last}");
                assert!(
                    last["data"].as_str().unwrap().contains(" severity=\"critical\""),
                    "{last}"
                );
            }
        }
    }
    // without its certificate
    let output = receiver.output("mtls", json!({"client_file": ""}));
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_kept_connection_that_ended_is_made_anew() {
    let Some(receiver) = Receiver::new().await else {
        return;
    };
    let publication = publication(alert(1), "syslog:a").await;
    let output = receiver.output("tls", json!({"connection": "kept"}));
    output.send(&publication, "a", soon()).await.unwrap();
    receiver.taken(1).await;
    receiver.peer.ask("POST", "/down", "").await;
    let error = output.send(&publication, "b", soon()).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    receiver.peer.ask("POST", "/up", "").await;
    output.send(&publication, "b", soon()).await.unwrap();
    assert_eq!(receiver.taken(2).await[1]["identity"], "b");
}

#[tokio::test]
async fn a_message_that_was_not_read_is_not_delivered() {
    let Some(receiver) = Receiver::new().await else {
        return;
    };
    let publication = publication(alert(1), "syslog:a").await;
    for protocol in ["tcp", "tls"] {
        for (what, happened) in [("reset", false), ("hang", protocol == "tcp"), ("lost", true)] {
            receiver
                .peer
                .ask("POST", "/plan", &json!([{"do": what}]).to_string())
                .await;
            let output = receiver.output(protocol, json!({}));
            let secs = if what == "hang" { 2 } else { 10 };
            let deadline = Instant::now() + Duration::from_secs(secs);
            let error = output.send(&publication, "k", deadline).await.unwrap_err();
            assert!(error.is_retryable(), "{protocol} {what}: {error}");
            assert!(
                error.may_have_happened() || !happened,
                "{protocol} {what}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_out_of_a_log_ends_a_message_or_its_data() {
    let evil = "x\"] y\n<0>1 - - - - - - pwned\u{0}\u{7f}\u{85}\\";
    let hostile = Alert {
        rule_name: evil.into(),
        log_source: evil.into(),
        ..alert_with_record(1, &json!({"eventName": evil, evil: "é\u{2028}"}).to_string())
    };
    let publication = publication(hostile, "syslog:a").await;
    for format in [Format::Json, Format::Text] {
        let message = message(&publication, &shape(format, 8192));
        assert!(!message.contains(|c: char| c.is_control()), "{message:?}");
        assert!(
            message.contains(r#" log_source="x\"\] y <0>1 - - - - - - pwned   \\""#),
            "{message}"
        );
        assert!(
            message.starts_with("<132>1 2026-01-31T07:59:59.000000Z h a - x\"]_y_<0>1_-_-_"),
            "{message}"
        );
        let body = message.split_once("\"] ").unwrap().1;
        match format {
            Format::Json => assert!(message.is_ascii() && body.ends_with('}'), "{body}"),
            Format::Text => assert!(
                body.contains('\u{feff}') && !body.contains("\u{2028}\n"),
                "{body}"
            ),
        }
    }
}

#[tokio::test]
async fn a_message_is_never_over_its_limit_and_says_what_is_missing() {
    let publications = [
        layouts::endless("syslog:a").await,
        layouts::hostile("syslog:a").await,
        publication(
            alert_with_record(1, &json!({"a": "é".repeat(9000)}).to_string()),
            "syslog:a",
        )
        .await,
    ];
    for publication in &publications {
        for format in [Format::Json, Format::Text] {
            for bytes_max in [480, 1000, 2048, 8192] {
                let message = message(publication, &shape(format, bytes_max));
                assert!(
                    message.len() <= bytes_max,
                    "{} over {bytes_max}: {message}",
                    message.len()
                );
                if bytes_max >= 2048 && format == Format::Json {
                    let body = message.split_once("\"] ").unwrap().1;
                    assert!(serde_json::from_str::<Json>(body).is_ok(), "{body}");
                }
            }
        }
    }
    let cut = message(&publications[0], &shape(Format::Text, 2048));
    assert!(cut.contains("the whole alert is in the history"), "{cut}");
}

#[test]
fn settings_that_make_no_sense_are_told() {
    for (name, value, says) in [
        ("protocol", json!("relp"), "must be one of tls, tcp, udp"),
        ("facility", json!("local8"), "must be a facility"),
        ("hostname", json!("a b"), "visible ASCII"),
        ("message_bytes_max", json!(100), "at least 480"),
        ("port", json!(70_000), "over 65535"),
        ("ca_file", json!("none.pem"), "none.pem cannot be read"),
    ] {
        let mut settings = json!({"host": "logs.example.com"});
        settings[name] = value;
        let problem = problem("syslog:a", settings);
        assert!(problem.contains(says), "{name}: {problem}");
    }
    assert_eq!(problem("syslog:a", json!({"host": "logs.example.com"})), "");
}
