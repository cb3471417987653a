//! Events per second and core of classification, on recorded payloads.
//!
//! `cargo run --release -p streamalert-schema --example bench_classify -- INPUTS.jsonl CONF/schemas`
//! Payloads are classified again and again from memory; CPU time of the thread, so that a busy machine counts less.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program to be run by hand"
)]

use std::path::Path;
use std::time::Duration;

use streamalert_schema::{Body, RawInput, SchemaSet, Scratch, Selection, Tally};
use streamalert_value::Value;

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn definitions(directory: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut definitions = Vec::new();
    for file in files {
        match Value::parse_json(&std::fs::read(file).unwrap()).unwrap() {
            Value::Map(map) => definitions.extend(map),
            other => panic!("not an object: {}", other.to_json()),
        }
    }
    definitions
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, inputs, schemas] = arguments.as_slice() else {
        panic!("expected INPUTS.jsonl and a directory of schemas")
    };
    let text = std::fs::read_to_string(inputs).unwrap();
    let inputs: Vec<RawInput> = text
        .lines()
        .map(|line| RawInput::from_value(&Value::parse_json(line.as_bytes()).unwrap()).unwrap())
        .collect();
    let (set, _) = SchemaSet::compile(&definitions(Path::new(schemas)));
    println!("the whole corpus: {} payloads", inputs.len());
    report(
        "cloudtrail and cloudwatch",
        run(&inputs, &set.select(&["cloudtrail", "cloudwatch"]).unwrap()),
    );
    report("all types", run(&inputs, &set.select_all()));
    let kinds = [
        ("S3 objects", "s3", false, "cloudtrail"),
        ("EventBridge records", "kinesis", false, "cloudwatch"),
        ("CloudWatch Logs, gzip", "kinesis", true, "cloudwatch"),
    ];
    for (name, service, is_packed, family) in kinds {
        let chosen: Vec<RawInput> = inputs
            .iter()
            .filter(|input| &*input.source.service == service)
            .filter(|input| is_packed == matches!(input.body(), Body::Packed([0x1f, 0x8b, ..])))
            .cloned()
            .collect();
        if chosen.is_empty() {
            continue;
        }
        let one = run(&chosen, &set.select(&[family]).unwrap());
        let all = run(&chosen, &set.select_all());
        println!("{name}: {} payloads", chosen.len());
        report("one family", one);
        report("all types", all);
    }
}

fn report(name: &str, (tally, time): (Tally, Duration)) {
    let seconds = time.as_secs_f64();
    println!(
        "  {name}: {:.0} events/s, {:.0} MB/s, {:.2} us an event, {} failed of {}",
        tally.events as f64 / seconds,
        tally.bytes as f64 / seconds / 1e6,
        seconds * 1e6 / tally.events as f64,
        tally.failed,
        tally.events,
    );
}

fn run(inputs: &[RawInput], selection: &Selection) -> (Tally, Duration) {
    let mut scratch = Scratch::new();
    Tally::default().add(selection, inputs, &mut scratch);
    let mut tally = Tally::default();
    let start = cpu_time();
    loop {
        tally.add(selection, inputs, &mut scratch);
        let time = cpu_time() - start;
        if time > Duration::from_secs(2) {
            return (tally, time);
        }
    }
}
