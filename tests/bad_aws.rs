//! AWS that is not as it should be, as a user of the binary meets it: what is wrong is said in one line, with what to do.

use std::process::{Command, Output};

use streamalert_testkit::emulator::{Calls, Emulator, account, ministack};
use streamalert_testkit::{Reply, ServiceProcess, ServiceSpec, WebhookReceiver};

use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def every(record):
    return True
";

const STORE: &str = "[store]\ntype = \"dynamodb\"\ntable_prefix = \"mine\"\n";

const STREAM: &str = "[[sources]]\ntype = \"kinesis\"\nresource = \"stream\"\n";

const DIRECTORY: &str =
    "[[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n";

struct Scene {
    project: TestProject,
    env: Vec<(String, String)>,
}

impl Scene {
    fn new(settings: &str, env: Vec<(String, String)>) -> Self {
        let project = TestProject::new(RULES);
        project.write(
            "streamalert.toml",
            &format!(
                "[outputs.\"webhook:sink\"]\nurl = \"http://127.0.0.1:1/\"\n[python]\nworkers = 1\n\
                 [listen]\nadmin = \"127.0.0.1:0\"\nmerger = \"127.0.0.1:0\"\n\
                 dispatcher = \"127.0.0.1:0\"\n[merger]\nshards = 4\n[node]\nlease_secs = 3\n{settings}"
            ),
        );
        Self { project, env }
    }

    /// With an endpoint that answers everything with this failure.
    async fn failing(settings: &str, status: u16, code: &str, message: &str) -> (Self, WebhookReceiver) {
        let receiver = WebhookReceiver::start(None).await;
        let body = format!(r#"{{"__type": "com.amazonaws#{code}", "message": "{message}"}}"#);
        receiver.behave(Reply::status(status, &body));
        let env = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &*receiver.url("")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        (Self::new(settings, env.to_vec()), receiver)
    }

    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(binary());
        for name in [
            "AWS_PROFILE",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_REGION",
        ] {
            command.env_remove(name);
        }
        // Whatever the machine of the test has must not help.
        command
            .env("HOME", self.project.root())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .envs(env.iter().copied())
            .args(args)
            .current_dir(self.project.root());
        command.output().unwrap()
    }

    /// What a command says that must fail.
    fn refusal(&self, args: &[&str], env: &[(&str, &str)]) -> String {
        let output = self.command(args, env);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{told}");
        let last = told.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("error: "), "{told}");
        last
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
        let started = ServiceProcess::start(&spec, Some("ready"), PATIENCE).await;
        started.unwrap()
    }
}

