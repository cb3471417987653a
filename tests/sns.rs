//! Notifications of SNS on their way to alerts: through queues, and posted over HTTPS with signatures that are checked.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::Value;
use streamalert_testkit::emulator::{account, base64, ministack};
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver, free_port};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{PATIENCE, TestProject, binary};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def every(record):
    return True
";

const HOST: &str = "sns.us-east-1.amazonaws.com";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:posted";

fn project(receiver: &WebhookReceiver, sources: &str) -> TestProject {
    let project = TestProject::new(RULES);
    let cluster = r#"{"id": "test", "data_sources": {"sns": {"plain": ["load"], "raw": ["load"], "posted": ["load"]}}}"#;
    project.write("conf/clusters/test.json", cluster);
    project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        &format!(
            "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n[python]\nworkers = 1\n\
             [listen]\nadmin = \"127.0.0.1:0\"\n{sources}",
            receiver.url("/hook")
        ),
    );
    project
}

async fn run(project: &TestProject, env: Vec<(String, String)>) -> ServiceProcess {
    let spec = ServiceSpec {
        binary: binary(),
        args: vec!["run".to_owned()],
        env,
        dir: project.root().to_owned(),
        log_dir: project.root().to_owned(),
        name: "all".to_owned(),
    };
    ServiceProcess::start(&spec, Some("ready"), PATIENCE)
        .await
        .unwrap()
}

fn event(n: usize) -> String {
    format!(r#"{{"n": {n}, "group": "g", "kind": "k"}}"#)
}

/// The numbers of the records that came as alerts.
fn numbers(receiver: &WebhookReceiver) -> Vec<i64> {
    let requests = receiver.requests().into_iter();
    let mut numbers: Vec<i64> = requests
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap())
        .map(|body| body["record"]["n"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_come_through_queues_raw_and_in_their_envelope() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let calls = emulator.calls(&account);
    let mut sources = String::new();
    let mut queues = Vec::new();
    for (name, raw) in [("plain", "false"), ("raw", "true")] {
        let topic = format!("arn:aws:sns:us-east-1:{account}:{name}");
        let queue = format!("arn:aws:sqs:us-east-1:{account}:{name}");
        queues.push(calls.create_queue(name).await);
        calls.sns(&format!("Action=CreateTopic&Name={name}")).await;
        calls
            .sns(&format!(
                "Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint={queue}\
                 &Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value={raw}"
            ))
            .await;
        sources += &format!(
            "[[sources]]\ntype = \"sns\"\nresource = \"{name}\"\ntopic = \"{topic}\"\nqueue = \"{name}\"\n"
        );
    }
    let receiver = WebhookReceiver::start(None).await;
    let project = project(&receiver, &sources);
    let process = run(&project, emulator.env(&account)).await;
    for (n, name) in ["plain", "raw"].into_iter().enumerate() {
        let message: String = event(n).bytes().map(|byte| format!("%{byte:02X}")).collect();
        calls
            .sns(&format!(
                "Action=Publish&TopicArn=arn:aws:sns:us-east-1:{account}:{name}&Message={message}"
            ))
            .await;
    }
    assert!(receiver.wait_for(2, PATIENCE).await, "{}", process.output());
    assert_eq!(numbers(&receiver), [0, 1]);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for queue in &queues {
        while calls.queue_length(queue).await > 0 {
            assert!(tokio::time::Instant::now() < deadline, "{}", process.output());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// Amazon as the process sees it: a proxy that answers for the host of SNS, with a certificate of its own authority.
struct Amazon {
    proxy: String,
    authority: String,
    key: RsaKeyPair,
    /// Paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Amazon {
    async fn start() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::from_params(&params, &authority_key);
        let host_key = KeyPair::generate().unwrap();
        let host = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        let host = host.signed_by(&host_key, &issuer).unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(host_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![host.der().clone()], private)
            .unwrap();
        let signing = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let pem = CertificateParams::default().self_signed(&signing).unwrap().pem();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (acceptor, paths) = (TlsAcceptor::from(Arc::new(config)), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, acceptor.clone(), pem.clone(), paths.clone()));
            }
        });
        Self {
            proxy,
            authority: authority.pem(),
            key: RsaKeyPair::from_pkcs8(&signing.serialize_der()).unwrap(),
            asked,
        }
    }

    /// A message as SNS signs it.
    fn signed(&self, kind: &str, message: &str) -> String {
        let now = now_text();
        let subscribe = format!("https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=token");
        let mut fields = vec![("Message", message), ("MessageId", "id-1")];
        if kind == "SubscriptionConfirmation" {
            fields.push(("SubscribeURL", &subscribe));
            fields.push(("Timestamp", &now));
            fields.push(("Token", "token"));
        } else {
            fields.push(("Timestamp", &now));
        }
        fields.extend([("TopicArn", TOPIC), ("Type", kind)]);
        let text: String = fields
            .iter()
            .flat_map(|(name, value)| [*name, "\n", *value, "\n"])
            .collect();
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .unwrap();
        let mut body: serde_json::Map<String, Value> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let certificate = format!("https://{HOST}/SimpleNotificationService-1.pem");
        body.insert("SignatureVersion".to_owned(), "2".into());
        body.insert("SigningCertURL".to_owned(), certificate.into());
        body.insert("Signature".to_owned(), base64(&signature).into());
        Value::Object(body).to_string()
    }
}

