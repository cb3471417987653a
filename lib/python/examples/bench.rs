//! Rules per second through one worker: `cargo run --release -p streamalert-python --example bench [PAIRS] [KIND]`.
//!
//! Of 40 rules PAIRS (40) run on each CloudTrail-like event of about 1.5 KB, in batches of 256. KIND: `plain`,
//! `context` (rules that store into their context) or `private` (rules that may change the record). Computing time of
//! the worker and of this process, per event and per (event, rule) pair.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use streamalert_detect::{EvaluateOptions, RuleIndex, RuleRuntime};
use streamalert_python::{PairRecord, PoolOptions, PythonPool};
use streamalert_types::{DataType, Position, Record, Sequence, Source};

const RULES: u32 = 40;
const EVENTS: u64 = 256 * 400;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "a program that prints figures")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let pairs: u32 = arguments.next().map_or(Ok(RULES), |text| text.parse())?;
    let kind = arguments.next().unwrap_or_else(|| "plain".into());
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("rules"))?;
    std::fs::write(dir.path().join("rules/r.py"), rules(&kind)?)?;
    let (pool, report) = PythonPool::start(PoolOptions {
        workers: 1,
        ..PoolOptions::for_repo(dir.path())
    })
    .await?;
    println!(
        "python {}, {} rules, {pairs} on each event, {kind}",
        report.python_version,
        report.rules.rules().len()
    );
    let json = Bytes::from(event()?);
    let source = Arc::new(Source {
        service: "kinesis".into(),
        resource: "bench".into(),
        cluster: Some("prod".into()),
    });
    let record = |number| Record {
        source: source.clone(),
        position: Position {
            partition: "p".into(),
            sequence: Sequence::Offset(number),
        },
        sub: 0,
        log_type: "cloudtrail:events".into(),
        data_type: DataType::Json,
        json: json.clone(),
    };
    // Events differ in the rules they are for, as those do that a native engine hands on.
    let pair = |number: u64| PairRecord {
        record: record(number),
        rules: (0..pairs)
            .map(|rule| RuleIndex((rule + number as u32) % RULES))
            .collect(),
    };
    // Warm the interpreter up.
    pool.evaluate((0..2560).map(record).collect(), EvaluateOptions::default())
        .await?;
    let (before_own, before_children) = (own_cpu(), children_cpu());
    let start = tokio::time::Instant::now();
    let mut fired = 0;
    for batch in 0..EVENTS / 2048 {
        let numbers = batch * 2048..(batch + 1) * 2048;
        let options = EvaluateOptions::default();
        let outcomes = if pairs == RULES {
            pool.evaluate(numbers.map(record).collect(), options).await?
        } else {
            pool.evaluate_pairs(numbers.map(pair).collect(), options).await?
        };
        fired += outcomes
            .iter()
            .map(|outcome| outcome.results.len())
            .sum::<usize>();
    }
    let wall = start.elapsed();
    let (own, children) = (own_cpu() - before_own, children_cpu() - before_children);
    let events = (EVENTS / 2048 * 2048) as f64;
    let show = |name: &str, time: Duration| {
        let secs = time.as_secs_f64().max(1e-9);
        println!(
            "{name:>14}: {:>8.0} events/s  {:>10.0} pairs/s  {:>6.2} us/event  {:>5.0} ns/pair",
            events / secs,
            events * f64::from(pairs) / secs,
            secs / events * 1e6,
            secs / events / f64::from(pairs) * 1e9
        );
    };
    println!("{events} events of {} bytes, {fired} firings", json.len());
    show("wall", wall);
    show("worker cpu", children);
    show("this process", own);
    pool.shutdown().await;
    Ok(())
}

fn rules(kind: &str) -> Result<String, std::fmt::Error> {
    let (option, parameter, statement) = match kind {
        "context" => (
            ", context={}",
            ", context",
            "context['name'] = rec['eventName']\n    ",
        ),
        "private" => ("", "", "rec['seen'] = True\n    "),
        _ => ("", "", ""),
    };
    let mut text = String::from("from streamalert.shared.rule import rule\n");
    for number in 0..RULES {
        let body = match number % 4 {
            0 => format!("rec['eventName'] == 'Event{number}' and rec['awsRegion'] != 'x'"),
            1 => format!("rec.get('detail', {{}}).get('type') in {{'A{number}', 'B{number}'}}"),
            2 => format!("rec['eventSource'].startswith('s{number}') and 'errorCode' in rec"),
            _ => format!(
                "rec['userIdentity']['type'] == 'Root' and rec['sourceIPAddress'] == '1.2.3.{number}'"
            ),
        };
        write!(
            text,
            "@rule(logs=['cloudtrail:events'], outputs=['slack:x']{option})\ndef r{number}(rec{parameter}):\n    {statement}return {body}\n"
        )?;
    }
    text += "@rule(logs=['other'])\ndef other(rec):\n    return True\n";
    Ok(text)
}

fn event() -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        r#"{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:session","arn":"arn:aws:sts::123456789012:assumed-role/role/session","accountId":"123456789012","sessionContext":{"attributes":{"mfaAuthenticated":"false","creationDate":"2023-07-10T11:00:00Z"}}},"eventTime":"2023-07-10T11:22:33Z","eventSource":"s3.amazonaws.com","eventName":"Event4","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.7","userAgent":"aws-sdk-go/1.44","requestParameters":{"bucketName":"example","Host":"example.s3.amazonaws.com","key":"some/object/with/a/long/key.json.gz"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":0,"bytesTransferredOut":1234},"requestID":"EXAMPLE123456789","eventID":"3038ebd2-c98a-4c65-9b6e-e22506292313","readOnly":true,"resources":["#,
    );
    for number in 0..5 {
        write!(
            text,
            r#"{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::example/{number}"}},"#
        )?;
    }
    text.pop();
    text += r#"],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.2","cipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","clientProvidedHostHeader":"example.s3.amazonaws.com"}}"#;
    Ok(text)
}

/// Computing time of the process that `/proc/<name>/stat` is about.
fn cpu_of(name: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_ascii_whitespace().collect())
        .unwrap_or_default();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|ticks| ticks.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn own_cpu() -> Duration {
    cpu_of("self")
}

/// Of all living child processes together; the spare is done with loading after the warm-up.
fn children_cpu() -> Duration {
    let own = rustix::process::getpid().as_raw_pid().to_string();
    let pids = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
            (stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)? == own).then_some(name)
        });
    pids.map(|pid| cpu_of(&pid)).sum()
}