fn emulated(emulator: &Emulator, settings: &str) -> (Scene, Calls) {
    let account = account();
    (
        Scene::new(settings, emulator.env(&account)),
        emulator.calls(&account),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_in_another_region_are_missing_in_this_one() {
    let Some(emulator) = ministack().await else { return };
    let (scene, _) = emulated(emulator, STORE);
    stdout(&scene.command(&["aws", "init"], &[]));
    let told = scene.refusal(&["run"], &[("AWS_REGION", "eu-west-1")]);
    assert!(
        told.contains("no table mine-alerts") && told.contains("in eu-west-1"),
        "{told}"
    );
    assert!(told.contains("`streamalert aws init`"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_region_or_credentials_is_said_where_they_come_from() {
    let scene = Scene::new(STORE, Vec::new());
    let told = scene.refusal(&["run"], &[]);
    assert!(told.contains("no region for DynamoDB: set aws.region"), "{told}");
    let (scene, _receiver) = Scene::failing(STORE, 400, "Never", "asked").await;
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let told = scene.refusal(&["run"], &nobody);
    assert!(
        told.contains("dynamodb:DescribeTable: no valid credentials"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_aws_does_not_know_or_does_not_allow_are_told_with_the_action() {
    let unknown = "The security token included in the request is invalid.";
    let (scene, _receiver) = Scene::failing(STORE, 400, "UnrecognizedClientException", unknown).await;
    for args in [&["run"][..], &["aws", "init"], &["status"]] {
        let told = scene.refusal(args, &[]);
        assert!(
            told.contains("no valid credentials (UnrecognizedClientException)"),
            "{told}"
        );
    }
    let denied = "User: x is not authorized";
    let (scene, _receiver) = Scene::failing(STORE, 400, "AccessDeniedException", denied).await;
    let told = scene.refusal(&["run"], &[]);
    assert!(
        told.contains("permission denied, allow dynamodb:DescribeTable"),
        "{told}"
    );
    let (scene, _receiver) = Scene::failing(STREAM, 400, "AccessDeniedException", denied).await;
    let told = scene.refusal(&["run"], &[]);
    assert!(told.contains("permission denied, allow kinesis:"), "{told}");
    let ssm = "[secrets]\ntype = \"ssm\"\n";
    let (scene, _receiver) = Scene::failing(ssm, 400, "AccessDeniedException", denied).await;
    scene
        .project
        .write("conf/outputs.json", r#"{"slack": ["security"]}"#);
    let told = scene.refusal(&["run"], &[]);
    assert!(
        told.contains("outputs.json:1:") && told.contains(": output slack:security: "),
        "{told}"
    );
    assert!(told.contains("/streamalert/outputs/slack/security"), "{told}");
    assert!(
        told.contains("permission denied, allow ssm:GetParameter"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_by_minutes_is_named() {
    let late = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z";
    let (scene, _receiver) = Scene::failing(STORE, 400, "InvalidSignatureException", late).await;
    let told = scene.refusal(&["run"], &[]);
    assert!(
        told.contains("clock of this machine") && told.contains("Signature expired"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_missing_is_named_with_its_region() {
    let Some(emulator) = ministack().await else { return };
    let (scene, _) = emulated(emulator, STREAM);
    let told = scene.refusal(&["run"], &[]);
    assert!(
        told.contains("kinesis:DescribeStreamSummary: ResourceNotFoundException"),
        "{told}"
    );
    assert!(
        told.contains("no stream `stream` in us-east-1") && told.contains("`aws init`"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_table_of_a_newer_version_is_refused() {
    let Some(emulator) = ministack().await else { return };
    let (scene, calls) = emulated(emulator, &format!("{STORE}{DIRECTORY}"));
    stdout(&scene.command(&["aws", "init"], &[]));
    let item = r#"{"leaseKey": {"S": "merger/1"}, "leaseCounter": {"N": "1"}, "layout": {"N": "2"}}"#;
    calls.put_item("mine-leases", item).await;
    let told = scene.refusal(&["run"], &[]);
    assert!(
        told.contains("written by a newer version of streamalert"),
        "{told}"
    );
    let told = scene.refusal(&["--set", "listen.admin=127.0.0.1:1", "status"], &[]);
    assert!(
        told.contains("written by a newer version of streamalert"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_no_item_holds_waits_and_says_what_to_set() {
    let Some(emulator) = ministack().await else { return };
    let (scene, calls) = emulated(emulator, &format!("{STORE}{DIRECTORY}"));
    stdout(&scene.command(&["aws", "init"], &[]));
    let huge = "x".repeat(500_000);
    let event = format!(r#"{{"n": 1, "group": "g", "kind": "{huge}"}}"#);
    scene.project.write("logs/huge.jsonl", &(event + "\n"));
    let mut process = scene.run().await;
    process.wait_for_line("store.bucket", PATIENCE).await.unwrap();
    let listed = stdout(&scene.command(&["alerts", "list"], &[]));
    assert_eq!(listed, "");
    process.kill().await.unwrap();
    // With a bucket it goes on where it was.
    calls.create_queue("unused").await;
    calls.create_bucket("bodies", "unused").await;
    let toml = std::fs::read_to_string(scene.project.path("streamalert.toml")).unwrap();
    let toml = toml.replace("table_prefix", "bucket = \"bodies\"\ntable_prefix");
    scene.project.write("streamalert.toml", &toml);
    let _process = scene.run().await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while stdout(&scene.command(&["alerts", "list"], &[])).is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no alert");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
