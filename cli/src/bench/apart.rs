//! What it costs that the services are processes of their own: the same input through one process and through four.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use streamalert_schema::{Body, RawInput};
use streamalert_types::Source;
use streamalert_value::Value;

use super::live::{Ground, Input, Processes, Reading, Shape};
use super::passes::Passes;
use super::rules::records;
use super::{Inputs, Report, grouped};
use crate::args::Global;
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::project::Project;

/// Records of a pass at least: computing time is known to 10 ms only. The input is read as often as that takes.
const RECORDS_MIN: u64 = 500_000;

/// One source of the input, as files.
struct Stock {
    reading: Reading,
    /// Objects, each a file that is put into the folder under as many names as it is to be read.
    objects: Vec<std::path::PathBuf>,
    /// Messages, a line each.
    lines: Option<std::path::PathBuf>,
    /// Payloads in all passes over the input.
    payloads: u64,
}

/// What one pass came to.
struct Pass {
    times: Vec<(&'static str, Duration)>,
    records: u64,
    alerts: u64,
    dead_letters: u64,
}

/// Shape by shape, pass by pass.
struct Measured {
    passes: BTreeMap<Shape, Passes>,
    /// Computing time of each process in the fastest pass.
    shares: BTreeMap<Shape, Vec<(&'static str, Duration)>>,
    records: u64,
    alerts: u64,
    dead_letters: u64,
}

/// The input through all shapes in turn, `passes` times; once over the input if `once`, else as often as it takes.
pub(crate) async fn apart(
    global: &Global,
    project: &Project,
    inputs: Inputs,
    passes: u16,
    once: bool,
) -> Result<Report, Failure> {
    if super::cpu::children_time().is_none() {
        return Ok(Report::skipped(
            "apart",
            "there is no /proc to read computing times from",
        ));
    }
    let stock = tempfile::tempdir_in(global.data_dir.clone().unwrap_or_else(std::env::temp_dir))?;
    let (classified, _) = records(&project.schemas.select_all(), &inputs.payloads);
    let events = classified.len() as u64;
    let times = if once || events == 0 {
        1
    } else {
        RECORDS_MIN.div_ceil(events)
    };
    let families = families(&classified);
    drop(classified);
    let (stocks, left_out) = lay_in(stock.path(), &inputs, &families, times)?;
    let (readings, files): (Vec<Reading>, Vec<_>) = stocks
        .into_iter()
        .map(|stock| (stock.reading, (stock.objects, stock.lines, stock.payloads)))
        .unzip();
    if readings.is_empty() {
        return Ok(Report::skipped("apart", "no payload of the input can be a file"));
    }
    let ground = Ground::of(global, project, &readings, None)?;
    let mut shapes = vec![Shape::One, Shape::Four];
    if ground.tls().is_some() {
        shapes.push(Shape::FourTls);
    }
    let mut measured = Measured::new();
    for _ in 0..passes {
        for shape in &shapes {
            let pass = pass(&ground, *shape, &readings, &files, times).await?;
            measured.add(*shape, pass)?;
        }
    }
    Ok(measured.report(&inputs.origin, left_out))
}

/// Families of the log types that each source's records turn out to be of.
fn families(records: &[streamalert_types::Record]) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut families: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for record in records {
        let source = key(&record.source);
        let family = record.log_type.split(':').next().unwrap_or_default();
        let known = families.entry(source).or_default();
        if !known.contains(family) {
            known.insert(family.to_owned());
        }
    }
    families
}

fn key(source: &Source) -> (String, String) {
    (source.service.to_string(), source.resource.to_string())
}

/// Writes payloads to files below `dir`, source by source. Answers also how many cannot be in one: messages with
/// line breaks or compression.
fn lay_in(
    dir: &Path,
    inputs: &Inputs,
    families: &BTreeMap<(String, String), BTreeSet<String>>,
    times: u64,
) -> Result<(Vec<Stock>, u64), Failure> {
    let mut bodies: BTreeMap<(String, String), Vec<&RawInput>> = BTreeMap::new();
    let mut left_out = 0;
    for payload in &inputs.payloads {
        let source = key(&payload.source);
        if families.contains_key(&source) && fits(payload) {
            bodies.entry(source).or_default().push(payload);
        } else {
            left_out += 1;
        }
    }
    let mut stocks = Vec::new();
    for (number, ((service, resource), payloads)) in bodies.into_iter().enumerate() {
        let families = families.get(&(service.clone(), resource.clone()));
        let mut stock = Stock {
            reading: Reading {
                families: families.into_iter().flatten().cloned().collect(),
                input: Input::Folder(format!("in-{number}")),
                service,
                resource,
            },
            objects: Vec::new(),
            lines: None,
            payloads: 0,
        };
        let mut lines: Vec<Cow<'_, [u8]>> = Vec::new();
        for (at, payload) in payloads.iter().enumerate() {
            match payload.body() {
                Body::Object(bytes) => {
                    let file = dir.join(format!("{number}-{at:06}.json"));
                    std::fs::write(&file, bytes)?;
                    stock.objects.push(file);
                }
                Body::Packed(bytes) | Body::Line(bytes) => lines.push(bytes.into()),
                Body::Text(text) => lines.push(text.as_bytes().into()),
                // An app's logs are payloads of their own in a file.
                Body::Logs(logs) => lines.extend(logs.iter().map(|log| log.to_json().into_bytes().into())),
            }
        }
        stock.payloads = (stock.objects.len() + lines.len()) as u64 * times;
        if !lines.is_empty() {
            let file = dir.join(format!("{number}.jsonl"));
            let mut text = lines.join(&b'\n');
            text.push(b'\n');
            std::fs::write(&file, text.repeat(usize::try_from(times).unwrap_or(usize::MAX)))?;
            stock.lines = Some(file);
        }
        stocks.push(stock);
    }
    Ok((stocks, left_out))
}

fn fits(payload: &RawInput) -> bool {
    let line =
        |bytes: &[u8]| !bytes.is_empty() && !bytes.starts_with(&[0x1f, 0x8b]) && !bytes.contains(&b'\n');
    match payload.body() {
        Body::Object(_) => true,
        Body::Packed(bytes) | Body::Line(bytes) => line(bytes),
        Body::Text(text) => line(text.as_bytes()),
        Body::Logs(logs) => !logs.is_empty(),
    }
}

type Files = (Vec<std::path::PathBuf>, Option<std::path::PathBuf>, u64);

/// Once through processes of one shape: from the moment when the files appear until everything is acknowledged and
/// delivered. Starting and ending does not count.
async fn pass(
    ground: &Ground,
    shape: Shape,
    readings: &[Reading],
    files: &[Files],
    times: u64,
) -> Result<Pass, Failure> {
    let processes = Processes::start(ground, shape, readings, None).await?;
    let no_proc = || Failure::Other("a process has ended".to_owned());
    let before = processes.times().ok_or_else(no_proc)?;
    let mut payloads = 0;
    for (reading, (objects, lines, count)) in readings.iter().zip(files) {
        let Input::Folder(folder) = &reading.input else {
            continue;
        };
        let folder = processes.dir().join(folder);
        for turn in 0..times {
            for object in objects {
                let name = object
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                std::fs::hard_link(object, folder.join(format!("{turn:04}-{name}")))?;
            }
        }
        if let Some(lines) = lines {
            std::fs::hard_link(lines, folder.join("lines.jsonl"))?;
        }
        payloads += count;
    }
    let acknowledged = "streamalert_classifier_acknowledged_payloads";
    processes
        .wait_for_at_least("classifier", acknowledged, payloads as f64)
        .await?;
    processes.wait_until_delivered().await?;
    let after = processes.times().ok_or_else(no_proc)?;
    let count =
        async |service: &str, metric: &str| processes.metric(service, metric).await.map(|value| value as u64);
    let pass = Pass {
        times: before
            .iter()
            .zip(&after)
            .map(|((name, before), (_, after))| (*name, after.saturating_sub(*before)))
            .collect(),
        records: count("classifier", "streamalert_classifier_records").await?,
        alerts: count("merger", "streamalert_merger_alerts").await?,
        dead_letters: count("classifier", "streamalert_classifier_dead_letters").await?,
    };
    processes.stop().await?;
    Ok(pass)
}

impl Measured {
    fn new() -> Self {
        Self {
            passes: BTreeMap::new(),
            shares: BTreeMap::new(),
            records: 0,
            alerts: 0,
            dead_letters: 0,
        }
    }

