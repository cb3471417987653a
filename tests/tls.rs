//! The TLS files of a running process change: new connections use the new ones, broken ones leave the old in force. And
//! nobody is served in the clear who could change something.

use std::process::Output;

use streamalert_testkit::{ServiceProcess, ServiceSpec, free_port};
use tokio::time::Instant;

use crate::fleet::certificates;
use crate::metrics::get;
use crate::support::{PATIENCE, TestProject, binary, stdout};

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'])
def never(record):
    return False
";

fn project(metrics: &str) -> TestProject {
    let project = TestProject::new(RULES);
    project.write(
        "streamalert.toml",
        &format!(
            "[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\"\n[python]\nworkers = 1\n\
             [listen]\nadmin = \"127.0.0.1:0\"\nmetrics = \"{metrics}\"\n"
        ),
    );
    certificates(project.root());
    project
}

async fn run(project: &TestProject) -> ServiceProcess {
    let spec = ServiceSpec {
        binary: binary(),
        args: vec!["run".to_owned()],
        env: Vec::new(),
        dir: project.root().to_owned(),
        log_dir: project.root().to_owned(),
        name: "all".to_owned(),
    };
    let started = ServiceProcess::start(&spec, Some("ready"), PATIENCE).await;
    started.unwrap()
}

fn hang_up(process: &ServiceProcess) {
    let id = process.id().unwrap().to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &id]).status();
    assert!(sent.unwrap().success());
}

/// `status`, asked with the files of a folder in the project.
fn ask(project: &TestProject, folder: &str) -> Output {
    let sets = ["cert", "key", "ca"].map(|name| {
        let path = project.path(&format!("{folder}/{name}.pem"));
        format!("tls.{name}={}", path.display())
    });
    let args: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
    project.run(&[&args[..], &["status"]].concat())
}

fn keep(project: &TestProject, folder: &str) {
    std::fs::create_dir_all(project.path(folder)).unwrap();
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        std::fs::copy(project.path(name), project.path(folder).join(name)).unwrap();
    }
}

async fn metric(address: &str, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = get(address, "/metrics");
        if page.lines().any(|found| found == line) {
            return;
        }
        assert!(Instant::now() < deadline, "no {line} in {page}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_takes_over_renewed_files_when_it_is_told_and_keeps_the_old_if_they_are_broken() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let project = project(&metrics);
    keep(&project, "first");
    let process = run(&project).await;
    stdout(&ask(&project, "first"));
    metric(&metrics, "streamalert_tls_reload_failed 0").await;

    // Another authority: who has the old files gets no new connection.
    certificates(project.root());
    keep(&project, "second");
    assert!(!ask(&project, "second").status.success());
    hang_up(&process);
    metric(&metrics, "streamalert_tls_reloads_total 1").await;
    stdout(&ask(&project, "second"));
    assert!(!ask(&project, "first").status.success());

    project.write(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n",
    );
    hang_up(&process);
    metric(&metrics, "streamalert_tls_reload_failed 1").await;
    stdout(&ask(&project, "second"));
    let log = process.output();
    assert!(
        log.contains("new tls files are not used, going on with the old ones"),
        "{log}"
    );
    assert!(log.contains("key.pem") && !log.contains("planted"), "{log}");

    std::fs::copy(project.path("second/key.pem"), project.path("key.pem")).unwrap();
    hang_up(&process);
    metric(&metrics, "streamalert_tls_reload_failed 0").await;
    stdout(&ask(&project, "second"));
}

#[test]
fn files_that_cannot_be_used_at_the_start_are_named() {
    let project = project("127.0.0.1:0");
    std::fs::remove_file(project.path("key.pem")).unwrap();
    let refused = project.run(&["run"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(
        told.contains("tls file key.pem cannot be read: No such file"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_metrics_are_served_in_the_clear_beyond_this_machine() {
    let project = TestProject::new(RULES);
    for (key, args) in [
        ("listen.admin", &["run"][..]),
        ("listen.dispatcher", &["run", "dispatcher"]),
        ("listen.rules_node", &["run", "rules-node"]),
        ("listen.merger", &["run", "merger"]),
    ] {
        let set = format!("{key}=0.0.0.0:{}", free_port());
        let mut given = vec!["--set", &set];
        if key != "listen.admin" {
            given.extend(["--set", "listen.admin=127.0.0.1:0"]);
        }
        let refused = project.run(&[&given[..], args].concat());
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{key}");
        assert!(
            told.contains("would serve 0.0.0.0") && told.contains("set [tls]"),
            "{told}"
        );
    }
    let port = free_port();
    project.write(
        "streamalert.toml",
        &format!("[python]\nworkers = 1\n[listen]\nadmin = \"127.0.0.1:0\"\nmetrics = \"0.0.0.0:{port}\"\n"),
    );
    let _process = run(&project).await;
    let address = format!("127.0.0.1:{port}");
    metric(&address, "# TYPE streamalert_build_info gauge").await;
    // Nothing else is there: neither health nor what the command line asks.
    let elsewhere = get_status(&address, "/streamalert.v1.Admin/Status");
    assert!(
        elsewhere.starts_with("HTTP/1.1 4")
            || elsewhere.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/grpc"),
        "{elsewhere}"
    );
    let alerts = project.run(&[
        "--set",
        &format!("listen.admin={address}"),
        "--data-dir",
        "elsewhere",
        "status",
    ]);
    assert!(!alerts.status.success());
}

/// The beginning of any answer.
fn get_status(address: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}
