use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use streamalert_store::MemoryStore;
use streamalert_types::ManualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::SourceLimits;

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:topic";
const CERTIFICATE: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem";
const SUBSCRIBE: &str =
    "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=t&Token=token";
const NOW: &str = "2026-11-22T10:10:00Z";

/// What SNS has at its addresses, and what was asked for.
#[derive(Default)]
struct Web {
    pages: BTreeMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Fetch for Web {
    async fn get(&self, url: &str) -> Result<Bytes, String> {
        self.asked.lock().unwrap().push(url.to_owned());
        let page = self.pages.get(url).ok_or("status 404")?;
        Ok(page.clone().into())
    }
}

/// Signs as SNS does.
struct Signer {
    key: RsaKeyPair,
    pem: String,
}

impl Signer {
    fn new() -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Self {
            key: RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap(),
            pem: certificate.pem(),
        }
    }

    /// The message with its signature; `change` is made before, `forge` after signing.
    fn signed(&self, kind: &str, change: &[(&str, &str)], forge: &[(&str, &str)]) -> String {
        let mut fields = serde_json::json!({
            "Type": kind,
            "MessageId": "id-2",
            "TopicArn": TOPIC,
            "Message": "hello",
            "Timestamp": "2026-11-22T10:09:59.000Z",
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
        });
        if kind != "Notification" {
            fields["Token"] = "token".into();
            fields["SubscribeURL"] = SUBSCRIBE.into();
        }
        let mut set = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .for_each(|(name, value)| fields[*name] = (*value).into())
        };
        set(change);
        let text = Envelope::parse(fields.to_string().as_bytes())
            .unwrap()
            .signed_text()
            .unwrap();
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .unwrap();
        fields["Signature"] = aws_smithy_types::base64::encode(signature).into();
        forge
            .iter()
            .for_each(|(name, value)| fields[*name] = (*value).into());
        fields.to_string()
    }
}

async fn bound(pem: &str) -> (SnsSource, Arc<Web>) {
    let pages = [(CERTIFICATE, pem), (SUBSCRIBE, "<xml/>")];
    let web = Arc::new(Web {
        pages: pages
            .map(|(url, page)| (url.to_owned(), page.as_bytes().to_vec()))
            .into(),
        asked: Mutex::default(),
    });
    let source = Source {
        service: "sns".into(),
        resource: "topic".into(),
        cluster: Some("prod".into()),
    };
    let options = SnsOptions::new(
        "127.0.0.1:0".parse().unwrap(),
        vec![(TOPIC.to_owned(), Arc::new(source))],
    );
    let context = SourceContext {
        checkpoints: Arc::new(MemoryStore::new()),
        clock: Arc::new(ManualClock::at(NOW.parse().unwrap())),
        limits: SourceLimits::default(),
    };
    (SnsSource::bind(options, web.clone(), context).await.unwrap(), web)
}

/// The status and text of the answer.
async fn post(address: SocketAddr, headers: &str, body: String) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head =
        format!("POST /v1/sns HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n");
    stream
        .write_all(format!("{head}{headers}\r\n{body}").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split("\r\n\r\n").nth(1).unwrap().trim().to_owned())
}

/// Posts a message that must be let through, and acknowledges it.
async fn accepted(source: &mut SnsSource, body: String) -> (String, Bytes) {
    let answer = tokio::spawn(post(source.address(), "", body));
    let payload = source.next().await.unwrap().unwrap();
    assert!(!answer.is_finished(), "not before it is durable");
    let seen = (payload.position.to_string(), payload.body);
    payload.token.ack();
    assert_eq!(answer.await.unwrap(), (200, "accepted".to_owned()));
    seen
}

#[tokio::test]
async fn a_signed_notification_is_accepted_when_it_is_durable_and_its_certificate_is_fetched_once() {
    let signer = Signer::new();
    let (mut source, web) = bound(&signer.pem).await;
    for change in [&[][..], &[("Subject", "with a subject")]] {
        let (position, body) = accepted(&mut source, signer.signed("Notification", change, &[])).await;
        assert_eq!((position, &body[..]), (format!("{TOPIC}@id-2"), &b"hello"[..]));
    }
    assert_eq!(*web.asked.lock().unwrap(), [CERTIFICATE]);
    let expected = SnsCounts {
        accepted: 2,
        ..SnsCounts::default()
    };
    assert_eq!(source.counts(), expected);
}

