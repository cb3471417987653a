//! Input that is broken, hostile or huge: nothing is lost, nothing dies, and what is wrong is said.

use std::io::Write as _;

use crate::support::{TestProject, stdout};
use serde_json::Value;

const RULE: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['file:sink'])
def every(record):
    return True
";

fn project() -> TestProject {
    let project = TestProject::new(RULE);
    project.write("conf/outputs.json", r#"{"file": ["sink"]}"#);
    project.write(
        "streamalert.toml",
        "[outputs.\"file:sink\"]\npath = \"alerts.jsonl\"\n",
    );
    project.write(
        "conf/clusters/test.json",
        r#"{"id": "test", "data_sources": {"kinesis": {"stream": ["load"]}, "s3": {"bucket": ["load"]}}}"#,
    );
    project
}

fn good(n: usize) -> String {
    format!("{{\"n\": {n}, \"group\": \"g\", \"kind\": \"k\"}}\n")
}

fn ingest(project: &TestProject, source: &str, file: &str, sets: &[&str]) -> Value {
    let mut args = vec!["ingest", "--json", "--source", source, file];
    for set in sets {
        args.extend(["--set", set]);
    }
    serde_json::from_str(&stdout(&project.run(&args))).unwrap()
}

#[test]
fn every_broken_line_becomes_a_dead_letter_and_every_good_one_an_alert() {
    let project = project();
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let mut lines: Vec<Vec<u8>> = vec![good(0).into_bytes()];
    for broken in [
        &b"{\"n\": 1, \"group\": \"g\", \"kind\": \"\xff\xfe\"}\n"[..],
        b"{\"n\": 1, \"gro\0up\": \"g\"}\n",
        b"{\"n\": 1e999999, \"group\": \"g\", \"kind\": \"k\"}\n",
        b"{\"n\": \"not a number\", \"group\": \"g\", \"kind\": \"k\"}\n",
        b"{\"n\": 1, \"group\": \n",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03 broken gzip\n",
        b"nothing like json\n",
    ] {
        lines.push(broken.to_vec());
    }
    lines.push((deep + "\n").into_bytes());
    lines.push(good(1).into_bytes());
    // A key twice is legal: the last one counts, as in Python.
    lines.push(b"{\"n\": 7, \"n\": 2, \"group\": \"g\", \"kind\": \"k\"}\n".to_vec());
    lines.push(
        format!(
            "{{\"n\": {}, \"group\": \"g\", \"kind\": \"k\"}}\n",
            "9".repeat(400)
        )
        .into_bytes(),
    );
    std::fs::write(project.path("logs/broken.jsonl"), lines.concat()).unwrap();
    let summary = ingest(&project, "kinesis:stream", "logs/broken.jsonl", &[]);
    assert_eq!(summary["records"]["load:event"], 4, "{summary}");
    assert_eq!(summary["dead_letters"], 8, "{summary}");
    assert_eq!(summary["rules"]["every"]["alerts"], 4, "{summary}");
    let listed = stdout(&project.run(&["dead-letter", "list", "--json"]));
    assert_eq!(listed.lines().count(), 8, "{listed}");
    for line in listed.lines() {
        let letter: Value = serde_json::from_str(line).unwrap();
        assert!(!letter["reason"].as_str().unwrap().is_empty(), "{letter}");
    }
}

#[test]
fn one_endless_line_is_kept_by_its_beginning_and_the_rest_of_the_file_is_read() {
    let project = project();
    let mut file = std::fs::File::create(project.path("logs/long.jsonl")).unwrap();
    file.write_all(good(0).as_bytes()).unwrap();
    for _ in 0..64 {
        file.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    file.write_all(b"\n").unwrap();
    file.write_all(good(1).as_bytes()).unwrap();
    let summary = ingest(&project, "kinesis:stream", "logs/long.jsonl", &[]);
    assert_eq!(summary["records"]["load:event"], 2, "{summary}");
    assert_eq!(summary["dead_letters"], 1, "{summary}");
    let listed = stdout(&project.run(&["dead-letter", "list", "--json"]));
    let letter: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(letter["truncated"], true, "{letter}");
}

#[test]
fn a_truncated_gzip_object_loses_only_what_is_missing() {
    let project = project();
    let script = "import gzip,sys; sys.stdout.buffer.write(gzip.compress(b''.join(b'{\"n\": %d, \"group\": \"g\", \"kind\": \"k\"}\\n' % n for n in range(1000)))[:-50])";
    let object = std::process::Command::new("python3")
        .args(["-c", script])
        .output()
        .unwrap()
        .stdout;
    std::fs::write(project.path("logs/cut.json.gz"), object).unwrap();
    let summary = ingest(&project, "s3:bucket", "logs/cut.json.gz", &[]);
    assert!(summary["dead_letters"].as_u64().unwrap() >= 1, "{summary}");
}

#[test]
fn a_second_process_on_one_data_directory_is_refused_and_told_why() {
    let project = project();
    project.append_events("logs/a.jsonl", 0, 10, |_| "k");
    let holder = std::process::Command::new(crate::support::binary())
        .current_dir(project.root())
        .args(["--set", "listen.admin=127.0.0.1:0", "run"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut holder = Killed(holder);
    let addr = project.path(".streamalert/admin.addr");
    while !addr.exists() {
        assert!(holder.0.try_wait().unwrap().is_none(), "the first process ended");
        std::thread::yield_now();
    }
    let refused = project.run(&["ingest", "--source", "kinesis:stream", "logs/a.jsonl"]);
    assert!(!refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("in use by another process"), "{told}");
    // But it can be asked.
    assert_eq!(stdout(&project.run(&["alerts", "list"])), "");
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_unreadable_store_is_refused_and_left_as_it_is() {
    let project = project();
    let junk = vec![0x5a_u8; 8192];
    project.write(".streamalert/x", "");
    std::fs::write(project.path(".streamalert/store.redb"), &junk).unwrap();
    let refused = project.run(&["alerts", "list"]);
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("not a readable store"),
        "{refused:?}"
    );
    assert_eq!(
        std::fs::read(project.path(".streamalert/store.redb")).unwrap(),
        junk
    );
}

#[test]
fn a_typo_in_the_configuration_is_told_with_file_line_and_fix() {
    let project = project();
    project.write("streamalert.toml", "[merger]\nshard = 3\n");
    let refused = project.run(&["validate", "--no-rules"]);
    let told =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success());
    assert!(
        told.contains("streamalert.toml:2") && told.contains("shards"),
        "{told}"
    );
}
