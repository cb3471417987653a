use std::path::Path;

use serde_json::{Value as Json, json};
use streamalert_testkit::emulator::{Peer, PeerKind};
use streamalert_testkit::{TempDir, tempdir};

use super::*;
use crate::OutputRegistry;
use crate::outputs::fixtures::{alert, alert_with_record, context, problem, publication};
use crate::outputs::suite::{Case, Misfortune, PLANTED, PeerCase, peer::certificates};

/// `NOT_ENOUGH_REPLICAS`, `MESSAGE_TOO_LARGE` and `TOPIC_AUTHORIZATION_FAILED` of Kafka's protocol.
const BUSY: i16 = 19;
const TOO_LARGE: i16 = 10;
const FORBIDDEN: i16 = 29;

pub(super) fn case() -> Case {
    Case::Peer(PeerCase {
        kind: PeerKind::Kafka,
        prepare,
        settings: |ports| settings("tls", ports),
        misfortune: |misfortune| {
            Some(match misfortune {
                Misfortune::Busy => json!({"do": "error", "code": BUSY}),
                // brokers refuse with a number, not in words
                Misfortune::Refused(_) => return None,
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

fn settings(kind: &str, ports: &Json) -> Json {
    let broker = format!("localhost:{}", ports[kind].as_u64().unwrap_or(1));
    let mut settings = json!({"brokers": [broker], "topic": "alerts", "tls": kind == "tls"});
    if kind == "tls" {
        settings["ca_file"] = json!("ca.pem");
        settings["sasl"] = json!("plain");
        settings["username"] = json!("streamalert");
        settings["password"] = json!(PLANTED);
    }
    settings
}

/// As librdkafka's consumer reads it.
fn check(taken: &Json) {
    let headers = &taken["headers"];
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(taken["key"], headers["incident"]);
    assert_eq!(taken["time"], 1_769_846_399_000_u64);
    let value: Json = serde_json::from_str(taken["value"].as_str().unwrap()).unwrap();
    assert_eq!(value["id"], taken["key"]);
}

fn sample(taken: &Json) -> String {
    let value: Json = serde_json::from_str(taken["value"].as_str().unwrap()).unwrap();
    let headers: Vec<String> = taken["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap()))
        .collect();
    format!(
        "key: {}\n{}\n\n{}\n",
        taken["key"].as_str().unwrap(),
        headers.join("\n"),
        serde_json::to_string_pretty(&value).unwrap()
    )
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

struct Broker {
    peer: Peer,
    ports: Json,
    dir: TempDir,
}

impl Broker {
    async fn new() -> Option<Self> {
        let dir = tempdir().unwrap();
        certificates(dir.path());
        prepare(dir.path());
        let peer = Peer::start(PeerKind::Kafka, dir.path()).await?;
        let ports = serde_json::from_str(&peer.ask("GET", "/", "").await).unwrap();
        Some(Self { peer, ports, dir })
    }

    fn output(&self, kind: &str, more: Json) -> Arc<dyn Output> {
        let mut settings = settings(kind, &self.ports);
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let spec = crate::OutputSpec {
            name: "kafka:a".parse().unwrap(),
            settings,
            origin: String::new(),
        };
        let loaded = OutputRegistry::load(&[spec], &context(self.dir.path())).unwrap();
        loaded
            .into_outputs()
            .remove(&"kafka:a".parse().unwrap())
            .unwrap()
            .output
    }

    async fn plan(&self, code: i16) {
        let plan = json!([{"do": "error", "code": code}]);
        self.peer.ask("POST", "/plan", &plan.to_string()).await;
    }

    async fn taken(&self, count: usize) -> Vec<Json> {
        for _ in 0..1000 {
            let taken: Vec<Json> = serde_json::from_str(&self.peer.ask("GET", "/arrived", "").await).unwrap();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} did not arrive: {}", self.peer.output());
    }
}

#[test]
fn keys_go_where_the_producers_of_kafka_put_them() {
    // the vectors of Kafka's own tests
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("abc", 479_470_107),
    ] {
        assert_eq!(request::murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
    }
    assert_eq!(request::place(b"abc", 10), 7);
    assert_eq!(request::place(b"x", 0), 0);
}

#[tokio::test]
async fn records_arrive_with_and_without_encryption_and_compression() {
    let Some(broker) = Broker::new().await else { return };
    let mut publication = publication(alert(1), "kafka:a").await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    publication.traceparent = traceparent.parse().ok();
    for (kind, more) in [
        ("tls", json!({})),
        ("tls", json!({"compression": "none"})),
        ("plain", json!({})),
        ("tls", json!({"sasl": "scram-sha-256"})),
        ("tls", json!({"sasl": "scram-sha-512"})),
    ] {
        let output = broker.output(kind, more.clone());
        let sent = output.send(&publication, "k", soon()).await;
        sent.unwrap_or_else(|error| panic!("{kind} {more}: {error}; {}", broker.peer.output()));
    }
    let taken = broker.taken(5).await;
    assert!(taken.iter().all(|one| one["partition"] == taken[0]["partition"]));
    assert_eq!(taken[0]["headers"]["traceparent"], traceparent);
}

#[tokio::test]
async fn what_belongs_to_one_incident_is_in_one_partition() {
    let Some(broker) = Broker::new().await else { return };
    let output = broker.output("plain", json!({}));
    let mut count = 0;
    for number in 0..12 {
        let publication = publication(alert(number), "kafka:a").await;
        for _ in 0..2 {
            output.send(&publication, "k", soon()).await.unwrap();
            count += 1;
        }
    }
    let mut partitions = std::collections::BTreeMap::new();
    for taken in broker.taken(count).await {
        let partition = taken["partition"].as_i64().unwrap();
        let known = partitions
            .entry(taken["key"].as_str().unwrap().to_owned())
            .or_insert(partition);
        assert_eq!(*known, partition);
    }
    let used: std::collections::BTreeSet<i64> = partitions.into_values().collect();
    assert_eq!(used.len(), 3, "every partition is used");
}

#[tokio::test]
async fn what_the_broker_says_decides_what_comes_next() {
    let Some(broker) = Broker::new().await else { return };
    let publication = publication(alert(1), "kafka:a").await;
    let output = broker.output("tls", json!({}));
    broker.plan(BUSY).await;
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(error.is_retryable() && !error.may_have_happened(), "{error}");
    broker.plan(FORBIDDEN).await;
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    // sent again without its record, which is taken
    let large = alert_with_record(1, &json!({"a": "x".repeat(5000)}).to_string());
    let publication = self::publication(large, "kafka:a").await;
    broker.plan(TOO_LARGE).await;
    output.send(&publication, "k", soon()).await.unwrap();
    let taken = broker.taken(1).await;
    assert!(
        taken[0]["text"].as_str().unwrap().contains("the whole alert"),
        "{}",
        taken[0]
    );

    let output = broker.output("tls", json!({"topic": "other"}));
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(
        error.is_retryable() && error.message.contains("no topic other"),
        "{error}"
    );
    let output = broker.output("tls", json!({"password": "something-else"}));
    let error = output.send(&publication, "k", soon()).await.unwrap_err();
    assert!(error.is_retryable() && !error.may_have_happened(), "{error}");
    assert!(!error.message.contains("something-else"), "{error}");
}

#[tokio::test]
async fn a_record_over_the_limit_is_shortened_or_refused() {
    let huge = alert_with_record(1, &json!({"a": "x".repeat(5000)}).to_string());
    let publication = publication(huge, "kafka:a").await;
    let value = |bytes_max| {
        let record = request::record(&publication, "k", bytes_max).unwrap();
        String::from_utf8(record.value.unwrap()).unwrap()
    };
    assert!(value(10_000).contains("xxxx") && value(2_000).contains("the whole alert"));
    assert!(
        request::record(&publication, "k", 100)
            .unwrap_err()
            .message
            .contains("over the limit")
    );
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let base = || json!({"brokers": "a:9093, b:9093", "topic": "alerts"});
    assert_eq!(problem("kafka:a", base()), "");
    for (name, value, says) in [
        ("brokers", json!("a"), "HOST:PORT"),
        ("brokers", json!([]), "at least one"),
        ("topic", json!("a b"), "topic: must be"),
        ("sasl", json!("gssapi"), "sasl: must be"),
        ("sasl", json!("plain"), "username and password are needed"),
        ("password", json!("secret"), "username and password are needed"),
        ("compression", json!("zstd"), "compression: must be"),
    ] {
        let mut settings = base();
        settings[name] = value;
        let problem = problem("kafka:a", settings);
        assert!(problem.contains(says), "{name}: {problem}");
    }
    let mut settings = base();
    let login = json!({"sasl": "plain", "username": "me", "password": "secret", "tls": false});
    settings
        .as_object_mut()
        .unwrap()
        .extend(login.as_object().unwrap().clone());
    assert!(problem("kafka:a", settings).contains("without encryption"));
}