#[tokio::test]
async fn signatures_of_version_one_are_sha1() {
    let body = include_str!("../../../tests/data/sns/version1.json");
    let (mut source, _) = bound(include_str!("../../../tests/data/sns/certificate.pem")).await;
    let (_, message) = accepted(&mut source, body.to_owned()).await;
    assert_eq!(message, "{\"n\": \"é\\n\"}");
    let forged = post(source.address(), "", body.replace("a subject", "another")).await;
    assert_eq!(forged.0, 403);
}

#[tokio::test]
async fn what_is_forged_replayed_or_of_another_topic_is_refused_and_counted() {
    let signer = Signer::new();
    let (source, web) = bound(&signer.pem).await;
    let other = "arn:aws:sns:us-east-1:123456789012:other";
    let elsewhere = "https://sns.us-east-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem";
    let forged = [
        signer.signed("Notification", &[], &[("Message", "changed")]),
        signer.signed("Notification", &[], &[("Subject", "added")]),
        signer.signed("Notification", &[], &[("MessageId", "changed")]),
        signer.signed("Notification", &[], &[("Type", "UnsubscribeConfirmation")]),
        signer.signed("Notification", &[], &[("SignatureVersion", "1")]),
        signer.signed("Notification", &[], &[("SignatureVersion", "3")]),
        signer.signed("Notification", &[], &[("Signature", "AAAA")]),
        signer.signed("Notification", &[], &[("Signature", "no base64!")]),
        signer.signed("Notification", &[], &[("SigningCertURL", elsewhere)]),
        Signer::new().signed("Notification", &[], &[]),
        signer.signed(
            "SubscriptionConfirmation",
            &[("SubscribeURL", "https://evil.example/")],
            &[],
        ),
        "hello".to_owned(),
        "{}".to_owned(),
    ];
    let count = forged.len() as u64;
    for body in forged {
        let (status, text) = post(source.address(), "", body.clone()).await;
        assert_eq!(status, 403, "{body} {text}");
    }
    let raw = "x-amz-sns-rawdelivery: true\r\n";
    assert_eq!(post(source.address(), raw, "hello".to_owned()).await.0, 403);
    for time in ["2026-11-22T08:54:59.000Z", "2026-11-22T10:25:01.000Z"] {
        let body = signer.signed("Notification", &[("Timestamp", time)], &[]);
        assert_eq!(post(source.address(), "", body).await.0, 403);
    }
    let body = signer.signed("Notification", &[("TopicArn", other)], &[]);
    assert_eq!(post(source.address(), "", body).await.0, 403);
    let expected = SnsCounts {
        forged: count + 1,
        replayed: 2,
        unknown_topic: 1,
        ..SnsCounts::default()
    };
    assert_eq!(source.counts(), expected);
    assert!(
        web.asked.lock().unwrap().iter().all(|url| url == CERTIFICATE),
        "nobody else was asked"
    );
    assert_eq!(source.progress().payloads_read, 0);
}

#[tokio::test]
async fn subscriptions_are_confirmed_for_topics_that_are_sources_here() {
    let signer = Signer::new();
    let (source, web) = bound(&signer.pem).await;
    let kind = "SubscriptionConfirmation";
    let answer = post(source.address(), "", signer.signed(kind, &[], &[])).await;
    assert_eq!(answer, (200, "confirmed".to_owned()));
    assert_eq!(*web.asked.lock().unwrap(), [CERTIFICATE, SUBSCRIBE]);
    let other = signer.signed(kind, &[("TopicArn", "arn:aws:sns:us-east-1:1:other")], &[]);
    assert_eq!(post(source.address(), "", other).await.0, 403);
    let failing = format!("{SUBSCRIBE}2");
    let failing = signer.signed(kind, &[("SubscribeURL", &failing)], &[]);
    assert_eq!(
        post(source.address(), "", failing).await.0,
        503,
        "sns comes again"
    );
    assert_eq!(source.counts().confirmed, 1);
    let ended = signer.signed("UnsubscribeConfirmation", &[], &[]);
    assert_eq!(post(source.address(), "", ended).await.0, 200);
}

#[tokio::test]
async fn without_its_certificate_a_message_is_asked_for_again_and_sns_is_not_asked_for_each() {
    let signer = Signer::new();
    let (source, web) = bound("no pem").await;
    for _ in 0..5 {
        let body = signer.signed("Notification", &[], &[]);
        assert_eq!(post(source.address(), "", body).await.0, 503);
    }
    assert_eq!(web.asked.lock().unwrap().len(), 1);
    assert_eq!(source.counts(), SnsCounts::default());
}