fn now_text() -> String {
    streamalert_types::Clock::now(&streamalert_types::SystemClock).to_string()
}

/// One connection to the proxy: a tunnel to the host of SNS, in which one page is asked for.
async fn answer(stream: TcpStream, acceptor: TlsAcceptor, pem: String, asked: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufStream::new(stream);
    let wanted = head(&mut stream).await;
    assert_eq!(wanted, format!("{HOST}:443"));
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let Ok(tls) = acceptor.accept(stream).await else {
        return;
    };
    let mut tls = BufStream::new(tls);
    let path = head(&mut tls).await;
    let page = if path.ends_with(".pem") { &*pem } else { "<xml/>" };
    asked.lock().unwrap().push(path);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    tls.write_all(answer.as_bytes()).await.unwrap();
    let _ = tls.shutdown().await;
}

/// Reads the head of a request; answers what it asks for.
async fn head(stream: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> String {
    let mut first = String::new();
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() <= 2 {
            return first.split(' ').nth(1).unwrap_or_default().to_owned();
        }
    }
}

async fn post(door: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(door).await.unwrap();
    let head = format!(
        "POST /v1/sns HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_over_https_is_confirmed_and_only_what_sns_signed_becomes_an_alert() {
    let amazon = Amazon::start().await;
    let receiver = WebhookReceiver::start(None).await;
    let door = format!("127.0.0.1:{}", free_port());
    let source = format!(
        "[[sources]]\ntype = \"sns\"\nresource = \"posted\"\ntopic = \"{TOPIC}\"\naddress = \"{door}\"\n"
    );
    let project = project(&receiver, &source);
    project.write("authority.pem", &amazon.authority);
    let authority = project.path("authority.pem").display().to_string();
    let env = [
        ("HTTPS_PROXY", amazon.proxy.clone()),
        ("SSL_CERT_FILE", authority),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let process = run(&project, env).await;

    let confirmed = post(&door, &amazon.signed("SubscriptionConfirmation", "subscribe")).await;
    assert!(
        confirmed.starts_with("HTTP/1.1 200"),
        "{confirmed}\n{}",
        process.output()
    );
    let asked = amazon.asked.lock().unwrap().clone();
    assert!(asked.iter().any(|path| path.ends_with(".pem")), "{asked:?}");
    assert!(
        asked
            .iter()
            .any(|path| path.starts_with("/?Action=ConfirmSubscription&")),
        "{asked:?}"
    );

    let signed = amazon.signed("Notification", &event(7));
    let forged = signed.replace(r#"\"n\": 7"#, r#"\"n\": 8"#);
    assert_ne!(forged, signed);
    let refused = post(&door, &forged).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let accepted = post(&door, &signed).await;
    assert!(
        accepted.starts_with("HTTP/1.1 200"),
        "{accepted}\n{}",
        process.output()
    );
    // Sent again, it is known: answered, and raising nothing.
    let again = post(&door, &signed).await;
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    assert!(receiver.wait_for(1, PATIENCE).await, "{}", process.output());
    assert_eq!(numbers(&receiver), [7]);
}
