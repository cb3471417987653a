//! Outputs by the command line: added, tried, listed, used and removed, and their secrets never seen.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use streamalert_secrets::{FileStore, FileStoreOptions, Secret, SecretStore as _};
use streamalert_testkit::{Reply, WebhookReceiver};

use crate::support::{TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:soar'])
def every(record):
    return True
";

/// The history stays here, although StreamAlert's file names a stream for it: the store is the embedded one.
const QUIET: &str = "[python]\nworkers = 1\n[listen]\nadmin = \"127.0.0.1:0\"\n";

const PLANTED: &str = "plantedsoar0-token";

/// As StreamAlert writes it.
const OUTPUTS: &str =
    "{\n  \"aws-firehose\": {\n    \"alerts\": \"acme_alerts\"\n  },\n  \"slack\": [\n    \"bare\"\n  ]\n}\n";

fn project() -> TestProject {
    let project = TestProject::new(RULES);
    project.write("streamalert.toml", QUIET);
    project.write("conf/outputs.json", OUTPUTS);
    project
}

fn run(project: &TestProject, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .args(args)
        .env("PLANTED_URL", "http://127.0.0.1:1/plantedsoar0-token")
        .current_dir(project.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // one that does not read its input may have ended
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn refused(project: &TestProject, args: &[&str], input: &str) -> String {
    let output = run(project, args, input);
    assert!(!output.status.success(), "{}", told(&output));
    told(&output)
}

fn conf(project: &TestProject) -> String {
    std::fs::read_to_string(project.path("conf/outputs.json")).unwrap()
}

fn assert_nowhere(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(PLANTED.len())
                .any(|window| window == PLANTED.as_bytes());
            assert!(!found, "{} has the secret", path.display());
        }
    }
}

/// A project, and all that was told about it.
struct Scene {
    project: TestProject,
    seen: String,
}

impl Scene {
    fn run(&mut self, args: &[&str], input: &str) -> Output {
        let output = run(&self.project, args, input);
        self.seen.push_str(&told(&output));
        output
    }

    fn stdout(&mut self, args: &[&str]) -> String {
        stdout(&self.run(args, ""))
    }

    fn add(&mut self, url: &str) {
        let add = [
            "output",
            "add",
            "webhook:soar",
            "--stdin",
            "url",
            "--field",
            "headers.x-team=soc",
            "--test",
        ];
        let added = stdout(&self.run(&add, &format!("{url}\n")));
        assert!(
            added.contains("webhook:soar is configured in conf/outputs.json"),
            "{added}"
        );
        assert!(
            added.contains("are kept in secrets file .streamalert/secrets.enc"),
            "{added}"
        );
        let last = "\"bare\"\n  ]";
        let expected = OUTPUTS.replace(last, &format!("{last},\n  \"webhook\": [\n    \"soar\"\n  ]"));
        assert_eq!(conf(&self.project), expected);
    }

    fn list(&mut self) {
        let listed = self.stdout(&["output", "list"]);
        let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap();
        let soar = line("webhook:soar");
        assert!(
            soar.contains("ready") && soar.contains("conf/outputs.json:9:"),
            "{listed}"
        );
        assert!(soar.contains("secrets.enc, outputs/webhook/soar"), "{listed}");
        assert!(line("aws-firehose:alerts").contains("ready"), "{listed}");
        assert!(
            line("slack:bare").contains("`streamalert output add slack:bare`"),
            "{listed}"
        );
        assert!(!self.stdout(&["validate"]).contains("webhook:soar"));
    }

    fn test_all(&mut self) {
        let tested = self.run(&["output", "test", "--all", "--json"], "");
        assert_eq!(tested.status.code(), Some(1), "one of them has no settings");
        let lines = String::from_utf8_lossy(&tested.stdout).into_owned();
        let rows = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let arrived: Vec<String> = rows
            .map(|row| format!("{} {}", row["output"], row["arrived"]))
            .collect();
        assert_eq!(arrived, ["\"slack:bare\" false", "\"webhook:soar\" true"]);
    }

    fn remove(&mut self) {
        let refused = |scene: &mut Self, args: &[&str]| {
            let output = scene.run(args, "");
            assert!(!output.status.success());
            told(&output)
        };
        let remove = ["output", "remove", "webhook:soar"];
        assert!(refused(self, &remove).contains("--yes"));
        let remove = [&remove[..], &["--yes"]].concat();
        let removed = self.run(&remove, "");
        assert!(
            told(&removed).contains("rules/load.py:4: rule every names it"),
            "{}",
            told(&removed)
        );
        assert_eq!(conf(&self.project), OUTPUTS);
        assert_eq!(self.stdout(&["secret", "list"]), "");
        assert!(refused(self, &remove).contains("no such output"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_is_added_tried_listed_used_and_removed_and_its_secret_is_never_seen() {
    let receiver = WebhookReceiver::start(None).await;
    let url = receiver.url(&format!("/hook/{PLANTED}"));
    let mut scene = Scene {
        project: project(),
        seen: String::new(),
    };
    scene.add(&url);
    assert_eq!(receiver.count(), 1);
    assert_eq!(receiver.requests()[0].header("x-team"), Some("soc"));
    scene.list();
    scene.test_all();
    scene.project.append_events("logs/a.jsonl", 0, 3, |_| "k");
    scene.stdout(&["ingest", "--source", "kinesis:stream", "logs/a.jsonl"]);
    assert_eq!(receiver.count(), 5, "two tests and three alerts");
    receiver.behave(Reply::status(403, &format!("not you, {url}")));
    let failed = told(&scene.run(&["output", "test", "webhook:soar"], ""));
    assert!(
        failed.contains("http 403") && failed.contains("[redacted]"),
        "{failed}"
    );
    scene.remove();
    assert!(!scene.seen.contains(PLANTED), "{}", scene.seen);
    assert_nowhere(scene.project.root());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_take_the_test_is_not_kept() {
    let receiver = WebhookReceiver::start(None).await;
    let url = receiver.url(&format!("/hook/{PLANTED}"));
    receiver.behave(Reply::status(404, &format!("nothing at {url}")));
    let project = project();
    let add = [
        "output",
        "add",
        "webhook",
        "--descriptor",
        "soar",
        "--stdin",
        "url",
        "--test",
    ];
    let failed = refused(&project, &add, &url);
    assert!(
        failed.contains("http 404") && failed.contains("nothing is changed"),
        "{failed}"
    );
    assert!(!failed.contains(PLANTED), "{failed}");
    assert_eq!(conf(&project), OUTPUTS);
    assert!(!project.path(".streamalert/secrets.enc").exists());
}

#[test]
fn what_is_wrong_is_told_before_anything_is_written() {
    let project = project();
    for (args, says) in [
        (&["slak:x"][..], "did you mean \"slack\"?"),
        (&["slack"], "needs a name"),
        (&["slack:x"], "slack:x needs url, "),
        (
            &["slack:x", "--field", "uri=plantedsoar0-token"],
            "no field \"uri\", it has url",
        ),
        (
            &["slack:x", "--field", "plantedsoar0-token"],
            "--field takes FIELD=VALUE",
        ),
        (&["slack:x", "--field", "url=plantedsoar0-token"], "url: "),
        (&["slack:x", "--env", "url=NOT_THERE"], "NOT_THERE is not set"),
        (
            &["slack:x", "--file", "url=not-there"],
            "not-there cannot be read",
        ),
        (
            &["slack:a/b", "--env", "url=PLANTED_URL"],
            "a descriptor has no slash",
        ),
        (
            &["webhook:x", "--env", "url=PLANTED_URL", "--field", "headers=x"],
            "give headers.NAME=VALUE",
        ),
        (
            &[
                "webhook:x",
                "--env",
                "url=PLANTED_URL",
                "--field",
                "body_bytes_max=x",
            ],
            "no whole number",
        ),
        (&["aws-firehose:alerts"], "always there"),
        (
            &["slack:x", "--descriptor", "y", "--env", "url=PLANTED_URL"],
            "two names",
        ),
    ] {
        let text = refused(&project, &[&["output", "add"][..], args].concat(), "");
        assert!(text.contains(says) && !text.contains(PLANTED), "{args:?}: {text}");
    }
    assert_eq!(conf(&project), OUTPUTS);
    assert!(!project.path(".streamalert/secrets.enc").exists());
}

#[test]
fn settings_come_from_files_and_variables_and_replace_others_only_when_told_to() {
    let project = project();
    project.write("url.txt", "http://127.0.0.1:1/plantedsoar0-token\n");
    let plain = [
        "output",
        "add",
        "slack:bare",
        "--field",
        "url=http://127.0.0.1:1/plantedsoar0-token",
    ];
    let told_plain = run(&project, &plain, "");
    stdout(&told_plain);
    assert!(
        told(&told_plain).contains("others can see the command lines"),
        "{}",
        told(&told_plain)
    );
    assert_eq!(conf(&project), OUTPUTS, "it was named already");
    let again = ["output", "add", "slack:bare", "--file", "url=url.txt"];
    assert!(refused(&project, &again, "").contains("--replace"));
    stdout(&run(&project, &[&again[..], &["--replace"]].concat(), ""));
    stdout(&run(
        &project,
        &["output", "add", "teams:soc", "--env", "url=PLANTED_URL"],
        "",
    ));
    // StreamAlert's file says of some services where they are, and of others their names
    let queue = ["output", "add", "aws-sqs:soc", "--field", "queue=alerts"];
    assert!(!stdout(&run(&project, &queue, "")).contains("kept in"));
    assert!(
        conf(&project).contains("\"aws-sqs\": {\n    \"soc\": \"alerts\"\n  }"),
        "{}",
        conf(&project)
    );
    let listed = stdout(&run(&project, &["secret", "list"], ""));
    assert_eq!(listed, "outputs/slack/bare\noutputs/teams/soc\n");
    project.write(
        "streamalert.toml",
        &format!("{QUIET}[outputs.\"slack:toml\"]\nurl = {{ env = \"NOT_THERE\" }}\n"),
    );
    let text = refused(
        &project,
        &["output", "add", "slack:toml", "--env", "url=PLANTED_URL"],
        "",
    );
    assert!(
        text.contains("streamalert.toml:5:") && text.contains("change it there"),
        "{text}"
    );
    // a broken one does not hide the others
    let listed = stdout(&run(&project, &["output", "list"], ""));
    assert!(
        listed.contains("environment variable NOT_THERE is not set"),
        "{listed}"
    );
    let ready = listed.lines().filter(|line| line.contains("ready")).count();
    assert_eq!(ready, 4, "{listed}");
    project.write("conf/outputs.json", "{}");
    let listed = stdout(&run(&project, &["output", "list"], ""));
    assert!(listed.contains("teams:soc  stored in"), "{listed}");
    stdout(&run(&project, &["output", "remove", "teams:soc", "-y"], ""));
}

#[test]
fn fields_of_every_kind_stand_in_the_settings_and_a_wrong_one_is_shown_at_its_line() {
    let project = project();
    let fields = "[outputs.\"webhook:x\".fields]\nurl = { env = \"PLANTED_URL\" }\nheaders = { X-A = { env = \"PLANTED_URL\" }, X-B = \"b\" }\n\
                  body_bytes_max = 100000\n[outputs.\"opsgenie:y\".fields]\napi_key = \"plantedsoar0-token\"\nresponders = [\"team:x\"]\n";
    project.write("streamalert.toml", &format!("{QUIET}{fields}"));
    let list = || told(&run(&project, &["output", "list"], ""));
    let listed = list();
    for name in ["webhook:x", "opsgenie:y"] {
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains("ready"), "{listed}");
    }
    for (wrong, says) in [
        ("headers = \"plantedsoar0-token\"", "expected a table of texts"),
        ("body_bytes_max = true", "expected a whole number"),
        ("hedaers = 1", "unknown field `hedaers`"),
        ("hmac_secret = { env = \"NOT_THERE\" }", "NOT_THERE is not set"),
    ] {
        let table = format!("[outputs.\"webhook:x\".fields]\nurl = \"http://u\"\n{wrong}\n");
        project.write("streamalert.toml", &format!("{QUIET}{table}"));
        let listed = list();
        let line = listed.lines().find(|line| line.contains(says));
        assert!(
            line.is_some_and(|line| line.contains("streamalert.toml:7:")),
            "{listed}"
        );
        assert!(!listed.contains(PLANTED), "{listed}");
    }
}

#[tokio::test]
async fn fields_that_nobody_can_read_are_not_put_and_those_that_are_there_are_removed() {
    let project = project();
    let put = ["secret", "put", "outputs/slack/bare"];
    let said = refused(&project, &put, "plantedsoar0-token\n");
    assert!(
        said.contains("as a json object") && !said.contains(PLANTED),
        "{said}"
    );
    assert!(!project.path(".streamalert/secrets.enc").exists());
    stdout(&run(
        &project,
        &["secret", "put", "team/token"],
        "plantedsoar0-token\n",
    ));
    let store = FileStore::new(FileStoreOptions {
        file: project.path(".streamalert/secrets.enc"),
        key_file: project.path(".streamalert/secrets.key"),
        key: None,
    });
    let name = "outputs/slack/bare".parse().unwrap();
    store.put(&name, &Secret::new(PLANTED.to_owned())).await.unwrap();
    let removed = run(&project, &["output", "remove", "slack:bare", "--yes"], "");
    let said = told(&removed);
    assert!(removed.status.success(), "{said}");
    assert!(
        said.contains("removed all the same") && !said.contains(PLANTED),
        "{said}"
    );
    assert!(!conf(&project).contains("bare"));
    assert_eq!(stdout(&run(&project, &["secret", "list"], "")), "team/token\n");
}