    /// Passes that do not come to the same are no measurement.
    fn add(&mut self, shape: Shape, pass: Pass) -> Result<(), Failure> {
        let came_to = (pass.records, pass.alerts, pass.dead_letters);
        if self.passes.is_empty() {
            (self.records, self.alerts, self.dead_letters) = came_to;
        }
        if came_to != (self.records, self.alerts, self.dead_letters) {
            return Err(Failure::Other(format!(
                "{}: {} records, {} alerts, {} dead letters; before it were {}, {}, {}",
                shape.name(),
                came_to.0,
                came_to.1,
                came_to.2,
                self.records,
                self.alerts,
                self.dead_letters
            )));
        }
        let time: Duration = pass.times.iter().map(|(_, time)| *time).sum();
        let passes = self.passes.entry(shape).or_default();
        if time.as_secs_f64() / (self.records.max(1) as f64) < passes.best() {
            self.shares.insert(shape, pass.times);
        }
        passes.add(time, self.records);
        Ok(())
    }

    fn report(&self, origin: &str, left_out: u64) -> Report {
        let mut lines = vec![format!(
            "apart: {} records of {origin} to {} alerts, computing time of all processes",
            grouped(self.records as f64),
            grouped(self.alerts as f64)
        )];
        let mut rows = Vec::new();
        let together = self.passes.get(&Shape::One);
        for (shape, passes) in &self.passes {
            let (best, median) = (passes.best() * 1e6, passes.median() * 1e6);
            let mut line = format!(
                "  {:<28} {best:>6.2} µs a record (median {median:.2})",
                shape.name()
            );
            let mut row = vec![
                ("shape", text(shape.name())),
                ("us_per_record_best", Value::Float(best)),
                ("us_per_record_median", Value::Float(median)),
            ];
            if let Some(together) = together.filter(|_| *shape != Shape::One) {
                let ratio = together.speed_against(passes);
                let best = passes.best() / together.best();
                line += &format!(", {ratio:.2} × one process (best by best {best:.2})");
                row.push(("ratio_median", Value::Float(ratio)));
                row.push(("ratio_best", Value::Float(best)));
            }
            let shares = self.shares.get(shape).map_or(&[][..], Vec::as_slice);
            if shares.len() > 1 {
                let each = shares.iter().rev().map(|(name, time)| {
                    let share = time.as_secs_f64() * 1e6 / (self.records.max(1) as f64);
                    format!("{name} {share:.2}")
                });
                line += &format!(": {}", each.collect::<Vec<_>>().join(", "));
            }
            lines.push(line);
            rows.push(Value::Map(
                row.into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            ));
        }
        if !self.passes.contains_key(&Shape::FourTls) {
            lines.push(
                "  mutual tls: not measured, for no certificates were given with --set tls.cert=…".to_owned(),
            );
        }
        if left_out > 0 {
            lines.push(format!(
                "  {left_out} payloads are left out, for they cannot be lines of a file"
            ));
        }
        let json = object([
            ("stage", text("apart")),
            ("records", integer(self.records)),
            ("alerts", integer(self.alerts)),
            ("left_out", integer(left_out)),
            ("shapes", Value::List(rows)),
        ]);
        Report { json, lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(millis: &[u64], alerts: u64) -> Pass {
        let names = ["dispatcher", "classifier"];
        Pass {
            times: names
                .into_iter()
                .zip(millis.iter().copied().map(Duration::from_millis))
                .collect(),
            records: 1_000,
            alerts,
            dead_letters: 0,
        }
    }

    #[test]
    fn the_time_of_all_processes_is_compared_pass_by_pass() {
        let mut measured = Measured::new();
        for slowness in [1, 3, 2] {
            measured.add(Shape::One, pass(&[10 * slowness], 7)).unwrap();
            measured
                .add(Shape::Four, pass(&[2 * slowness, 10 * slowness], 7))
                .unwrap();
        }
        let report = measured.report("x", 0);
        assert!(
            report.lines[1].contains("10.00 µs a record (median 20.00)"),
            "{:?}",
            report.lines
        );
        assert!(
            report.lines[2].contains("1.20 × one process"),
            "{:?}",
            report.lines
        );
        assert!(
            report.lines[2].ends_with("classifier 10.00, dispatcher 2.00"),
            "{:?}",
            report.lines
        );
    }

    #[test]
    fn passes_with_other_alerts_are_a_failure() {
        let mut measured = Measured::new();
        measured.add(Shape::One, pass(&[10], 7)).unwrap();
        assert!(measured.add(Shape::Four, pass(&[1, 1], 8)).is_err());
    }
}
