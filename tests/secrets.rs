//! Secrets are used and never seen: planted everywhere that they can come from, looked for everywhere that they could
//! show.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use streamalert_testkit::emulator::{Calls, account, ministack};
use streamalert_testkit::{Reply, ServiceProcess, ServiceSpec, WebhookReceiver, free_port};
use tokio::time::Instant;

use crate::collector::Collector;
use crate::fleet::certificates;
use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['slack:parameter', 'webhook:manager', 'webhook:variable', 'webhook:file',
                                    'webhook:inline', 'webhook:stored'])
def every(record):
    return True
";

/// What must not be seen, each part of a secret that its owner could be known by.
const PLANTED: [&str; 11] = [
    "plantedparameter0",
    "plantedmanager1",
    "plantedvariable2",
    "plantedfile3",
    "plantedinline4",
    "plantedstored5",
    "plantedheader6",
    "plantedhmac7",
    "plantedcollector8",
    "plantedawskey9",
    "plantedsession10",
];

struct Scene {
    project: TestProject,
    env: Vec<(String, String)>,
}

impl Scene {
    fn command(&self, args: &[&str], input: &str) -> Output {
        let mut child = Command::new(binary())
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.project.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    async fn run(&self) -> ServiceProcess {
        let spec = ServiceSpec {
            binary: binary(),
            args: vec!["run".to_owned()],
            env: self.env.clone(),
            dir: self.project.root().to_owned(),
            log_dir: self.project.root().to_owned(),
            name: "all".to_owned(),
        };
        let started = ServiceProcess::start(&spec, Some("run: ready"), PATIENCE).await;
        started.unwrap()
    }
}

/// All bytes below a folder.
fn bytes_below(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(bytes_below(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn assert_hidden(place: &str, bytes: &[u8], planted: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in planted {
        if let Some(at) = text.find(secret.as_str()) {
            let line = text[..at].lines().count().saturating_sub(1);
            let line = text.lines().nth(line).unwrap_or_default();
            panic!(
                "{place} shows {secret}: {}",
                &line[..line.floor_char_boundary(2000)]
            );
        }
    }
}

/// What a careless server says: all that it was sent, plain and escaped.
fn echo(status: u16, path: &str, sent: &str) -> Reply {
    let url = format!("https://127.0.0.1{path}");
    let body = format!(
        "no: {path} {url} {} {sent} {}",
        url.replace('/', "\\/"),
        path.rsplit('/').next().unwrap_or_default()
    );
    Reply::status(status, &body)
}

fn settings(port: u16, metrics: &str, endpoint: &str) -> String {
    format!(
        r#"
[outputs."slack:parameter"]
url = {{ ssm = "/team/slack" }}
[outputs."webhook:manager"]
url = {{ secretsmanager = "team/hook", key = "url" }}
hmac_secret = {{ secretsmanager = "team/hook", key = "hmac" }}
[outputs."webhook:variable"]
url = {{ env = "HOOK" }}
[outputs."webhook:file"]
url = {{ file = "hook.txt" }}
headers = {{ Authorization = {{ store = "team/header" }} }}
[outputs."webhook:inline"]
url = "http://127.0.0.1:{port}/hook/plantedinline4-token"
[outputs."webhook:stored"]
url = {{ store = "outputs/webhook:elsewhere/url" }}
[dispatcher]
dead_letter_after_secs = 2
retry_initial_ms = 100
retry_max_ms = 300
timeout_ms = 500
[python]
workers = 1
[tls]
cert = "cert.pem"
key = "key.pem"
ca = "ca.pem"
[listen]
admin = "127.0.0.1:0"
metrics = "{metrics}"
[telemetry]
log_level = "trace"
otlp_endpoint = "{endpoint}"
[[sources]]
type = "directory"
service = "kinesis"
resource = "stream"
path = "logs"
"#
    )
}

async fn plant(calls: &Calls, project: &TestProject, receivers: &[WebhookReceiver]) {
    let slack = receivers[0].url("/services/T0/B0/plantedparameter0-token");
    calls.put_parameter("/team/slack", &slack).await;
    let hook = receivers[1].url("/hook/plantedmanager1-token");
    let value = format!(r#"{{"url": "{hook}", "hmac": "plantedhmac7-rest-of-it"}}"#);
    calls.create_secret("team/hook", &value).await;
    let url = receivers[2].url("/hook/plantedfile3-token");
    project.write("hook.txt", &format!("{url}\n"));
    certificates(project.root());
    project.write("conf/outputs.json", "{}");
}

/// A whole run with outputs that fail in every way, and what it wrote, told, exported and kept.
async fn run_with_planted_secrets(
    scene: &Scene,
    collector: &Collector,
    metrics: &str,
) -> Vec<(String, Vec<u8>)> {
    let mut process = scene.run().await;
    scene.project.append_events("logs/events.jsonl", 0, 2, |_| "k");
    let mut told = Vec::new();
    let mut tell = |args: &[&str], output: &Output| {
        told.push((
            args.join(" "),
            [output.stdout.as_slice(), &output.stderr].concat(),
        ));
    };
    let deadline = Instant::now() + PATIENCE;
    let letters = loop {
        let listed = scene.command(&["dead-letter", "list", "--json"], "");
        let letters = stdout(&listed);
        // Two alerts, six outputs, one of which takes them.
        if letters.lines().count() >= 10 {
            tell(&["dead-letter", "list"], &listed);
            break letters;
        }
        assert!(Instant::now() < deadline, "{letters}\n{}", process.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for letter in letters.lines() {
        let letter: serde_json::Value = serde_json::from_str(letter).unwrap();
        let args = ["dead-letter", "show", letter["id"].as_str().unwrap()];
        let shown = scene.command(&args, "");
        stdout(&shown);
        tell(&args, &shown);
    }
    let alerts = scene.command(&["alerts", "list", "--json"], "");
    for alert in stdout(&alerts).lines() {
        let alert: serde_json::Value = serde_json::from_str(alert).unwrap();
        let args = ["alerts", "show", alert["id"].as_str().unwrap()];
        let shown = scene.command(&args, "");
        assert!(stdout(&shown).contains("webhook:manager"));
        tell(&args, &shown);
    }
    for args in [
        &["status"][..],
        &["validate"],
        &["secret", "list"],
        &["output", "list"],
        &["output", "test", "--all"],
        &["dead-letter", "list"],
        &["rules", "list"],
        &["aws", "policy", "dispatcher"],
        &["--set", "outputs.\"slack:x\".url=plantedinline4://x", "validate"],
        &[
            "--set",
            "outputs.\"webhook:inline\".hmac=plantedinline4",
            "validate",
        ],
        &[
            "--set",
            "outputs.\"webhook:x\".headers=plantedinline4",
            "validate",
        ],
        &["--set", "secrets.key_file=key.pem", "validate"],
    ] {
        tell(args, &scene.command(args, ""));
    }
    let page = crate::metrics::get(metrics, "/metrics");
    assert!(page.contains("streamalert_delivery_dead_letters_total"), "{page}");
    told.push(("/metrics".to_owned(), page.into_bytes()));
    let spans = collector
        .until(|traces| traces.named("deliver ").len() >= 12)
        .await;
    told.push(("spans".to_owned(), spans.dump().into_bytes()));
    assert!(process.terminate(PATIENCE).await.unwrap().success());
    let log = process.output();
    assert!(log.contains("TRACE"), "{log}");
    told.push(("log".to_owned(), log.into_bytes()));
    told.extend(bytes_below(&scene.project.path(".streamalert")));
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_are_used_and_nowhere_to_be_seen() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let mut receivers = Vec::new();
    for reply in [
        echo(500, "/services/T0/B0/plantedparameter0-token", ""),
        echo(
            400,
            "/hook/plantedmanager1-token",
            "signed with plantedhmac7-rest-of-it",
        ),
        echo(
            503,
            "/hook/plantedfile3-token",
            "Authorization: Bearer plantedheader6-rest",
        ),
        Reply::ok(),
        Reply::Reset,
    ] {
        let receiver = WebhookReceiver::start(None).await;
        receiver.behave(reply);
        receivers.push(receiver);
    }
    let collector = Collector::start().await;
    let metrics = format!("127.0.0.1:{}", free_port());
    let project = TestProject::new(RULES);
    plant(&emulator.calls(&account), &project, &receivers).await;
    let inline = receivers[3].address().port();
    project.write(
        "streamalert.toml",
        &settings(inline, &metrics, &collector.endpoint),
    );
    let mut env = emulator.env(&account);
    let variable = format!("http://127.0.0.1:{}/hook/plantedvariable2-token", free_port());
    for (name, value) in [
        ("HOOK", variable.as_str()),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20plantedcollector8-token",
        ),
        ("AWS_SECRET_ACCESS_KEY", "plantedawskey9-key"),
        ("AWS_SESSION_TOKEN", "plantedsession10-token"),
    ] {
        env.retain(|(known, _)| known != name);
        env.push((name.to_owned(), value.to_owned()));
    }
    let scene = Scene { project, env };
    let put = |name: &str, value: &str| stdout(&scene.command(&["secret", "put", name], value));
    put("team/header", "Bearer plantedheader6-rest\n");
    let stored = receivers[4].url("/hook/plantedstored5-token");
    put("outputs/webhook/elsewhere", &format!(r#"{{"url": "{stored}"}}"#));
    let listed = stdout(&scene.command(&["secret", "list"], ""));
    assert_eq!(listed, "outputs/webhook/elsewhere\nteam/header\n");

    let told = run_with_planted_secrets(&scene, &collector, &metrics).await;

    // They were used, or there would be nothing to hide.
    let sent = |at: usize| receivers[at].requests().into_iter().next().unwrap();
    assert!(sent(0).path.contains("plantedparameter0"));
    assert!(sent(1).path.contains("plantedmanager1") && sent(1).header("streamalert-signature").is_some());
    assert_eq!(
        sent(2).header("authorization"),
        Some("Bearer plantedheader6-rest")
    );
    assert!(sent(3).path.contains("plantedinline4"));
    assert!(sent(4).path.contains("plantedstored5"));
    assert_eq!(
        collector.authorization().as_deref(),
        Some("Bearer plantedcollector8-token")
    );
    let mut planted: Vec<String> = PLANTED.map(str::to_owned).to_vec();
    let key = std::fs::read_to_string(scene.project.path("key.pem")).unwrap();
    planted.push(key.lines().nth(1).unwrap().to_owned());
    assert!(told.len() > 20 && told.iter().any(|(place, _)| place.ends_with("secrets.enc")));
    for (place, bytes) in &told {
        assert_hidden(place, bytes, &planted);
    }
    let all: String = told
        .iter()
        .map(|(_, bytes)| String::from_utf8_lossy(bytes))
        .collect();
    assert!(all.contains("[redacted]"), "nothing was there to be redacted");
}

const MIGRATED: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['slack:security'])
def every(record):
    return True
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_streamalert_keeps_in_parameter_store_are_used_as_they_are() {
    let Some(emulator) = ministack().await else { return };
    let account = account();
    let receiver = WebhookReceiver::start(None).await;
    let project = TestProject::new(MIGRATED);
    project.write("conf/outputs.json", r#"{"slack": ["security"]}"#);
    project.write(
        "conf/global.json",
        r#"{"account": {"prefix": "acme", "region": "us-east-1"}, "general": {"rule_locations": ["rules"]}}"#,
    );
    project.write(
        "streamalert.toml",
        "[secrets]\ntype = \"ssm\"\n[python]\nworkers = 1\n[listen]\nadmin = \"127.0.0.1:0\"\n",
    );
    let url = receiver.url("/services/T/B/x");
    let calls = emulator.calls(&account);
    let name = "/acme/streamalert/outputs/slack/security";
    calls.put_parameter(name, &format!(r#"{{"url": "{url}"}}"#)).await;
    let env = emulator.env(&account);
    let scene = Scene { project, env };
    scene.project.append_events("logs/a.jsonl", 0, 3, |_| "k");
    let args = ["ingest", "--source", "kinesis:stream", "logs/a.jsonl"];
    stdout(&scene.command(&args, ""));
    assert_eq!(receiver.count(), 3);
    let policy = stdout(&scene.command(&["aws", "policy", "dispatcher"], ""));
    assert!(
        policy.contains("ssm:GetParameter") && policy.contains("kms:Decrypt"),
        "{policy}"
    );
    assert!(policy.contains(":parameter/acme/streamalert/*"), "{policy}");
    let listed = stdout(&scene.command(&["secret", "list"], ""));
    assert_eq!(listed, "outputs/slack/security\n");
}
