use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value as Json;

use super::config::Format;
use super::*;
use crate::outputs::fixtures::{alert, alert_with_record, publication};
use crate::outputs::suite::{Case, OwnCase, Proof, layouts, recorded};

pub(super) fn case() -> Case {
    let hangs = Proof::Test("attempts_wait_behind_one_that_hangs");
    let huge = Proof::Test("a_huge_alert_is_one_whole_line_and_the_same_when_it_comes_again");
    Case::Own(OwnCase {
        why: "the standard output of tests is not theirs to read: a writer stands in for it",
        proofs: [
            Proof::Test("a_line_is_one_json_object_with_its_key"),
            Proof::Test("a_failed_write_comes_again"),
            Proof::Never("what cannot be written now may be written later"),
            hangs,
            huge,
            Proof::Test("text_is_for_people_and_harms_no_terminal"),
            Proof::Never("it has none"),
            huge,
        ],
    })
}

/// A writer that can be read, fails while it is told to, and hangs until told not to.
#[derive(Clone, Default)]
struct Shared {
    bytes: Arc<Mutex<Vec<u8>>>,
    fails: Arc<Mutex<u32>>,
    gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(gate) = &self.gate {
            let _ = gate.lock().unwrap().recv();
        }
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn a_line_is_one_json_object_with_its_key() {
    let writer = Shared::default();
    let output = Arc::new(Stdout::new(Format::Json, writer.clone()));
    let odd = r#"{"a":"line\nbreak\u0000\u001b[31mé","n":NaN}"#;
    let mut sends = Vec::new();
    for number in 0..20 {
        let publication = publication(alert_with_record(number, odd), "stdout:a").await;
        let output = Arc::clone(&output);
        sends.push(tokio::spawn(async move {
            output.send(&publication, &format!("key-{number}"), soon()).await
        }));
    }
    for send in sends {
        send.await.unwrap().unwrap();
    }
    let lines = writer.lines();
    let keys: std::collections::BTreeSet<String> = lines
        .iter()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["idempotency_key"].to_string())
        .collect();
    assert_eq!((lines.len(), keys.len()), (20, 20));
    assert!(!lines[0].contains('\u{1b}') && lines[0].starts_with("{\"idempotency_key\""));
}

#[tokio::test]
async fn text_is_for_people_and_harms_no_terminal() {
    let writer = Shared::default();
    let output = Stdout::new(Format::Text, writer.clone());
    for publication in [
        layouts::rich("stdout:a").await,
        layouts::hostile("stdout:a").await,
        publication(
            alert_with_record(1, r#"{"user":"\u001b]0;x\u0007\u009b31m\nroot"}"#),
            "stdout:a",
        )
        .await,
    ] {
        output.send(&publication, "key", soon()).await.unwrap();
    }
    let lines = writer.lines();
    assert_eq!(lines.len(), 3);
    let begin = "2026-01-31T07:59:59.000000Z [CRITICAL] Cloudtrail root login: Somebody signed in to the console as root.";
    assert!(lines[0].starts_with(begin), "{}", lines[0]);
    assert!(lines[0].contains("sourceIPAddress=203.0.113.7") && lines[0].contains("Playbook: https://wiki"));
    assert!(
        !lines
            .concat()
            .contains(|c: char| c.is_control() || c == '\u{202e}')
    );
}

#[tokio::test]
async fn a_failed_write_comes_again() {
    let writer = Shared::default();
    *writer.fails.lock().unwrap() = 1;
    let output = Stdout::new(Format::Json, writer.clone());
    let publication = publication(alert(1), "stdout:a").await;
    let error = output.send(&publication, "key", soon()).await.unwrap_err();
    assert!(error.is_retryable() && error.may_have_happened(), "{error}");
    output.send(&publication, "key", soon()).await.unwrap();
    assert_eq!(writer.lines().len(), 1);
}

#[tokio::test]
async fn attempts_wait_behind_one_that_hangs() {
    let (open, gate) = mpsc::channel();
    let writer = Shared {
        gate: Some(Arc::new(Mutex::new(gate))),
        ..Shared::default()
    };
    let output = Stdout::new(Format::Json, writer.clone());
    let publication = publication(alert(1), "stdout:a").await;
    for key in ["a", "b", "c"] {
        let send = output.send(&publication, key, soon());
        assert!(
            tokio::time::timeout(Duration::from_millis(20), send)
                .await
                .is_err()
        );
    }
    // only the first has begun to write
    open.send(()).unwrap();
    open.send(()).unwrap();
    let send = output.send(&publication, "d", soon());
    let sent = tokio::time::timeout(Duration::from_secs(10), send).await;
    sent.expect("nothing else waits to be written").unwrap();
    let keys: Vec<String> = writer
        .lines()
        .iter()
        .map(|line| {
            serde_json::from_str::<Json>(line).unwrap()["idempotency_key"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(keys, ["a", "d"]);
}

#[tokio::test]
async fn a_huge_alert_is_one_whole_line_and_the_same_when_it_comes_again() {
    let writer = Shared::default();
    let output = Stdout::new(Format::Json, writer.clone());
    let record = serde_json::json!({"blob": "é<&>\"".repeat(200_000)}).to_string();
    let huge = publication(alert_with_record(1, &record), "stdout:a").await;
    for _ in 0..2 {
        output.send(&huge, "key", soon()).await.unwrap();
    }
    let lines = writer.lines();
    assert_eq!((lines.len(), &lines[0]), (2, &lines[1]));
    assert!(lines[0].len() > record.len() && lines[0].starts_with("{\"idempotency_key\":\"key\""));
}

#[tokio::test]
async fn lines_are_as_recorded() {
    let key = "00000000-0000-0000-0000-000000000002/stdout:a";
    let mut text = String::new();
    for (format, name) in [(Format::Json, "json"), (Format::Text, "text")] {
        let writer = Shared::default();
        let publication = publication(alert(1), "stdout:a").await;
        let output = Stdout::new(format, writer.clone());
        output.send(&publication, key, soon()).await.unwrap();
        text.push_str(&format!("format = \"{name}\":\n\n{}\n\n", writer.lines()[0]));
    }
    recorded("stdout", "", &format!("{}\n", text.trim_end()));
}
