//! How long an alert takes from its record's arrival to the output, while records arrive at half the rate that the
//! machine can take.

mod histogram;
mod load;
mod sink;

use std::time::Duration;

use streamalert_value::Value;
use tokio::time::Instant;

pub(super) use self::histogram::Latencies;
use self::load::Load;
use self::sink::Sink;
use super::live::{Ground, Input, Processes, Reading, Shape, free_address};
use super::{Report, grouped};
use crate::args::Global;
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;

/// Of so many records one raises an alert: an ordinary day, and a very bad one.
const ONE_IN: [u64; 2] = [1_000, 10];

/// How long as much as can be is sent to find the highest rate, at most.
const FASTEST: Duration = Duration::from_secs(8);

const SOURCE: (&str, &str) = ("kinesis", "streamalert_bench");

const RULE: &str = "from streamalert.shared.rule import rule


@rule(logs=['cloudtrail:events'], outputs=['webhook:streamalert_bench'])
def streamalert_bench(record):
    return record['eventID'].startswith('streamalert-bench-')
";

struct Row {
    shape: Shape,
    one_in: u64,
    highest: f64,
    rate: f64,
    late: Duration,
    latencies: Latencies,
}

/// The project's rules and one of our own, in one process and in four, each for so many seconds.
pub(crate) async fn latency(global: &Global, project: &Project, seconds: u16) -> Result<Report, Failure> {
    let address = free_address()?;
    let readings = [Reading {
        service: SOURCE.0.to_owned(),
        resource: SOURCE.1.to_owned(),
        families: vec!["cloudtrail".to_owned()],
        input: Input::Http(address),
    }];
    let ground = Ground::of(global, project, &readings, Some(RULE))?;
    let mut rows = Vec::new();
    for one_in in ONE_IN {
        for shape in [Shape::One, Shape::Four] {
            let sink = Sink::start().await?;
            let processes = Processes::start(&ground, shape, &readings, Some(sink.address())).await?;
            let path = format!("/v1/logs/{}/{}", SOURCE.0, SOURCE.1);
            let load = Load::new(address, path, one_in);
            rows.push(measure(shape, one_in, load, &sink, seconds).await?);
            processes.stop().await?;
        }
    }
    Ok(report(&rows, seconds))
}

async fn measure(
    shape: Shape,
    one_in: u64,
    mut load: Load,
    sink: &Sink,
    seconds: u16,
) -> Result<Row, Failure> {
    let time = Duration::from_secs(seconds.into());
    let begun = Instant::now();
    let sent = load.as_fast_as_it_goes(FASTEST.min(time)).await?;
    sink.wait_for(load.alerts(&sent)).await?;
    // Until the last alert is there, or what piles up in between would count as done.
    let highest = (sent.end - sent.start) as f64 / begun.elapsed().as_secs_f64();
    sink.forget();
    let rate = highest / 2.0;
    let run = load.at_rate(rate, time).await?;
    sink.wait_for(load.alerts(&run.numbers)).await?;
    let latencies = sink.seen().into_iter().map(|(number, at)| {
        let due = run.begun + Duration::from_secs_f64(number.saturating_sub(run.numbers.start) as f64 / rate);
        at.saturating_duration_since(due)
    });
    Ok(Row {
        shape,
        one_in,
        highest,
        rate,
        late: run.late,
        latencies: latencies.collect(),
    })
}

fn report(rows: &[Row], seconds: u16) -> Report {
    let mut lines = vec![format!(
        "latency: from the moment a record is due to the receipt of its alert, records arriving at half of the highest \
         rate for {seconds} s"
    )];
    for row in rows {
        lines.push(format!(
            "  {}, an alert in {}: {} records/s at most, measured at {}; {} alerts; sent {:.1} ms late at most",
            row.shape.name(),
            grouped(row.one_in as f64),
            grouped(row.highest),
            grouped(row.rate),
            grouped(row.latencies.len() as f64),
            row.late.as_secs_f64() * 1e3,
        ));
        let told = row.latencies.told();
        let told: Vec<String> = told
            .iter()
            .map(|(name, ms)| format!("{name} {ms:.1} ms"))
            .collect();
        lines.push(format!("    {}", told.join(", ")));
        lines.extend(row.latencies.bars().into_iter().map(|bar| format!("    {bar}")));
    }
    let json = object([
        ("stage", text("latency")),
        ("seconds", integer(seconds.into())),
        ("runs", Value::List(rows.iter().map(Row::json).collect())),
    ]);
    Report { json, lines }
}

impl Row {
    fn json(&self) -> Value {
        let told = self.latencies.told().into_iter();
        let told = told.map(|(name, ms)| (format!("{name}_ms"), Value::Float(ms)));
        object([
            ("shape", text(self.shape.name())),
            ("one_in", integer(self.one_in)),
            ("records_per_s_highest", Value::Float(self.highest.round())),
            ("records_per_s", Value::Float(self.rate.round())),
            ("alerts", integer(self.latencies.len() as u64)),
            ("sent_late_ms_max", Value::Float(self.late.as_secs_f64() * 1e3)),
            ("latency", Value::Map(told.collect())),
            ("histogram", self.latencies.json()),
        ])
    }
}
